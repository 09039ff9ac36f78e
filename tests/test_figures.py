import base64
import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from IPython.core.formatters import DisplayFormatter
from matplotlib.figure import Figure
from PIL import Image

from colorlib import lab
from replication.book import figures, widgets


@pytest.fixture
def photos() -> torch.Tensor:
    return lab.rgb_to_lab(torch.rand(3, 3, 8, 8, generator=torch.manual_seed(0)))


def pictures(figure: Figure) -> int:
    return sum(len(axis.images) for axis in figure.axes)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_a_notebook_stores_one_image_of_a_figure(photos, monkeypatch):
    stored = []
    monkeypatch.setattr(
        figures, "display", lambda data, metadata, raw: stored.append((data, metadata))
    )
    notebook = DisplayFormatter()
    notebook.formatters["image/png"].for_type(Figure, lambda figure: "as matplotlib does")
    drawing = figures.bars({"one": 1.0}, "length")
    for figure in (figures.grid({"one": photos}), drawing):
        assert notebook.format(figure) == ({}, {})
    (photograph, _), (line, metadata) = stored
    assert set(photograph) == {"image/jpeg", "text/plain"}
    assert set(line) == {"image/png", "text/plain"}
    assert opened(base64.b64decode(photograph["image/jpeg"])).format == "JPEG"
    assert metadata == {"image/png": {"width": drawing.encoded()[2]}}


def test_figures_that_fill_a_page_are_shown_as_wide_as_its_text(photos):
    for figure in (figures.sheet(photos), figures.lines({"one": [1, 2]}, (0, 1), "x", "y")):
        _, data, width = figure.encoded()
        assert width == pytest.approx(750, abs=8)
        assert opened(data).width >= 1.2 * width - 1  # sharper than a screen of one to one


def test_drawings_have_a_palette_and_stay_white_where_nothing_is_drawn():
    _, data, _ = figures.lines({"one": [1, 2], "two": [2, 1]}, (0, 1), "x", "y").encoded()
    image = opened(data)
    assert image.mode == "P" and len(data) < 25_000
    assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_jpeg_keeps_colours_apart_that_are_neighbours():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2], stripes[:, 1::2] = (220, 30, 30), (30, 60, 220)
    found = np.asarray(opened(figures.jpeg(Image.fromarray(stripes)))).astype(float)
    assert abs(found - stripes).mean() < 10


def test_a_grid_enlarges_small_photographs_little_and_is_at_most_two_screens_high():
    small, large = torch.zeros(2, 3, 64, 64), torch.zeros(2, 3, 192, 192)
    widths = [figures.grid({"one": p}).get_size_inches()[0] for p in (small, large)]
    assert widths[0] == pytest.approx(64 / figures.DENSITY, abs=0.05)
    assert widths[1] == pytest.approx(2.2, abs=0.05)
    tall = figures.grid({"one": large[:1].expand(20, -1, -1, -1)})
    assert tall.get_size_inches()[1] < figures.HEIGHT + 0.5


def test_widgets_hold_no_larger_pictures_than_they_show():
    noise = np.random.default_rng(0).integers(0, 256, (600, 2000, 3), np.uint8)
    large = Image.fromarray(noise)
    html = widgets.compare(large, large.resize((192, 58)), ("one", "other"), "Noise", "n").data
    found = [
        opened(base64.b64decode(image)).size
        for image in re.findall(r"data:image/jpeg;base64,([^\"]*)", html)
    ]
    assert found == [(640, 192), (192, 58)]
    assert 'width="640" height="192"' in html


def test_gray_keeps_lightness_alone(photos):
    gray = figures.gray(photos)
    assert torch.equal(gray[:, 0], photos[:, 0]) and not gray[:, 1:].any()


def test_recolour_keeps_lightness_and_takes_the_colour(photos):
    ab = torch.full((3, 2, 8, 8), 0.25)
    recoloured = figures.recolour(photos, ab)
    assert torch.allclose(recoloured[:, 0], photos[:, 0], atol=1e-4)
    assert torch.allclose(recoloured[:, 1:], torch.tensor(32.0))


def test_images_and_batch_are_inverse_up_to_rounding(photos):
    found = lab.lab_to_rgb(figures.batch(figures.images(photos)))
    assert (found - lab.lab_to_rgb(photos)).abs().max() < 0.51 / 255


def test_a_grid_has_a_titled_column_a_kind_and_a_named_row_a_photograph(photos):
    figure = figures.grid({"gray": figures.gray(photos), "true": photos}, rows=("p", "q", "r"))
    assert pictures(figure) == 6
    assert [axis.get_title() for axis in figure.axes[:2]] == ["gray", "true"]
    assert [axis.get_ylabel() for axis in figure.axes[::2]] == ["p", "q", "r"]
    shown = figure.axes[1].images[0].get_array()
    assert torch.allclose(torch.as_tensor(shown), lab.lab_to_rgb(photos)[0].permute(1, 2, 0))


def test_a_sheet_shows_every_photograph_once(photos):
    figure = figures.sheet(photos, ("p", "q", "r"), columns=2)
    assert pictures(figure) == 3
    assert [axis.get_xlabel() for axis in figure.axes] == ["p", "q", "r", ""]


def test_a_sheet_makes_room_for_names_of_several_lines(photos):
    one, two = (figures.sheet(photos, names) for names in (("p",) * 3, ("p", "q\nr", "s")))
    assert two.axes[1].get_xlabel() == "q\nr"
    assert two.get_size_inches()[1] > one.get_size_inches()[1]


def test_channels_shows_both_ways_to_take_a_photograph_apart(photos):
    figure = figures.channels(photos[0])
    titles = [axis.get_title() for axis in figure.axes]
    assert titles[:4] == ["photograph", "R", "G", "B"] and titles[4] == "L"
    assert pictures(figure) == 8


def test_the_plane_is_transparent_where_srgb_ends():
    figure = figures.lab_plane((30, 70))
    assert [axis.get_title() for axis in figure.axes] == ["L = 30", "L = 70"]
    alpha = figure.axes[0].images[0].get_array()[..., 3]
    assert 0.02 < alpha.mean() < 0.5 and alpha[64, 64] == 1 and alpha[0, 0] == 0


def test_lines_and_bars_draw_what_they_are_given():
    figure = figures.lines({"one": [1, 2], "two": [2, 1]}, (0, 1), "x", "y", log=True)
    (axis,) = figure.axes
    assert [list(line.get_ydata()) for line in axis.lines] == [[1, 2], [2, 1]]
    assert axis.get_yscale() == "log" and axis.get_xlabel() == "x"
    (axis,) = figures.bars({"one": 1.0, "two": 2.0}, "length").axes
    assert [bar.get_width() for bar in axis.patches] == [2.0, 1.0]  # drawn from below


def test_loss_curves_put_training_and_validation_side_by_side_with_trivial_baselines():
    history = [{"epoch": i, "train_loss": 1 / i, "val_loss": 2 / i} for i in (1, 2, 3)]
    figure = figures.loss_curves(history, {"gray": 0.5, "mean colour": 0.4})
    train, validation = figure.axes
    assert list(train.lines[0].get_ydata()) == [1, 1 / 2, 1 / 3]
    assert list(validation.lines[0].get_ydata()) == [2, 1, 2 / 3]
    assert [line.get_label() for line in validation.lines[1:]] == ["gray", "mean colour"]
    assert train.get_shared_y_axes().joined(train, validation)


def test_compare_losses_draws_every_network_in_both_panels():
    histories = {
        name: [{"epoch": i, "train_loss": k / i, "val_loss": 2 * k / i} for i in (1, 2)]
        for k, name in enumerate(("one", "two"), start=1)
    }
    train, validation = figures.compare_losses(histories, {"gray": 0.5}).axes
    assert [list(line.get_ydata()) for line in train.lines] == [[1, 1 / 2], [2, 1]]
    assert [line.get_label() for line in validation.lines] == ["one", "two", "gray"]
    assert list(validation.lines[1].get_ydata()) == [4, 2]
    assert train.get_shared_y_axes().joined(train, validation)


def test_attention_marks_positions_and_lays_their_weights_over_the_gray_photograph(photos):
    alpha = torch.rand(2, 4, 4, 4, 4, generator=torch.manual_seed(0))
    queries = [{"sky": (0, 1), "lawn": (3, 2)}, {"tree": (2, 0)}]
    figure = figures.attention(photos[:2], alpha, queries)
    titles = [axis.get_title() for axis in figure.axes]
    assert titles[:6] == ["photograph", "sky", "lawn", "photograph", "tree", ""]
    shade, heat = (image.get_array() for image in figure.axes[2].images)
    assert shade.shape == (8, 8, 3)
    assert torch.allclose(torch.as_tensor(heat), 16 * alpha[0, 3, 2])
    marks = {tuple(map(tuple, line.get_xydata())) for line in figure.axes[0].lines}
    assert marks == {((1, 0),), ((2, 3),)}


def test_no_figure_stays_open(photos):
    plt.close("all")
    figures.grid({"one": photos})
    figures.lab_plane((50,))
    assert not plt.get_fignums()


def test_several_seeds_are_a_mean_and_a_band():
    def history(*losses):
        return [{"epoch": i, "train_loss": x, "val_loss": 2 * x} for i, x in enumerate(losses)]

    figure = figures.compare_seeds({"a": [history(1, 4), history(3, 2)]}, {"gray": 5})
    training, validation = figure.axes
    assert list(training.lines[0].get_ydata()) == [2, 3]
    assert list(validation.lines[0].get_ydata()) == [4, 6]
    band = training.collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == 1 and band.max() == 4


def test_intervals_are_coloured_by_their_side_of_the_mark():
    rows = {"p": (-2, -3, -1), "q": (0.5, -1, 2), "r": (2, 1, 3)}
    figure = figures.intervals({"here": rows, "there": rows}, "difference")
    assert [axis.get_title() for axis in figure.axes] == ["here", "there"]
    dots = figure.axes[0].collections[1]
    assert dots.get_offsets()[:, 0].tolist() == [-2, 0.5, 2]
    assert len({tuple(colour) for colour in dots.get_facecolors()}) == 3
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["p", "q", "r"]


def test_a_table_is_markdown_with_a_label_and_numbers_to_the_right():
    found = figures.table(("", "loss"), [("gray", 0.5), ("mean", 0.25)], "Losses.", "tbl-x")
    assert found.data.splitlines() == [
        ":::{table} Losses.", ":name: tbl-x", "",
        "|  | loss |", "| --- | ---: |", "| gray | 0.5 |", "| mean | 0.25 |", ":::",
    ]
