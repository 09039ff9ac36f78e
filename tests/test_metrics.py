import math

import numpy as np
import pytest
import skimage
import torch
from skimage.color import deltaE_ciede2000, lab2lch
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity
from torch.nn import functional as F

from colorlib import colours, data, lab, metrics, networks
from colorlib.data import Packed
from colorlib.metrics import classifier, evaluation
from colorlib.networks import priors
from replication.nearest import nearest_colour


def packed(*colours) -> Packed:
    """One evenly coloured photograph (R, G, B in 0..255) for each argument."""
    pixels = np.array(colours, np.uint8)[:, None, None].repeat(8, 1).repeat(8, 2)
    return Packed(pixels, tuple(map(str, colours)), str(colours), np.arange(len(pixels)))


def test_rmse_in_lab_by_hand():
    error = torch.tensor([3.0, -4.0]) / 128
    assert metrics.rmse_in_lab(error.pow(2).mean().item()) == pytest.approx((12.5) ** 0.5)


def test_mean_colour_is_the_mean_of_ab():
    photographs = packed((255, 0, 0), (255, 255, 255))
    red = torch.tensor([80.09, 67.20])
    assert torch.allclose(metrics.mean_colour(photographs) * 128, red / 2, atol=0.02)


def test_gray_is_wrong_by_the_chroma_and_the_mean_is_right_about_one_colour():
    rows = metrics.trivial_baselines(packed((255, 0, 0)), packed((255, 0, 0)))
    assert rows["gray"] == pytest.approx((80.09**2 + 67.20**2) / 2 / 128**2, rel=1e-3)
    assert rows["mean colour"] == pytest.approx(0, abs=1e-9)


def test_the_mean_comes_from_the_training_photographs():
    red, blue = packed((255, 0, 0)), packed((0, 0, 255))
    rows = metrics.trivial_baselines(red, blue)
    ab = [lab.normalize(photographs.lab())[1] for photographs in (red, blue)]
    assert rows["mean colour"] == pytest.approx(F.mse_loss(*ab).item(), rel=1e-5)


def test_trivial_baselines_are_computed_once_for_the_same_photographs(monkeypatch):
    train, test = packed((10, 20, 200)), packed((200, 10, 20), (10, 200, 20))
    once = dict(metrics.trivial_baselines(train, test)), metrics.mean_colour(train).clone()
    converted = []
    convert = Packed.rgb
    monkeypatch.setattr(Packed, "rgb", lambda *args: converted.append(1) or convert(*args))
    again = packed((10, 20, 200)), packed((200, 10, 20), (10, 200, 20))
    assert metrics.trivial_baselines(*again) == once[0]
    assert torch.equal(metrics.mean_colour(again[0]), once[1]) and not converted
    # Other photographs, or the same in another role, are others.
    assert metrics.trivial_baselines(test, train) != once[0]
    assert metrics.trivial_baselines(train, test.select([1])) != once[0]
    assert not torch.equal(metrics.mean_colour(test.select([1])), metrics.mean_colour(test))
    assert converted
    # What a caller does to its copy does not reach the next one.
    metrics.mean_colour(train).zero_()
    metrics.trivial_baselines(train, test).clear()
    assert torch.equal(metrics.mean_colour(train), once[1])
    assert metrics.trivial_baselines(train, test) == once[0]


def test_the_nearest_colour_is_that_of_photographs_with_similar_embeddings():
    colours = [(255, 0, 0), (250, 0, 0), (0, 0, 255), (0, 0, 250)]
    train = packed(*colours).with_embeddings(np.array([[9, 0], [8, 0], [0, 9], [0, 8]], "f4"))
    validation = packed((252, 0, 0), (0, 0, 252)).with_embeddings(np.array([[9, 1], [1, 9]], "f4"))
    test = packed((0, 0, 255), (255, 0, 0)).with_embeddings(np.array([[1, 7], [9, 0]], "f4"))
    predict, count = nearest_colour(train, validation)
    assert count == 2  # four would mix red with blue, and one is further off than the mean of two
    ab = predict(test)
    means = [lab.normalize(one.lab())[1].mean(dim=(0, 2, 3)) for one in (
        train.select([2, 3]), train.select([0, 1]))]
    assert ab.shape == (2, 2, 8, 8)
    for found, wanted in zip(ab, means, strict=True):
        assert torch.allclose(found, wanted[:, None, None].expand(2, 8, 8), atol=1e-6)
    turned = nearest_colour(train, validation.with_embeddings(np.array([[1, 9], [9, 1]])))
    assert turned[1] == 4  # where embeddings mislead, the mean of all is best
    with pytest.raises(ValueError, match="embeddings"):
        nearest_colour(packed(*colours), validation)


def test_what_a_prior_makes_of_photographs_is_no_matter_to_the_trivial_baselines(monkeypatch):
    train, test = packed((10, 200, 200), (40, 30, 20)), packed((200, 210, 20), (10, 210, 20))
    once = metrics.trivial_baselines(train.select([1, 0]), test.mirrored())
    turned = metrics.trivial_baselines(train, test.upside_down())
    converted = []
    convert = Packed.rgb
    monkeypatch.setattr(Packed, "rgb", lambda *args: converted.append(1) or convert(*args))
    ones = np.ones((2, 3), np.float32)
    one, other = (pack.with_embeddings(ones, ones) for pack in (train, test))
    assert one.key != train.key and one.pixels_key == train.pixels_key
    assert metrics.trivial_baselines(one.select([1, 0]), other.mirrored()) == once
    assert metrics.trivial_baselines(one, other.upside_down(other.embeddings)) == turned
    assert not converted
    keys = {pack.pixels_key for pack in (
        one, one.select([0]), one.select([1, 0]), one.mirrored(), one.upside_down(), other,
    )}
    assert len(keys) == 6


# Golden values by hand or from the papers ---------------------------------------------


def flat(L: float, a: float, b: float, side: int = 16) -> torch.Tensor:
    """A batch of one evenly coloured photograph."""
    return torch.tensor([L, a, b], dtype=torch.float64).view(1, 3, 1, 1).expand(1, 3, side, side)


def random_photographs(count: int = 3, height: int = 24, width: int = 20) -> torch.Tensor:
    """Lab of random colours of sRGB, float32, as `Packed.lab` gives them."""
    random = torch.Generator().manual_seed(0)
    return lab.rgb_to_lab(torch.rand(count, 3, height, width, generator=random))


def recoloured(true: torch.Tensor) -> torch.Tensor:
    """The same L with other ab, some of it outside of sRGB."""
    random = torch.Generator().manual_seed(1)
    ab = true[:, 1:] * 0.7 + 20 * torch.randn(true[:, 1:].shape, generator=random)
    return torch.cat((true[:, :1], ab), dim=1)


def test_ab_mse_and_psnr_by_hand():
    predicted, true = flat(50, 3, 0), flat(50, 0, 4)
    assert metrics.ab_mse(predicted, true).item() == pytest.approx(12.5 / 128**2)
    assert metrics.psnr_ab(predicted, true).item() == pytest.approx(10 * math.log10(256**2 / 12.5))
    rgb = [lab.lab_to_rgb(photo)[0, :, 0, 0] for photo in (predicted, true)]
    error = (rgb[0] - rgb[1]).pow(2).mean().item()
    assert metrics.psnr_rgb(predicted, true).item() == pytest.approx(-10 * math.log10(error))


# Sharma, Wu and Dalal 2005, table 1: two colours in Lab and their difference.
SHARMA = """
50 2.6772 -79.7751  50 0 -82.7485  2.0425
50 3.1571 -77.2803  50 0 -82.7485  2.8615
50 2.8361 -74.0200  50 0 -82.7485  3.4412
50 -1.3802 -84.2814  50 0 -82.7485  1.0000
50 -1.1848 -84.8006  50 0 -82.7485  1.0000
50 -0.9009 -85.5211  50 0 -82.7485  1.0000
50 0 0  50 -1 2  2.3669
50 -1 2  50 0 0  2.3669
50 2.49 -0.001  50 -2.49 0.0009  7.1792
50 2.49 -0.001  50 -2.49 0.0010  7.1792
50 2.49 -0.001  50 -2.49 0.0011  7.2195
50 2.49 -0.001  50 -2.49 0.0012  7.2195
50 -0.001 2.49  50 0.0009 -2.49  4.8045
50 -0.001 2.49  50 0.0010 -2.49  4.8045
50 -0.001 2.49  50 0.0011 -2.49  4.7461
50 2.5 0  50 0 -2.5  4.3065
50 2.5 0  73 25 -18  27.1492
50 2.5 0  61 -5 29  22.8977
50 2.5 0  56 -27 -3  31.9030
50 2.5 0  58 24 15  19.4535
50 2.5 0  50 3.1736 0.5854  1.0000
50 2.5 0  50 3.2972 0  1.0000
50 2.5 0  50 1.8634 0.5757  1.0000
50 2.5 0  50 3.2592 0.3350  1.0000
60.2574 -34.0099 36.2677  60.4626 -34.1751 39.4387  1.2644
63.0109 -31.0961 -5.8663  62.8187 -29.7946 -4.0864  1.2630
61.2901 3.7196 -5.3901  61.4292 2.2480 -4.9620  1.8731
35.0831 -44.1164 3.7933  35.0232 -40.0716 1.5901  1.8645
22.7233 20.0904 -46.6940  23.0331 14.9730 -42.5619  2.0373
36.4612 47.8580 18.3852  36.2715 50.5065 21.2231  1.4146
90.8027 -2.0831 1.4410  91.1528 -1.6435 0.0447  1.4441
90.9257 -0.5406 -0.9208  88.6381 -0.8985 -0.7239  1.5381
6.7747 -0.2908 -2.4247  5.8714 -0.0985 -2.2286  0.6377
2.0776 0.0795 -1.1350  0.9033 -0.0636 -0.5514  0.9082
"""


def test_delta_e_of_all_published_pairs():
    table = torch.tensor([[*map(float, row.split())] for row in SHARMA.strip().splitlines()])
    one, other, wanted = table.double().split((3, 3, 1), dim=1)
    assert len(table) == 34
    one, other = (colours.unflatten(1, (3, 1, 1)) for colours in (one, other))
    for pair in ((one, other), (other, one)):
        off = (metrics.delta_e(*pair) - wanted[:, 0]).abs()
        # Of exactly opposite hues rounding decides between two means: 7.1792, and 7.2195 besides.
        assert off[9] < 0.0404 and (off < 6e-5).sum() >= 33


def test_colourfulness_of_two_halves_by_hand():
    rgb = torch.zeros(1, 3, 16, 16)
    rgb[0, 0, :8], rgb[0, 2, 8:] = 1, 1  # red above, blue below
    spread = math.hypot(127.5, (127.5 + 255) / 2)  # of R - G, and of (R + G) / 2 - B
    mean = math.hypot(127.5, (127.5 - 255) / 2)
    photo = lab.rgb_to_lab(rgb)
    found = metrics.colourfulness(photo, photo).item()
    assert found == pytest.approx(spread + 0.3 * mean, rel=1e-3)
    assert metrics.colourfulness(flat(50, 0, 0), flat(50, 9, 0)).item() == pytest.approx(0, abs=0.1)


def test_chroma_ratio_is_one_for_the_photograph_and_half_for_half_the_chroma():
    true = flat(50, 30, -40)
    half = true * torch.tensor([1, 0.5, 0.5]).view(3, 1, 1)
    gray, pale = flat(50, 0.4, 0), flat(50, 0, 0.6)  # the limit is a chroma of 0.5
    predicted = torch.cat((true, half, flat(50, 0, 0), true, pale))
    found = metrics.chroma_ratio(predicted, torch.cat((true, true, true, gray, pale))).tolist()
    assert found[:3] == pytest.approx([1, 0.5, 0]) and math.isnan(found[3])
    assert found[4] == pytest.approx(1)


def test_ssim_is_one_for_the_photograph_and_falls_with_noise():
    true = random_photographs()
    assert metrics.ssim_rgb(true, true).tolist() == pytest.approx([1] * 3)
    assert (metrics.ssim_rgb(recoloured(true), true) < 0.95).all()
    with pytest.raises(ValueError, match="11 x 11"):
        metrics.ssim_rgb(flat(50, 0, 0, side=10), flat(50, 0, 0, side=10))


def test_auc_by_hand():
    # Half of the pixels are off by 30 Lab units, half by more than 150, where the curve ends.
    true, predicted = flat(50, 0, 0).clone(), flat(50, 18, -24).clone()
    predicted[..., 8:] = flat(50, 120, 120)[..., 8:]
    assert metrics.auc(predicted, true).item() == pytest.approx((1 - 30 / 150) / 2)
    # The area under the curve itself, by many thresholds.
    true = random_photographs()
    predicted = recoloured(true)
    error = (predicted - true)[:, 1:].double().norm(dim=1).flatten(1)
    thresholds = (torch.arange(3000, dtype=torch.float64) + 0.5) / 20
    area = (error[..., None] <= thresholds).double().mean(dim=(1, 2))
    assert metrics.auc(predicted, true).tolist() == pytest.approx(area.tolist(), abs=1e-5)


def test_auc_rebalanced_weighs_pixels_by_how_rare_their_true_colour_is():
    true, predicted = flat(50, 2, 3).clone(), flat(50, 2, 3).clone()
    true[..., :4] = flat(50, 61, 39)[..., :4]  # red, in a quarter of the pixels
    frequencies = dict(zip(
        map(tuple, colours.centres().tolist()), colours.smoothed_frequencies().tolist(), strict=True
    ))
    gray, red = frequencies[0, 0], frequencies[60, 40]
    assert gray > 100 * red
    near = 1 - math.hypot(59, 36) / 150
    wanted = (3 / gray + near / red) / (3 / gray + 1 / red)
    assert metrics.auc_rebalanced(predicted, true).item() == pytest.approx(wanted)
    # By the true colour, not by what is predicted.
    wanted = (3 / gray + near * 1 / gray) / (4 / gray)
    assert metrics.auc_rebalanced(true, predicted).item() == pytest.approx(wanted)


# The classifier --------------------------------------------------------------------------


@pytest.fixture
def sample_photographs() -> torch.Tensor:
    photos = data.photos("samples", "test")[:3]
    return data.pack(photos, 64).lab()


def test_a_classifier_agrees_with_itself_and_less_about_gray(cache, sample_photographs):
    true = sample_photographs
    gray = torch.cat((true[:, :1], torch.zeros_like(true[:, 1:])), dim=1)
    assert metrics.classifier_agreement(true, true).tolist() == pytest.approx([1] * 3, abs=1e-5)
    found = metrics.classifier_agreement(gray, true)
    assert ((found > 0) & (found < 0.95)).all()
    # It is the same the other way round, and less for other photographs.
    assert torch.allclose(metrics.classifier_agreement(true, gray), found, atol=1e-5)
    others = metrics.classifier_agreement(true.roll(1, 0), true)
    assert others.mean() < found.mean() - 0.1


def test_classifier_agreement_by_hand(monkeypatch):
    class Judge:
        def see(self, rgb):
            assert rgb.shape == (4, 3, 16, 16) and rgb.max() <= 1
            return torch.tensor([[0.5, 0.5, 0], [1, 0, 0], [0.2, 0.2, 0.6], [0, 0.5, 0.5]])

    monkeypatch.setattr(classifier, "_judge", lambda device: Judge())
    photos = torch.cat((flat(50, 0, 0), flat(60, 0, 0)))
    found = metrics.classifier_agreement(photos, photos)
    assert found.tolist() == pytest.approx([1 - 0.6, 0])


def test_the_judge_recognises_a_cup_of_coffee():
    rgb = torch.from_numpy(skimage.data.coffee()).movedim(-1, 0)[None] / 255
    probabilities = classifier._judge(torch.device("cpu")).see(rgb[..., 100:500])
    (best, *_) = priors.classes(probabilities.log())[0]
    assert best[0] == "espresso" and best[1] > 0.5


def test_gap_closed_by_hand():
    assert metrics.gap_closed([0.6, 0.8], [0.4, 0.6]) == pytest.approx(0.4)
    assert metrics.gap_closed(torch.tensor([0.5]), torch.tensor([0.5])) == 0
    assert metrics.gap_closed([1.0], [0.3]) == 1 and metrics.gap_closed([0.4], [0.5]) < 0
    assert math.isnan(metrics.gap_closed([1.0], [1.0]))
    assert math.isnan(metrics.gap_closed([0.1], [0.9997]))  # gray photographs, rounded


# All of them -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", metrics.METRICS)
def test_a_perfect_prediction_is_the_best(name):
    true = random_photographs()
    found = metrics.METRICS[name](true, true)
    assert found.shape == (3,) and found.dtype == torch.float64
    if metrics.BEST[name] is not None:
        assert found.tolist() == pytest.approx([metrics.BEST[name]] * 3, abs=1e-5)


@pytest.mark.parametrize("name", metrics.METRICS)
def test_a_photograph_is_judged_alone_as_in_a_batch(name):
    true = random_photographs()
    predicted = recoloured(true)
    alone = [metrics.METRICS[name](predicted[i : i + 1], true[i : i + 1]) for i in range(3)]
    together = metrics.METRICS[name](predicted, true)
    assert together.tolist() == pytest.approx(torch.cat(alone).tolist(), rel=1e-5)
    assert len(set(together.tolist())) == 3


@pytest.mark.parametrize("name", metrics.METRICS)
def test_other_shapes_are_refused(name):
    true = random_photographs()
    for predicted, other in (
        (true[0], true[0]), (true[:, 1:], true[:, 1:]), (true[:1], true), (true[..., 1:], true),
    ):
        with pytest.raises(ValueError, match="shape"):
            metrics.METRICS[name](predicted, other)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("name", metrics.METRICS)
def test_a_gpu_finds_the_same(name):
    true = random_photographs()
    predicted = recoloured(true)
    there = metrics.METRICS[name](predicted.cuda(), true.cuda())
    assert there.is_cuda
    wanted = metrics.METRICS[name](predicted, true).tolist()
    assert there.tolist() == pytest.approx(wanted, rel=1e-4 if "classifier" in name else 1e-9)


def by_scikit_image(name: str, predicted: np.ndarray, true: np.ndarray) -> float:
    """A metric of one photograph, (3, H, W) Lab, by definitions that are not ours."""
    if name == "ab_mse":
        return mean_squared_error(true[1:], predicted[1:]) / 128**2
    if name == "psnr_ab":
        return peak_signal_noise_ratio(true[1:], predicted[1:], data_range=256)
    if name == "delta_e":
        return deltaE_ciede2000(true, predicted, channel_axis=0).mean()
    if name == "chroma_ratio":
        chroma = [lab2lch(photo, channel_axis=0)[1].mean() for photo in (predicted, true)]
        return chroma[0] / chroma[1]
    # By our conversion: scikit-image's clips colours outside of sRGB at another place.
    rgb = [lab.lab_to_rgb(torch.from_numpy(photo)).numpy() for photo in (true, predicted)]
    if name == "psnr_rgb":
        return peak_signal_noise_ratio(*rgb, data_range=1)
    if name == "ssim_rgb":
        return structural_similarity(
            *rgb, channel_axis=0, data_range=1, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False,
        )
    assert name == "colourfulness"
    R, G, B = 255 * rgb[1]
    rg, yb = R - G, (R + G) / 2 - B
    return math.hypot(rg.std(), yb.std()) + 0.3 * math.hypot(rg.mean(), yb.mean())


@pytest.mark.parametrize("name", [
    "ab_mse", "psnr_ab", "psnr_rgb", "ssim_rgb", "delta_e", "colourfulness", "chroma_ratio",
])
def test_scikit_image_finds_the_same(name):
    true = random_photographs()
    true[0] = lab.rgb_to_lab((torch.rand(3, 24, 20) > 0.5).float())  # at the ends of sRGB
    predicted = recoloured(true)
    predicted[:, :, :12, :12] = predicted[:, :, :1, :1]  # flat
    wanted = [
        by_scikit_image(name, *pair)
        for pair in zip(predicted.double().numpy(), true.double().numpy(), strict=True)
    ]
    found = metrics.METRICS[name](predicted, true).tolist()
    assert found == pytest.approx(wanted, rel=1e-7)


def test_scores_judge_every_photograph_by_every_metric(toy_photographs):
    torch.manual_seed(0)
    network = networks.build("baseline", width=0.125)
    found = metrics.scores(metrics.network(network), toy_photographs)
    assert list(found) == list(metrics.METRICS)
    assert all(len(values) == len(toy_photographs) for values in found.values())
    gray = metrics.scores(metrics.constant(torch.zeros(2)), toy_photographs)
    assert gray["chroma_ratio"] == [0] * len(toy_photographs)
    rows = metrics.trivial_baselines(toy_photographs, toy_photographs)
    assert np.mean(gray["ab_mse"]) == pytest.approx(rows["gray"], rel=1e-4)


def test_scores_of_a_photograph_depend_on_no_other(toy_photographs):
    torch.manual_seed(0)
    predict = metrics.network(networks.build("baseline", width=0.125, output_gain=3.0))
    together = metrics.scores(predict, toy_photographs)
    for i in (0, 5):
        alone = metrics.scores(predict, toy_photographs.select([i]))
        for name, values in together.items():
            assert alone[name] == pytest.approx([values[i]], rel=1e-5), name


def test_photographs_are_predicted_some_at_a_time_and_kept_in_order(toy_photographs, monkeypatch):
    monkeypatch.setattr(evaluation, "at_once", lambda device: 3 * 16**2)
    seen = []

    def predict(some: Packed) -> torch.Tensor:
        seen.append(some.names)
        return lab.normalize(some.lab())[1] * torch.linspace(0, 1, 8)[
            [int(name.split("-")[1]) for name in some.names]
        ].view(-1, 1, 1, 1)

    found = metrics.scores(predict, toy_photographs, ["chroma_ratio"])["chroma_ratio"]
    assert [len(names) for names in seen] == [3, 3, 2]
    assert found == pytest.approx(torch.linspace(0, 1, 8).tolist(), abs=1e-5)
    assert metrics.scores(predict, toy_photographs.select([]), ["ab_mse"]) == {"ab_mse": []}


def test_scores_can_be_fewer(toy_photographs):
    flat = metrics.constant(torch.zeros(2))
    assert list(metrics.scores(flat, toy_photographs, ["chroma_ratio"])) == ["chroma_ratio"]


def test_a_network_may_predict_in_bfloat16(toy_photographs):
    torch.manual_seed(0)
    model = networks.build("baseline", width=0.125, output_gain=3.0)
    exact, rounded = (
        metrics.network(model, bf16=bf16)(toy_photographs) for bf16 in (False, True)
    )
    assert rounded.dtype == torch.float32 and not torch.equal(exact, rounded)
    assert torch.allclose(exact, rounded, atol=0.05)


@pytest.mark.parametrize(
    ("alpha", "wanted"),
    [
        ([[0.25] * 4] * 4, (0, 0)),  # uniform
        ([[1.0, 0, 0, 0]] * 4, (0.75, 0)),  # all positions attend to the first
        (torch.eye(4).tolist(), (0.75, 0.75)),  # each to itself
    ],
)
def test_attention_distance_by_hand(alpha, wanted):
    class Attends(torch.nn.Module):
        def attended(self, given):
            return torch.tensor([alpha]).expand(len(given), -1, -1)

    found = metrics.attention_distance(Attends(), packed((255, 0, 0), (0, 0, 255)))
    assert (found["from_uniform"], found["between_positions"]) == pytest.approx(wanted)


def test_every_head_counts_in_the_attention_distance():
    heads = torch.stack((torch.full((4, 4), 0.25), torch.eye(4)))  # uniform, each to itself

    class Attends(torch.nn.Module):
        def attended(self, given):
            return heads.expand(len(given), -1, -1, -1)

    found = metrics.attention_distance(Attends(), packed((255, 0, 0)))
    assert found == {"from_uniform": 0.375, "between_positions": 0.375}


@pytest.mark.parametrize(("changes", "wanted"), [
    ({"attention": "general"}, True), ({"attention": "pointwise"}, False), ({}, False),
])
def test_networks_that_attend(changes, wanted):
    assert networks.build("baseline", width=0.125, **changes).attends is wanted


def test_heads_attend():
    assert networks.build("unet", heads=4, width=0.25, pretrained=False).attends
