import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab

from colorlib import colorize, data, lab, metrics, models, train, zoo
from colorlib.colorize import Painter, lift, predict
from colorlib.errors import ColorlibError


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    path = next(p.path for p in data.photos("samples", "test") if p.name == "eiffel-1.png")
    return Image.open(path).convert("RGB").resize((331, 220))


@pytest.fixture(scope="module")
def painted(photo) -> Image.Image:
    return colorize(photo)


def lightness(image: Image.Image) -> np.ndarray:
    return rgb2lab(np.asarray(image.convert("RGB")))[..., 0]


def test_size_is_kept_and_lightness_up_to_rounding(photo, painted):
    assert painted.size == photo.size and painted.mode == "RGB"
    difference = np.abs(lightness(painted) - lightness(photo))
    assert np.median(difference) < 0.3
    assert np.mean(difference > 1) < 0.02  # colours clipped to the gamut


@pytest.fixture(scope="module")
def with_a_prior(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    model = models.build("attention", width=0.125, output_gain=3.0)
    path = tmp_path_factory.mktemp("weights") / "prior.safetensors"
    models.save_weights(model, path, size=64, prior={"size": 64})
    return path


@pytest.mark.parametrize("kind", ["baseline", "with_a_prior"])
def test_only_the_lightness_of_the_input_matters(photo, kind, request):
    weights = kind if kind == "baseline" else request.getfixturevalue(kind)
    other = lab.rgb_to_lab(torch.from_numpy(np.array(photo)).permute(2, 0, 1).float() / 255)
    other[1:] = -0.5 * other[1:]
    rgb = (lab.lab_to_rgb(other) * 255).round().byte().permute(1, 2, 0).numpy()
    painted, again = (
        np.asarray(colorize(image, weights), float) for image in (photo, Image.fromarray(rgb))
    )
    assert np.abs(painted - again).mean() < 2
    assert np.ptp(painted, axis=-1).mean() > 5  # and there is some colour


# Held-out photographs, and where in them (left, top, right, bottom, as shares) there is what.
SKIES = {"eiffel-1.png": (0.1, 0.03, 0.36, 0.27), "eiffel-2.png": (0.1, 0.03, 0.3, 0.2)}
LEAVES = {
    "campus/holdout/P1070508.png": (0.2, 0.1, 0.5, 0.3),  # a tree
    "campus/holdout/P1070511.png": (0.2, 0.2, 0.8, 0.8),  # palms
}
GRASS = {
    "campus/holdout/P1070508.png": (0, 0.9, 0.9, 1),  # a lawn
    "parks.png": (0.8, 0.5, 1, 0.9),
}


def colour(name: str, box: tuple[float, ...]) -> np.ndarray:
    """Mean a and b that the shipped weights paint into a part of a test photograph."""
    path = next(p.path for p in data.photos("samples", "test") if p.name == name)
    image = Image.open(path).convert("RGB")
    image.thumbnail((400, 400))
    painted = colorize(image)
    left, top, right, bottom = np.array(box) * np.tile(painted.size, 2)
    part = np.asarray(painted.crop((int(left), int(top), int(right), int(bottom))))
    return rgb2lab(part)[..., 1:].mean((0, 1))


def test_the_shipped_weights_know_sky_leaves_and_grass():
    for name, box in SKIES.items():
        assert colour(name, box)[1] < -8, f"the sky is not blue in {name}"
    for name, box in {**LEAVES, **GRASS}.items():
        a, b = colour(name, box)
        assert a < -2 and b > 5, f"not green in {name}: {a:.1f}, {b:.1f}"


def test_the_shipped_weights_beat_gray_and_mean_colour():
    path = zoo.find(zoo.DEFAULT)
    size = models.read_about(path)["size"]
    test = data.pack(data.photos("samples", "test"), size)
    rows = metrics.yardsticks(data.pack(data.photos("samples", "train"), size), test)
    assert train.evaluate(models.load_weights(path), test) < 0.8 * min(rows.values())


def test_the_shipped_weights_are_small_full_width_and_say_what_they_are():
    path = zoo.find(zoo.DEFAULT)
    about = models.read_about(path)
    assert path.stat().st_size < 15e6
    assert models.load_weights(path).config == models.PRESETS["baseline"]
    assert {"data", "size", "val_loss", "settings", "device", "commit"} <= set(about)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1"])
def test_image_modes(photo, mode):
    assert colorize(photo.resize((40, 30)).convert(mode)).size == (40, 30)


def test_sixteen_bit_gray_keeps_its_lightness():
    ramp = np.linspace(0, 65535, 40 * 30).astype(np.uint16).reshape(30, 40)
    eight = Image.fromarray((ramp / 257).round().astype(np.uint8))
    assert colorize(Image.fromarray(ramp)).tobytes() == colorize(eight).tobytes()


def test_orientation_is_applied(photo):
    turned = photo.resize((60, 40))
    turned.getexif()[0x0112] = 6  # to be shown turned by 90 degrees
    assert colorize(turned).size == (40, 60)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (1, 5000), (60_000, 40)])
def test_tiny_and_narrow_photographs(size):
    assert colorize(Image.new("L", size, 128)).size == size


def test_predict_enlarges_to_the_input(photo):
    torch.manual_seed(0)
    model = models.build("baseline", width=0.125).eval()
    assert predict(model, torch.zeros(2, 1, 50, 90), 32).shape == (2, 2, 50, 90)
    with pytest.raises(ColorlibError, match="at least 8"):
        predict(model, torch.zeros(1, 1, 50, 90), 4)


def test_colours_end_where_the_lightness_does():
    L = torch.zeros(1, 1, 128, 128)
    L[..., 67:] = 0.8  # an edge within one of the 32 small pixels
    ab = torch.cat((L, -L), dim=1) / 2
    small = torch.nn.functional.interpolate(ab, 32, mode="area")
    plain = torch.nn.functional.interpolate(small, 128, mode="bilinear")
    off = [((large - ab).abs() > 0.04).float().mean() for large in (plain, lift(small, L))]
    assert off[1] < 0.2 * off[0]
    assert torch.equal(lift(ab, L), ab)  # nothing to enlarge


def test_strength_multiplies_the_colours(photo):
    def chroma(strength):
        painted = np.asarray(colorize(photo, strength=strength).resize((90, 60)))
        return np.hypot(*np.moveaxis(rgb2lab(painted)[..., 1:], -1, 0)).mean()

    assert chroma(0) < 0.5 < 0.7 * chroma(1) < 0.7 * chroma(1.5)
    for strength in (-1, float("nan"), float("inf")):
        with pytest.raises(ColorlibError, match="strength"):
            colorize(photo, strength=strength)


def test_alpha_and_exif_come_along(photo):
    image = photo.resize((40, 30)).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize((40, 30)))
    image.getexif()[0x010F] = "a camera"
    painted = colorize(image)
    assert painted.mode == "RGBA"
    assert painted.getchannel("A").tobytes() == image.getchannel("A").tobytes()
    assert b"a camera" in painted.info["exif"]


def test_a_large_photograph_is_worked_on_in_strips(photo, monkeypatch):
    whole = np.asarray(colorize(photo))
    module = sys.modules["colorlib.colorize"]  # whose name in the package is the function's
    monkeypatch.setattr(module, "_STRIP", 10 * photo.width)
    strips = np.asarray(colorize(photo))
    assert np.abs(whole.astype(int) - strips).max() <= 1


def test_shipped_weights_have_cards_that_hold():
    for name in zoo.names():
        card, path = zoo.card(name), zoo.find(name)
        assert path.stat().st_size < 15e6
        assert card["summary"] and card["bad_at"]
        told = card["scores"]["samples"]
        test = data.pack(data.photos("samples", "test"), told["size"])
        if not models.read_about(path).get("prior"):
            loss = train.evaluate(models.load_weights(path), test)
            assert loss == pytest.approx(told["network"], rel=0.01)


def test_damaged_weights_of_the_library_are_refused(tmp_path, monkeypatch):
    for path in zoo._FOLDER.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(zoo, "_FOLDER", tmp_path)
    assert zoo.find(zoo.DEFAULT).parent == tmp_path
    with open(tmp_path / f"{zoo.DEFAULT}.safetensors", "r+b") as file:
        file.seek(-1, 2)
        file.write(b"?")
    with pytest.raises(ColorlibError, match="damaged: install"):
        zoo.find(zoo.DEFAULT)


def test_unknown_weights_name_what_there_is():
    with pytest.raises(ColorlibError, match=zoo.DEFAULT):
        colorize(Image.new("L", (9, 9)), weights="nothing")


def test_a_prior_sees_the_middle_square_as_in_training(with_a_prior, monkeypatch):
    painter = Painter(with_a_prior)
    seen = []
    monkeypatch.setattr(painter.prior, "forward", lambda L: seen.append(L) or torch.zeros(1, 1000))
    pixels = np.zeros((64, 128), np.uint8)
    pixels[:, 32:96] = 200
    painter(Image.fromarray(pixels))
    assert seen[0].shape == (1, 1, 64, 64) and seen[0].mean() > 0.5
