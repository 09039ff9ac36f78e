"""Boxes, arrows and text as SVG, and the same in words: what the diagrams are drawn with."""

import math
import re
from dataclasses import dataclass
from typing import Any, NamedTuple
from xml.etree import ElementTree

WIDTH = 352  # CSS pixels: what a page leaves of the 400 of a phone
FONT, INDEX = 13, 12  # sizes of letters, and of indices
LINE, GAP, EDGE = 17, 38, 4  # a line of text, an arrow with its label, a margin
INK = "#1f2933"
KINDS = {  # fill, stroke, dashes: one meaning, one look
    "given": ("#e5e7eb", "#6b7280", "none"),
    "learned": ("#dbeafe", "#1d4ed8", "none"),
    "frozen": ("#dbeafe", "#1d4ed8", "5 3"),
    "no weights": ("#ffffff", "#6b7280", "none"),
    "predicted": ("#ffedd5", "#c2410c", "none"),
}
TIMES, ALPHA = "\N{MULTIPLICATION SIGN}", "\N{GREEK SMALL LETTER ALPHA}"
_WORDS = {":\n": ": ", "\n": ", ", TIMES: "x", ALPHA: "alpha", "h̄": "h_bar"}

Point = tuple[float, float]
Step = tuple[str, str, str]  # the lines in a box, its kind, and what comes out of it


@dataclass(frozen=True)
class Diagram:
    """A drawing, which a notebook shows.

    Attributes:
        svg: as SVG, `WIDTH` pixels wide.
        text: in words, about a line for each box, with the same numbers.
    """

    svg: str
    text: str

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return self.text


class Box(NamedTuple):
    """Where a box is: its middle and its sides."""

    x: float
    y: float
    left: float
    right: float
    top: float
    bottom: float


class Canvas:
    """Boxes, arrows and text, and the same in words."""

    def __init__(self, title: str):
        self.words, self.kinds, self.bottom = [title], set[str](), 0.0
        self.elements: list[ElementTree.Element] = []

    def flow(self, x: float, top: float, width: float, steps: list[Step]) -> list[Box]:
        """Boxes below each other, and arrows between them with what passes there."""
        boxes: list[Box] = []
        passing = ""
        for lines, kind, label in steps:
            height = _high(lines)
            if boxes:
                top = boxes[-1].bottom + max(GAP, _high(passing))
                self.arrow((x, boxes[-1].bottom), (x, top), label=passing)
            boxes.append(self.box(x, top + height / 2, width, lines, kind))
            self.say(*filter(None, (lines, label)))
            passing = label
        return boxes

    def box(
        self, x: float, y: float, width: float, lines: str, kind: str, height: float = 0
    ) -> Box:
        """Around x and y; without a height, as high as its lines need."""
        height = height or _high(lines)
        box = Box(x, y, x - width / 2, x + width / 2, y - height / 2, y + height / 2)
        fill, stroke, dashes = KINDS[kind]
        self._add(
            "rect", box.bottom, x=box.left, y=box.top, width=width, height=height,
            rx=min(5, width / 4, height / 4), fill=fill, stroke=stroke, stroke_width=1.5,
            stroke_dasharray=dashes,
        )
        self.kinds.add(kind)
        if lines:
            self.text(x, y, lines, "middle")
        return box

    def arrow(self, *points: Point, label: str = "") -> None:
        """Along points, each beside, above or below the one before; the label at its end."""
        (x0, y0), (x, y) = points[-2:]
        dx, dy = ((u > v) - (u < v) for u, v in ((x, x0), (y, y0)))
        back = x - 7 * dx, y - 7 * dy
        corners = [(back[0] + side * dy, back[1] + side * dx) for side in (4, -4)]
        self._add("polyline", y, points=_points(*points[:-1], back), fill="none", stroke=INK,
                  stroke_width=1.2)
        self._add("polygon", y, points=_points((x, y), *corners), fill=INK)
        if label:
            self.text(x + 8, (y0 + y) / 2, label)

    def text(
        self, x: float, y: float, lines: str, anchor: str = "start", bold: bool = False
    ) -> None:
        """Lines whose middle is at y; _{...} is an index."""
        count, weight = lines.count("\n"), "bold" if bold else "normal"
        for i, line in enumerate(lines.split("\n")):
            middle = y + LINE * (i - count / 2)
            element = self._add("text", middle + LINE / 2, x=x, y=middle + 4.5,
                                text_anchor=anchor, font_weight=weight)
            element.text, *rest = re.split(r"_\{(\w+)\}", line)
            for index, after in zip(rest[::2], rest[1::2], strict=True):
                lowered = {"dy": "4", "font-size": f"{INDEX}"}
                ElementTree.SubElement(element, "tspan", lowered).text = index
                ElementTree.SubElement(element, "tspan", {"dy": "-4"}).text = after

    def say(self, *parts: str) -> None:
        """Add what was drawn to the words, its signs as code and text have them."""
        said = re.sub(r"\{(\w+)\}", r"\1", ": ".join(parts))
        for sign, word in _WORDS.items():
            said = said.replace(sign, word)
        self.words.append(said)

    def finish(self) -> Diagram:
        """The drawing, with what its colours mean at its foot."""
        top = self.bottom + 24
        for i, kind in enumerate(kind for kind in KINDS if kind in self.kinds):
            x, y = EDGE + 9 + i % 3 * 116, top + i // 3 * 22
            self.box(x, y, 18, "", kind, 12)
            self.text(x + 16, y, kind)
        width, height = f"{WIDTH}", f"{math.ceil(self.bottom + EDGE)}"
        svg = ElementTree.Element("svg", {
            "xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {width} {height}",
            "width": width, "height": height, "font-family": "sans-serif",
            "font-size": f"{FONT}", "fill": INK, "role": "img", "aria-label": self.words[0],
        })
        text = "\n".join(self.words)
        ElementTree.SubElement(svg, "desc").text = text
        background = {"width": width, "height": height, "fill": "white"}
        ElementTree.SubElement(svg, "rect", background)
        svg.extend(self.elements)
        svg.text = "\n"
        for element in svg:  # one a line, so that a change can be read
            element.tail = "\n"
        return Diagram(ElementTree.tostring(svg, encoding="unicode"), text)

    def _add(self, tag: str, bottom: float, **attributes: Any) -> ElementTree.Element:
        self.bottom = max(self.bottom, bottom)
        self.elements.append(ElementTree.Element(tag, {
            name.replace("_", "-"): v if isinstance(v, str) else f"{round(v, 1):g}"
            for name, v in attributes.items()
        }))
        return self.elements[-1]


def _high(lines: str) -> float:
    return LINE * (lines.count("\n") + 1) + 12


def _points(*points: Point) -> str:
    return " ".join(f"{round(x, 1):g},{round(y, 1):g}" for x, y in points)
