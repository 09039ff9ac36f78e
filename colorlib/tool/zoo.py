"""Weights by name, file or run folder; those that come with the library have a name and a card."""

import hashlib
import json
import os
import warnings
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from colorlib import files
from colorlib.base.errors import ColorlibError

if TYPE_CHECKING:  # torch takes its time, and a list of names need not wait for it
    from colorlib.networks import Colorizer
    from colorlib.networks.priors import Prior

DEFAULT = "unet"
BEST = "best.safetensors"
"""The best weights in a run folder."""

FOLDER = Path(str(resources.files("colorlib"))) / "weights"
"""The library's own, ``NAME.safetensors``, with their cards, ``NAME.json``."""


@dataclass(frozen=True)
class Card:
    """What is to be known of weights; how they were trained stands in their file.

    Attributes:
        summary: a line on what they are.
        sha256: of the file; None if they are the file of another card.
        weights: the name of that card.
        changes: how they answer, other than the file says: settings in the head's `ANSWERS`.
        bad_at: what they are bad at, in sentences.
        scores: data set -> "photos", "size", "gray", "mean colour", "network", "chroma",
            "gap": the mean squared error of ab / 128 over the test split by three
            predictions; of the network's also the mean chroma ratio, and how much of a
            classifier's gap it closes (`metrics.gap_closed`).
    """

    summary: str
    sha256: str | None = None
    weights: str | None = None
    changes: dict[str, float] = field(default_factory=dict)
    bad_at: list[str] = field(default_factory=list)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)


def names() -> list[str]:
    """The weights that come with the library, the default first."""
    return sorted((path.stem for path in FOLDER.glob("*.json")), key=lambda n: (n != DEFAULT, n))


def card(weights: str | Path) -> Card | None:
    """The card of weights with a name; None of others."""
    if not isinstance(weights, str) or weights not in names():
        return None
    return Card(**json.loads((FOLDER / f"{weights}.json").read_text(encoding="utf-8")))


def find(weights: str | Path) -> Path:
    """The file of weights; of a card without a file of its own, the other card's.

    `load` reads it as the card says.

    Args:
        weights: a name of the library's own, verified by its hash; a file, or a run folder,
            of which the best weights are taken. `./unet` or a `Path` is never taken for a name.

    Raises:
        ColorlibError: none of these, or a file with a card that is damaged.
    """
    given, own = files.user_path(weights), card(weights)
    there = next((path for path in (given, given / BEST) if path.is_file()), None)
    if own is None:
        if there is None and given.is_dir():
            raise ColorlibError(f"the folder {given} holds no {BEST}")
        if there is None:
            raise ColorlibError(
                f"no weights file or run folder {given}; "
                f"the library's own are {', '.join(names())}"
            )
        return there
    if there is not None:
        warnings.warn(
            f"{weights!r} is taken for the library's own weights, not for {there}: "
            f"write ./{weights} for that",
            stacklevel=2,
        )
    path = FOLDER / f"{own.weights or weights}.safetensors"
    whose = card(path.stem)
    content = path.read_bytes() if path.is_file() else b""
    if whose is None or hashlib.sha256(content).hexdigest() != whose.sha256:
        raise ColorlibError(f"the weights {weights!r} are damaged: install colorlib again")
    return path


@dataclass(frozen=True)
class Pretrained:
    """Weights that are ready to use.

    Attributes:
        path: their file.
        model: the network, in evaluation mode.
        name: a short name: of their card, of the file, or of its run folder.
    """

    path: Path
    model: "Colorizer"
    name: str

    @property
    def about(self) -> dict:
        """What they say of themselves, such as the "size" they were trained at.

        "changes" to how they answer are their card's.
        """
        return self.model.about

    @property
    def size(self) -> int:
        """The side in pixels of the photographs that they were trained on."""
        return self.about.get("size", 256)

    def prior(self) -> "Prior | None":
        """The global prior with which they were trained, made anew; None if there is none.

        Raises:
            ColorlibError: there is one, and they do not say which; or it is no
                longer the same.
        """
        from colorlib.networks.priors import Prior

        if not self.model.config.embedding:
            return None
        if not self.about.get("prior"):
            raise ColorlibError(f"{self.path} does not say with which prior it was trained")
        described = dict(self.about["prior"])
        described.pop("embedded_on", None)
        key = described.pop("sha256", None)  # older weights have none
        prior = Prior(**described)
        if key not in (None, prior.key):
            what = prior.spec.weights or prior.spec.name
            raise ColorlibError(
                f"{self.path} was trained with another prior than {what} is now"
            )
        return prior


def load(weights: str | Path = DEFAULT) -> Pretrained:
    """Weights and what they say of themselves; arguments and errors as for `find`.

    Raises:
        ColorlibError: also if the file is damaged or foreign.
    """
    from colorlib.tool.weights import load_weights

    path, own = find(weights), card(weights)
    model = load_weights(path, **own.changes if own else {})
    if own and own.changes:
        model.about["changes"] = own.changes
    return Pretrained(path, model, str(weights) if own else _name_of(path))


def _name_of(path: Path) -> str:
    """A short name of a file: its own, or its run folder's."""
    folder = os.path.basename(os.path.dirname(os.path.abspath(path)))
    return folder if folder and path.name == BEST else path.stem


def data_of(about: dict) -> list[str]:
    """The names of the data sets and folders that weights say they were trained on."""
    data = about.get("data")
    if isinstance(data, str):
        return [data]
    return [str(name) for name in data] if isinstance(data, list | dict) else []
