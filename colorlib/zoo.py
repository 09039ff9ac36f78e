"""Weights by name, file or run folder; those that come with the library each have a card.

A card, ``weights/NAME.json``, holds the file's SHA-256, a line on what the
weights are, what they are bad at, and scores on photographs that they were not
trained on. How they were trained stands in the weights file itself. A card
without a hash is for the file of another card, read with another config.
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

DEFAULT = "unet"
BEST = "best.safetensors"
"""The best weights in a run folder."""

_FOLDER = Path(str(resources.files("colorlib"))) / "weights"


def names() -> list[str]:
    """The weights that come with the library, the default first."""
    return sorted((path.stem for path in _FOLDER.glob("*.json")), key=lambda n: (n != DEFAULT, n))


def card(name: str) -> dict:
    """What is to be known about weights of the library.

    Returns:
        "sha256", or "weights", whose file they are; "changes" to how it answers, if any;
        "summary", "bad_at" (sentences) and "scores": data set -> {"photos",
        "size", "gray", "mean colour", "network", "chroma", "gap"}: the mean
        squared error of ab / 128 over the test split, by three predictions; of
        the network's also the mean chroma ratio, and how much of a classifier's gap
        it closes (`metrics.gap_closed`).
    """
    return json.loads((_FOLDER / f"{name}.json").read_text())


def find(weights: str | Path) -> Path:
    """The file of weights; of a card without a file of its own, the other card's.

    `load` reads it as the card says.

    Args:
        weights: a name of the library's own, verified by its hash; a file, or
            a run folder, of which the best weights are taken. `./baseline` or
            a `Path` is never taken for a name.

    Raises:
        ColorlibError: none of these, or a file of the library that is damaged.
    """
    if own := _own(weights):
        file = own.get("weights", weights)
        path = _FOLDER / f"{file}.safetensors"
        digest = hashlib.sha256(path.read_bytes()) if path.is_file() else None
        if digest is None or digest.hexdigest() != card(file)["sha256"]:
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


def about(weights: str | Path) -> dict:
    """What weights say of themselves, such as the "size" they were trained at.

    Of those of the library also "changes" to how they answer, if their card has some.
    Arguments and errors as for `find`.
    """
    return _about(find(weights), _own(weights))


def _about(path: Path, own: dict) -> dict:
    """What a file says, and its card, if it is the library's own."""
    from colorlib.networks import read_about

    return read_about(path) | {key: own[key] for key in ("changes",) if key in own}


def _own(weights: str | Path) -> dict:
    """The card of weights of the library; an empty one for others."""
    return card(weights) if isinstance(weights, str) and weights in names() else {}


def _file(given: Path) -> Path | None:
    """A file, or the best weights of a run folder; None if there is neither."""
    return next((path for path in (given, given / BEST) if path.is_file()), None)


@dataclass(frozen=True)
class Pretrained:
    """Weights that are ready to use.

    Attributes:
        path: their file.
        model: the network, in evaluation mode.
        about: what `about` says of them.
        name: a short name: of the library's own, of the file, or of its run folder.
    """

    path: Path
    model: "Colorizer"
    about: dict
    name: str

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
    from colorlib.networks import load_weights

    path, own = find(weights), _own(weights)
    said = _about(path, own)
    folder = os.path.basename(os.path.dirname(os.path.abspath(path)))
    name = folder if folder and path.name == BEST else path.stem
    model = load_weights(path, **said.get("changes", {}))
    return Pretrained(path, model, said, str(weights) if own else name)
