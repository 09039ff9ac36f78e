"""Weights by name, file or run folder; those with a name each have a card.

A card, ``NAME.json`` beside ``NAME.safetensors``, holds the file's SHA-256, a line on
what the weights are, what they are bad at, and how well they do. How they were trained
stands in the weights file itself. A card without a hash is for the file of another card,
read with another config. Those that come with the library lie in its folder ``weights``;
those that a person adds, in a folder of that person's.
"""

import hashlib
import json
import os
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from colorlib.base.errors import ColorlibError

if TYPE_CHECKING:  # torch takes its time, and a list of names need not wait for it
    from colorlib.networks import Colorizer
    from colorlib.networks.priors import Prior

DEFAULT = "unet"
BEST = "best.safetensors"
"""The best weights in a run folder."""

_FOLDER = Path(str(resources.files("colorlib"))) / "weights"
_NAME = re.compile(r"\w[\w.-]*")  # no folder, nothing hidden, no option


def names() -> list[str]:
    """The weights that come with the library, the default first."""
    return sorted((path.stem for path in _FOLDER.glob("*.json")), key=lambda n: (n != DEFAULT, n))


def added_dir() -> Path:
    """Where added weights are kept.

    ``COLORLIB_WEIGHTS``, or `weights` in the user's data folder if that is not set.
    """
    from colorlib.files import user_path

    folder = os.environ.get("COLORLIB_WEIGHTS")
    return user_path(folder) if folder else platformdirs.user_data_path("colorlib") / "weights"


def added() -> list[str]:
    """The weights that were added (`add`). The library's own names are never among them."""
    found = {path.stem for path in added_dir().glob("*.json") if _NAME.fullmatch(path.stem)}
    return sorted(found - set(names()))


def card(name: str) -> dict:
    """What is to be known about weights with a name.

    Returns:
        "sha256", or "weights", whose file they are; "changes" to how it answers, if any;
        "summary", "bad_at" (sentences) and "scores": data set -> {"photos",
        "size", "gray", "mean colour", "network", "chroma", "gap"}: the mean
        squared error of ab / 128 over the test split, by three predictions; of
        the network's also the mean chroma ratio, and how much of a classifier's gap
        it closes (`metrics.gap_closed`). Of added weights also "trained": names of
        "data", how many "photos", and so on; and "validation": the losses of
        "network", "gray" and "mean colour".

    Raises:
        ColorlibError: that of added weights is none any more.
    """
    if name in names():
        return json.loads((_FOLDER / f"{name}.json").read_text())
    return _read_card(added_dir() / f"{name}.json")


def find(weights: str | Path) -> Path:
    """The file of weights; of a card without a file of its own, the other card's.

    `load` reads it as the card says.

    Args:
        weights: a name of the library's own or of added ones, verified by its
            hash; a file, or a run folder, of which the best weights are taken.
            `./baseline` or a `Path` is never taken for a name.

    Raises:
        ColorlibError: none of these, or a file with a card that is damaged.
    """
    if not (own := _own(weights)):
        return _given(weights)
    file, shipped = own.get("weights", weights), weights in names()
    path = (_FOLDER if shipped else added_dir()) / f"{file}.safetensors"
    if not path.is_file() or _sha256(path.read_bytes()) != card(file)["sha256"]:
        remedy = "install colorlib again" if shipped else f"delete {path} and its card"
        raise ColorlibError(f"the weights {weights!r} are damaged: {remedy}")
    if other := _file(Path(weights)):
        whose = "the library's own" if shipped else "the added"
        warnings.warn(
            f"{weights!r} is taken for {whose} weights, not for {other}: "
            f"write ./{weights} for that",
            stacklevel=2,
        )
    return path


def _given(weights: str | Path) -> Path:
    """The file of weights that are given by a path.

    Raises:
        ColorlibError: there is none.
    """
    from colorlib.files import user_path

    given = user_path(weights)
    if found := _file(given):
        return found
    if given.is_dir():
        raise ColorlibError(f"the folder {given} holds no {BEST}")
    theirs = f"; added are {', '.join(added())}" if added() else ""
    raise ColorlibError(
        f"no weights file or run folder {given}; the library's own are {', '.join(names())}"
        + theirs
    )


def about(weights: str | Path) -> dict:
    """What weights say of themselves, such as the "size" they were trained at.

    Of those with a card also "changes" to how they answer, if it has some.
    Arguments and errors as for `find`.
    """
    return look_up(weights)[1]


def look_up(weights: str | Path) -> tuple[Path, dict, dict]:
    """What `find` and `about` give, and the `card`, {} if there is none; the file is hashed once.

    Arguments and errors as for `find`.
    """
    from colorlib.tool.weights import read_about

    path, own = find(weights), _own(weights)
    return path, read_about(path) | {key: own[key] for key in ("changes",) if key in own}, own


def _own(weights: str | Path) -> dict:
    """The card of weights with a name; an empty one for others."""
    known = isinstance(weights, str) and (weights in names() or weights in added())
    return card(str(weights)) if known else {}


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
        name: a short name: of their card, of the file, or of its run folder.
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
        from colorlib.networks.priors import Prior

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
    from colorlib.tool.weights import load_weights

    path, said, own = look_up(weights)
    model = load_weights(path, **said.get("changes", {}))
    return Pretrained(path, model, said, str(weights) if own else _name_of(path))


def _name_of(path: Path) -> str:
    """A short name of a file: its own, or its run folder's."""
    folder = os.path.basename(os.path.dirname(os.path.abspath(path)))
    return folder if folder and path.name == BEST else path.stem


# Adding ---------------------------------------------------------------------------


def add(
    weights: str | Path,
    name: str | None = None,
    summary: str | None = None,
    bad_at: Sequence[str] = (),
) -> str:
    """Keep a copy of weights, with a card, under a name by which `find` knows them.

    The two files in `added_dir` can be given to others. Where a weights file has its
    card beside it, the file is verified by it, and the card's words are taken over.

    Args:
        weights: a file or a run folder.
        name: by default that of the file, or of its run folder.
        summary: a line on what they are; by default the card's, or what they were trained on.
        bad_at: sentences; by default the card's.

    Returns:
        The name.

    Raises:
        ColorlibError: no such file, one that is damaged or not the card's, a name that is
            taken or none, a folder that cannot be written.
    """
    from colorlib.files.paths import open_file
    from colorlib.tool.weights import load_weights, read_about

    path = _given(weights)
    name = _free(_name_of(path) if name is None else name)
    beside = path.with_suffix(".json")
    theirs = _read_card(beside) if beside.exists() else {}
    load_weights(path, **theirs.get("changes", {}))  # else nobody could use them
    with open_file(path) as file:
        content = file.read()
    digest = _sha256(content)
    if theirs and theirs["sha256"] != digest:
        raise ColorlibError(f"{path} is damaged, or another file than {beside} is the card of")
    about = read_about(path)
    card = {
        "sha256": digest,
        "summary": f"trained on {', '.join(_data(about)) or 'photographs unknown'}",
        "bad_at": [],
        "scores": {},
    }
    card |= theirs | {"trained": _trained(about), "validation": _validation(about)}
    if summary is not None:
        card["summary"] = summary
    if bad_at:
        card["bad_at"] = list(bad_at)
    # In ASCII: a folder's name may have bytes that are not UTF-8.
    text = json.dumps(card, indent=1) + "\n"
    kept = added_dir() / f"{name}.safetensors"
    # One without a card is left of an interrupted call, or is none of ours.
    if not (kept.is_file() and _sha256(kept.read_bytes()) == digest):
        _write(kept, content)
    _write(kept.with_suffix(".json"), text.encode())
    return name


def _free(name: str) -> str:
    """A name that weights can be added under.

    Raises:
        ColorlibError: it is taken, or no name.
    """
    if not _NAME.fullmatch(name):
        raise ColorlibError(
            f"{name!r} is no name for weights: take letters, digits, '.', '-' and '_' (--name)"
        )
    for taken in (*names(), *added()):
        if taken.casefold() == name.casefold():  # some file systems tell no difference
            whose = "of the library" if taken in names() else f"in {added_dir()}"
            raise ColorlibError(
                f"there are weights {taken!r} {whose} already: give another name (--name)"
            )
    return name


def _write(path: Path, content: bytes) -> None:
    """Write a new file among the added weights, whole or not at all."""
    from colorlib import files

    try:
        files.write(path, lambda part: part.write_bytes(content))
    except ColorlibError as error:
        raise ColorlibError(f"{error}; set COLORLIB_WEIGHTS to another folder") from error


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


_SCORES = ("photos", "size", "gray", "mean colour", "network", "chroma", "gap")


def _read_card(path: Path) -> dict[str, Any]:
    """A card that anybody may have written; what does not belong into one is left out.

    Raises:
        ColorlibError: it is none.
    """

    def numbers(row: Any, wanted: Sequence[str] = ()) -> bool:
        return {*wanted} <= {*row} and all(isinstance(x, int | float) for x in row.values())

    def texts(found: Any) -> bool:
        return isinstance(found, list) and all(isinstance(text, str) for text in found)

    checks: dict[str, Callable[[Any], bool]] = {
        "sha256": lambda text: isinstance(text, str),
        "summary": lambda text: isinstance(text, str),
        "bad_at": texts,
        "changes": numbers,
        "scores": lambda sets: all(numbers(row, _SCORES) for row in sets.values()),
        "trained": lambda row: all(texts(row.get(key, [])) for key in ("data", "before")),
        "validation": numbers,
    }
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        card = {key: found[key] for key in checks if key in found}
        right = "sha256" in card and all(checks[key](card[key]) for key in card)
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        right = False
    if not right:
        raise ColorlibError(f"{path} is no card of weights, as 'colorlib weights add' writes it")
    return card


def _data(about: dict) -> list[str]:
    """The names of the data sets and folders that weights were trained on."""
    data = about.get("data")
    if isinstance(data, str):
        return [data]
    return list(dict.fromkeys(map(str, data))) if isinstance(data, list | dict) else []


def _inside(about: dict, key: str) -> dict:
    """A dict that weights say under a key; those that others wrote may say anything there."""
    found = about.get(key)
    return found if isinstance(found, dict) else {}


def _trained(about: dict) -> dict[str, Any]:
    """How weights were trained, for a card; only what they say."""
    before, begun = _inside(about, "init"), list[str]()
    while before:
        begun += _data(before)
        before = _inside(before, "init")
    found = {
        "data": _data(about),
        "photos": _inside(about, "trained_on").get("count"),
        "before": list(dict.fromkeys(begun)),
        "size": about.get("size"),
        "epoch": about.get("epoch"),
        "epochs": _inside(about, "settings").get("epochs"),
        "commit": about.get("commit"),
    }
    return {key: value for key, value in found.items() if value}


def _validation(about: dict) -> dict[str, float]:
    """The losses on validation photographs of the network, gray and mean colour, for a card."""
    losses = {"network": about.get("val_loss"), **_inside(about, "baselines")}
    return {name: loss for name, loss in losses.items() if isinstance(loss, int | float)}
