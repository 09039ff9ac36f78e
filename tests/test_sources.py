"""Where photographs come from: folders, lists, torchvision and archives, and their hashes."""

import dataclasses
import gzip
import hashlib
import io
import lzma
import os
import random
import re
import shutil
import sqlite3
import tarfile
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torchvision
from checks import one_sentence
from PIL import Image

from colorlib import data
from colorlib.base.errors import ColorlibError, NotHere
from colorlib.data import catalogue, downloads, hashes, sources, torchvision_sets

pytestmark = pytest.mark.usefixtures("cache")


def photograph(seed: int, kind: str = "PNG") -> bytes:
    """A small photograph's file, another one for each seed."""
    content = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(pixels).save(content, kind)
    return content.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def by_md5(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: hashlib.md5(name.encode()).hexdigest())


def fill(root: Path, counts: dict[str, int]) -> Path:
    """Photographs in folders of `root`, each with its own number and content."""
    number = 0
    for name, count in counts.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for _ in range(count):
            (root / name / f"{number:02}.png").write_bytes(photograph(number))
            number += 1
    return root


@pytest.fixture
def folder(tmp_path) -> Path:
    """Thirty photographs in a flat folder."""
    return fill(tmp_path / "photos", {"": 30})


def divided(source) -> dict[str, list[data.Photo]]:
    """The splits, of which no two share a file or what is in it."""
    parts = {split: data.photos(source, split) for split in data.SPLITS}
    every = [photo for part in parts.values() for photo in part]
    assert len({os.path.realpath(photo.path) for photo in every}) == len(every)
    assert len({photo.sha256 for photo in every}) == len(every)
    for photo in every:
        assert sha256(photo.path.read_bytes()) == photo.sha256
    return parts


def sizes(parts: dict[str, list[data.Photo]]) -> list[int]:
    return [len(parts[split]) for split in data.SPLITS]


def names(parts: dict[str, list[data.Photo]]) -> set[str]:
    return {photo.name for part in parts.values() for photo in part}


def leftovers(cache: Path) -> list[Path]:
    """What is in the cache but the table of hashes, folders too."""
    found = cache.rglob("*") if cache.exists() else []
    return [path for path in found if not path.name.startswith("hashes.sqlite")]


# Folders --------------------------------------------------------------------

TENTHS = "no split folders; a tenth each of the training photos set aside for validation and test"
NO_TEST = "; a tenth of the training photos set aside for test"
NO_VAL = "; a tenth of the training photos set aside for validation"

LAYOUTS = {
    "flat": ({"": 29}, [], [25, 2, 2], TENTHS),
    "classes": ({"cats": 12, "dogs": 8}, [], [16, 2, 2], TENTHS),
    "imagenet": (
        {"train/n01440764": 11, "train/n02102040": 9, "val/n01440764": 3, "val/n02102040": 1},
        [],
        [18, 4, 2],
        f"split folders train/ and val/{NO_TEST}",
    ),
    "capitals": (
        {"Training": 6, "VALIDATION": 2, "Testing": 3},
        [],
        [6, 2, 3],
        "split folders Training/, VALIDATION/ and Testing/",
    ),
    "coco": (
        {"train2017": 6, "val2017": 2, "test2017": 3},
        ["annotations/instances_val2017.json"],
        [6, 2, 3],
        "split folders train2017/, val2017/ and test2017/",
    ),
    "ilsvrc": (
        {"ILSVRC/Data/CLS-LOC/train/n01": 10, "ILSVRC/Data/CLS-LOC/val": 4},
        ["ILSVRC/Annotations/CLS-LOC/train/n01/0.xml", "ILSVRC/Annotations/CLS-LOC/val/0.xml"],
        [9, 4, 1],
        f"split folders ILSVRC/Data/CLS-LOC/train/ and ILSVRC/Data/CLS-LOC/val/{NO_TEST}",
    ),
    "yolo": (
        {"images/train": 20, "images/val": 4},
        ["labels/train/00.txt", "labels/val/20.txt", "data.yaml"],
        [18, 4, 2],
        f"split folders images/train/ and images/val/{NO_TEST}",
    ),
    "splits in classes": (
        {"cats/train": 12, "cats/test": 3, "dogs/train": 8, "dogs/test": 2},
        [],
        [18, 2, 5],
        f"split folders train/ in 2 folders and test/ in 2 folders{NO_VAL}",
    ),
    "tiny imagenet": (
        {"train/n01/images": 11, "train/n02/images": 9, "val/images": 4},
        ["val/val_annotations.txt", "wnids.txt", "train/n01/n01_boxes.txt"],
        [18, 4, 2],
        f"split folders train/ and val/{NO_TEST}",
    ),
    "doubled by a zip": (
        {"imagenette2/train/n01": 10, "imagenette2/val/n01": 3},
        ["__MACOSX/._x.jpg", "__MACOSX/imagenette2/train/n01/._00.png", ".DS_Store"],
        [9, 3, 1],
        f"split folders imagenette2/train/ and imagenette2/val/{NO_TEST}",
    ),
}


@pytest.mark.parametrize(("counts", "others", "expected", "line"), LAYOUTS.values(), ids=LAYOUTS)
def test_a_folder_is_divided_as_it_is_laid_out(tmp_path, counts, others, expected, line):
    root = fill(tmp_path / "photos", counts)
    for name in others:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("no photograph")
    parts = divided(root)
    assert sizes(parts) == expected
    assert len(names(parts)) == sum(counts.values())
    assert data.division(root) == line
    given = {word.group() for name in counts if (word := re.search("train|val|test", name.lower()))}
    for split, part in parts.items():
        for photo in part:
            word = re.search("train|val|test", photo.name.lower())
            assert (word and word.group()) == (split if split in given else "train"
                                               if given else None)


def test_a_split_folder_may_be_a_link_to_a_folder_elsewhere(tmp_path):
    fill(tmp_path, {"elsewhere/n01": 20, "photos/test": 3})
    (tmp_path / "photos" / "train").symlink_to(tmp_path / "elsewhere")
    parts = divided(tmp_path / "photos")
    assert sizes(parts) == [18, 2, 3]
    assert all(photo.name.startswith("train/n01/") for photo in parts["train"] + parts["val"])
    line = f"split folders train/ and test/{NO_VAL}"
    assert data.division(tmp_path / "photos") == line
    fill(tmp_path / "further", {"down/val": 2})
    (tmp_path / "further" / "down" / "train").symlink_to("../../elsewhere")
    shutil.rmtree(tmp_path / "further" / "down" / "val")
    (tmp_path / "further" / "down" / "val").symlink_to("../../photos/test")
    assert sizes(divided(tmp_path / "further")) == [18, 3, 2]


def test_photographs_outside_of_split_folders_that_lie_further_down_are_refused(
    tmp_path, monkeypatch
):
    fill(tmp_path / "photos", {"images/train": 4, "images/val": 2, "more": 1})
    monkeypatch.chdir(tmp_path)
    for call in (data.division, data.everything, lambda folder: data.photos(folder, "train")):
        with pytest.raises(ColorlibError, match=r"such as photos/more/06\.png: name the") as error:
            call("photos")
        assert one_sentence(error)
    assert len(data.photos("./photos/images", "val")) == 2  # which is meant
    (tmp_path / "photos" / "more" / "06.png").rename(tmp_path / "photos" / "06.png")
    with pytest.raises(ColorlibError, match=r"such as photos/06\.png"):
        data.photos("photos", "train")


@pytest.mark.parametrize("other", ["training", "Train", "train_2", "trainset"])
def test_two_folders_for_one_split_side_by_side_further_down_are_refused(tmp_path, other):
    fill(tmp_path / "photos", {"a/train": 4, f"a/{other}": 4, "a/val": 2})
    for split in data.SPLITS:
        with pytest.raises(ColorlibError, match="two folders for the split train") as error:
            data.photos(tmp_path / "photos", split)
        assert one_sentence(error) and f" {other}" in str(error.value)
        assert str(tmp_path / "photos" / "a") in str(error.value)


def test_folders_inside_split_folders_are_classes_whatever_their_names(tmp_path):
    counts = {"train/test": 5, "train/val": 5, "val/train": 2, "test/train": 1, "test/test": 2}
    for above in ("", "further/down/"):
        fill(tmp_path / f"photos{len(above)}" / above, counts)
        parts = divided(tmp_path / f"photos{len(above)}")
        assert sizes(parts) == [10, 2, 3]
        for split, part in parts.items():
            assert all(photo.name.startswith(f"{above}{split}/") for photo in part)


def test_split_folders_in_several_places_are_one_split(tmp_path):
    counts = {"a/train": 5, "a/val": 2, "b/c/train": 5, "b/c/validation": 2, "b/c/test": 1}
    parts = divided(fill(tmp_path / "photos", counts))
    assert sizes(parts) == [10, 4, 1]
    assert {Path(photo.name).parent.as_posix() for photo in parts["val"]} == {
        "a/val", "b/c/validation"
    }


# Lists ----------------------------------------------------------------------


def lines(paths: Iterable[str], end: str = "\n") -> bytes:
    return end.join(paths).encode()


WRITTEN = {
    "plain": lambda paths: lines(paths),
    "newline at the end": lambda paths: lines([*paths, ""]),
    "crlf": lambda paths: lines([*paths, ""], "\r\n"),
    "bom": lambda paths: b"\xef\xbb\xbf" + lines(paths, "\r\n"),
    "comments": lambda paths: lines(["# train", "", *paths[:9], "  ", "  # more", *paths[9:], ""]),
    "classes": lambda paths: lines(f"{path} {i % 12}" for i, path in enumerate(paths)),
    "tabs": lambda paths: lines(f"{path}\t{i}" for i, path in enumerate(paths)),
    "blanks around": lambda paths: lines(f" {path}  " for path in paths),
    "again": lambda paths: lines([*paths, *paths[:5], f"./{paths[7]}", f"{paths[8]} 3"]),
}


@pytest.mark.parametrize("write", WRITTEN.values(), ids=WRITTEN)
def test_a_list_is_read_however_it_is_written(folder, tmp_path, write):
    (tmp_path / "list.txt").write_bytes(write([f"photos/{i:02}.png" for i in range(20)]))
    parts = divided(tmp_path / "list.txt")
    assert sizes(parts) == [16, 2, 2]
    assert names(parts) == {f"photos/{i:02}.png" for i in range(20)}


def test_a_list_names_photographs_from_its_own_folder_or_absolutely(folder, tmp_path, monkeypatch):
    lists = tmp_path / "lists"
    lists.mkdir()
    relative = [f"../photos/{i:02}.png" for i in range(10)]
    absolute = [str(folder / f"{i:02}.png") for i in range(10, 20)]
    (lists / "list.txt").write_bytes(lines(relative + absolute))
    parts = divided(lists / "list.txt")
    assert sizes(parts) == [16, 2, 2]
    assert {photo.path.name for part in parts.values() for photo in part} == {
        f"{i:02}.png" for i in range(20)
    }
    monkeypatch.chdir(lists)
    for name in ("list.txt", "./list.txt", "../lists/list.txt"):
        for split in data.SPLITS:
            again = data.photos(name, split)
            assert [photo.sha256 for photo in again] == [photo.sha256 for photo in parts[split]]


def test_a_list_is_divided_as_a_folder_of_the_same_photographs(folder, tmp_path, monkeypatch):
    paths = sorted(f"photos/{path.name}" for path in folder.iterdir())
    random.Random(0).shuffle(paths)
    (tmp_path / "list.txt").write_bytes(lines(paths))
    for split, part in divided(folder).items():
        listed = data.photos(tmp_path / "list.txt", split)
        assert [photo.sha256 for photo in listed] == [photo.sha256 for photo in part]
    assert data.division(tmp_path / "list.txt") == TENTHS
    assert data.left_out(tmp_path / "list.txt") is None
    monkeypatch.chdir(tmp_path)
    assert data.division("list.txt") == TENTHS


def test_names_may_have_blanks_and_end_in_a_number(folder, tmp_path):
    photos = fill(tmp_path / "some", {"": 12})
    for i, name in enumerate(["photo 12", "photo", "my cat.png", "2 dogs 7.png"]):
        (photos / f"{i:02}.png").rename(photos / name)
    others = [f"{i:02}.png 3" for i in range(5, 12)]
    listed = ["photo 12", "my cat.png 12", "2 dogs 7.png"]
    (photos / "list.txt").write_bytes(lines(listed + others))
    found = {photo.name for photo in data.everything(photos / "list.txt")[0]}
    assert found == {"photo 12", "my cat.png", "2 dogs 7.png", *(name[:6] for name in others)}
    (photos / "list.txt").write_bytes(lines(["photo 12 5", "photo 13"]))
    found = {photo.name for photo in data.everything(photos / "list.txt")[0]}
    assert found == {"photo 12", "photo"}


def test_one_photograph_by_two_paths_counts_once(folder, tmp_path, monkeypatch):
    paths = [f"photos/{i:02}.png" for i in range(20)]
    again = [str(folder / "00.png"), "photos/../photos/01.png"]
    (tmp_path / "list.txt").write_bytes(lines(paths + again))
    monkeypatch.chdir(tmp_path)
    for given in (tmp_path / "list.txt", "list.txt"):
        assert len(data.everything(given)[0]) == 20
        assert sizes(divided(given)) == [16, 2, 2]


def test_missing_files_of_a_list_are_named_in_one_sentence(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good = [f"photos/{i:02}.png" for i in range(20)]
    (tmp_path / "list.txt").write_bytes(lines([*good, "photos/30.png"]))
    with pytest.raises(ColorlibError, match=r"lists a file that is not there: .*30\.png") as error:
        data.photos("list.txt", "train")
    assert one_sentence(error) and str(error.value).startswith("list.txt ")
    gone = [f"photos/{i}.png" for i in range(30, 33)]
    (tmp_path / "list.txt").write_bytes(lines([*gone, *good]))
    with pytest.raises(ColorlibError, match="lists 3 files that are not there") as error:
        data.photos("list.txt", "train")
    assert one_sentence(error) and all(name in str(error.value) for name in gone)
    (tmp_path / "list.txt").write_bytes(lines(f"{i}.png" for i in range(1000)))
    with pytest.raises(ColorlibError, match=r"lists 1000 files .* and 997 more") as error:
        data.everything("list.txt")
    assert one_sentence(error)


@pytest.mark.parametrize("content", [b"", b"\n\r\n", b"# nothing\n\n", b"\xef\xbb\xbf"])
def test_a_list_of_nothing_is_refused(tmp_path, content):
    (tmp_path / "list.txt").write_bytes(content)
    for call in (lambda: data.photos(tmp_path / "list.txt", "train"),
                 lambda: data.everything(tmp_path / "list.txt")):
        with pytest.raises(ColorlibError, match=r"list\.txt lists no photographs") as error:
            call()
        assert one_sentence(error)


@pytest.mark.parametrize(
    "content",
    [photograph(0), gzip.compress(b"photo.png"), "größer.png".encode("latin-1"), bytes(1000)],
    ids=["photograph", "archive", "latin-1", "zeros"],
)
def test_a_list_that_is_no_text_is_one_sentence(tmp_path, content):
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(ColorlibError, match=r"list\.txt ") as error:
        data.photos(tmp_path / "list.txt", "train")
    assert one_sentence(error) and str(error.value).isprintable()


def test_a_list_with_too_few_photographs_is_named(folder, tmp_path):
    (tmp_path / "list.txt").write_bytes(b"photos/00.png")
    with pytest.raises(ColorlibError, match=r"list\.txt .* 1 photograph: too few") as error:
        data.photos(tmp_path / "list.txt", "test")
    assert one_sentence(error)


def test_everything_and_joined_take_lists(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_bytes(lines(f"photos/{i:02}.png" for i in range(20)))
    photos, split = data.everything("list.txt")
    assert [photo.name for photo in photos] == [f"photos/{i:02}.png" for i in range(20)]
    assert split is None
    assert data.joined(["list.txt"], "train") == data.photos("list.txt", "train")
    both = {split: data.joined([folder, "list.txt"], split) for split in data.SPLITS}
    content = {split: {photo.sha256 for photo in part} for split, part in both.items()}
    assert not content["train"] & content["val"] and not content["val"] & content["test"]
    assert not content["train"] & content["test"] and len(set.union(*content.values())) == 30
    twice = data.joined(["list.txt", tmp_path / "list.txt"], "test")  # one list by two names
    assert len(twice) == 4 and len({photo.sha256 for photo in twice}) == 2


# Archives, from a server on this machine ------------------------------------


def tar(files: dict[str, bytes], prefix: str = "") -> bytes:
    """A tar.gz of these files, with their folders, as `tar` writes it."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as bundle:
        known = set()
        for name, body in files.items():
            for above in reversed(Path(name).parents[:-1]):
                if above not in known:
                    known.add(above)
                    entry = tarfile.TarInfo(f"{prefix}{above.as_posix()}")
                    entry.type = tarfile.DIRTYPE
                    entry.mode = 0o755
                    bundle.addfile(entry)
            entry = tarfile.TarInfo(f"{prefix}{name}")
            entry.size = len(body)
            bundle.addfile(entry, io.BytesIO(body))
    return content.getvalue()


def packed(files: dict[str, bytes]) -> bytes:
    """A zip of these files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as bundle:
        for name, body in files.items():
            bundle.writestr(name, body)
    return content.getvalue()


PLACES = {
    "train": ["abbey_00000018", "desert-sand_00000147", "candy_store_00000018"],
    "val": ["temple-east_asia_00000672"],
    "test": ["desert-sand_00000018", "abbey_00000001"],
}


@pytest.fixture
def places(monkeypatch) -> dict[str, bytes]:
    """A small table in place of the published one, and its files: name in the archive -> bytes."""
    named = {
        "abbey_00000018": "images/train/a/abbey/00000018.jpg",
        "abbey_00000001": "images/train/a/abbey/00000001.jpg",
        "candy_store_00000018": "images/train/c/candy_store/00000018.jpg",
        "desert-sand_00000018": "images/train/d/desert/sand/00000018.jpg",
        "desert-sand_00000147": "images/train/d/desert/sand/00000147.jpg",
        "temple-east_asia_00000672": "images/train/t/temple/east_asia/00000672.jpg",
    }
    bodies = {name: photograph(i, "JPEG") for i, name in enumerate(named)}
    rows = [
        {"category": "places", "file": f"{name}.jpg", "split": split,
         "sha256": sha256(bodies[name])[:16]}
        for split, part in PLACES.items() for name in part
    ]
    rows.append(rows[0] | {"category": "landscapes", "sha256": "0" * 16})
    monkeypatch.setattr(catalogue, "_rows", lambda name: rows)
    return {
        "images/train/a/abbey/00000002.jpg": photograph(100, "JPEG"),
        "images/val/00000018.jpg": photograph(101, "JPEG"),
        "objects/train/a/abbey/00000018.xml": b"<xml/>",
        **{path: bodies[name] for name, path in named.items()},
    }


def know(monkeypatch, name: str, **changes) -> None:
    """Let a data set be known with other fields."""
    changed = dataclasses.replace(catalogue.find(name), **changes)
    for module in (downloads, sources):
        monkeypatch.setattr(module, "find", lambda name: changed)


def checksum(body: bytes) -> str:
    return f"md5:{hashlib.md5(body).hexdigest()}"


def holds_places(cache: Path) -> bool:
    """Whether the cache holds the small collection and nothing else."""
    wanted = {f"places/{split}/{name}.jpg" for split, part in PLACES.items() for name in part}
    files = {path.relative_to(cache).as_posix() for path in leftovers(cache) if path.is_file()}
    found = {split: [photo.name for photo in data.photos("places", split)] for split in PLACES}
    return files == wanted and found == {
        split: [f"{name}.jpg" for name in part] for split, part in PLACES.items()
    }


@pytest.mark.parametrize("prefix", ["", "./"])
def test_only_the_listed_photographs_are_taken_from_a_tar(
    server, places, cache, monkeypatch, prefix
):
    server.body = tar(places, prefix)
    know(monkeypatch, "places", checksum=checksum(server.body))
    assert data.download("places", f"{server.url}/data.tar.gz", progress=False) == cache / "places"
    assert holds_places(cache) and len(server.asked) == 1
    divided("places")
    server.body = b""
    data.download("places", f"{server.url}/data.tar.gz", progress=False)
    assert len(server.asked) == 1


def test_an_archive_may_be_a_file_here(places, cache, tmp_path, monkeypatch):
    (tmp_path / "data.tar.gz").write_bytes(tar(places))
    know(monkeypatch, "places", checksum=checksum(tar(places) + b"other"))
    with pytest.raises(ColorlibError, match="differs from the published archive"):
        data.download("places", str(tmp_path / "data.tar.gz"), progress=False)
    assert not leftovers(cache)
    know(monkeypatch, "places", checksum=checksum((tmp_path / "data.tar.gz").read_bytes()))
    monkeypatch.setenv("HOME", str(tmp_path))
    data.download("places", "~/data.tar.gz", progress=False)
    assert holds_places(cache) and (tmp_path / "data.tar.gz").is_file()


def test_another_archive_than_the_published_one_is_one_sentence(
    server, places, cache, monkeypatch
):
    published = tar(places)
    server.body = tar(places | {"images/train/a/abbey/00000002.jpg": b""})
    know(monkeypatch, "places", checksum=checksum(published))
    with pytest.raises(ColorlibError, match="differs from the published archive of pl") as error:
        data.download("places", f"{server.url}/data.tar.gz", progress=False)
    assert one_sentence(error) and not leftovers(cache)
    server.body = published
    data.download("places", f"{server.url}/data.tar.gz", progress=False)
    assert holds_places(cache)


def cut_off(files: dict[str, bytes]) -> bytes:
    return tar(files)[:-200]


def cut_off_early(files: dict[str, bytes]) -> bytes:
    return tar(files)[:200]


def wrong_sum(files: dict[str, bytes]) -> bytes:
    """Shorter than it was, so that gzip's own sum is no longer right."""
    body = gzip.decompress(tar(files))
    start = gzip.compress(body[: len(body) // 2])
    return start[:-8] + gzip.compress(body)[-8:]


def scrambled_xz(files: dict[str, bytes]) -> bytes:
    body = lzma.compress(gzip.decompress(tar(files)))
    middle = len(body) * 3 // 4
    return body[:middle] + b"\xff" * 100 + body[middle + 100 :]


def scrambled(files: dict[str, bytes]) -> bytes:
    body = tar(files)
    middle = len(body) * 3 // 4
    return body[:middle] + b"\xff" * 100 + body[middle + 100 :]


def a_page(files: dict[str, bytes]) -> bytes:
    return b"<html>moved</html>"


@pytest.mark.parametrize(
    "damage", [cut_off, cut_off_early, wrong_sum, scrambled, scrambled_xz, a_page]
)
def test_a_damaged_tar_is_one_sentence_and_leaves_nothing(
    server, places, cache, monkeypatch, damage
):
    server.body = damage(places)
    know(monkeypatch, "places", checksum=None)
    with pytest.raises(ColorlibError, match="archive is damaged") as error:
        data.download("places", f"{server.url}/data.tar.gz", progress=False)
    assert one_sentence(error) and not leftovers(cache)


def test_a_tar_with_other_photographs_is_one_sentence_and_leaves_nothing(
    server, places, cache, monkeypatch
):
    know(monkeypatch, "places", checksum=None)
    name = "images/train/d/desert/sand/00000147.jpg"
    server.body = tar(places | {name: photograph(99, "JPEG")})
    with pytest.raises(ColorlibError, match=r"desert-sand_00000147\.jpg .* differs") as error:
        data.download("places", f"{server.url}/data.tar.gz", progress=False)
    assert one_sentence(error) and not leftovers(cache)
    server.body = tar({path: body for path, body in places.items() if path != name})
    with pytest.raises(ColorlibError, match=r"lacks desert-sand_00000147\.jpg") as error:
        data.download("places", f"{server.url}/data.tar.gz", progress=False)
    assert one_sentence(error) and not leftovers(cache)


# Archives of which a rule chooses -------------------------------------------


@pytest.fixture
def tiny() -> dict[str, bytes]:
    """Laid out like Tiny ImageNet: name in the archive -> bytes."""
    wnids = ("n01443537", "n01629819", "n01641577")
    named = [f"train/{wnid}/images/{wnid}_{i}.JPEG" for wnid in wnids for i in range(5)]
    named += [f"val/images/val_{i}.JPEG" for i in range(10)]
    named += [f"test/images/test_{i}.JPEG" for i in range(3)]
    files = {f"tiny-imagenet-200/{name}": photograph(i, "JPEG") for i, name in enumerate(named)}
    boxes = {f"tiny-imagenet-200/train/{wnid}/{wnid}_boxes.txt": b"0" for wnid in wnids}
    return {"tiny-imagenet-200/wnids.txt": b"n", **boxes, **files}


@pytest.fixture
def chosen(tiny, monkeypatch) -> dict[str, list[str]]:
    """Small rules in place of the published ones, and what they choose: split -> names."""
    train = by_md5(name for name in tiny if "/train/" in name and name.endswith(".JPEG"))
    val = by_md5(name for name in tiny if "/val/" in name)
    chosen = {"train": train[:7], "val": val[:2], "test": val[2:5]}
    rules = {
        split: dataclasses.replace(
            rule,
            count=len(chosen[split]),
            skip=2 if split == "test" else 0,
            digest=sha256(b"".join(hashlib.sha256(tiny[name]).digest() for name in chosen[split])),
        )
        for split, rule in catalogue.find("imagenet64").by_md5.items()
    }
    know(monkeypatch, "imagenet64", by_md5=rules, checksum=None)
    return chosen


@pytest.fixture
def unpacked(tiny, chosen, server) -> Path:
    """The folder of the small collection."""
    server.body = packed(tiny)
    return data.download("imagenet64", f"{server.url}/tiny.zip", progress=False)


def test_the_first_by_the_md5_of_their_names_are_chosen_and_in_that_order(unpacked, tiny, chosen):
    files = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*.*")}
    assert files == {
        f"{split}/{Path(name).name}" for split, part in chosen.items() for name in part
    }
    for split, part in divided("imagenet64").items():
        assert [photo.name for photo in part] == [Path(name).name for name in chosen[split]]
        assert [photo.sha256 for photo in part] == [sha256(tiny[name]) for name in chosen[split]]
    assert data.everything("imagenet64") == (data.photos("imagenet64", "test"), "test")


def test_the_order_of_an_archive_does_not_matter(tiny, chosen, tmp_path, cache):
    files = list(tiny.items())
    random.Random(1).shuffle(files)
    (tmp_path / "tiny.zip").write_bytes(packed(dict(files)))
    data.download("imagenet64", str(tmp_path / "tiny.zip"), progress=False)
    for split, part in divided("imagenet64").items():
        assert [photo.name for photo in part] == [Path(name).name for name in chosen[split]]


def test_changed_missing_and_additional_files_of_a_rule_are_refused(unpacked, tiny, chosen):
    (unpacked / "train" / ".DS_Store").write_bytes(b"no photograph")
    assert len(data.photos("imagenet64", "train")) == 7
    path = unpacked / "train" / Path(chosen["train"][3]).name
    content = path.read_bytes()
    path.write_bytes(photograph(99, "JPEG"))
    again = r": delete .* run 'colorlib download imagenet64'$"
    with pytest.raises(ColorlibError, match=f"train does not hold .* imagenet64{again}") as error:
        data.photos("imagenet64", "train")
    assert one_sentence(error)
    path.unlink()
    with pytest.raises(ColorlibError, match=r"imagenet64 \(6, not 7\)") as error:
        data.photos("imagenet64", "train")
    assert one_sentence(error)
    path.write_bytes(content)
    assert len(data.photos("imagenet64", "train")) == 7
    more = next(name for name in tiny if name.endswith("JPEG") and "/train/" in name
                and name not in chosen["train"])
    (unpacked / "train" / Path(more).name).write_bytes(tiny[more])
    with pytest.raises(ColorlibError, match=r"imagenet64 \(8, not 7\)"):
        data.photos("imagenet64", "train")
    assert len(data.photos("imagenet64", "test")) == 3
    shutil.rmtree(unpacked / "val")
    with pytest.raises(ColorlibError, match="val cannot be read") as error:
        data.photos("imagenet64", "val")
    assert one_sentence(error)


def test_an_archive_that_lacks_what_a_rule_chooses_is_refused(tiny, chosen, server, cache):
    few = {name: body for name, body in tiny.items() if "/val/" not in name}
    server.body = packed(few)
    with pytest.raises(ColorlibError, match="lacks photographs of imagenet64") as error:
        data.download("imagenet64", f"{server.url}/tiny.zip", progress=False)
    assert one_sentence(error) and not leftovers(cache)


# The published lists --------------------------------------------------------


def bundle(name: str) -> zipfile.ZipFile:
    path = Path(os.environ.get("COLORLIB_TEST_DATA", "../shared/data")) / name
    if not path.is_file():
        pytest.skip(f"{name} is not on this machine")
    return zipfile.ZipFile(path)


def test_the_rules_of_imagenet64_choose_what_is_published():
    with bundle("imagenet64.zip") as archive:
        listed = [name for name in archive.namelist() if not name.endswith("/")]
    wnids = sorted({Path(name).name.split("_")[0] for name in listed if name.startswith("train/")})
    assert len(wnids) == 200
    root = "tiny-imagenet-200"
    members = [f"{root}/train/{n}/images/{n}_{i}.JPEG" for n in wnids for i in range(500)]
    members += [f"{root}/val/images/val_{i}.JPEG" for i in range(10_000)]
    random.Random(0).shuffle(members)
    found = catalogue.find("imagenet64").wanted(members)
    for split, count in {"train": 60_000, "val": 500, "test": 2_000}.items():
        expected = [Path(name).name for name in listed if name.startswith(f"{split}/")]
        assert [file for where, file in found if where == split] == expected
        assert len(expected) == count
    assert len(found) == len(listed)
    assert set(found.values()) <= set(members)
    assert all(name.endswith(f"/{file}") for (_, file), name in found.items())


@pytest.mark.parametrize(
    ("archive", "name"),
    [("places128.zip", "places"), ("places128.zip", "landscapes"), ("everyday128.zip", "everyday")],
)
def test_the_tables_list_what_is_published(archive, name):
    rows = catalogue.find(name).files()
    with bundle(archive) as files:
        listed = [one for one in files.namelist()
                  if one.startswith(f"{name}/") and not one.endswith("/")]
        for split in data.SPLITS:
            expected = [Path(one).name for one in listed if Path(one).parent.name == split]
            assert [row["file"] for row in rows if row["split"] == split] == expected
        assert len(rows) == len(listed) == len({row["file"] for row in rows})
        for row in rows[::50]:
            digest = sha256(files.read(f"{name}/{row['split']}/{row['file']}"))
            assert len(row["sha256"]) >= 16 and digest.startswith(row["sha256"])


# torchvision ----------------------------------------------------------------

IMAGENETTE = "torchvision:Imagenette,size=160px"


@pytest.fixture
def imagenette() -> dict[str, bytes]:
    """Laid out like the published archive, small: 40 photographs in train and 6 in val."""
    wnids = list(torchvision.datasets.Imagenette._WNID_TO_CLASS)[:2]
    files = {
        f"imagenette2-160/{split}/{wnid}/{split}_{wnid}_{i}.JPEG": b""
        for split, count in {"train": 20, "val": 3}.items() for wnid in wnids for i in range(count)
    }
    return {name: photograph(i, "JPEG") for i, name in enumerate(files)}


@pytest.fixture
def published(imagenette, server, monkeypatch) -> bytes:
    """The small archive, in place of the published one."""
    body = tar(imagenette)
    md5 = hashlib.md5(body).hexdigest()
    archives = {"160px": (f"{server.url}/imagenette2-160.tgz", md5)}
    for size in ("full", "320px"):
        archives[size] = (f"{server.url}/none.tgz", md5)
    monkeypatch.setattr(torchvision.datasets.Imagenette, "_ARCHIVES", archives)
    server.body = body
    return body


def unpack(files: dict[str, bytes], root: Path) -> Path:
    for name, body in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(body)
    return root


def test_a_data_set_of_torchvision_is_downloaded_once_and_split_as_it_is(
    server, published, imagenette, cache, capfd
):
    parts = {split: data.photos(IMAGENETTE, split) for split in data.SPLITS}
    asked = len(server.asked)
    assert asked and set(server.asked) == {"/imagenette2-160.tgz"}
    assert sizes(parts) == [36, 6, 4]
    assert {Path(photo.name).name.split("_")[0] for photo in parts["val"]} == {"val"}
    for split in ("train", "test"):
        assert {Path(photo.name).name.split("_")[0] for photo in parts[split]} == {"train"}
    assert {photo.sha256 for part in parts.values() for photo in part} == {
        sha256(body) for body in imagenette.values()
    }
    server.body = b""
    server.shutdown()
    server.server_close()
    assert divided(IMAGENETTE) == parts and len(server.asked) == asked
    assert data.everything(IMAGENETTE) == (parts["test"], "test")
    assert data.download(IMAGENETTE, progress=False) in cache.rglob("*")
    assert capfd.readouterr().out == ""


def test_how_a_data_set_of_torchvision_is_divided_is_said_in_a_line(server, published):
    line = data.division(IMAGENETTE)
    assert re.fullmatch(rf"\D*\btrain\b.* and \D*\bval\b.*{re.escape(NO_TEST)}", line)
    assert "split folders split" not in line
    assert data.left_out(IMAGENETTE) is None


def test_another_archive_of_torchvision_is_one_sentence_and_can_be_repeated(
    server, published, cache
):
    server.body = published + b"other"
    for call in (lambda: data.photos(IMAGENETTE, "train"), lambda: data.download(IMAGENETTE)):
        with pytest.raises(ColorlibError, match="cannot download Imagenette") as error:
            call()
        assert one_sentence(error)
        assert not [path for path in leftovers(cache) if path != cache / "torchvision"]
    server.body = published
    assert sizes(divided(IMAGENETTE)) == [36, 6, 4]


def test_torchvision_shows_its_progress_only_if_asked(server, published, capfd):
    data.download(IMAGENETTE, progress=False)
    assert capfd.readouterr() == ("", "")


def test_without_network_torchvision_is_one_sentence(server, published, cache):
    server.shutdown()
    server.server_close()
    with pytest.raises(ColorlibError, match="cannot download Imagenette") as error:
        data.photos(IMAGENETTE, "train")
    assert one_sentence(error)
    assert not [path for path in leftovers(cache) if path != cache / "torchvision"]


def test_what_torchvision_has_unpacked_among_the_data_is_used(
    server, published, imagenette, cache, tmp_path, monkeypatch
):
    root = unpack(imagenette, tmp_path / "data")
    monkeypatch.setenv("COLORLIB_DATA", str(root))
    parts = divided(IMAGENETTE)
    assert sizes(parts) == [36, 6, 4] and names(parts) == set(imagenette)
    assert {path for part in parts.values() for _, path, _ in part} == {
        root / name for name in imagenette
    }
    assert not server.asked and not leftovers(cache)


def test_torchvision_downloads_what_is_not_among_the_data(
    server, published, cache, tmp_path, monkeypatch
):
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("COLORLIB_DATA", str(tmp_path / "data"))
    assert sizes(divided(IMAGENETTE)) == [36, 6, 4]
    assert not list((tmp_path / "data").iterdir())


def test_capitals_of_a_name_of_torchvision_do_not_matter(server, published):
    first = data.photos(IMAGENETTE, "train")
    asked = len(server.asked)
    for name in ("TorchVision:imagenette,size=160px", "torchvision:IMAGENETTE,size=160px"):
        assert data.photos(name, "train") == first
    assert len(server.asked) == asked
    twice = data.joined([IMAGENETTE, "torchvision:imagenette,size=160px"], "test")
    assert twice == data.photos(IMAGENETTE, "test") * 2


def test_a_folder_and_a_data_set_of_torchvision_are_joined(server, published, folder):
    both = {split: data.joined([folder, IMAGENETTE], split) for split in data.SPLITS}
    alone = [divided(folder), divided(IMAGENETTE)]
    tested = {photo.sha256 for part in alone for photo in part["test"]}
    assert {photo.sha256 for photo in both["test"]} == tested
    assert not tested & {photo.sha256 for photo in both["train"] + both["val"]}


@pytest.mark.parametrize("name", ["NoSuchSet", "", "ImageFolder", "datasets", "Imagenette "])
def test_a_name_that_torchvision_does_not_have_is_one_sentence(name):
    for call in (lambda: data.photos(f"torchvision:{name}", "train"),
                 lambda: data.download(f"torchvision:{name}")):
        with pytest.raises(NotHere, match="torchvision has no data set") as error:
            call()
        assert "\n" not in str(error.value) and "Imagenette" in str(error.value)


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("size=9px", "9px|size"),
        ("size=../../9px", "9px|size"),
        ("colour=9", "colour"),
        ("size", "NAME=VALUE"),
        ("split=dev", "dev"),
        ("size=160", "160|size"),
    ],
)
def test_an_option_that_torchvision_does_not_take_is_one_sentence(
    server, published, cache, option, says
):
    for call in (lambda: data.photos(f"torchvision:Imagenette,{option}", "train"),
                 lambda: data.download(f"torchvision:Imagenette,{option}")):
        with pytest.raises(ColorlibError) as error:
            call()
        assert one_sentence(error) and re.search(says, str(error.value))
    assert not server.asked
    assert not [path for path in leftovers(cache) if path != cache / "torchvision"]


class Arrays:
    """Like torchvision's CIFAR10: photographs in one file, and in an array."""

    def __init__(self, root, train=True, transform=None, download=False):
        if download:
            unpack({"batches/data_batch_1": bytes(100)}, Path(root))
        if not (Path(root) / "batches").is_dir():
            raise RuntimeError("Dataset not found or corrupted.")
        self.data = np.zeros((2, 32, 32, 3), np.uint8)


class SplitArrays(Arrays):
    """Like torchvision's STL10: with splits, too."""

    def __init__(self, root, split="train", download=False):
        if split not in ("train", "test"):
            raise ValueError(f"Unknown value '{split}' for argument split.")
        super().__init__(root, download=download)


class Broken:
    """Like torchvision's StanfordCars, whose archive is gone."""

    def __init__(self, root, split="train", download=False):
        if split not in ("train", "test"):
            raise ValueError(f"Unknown value '{split}' for argument split.")
        if download:
            raise ValueError("The original URL is broken")
        raise RuntimeError("Dataset not found.")


class Walked:
    """Like torchvision's Caltech101: no splits, and names are put together when asked for."""

    downloads = 0

    def __init__(self, root, target_type="category", download=False):
        self.root = os.path.join(root, "walked")
        categories = Path(self.root) / "101_ObjectCategories"
        if download:
            Walked.downloads += 1
            for name, first in (("emu", 0), ("panda", 18)):
                files = {f"image_{i:04}.jpg": photograph(first + i, "JPEG") for i in range(1, 13)}
                unpack(files, categories / name)
            unpack({"annotation_0001.mat": b"no photograph"}, Path(self.root) / "Annotations")
        if not categories.is_dir():
            raise RuntimeError("Dataset not found or corrupted.")
        self.index = list(range(1, 13)) * 2


def with_splits(kept: str, *names: str) -> type:
    """Like torchvision's Flowers102: ten photographs for each split, kept in a list."""

    class Listed:
        def __init__(self, root, split=names[0], download=False):
            if split not in names:
                raise ValueError(f"Unknown value '{split}' for argument split.")
            folder = Path(root) / "listed" / "jpg"
            if download:
                files = {f"{i:02}.jpg": photograph(i, "JPEG") for i in range(10 * len(names))}
                unpack(files, folder)
            if not folder.is_dir():
                raise RuntimeError("Dataset not found or corrupted.")
            first = 10 * names.index(split)
            paths = [folder / f"{i:02}.jpg" for i in range(first, first + 10)]
            entries = [(str(path), 0) for path in paths] if kept == "imgs" else paths
            setattr(self, kept, entries)

    return Listed


def offer(monkeypatch, kind: type) -> str:
    """Let torchvision have one data set, of this class; its name."""
    monkeypatch.setattr(torchvision_sets, "_names", lambda: [kind.__name__])
    monkeypatch.setattr(torchvision_sets, "_class", lambda name: kind)
    monkeypatch.setattr(Walked, "downloads", 0)
    return f"torchvision:{kind.__name__}"


@pytest.mark.parametrize(
    ("kept", "called", "expected"),
    [
        ("_image_files", ["train", "val", "test"], [range(10), range(10, 20), range(20, 30)]),
        ("imgs", ["test", "train", "valid"], [range(10, 20), range(20, 30), range(10)]),
        ("_images", ["trainval", "test"], [range(10), range(10), range(10, 20)]),
        ("_samples", ["train", "val", "trainval", "test"],
         [range(10), range(10, 20), range(30, 40)]),
    ],
)
def test_splits_of_torchvision_are_known_by_their_names(monkeypatch, kept, called, expected):
    parts = divided(offer(monkeypatch, with_splits(kept, *called)))
    found = [{int(photo.path.stem) for photo in parts[split]} for split in data.SPLITS]
    if "trainval" in called and "val" not in called:  # of which a tenth is cut
        assert sizes(parts) == [9, 1, 10] and found[0] | found[1] == set(expected[0])
        assert found[2] == set(expected[2])
    else:
        assert found == [set(numbers) for numbers in expected]


@pytest.mark.parametrize("kind", [Arrays, SplitArrays])
def test_a_data_set_without_photographs_as_files_is_refused(monkeypatch, kind):
    name = offer(monkeypatch, kind)
    for call in (lambda: data.photos(name, "train"), lambda: data.everything(name),
                 lambda: data.division(name)):
        with pytest.raises(ColorlibError, match=f"{kind.__name__} keeps no photographs") as error:
            call()
        assert one_sentence(error)


def test_an_archive_that_is_gone_is_one_sentence_and_leaves_nothing(monkeypatch, cache):
    name = offer(monkeypatch, Broken)
    for call in (lambda: data.photos(name, "train"), lambda: data.download(name)):
        with pytest.raises(ColorlibError, match="URL is broken") as error:
            call()
        assert one_sentence(error)
    assert not [path for path in leftovers(cache) if path != cache / "torchvision"]


def test_photographs_of_which_torchvision_keeps_no_list_are_found_in_its_folder(
    monkeypatch, cache
):
    name = offer(monkeypatch, Walked)
    parts = divided(name)
    assert sizes(parts) == [20, 2, 2] and Walked.downloads == 1
    assert {Path(photo).parts[-2] for photo in names(parts)} == {"emu", "panda"}
    assert data.division(name) == TENTHS
    assert len(data.everything(name)[0]) == 24 and data.everything(name)[1] is None
    assert Walked.downloads == 1


def test_photographs_of_which_torchvision_keeps_no_list_may_be_among_the_data(
    monkeypatch, cache, tmp_path
):
    name = offer(monkeypatch, Walked)
    fill(tmp_path / "data", {"holidays": 5})
    Walked(tmp_path / "data", download=True)
    monkeypatch.setenv("COLORLIB_DATA", str(tmp_path / "data"))
    parts = divided(name)
    assert sizes(parts) == [20, 2, 2]
    assert {Path(photo).parts[-2] for photo in names(parts)} == {"emu", "panda"}


# Hashes ---------------------------------------------------------------------


@pytest.fixture
def read(monkeypatch) -> list[Path]:
    """The files that are read for their hash."""
    found, hash_of = [], hashes.hash_of
    monkeypatch.setattr(hashes, "hash_of", lambda path: found.append(path) or hash_of(path))
    return found


@pytest.fixture
def settled(monkeypatch):
    """Files count as settled at once."""
    monkeypatch.setattr(hashes, "_SETTLED", -1)


def test_a_file_is_read_once_and_then_known(folder, read, settled, tmp_path, monkeypatch):
    parts = {split: data.photos(folder, split) for split in data.SPLITS}
    assert sorted(read) == sorted(folder.iterdir())
    read.clear()
    assert divided(folder) == parts
    assert {*data.everything(folder)[0]} == {photo for part in parts.values() for photo in part}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_bytes(lines(f"photos/{i:02}.png" for i in range(30)))
    data.photos("photos", "train")
    data.photos("list.txt", "train")
    assert read == []


def test_files_of_known_data_sets_are_read_once_too(places, cache, settled, read, monkeypatch,
                                                    tmp_path):
    (tmp_path / "data.tar.gz").write_bytes(tar(places))
    know(monkeypatch, "places", checksum=None)
    data.download("places", str(tmp_path / "data.tar.gz"), progress=False)
    data.photos("places", "train")
    assert len(read) == 3
    data.photos("places", "train")
    assert len(read) == 3
    changed = cache / "places" / "train" / "abbey_00000018.jpg"
    changed.write_bytes(changed.read_bytes()[:-1] + b"x")
    with pytest.raises(ColorlibError, match="differs from the published file"):
        data.photos("places", "train")


@pytest.mark.parametrize("later", [5, 0, -5], ids=["later", "the same time", "earlier"])
def test_a_file_that_changes_is_read_again(folder, read, settled, later):
    before = {photo.name: photo.sha256 for photo in data.everything(folder)[0]}
    path = folder / "07.png"
    status, content = path.stat(), path.read_bytes()
    read.clear()
    time.sleep(0.05)  # longer than a tick of the file system's clock
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + later * 10**9))
    assert path.stat().st_size == status.st_size
    after = {photo.name: photo.sha256 for photo in data.everything(folder)[0]}
    assert read == [path]
    assert after == before | {"07.png": sha256(path.read_bytes())}


def test_another_file_of_that_name_is_read(folder, read, settled):
    data.everything(folder)
    read.clear()
    (folder / "00.png").unlink()
    (folder / "01.png").rename(folder / "00.png")
    found = {photo.name: photo.sha256 for photo in data.everything(folder)[0]}
    assert found["00.png"] == sha256(photograph(1)) and read == [folder / "00.png"]


def test_a_file_that_has_just_changed_is_not_remembered(folder, read, monkeypatch):
    monkeypatch.setattr(hashes, "_SETTLED", 1000)
    for _ in range(2):
        data.everything(folder)
        assert len(read) == 30
        read.clear()
    old = time.time() - 5000
    for path in folder.iterdir():
        os.utime(path, (old, old))  # which is a change, too
    for _ in range(2):
        data.everything(folder)
        assert len(read) == 30
        read.clear()


def test_each_file_is_remembered_when_it_has_settled(folder, read, monkeypatch):
    now = [time.time() + 1000]
    monkeypatch.setattr(hashes, "time", SimpleNamespace(time=lambda: now[0]))
    data.everything(folder)
    assert len(read) == 30
    path = folder / "07.png"
    path.write_bytes(photograph(77))
    changed = path.stat().st_mtime
    for later, times in ((0.5, 1), (1.5, 1), (2.5, 1), (3.5, 0)):  # seconds, how often it is read
        read.clear()
        now[0] = changed + later
        data.everything(folder)
        assert read == [path] * times
    found = {photo.name: photo.sha256 for photo in data.everything(folder)[0]}
    assert found["07.png"] == sha256(photograph(77))


def no_database(cache: Path) -> None:
    (cache / "hashes.sqlite").write_bytes(b"This is no database." * 100)


def a_folder(cache: Path) -> None:
    (cache / "hashes.sqlite").mkdir()


def empty(cache: Path) -> None:
    (cache / "hashes.sqlite").touch()


def of_another_kind(cache: Path) -> None:
    with sqlite3.connect(cache / "hashes.sqlite") as database:
        database.execute("create table hashes (path text primary key, digest text)")
    database.close()


def broken_inside(cache: Path) -> None:
    cache.rmdir()
    fill(cache.parent / "many", {"": 60})
    data.everything(cache.parent / "many")
    content = (cache / "hashes.sqlite").read_bytes()
    assert len(content) > 8192
    (cache / "hashes.sqlite").write_bytes(content[:4096] + bytes(len(content) - 4096))


def in_the_way(cache: Path) -> None:
    cache.rmdir()
    cache.write_text("a file")


def may_not_be_written(cache: Path) -> None:
    cache.rmdir()
    cache.symlink_to("/proc")


@pytest.mark.parametrize(
    "fault",
    [no_database, a_folder, empty, of_another_kind, broken_inside, in_the_way, may_not_be_written],
)
def test_hashes_are_right_without_a_table(folder, cache, settled, fault):
    cache.mkdir()
    fault(cache)
    for i in (3, 4):
        (folder / "07.png").write_bytes(photograph(100 + i))
        found = {photo.name: photo.sha256 for photo in data.everything(folder)[0]}
        assert found == {path.name: sha256(path.read_bytes()) for path in folder.iterdir()}
        time.sleep(0.02)


def test_an_unreadable_file_is_said_without_a_table_too(folder, cache, monkeypatch):
    cache.mkdir()
    no_database(cache)

    def opened(path, *args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(hashes, "open", opened, raising=False)
    with pytest.raises(data.UnreadablePhotos, match="30 photographs") as error:
        data.everything(folder)
    assert one_sentence(error) and len(error.value.files) == 30


def test_a_table_that_another_process_writes_is_waited_for_or_done_without(
    folder, cache, settled, read, monkeypatch
):
    connect = sqlite3.connect
    monkeypatch.setattr(hashes.sqlite3, "connect", lambda path, timeout: connect(path, 0.05))
    data.everything(folder)
    other = connect(cache / "hashes.sqlite")
    other.execute("begin exclusive")
    read.clear()
    assert [photo.name for photo in data.everything(folder)[0]] == [
        f"{i:02}.png" for i in range(30)
    ]
    assert len(read) == 30
    other.rollback()
    other.close()
    read.clear()
    data.everything(folder)
    assert read == []


def test_a_name_that_is_no_text_is_hashed(folder, settled):
    try:
        (folder / "00.png").rename(os.fsdecode(os.fsencode(folder) + b"/\xff.png"))
    except OSError:
        pytest.skip("the file system refuses such names")
    for _ in range(2):
        assert sha256(photograph(0)) in {photo.sha256 for photo in data.everything(folder)[0]}


def test_a_lone_test_folder_further_down_is_mentioned(tmp_path):
    """Its photographs are trained on, which should be no surprise."""
    for i, name in enumerate(("cats", "cats/test", "dogs")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for k in range(6):
            path = tmp_path / "photos" / name / f"{i}-{k}.png"
            Image.new("RGB", (8, 8), (40 * i, 30 * k, 90)).save(path)
    with pytest.warns(UserWarning, match=r"cats/test .*trained on"):
        assert len(data.photos(tmp_path / "photos", "train")) == 16


def test_splits_may_be_chosen_by_image_set(tmp_path, monkeypatch):
    """As VOCSegmentation has it."""

    class Fake:
        def __init__(self, root, image_set="train", download=False):
            if image_set not in ("train", "trainval", "val"):
                raise ValueError(f"Unknown value '{image_set}' for argument image_set.")
            folder = Path(root) / "fake"
            if download:
                folder.mkdir(exist_ok=True)
                for i in range(12):
                    Image.new("RGB", (8, 8), (20 * i, 9, 9)).save(folder / f"{i}.png")
            elif not folder.is_dir():
                raise RuntimeError("not found")
            which = range(9) if image_set == "train" else range(9, 12)
            self.images = [str(folder / f"{i}.png") for i in which]

    monkeypatch.setattr(torchvision_sets, "_class", lambda _: Fake)
    monkeypatch.setattr(torchvision_sets, "_names", lambda: ["Fake"])
    found = {split: data.photos("torchvision:fake", split) for split in data.SPLITS}
    assert {split: len(part) for split, part in found.items()} == {"train": 8, "val": 3, "test": 1}


def test_a_folder_of_ones_own_is_not_taken_for_a_download(tmp_path, monkeypatch):
    (tmp_path / "landscapes").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "landscapes" / "mine.png")
    monkeypatch.setenv("COLORLIB_DATA", str(tmp_path))
    with pytest.raises(ColorlibError, match="photographs of your own") as error:
        data.download("landscapes", progress=False)
    assert one_sentence(error) and "delete" not in str(error.value)
