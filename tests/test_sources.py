"""Where photographs come from: folders, lists and archives."""

import dataclasses
import gzip
import hashlib
import io
import lzma
import os
import random
import re
import shutil
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from checks import one_sentence
from PIL import Image

from colorlib import data
from colorlib.base.errors import ColorlibError
from colorlib.data import catalogue, downloads, sources

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
    """What is in the cache, folders too."""
    return list(cache.rglob("*")) if cache.exists() else []


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
    "tiny imagenet": (
        {"train/n01/images": 11, "train/n02/images": 9, "val/images": 4},
        ["val/val_annotations.txt", "wnids.txt", "train/n01/n01_boxes.txt"],
        [18, 4, 2],
        f"split folders train/ and val/{NO_TEST}",
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


def test_folders_inside_split_folders_are_classes_whatever_their_names(tmp_path):
    counts = {"train/test": 5, "train/val": 5, "val/train": 2, "test/train": 1, "test/test": 2}
    parts = divided(fill(tmp_path / "photos", counts))
    assert sizes(parts) == [10, 2, 3]
    for split, part in parts.items():
        assert all(photo.name.startswith(f"{split}/") for photo in part)


@pytest.mark.parametrize("names", [("down/train", "down/val"), ("cats", "cats/test", "dogs")])
def test_split_folders_further_down_are_mentioned(tmp_path, names):
    """Their photographs are trained on, which should be no surprise."""
    fill(tmp_path / "photos", dict.fromkeys(names, 20))
    with pytest.warns(UserWarning, match=f"{names[1][5:]} in .*trained on") as said:
        assert len(data.photos(tmp_path / "photos", "train")) == 16 * len(names)
    assert len(said) == 1


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
    with pytest.raises(ColorlibError, match="lacks 5 photographs of imagenet64") as error:
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


def test_a_folder_of_ones_own_is_not_taken_for_a_download(tmp_path, monkeypatch):
    (tmp_path / "landscapes").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "landscapes" / "mine.png")
    monkeypatch.setenv("COLORLIB_DATA", str(tmp_path))
    with pytest.raises(ColorlibError, match="photographs of your own") as error:
        data.download("landscapes", progress=False)
    assert one_sentence(error) and "delete" not in str(error.value)
