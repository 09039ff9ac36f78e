"""How varied photographs are, and the verb that says it."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance

from colorlib import data
from colorlib.data import breadth, catalogue


def packed(*images: Image.Image) -> data.Packed:
    pixels = np.stack([np.asarray(image) for image in images])
    return data.Packed(pixels, tuple(map(str, range(len(images)))), "k", np.arange(len(images)))


def scene(seed: int, size: int = 64) -> Image.Image:
    """Smooth noise, which has shades from place to place as photographs have."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)


def test_the_spread_of_points_is_known():
    points = torch.tensor([[3.0, 0.0], [-3.0, 0.0], [0.0, 4.0], [0.0, -4.0]])
    assert breadth.spread(points + 7) == pytest.approx(12.5**0.5)
    assert breadth.spread(points[:1]) == 0


def test_mean_colours_are_those_of_each_photograph():
    images = packed(*[Image.new("RGB", (8, 8), c) for c in ("red", "blue", "gray")])
    found = breadth.mean_colours(images)
    assert torch.allclose(found, images.lab()[:, 1:, 0, 0], atol=1e-3)
    assert found[2].abs().max() < 0.1 and found[0, 0] > 70


def test_near_duplicates_are_found_and_others_are_not():
    others = [scene(seed) for seed in range(40)]
    original = others[17]
    small = original.resize((40, 40)).resize((64, 64))
    brighter = ImageEnhance.Brightness(original).enhance(1.15)
    questioned = packed(scene(100), small, scene(101), brighter)
    assert breadth.near_duplicates(questioned, packed(*others)) == {1: 17, 3: 17}


def test_hash_and_thumbnail_must_both_agree():
    """Two ramps have the same hash; two skies with light from either side nearly one thumbnail."""
    down, right = np.meshgrid(np.linspace(0, 220, 64), np.linspace(-9, 9, 64), indexing="ij")
    skies = [Image.fromarray((down + side * right + 15).astype(np.uint8)).convert("RGB")
             for side in (1, -1)]
    assert breadth.near_duplicates(packed(skies[0]), packed(skies[1])) == {}
    ramp = np.tile(np.linspace(0, 255, 64), (64, 1))
    steep = np.where(np.arange(64) > 50, 255.0, np.linspace(0, 20, 64))[None].repeat(64, 0)
    one, other = (Image.fromarray(a.astype(np.uint8)).convert("RGB") for a in (ramp, steep))
    hashes = breadth.difference_hash(packed(one, other))
    assert (hashes[0] != hashes[1]).sum() <= 10
    assert breadth.near_duplicates(packed(one), packed(other)) == {}
    mirrored = packed(scene(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert breadth.near_duplicates(mirrored, packed(scene(1))) == {}


def test_a_hash_says_where_it_gets_lighter():
    ramp = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1))
    images = [Image.fromarray(a).convert("RGB") for a in (ramp, ramp[:, ::-1], ramp.T)]
    found = breadth.difference_hash(packed(*images))
    assert found.shape == (3, 64) and found.dtype == torch.bool
    assert found[0].all() and not found[1].any() and not found[2].any()


def save(folder: Path, seeds: range) -> None:
    folder.mkdir(parents=True)
    for seed in seeds:
        scene(seed).save(folder / f"{seed}.png")


@pytest.fixture
def photos(tmp_path) -> Path:
    """Two of four test photographs have copies, of another size, among those to train on."""
    root = tmp_path / "photos"
    for split, seeds in (("train", range(20)), ("val", range(30, 33)), ("test", range(40, 42))):
        save(root / split, seeds)
    for seed in (3, 4):
        scene(seed, 96).save(root / "test" / f"copy-{seed}.png")
    Image.new("RGB", (64, 64), "gray").save(root / "train" / "gray.png")
    return root


def test_a_folder_is_described_in_numbers(run, photos, tmp_path):
    packs = {split: data.pack(data.photos(photos, split), 64) for split in data.SPLITS}
    found = breadth.summary(packs)
    train, test = found["train"], found["test"]
    assert (train["photographs"], train["near_gray"], test["photographs"]) == (21, 1, 4)
    assert test["near_duplicates"] == 2 and "near_duplicates" not in train
    assert found["val"]["near_duplicates"] == 0
    pack = packs["train"]
    assert train["chroma"] == pytest.approx(pack.chroma().mean(), rel=1e-5)
    assert train["mean_colour"] == pytest.approx(pack.lab()[:, 1:].mean((0, 2, 3)), rel=1e-3)
    status, text, error = run("data", photos)
    assert status == 0, error
    assert "division     split folders train/, val/ and test/" in text
    (row,) = (line.split() for line in text.splitlines() if line.startswith("test"))
    assert row[1] == "4" and row[-1] == "2"


def test_a_contact_sheet_is_written_once(run, photos, tmp_path):
    sheet = tmp_path / "sheets" / "photos.png"
    assert run("data", photos, "--sheet", sheet)[0] == 0
    with Image.open(sheet) as image:
        assert image.size == (8 * 130 + 2, 4 * 130 + 2)  # 28 photographs
        first = np.asarray(image)[2:130, 2:130]
    shown = np.asarray(Image.open(photos / "train" / "0.png").resize((128, 128), 3))
    assert np.abs(first.astype(int) - shown).max() <= 2
    status, _, error = run("data", photos, "--sheet", sheet)
    assert status == 1 and "exists already" in error


def test_a_contact_sheet_shows_all_splits_and_nothing_damaged(run, tmp_path):
    for split, seeds in (("train", range(60)), ("val", range(60, 64)), ("test", range(64, 70))):
        save(tmp_path / "photos" / split, seeds)
    for seed in (5, 66):
        folder = tmp_path / "photos" / ("train" if seed < 60 else "test")
        (folder / f"{seed}.png").write_bytes(bytes([seed]))
    sheet = tmp_path / "sheet.png"
    call = ("data", tmp_path / "photos", "--sheet", sheet)
    status, _, error = run(*call)
    assert status == 1 and "--skip-damaged" in error and not sheet.exists()
    status, _, error = run(*call, "--skip-damaged")
    assert status == 0 and "2 of 70 photos cannot be read" in error
    with Image.open(sheet) as image:
        tiles = np.asarray(image)
    tiles = [tiles[2 + 130 * y : 130 + 130 * y, 2 + 130 * x : 130 + 130 * x]
             for y in range(6) for x in range(8)]
    assert all(tile.std() > 5 for tile in tiles)
    last = np.asarray(Image.open(tmp_path / "photos" / "test" / "69.png").resize((128, 128), 3))
    assert np.abs(tiles[-1].astype(int) - last).max() <= 2


def test_a_split_that_is_not_as_published_is_said(run, tmp_path, monkeypatch):
    """The others are shown."""
    entry = catalogue.find("everyday")
    rows = [next(row for row in entry.files() if row["split"] == name) for name in ("val", "test")]
    for i, row in enumerate(rows):
        (tmp_path / "everyday" / row["split"]).mkdir(parents=True, exist_ok=True)
        scene(i).save(tmp_path / "everyday" / row["split"] / row["file"], "JPEG")
        content = (tmp_path / "everyday" / row["split"] / row["file"]).read_bytes()
        row["sha256"] = hashlib.sha256(content).hexdigest()
    gone = dict(rows[0], file="gone.jpg", split="train")
    monkeypatch.setattr(catalogue, "_rows", lambda _: [*rows, gone])
    monkeypatch.setenv("COLORLIB_DATA", str(tmp_path))
    status, text, error = run("data", "everyday")
    assert status == 0 and "gone.jpg is missing" in error and "\ntest" in text
    assert "delete" not in error and "photographs of your own" in error


def test_the_catalogue_says_what_is_here_and_what_it_would_cost(run):
    status, text, _ = run("data")
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert status == 0 and set(data.names()) <= set(lines)
    assert lines["samples"].split()[1:5] == ["32", "6", "10", "yes"]
    assert lines["imagenet64"].split()[1:4] == ["60000", "500", "2000"]
    assert "248 MB to get" in lines["imagenet64"]


def test_a_data_set_that_is_not_here_is_described_all_the_same(run):
    status, text, error = run("data", "places")
    assert status == 1 and "colorlib download places" in error
    entry = catalogue.find("places")
    for said in (entry.about, entry.source, entry.citation, entry.licence, entry.division):
        assert said in text


def test_a_sheet_needs_a_name(run, tmp_path):
    status, _, error = run("data", "--sheet", tmp_path / "x.png")
    assert status == 1 and "name of a data set" in error and "\n" not in error.strip()


def test_what_is_no_data_set_is_one_sentence(run, tmp_path):
    for name in ("nothing", tmp_path):
        status, _, error = run("data", name)
        assert status == 1 and len(error.strip().splitlines()) == 1


def test_every_entry_says_what_a_reader_asks():
    for entry in data.data_sets().values():
        for said in (entry.about, entry.pixels, entry.source, entry.citation, entry.division):
            assert said, entry.name
        assert sum(entry.photographs().values()) > 40
