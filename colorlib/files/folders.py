"""Folders: which photographs they hold, and where the colorized ones go."""

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from colorlib.base.errors import ColorlibError
from colorlib.files import formats
from colorlib.files.paths import MAY_NOT_BE_READ, identities, user_path, why_unreadable


class LeftOut(NamedTuple):
    """A file or folder in which no photograph is looked for, and why: "{path} {reason}"."""

    path: Path
    reason: str


_NO_IMAGE = "is no image"
_READ_ALREADY = "links to a folder that is read already"
_AROUND = "links to a folder around it"
_NO_FILE = "is no file"
_COUNTED = {  # reason -> what one and several are called
    _NO_IMAGE: ("file that is no image", "files that are no images"),
    formats.NEEDS_PILLOW_HEIF: (
        "HEIC photograph (pip install pillow-heif)", "HEIC photographs (pip install pillow-heif)"
    ),
    MAY_NOT_BE_READ: ("that may not be read", "that may not be read"),
    _READ_ALREADY: ("link to a folder that is read already",
                    "links to folders that are read already"),
    _AROUND: ("link to a folder around it", "links to folders around them"),
    _NO_FILE: ("link to nothing or other special file", "links to nothing or other special files"),
}


def walk(folder: Path | str, skip: Path | None = None) -> tuple[list[Path], list[LeftOut]]:
    """The photographs in a folder and all below it, sorted, and what was left out.

    Photographs are known by `formats.photograph_suffixes`. Links are followed; a folder that can
    be reached in several ways is read once, by a way without links if there is
    one. Hidden files and folders, and the folder `skip`, are left out silently.

    Raises:
        ColorlibError: there is no such folder.
    """
    folder = user_path(folder)
    if not os.path.isdir(folder):
        raise ColorlibError(f"there is no folder {folder}")
    found: list[Path] = []
    left_out: list[LeftOut] = []
    skipped = identities(skip) if skip else set()
    read_already: set[tuple[int, int]] = set()
    around: set[tuple[int, int]] = set()  # folders that hold those which are read
    waiting = [folder]
    while waiting:
        links: list[Path] = []
        for top in sorted(waiting):
            own = identities(top)
            if top != folder and own & skipped:
                continue
            if own & (read_already | around):
                left_out.append(LeftOut(top, _READ_ALREADY if own & read_already else _AROUND))
                continue
            read_already |= own
            around |= identities(*Path(os.path.realpath(top)).parents)
            problems: list[OSError] = []
            for here, folders, names in os.walk(top, onerror=problems.append):
                inside = []
                for name in folders:
                    path = Path(here, name)
                    own = identities(path)
                    if name.startswith(".") or own & skipped:
                        continue
                    if path.is_symlink():
                        links.append(path)
                    elif own & read_already:  # mounted twice
                        left_out.append(LeftOut(path, _READ_ALREADY))
                    else:
                        read_already |= own
                        inside.append(name)
                folders[:] = inside  # which os.walk goes on with
                for file in (Path(here, name) for name in names if not name.startswith(".")):
                    if reason := _why_no_photograph(file):
                        left_out.append(LeftOut(file, reason))
                    else:
                        found.append(file)
            left_out += [LeftOut(Path(problem.filename), MAY_NOT_BE_READ) for problem in problems]
        waiting = links
    return sorted(found), sorted(left_out)


def _why_no_photograph(path: Path) -> str | None:
    """Why a file is not taken for a photograph, from the outside; None if it is."""
    suffix = path.suffix.lower()
    if suffix not in formats.photograph_suffixes():
        return formats.NEEDS_PILLOW_HEIF if suffix in formats.HEIC_SUFFIXES else _NO_IMAGE
    try:
        return None if stat.S_ISREG(os.stat(path).st_mode) else _NO_FILE
    except PermissionError:
        return MAY_NOT_BE_READ
    except (OSError, ValueError):
        return _NO_FILE


def describe(left_out: Sequence[LeftOut]) -> str | None:
    """What `walk` left out, in one line; None if nothing.

    As in: "left out: 3 files that are no images (.txt 2, .mov 1), 1 HEIC
    photograph (pip install pillow-heif)".
    """
    parts = []
    for reason, (one, several) in _COUNTED.items():
        paths = [item.path for item in left_out if item.reason == reason]
        if paths:
            part = f"{len(paths)} {one if len(paths) == 1 else several}"
            if reason == _NO_IMAGE:
                counts = Counter(path.suffix.lower() or "no suffix" for path in paths)
                ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
                part += f" ({', '.join(f'{suffix} {count}' for suffix, count in ranked)})"
            parts.append(part)
    return f"left out: {', '.join(parts)}" if parts else None


class Job(NamedTuple):
    """A photograph and the file that its colours go to, or why they cannot."""

    photo: Path
    out: Path | None
    error: str | None = None


def plan(
    inputs: Sequence[Path | str], out: Path | str, overwrite: bool = False
) -> tuple[list[Job], list[LeftOut]]:
    """Every photograph of files and folders, and where to write it.

    A single file goes to the file `out`, if that ends like an image and not
    with a slash. Else `out` is a folder: files keep their names there, folders
    their structure; a format that cannot keep colours gets `.png` appended.

    Returns:
        A job for each photograph, with an error for each that cannot be read
        or written (the others go on) and for each folder that may not be read
        or holds none; and what else of the folders was left out, for `describe`.

    Raises:
        ColorlibError: nothing can be written to `out` at all.
    """
    named_as_folder = str(out).endswith(("/", os.sep))
    paths, out = [user_path(path) for path in inputs], user_path(out)
    single = len(paths) == 1 and not os.path.isdir(paths[0])
    suffix = out.suffix.lower()
    as_file = not os.path.isdir(out) and (
        os.path.exists(out) or (suffix in formats.image_suffixes() and not named_as_folder)
    )
    if as_file and named_as_folder:
        raise ColorlibError(f"{out} is no folder")
    if as_file and not single:
        raise ColorlibError(f"{out} is no folder, which several photos need")
    left_out: list[LeftOut] = []
    if as_file:
        if suffix not in formats.colour_suffixes():
            known = ", ".join(sorted(formats.colour_suffixes()))
            raise ColorlibError(f"{out} does not end like an image in colour: {known}")
        if not os.path.isdir(out.parent):
            raise ColorlibError(f"there is no folder {out.parent}")
        found = [Job(paths[0], out)]
    else:
        found = [job for path in paths for job in _jobs_of(path, out, left_out)]
    taken: set[Path] = set()
    photos = {os.path.realpath(job.photo) for job in found}
    checked = []
    for job in found:
        if job.out is not None and (
            error := _why_refused(job.photo, job.out, taken, photos, overwrite)
        ):
            job = Job(job.photo, None, error)
        checked.append(job)
    return checked, left_out


def _jobs_of(path: Path, out: Path, left_out: list[LeftOut]) -> Iterator[Job]:
    """The jobs of a file or folder, not yet checked; adds to `left_out`."""
    if not os.path.isdir(path):
        yield Job(path, out / _name_in_colour(Path(path.name)))
        return
    photos, others = walk(path, skip=out)  # not into what was written before
    for photo in photos:
        yield Job(photo, out / _name_in_colour(photo.relative_to(path)))
    closed = [item for item in others if item.reason == MAY_NOT_BE_READ]
    left_out += [item for item in others if item.reason != MAY_NOT_BE_READ]
    for item in closed:
        yield Job(item.path, None, f"{item.path} {item.reason}")
    if not photos and not closed:
        yield Job(path, None, f"there are no photos in {path}")


def _name_in_colour(name: Path) -> Path:
    """A photograph's name, with `.png` appended if its format cannot keep colours."""
    in_colour = name.suffix.lower() in formats.colour_suffixes()
    return name if in_colour else name.with_name(name.name + ".png")


def _why_refused(
    photo: Path, out: Path, taken: set[Path], photos: set[str], overwrite: bool
) -> str | None:
    """Why a photograph may not be written to `out`; None if it may.

    Args:
        taken: where those before it go; `out` is added.
        photos: the resolved paths of all of them, of which none may be lost.
    """
    if problem := why_unreadable(photo):
        return problem
    if identities(photo) & identities(out):
        return f"{photo} would be overwritten by its own colours"
    if os.path.realpath(out) in photos:
        return f"{photo} would overwrite {out}, another of the photos"
    if out in taken:
        return f"{photo} would go to {out}, as another photo does"
    taken.add(out)
    if os.path.lexists(out) and not overwrite:
        return f"{out} exists already and is not overwritten"
    return None
