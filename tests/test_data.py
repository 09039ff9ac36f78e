import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import warnings
import zipfile
from collections import Counter
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from checks import one_sentence
from PIL import Image

from colorlib import data, files, lab
from colorlib.base.errors import ColorlibError, NotHere
from colorlib.data import catalogue, folders, packing
from colorlib.data.cache import cache_dir
from colorlib.files import reading

pytestmark = pytest.mark.usefixtures("cache")


def picture(seed: int = 0, size: tuple[int, int] = (20, 16), mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Thirty photographs in a flat folder."""
    root = tmp_path / "photos"
    root.mkdir()
    for i in range(30):
        picture(i).save(root / f"{i:02}.png")
    return root


@pytest.fixture
def without_heif(monkeypatch):
    """A machine without `pillow-heif`."""
    monkeypatch.setattr(files.formats, "photograph_suffixes", lambda: {".png"})


def leftovers(cache: Path) -> list[Path]:
    """Files in the cache, but for locks, which are there for good."""
    return [path for path in cache.rglob("*")
            if path.is_file() and path.relative_to(cache).parts[0] != "locks"]


# Splits ---------------------------------------------------------------------


def test_the_samples_are_48_photographs_each_in_one_split():
    names = [[photo.name for photo in data.photos("samples", split)] for split in data.SPLITS]
    assert [len(part) for part in names] == [32, 6, 10]
    assert len({name for part in names for name in part}) == 48
    for photo in data.photos("samples", "test"):
        assert hashlib.sha256(photo.path.read_bytes()).hexdigest() == photo.sha256


def test_a_changed_sample_is_refused(tmp_path, monkeypatch):
    package = tmp_path / "mvtbdata"
    for photo in data.photos("samples", "val"):
        target = package / "images" / photo.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo.path, target)
    find = resources.files
    monkeypatch.setattr(
        catalogue.resources, "files", lambda name: package if name == "mvtbdata" else find(name)
    )
    assert len(data.photos("samples", "val")) == 6
    with open(target, "ab") as file:
        file.write(b"x")
    with pytest.raises(ColorlibError, match="differs from the published") as error:
        data.photos("samples", "val")
    assert one_sentence(error)
    target.unlink()
    with pytest.raises(ColorlibError, match="is missing"):
        data.photos("samples", "val")
    other = next(path for path in (package / "images").rglob("*") if path.is_file())
    other.write_bytes(b"another file")
    with pytest.raises(ColorlibError, match=r"2 files in .* are missing or not as pub") as error:
        data.photos("samples", "val")
    assert one_sentence(error) and str(error.value).endswith(": install mvtb-data==1.6.1")
    assert target.name in str(error.value) and other.name in str(error.value)


def test_the_published_splits_cover_the_cvcl_collection():
    table = resources.files("colorlib").joinpath("data", "splits", "cvcl.csv")
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2688 == len({(row["category"], row["file"]) for row in rows})
    sizes = Counter((row["category"], row["split"]) for row in rows)
    assert len(sizes) == 8 * 3
    assert all(sizes[category, "test"] == 50 for category, _ in sizes)
    assert sizes["opencountry", "train"] + sizes["opencountry", "val"] == 360


@pytest.mark.parametrize("name", ["open-country", "opencountry", "Open_Country"])
def test_a_class_that_is_not_here_says_how_to_get_it(name):
    with pytest.raises(ColorlibError, match="colorlib download open-country") as error:
        data.photos(name, "train")
    assert one_sentence(error)


def test_real_collections_are_read_and_verified(monkeypatch):
    root = Path(os.environ.get("COLORLIB_TEST_DATA", "../shared/data"))
    if not (root / "cvcl" / "coast").is_dir():
        pytest.skip("the collection is not on this machine")
    monkeypatch.setenv("COLORLIB_DATA", str(root))
    coast = {split: data.photos("coast", split) for split in data.SPLITS}
    assert [len(coast[split]) for split in data.SPLITS] == [279, 31, 50]
    assert len(data.photos("open-country-64", "test")) == 50


@pytest.mark.parametrize("name", ["samples", "coast", "open-country-64", "imagenet_sample256"])
def test_photographs_are_those_of_the_recorded_results(name, monkeypatch):
    monkeypatch.setenv("COLORLIB_DATA", os.environ.get("COLORLIB_TEST_DATA", "../shared/data"))
    recorded = Path(__file__).parents[1] / "results" / "minutes" / "runs.jsonl"
    runs = map(json.loads, recorded.read_text().splitlines())
    (keys,) = (run["data_sha256"] for run in runs if run["run"] == f"minutes/{name}/gray/any")
    try:
        photos = {split: data.photos(name, split) for split in data.SPLITS}
    except NotHere:
        pytest.skip("the collection is not on this machine")
    assert {split: packing._key(part, 64) for split, part in photos.items()} == keys


@pytest.mark.parametrize(
    ("name", "split", "says"),
    [
        ("samples", "training", "train, val, test"),
        ("no-such-set", "train", "samples"),
        ("open-country-64", "train", "COLORLIB_DATA"),
    ],
)
def test_unknown_names_say_what_there_is(name, split, says):
    with pytest.raises(ColorlibError, match=says) as error:
        data.photos(name, split)
    assert one_sentence(error)


def test_a_folder_is_divided_by_content_not_by_name(folder):
    parts = {split: data.photos(folder, split) for split in data.SPLITS}
    assert [len(parts[split]) for split in data.SPLITS] == [24, 3, 3]
    assert len({photo.name for part in parts.values() for photo in part}) == 30
    before = {split: {photo.sha256 for photo in part} for split, part in parts.items()}
    for path in list(folder.iterdir()):
        path.rename(folder / f"{30 - int(path.stem):03}-renamed.png")
    after = {split: {p.sha256 for p in data.photos(folder, split)} for split in data.SPLITS}
    assert after == before


def test_given_split_folders_are_kept_and_missing_ones_cut_from_train(folder):
    for name, numbers in (("train", range(20)), ("test", range(20, 30))):
        (folder / name / "class").mkdir(parents=True)
        for i in numbers:
            (folder / f"{i:02}.png").rename(folder / name / "class" / f"{i:02}.png")
    found = {split: {p.name for p in data.photos(folder, split)} for split in data.SPLITS}
    assert found["test"] == {f"test/class/{i}.png" for i in range(20, 30)}
    assert len(found["val"]) == 2 and len(found["train"]) == 18
    assert not found["val"] & found["train"]


def test_a_held_out_folder_beside_loose_photos_is_never_trained_on(folder):
    (folder / "test").mkdir()
    for i in range(4):
        (folder / f"{i:02}.png").rename(folder / "test" / f"{i:02}.png")
    found = {split: {p.name for p in data.photos(folder, split)} for split in data.SPLITS}
    assert found["test"] == {f"test/{i:02}.png" for i in range(4)}
    assert [len(found[split]) for split in ("train", "val")] == [24, 2]
    assert not any(name.startswith("test/") for name in found["train"] | found["val"])


def test_a_file_that_is_there_twice_is_in_one_split_only(folder):
    for path in list(folder.iterdir()):
        shutil.copy(path, folder / f"again-{path.name}")
    copies = folder / "test"
    copies.mkdir()
    for i in range(5):
        shutil.copy(folder / f"{i:02}.png", copies)
    parts = [{photo.sha256 for photo in data.photos(folder, split)} for split in data.SPLITS]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 30


def test_hidden_files_and_other_files_are_no_photos(folder):
    (folder / ".hidden.png").write_bytes(b"")
    (folder / "notes.txt").write_text("notes")
    (folder / ".thumbnails").mkdir()
    Image.new("RGB", (8, 8)).save(folder / ".thumbnails" / "0.png")
    assert sum(len(data.photos(folder, split)) for split in data.SPLITS) == 30


@pytest.mark.parametrize("split", data.SPLITS)
def test_too_few_photos(tmp_path, split):
    with pytest.raises(ColorlibError, match="holds no photographs") as error:
        data.photos(tmp_path, split)
    picture().save(tmp_path / "only.png")
    with pytest.raises(ColorlibError, match="holds 1 photograph: too few") as error:
        data.photos(tmp_path, split)
    assert one_sentence(error)


def move(folder: Path, names: dict[str, range]) -> None:
    """Move photographs of `folder` into folders of it."""
    for name, numbers in names.items():
        (folder / name).mkdir(parents=True)
        for i in numbers:
            (folder / f"{i:02}.png").rename(folder / name / f"{i:02}.png")


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("training", "validation", "testing"),
        ("Train", "Valid", "Test"),
        ("TRAIN", "dev", "TEST"),
        ("train2017", "val2017", "test2017"),
        ("training_set", "validation_set", "test_set"),
        ("train_256", "val_256", "test_256"),
        ("trainset", "devset", "testset"),
    ],
)
def test_split_folders_are_known_by_their_usual_names(folder, train, val, test):
    move(folder, {train: range(20), val: range(20, 24), test: range(24, 29)})
    found = [[photo.name for photo in data.photos(folder, split)] for split in data.SPLITS]
    assert [len(part) for part in found] == [20, 4, 5]
    for part, name in zip(found, (train, val, test), strict=True):
        assert all(photo.startswith(f"{name}/") for photo in part)
    left_out = f"left out: 1 photograph outside {train}/, {val}/ and {test}/"
    assert data.left_out(folder) == left_out


def test_folders_that_only_begin_like_splits_are_none(folder):
    move(folder, {"trainers": range(10), "testimony": range(10, 20), "valley": range(20, 30)})
    assert [len(data.photos(folder, split)) for split in data.SPLITS] == [24, 3, 3]


@pytest.mark.parametrize("names", [("train", "training"), ("Test", "test"), ("dev", "val")])
def test_two_folders_for_one_split_are_refused(folder, names):
    move(folder, {names[0]: range(10), names[1]: range(10, 20)})
    for call in (lambda: data.photos(folder, "train"), lambda: data.everything(folder)):
        with pytest.raises(ColorlibError, match=f"two folders .* {names[0]} and {names[1]}"):
            call()


def test_a_split_folder_may_have_a_second_name_by_a_link(folder):
    move(folder, {"validation": range(5)})
    (folder / "dev").symlink_to("validation")
    names = [photo.name for photo in data.photos(folder, "val")]
    assert names == [f"validation/0{i}.png" for i in range(5)]
    assert not any("/" in photo.name for photo in data.photos(folder, "train"))


def test_folders_that_look_like_splits_are_mentioned(folder):
    move(folder, {"seg_train": range(20), "seg_test": range(20, 30)})
    with pytest.warns(UserWarning, match="seg_test in .* trained on") as said:
        assert len(data.photos(folder, "train")) == 24
    assert len(said) == 1
    (folder / "seg_test").rename(folder / "test")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(data.photos(folder, "test")) == 10
    move(folder / "seg_train", {"../val_images": range(5)})
    with pytest.warns(UserWarning, match="val_images in .* trained on"):
        data.photos(folder, "train")


def test_a_split_folder_without_photographs_is_said(folder):
    move(folder, {"train": range(30), "val": range(0)})
    with pytest.raises(ColorlibError, match="val holds no photographs") as error:
        data.photos(folder, "val")
    assert one_sentence(error)
    assert len(data.photos(folder, "train")) == 27
    shutil.copytree(folder / "train", folder / "test")
    with pytest.raises(ColorlibError, match="train holds no photographs that are not in another"):
        data.photos(folder, "train")


def test_a_folder_with_only_test_photographs_can_be_judged(folder):
    move(folder, {"test": range(30)})
    assert len(data.photos(folder, "test")) == len(data.everything(folder)[0]) == 30
    with pytest.raises(ColorlibError, match="no photographs outside test/") as error:
        data.photos(folder, "train")
    assert one_sentence(error)


def test_a_folder_with_only_validation_photographs_can_be_judged(folder):
    move(folder, {"valid": range(30)})
    assert len(data.photos(folder, "val")) == len(data.everything(folder)[0]) == 30


def test_everything_is_all_of_a_folder_without_splits_and_else_its_test_split(folder, monkeypatch):
    photos, _ = data.everything(folder)
    assert [photo.name for photo in photos] == [f"{i:02}.png" for i in range(30)]
    monkeypatch.chdir(folder)
    assert len(data.everything(".")[0]) == 30
    move(folder, {"train": range(20)})
    assert data.everything(folder) == (data.photos(folder, "test"), "test")
    move(folder, {"test": range(20, 24)})
    assert data.everything(folder) == (data.photos(folder, "test"), "test")
    assert data.everything("samples") == (data.photos("samples", "test"), "test")
    (folder / "empty").mkdir()
    with pytest.raises(ColorlibError, match="holds no photographs"):
        data.everything(folder / "empty")


@pytest.mark.parametrize(
    ("counts", "split"),
    [({}, None), ({"test": range(4)}, "test"), ({"train": range(9)}, "test"),
     ({"val": range(30)}, "val")],
)
def test_everything_says_which_split_it_took(folder, counts, split):
    move(folder, counts)
    assert data.everything(folder)[1] == split


def test_what_is_there_instead_of_photographs_is_said(folder, without_heif):
    album = folder / "album"
    album.mkdir()
    for i in range(3):
        (album / f"{i}.heic").write_bytes(b"....ftypheic")
    for call in (lambda: data.photos(album, "train"), lambda: data.everything(album)):
        with pytest.raises(ColorlibError, match=r"no photographs; left out: 3 HEIC .*heif"):
            call()
    (album / "test").mkdir()
    with pytest.raises(ColorlibError, match="test holds no photographs; left out: 3 HEIC"):
        data.photos(album, "test")
    picture(1).save(album / "one.png")
    with pytest.raises(ColorlibError, match=r"1 photograph .*: too few .*; left out: 3"):
        data.photos(album, "val")


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".jp2", ".mpo", ".ppm", ".tga", ".JPG"])
def test_whatever_can_be_read_is_found_in_a_folder(folder, suffix):
    picture(100).save(folder / f"another{suffix}")
    names = {photo.name for split in data.SPLITS for photo in data.photos(folder, split)}
    assert len(names) == 31 and f"another{suffix}" in names


def test_links_are_followed_once(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    picture(100).save(tmp_path / "elsewhere" / "linked.png")
    (folder / "more").symlink_to(tmp_path / "elsewhere")
    (folder / "again").symlink_to(tmp_path / "elsewhere")
    (folder / "loop").symlink_to(folder)
    photos = [photo.name for photo in data.everything(folder)[0]]
    assert len(photos) == 31 and len([name for name in photos if "linked" in name]) == 1
    assert "link" in data.left_out(folder)


def test_what_is_left_out_of_a_folder_is_said_in_a_line(folder, monkeypatch):
    assert data.left_out(folder) is None and data.left_out("samples") is None
    (folder / "notes.txt").write_text("notes")
    assert ".txt" in data.left_out(folder)
    (folder / "phone.heic").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    if "pillow-heif" not in data.left_out(folder):
        pytest.skip("pillow-heif was there before")
    move(folder, {"train": range(20), "test": range(20, 28)})
    line = data.left_out(folder)
    assert line.endswith("2 photographs outside train/ and test/") and "\n" not in line
    assert ".txt" in line


def refuse(monkeypatch, names: set[str], error: OSError) -> None:
    """Let the opening of some files fail while photographs are listed."""

    def opened(path, *args, **kwargs):
        if Path(path).name in names:
            raise error
        return open(path, *args, **kwargs)

    monkeypatch.setattr(folders, "open", opened, raising=False)


def test_files_that_cannot_be_read_are_all_named(folder, monkeypatch):
    refuse(monkeypatch, {"07.png"}, PermissionError(13, "Permission denied"))
    with pytest.raises(data.UnreadablePhotos, match=r"07.png may not be read") as error:
        data.photos(folder, "train")
    assert one_sentence(error)
    refuse(monkeypatch, {"07.png", "11.png"}, FileNotFoundError(2, "No such file"))
    with pytest.raises(data.UnreadablePhotos, match=r"2 photographs .* 07.png, 11.png") as error:
        data.photos(folder, "train")
    assert error.value.files == (folder / "07.png", folder / "11.png")


def test_a_sample_that_may_not_be_read_is_one_sentence(monkeypatch):
    name = Path(catalogue.find("samples").files()[-1]["file"]).name
    refuse(monkeypatch, {name}, PermissionError(13, "Permission denied"))
    with pytest.raises(ColorlibError, match="may not be read") as error:
        data.photos("samples", "test")
    assert one_sentence(error)


# Names ----------------------------------------------------------------------


def test_every_data_set_of_the_table_can_be_looked_up(tmp_path, monkeypatch):
    assert len(data.names()) == len(set(data.names())) and "open-country-64" in data.names()
    for name, data_set in data.data_sets().items():
        assert data_set.about and data_set.licence and catalogue.find(name.upper()) is data_set
        for other in data_set.aliases:
            assert catalogue.find(other) is data_set
        if data_set.splits:
            assert {row["split"] for row in data_set.files()} == set(data.SPLITS)
        if data_set.package is None:
            with pytest.raises(NotHere, match=f"{name} are not here.*{data_set.folder}") as error:
                data.photos(name, "train")
            assert one_sentence(error)


def test_a_new_data_set_is_one_entry_of_the_table(folder, monkeypatch):
    entry = {"about": "thirty", "licence": "none", "folder": "photos", "aliases": ["more_noise"]}
    read = {"collections": {}, "sets": {"noise": entry}}
    monkeypatch.setattr(catalogue, "table", lambda name: read)
    monkeypatch.setenv("COLORLIB_DATA", str(folder.parent))
    for cached in (catalogue.data_sets, catalogue._by_spelling):
        cached.cache_clear()
    try:
        assert data.names() == ["noise"]
        assert data.photos("More-Noise", "train") == data.photos(folder, "train")
    finally:
        for cached in (catalogue.data_sets, catalogue._by_spelling):
            cached.cache_clear()


@pytest.fixture
def own(folder, monkeypatch) -> Path:
    """Folders ./samples and ./forest in the working directory."""
    for name in ("samples", "forest"):
        shutil.copytree(folder, folder.parent / name)
    monkeypatch.chdir(folder.parent)
    return folder.parent


def test_a_name_that_is_also_a_folder_is_the_data_set_and_that_is_said(own):
    for call in (
        lambda: data.photos("samples", "train"),
        lambda: data.joined(["samples"], "train"),
        lambda: data.everything("samples")[0],
    ):
        with pytest.warns(UserWarning, match="write ./samples for that folder") as said:
            assert any("flowers" in photo.name or "P107" in photo.name for photo in call())
        assert len(said) == 1 and said[0].filename == __file__
    with (
        pytest.warns(UserWarning, match="write ./forest for that folder"),
        pytest.raises(NotHere, match="download forest"),
    ):
        data.photos("forest", "train")


@pytest.mark.parametrize("name", ["./samples", "samples/", "{}/samples", "../{name}/samples"])
@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_always_the_folder(own, name, kind):
    name = kind(name.format(own, name=own.name))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(data.photos(name, "train")) == 24
        assert len(data.everything(name)[0]) == 30
        assert len(data.joined([name, Path("forest")], "train")) == 48
        assert data.left_out(name) is None
    with pytest.raises(ColorlibError, match="cannot download"):
        data.download(name)
    shutil.rmtree(own / "samples")
    with pytest.raises(NotHere, match=r"no folder .*samples"):
        data.photos(name, "train")


def test_the_home_folder_is_known(own, monkeypatch):
    monkeypatch.setenv("HOME", str(own))
    assert len(data.photos("~/samples", "train")) == 24
    assert len(data.photos(Path("~/samples"), "train")) == 24


def test_a_folder_here_goes_before_one_among_the_data_and_that_is_said(own, monkeypatch, tmp_path):
    there = tmp_path / "data"
    monkeypatch.setenv("COLORLIB_DATA", str(there))
    (there / "photos").mkdir(parents=True)
    (there / "only").symlink_to(own / "photos")
    assert len(data.photos("only", "train")) == 24
    with pytest.warns(UserWarning, match=f"folder ./photos: write {there / 'photos'} for") as said:
        assert len(data.photos("photos", "train")) == 24
    assert len(said) == 1
    monkeypatch.setenv("COLORLIB_DATA", str(own))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the same folder by two ways
        assert len(data.photos("photos", "train")) == 24


@pytest.mark.parametrize("name", ["", "no-such/folder", "x" * 5000, "nul\0byte"])
def test_what_is_no_folder_is_not_here(name):
    with pytest.raises(NotHere):
        data.photos(name, "train")


def test_a_photograph_is_no_folder(folder):
    with pytest.raises(NotHere, match="is a file, neither a folder") as error:
        data.photos(folder / "00.png", "train")
    assert one_sentence(error)


def test_joined_data_sets_train_on_nothing_that_one_of_them_tests_on(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for path in folder.iterdir():
        shutil.copy(path, other / f"copy-{path.name}")
    for i in range(30, 60):
        picture(i).save(other / f"{i}.png")
    both = [folder, str(other)]
    content = {split: {p.sha256 for p in data.joined(both, split)} for split in data.SPLITS}
    alone = [{s: {p.sha256 for p in data.photos(f, s)} for s in data.SPLITS} for f in both]
    assert content["test"] == alone[0]["test"] | alone[1]["test"]
    assert content["val"] == (alone[0]["val"] | alone[1]["val"]) - content["test"]
    rest = content["test"] | alone[0]["val"] | alone[1]["val"]
    assert content["train"] == (alone[0]["train"] | alone[1]["train"]) - rest
    assert content["train"] < alone[0]["train"] | alone[1]["train"]


def test_one_data_set_by_several_names_is_joined_as_it_is(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    plain = data.photos(folder, "train")
    assert data.joined([folder], "train") == plain
    twice = data.joined([folder, "./photos"], "train")
    assert [photo.sha256 for photo in twice] == [photo.sha256 for photo in plain] * 2


def test_each_file_is_read_once_a_call_of_joined(folder, tmp_path, monkeypatch):
    move(folder, {"test": range(4)})
    shutil.copytree(folder, tmp_path / "other")
    read, hash_of = [], folders.hash_of
    monkeypatch.setattr(folders, "hash_of", lambda path: read.append(path) or hash_of(path))
    data.joined([folder, tmp_path / "other", folder], "train")
    assert len(read) == len(set(read)) == 60
    read.clear()
    data.joined([folder], "test")  # and no file that does not matter
    assert len(read) == 4


# Packed photographs ---------------------------------------------------------


def test_a_pack_holds_the_photographs_as_decoded_by_hand(folder):
    items = data.photos(folder, "train")
    packed = data.pack(items, 8)
    assert packed.pixels.dtype == torch.uint8 and packed.photos == tuple(items)
    assert packed.size == 8 and len(packed) == 24
    assert packed.names == tuple(photo.name for photo in items)
    middle = Image.open(items[3].path).crop((2, 0, 18, 16)).resize((8, 8), Image.BICUBIC)
    difference = packed.rgb([3])[0].permute(1, 2, 0).numpy().astype(int) - np.asarray(middle)
    assert np.abs(difference[:, 2:-2]).max() <= 1  # at the cut, resampling sees beyond it
    assert torch.equal(packed.lab([3]), lab.rgb_to_lab(packed.rgb([3]).float() / 255))


def test_a_pack_is_made_once_and_keyed_by_content_order_and_size(folder, monkeypatch):
    items = data.photos(folder, "train")
    packed = data.pack(items, 8)
    others = {data.pack(items[::-1], 8).key, data.pack(items, 16).key, data.pack(items[1:], 8).key}
    assert len(others | {packed.key}) == 4
    monkeypatch.setattr(reading, "square", None)  # calling it would fail
    again = data.pack(items, 8)
    assert again.key == packed.key and torch.equal(again.pixels, packed.pixels)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_an_epoch_of_sixty_thousand_photographs_needs_no_more_memory_than_one_of_few(tmp_path):
    def own_memory() -> int:  # in kB, without what is mapped from files
        return int(Path("/proc/self/status").read_text().split("RssAnon:")[1].split()[0])

    count, size = 60_000, 64  # 737 MB of pixels
    shape = (count, size, size, 3)
    np.lib.format.open_memmap(tmp_path / "p.npy", "w+", np.uint8, shape).flush()
    pixels = torch.from_numpy(np.load(tmp_path / "p.npy", mmap_mode="c"))
    packed = data.Packed(pixels, ("gray",) * count, "key")
    before = own_memory()
    order = np.random.default_rng(0).permutation(count)
    for start in range(0, count, 500):
        batch = packed.rgb(order[start : start + 500])
    assert batch.shape == (500, 3, size, size)
    assert batch.untyped_storage().nbytes() == batch.nbytes  # a batch is a copy
    assert own_memory() - before < 50_000


def test_selections_copy_nothing_and_have_their_own_key(folder):
    packed = data.pack(data.photos(folder, "train"), 8)
    some = packed.select([5, 2]).select([1])
    assert some.names == (packed.names[2],) and some.pixels is packed.pixels
    assert torch.equal(some.rgb(), packed.rgb([2]))
    assert len({packed.key, some.key, packed.select([2]).key}) == 3


MASK = [False] * 20 + [True, False, True, True]


@pytest.mark.parametrize(
    ("which", "meant"),
    [
        (MASK, [20, 22, 23]),
        (np.array(MASK), [20, 22, 23]),
        (torch.tensor(MASK), [20, 22, 23]),
        ([-1, 0, -24], [23, 0, 0]),
        (torch.tensor([5, 2]), [5, 2]),
        (np.array([5, 2], np.uint8), [5, 2]),
        (range(3), [0, 1, 2]),
        (slice(None, None, 10), [0, 10, 20]),
        (slice(-2, None), [22, 23]),
        ([], []),
    ],
)
def test_photographs_are_chosen_by_positions_masks_and_slices(folder, which, meant):
    packed = data.pack(data.photos(folder, "train"), 8)
    embeddings = np.arange(24, dtype=np.float32).reshape(24, 1)
    packed = packed.select(range(24)).with_embeddings(embeddings)
    some = packed.select(which)
    assert some.names == tuple(packed.names[i] for i in meant)
    assert some.key == packed.select(meant).key
    assert torch.equal(some.rgb(), packed.rgb()[meant])
    assert torch.equal(packed.rgb(which), packed.rgb()[meant])
    assert torch.equal(packed.lab(which), packed.lab()[meant])
    assert packed.embedding(which)[:, 0].tolist() == meant


@pytest.mark.parametrize(
    "which",
    [
        MASK[1:], np.ones((24, 1), bool), [0.0, 1.0], [[0, 1]], 3, [0, 24], [-25],
    ],
)
def test_what_chooses_no_photographs_is_refused(folder, which):
    packed = data.pack(data.photos(folder, "train"), 8)
    packed = packed.with_embeddings(np.zeros((24, 1), np.float32))
    for choose in (packed.select, packed.rgb, packed.lab, packed.embedding):
        with pytest.raises(IndexError, match=r"photographs are chosen by .* there are 24"):
            choose(which)


def test_turned_photographs_bring_their_own_embeddings(folder):
    packed = data.pack(data.photos(folder, "train"), 8)
    seen, swapped = np.random.default_rng(0).random((2, len(packed), 3), np.float32)
    upright = packed.with_embeddings(seen, swapped).select([3, 1])
    mirrored, fallen = upright.mirrored(), upright.upside_down(swapped + 1)
    assert torch.equal(mirrored.rgb(), upright.rgb().flip(-1))
    assert torch.equal(fallen.rgb([1]), upright.rgb([1]).flip(-2))
    assert np.allclose(mirrored.embedding(), swapped[[3, 1]])
    assert np.allclose(mirrored.embedding(mirrored=True), seen[[3, 1]])
    some = upright.embedding(mirrored=np.array([True, False]))
    assert np.allclose(some, np.stack((swapped[3], seen[1])))
    assert np.allclose(fallen.embedding(), swapped[[3, 1]] + 1)
    assert upright.upside_down().embedding() is None
    assert len({upright.key, mirrored.key, fallen.key}) == 3
    only = packed.with_embeddings(seen)
    assert np.allclose(only.embedding(), seen) and only.key != packed.with_embeddings(swapped).key
    for turned in (only.mirrored, lambda: only.embedding(mirrored=True)):
        with pytest.raises(ValueError, match="mirror images"):
            turned()


def test_near_gray_photographs_are_found(tmp_path):
    for i, colour in enumerate([(128, 128, 128), (130, 126, 128), (200, 60, 60), (40, 90, 200)]):
        Image.new("RGB", (16, 16), colour).save(tmp_path / f"{i}.png")
    paths = sorted(tmp_path.glob("*.png"))
    items = [data.Photo(path.name, path, f"{i:064x}") for i, path in enumerate(paths)]
    packed = data.pack(items, 8)
    expected = packed.lab()[:, 1:].norm(dim=1).mean((1, 2)).numpy()
    assert packed.chroma() == pytest.approx(expected, abs=1e-4)
    assert packed.colourful(10).names == ("2.png", "3.png")
    with pytest.raises(ColorlibError, match=r"none of 4 photographs.*Lab units") as error:
        packed.colourful(150)
    assert one_sentence(error)


def test_upside_down_photographs_are_turned_upright(tmp_path):
    image = picture(size=(16, 16))
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by 180 degrees
    image.save(tmp_path / "turned.png", exif=exif)
    image.rotate(180).save(tmp_path / "upright.png")
    turned, upright = (
        data.pack([data.Photo(n, tmp_path / n, c * 64)], 16)
        for n, c in (("turned.png", "a"), ("upright.png", "b"))
    )
    assert torch.equal(turned.rgb(), upright.rgb())


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1"])
def test_every_mode_is_packed(tmp_path, mode):
    path = tmp_path / "photo.tiff"
    picture(mode=mode).save(path)
    assert data.pack([data.Photo("photo", path, "a" * 64)], 8).rgb().shape == (1, 3, 8, 8)


def test_sixteen_bits_become_eight_and_are_not_clipped(tmp_path):
    levels = np.linspace(0, 65535, 16 * 16).round().astype(np.uint16).reshape(16, 16)
    path = tmp_path / "deep.png"
    Image.fromarray(levels).save(path)
    found = data.pack([data.Photo("deep", path, "a" * 64)], 16).rgb()[0, 0].numpy()
    assert np.abs(found - levels / 257).max() <= 1


def test_decoding_needs_a_file_that_is_an_image(tmp_path):
    with pytest.raises(ColorlibError, match="there is no file") as error:
        files.square(tmp_path / "nothing.png", 8)
    assert one_sentence(error)
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(ColorlibError, match="cannot be read as an image") as error:
        files.square(tmp_path / "text.png", 8)
    assert one_sentence(error)


def damage(photo: data.Photo) -> None:
    content = photo.path.read_bytes()
    photo.path.write_bytes(content[: len(content) // 2])


def test_a_damaged_photograph_leaves_no_half_pack(folder, cache):
    items = data.photos(folder, "train")
    whole = items[7].path.read_bytes()
    damage(items[7])
    with pytest.raises(data.UnreadablePhotos, match="cannot be read as an image") as error:
        data.pack(items, 8)
    assert one_sentence(error) and str(items[7].path) in str(error.value)
    assert error.value.files == (items[7].path,)
    items[7].path.write_bytes(whole)
    assert len(data.pack(items, 8)) == 24


def test_all_damaged_photographs_are_named_at_once(folder, monkeypatch):
    items = data.photos(folder, "train")
    for i in (3, 7, 11, 12, 20):
        damage(items[i])
    items[15].path.unlink()  # since they were listed
    gone = [items[i] for i in (3, 7, 11, 12, 15, 20)]
    decoded = []
    square = reading.square
    monkeypatch.setattr(reading, "square", lambda path, size: decoded.append(path)
                        or square(path, size))
    for tried in (len(items), len(gone)):  # the second time, the others are not decoded again
        decoded.clear()
        with pytest.raises(data.UnreadablePhotos, match="6 of 24") as error:
            data.pack(items, 8)
        assert one_sentence(error)
        assert error.value.files == tuple(photo.path for photo in gone)
        named = [photo.name in str(error.value) for photo in gone]
        assert named == [True] * 3 + [False] * 3 and "and 3 more" in str(error.value)
        assert len(decoded) == tried
    for photo in gone:
        picture(99).save(photo.path)
    assert len(data.pack(items, 8)) == 24


def test_damaged_photographs_can_be_left_out(folder, monkeypatch):
    items = data.photos(folder, "train")
    for i in (3, 7):
        damage(items[i])
    good = [photo for i, photo in enumerate(items) if i not in (3, 7)]
    for _ in range(2):
        packed = data.pack(items, 8, skip_damaged=True)
        assert packed.names == tuple(photo.name for photo in good)
        assert packed.skipped == (items[3], items[7])
        assert packed.select([0]).skipped == packed.skipped
    monkeypatch.setattr(reading, "square", None)  # calling it would fail
    without = data.pack(good, 8, skip_damaged=True)
    assert without.key == packed.key and torch.equal(without.rgb(), packed.rgb())
    assert without.skipped == ()


def test_where_all_photographs_are_damaged_none_can_be_left_out(folder):
    items = data.photos(folder, "test")
    for photo in items:
        damage(photo)
    with pytest.raises(data.UnreadablePhotos, match="3 of 3"):
        data.pack(items, 8, skip_damaged=True)


def test_a_photograph_may_be_listed_twice(folder):
    items = data.photos(folder, "test")
    packed = data.pack([*items, items[0]], 8)
    assert torch.equal(packed.rgb([0]), packed.rgb([3])) and len(packed) == 4
    damage(items[0])
    packed = data.pack([*items, items[0]], 16, skip_damaged=True)
    assert len(packed) == 2 and packed.skipped == (items[0], items[0])


def test_an_interrupt_leaves_no_half_pack(folder, cache):
    def interrupted(items):
        for i, item in enumerate(items):
            if i == 5:
                raise KeyboardInterrupt
            yield item

    items = data.photos(folder, "train")
    with pytest.raises(KeyboardInterrupt):
        data.pack(items, 8, progress=interrupted)
    assert not [path for path in cache.rglob("pixels.npy") if not path.parent.suffix]
    assert len(data.pack(items, 8)) == 24
    assert [path.name for path in leftovers(cache)] == ["pixels.npy"]


@pytest.mark.parametrize(("count", "size"), [(0, 8), (3, 4)])
def test_nothing_to_pack_and_too_small_a_size_are_refused(folder, count, size):
    with pytest.raises(ColorlibError):
        data.pack(data.photos(folder, "train")[:count], size)


def test_a_cache_that_cannot_be_written_is_one_sentence(folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("COLORLIB_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ColorlibError, match=r"cannot be written.* set COLORLIB_CACHE") as error:
        data.pack(data.photos(folder, "train"), 8)
    assert "\n" not in str(error.value)


def test_the_cache_is_where_it_is_told_to_be(cache, monkeypatch):
    assert cache_dir() == cache
    monkeypatch.delenv("COLORLIB_CACHE")
    assert cache_dir().name == "colorlib"
    monkeypatch.setenv("COLORLIB_CACHE", "~/somewhere")
    monkeypatch.setenv("COLORLIB_DATA", "~/elsewhere")
    assert cache_dir() == Path.home() / "somewhere"
    assert data.data_dir() == Path.home() / "elsewhere"


# Downloads, from a server on this machine -----------------------------------


@pytest.fixture
def published(monkeypatch) -> dict[str, bytes]:
    """A small collection in place of the published one: name in the archive -> bytes."""
    files = {}
    for i in range(3):
        content = io.BytesIO()
        picture(i).save(content, "JPEG")
        files[f"opencountry_{i}.jpg"] = content.getvalue()
    rows = [
        {
            "category": "opencountry",
            "file": name.removeprefix("opencountry_"),
            "sha256": hashlib.sha256(content).hexdigest(),
            "split": split,
        }
        for (name, content), split in zip(files.items(), data.SPLITS, strict=True)
    ]
    monkeypatch.setattr(catalogue, "_rows", lambda name: rows)
    return files


def archive(files: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", how) as bundle:
        bundle.writestr("collection/readme.txt", "not a photograph")
        for name, photo in files.items():
            bundle.writestr(f"collection/{name}", photo)
    return content.getvalue()


def address(server) -> str:
    return f"{server.url}/collection.zip"


def test_a_class_is_downloaded_once_and_then_read(server, published, cache, capfd):
    server.body = archive(published)
    folder = data.download("open-country", address(server), progress=False)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == published
    assert {path.parent for path in leftovers(cache)} == {folder}
    assert [photo.name for photo in data.photos("open-country", "test")] == ["opencountry_2.jpg"]
    server.body = b""
    assert data.download("open-country", address(server), progress=False) == folder
    assert capfd.readouterr() == ("", "")


def test_a_progress_bar_is_shown(server, published, cache):
    """In a process of its own: TQDM_DISABLE is read when tqdm is imported."""
    server.body = archive(published)
    shown = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"}
    code = (
        "from colorlib.data import catalogue, downloads; from pathlib import Path; "
        f"downloads._archive({address(server)!r}, catalogue.find('street'), "
        f"Path({str(cache)!r}), progress=True)"
    )
    call = [sys.executable, "-c", code]
    assert "100%" in subprocess.run(call, env=shown, capture_output=True, text=True).stderr


def interrupted(server, files):
    server.body = archive(files)
    server.sent = len(server.body) // 2


def wrong_bytes(server, files):
    server.body = archive(files | {"opencountry_1.jpg": files["opencountry_0.jpg"]})


def file_missing(server, files):
    server.body = archive({name: files[name] for name in list(files)[:2]})


def damaged(server, files):
    server.body = archive(files)[:-30] + b"0" * 30


def damaged_inside(server, files):
    body = archive(files)
    at = body.index(files["opencountry_1.jpg"]) + 20
    server.body = body[:at] + bytes([body[at] ^ 255]) + body[at + 1 :]


def damaged_where_compressed(server, files):
    body = bytearray(archive(files, zipfile.ZIP_DEFLATED))
    name = b"collection/opencountry_1.jpg"
    body[body.index(name) + len(name)] = 0xFF  # a block of a kind that there is not
    server.body = bytes(body)


def not_found(server, files):
    server.body = b""


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (interrupted, "could not be had: check"),
        (wrong_bytes, "opencountry_1.jpg in the archive differs"),
        (file_missing, "lacks opencountry_2.jpg"),
        (damaged, "damaged"),
        (damaged_inside, "damaged"),
        (damaged_where_compressed, "damaged"),
        (not_found, "404"),
    ],
)
def test_a_failed_download_leaves_nothing_and_can_be_repeated(
    fault, says, server, published, cache
):
    fault(server, published)
    with pytest.raises(ColorlibError, match=says) as error:
        data.download("open-country", address(server), progress=False)
    assert one_sentence(error)
    assert not leftovers(cache)
    server.body, server.sent = archive(published), None
    assert len(list(data.download("open-country", address(server), progress=False).iterdir())) == 3


def test_no_network_is_one_sentence(server, published, cache):
    server.shutdown()
    server.server_close()
    with pytest.raises(ColorlibError, match="check the address and the network") as error:
        data.download("open-country", address(server), progress=False)
    assert one_sentence(error) and not leftovers(cache)


@pytest.mark.parametrize("url", ["archive.zip", "htps://example.org/archive.zip"])
def test_an_address_that_is_none_is_one_sentence(url, published, cache):
    with pytest.raises(ColorlibError, match="check the address") as error:
        data.download("open-country", url, progress=False)
    assert one_sentence(error) and not leftovers(cache)


def test_only_classes_of_the_collection_can_be_downloaded():
    with pytest.raises(ColorlibError, match="open-country"):
        data.download("imagenet")
