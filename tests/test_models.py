import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from colorlib import models
from colorlib.errors import ColorlibError


def weights(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_weight_counts_are_those_of_deep_koalarization():
    network = models.build("baseline", batch_norm=False)
    assert weights(network.encoder) == 5_827_200
    assert weights(network.decoder) == 424_802


def test_batch_norm_everywhere_but_in_the_decoders_last_two_convolutions():
    network = models.build("baseline")

    def normalised(part):
        return [isinstance(block[1], nn.BatchNorm2d) for block in part
                if isinstance(block, nn.Sequential)]

    assert normalised(network.encoder) == [True] * 8
    assert normalised(network.decoder) == [True, True, True, False]
    assert not any(isinstance(m, nn.BatchNorm2d)
                   for m in models.build("baseline", batch_norm=False).modules())


def test_the_encoder_halves_three_times_and_has_no_pooling():
    network = models.build("baseline", width=0.25)
    assert network.encoder(torch.zeros(2, 1, 64, 96)).shape == (2, 64, 8, 12)
    assert not any(isinstance(m, (nn.MaxPool2d, nn.AvgPool2d)) for m in network.modules())


@pytest.mark.parametrize("batch_norm", [True, False])
def test_forward_backward_and_every_weight_gets_a_gradient(batch_norm):
    torch.manual_seed(0)
    network = models.build("baseline", width=0.25, batch_norm=batch_norm)
    ab = network(torch.rand(2, 1, 64, 64) * 2 - 1)
    assert ab.shape == (2, 2, 64, 64)
    assert ab.abs().max() <= 1
    ab.pow(2).mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("height, width", [(8, 8), (64, 40), (33, 70), (100, 9)])
def test_any_size_comes_back_the_same_size(height, width):
    network = models.build("baseline", width=0.125).eval()
    assert network(torch.zeros(1, 1, height, width)).shape == (1, 2, height, width)


@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (1, 64, 64), (1, 1, 7, 64)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"\(B, 1, H, W\)"):
        models.build("baseline", width=0.125)(torch.zeros(shape))


def test_tanh_reaches_negative_values():
    torch.manual_seed(0)
    assert models.build("baseline", width=0.25)(torch.randn(2, 1, 32, 32)).min() < 0


def test_initialisation():
    torch.manual_seed(0)
    network = models.build("baseline")
    xavier, he = network.decoder[0][0].weight, network.encoder[5][0].weight
    limit = (6 / ((256 + 128) * 9)) ** 0.5
    assert 0.99 * limit < xavier.abs().max() <= limit
    assert he.std().item() == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.01)
    changed = models.build("baseline", decoder_init="he").decoder[0][0].weight
    assert changed.abs().max() > limit


def test_a_new_network_paints_nearly_gray_unless_told_otherwise():
    L = torch.rand(4, 1, 32, 32) * 2 - 1
    torch.manual_seed(0)
    quiet = models.build("baseline", width=0.25)(L)
    torch.manual_seed(0)
    loud = models.build("baseline", width=0.25, output_gain=1.0)(L)
    assert quiet.std() < 0.1 < loud.std()
    assert torch.allclose(loud.atanh() / 10, quiet.atanh(), atol=1e-4)


def test_a_seed_fixes_the_initial_weights():
    def first(seed):
        torch.manual_seed(seed)
        return models.build("baseline", width=0.125).encoder[0][0].weight

    assert torch.equal(first(1), first(1))
    assert not torch.equal(first(1), first(2))


@pytest.mark.parametrize(
    "call",
    [
        lambda: models.build("nonsense"),
        lambda: models.build("baseline", depth=3),
        lambda: models.build("baseline", width=0),
        lambda: models.build("baseline", decoder_init="zeros"),
        lambda: models.build("baseline", output_gain=0),
    ],
)
def test_unknown_presets_and_settings_are_refused(call):
    with pytest.raises(ColorlibError):
        call()


def test_weights_come_back_as_they_were(tmp_path):
    torch.manual_seed(0)
    network = models.build("baseline", width=0.125, batch_norm=False).eval()
    path = tmp_path / "new folder" / "w.safetensors"
    models.save_weights(network, path, size=96)
    again = models.load_weights(path)
    L = torch.rand(1, 1, 32, 32)
    assert again.config == network.config
    assert torch.equal(again(L), network(L))
    assert models.read_about(path) == {"size": 96}
    assert [p.name for p in path.parent.iterdir()] == ["w.safetensors"]


def test_half_precision_weights_are_half_the_size_and_nearly_the_same(tmp_path):
    torch.manual_seed(0)
    network = models.build("baseline", width=0.25)
    network(torch.rand(4, 1, 32, 32))  # moves the running statistics
    models.save_weights(network, tmp_path / "full")
    models.save_weights(network, tmp_path / "half", half=True)
    assert (tmp_path / "half").stat().st_size < 0.6 * (tmp_path / "full").stat().st_size
    L = torch.rand(1, 1, 32, 32)
    again = models.load_weights(tmp_path / "half")
    assert not again.training
    assert torch.allclose(again(L), network.eval()(L), atol=1e-2)


def test_foreign_and_damaged_files_are_refused(tmp_path):
    foreign = tmp_path / "foreign.safetensors"
    save_file({"x": torch.zeros(1)}, foreign)
    with pytest.raises(ColorlibError, match="not written by colorlib"):
        models.load_weights(foreign)

    damaged = tmp_path / "damaged.safetensors"
    models.save_weights(models.build("baseline", width=0.125), damaged)
    damaged.write_bytes(damaged.read_bytes()[:1000])
    with pytest.raises(ColorlibError, match="damaged"):
        models.load_weights(damaged)

    with pytest.raises(ColorlibError, match="no weights file"):
        models.load_weights(tmp_path / "missing")


def test_weights_of_another_network_are_refused(tmp_path):
    network = models.build("baseline", width=0.125)
    path = tmp_path / "w.safetensors"
    config = json.dumps({"width": 0.25, "batch_norm": True, "decoder_init": "xavier"})
    metadata = {"format": "colorlib-weights-1", "config": config, "about": "{}"}
    models.write_tensors(network.state_dict(), path, metadata)
    with pytest.raises(ColorlibError, match="does not fit"):
        models.load_weights(path)
