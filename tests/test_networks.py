import json
import math
from itertools import product

import pytest
import torch
from parts import PARTS, check_network
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from colorlib import colours, lab, networks
from colorlib.base.errors import ColorlibError
from colorlib.networks import classifiers
from colorlib.networks.priors import Prior
from colorlib.tool import weights
from colorlib.tool.weights import write_tensors


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_weight_counts_are_those_of_deep_koalarization():
    network = networks.build("baseline", batch_norm=False)
    assert count(network.encoder) == 5_827_200
    assert count(network.decoder) + count(network.head) == 424_802


def test_batch_norm_everywhere_but_in_the_decoders_last_two_convolutions():
    network = networks.build("baseline")

    def normalised(part):
        return [isinstance(block[1], nn.BatchNorm2d) for block in part
                if isinstance(block, nn.Sequential)]

    assert normalised(network.encoder) == [True] * 8
    assert normalised(network.decoder) == [True, True, True, False]
    assert not any(isinstance(m, nn.BatchNorm2d)
                   for m in networks.build("baseline", batch_norm=False).modules())


def test_the_encoder_halves_three_times_and_has_no_pooling():
    network = networks.build("baseline", width=0.25)
    (encoded,) = network.encoder(torch.zeros(2, 1, 64, 96))
    assert encoded.shape == (2, 64, 8, 12)
    assert (network.encoder.channels, network.encoder.strides) == ((64,), (8,))
    assert not any(isinstance(m, (nn.MaxPool2d, nn.AvgPool2d)) for m in network.modules())


def test_max_pooling_can_take_the_place_of_strides():
    strided, pooled = (
        networks.build("baseline", width=0.125, downsample=how) for how in ("stride", "max-pooling")
    )
    kinds = [type(layer) for layer in pooled.encoder.modules()]
    assert kinds.count(nn.MaxPool2d) == 3
    convolutions = [layer for layer in pooled.encoder.modules() if isinstance(layer, nn.Conv2d)]
    assert all(layer.stride == (1, 1) for layer in convolutions)
    assert count(pooled) == count(strided)
    pooled.load_state_dict(strided.state_dict())
    assert pooled(torch.zeros(1, 1, 20, 24)).shape == (1, 2, 20, 24)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_forward_backward_and_every_weight_gets_a_gradient(batch_norm):
    torch.manual_seed(0)
    network = networks.build("baseline", width=0.25, batch_norm=batch_norm)
    ab = network(torch.rand(2, 1, 64, 64) * 2 - 1)
    assert ab.shape == (2, 2, 64, 64)
    assert ab.abs().max() <= 1
    ab.pow(2).mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("height, width", [(8, 8), (64, 40), (33, 70), (100, 9)])
def test_any_size_comes_back_the_same_size(height, width):
    network = networks.build("baseline", width=0.125).eval()
    assert network(torch.zeros(1, 1, height, width)).shape == (1, 2, height, width)


@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (1, 64, 64), (1, 1, 7, 64)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"\(B, 1, H, W\)"):
        networks.build("baseline", width=0.125)(torch.zeros(shape))


VARIANTS = [
    ("fusion", {}),
    ("attention", {}),
    ("attention", {"attention": "dot"}),
    ("attention", {"attention": "concat"}),
    ("attention", {"attention": "pointwise"}),
    ("attention", {"attention_source": "fused", "coordinates": True}),
    ("attention", {"attention_softmax": "targets", "attention_scaled": False}),
    ("attention", {"embedding": 0}),
]


@pytest.mark.parametrize(("preset", "changes"), VARIANTS)
def test_every_variant_predicts_and_every_weight_gets_a_gradient(preset, changes):
    torch.manual_seed(0)
    network = networks.build(preset, **{"width": 0.125, "embedding": 12, **changes})
    embedding = torch.randn(2, 12) if network.fusion else None
    ab = network(networks.Inputs(torch.rand(2, 1, 40, 27) * 2 - 1, embedding))
    assert ab.shape == (2, 2, 40, 27) and ab.abs().max() <= 1
    ab.pow(2).mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


COMBINATIONS = list(product(networks.ENCODERS, networks.DECODERS, networks.HEADS))


@pytest.mark.parametrize("parts", COMBINATIONS, ids="-".join)
def test_every_combination_of_parts(parts, tmp_path):
    check_network(networks.Config(**dict(zip(PARTS, parts, strict=True)), width=0.125), tmp_path)


def test_given_a_target_the_network_returns_the_loss_of_section_4_2():
    torch.manual_seed(0)
    network = networks.build("fusion", width=0.125, embedding=3)
    L, embedding = torch.rand(2, 1, 20, 27) * 2 - 1, torch.randn(2, 3)
    target = torch.rand(2, 2, 20, 27) * 2 - 1
    loss = network(networks.Inputs(L, embedding), target)  # in training mode, as ab below
    assert loss.shape == () and loss.dtype == torch.float32
    assert torch.equal(loss, (network(networks.Inputs(L, embedding)) - target).square().mean())
    with torch.autocast("cpu", torch.bfloat16):
        assert network(networks.Inputs(L, embedding), target).dtype == torch.float32
    with pytest.raises(ValueError, match=r"target must have shape \(2, 2, 20, 27\)"):
        network(networks.Inputs(L, embedding), target[..., :20])


@pytest.mark.parametrize("part", PARTS)
def test_an_unknown_part_is_refused(part):
    with pytest.raises(ColorlibError, match=f"no {part} named 'nonsense'; there is "):
        networks.build("baseline", **{part: "nonsense"})


def test_weights_of_the_first_version_load(tmp_path):
    """There, the last convolution was the decoder's, and the config named no parts."""
    network = networks.build("attention", width=0.125, embedding=5).eval()
    tensors = {
        name.replace("head.last.", "decoder.6."): tensor.contiguous()
        for name, tensor in network.state_dict().items()
    }
    assert {"decoder.6.weight", "decoder.6.bias"} <= set(tensors)
    config = {"width": 0.125, "embedding": 5, "attention": "general"}
    metadata = {"format": "colorlib-weights-1", "config": json.dumps(config), "about": "{}"}
    write_tensors(tensors, tmp_path / "w.safetensors", metadata)
    L, embedding = torch.rand(1, 1, 16, 16), torch.randn(1, 5)
    again = weights.load_weights(tmp_path / "w.safetensors")
    assert torch.equal(again(networks.Inputs(L, embedding)), network(networks.Inputs(L, embedding)))


def test_weight_counts_of_the_final_model():
    fusion = networks.build("fusion", embedding=1001, batch_norm=False)
    assert count(fusion.fusion) == 322_048
    assert count(fusion) == 6_574_050
    coordinates = networks.build("fusion", embedding=1001, batch_norm=False, coordinates=True)
    assert count(coordinates) - count(fusion) == 1_152
    by_score = {
        score: count(networks.build("attention", attention=score).attention)
        for score in ("dot", "general", "concat", "pointwise")
    }
    W, W_c, v = 256 * 256, 2 * 256 * 256 + 256, 256
    assert by_score == {
        "dot": W_c, "general": W + W_c, "concat": 2 * W + v + W_c, "pointwise": W + W_c,
    }


@pytest.mark.parametrize("batch_norm", [True, False])
def test_fusion_is_a_convolution_of_map_and_repeated_embedding(batch_norm):
    torch.manual_seed(0)
    fusion = networks.Fusion(8, 5, batch_norm)
    h, e = torch.randn(3, 8, 6, 4, requires_grad=True), torch.randn(3, 5, requires_grad=True)
    everywhere = e[:, :, None, None].expand(-1, -1, 6, 4)
    found, direct = fusion(h, e), fusion.mix(torch.cat((h, everywhere), dim=1))
    assert torch.allclose(found, direct, atol=1e-5)
    inputs = (h, e, *fusion.parameters())
    direction = torch.randn_like(found)
    gradients = [torch.autograd.grad(x, inputs, direction) for x in (found, direct)]
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_fusion_repeats_the_embedding_at_every_position():
    torch.manual_seed(0)
    fusion = networks.Fusion(4, 3, batch_norm=False)
    features, embedding = torch.randn(2, 4, 5, 6), torch.randn(2, 3)
    weight, bias = fusion.mix[0].weight[:, :, 0, 0], fusion.mix[0].bias
    at = torch.cat((features[1, :, 2, 3], embedding[1]))
    assert torch.allclose(fusion(features, embedding)[1, :, 2, 3], (weight @ at + bias).relu())


def test_each_photograph_is_predicted_by_its_own_embedding():
    torch.manual_seed(0)
    network = networks.build("fusion", width=0.125, embedding=12, output_gain=1.0).eval()
    L, embedding = torch.rand(3, 1, 16, 16), 5 * torch.randn(3, 12)
    together = network(networks.Inputs(L, embedding))
    alone = [network(networks.Inputs(L, embedding)[i : i + 1]) for i in range(3)]
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)
    others = networks.Inputs(L, embedding.roll(1, 0))
    assert not torch.allclose(together, network(others), atol=1e-3)


def test_coordinates_run_from_minus_one_to_one_across_and_down():
    x, y = networks.AddCoords()(torch.zeros(1, 1, 3, 5))[0, 1:]
    assert x[0].tolist() == x[2].tolist() == [-1, -0.5, 0, 0.5, 1]
    assert y[:, 0].tolist() == y[:, 4].tolist() == [-1, 0, 1]


def attention(score="general", channels=6, **changes) -> networks.Attention:
    torch.manual_seed(0)
    return networks.Attention(channels, score, **changes)


def test_attention_over_three_positions_by_hand():
    module = attention("dot", channels=2, scaled=False)
    h = torch.tensor([[[1.0, 0.0]]])
    h_bar = torch.tensor([[[0.0, 1.0], [math.log(2), 5.0], [math.log(5), 0.0]]])
    assert torch.allclose(module.weights(h, h_bar), torch.tensor([1.0, 2.0, 5.0]) / 8)
    assert torch.allclose(
        module.context(h, h_bar)[0, 0],
        torch.tensor([2 * math.log(2) + 5 * math.log(5), 1.0 + 10.0]) / 8,
    )


def test_the_scores_are_those_of_luong():
    h, h_bar = torch.randn(1, 3, 6), torch.randn(1, 4, 6)
    t, s = h[0, 2], h_bar[0, 1]
    assert torch.allclose(attention("dot").scores(h, h_bar)[0, 2, 1], t @ s)
    general = attention("general")
    assert torch.allclose(general.scores(h, h_bar)[0, 2, 1], t @ (general.W_a.weight @ s))
    concat = attention("concat")
    W_a = torch.cat((concat.W_t.weight, concat.W_s.weight), dim=1)
    by_hand = concat.v.weight[0] @ torch.tanh(W_a @ torch.cat((t, s)))
    assert torch.allclose(concat.scores(h, h_bar)[0, 2, 1], by_hand, atol=1e-6)


@pytest.mark.parametrize("score", ["dot", "general", "concat", "pointwise"])
@pytest.mark.parametrize("scaled", [True, False])
def test_the_fast_way_and_the_written_out_one_agree(score, scaled):
    module = attention(score, channels=16, scaled=scaled)
    h, h_bar = torch.randn(2, 150, 16), torch.randn(2, 150, 16)
    values = module.W_a(h_bar) if score == "pointwise" else h_bar
    written_out = module.weights(h, h_bar) @ values
    assert (module.context(h, h_bar) - written_out).abs().max() < 1e-5


def test_weights_sum_to_one_over_the_sources_or_as_written_over_the_targets():
    h, h_bar = torch.randn(2, 7, 6), torch.randn(2, 9, 6)
    ones = torch.ones(2, 1)
    assert torch.allclose(attention().weights(h, h_bar).sum(dim=2), ones.expand(2, 7))
    written = attention(softmax="targets")
    assert torch.allclose(written.weights(h, h_bar).sum(dim=1), ones.expand(2, 9))
    assert torch.allclose(written.context(h, h_bar), written.weights(h, h_bar) @ h_bar)


def test_attention_sees_all_positions_and_the_control_only_its_own():
    target, source = torch.randn(1, 6, 3, 4), torch.randn(1, 6, 3, 4)
    changed = source.clone()
    changed[..., 0, 0] += 1
    for score, sees in (("general", True), ("pointwise", False)):
        module = attention(score)
        same = torch.isclose(module(target, source), module(target, changed)).all(dim=1)[0]
        assert not same[0, 0]
        assert same.flatten()[1:].all() != sees


def test_the_attended_weights_are_those_that_the_network_uses():
    model = networks.build("attention", width=0.125, embedding=5).eval()
    L, embedding = torch.rand(2, 1, 20, 32) * 2 - 1, torch.randn(2, 5)
    alpha = model.attended(networks.Inputs(L, embedding))
    assert alpha.shape == (2, 3 * 4, 3 * 4)
    mixed, encoded = model.maps(networks.Inputs(L, embedding))
    assert mixed.shape == encoded.shape == (2, 32, 3, 4)
    h = mixed.flatten(2).transpose(1, 2)
    context = alpha @ encoded.flatten(2).transpose(1, 2)
    out = torch.tanh(model.attention.W_c(torch.cat((context, h), dim=-1)))
    out = out.transpose(1, 2).unflatten(2, (3, 4))
    ab = model.head.ab(model.head(model.decoder([out])), L.shape[2:])
    assert torch.allclose(model(networks.Inputs(L, embedding)), ab, atol=1e-5)


def test_attention_keeps_the_map_in_shape():
    module = attention()
    target, source = torch.randn(2, 6, 3, 5), torch.randn(2, 6, 4, 4)
    out = module(target, source)
    assert out.shape == target.shape
    alone = module(target[..., 1:2, 2:3], source)[..., 0, 0]
    assert torch.allclose(out[..., 1, 2], alone, atol=1e-6)


def test_attention_by_hand():
    """One target, two sources, four channels: scores 2 and 0, divided by the root of 4."""
    h = torch.tensor([[[2.0, 0, 0, 0]]])
    h_bar = torch.tensor([[[1.0, 0, 0, 0], [0, 1.0, 0, 0]]])
    share = math.e / (math.e + 1)
    attention = networks.Attention(4, "dot")
    assert attention.weights(h, h_bar)[0, 0].tolist() == pytest.approx([share, 1 - share])
    assert attention.context(h, h_bar)[0, 0].tolist() == pytest.approx([share, 1 - share, 0, 0])
    unscaled = networks.Attention(4, "dot", scaled=False)
    share = math.e**2 / (math.e**2 + 1)
    assert unscaled.weights(h, h_bar)[0, 0].tolist() == pytest.approx([share, 1 - share])


def test_self_attention_by_hand():
    """Two heads of four channels; queries, keys and values are the channels themselves."""
    block = networks.SelfAttention(8, 2)
    block.norm = nn.Identity()
    with torch.no_grad():
        block.query_key_value.weight[:] = torch.eye(8).repeat(3, 1)[..., None, None]
    x = torch.zeros(1, 8, 1, 2)
    x[0, 0, 0, 0], x[0, 4, 0, 1] = 2.0, 4.0  # products 4 and 16, divided by the root of 4
    one, other = (math.exp(score) / (math.exp(score) + 1) for score in (2, 8))
    alpha = block.weights(x)[0].tolist()
    assert alpha[0][0] == pytest.approx([one, 1 - one]) and alpha[0][1] == pytest.approx([0.5, 0.5])
    assert alpha[1][1] == pytest.approx([1 - other, other])


def test_beyond_the_border_the_photograph_is_repeated():
    network = networks.build("baseline", width=0.125).eval()
    L = torch.rand(1, 1, 9, 12) * 2 - 1
    repeated = torch.cat((L, L[..., -1:].expand(-1, -1, -1, 4)), dim=3)
    repeated = torch.cat((repeated, repeated[:, :, -1:].expand(-1, -1, 7, -1)), dim=2)
    assert torch.equal(network.maps(L)[0], network.maps(repeated)[0])


def test_a_u_net_enlarges_its_maps_bilinearly():
    network = networks.build("unet", pretrained=False, width=0.25)
    maps = [torch.zeros(1, C, 32 // s, 64 // s)
            for C, s in zip(network.encoder.channels, network.encoder.strides, strict=True)]
    maps[-1][0, 0, 0] = torch.tensor([0.0, 1.0])
    given = []
    with network.decoder.joins[0].register_forward_pre_hook(lambda _, x: given.extend(x)):
        network.decoder(maps)
    assert given[0][0, 0, 0].tolist() == [0, 0.25, 0.75, 1]


@pytest.mark.parametrize("embedding", [None, torch.zeros(2, 11), torch.zeros(1, 12)])
def test_a_missing_or_misshapen_embedding_is_refused(embedding):
    network = networks.build("fusion", width=0.125, embedding=12)
    with pytest.raises(ValueError, match=r"embedding must be of shape \(2, 12\)"):
        network(networks.Inputs(torch.zeros(2, 1, 16, 16), embedding))
    with pytest.raises(ValueError, match="must be None"):
        inputs = networks.Inputs(torch.zeros(2, 1, 16, 16), torch.zeros(2, 12))
        networks.build("baseline", width=0.125)(inputs)


def test_the_preset_as_written_runs_and_predicts_no_green_and_no_blue():
    model = networks.build("as-written", width=0.125).eval()
    ab = model(networks.Inputs(torch.rand(1, 1, 24, 16) * 2 - 1, torch.randn(1, 1000)))
    assert ab.shape == (1, 2, 24, 16) and ab.min() >= 0


def test_the_output_as_written_predicts_no_green_and_no_blue():
    torch.manual_seed(0)
    network = networks.build("baseline", width=0.25, output="1-tanh2", output_gain=1.0)
    assert network(torch.randn(2, 1, 32, 32)).min() >= 0


def test_plain_layers_count_from_the_decoders_end():
    network = networks.build("baseline", width=0.125, plain_layers=4)
    normalised = [isinstance(b[1], nn.BatchNorm2d) for b in network.decoder
                  if isinstance(b, nn.Sequential)]
    assert normalised == [True, False, False, False]


def test_tanh_reaches_negative_values():
    torch.manual_seed(0)
    assert networks.build("baseline", width=0.25)(torch.randn(2, 1, 32, 32)).min() < 0


def test_initialisation():
    torch.manual_seed(0)
    network = networks.build("baseline")
    xavier, he = network.decoder[0][0].weight, network.encoder[5][0].weight
    limit = (6 / ((256 + 128) * 9)) ** 0.5
    assert 0.99 * limit < xavier.abs().max() <= limit
    assert he.std().item() == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.01)
    changed = networks.build("baseline", decoder_init="he").decoder[0][0].weight
    assert changed.abs().max() > limit


def test_each_part_has_its_own_first_weights(monkeypatch):
    class Pretrained(networks.PaperEncoder):
        def initialise(self, common):
            self[0][0].weight.data.fill_(0.5)

    class Own(networks.RegressionHead):
        def initialise(self, common):
            self.last.weight.data.fill_(self.settings.output_gain)

    monkeypatch.setitem(networks.ENCODERS, "pretrained", Pretrained)
    monkeypatch.setitem(networks.HEADS, "own", Own)
    network = networks.build("fusion", width=0.125, encoder="pretrained", head="own")
    assert (network.encoder[0][0].weight == 0.5).all()
    assert (network.head.last.weight == network.head.settings.output_gain).all()


def test_a_head_predicts_at_the_photographs_own_size():
    network = networks.build("baseline", width=0.125, output_gain=1.0).eval()
    L = torch.rand(1, 1, 20, 27) * 2 - 1
    z = network.head(network.decoder(network.maps(L)[:-1]))
    assert z.shape == (1, 2, 12, 16)
    ab = network.head.ab(z, (20, 27))
    assert ab.shape == (1, 2, 20, 27) and torch.equal(ab, network(L))


def test_a_new_network_predicts_nearly_gray_by_its_output_gain():
    L = torch.rand(4, 1, 32, 32) * 2 - 1
    torch.manual_seed(0)
    small = networks.build("baseline", width=0.25)(L)
    torch.manual_seed(0)
    large = networks.build("baseline", width=0.25, output_gain=1.0)(L)
    assert small.std() < 0.1 < large.std()
    assert torch.allclose(large.atanh() / 10, small.atanh(), atol=1e-4)


def test_a_seed_fixes_the_initial_weights():
    def first(seed):
        torch.manual_seed(seed)
        return networks.build("baseline", width=0.125).encoder[0][0].weight

    assert torch.equal(first(1), first(1))
    assert not torch.equal(first(1), first(2))


def test_a_seed_gives_every_variant_the_same_encoder_and_decoder():
    states = []
    for preset in ("baseline", "fusion", "attention"):
        torch.manual_seed(0)
        states.append(networks.build(preset, width=0.125).state_dict())
    for name, tensor in states[0].items():
        assert all(torch.equal(network[name], tensor) for network in states), name


@pytest.mark.parametrize(
    "call",
    [
        lambda: networks.build("nonsense"),
        lambda: networks.build("baseline", depth=3),
        lambda: networks.build("baseline", width=0),
        lambda: networks.build("baseline", decoder_init="zeros"),
        lambda: networks.build("baseline", output_gain=0),
        lambda: networks.build("attention", attention="luong"),
        lambda: networks.build("fusion", embedding=-1),
        lambda: networks.build("baseline", plain_layers=9),
        lambda: networks.build("baseline", plain_layers=0),
        lambda: networks.build("baseline", width=float("inf")),
        lambda: networks.build("baseline", output="sigmoid"),
    ],
)
def test_unknown_presets_and_settings_are_refused(call):
    with pytest.raises(ColorlibError):
        call()


def test_weights_come_back_as_they_were(tmp_path):
    torch.manual_seed(0)
    network = networks.build("baseline", width=0.125, batch_norm=False).eval()
    path = tmp_path / "new folder" / "w.safetensors"
    weights.save_weights(network, path, size=96)
    again = weights.load_weights(path)
    L = torch.rand(1, 1, 32, 32)
    assert again.config == network.config
    assert torch.equal(again(L), network(L))
    assert weights.read_about(path) == {"size": 96}
    assert [p.name for p in path.parent.iterdir()] == ["w.safetensors"]


def test_half_precision_weights_are_half_the_size_and_nearly_the_same(tmp_path):
    torch.manual_seed(0)
    network = networks.build("baseline", width=0.25)
    network(torch.rand(4, 1, 32, 32))  # moves the running statistics
    weights.save_weights(network, tmp_path / "full")
    weights.save_weights(network, tmp_path / "half", half=True)
    assert (tmp_path / "half").stat().st_size < 0.6 * (tmp_path / "full").stat().st_size
    L = torch.rand(1, 1, 32, 32)
    again = weights.load_weights(tmp_path / "half")
    assert not again.training
    assert torch.allclose(again(L), network.eval()(L), atol=1e-2)


def test_foreign_and_damaged_files_are_refused(tmp_path):
    foreign = tmp_path / "foreign.safetensors"
    save_file({"x": torch.zeros(1)}, foreign)
    with pytest.raises(ColorlibError, match="not written by colorlib"):
        weights.load_weights(foreign)

    damaged = tmp_path / "damaged.safetensors"
    weights.save_weights(networks.build("baseline", width=0.125), damaged)
    damaged.write_bytes(damaged.read_bytes()[:1000])
    with pytest.raises(ColorlibError, match="damaged"):
        weights.load_weights(damaged)

    with pytest.raises(ColorlibError, match="no weights file"):
        weights.load_weights(tmp_path / "missing")


def test_weights_of_another_network_are_refused(tmp_path):
    network = networks.build("baseline", width=0.125)
    path = tmp_path / "w.safetensors"
    config = json.dumps({"width": 0.25, "batch_norm": True, "decoder_init": "xavier"})
    metadata = {"format": "colorlib-weights-1", "config": config, "about": "{}"}
    write_tensors(network.state_dict(), path, metadata)
    with pytest.raises(ColorlibError, match="does not fit"):
        weights.load_weights(path)


def test_a_score_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="no score named 'dots'"):
        networks.Attention(4, "dots")


# The U-Net and the quantized head -------------------------------------------


def test_an_encoder_of_timm_gives_the_maps_of_the_classifier_it_was():
    encoder = networks.build("unet").encoder.eval()
    assert encoder.strides == (2, 4, 8, 16, 32)
    assert encoder.channels == (16, 24, 48, 120, 352)
    L = torch.rand(2, 1, 64, 96) * 2 - 1
    prior = Prior(size=64)
    gray = lab.lab_to_rgb(lab.denormalize(L, torch.zeros(2, 2, 64, 96)))
    last = encoder(L)[-1]
    seen = prior.net.forward_features((gray - prior.mean) / prior.std)  # after one layer more
    assert torch.allclose(prior.net.bn2(prior.net.conv_head(last)), seen, atol=1e-4)


def test_on_a_cpu_an_encoder_of_timm_stays_in_float32():
    encoder = networks.build("unet", width=0.125).encoder.eval()
    L = torch.rand(1, 1, 64, 64) * 2 - 1
    with torch.no_grad():
        wanted = encoder(L)
        with torch.autocast("cpu", torch.bfloat16):
            found = encoder(L)
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == torch.float32 and torch.equal(one, other)


def test_an_encoder_may_start_from_random_weights_and_loads_without_the_trained_ones(
    tmp_path, monkeypatch
):
    torch.manual_seed(0)
    scratch = networks.build("unet", pretrained=False)
    torch.manual_seed(0)
    trained = networks.build("unet")
    assert not torch.equal(
        scratch.encoder.net.conv_stem.weight, trained.encoder.net.conv_stem.weight
    )
    weights.save_weights(trained.eval(), tmp_path / "w.safetensors")
    monkeypatch.setattr(classifiers, "_from_package", lambda name: pytest.fail("not needed"))
    L = torch.rand(1, 1, 40, 33) * 2 - 1
    assert torch.equal(weights.load_weights(tmp_path / "w.safetensors")(L), trained(L))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"backbone": "nonsense"}, "timm knows no classifier named 'nonsense'"),
        ({"backbone": "vit_tiny_patch16_224"}, "gives no maps of photographs of any size"),
        ({"backbone": "inception_resnet_v2"}, "gives no maps of photographs of any size"),
        ({"coordinates": True}, "coordinates is a setting of encoder=paper, which this"),
        ({"plain_layers": 5}, "plain_layers is a setting of decoder=paper, which"),
        ({"output": "tanh", "head": "quantized"}, "of head=regression or head=huber or head="),
        ({"attention_source": "fused"}, "is a setting of attention=dot or attention=general"),
        ({"delta": 0.2}, "delta is a setting of head=huber, which this network has not"),
        ({"head": "huber", "delta": 0}, "delta must be above 0, not 0"),
        ({"heads": 7}, "7 heads cannot share 256 channels"),
        ({"heads": 4, "encoder": "paper"}, "a finer map at stride 16"),
        ({"heads": -1}, "heads must be at least 0"),
        ({"heads": 4, "decoder": "paper"}, "heads is a setting of decoder=unet, which"),
        ({"head": "quantized", "temperature": 0.0}, "temperature must be at least 0.01"),
        ({"head": "quantized", "rebalancing": 1.5}, "rebalancing must be at least 0 and at most 1"),
        ({"head": "quantized", "adjustment": -0.1}, "adjustment must be at least 0 and at most 1"),
        ({"head": "l1"}, "no head named 'l1'"),
    ],
)
def test_what_a_u_net_cannot_be_made_of_is_one_sentence(changes, says):
    with pytest.raises(ColorlibError, match=says) as error:
        networks.Colorizer(networks.configure("unet", **changes), initialise=False)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("backbone", ["resnet18", "convnext_atto", "vgg11"])
def test_other_encoders_of_timm(backbone):
    network = networks.build("unet", backbone=backbone, pretrained=False, width=0.125).eval()
    assert network.decoder.stride == network.encoder.strides[0]
    assert network(torch.zeros(1, 1, 33, 70)).shape == (1, 2, 33, 70)


def test_the_decoder_takes_every_map():
    torch.manual_seed(0)
    network = networks.build("unet", width=0.125).eval()
    maps = network.maps(torch.rand(1, 1, 64, 64) * 2 - 1)[:-1]
    found = network.decoder(maps)
    assert found.shape == (1, 8, 32, 32)
    for i in range(len(maps)):
        changed = [x + (i == j) for j, x in enumerate(maps)]
        assert not torch.allclose(network.decoder(changed), found), i


def test_self_attention_begins_as_nothing_and_then_lets_heads_attend():
    torch.manual_seed(0)
    block = networks.SelfAttention(8, heads=2)
    x = torch.randn(2, 8, 3, 5)
    assert torch.equal(block(x), x)
    block(x).square().sum().backward()
    assert block.gamma.grad.abs() > 0
    with torch.no_grad():
        block.gamma.fill_(0.5)
        normal = F.group_norm(x, 1)
        q, k, v = block.query_key_value(normal).flatten(2).chunk(3, dim=1)
        by_hand = []
        for head in (slice(0, 4), slice(4, 8)):  # (B, 4, T) each
            scores = torch.einsum("bct,bcs->bts", q[:, head], k[:, head]) / 4**0.5
            by_hand.append(torch.einsum("bts,bcs->bct", scores.softmax(dim=-1), v[:, head]))
        mixed = block.mix(torch.cat(by_hand, dim=1).view_as(x))
        assert torch.allclose(block(x), x + 0.5 * mixed, atol=1e-5)
        alpha = block.weights(x)
        assert alpha.shape == (2, 2, 15, 15)
        assert torch.allclose(alpha[:, 1], scores.softmax(dim=-1), atol=1e-6)


def attentive(network) -> list[int]:
    """After which joins of a U-Net's decoder positions attend to each other."""
    return [i for i, join in enumerate(network.decoder.joins)
            if any(isinstance(layer, networks.SelfAttention) for layer in join)]


def test_heads_attend_where_the_map_is_a_sixteenth():
    torch.manual_seed(0)
    with_heads = networks.build("unet", heads=4, width=0.25).eval()
    torch.manual_seed(0)
    without = networks.build("unet", width=0.25).eval()
    L = torch.rand(1, 1, 64, 64) * 2 - 1
    assert attentive(with_heads) == [0]
    assert with_heads(L).shape == without(L).shape
    sizes = []
    hook = with_heads.decoder.joins[0][-1].register_forward_hook(
        lambda module, given, found: sizes.append(tuple(found.shape))
    )
    with_heads(L)
    hook.remove()
    assert sizes == [(1, 64, 4, 4)]
    given = []
    block = with_heads.decoder.joins[0][-1]
    hook = block.register_forward_hook(lambda module, inputs, found: given.append(inputs[0]))
    with_heads(L)
    hook.remove()
    alpha = with_heads.attended(L)
    assert alpha.shape == (1, 4, 16, 16) and torch.equal(alpha, block.weights(given[0]))
    with pytest.raises(ValueError, match="without attention"):
        without.attended(L)


def quantized(**changes):
    return networks.build("baseline", head="quantized", width=0.125, **changes)


def test_the_quantized_head_answers_with_the_annealed_mean():
    z = torch.full((1, 261, 1, 1), -50.0)
    z[0, 10], z[0, 200] = 0.0, math.log(0.25)
    one, other = colours.centres()[[10, 200]].float() / 128
    for temperature, share in ((1.0, 0.2), (0.5, 1 / 17)):
        ab = quantized(temperature=temperature).head.ab(z, (2, 2))
        assert ab.shape == (1, 2, 2, 2)
        assert torch.allclose(ab[0, :, 1, 1], (1 - share) * one + share * other, atol=1e-4)


def test_adjusted_it_answers_as_if_colours_were_equally_frequent(tmp_path):
    frequency = colours.smoothed_frequencies().float()
    rarest, usual = int(frequency.argmin()), int(frequency.argmax())
    z = torch.full((1, 261, 1, 1), -50.0)
    z[0, rarest], z[0, usual] = frequency[rarest].log(), frequency[usual].log()
    model = quantized(temperature=0.5)
    weights.save_weights(model, tmp_path / "w.safetensors")
    one, other = colours.centres()[[rarest, usual]].float() / 128
    ratio = frequency[rarest] / frequency[usual]
    for power, odds in ((0.0, ratio**2), (0.5, ratio), (1.0, 1.0)):  # to the power of 1 / T
        adjusted = weights.load_weights(tmp_path / "w.safetensors", adjustment=power)
        assert adjusted.config == networks.recorded(model.config.flat() | {"adjustment": power})
        expected = (odds * one + other) / (odds + 1)
        assert torch.allclose(adjusted.head.ab(z, (1, 1))[0, :, 0, 0], expected, atol=1e-4)
    for other_change in ({"width": 0.25}, {"temprature": 1.0}):
        with pytest.raises(ColorlibError, match="does not only say how a head answers"):
            weights.load_weights(tmp_path / "w.safetensors", **other_change)


def test_its_loss_is_lowest_for_the_colours_themselves_and_counts_rare_ones_more():
    plain, rebalanced = (quantized(rebalancing=share).head for share in (0.0, 0.5))
    assert torch.allclose(plain.weights, torch.ones(261))
    frequency = colours.smoothed_frequencies().float()
    assert (rebalanced.weights * frequency).sum().item() == pytest.approx(1, abs=1e-3)
    assert rebalanced.weights[frequency.argmin()] > 20 * rebalanced.weights[frequency.argmax()]
    ab = torch.tensor([40.0, -30.0]).view(1, 2, 1, 1).expand(1, 2, 5, 3) / 128
    cell, L = colours.cells(ab * 128)[0, 0, 0], torch.zeros(1, 1, 5, 3)
    z = torch.zeros(1, 261, 4, 4)  # positions beyond the photograph: its border, repeated
    assert plain.loss(z, ab, L).item() == pytest.approx(math.log(261), abs=1e-4)
    right, wrong = z.clone(), z.clone()
    right[:, cell] += 5
    wrong[:, (cell + 90) % 261] += 5
    assert plain.loss(right, ab, L) < plain.loss(z, ab, L) < plain.loss(wrong, ab, L)
    ratio = (rebalanced.loss(z, ab, L) / plain.loss(z, ab, L)).item()
    assert ratio == pytest.approx(rebalanced.weights[cell].item(), rel=1e-4)


def test_huber_counts_large_errors_by_their_size():
    head = networks.build("baseline", width=0.125, head="huber").head
    z, L = torch.zeros(1, 2, 4, 4), torch.zeros(1, 1, 8, 8)
    for error, loss in ((0.05, 0.05**2 / 2), (0.5, 0.1 * (0.5 - 0.05))):
        assert head.loss(z, torch.full((1, 2, 8, 8), error), L).item() == pytest.approx(loss)


def test_the_critic_and_the_network_teach_each_other_and_not_themselves():
    torch.manual_seed(0)
    head = networks.build("baseline", width=0.125, head="adversarial").head
    z, ab = torch.randn(2, 2, 16, 16), torch.rand(2, 2, 32, 32) - 0.5
    L = torch.rand(2, 1, 32, 32)
    predicted = head.ab(z, (32, 32))
    true, false = (head.critic(torch.cat((L, x), dim=1)) for x in (ab, predicted))
    hinge = (1 - true).relu().mean() + (1 + false).relu().mean()
    by_hand = F.mse_loss(predicted, ab) - head.settings.critic_weight * false.mean() + hinge
    assert head.loss(z, ab, L).item() == pytest.approx(by_hand.item(), rel=1e-5)

    def gradients(loss, of):
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, of, retain_graph=True)])

    critic = list(head.critic.parameters())
    z.requires_grad_(True)
    predicted = head.ab(z, (32, 32))
    false = head.critic(torch.cat((L, predicted), dim=1))
    loss = head.loss(z, ab, L)
    teaches_critic = gradients(hinge, critic)
    assert torch.allclose(gradients(loss, critic), teaches_critic, atol=1e-5)
    judged = head.settings.critic_weight * false.mean()
    teaches_network = gradients(F.mse_loss(predicted, ab) - judged, [z])
    assert torch.allclose(gradients(loss, [z]), teaches_network, atol=1e-6)
    assert not torch.allclose(teaches_network, gradients(F.mse_loss(predicted, ab), [z]), atol=1e-7)


def test_the_quantized_loss_by_hand_where_the_photograph_ends_within_a_position():
    torch.manual_seed(0)
    head = quantized().head  # positions of two by two pixels; z has one row and column more
    ab = torch.rand(1, 2, 5, 3) - 0.5
    z, L = torch.randn(1, 261, 4, 4), torch.zeros(1, 1, 5, 3)
    losses = []
    for y in range(3):
        for x in range(2):
            rows, columns = [min(2 * y + i, 4) for i in (0, 1)], [min(2 * x + i, 2) for i in (0, 1)]
            colour = ab[0][:, rows][:, :, columns].mean(dim=(1, 2)) * 128
            cells, shares = colours.divided(colour.view(1, 2, 1, 1))
            cells, shares = cells.flatten(), shares.flatten()
            surprise = -(shares * z[0, :, y, x].log_softmax(dim=0)[cells]).sum()
            losses.append((shares * head.weights[cells]).sum() * surprise)
    assert head.loss(z, ab, L).item() == pytest.approx(torch.stack(losses).mean().item(), rel=1e-5)
    changed = z.clone()
    changed[..., 3, :] += torch.randn(261, 4)
    assert torch.equal(head.loss(changed, ab, L), head.loss(z, ab, L))


def test_the_quantized_head_does_not_round_colours_to_bfloat16():
    head = quantized().head
    z = torch.randn(1, 261, 4, 4) * 5
    with torch.autocast("cpu", torch.bfloat16):
        found = head.ab(z, (8, 8))
    assert found.dtype == torch.float32 and torch.equal(found, head.ab(z, (8, 8)))


def test_where_heads_attend_follows_from_the_stride_alone(monkeypatch):
    class Coarse(networks.Encoder):
        def __init__(self, settings, common):
            super().__init__()
            self.channels, self.strides = (4, 4, 4, 4), (8, 16, 32, 64)

    monkeypatch.setitem(networks.ENCODERS, "coarse", Coarse)
    network = networks.build("unet", encoder="coarse", heads=4, width=0.125)
    assert attentive(network) == [1] and network.decoder.stride == 8
    assert network.head.upsample.mode == "bilinear"
    assert networks.build("baseline", width=0.125).head.upsample.mode == "nearest"


def test_all_else_starts_alike_whether_the_encoder_is_pretrained_or_not():
    states = []
    for pretrained in (True, False):
        torch.manual_seed(0)
        states.append(networks.build("unet", pretrained=pretrained, width=0.125).state_dict())
    for name, tensor in states[0].items():
        if not name.startswith("encoder."):
            assert torch.equal(tensor, states[1][name]), name
