"""Drawings of networks: their numbers are the networks', and they can be read."""

import re
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import matplotlib
import pytest
import torch
from IPython.core.formatters import DisplayFormatter
from PIL import ImageFont
from torch import nn

from colorlib import networks
from colorlib.base.errors import ColorlibError
from colorlib.networks.priors import Spec
from replication.book import diagrams, drawing

SMALL = {"size": (64, 96), "width": 0.25}
CASES = {
    "whole": lambda: diagrams.whole(),
    "whole baseline": lambda: diagrams.whole("baseline"),
    "whole as written": lambda: diagrams.whole("as-written", **SMALL),
    "whole unet": lambda: diagrams.whole("unet", head="quantized"),
    "encoder and decoder": lambda: diagrams.encoder_decoder(),
    "with pooling": lambda: diagrams.encoder_decoder(downsample="max-pooling", **SMALL),
    "padded": lambda: diagrams.encoder_decoder(size=(60, 44), coordinates=True),
    "fusion": lambda: diagrams.fusion(),
    "another prior": lambda: diagrams.fusion(
        spec=Spec("inception_resnet_v2", size=299), embedding=1001, batch_norm=False, **SMALL
    ),
    "attention": lambda: diagrams.attention(),
    "concat": lambda: diagrams.attention(attention="concat", attention_scaled=False, **SMALL),
    "unet": lambda: diagrams.unet(head="quantized"),
    "unet with heads": lambda: diagrams.unet(heads=2, **SMALL),
    "unet of another encoder": lambda: diagrams.unet(backbone="resnet18", **SMALL),
}


class Area(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "Area") -> bool:
        return (self.left < other.right and other.left < self.right
                and self.top < other.bottom and other.top < self.bottom)

    def within(self, other: "Area") -> bool:
        return (other.left <= self.left and self.right <= other.right
                and other.top <= self.top and self.bottom <= other.bottom)

    def shrunk(self, by: float) -> "Area":
        return Area(self.left + by, self.top + by, self.right - by, self.bottom - by)


class Drawing:
    """What an SVG shows: the areas of its boxes, lines of text and arrows."""

    def __init__(self, svg: str):
        self.root = ElementTree.fromstring(svg)
        width, height = (float(self.root.attrib[side]) for side in ("width", "height"))
        self.whole = Area(0, 0, width, height)
        _, *rects = self.all("rect")  # the first one is the background
        self.boxes = [
            Area(x, y, x + w, y + h)
            for x, y, w, h in ([float(r.attrib[k]) for k in ("x", "y", "width", "height")]
                               for r in rects)
        ]
        self.texts = {self.area(text): "".join(text.itertext()) for text in self.all("text")}
        self.arrows = [
            Area(min(x, u), min(y, v), max(x, u) + 0.1, max(y, v) + 0.1)
            for line in self.all("polyline")
            for (x, y), (u, v) in pairwise(
                [float(number) for number in point.split(",")]
                for point in line.attrib["points"].split()
            )
        ]

    def all(self, tag: str) -> list[ElementTree.Element]:
        return self.root.findall(f".//{{http://www.w3.org/2000/svg}}{tag}")

    @staticmethod
    def area(text: ElementTree.Element) -> Area:
        """In DejaVu Sans, which is wider than most."""
        bold = "-Bold" if text.attrib["font-weight"] == "bold" else ""
        file = Path(matplotlib.get_data_path(), "fonts", "ttf", f"DejaVuSans{bold}.ttf")
        font = ImageFont.truetype(file, drawing.FONT)
        width, x, y = font.getlength("".join(text.itertext())), *map(
            float, (text.attrib["x"], text.attrib["y"]))
        left = x - width * {"start": 0, "middle": 0.5, "end": 1}[text.attrib["text-anchor"]]
        return Area(left, y - 10, left + width, y + 3)


@cache
def drawn(case: str) -> drawing.Diagram:
    return CASES[case]()


@pytest.fixture(params=CASES)
def diagram(request) -> drawing.Diagram:
    return drawn(request.param)


def of(x: torch.Tensor, *channels: int) -> str:
    """A shape as drawings have it, with other channels if given."""
    return " x ".join(map(str, (*(channels or x.shape[1:2]), *x.shape[2:])))


def numbers(text: str) -> set[str]:
    return set(re.findall(r"\d+", text))


def built(preset: str, **changes):
    network = networks.Colorizer(networks.configure(preset, **changes), initialise=False).eval()
    E = network.config.embedding
    return network, torch.zeros(1, 1, 64, 96), torch.zeros(1, E) if E else None


def test_nothing_overlaps_and_nothing_is_cut_off(diagram):
    shown = Drawing(diagram.svg)
    assert shown.whole.right == drawing.WIDTH <= 380
    for area, text in shown.texts.items():
        assert area.within(shown.whole), text
        for box in shown.boxes:
            assert area.within(box) or not area.overlaps(box), text
        assert not any(area.overlaps(arrow) for arrow in shown.arrows), text
    for one, other in combinations(shown.texts, 2):
        assert not one.overlaps(other), (shown.texts[one], shown.texts[other])
    for one, other in combinations(shown.boxes, 2):
        assert not one.overlaps(other)
    for box in shown.boxes:
        assert box.within(shown.whole)
        assert not any(arrow.overlaps(box.shrunk(1)) for arrow in shown.arrows)


def test_letters_are_large_enough_for_a_phone(diagram):
    sizes = re.findall(r'font-size="([^"]*)"', diagram.svg)
    assert sizes and all(float(size) >= 12 for size in sizes)


def test_the_words_hold_the_numbers_of_the_drawing(diagram):
    shown = numbers(" ".join(Drawing(diagram.svg).texts.values()))
    assert shown and shown == numbers(diagram.text)


def test_a_drawing_is_the_same_every_time_and_has_no_ids():
    for draw in (diagrams.whole, diagrams.encoder_decoder, diagrams.fusion,
                 diagrams.attention, diagrams.unet):
        diagram = draw(**SMALL)
        assert diagram == draw(**SMALL) and " id=" not in diagram.svg


def test_a_notebook_stores_one_image_and_the_words():
    diagram = diagrams.fusion(**SMALL)
    data, _ = DisplayFormatter().format(diagram)
    assert data == {"image/svg+xml": diagram.svg, "text/plain": diagram.text}


def test_random_numbers_stay_what_they_were():
    torch.manual_seed(0)
    diagrams.unet(**SMALL)
    after = torch.rand(3)
    torch.manual_seed(0)
    assert torch.equal(after, torch.rand(3))


@pytest.mark.parametrize("preset", ["baseline", "attention", "unet"])
def test_the_whole_network_has_the_shapes_of_its_parts(preset):
    network, L, embedding = built(preset, width=0.5)
    lines = diagrams.whole(preset, (64, 96), width=0.5).text.splitlines()
    maps = network.maps(networks.Inputs(L, embedding))
    features = network.decoder(maps[:-1])
    assert f"gray photograph: L: {of(L)}" in lines
    assert any(line.startswith("encoder: ") and line.endswith(of(maps[-1])) for line in lines)
    assert f"decoder: {of(features)}" in lines
    assert f"head: ab: {of(network(networks.Inputs(L, embedding)))}" in lines
    if preset == "attention":
        assert f"attention, score: general: {of(maps[-2])}" in lines
        assert lines[-2].endswith(": 1000 numbers")


@pytest.mark.parametrize("changes", [{"width": 0.5}, {"downsample": "max-pooling", "width": 2.0}])
def test_every_layer_of_encoder_and_decoder_is_drawn_with_its_shape(changes):
    network, x, _ = built("baseline", **changes)
    shapes = [of(x)]
    head = network.head
    for layer in (*network.encoder, *network.decoder, head.last, head.output, head.upsample):
        x = layer(x)
        shapes.append(of(x))
    found = diagrams.encoder_decoder(size=(64, 96), **changes)
    lines = found.text.splitlines()[1 : 1 + len(shapes)]
    assert [line.rsplit(": ", 1)[1] for line in lines] == shapes
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    normed = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert sum(", conv" in line for line in lines) == len(convolutions)
    assert sum(", BN" in line for line in lines) == len(normed)
    assert "stride 1" not in found.text
    word = "stride 2" if "downsample" not in changes else "pool 2"
    assert [word in line for line in lines] == [i in (1, 3, 5) for i in range(len(lines))]


def test_what_is_done_to_L_before_the_encoder_is_drawn():
    words = "join x and y, pad: 3 x 64 x 48"
    changes = {"size": (60, 44), "coordinates": True, "width": 0.25}
    assert words in diagrams.encoder_decoder(**changes).text
    assert words in diagrams.whole(**changes).text
    changes = {"size": 64, "width": 0.25}
    for draw in (diagrams.encoder_decoder, diagrams.whole):
        assert "pad" not in draw(**changes).text and "x and y" not in draw(**changes).text


def test_bars_are_as_wide_as_maps_and_as_high_as_their_channels_go():
    bars = Drawing(diagrams.encoder_decoder().svg).boxes
    wide = [bar.right - bar.left for bar in bars]
    high = [bar.bottom - bar.top for bar in bars]
    assert wide[0] == 2 * wide[1] == 8 * wide[8]  # sides of 256, 128 and 32
    assert high[6] == pytest.approx(2 * high[3], abs=0.2)  # 512 and 128 channels


def test_fusion_has_the_shapes_of_the_layer():
    network, L, embedding = built("fusion", width=0.5, embedding=1001)
    lines = diagrams.fusion(
        "fusion", (64, 96), Spec("inception_resnet_v2", size=299), width=0.5, embedding=1001
    ).text.splitlines()
    encoded, fused = network.encoder(L)[0], network.maps(networks.Inputs(L, embedding))[0]
    _, inputs, *kernel = network.fusion.mix[0].weight.shape
    assert kernel == [1, 1]
    assert lines[1:] == [
        f"gray photograph, L: {of(L)}",
        "resize, gray as R, G and B: 3 x 299 x 299",
        "prior, a classifier: inception_resnet_v2: embedding e: 1001 numbers",
        f"repeat at every position: {of(encoded, 1001)}",
        f"encoder: {of(encoded)}",
        f"join: {encoded.shape[1]} + 1001 channels: {of(encoded, inputs)}",
        f"1 x 1 convolution, BN, ReLU: {of(fused)}",
        "decoder",
    ]


def test_attention_has_the_shapes_of_the_layer():
    network, L, embedding = built("attention", width=0.5)
    lines = diagrams.attention(size=(64, 96), width=0.5).text.splitlines()
    inputs = networks.Inputs(L, embedding)
    alpha, (fused, encoded) = network.attended(inputs), network.maps(inputs)
    (T, S), C, h = alpha.shape[1:], fused.shape[1], network.attention(fused, encoded)
    assert lines[1:] == [
        f"fused map h, {of(fused)}: every h_t, {T} x {C}",
        f"encoder's map h_bar, {of(encoded)}: every h_bar_s, {S} x {C}",
        f"score(h_t, h_bar_s) =, h_t · W_a h_bar_s / √{C}: {T} x {S}",
        f"attention weights alpha_ts: softmax over sources: {T} x {S}",
        f"context, a weighted sum: c_t = Σ_s alpha_ts h_bar_s: {T} x {C}",
        f"join: [c_t; h_t]: {T} x {network.attention.W_c.in_features}",
        f"attention vector: tanh(W_c [c_t; h_t]): {T} x {C}, as a map, {of(h)}",
        "decoder",
    ]


@pytest.mark.parametrize("changes, words", [
    ({"attention": "dot"}, "h_t · h_bar_s / √256"),
    ({"attention": "concat", "attention_scaled": False}, "v · tanh(W_a [h_t; h_bar_s]):"),
    ({"attention_softmax": "targets"}, "softmax over targets"),
    ({"attention_source": "fused"}, "fused map h_bar"),
    ({"embedding": 0}, "encoder's map h,"),
])
def test_attention_is_drawn_as_it_is_set(changes, words):
    assert words not in diagrams.attention(size=64).text
    assert words in diagrams.attention(size=64, **changes).text


@pytest.mark.parametrize("backbone", ["tf_efficientnet_lite0", "resnet18"])
def test_a_unet_has_the_shapes_of_its_maps_and_joins(backbone):
    network, L, _ = built("unet", backbone=backbone, width=0.5, head="quantized")
    lines = diagrams.unet(
        "unet", (64, 96), backbone=backbone, width=0.5, head="quantized"
    ).text.splitlines()
    maps = network.encoder(L)
    for stride, map_ in zip(network.encoder.strides, maps, strict=True):
        assert f"stride {stride}, {of(map_)}" in lines
    for join, skip in zip(network.decoder.joins, maps[-2::-1], strict=True):
        first, second = (layer[0] for layer in join)
        assert (f"join: {first.in_channels} channels, 2 convolutions, "
                f"{of(skip, second.out_channels)}") in lines
    z = network.head(network.decoder(maps))
    assert lines[-2:] == [
        f"head: {z.shape[1]} cells, {of(z)}, annealed mean", f"ab: {of(network(L))}"
    ]


def test_self_attention_is_drawn_where_it_is():
    with_heads = [line for line in diagrams.unet(heads=2, **SMALL).text.splitlines()
                  if "attention, 2 heads" in line]
    assert len(with_heads) == 1 and with_heads[0].endswith("4 x 6")  # stride 16


@pytest.mark.parametrize("draw", [
    lambda: diagrams.whole("none"),
    lambda: diagrams.whole("fusion", size=64, depth=3),
    lambda: diagrams.encoder_decoder("unet", size=64),
    lambda: diagrams.encoder_decoder(size=64, head="quantized"),
    lambda: diagrams.encoder_decoder("fusion", size=64),
    lambda: diagrams.fusion("baseline", size=64),
    lambda: diagrams.attention("fusion", size=64),
    lambda: diagrams.attention(size=64, attention="pointwise"),
    lambda: diagrams.unet("baseline", size=64),
    lambda: diagrams.unet(size=64, embedding=5),
])
def test_what_a_network_has_not_cannot_be_drawn(draw):
    with pytest.raises(ColorlibError):
        draw()
