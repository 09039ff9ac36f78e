"""The weights that come with the library: by name, checked, each with a card.

A card, ``weights/NAME.json``, holds the file's SHA-256, a line on what the
weights are, what they are bad at, and scores on photographs that they were not
trained on. How they were trained stands in the weights file itself.
"""

import hashlib
import json
from importlib import resources
from pathlib import Path

from colorlib.errors import ColorlibError

DEFAULT = "baseline"

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
    """The file behind a name, verified by its hash, or behind a path.

    Raises:
        ColorlibError: neither, or a file of the library that is damaged.
    """
    if str(weights) in names():
        path = _FOLDER / f"{weights}.safetensors"
        digest = hashlib.sha256(path.read_bytes()) if path.is_file() else None
        if digest is None or digest.hexdigest() != card(str(weights))["sha256"]:
            raise ColorlibError(f"the weights {weights!r} are damaged: install colorlib again")
        return path
    if Path(weights).is_file():
        return Path(weights)
    raise ColorlibError(
        f"no weights file {weights}; the library's own are {', '.join(names())}"
    )
