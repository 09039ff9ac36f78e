import csv
import hashlib
import io
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from colorlib import data, lab
from colorlib.errors import ColorlibError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """Every test begins with an empty cache and without other data."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("COLORLIB_CACHE", str(folder))
    monkeypatch.delenv("COLORLIB_DATA", raising=False)
    return folder


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


def leftovers(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.is_file()] if cache.exists() else []


def one_sentence(error: pytest.ExceptionInfo) -> bool:
    return "\n" not in str(error.value) and 10 < len(str(error.value)) < 300


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
    files = resources.files
    monkeypatch.setattr(
        data.resources, "files", lambda name: package if name == "mvtbdata" else files(name)
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


def test_the_published_splits_cover_the_cvcl_collection():
    with resources.files("colorlib").joinpath("splits", "cvcl.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2688 == len({(row["category"], row["file"]) for row in rows})
    sizes = Counter((row["category"], row["split"]) for row in rows)
    assert len(sizes) == 8 * 3
    assert all(sizes[category, "test"] == 50 for category, _ in sizes)
    assert sizes["opencountry", "train"] + sizes["opencountry", "val"] == 360


@pytest.mark.parametrize("name", ["open-country", "opencountry", "Open_Country"])
def test_a_class_that_is_not_here_says_how_to_get_it(name):
    with pytest.raises(ColorlibError, match="colorlib download opencountry") as error:
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


def test_too_few_photos(tmp_path):
    picture().save(tmp_path / "only.png")
    with pytest.raises(ColorlibError, match="too few") as error:
        data.photos(tmp_path, "train")
    assert one_sentence(error)


# Packed photographs ---------------------------------------------------------


def test_a_pack_holds_the_photographs_as_decoded_by_hand(folder):
    items = data.photos(folder, "train")
    packed = data.pack(items, 8)
    assert isinstance(packed.pixels, np.memmap) and packed.pixels.dtype == np.uint8
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
    monkeypatch.setattr(data, "decode", None)  # calling it would fail
    again = data.pack(items, 8)
    assert again.key == packed.key and np.array_equal(again.pixels, packed.pixels)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_an_epoch_of_sixty_thousand_photographs_needs_no_more_memory_than_one_of_few(tmp_path):
    def own_memory() -> int:  # in kB, without what is mapped from files
        return int(Path("/proc/self/status").read_text().split("RssAnon:")[1].split()[0])

    count, size = 60_000, 64  # 737 MB of pixels
    shape = (count, size, size, 3)
    np.lib.format.open_memmap(tmp_path / "p.npy", "w+", np.uint8, shape).flush()
    pixels = np.load(tmp_path / "p.npy", mmap_mode="r")
    packed = data.Packed(pixels, ("gray",) * count, "key", np.arange(count))
    before = own_memory()
    order = np.random.default_rng(0).permutation(count)
    for start in range(0, count, 500):
        batch = packed.rgb(order[start : start + 500])
    assert batch.shape == (500, 3, size, size)
    assert batch.numpy().base is not pixels  # a batch is a copy
    assert own_memory() - before < 50_000


def test_selections_copy_nothing_and_have_their_own_key(folder):
    packed = data.pack(data.photos(folder, "train"), 8)
    some = packed.select([5, 2]).select([1])
    assert some.names == (packed.names[2],) and some.pixels is packed.pixels
    assert torch.equal(some.rgb(), packed.rgb([2]))
    assert len({packed.key, some.key, packed.select([2]).key}) == 3


def test_turned_photographs_bring_their_own_embeddings(folder):
    packed = data.pack(data.photos(folder, "train"), 8)
    seen = np.random.default_rng(0).random((len(packed), 2, 3), np.float32)
    upright = packed.with_embeddings(seen).select([3, 1])
    mirrored, fallen = upright.mirrored(), upright.upside_down(seen[:, ::-1] + 1)
    assert torch.equal(mirrored.rgb(), upright.rgb().flip(-1))
    assert torch.equal(fallen.rgb([1]), upright.rgb([1]).flip(-2))
    assert np.allclose(mirrored.embedding(), seen[[3, 1], 1])
    assert np.allclose(mirrored.embedding(mirrored=True), seen[[3, 1], 0])
    assert np.allclose(fallen.embedding(), seen[[3, 1], 1] + 1)
    assert upright.upside_down().embedding() is None
    assert len({upright.key, mirrored.key, fallen.key}) == 3


def test_near_gray_photographs_are_found(tmp_path):
    for i, colour in enumerate([(128, 128, 128), (130, 126, 128), (200, 60, 60), (40, 90, 200)]):
        Image.new("RGB", (16, 16), colour).save(tmp_path / f"{i}.png")
    paths = sorted(tmp_path.glob("*.png"))
    items = [data.Photo(path.name, path, f"{i:064x}") for i, path in enumerate(paths)]
    packed = data.pack(items, 8)
    expected = packed.lab()[:, 1:].norm(dim=1).mean((1, 2)).numpy()
    assert packed.chroma() == pytest.approx(expected, abs=1e-4)
    assert packed.colourful(10).names == ("2.png", "3.png")


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


def test_reading_needs_a_file_that_is_an_image(tmp_path):
    with pytest.raises(ColorlibError, match="there is no file") as error:
        data.read(tmp_path / "nothing.png")
    assert one_sentence(error)
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(ColorlibError, match="cannot be read as an image") as error:
        data.read(tmp_path / "text.png")
    assert one_sentence(error)


def test_a_file_that_is_no_image_leaves_no_half_pack(folder, cache):
    items = data.photos(folder, "train")
    whole = items[7].path.read_bytes()
    items[7].path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ColorlibError, match="cannot be read as an image") as error:
        data.pack(items, 8)
    assert one_sentence(error) and items[7].path.name in str(error.value)
    assert not leftovers(cache)
    items[7].path.write_bytes(whole)
    assert len(data.pack(items, 8)) == 24


def test_an_interrupt_leaves_no_half_pack(folder, cache):
    def interrupted(items):
        yield from items[:5]
        raise KeyboardInterrupt

    items = data.photos(folder, "train")
    with pytest.raises(KeyboardInterrupt):
        data.pack(items, 8, progress=interrupted)
    assert not leftovers(cache)
    assert len(data.pack(items, 8)) == 24


@pytest.mark.parametrize(("count", "size"), [(0, 8), (3, 4)])
def test_nothing_to_pack_and_too_small_a_size_are_refused(folder, count, size):
    with pytest.raises(ColorlibError):
        data.pack(data.photos(folder, "train")[:count], size)


def test_a_cache_that_cannot_be_written_is_one_sentence(folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("COLORLIB_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ColorlibError, match="cannot be written") as error:
        data.pack(data.photos(folder, "train"), 8)
    assert one_sentence(error)


def test_the_cache_is_where_it_is_told_to_be(cache, monkeypatch):
    assert data.cache_dir() == cache
    monkeypatch.delenv("COLORLIB_CACHE")
    assert data.cache_dir().name == "colorlib"


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
    monkeypatch.setattr(data, "_table", lambda name: rows)
    return files


def archive(files: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", how) as bundle:
        bundle.writestr("collection/readme.txt", "not a photograph")
        for name, photo in files.items():
            bundle.writestr(f"collection/{name}", photo)
    return content.getvalue()


@pytest.fixture
def server():
    """Answers every request with `server.body`, and breaks off after `server.sent` bytes."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.server.body
            self.send_response(200 if body else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: self.server.sent])

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.body, server.sent = b"", None
        server.url = f"http://127.0.0.1:{server.server_port}/collection.zip"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_class_is_downloaded_once_and_then_read(server, published, cache, capfd):
    server.body = archive(published)
    folder = data.download("open-country", server.url, progress=False)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == published
    assert {path.parent for path in leftovers(cache)} == {folder}
    assert [photo.name for photo in data.photos("open-country", "test")] == ["opencountry_2.jpg"]
    server.body = b""
    assert data.download("open-country", server.url, progress=False) == folder
    assert capfd.readouterr() == ("", "")


def test_a_progress_bar_is_shown(server, published, cache):
    """In a process of its own: TQDM_DISABLE is read when tqdm is imported."""
    server.body = archive(published)
    shown = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"}
    code = f"from colorlib import data; data._fetch({server.url!r}, {str(cache)!r}, progress=True)"
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
        (interrupted, "broke off|cannot reach"),
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
        data.download("open-country", server.url, progress=False)
    assert one_sentence(error)
    assert not leftovers(cache)
    server.body, server.sent = archive(published), None
    assert len(list(data.download("open-country", server.url, progress=False).iterdir())) == 3


def test_no_network_is_one_sentence(server, published, cache):
    server.shutdown()
    server.server_close()
    with pytest.raises(ColorlibError, match="check the network") as error:
        data.download("open-country", server.url, progress=False)
    assert one_sentence(error) and not leftovers(cache)


@pytest.mark.parametrize("url", ["archive.zip", "htps://example.org/archive.zip"])
def test_an_address_that_is_none_is_one_sentence(url, published, cache):
    with pytest.raises(ColorlibError, match="no address") as error:
        data.download("open-country", url, progress=False)
    assert one_sentence(error) and not leftovers(cache)


def test_only_classes_of_the_collection_can_be_downloaded():
    with pytest.raises(ColorlibError, match="open-country"):
        data.download("imagenet")
