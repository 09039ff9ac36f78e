from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab
from torch.nn import functional as F

from colorlib import colorize, data, lab, metrics, networks
from colorlib.base.errors import ColorlibError
from colorlib.tool import pipeline, weights, zoo
from colorlib.tool.pipeline import Pipeline, predict, upsample


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    path = next(p.path for p in data.photos("samples", "test") if p.name == "eiffel-1.png")
    return Image.open(path).convert("RGB").resize((331, 220))


@pytest.fixture(scope="module")
def predicted(photo) -> Image.Image:
    return colorize(photo)


def lightness(image: Image.Image) -> np.ndarray:
    return rgb2lab(np.asarray(image.convert("RGB")))[..., 0]


def test_size_is_kept_and_lightness_up_to_rounding(photo, predicted):
    assert predicted.size == photo.size and predicted.mode == "RGB"
    difference = np.abs(lightness(predicted) - lightness(photo))
    assert np.median(difference) < 0.3
    assert np.mean(difference > 1) < 0.02  # colours clipped to the gamut


@pytest.fixture(scope="module")
def with_a_prior(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    model = networks.build("attention", width=0.125, output_gain=3.0)
    path = tmp_path_factory.mktemp("weights") / "prior.safetensors"
    weights.save_weights(model, path, size=64, prior={"size": 64})
    return path


@pytest.mark.parametrize("kind", ["baseline", "with_a_prior"])
def test_only_the_lightness_of_the_input_matters(photo, kind, request):
    weights = kind if kind == "baseline" else request.getfixturevalue(kind)
    other = lab.rgb_to_lab(torch.from_numpy(np.array(photo)).permute(2, 0, 1).float() / 255)
    other[1:] = -0.5 * other[1:]
    rgb = (lab.lab_to_rgb(other) * 255).round().byte().permute(1, 2, 0).numpy()
    predicted, again = (
        np.asarray(colorize(image, weights), float) for image in (photo, Image.fromarray(rgb))
    )
    assert np.abs(predicted - again).mean() < 2
    assert np.ptp(predicted, axis=-1).mean() > 5  # and there is some colour


# Test photographs, and where in them (left, top, right, bottom, as shares) there is what.
SKIES = {"eiffel-1.png": (0.1, 0.03, 0.36, 0.27), "eiffel-2.png": (0.1, 0.03, 0.3, 0.2)}
LEAVES = {
    "campus/holdout/P1070508.png": (0.2, 0.1, 0.5, 0.3),  # a tree
    "campus/holdout/P1070511.png": (0.2, 0.2, 0.8, 0.8),  # palms
}
GRASS = {
    "campus/holdout/P1070508.png": (0, 0.9, 0.9, 1),  # a lawn
    "eiffel-2.png": (0.1, 0.86, 0.6, 0.95),
}


def colour(name: str, box: tuple[float, ...]) -> np.ndarray:
    """Mean a and b that the shipped weights predict in a part of a test photograph."""
    path = next(p.path for p in data.photos("samples", "test") if p.name == name)
    image = Image.open(path).convert("RGB")
    image.thumbnail((400, 400))
    predicted = colorize(image)
    left, top, right, bottom = np.array(box) * np.tile(predicted.size, 2)
    part = np.asarray(predicted.crop((int(left), int(top), int(right), int(bottom))))
    return rgb2lab(part)[..., 1:].mean((0, 1))


def test_the_shipped_weights_know_sky_leaves_and_grass():
    for name, box in SKIES.items():
        assert colour(name, box)[1] < -8, f"the sky is not blue in {name}"
    for name, box in {**LEAVES, **GRASS}.items():
        a, b = colour(name, box)
        assert a < -2 and b > 5, f"not green in {name}: {a:.1f}, {b:.1f}"


HEADS = {"baseline": "regression", "unet": "quantized", "vivid": "quantized"}


@pytest.mark.parametrize("name", zoo.names())
def test_the_shipped_weights_are_small_and_say_what_they_are(name):
    given, changes = zoo.load(name), zoo.card(name).changes
    assert given.path.stat().st_size < 15e6 and given.name == name
    own = given.model.config.flat()
    expected = networks.configure(
        "baseline" if name == "baseline" else "unet", head=HEADS[name], **changes,
        **{key: own[key] for key in ("rebalancing",) if key in own},
    )
    assert given.model.config == expected and given.about.get("changes", {}) == changes
    assert {"data", "size", "val_loss", "settings", "device", "commit"} <= set(given.about)


def test_one_file_answers_in_two_ways(photo, predicted):
    assert zoo.find("vivid") == zoo.find("unet")
    colourfulness = []
    for image in (predicted, colorize(photo, "vivid")):
        shown = lab.rgb_to_lab(torch.from_numpy(np.array(image)).movedim(-1, 0)[None] / 255)
        colourfulness.append(metrics.colourfulness(shown, shown).item())
    assert zoo.DEFAULT == "unet" and colourfulness[1] > 1.02 * colourfulness[0]


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
    model = networks.build("baseline", width=0.125).eval()
    assert predict(model, torch.zeros(2, 1, 50, 90), 32).shape == (2, 2, 50, 90)
    with pytest.raises(ColorlibError, match="at least 8"):
        predict(model, torch.zeros(1, 1, 50, 90), 4)


@pytest.mark.parametrize(("size", "guide"), [(32, 256), (128, 256), (200, 400)])
def test_colours_are_upsampled_along_edges_at_every_working_size(size, guide, monkeypatch):
    given = []
    monkeypatch.setattr(
        pipeline, "upsample", lambda ab, L: given.append((ab, L)) or L.repeat(1, 2, 1, 1)
    )
    Pipeline("baseline")(Image.new("L", (900, 600)), size)
    (ab, L), = given
    assert (ab.shape[2], L.shape[2:]) == (size, (guide, round(1.5 * guide)))


@pytest.mark.parametrize("preset", ["baseline", "fusion"])
def test_a_mirrored_photograph_gets_mirrored_colours(preset):
    torch.manual_seed(0)
    model = networks.build(preset, width=0.125, output_gain=3.0).eval()
    L = torch.rand(2, 1, 40, 56) * 2 - 1
    embeddings = torch.randn(2, 1000).split(1) if preset == "fusion" else (None, None)
    together = torch.cat(embeddings) if preset == "fusion" else None
    ab = predict(model, L, 32, embedding=together)
    mirrored = predict(model, L.flip(-1), 32, embedding=together).flip(-1)
    assert torch.allclose(mirrored, ab, atol=1e-5) and ab.std() > 1e-3
    alone = [predict(model, one[None], 32, embedding=embedding)
             for one, embedding in zip(L, embeddings, strict=True)]
    assert torch.allclose(torch.cat(alone), ab, atol=1e-5)


def test_colours_end_where_the_lightness_does():
    L = torch.zeros(1, 1, 128, 128)
    L[..., 67:] = 0.8  # an edge within one of the 32 small pixels
    ab = torch.cat((L, -L), dim=1) / 2
    small = torch.nn.functional.interpolate(ab, 32, mode="area")
    plain = torch.nn.functional.interpolate(small, 128, mode="bilinear")
    off = [((large - ab).abs() > 0.04).float().mean() for large in (plain, upsample(small, L))]
    assert off[1] < 0.2 * off[0]
    assert torch.equal(upsample(ab, L), ab)  # nothing to enlarge


def test_a_faint_edge_keeps_colours_apart_too():
    """The tolerance is 2.5 units of L: of an edge of 10, a pixel takes hardly any colour."""
    L = torch.zeros(1, 1, 64, 64)
    L[..., 33:] = 0.2  # 10 of 100
    small = torch.zeros(1, 2, 16, 16)
    small[..., 8:] = 0.5
    row = upsample(small, L)[0, 0, 32]
    assert row[26:33].max() < 0.07 and row[33:40].min() > 0.49
    L[..., 33:] = 0.04  # 2 of 100: hardly an edge
    assert upsample(small, L)[0, 0, 32, 32] > 0.2


def test_strength_multiplies_the_colours(photo):
    def chroma(strength):
        predicted = np.asarray(colorize(photo, strength=strength).resize((90, 60)))
        return np.hypot(*np.moveaxis(rgb2lab(predicted)[..., 1:], -1, 0)).mean()

    assert chroma(0) < 0.5 < 0.7 * chroma(1) < 0.7 * chroma(1.5)
    for strength in (-1, float("nan"), float("inf")):
        with pytest.raises(ColorlibError, match="strength"):
            colorize(photo, strength=strength)


def test_alpha_and_exif_come_along(photo):
    image = photo.resize((40, 30)).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize((40, 30)))
    image.getexif()[0x010F] = "a camera"
    predicted = colorize(image)
    assert predicted.mode == "RGBA"
    assert predicted.getchannel("A").tobytes() == image.getchannel("A").tobytes()
    assert b"a camera" in predicted.info["exif"]


def test_a_large_photograph_is_worked_on_in_strips(photo, monkeypatch):
    whole = np.asarray(colorize(photo))
    monkeypatch.setattr(pipeline, "_STRIP", 10 * photo.width)
    strips = np.asarray(colorize(photo))
    assert np.abs(whole.astype(int) - strips).max() <= 1


@pytest.mark.parametrize("name", zoo.names())
def test_shipped_weights_have_cards_that_hold(name):
    card, given = zoo.card(name), zoo.load(name)
    assert card.summary and card.bad_at
    scores = card.scores["samples"]
    train, test = (data.pack(data.photos("samples", split), scores["size"])
                   for split in ("train", "test"))
    for row, value in metrics.trivial_baselines(train, test).items():
        assert value == pytest.approx(scores[row], rel=1e-3)
    true = test.lab()
    L, ab = lab.normalize(true)
    predicted = predict(given.model, L, given.size)
    loss = F.mse_loss(predicted, ab).item()
    assert loss == pytest.approx(scores["network"], rel=0.01)
    chroma = metrics.chroma_ratio(lab.denormalize(L, predicted), true).nanmean().item()
    assert chroma == pytest.approx(scores["chroma"], rel=0.01)
    if name != "vivid":  # which is not made for that
        assert loss < 0.9 * min(scores["gray"], scores["mean colour"])


def test_damaged_weights_of_the_library_are_refused(tmp_path, monkeypatch):
    for path in zoo.FOLDER.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(zoo, "FOLDER", tmp_path)
    assert zoo.find(zoo.DEFAULT).parent == tmp_path
    with open(tmp_path / f"{zoo.DEFAULT}.safetensors", "r+b") as file:
        file.seek(-1, 2)
        file.write(b"?")
    for name in (zoo.DEFAULT, "vivid"):  # the same file
        with pytest.raises(ColorlibError, match="damaged: install"):
            zoo.find(name)


def test_unknown_weights_name_what_there_is():
    with pytest.raises(ColorlibError, match=zoo.DEFAULT):
        colorize(Image.new("L", (9, 9)), weights="nothing")


def test_a_prior_is_given_the_middle_square_as_in_training(with_a_prior, monkeypatch):
    predictor = Pipeline(with_a_prior)
    given = []
    answer = torch.zeros(1, 1000)
    monkeypatch.setattr(predictor.prior, "forward", lambda L: given.append(L) or answer)
    pixels = np.zeros((64, 128), np.uint8)
    pixels[:, 32:96] = 200
    predictor(Image.fromarray(pixels))
    assert given[0].shape == (1, 1, 64, 64) and given[0].mean() > 0.5


# What stands for a photograph --------------------------------------------------------------


@pytest.mark.parametrize("channels", [None, 1, 3, 4])
def test_arrays_are_colorized_as_the_image_of_the_same_numbers(channels):
    pixels = np.random.default_rng(0).integers(0, 255, (30, 40, channels or 1), np.uint8)
    pixels[0, 0] = 255  # white: the full scale of 16 bits
    pixels = pixels if channels else pixels[..., 0]
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    expected = colorize(image)
    assert expected.mode == ("RGBA" if channels == 4 else "RGB")
    same = {
        "8 bits": pixels,
        "16 bits": pixels.astype(np.uint16) * 257,
        "half precision": (pixels / 255).astype(np.float16),
        "single precision": (pixels / 255).astype(np.float32),
        "double precision": pixels / 255,
        "integers": pixels.astype(np.int64),
        "of another order in memory": np.asfortranarray(pixels),
    }
    for name, array in same.items():
        predicted = colorize(array)
        assert predicted.mode == expected.mode and predicted.size == (40, 30), name
        assert np.array_equal(np.asarray(predicted), np.asarray(expected)), name


def test_numbers_of_an_array_that_are_a_little_too_large_are_white():
    ramp = np.tile(np.linspace(0, 1.02, 40), (30, 1))
    clipped = colorize(ramp.clip(0, 1))
    assert np.array_equal(np.asarray(colorize(ramp)), np.asarray(clipped))
    ramp[0, 0] = np.nan
    assert 20 < lightness(colorize(ramp)).mean() < 80
    integers = (clipped_ramp := np.tile(np.arange(40) * 6, (30, 1))).copy()
    integers[0, 0], clipped_ramp[0, 0] = 256, 255
    assert np.array_equal(np.asarray(colorize(integers)), np.asarray(colorize(clipped_ramp)))


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_colorized_as_its_image(photo, tmp_path, kind):
    path = tmp_path / "photo.png"
    photo.resize((40, 30)).save(path)
    assert np.array_equal(np.asarray(colorize(kind(path))), np.asarray(colorize(Image.open(path))))
    with pytest.raises(ColorlibError, match="there is no file"):
        colorize(kind(tmp_path / "nothing.png"))


@pytest.mark.parametrize(
    ("wrong", "kind", "says"),
    [
        (None, TypeError, "not NoneType"),
        (torch.zeros(3, 8, 8), TypeError, "not Tensor"),
        ([[1, 2]], TypeError, "not list"),
        (np.array([["a"]]), TypeError, "must hold numbers"),
        (np.zeros((8, 8, 2)), ValueError, r"not \(8, 8, 2\)"),
        (np.zeros((3, 8, 8)), ValueError, r"not \(3, 8, 8\)"),
        (np.zeros((0, 8)), ValueError, r"not \(0, 8"),
        (np.full((8, 8), 2**40), ValueError, "31 bits"),
    ],
)
def test_what_is_no_photograph_is_refused(wrong, kind, says):
    with pytest.raises(kind, match=says):
        colorize(wrong)


def test_an_opencv_without_its_contributed_modules_is_named(photo, monkeypatch):
    monkeypatch.delattr(cv2, "ximgproc")
    with pytest.raises(ColorlibError, match="opencv-contrib-python-headless"):
        Pipeline()
    with pytest.raises(ColorlibError, match="opencv-contrib-python-headless"):
        upsample(torch.zeros(1, 2, 8, 8), torch.zeros(1, 1, 64, 64))


# Weights -----------------------------------------------------------------------------------


def test_weights_are_a_name_a_file_or_a_run_folder(with_a_prior, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "best.safetensors").write_bytes(with_a_prior.read_bytes())
    for given in ("run", "run/", "./run", Path("run"), tmp_path / "run", "run/best.safetensors"):
        assert zoo.find(given).samefile(tmp_path / "run" / "best.safetensors")
    found = zoo.load("run")
    assert (found.name, found.size, found.about["prior"]) == ("run", 64, {"size": 64})
    assert found.prior().spec.size == 64 and zoo.load().prior() is None
    assert (zoo.load().name, zoo.load().size) == (zoo.DEFAULT, weights.read_about(
        zoo.find(zoo.DEFAULT))["size"])


def test_a_file_named_like_weights_of_the_library(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    library = zoo.find(zoo.DEFAULT)
    Path(zoo.DEFAULT).write_bytes(b"another file")
    with pytest.warns(UserWarning, match=f"write ./{zoo.DEFAULT} for that"):
        assert zoo.find(zoo.DEFAULT) == library
    for given in (f"./{zoo.DEFAULT}", Path(zoo.DEFAULT)):
        assert zoo.find(given).samefile(tmp_path / zoo.DEFAULT)


def test_weights_that_do_not_say_their_prior_are_refused(tmp_path):
    weights.save_weights(networks.build("fusion", width=0.125), tmp_path / "w.safetensors")
    with pytest.raises(ColorlibError, match="does not say with which prior"):
        zoo.load(tmp_path / "w.safetensors").prior()
