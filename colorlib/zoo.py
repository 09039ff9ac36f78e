"""Weights by name, file or run folder; those that come with the library each have a card.

A card, ``weights/NAME.json``, holds the file's SHA-256, a line on what the
weights are, what they are bad at, and scores on photographs that they were not
trained on. How they were trained stands in the weights file itself.
"""

import hashlib
import json
import os
import warnings
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from colorlib.errors import ColorlibError

if TYPE_CHECKING:  # torch takes its time, and a list of names need not wait for it
    from colorlib.networks import Colorizer
    from colorlib.priors import Prior

DEFAULT = "baseline"
BEST = "best.safetensors"
"""The best weights in a run folder."""

_FOLDER = Path(str(resources.files("colorlib"))) / "weights"


def names() -> list[str]:
    """The weights that come with the library, the default first."""
    return sorted((path.stem for path in _FOLDER.glob("*.json")), key=lambda n: (n != DEFAULT, n))


def card(name: str) -> dict:
    """What is to be known about weights of the library.

    Returns:
        "sha256", "summary", "bad_at" (sentences) and "scores": data set ->
        {"photos", "size", "gray", "mean colour", "network"}, the last three
        the mean squared error of ab / 128 over the test split.
    """
    return json.loads((_FOLDER / f"{name}.json").read_text())


def find(weights: str | Path) -> Path:
    """The file of weights.

    Args:
        weights: a name of the library's own, verified by its hash; a file, or
            a run folder, of which the best weights are taken. `./baseline` or
            a `Path` is never taken for a name.

    Raises:
        ColorlibError: none of these, or a file of the library that is damaged.
    """
    if isinstance(weights, str) and weights in names():
        path = _FOLDER / f"{weights}.safetensors"
        digest = hashlib.sha256(path.read_bytes()) if path.is_file() else None
        if digest is None or digest.hexdigest() != card(weights)["sha256"]:
            raise ColorlibError(f"the weights {weights!r} are damaged: install colorlib again")
        if other := _file(Path(weights)):
            warnings.warn(
                f"{weights!r} is taken for the library's own weights, not for {other}: "
                f"write ./{weights} for that",
                stacklevel=2,
            )
        return path
    from colorlib.files import user_path

    given = user_path(weights)
    if found := _file(given):
        return found
    if given.is_dir():
        raise ColorlibError(f"the folder {given} holds no {BEST}")
    raise ColorlibError(
        f"no weights file or run folder {given}; the library's own are {', '.join(names())}"
    )


def _file(given: Path) -> Path | None:
    """A file, or the best weights of a run folder; None if there is neither."""
    return next((path for path in (given, given / BEST) if path.is_file()), None)


@dataclass(frozen=True)
class Pretrained:
    """Weights that are ready to use.

    Attributes:
        path: their file.
        model: the network, in evaluation mode.
        about: what they say of themselves, such as the "size" they were trained at.
    """

    path: Path
    model: "Colorizer"
    about: dict

    @property
    def name(self) -> str:
        """A short name: of the file, or of its run folder."""
        folder = os.path.basename(os.path.dirname(os.path.abspath(self.path)))
        return folder if folder and self.path.name == BEST else self.path.stem

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
        from colorlib.priors import Prior

        if not self.model.config.embedding:
            return None
        if not self.about.get("prior"):
            raise ColorlibError(f"{self.path} does not say with which prior it was trained")
        fields = dict(self.about["prior"])
        key = fields.pop("sha256", None)  # older weights have none
        prior = Prior(**fields)
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
    from colorlib.networks import load_weights, read_about

    path = find(weights)
    return Pretrained(path, load_weights(path), read_about(path))
