import hashlib
import multiprocessing
import os
import shutil
import threading
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from colorlib import data, files, lab
from colorlib.base.errors import ColorlibError
from colorlib.data import packing
from colorlib.networks import classifiers, priors


@pytest.fixture(scope="module")
def prior() -> priors.Prior:
    return priors.Prior()


pytestmark = pytest.mark.usefixtures("cache")


def lightness(split: str = "val", size: int = 224) -> torch.Tensor:
    return lab.normalize(data.pack(data.photos("samples", split), size).lab())[0]


def test_the_embedded_weights_know_what_they_see(prior):
    root = Path(os.environ.get("COLORLIB_TEST_DATA", "../shared/data")) / "imagenet_sample256"
    if not root.is_dir():
        pytest.skip("the labelled photographs are not on this machine")
    paths = sorted(root.glob("*.jpg"))[::20]
    ids = timm.data.ImageNetInfo().label_names()
    labels = torch.tensor([ids.index(path.name.split("_")[0]) for path in paths])
    pixels = torch.from_numpy(np.stack([files.square(path, 256) for path in paths]))
    rgb = pixels.permute(0, 3, 1, 2).float() / 255
    L, _ = lab.normalize(lab.rgb_to_lab(rgb))
    assert (prior.see(rgb).argmax(1) == labels).float().mean() > 0.8
    assert (prior(L).argmax(1) == labels).float().mean() > 0.6


def test_it_sees_a_flower_bed_and_a_tower_in_gray(prior):
    photographs = data.pack(data.photos("samples", "test"), 224)
    tower = photographs.names.index("eiffel-2.png")
    L, _ = lab.normalize(photographs.lab([tower]))
    ((name, probability), *others) = priors.classes(prior(L))[0]
    assert len(others) == 2 and 0 < probability <= 1
    assert name in {"obelisk", "beacon", "pole", "stupa", "bell cote", "pier", "flagpole", "crane"}


def test_embeddings_differ_from_photo_to_photo_and_collapse_in_the_trap(prior):
    L = lightness()
    spread = prior(L).std(dim=0).mean()
    trapped = priors.Prior(preprocessing="trap")(L).std(dim=0).mean()
    assert spread > 0.5
    assert trapped < 0.1 * spread


def test_it_sees_lightness_only(prior):
    photo = data.pack(data.photos("samples", "val"), 64).lab([0])
    recoloured = photo.clone()
    recoloured[:, 1:] = -recoloured[:, 1:]
    one, other = (prior(lab.normalize(p)[0]) for p in (photo, recoloured))
    assert torch.equal(one, other)
    leak = prior.see(lab.lab_to_rgb(photo)) - prior.see(lab.lab_to_rgb(recoloured))
    assert leak.abs().max() > 0.1


def test_it_is_frozen_whatever_the_caller_does(prior):
    L = torch.rand(2, 1, 64, 64) * 2 - 1
    before, state = prior(L), {k: t.clone() for k, t in prior.net.state_dict().items()}
    prior.train()
    prior.net.train()
    assert torch.equal(prior(L), before)
    assert all(torch.equal(t, state[k]) for k, t in prior.net.state_dict().items())
    assert not prior.training and not any(p.requires_grad for p in prior.parameters())


def test_outputs(prior):
    L = lightness(size=64)[:2]
    softmax = priors.Prior(output="softmax")(L)
    assert torch.allclose(softmax, prior(L).softmax(dim=-1), atol=1e-6)
    pooled = priors.Prior(output="pooled")
    assert pooled(L).shape == (2, 1280) == (2, pooled.features)
    assert torch.allclose(pooled.net.classifier(pooled(L)), prior(L), atol=1e-4)


def test_normalisation_is_the_classifiers_own(prior):
    seen = []
    hook = prior.net.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    prior(torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1).expand(2, 1, 8, 8))
    hook.remove()
    assert seen[0].shape == (2, 3, 224, 224)
    for picture, value in zip(seen[0], (-1.0, 1.0), strict=True):
        assert torch.allclose(picture, torch.tensor(value), atol=1e-3)


def test_the_means_as_written():
    prior = priors.Prior(preprocessing="mean", size=32)
    seen = []
    prior.net.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    prior(-torch.ones(1, 1, 32, 32))
    assert seen[0].mean(dim=(0, 2, 3)).tolist() == pytest.approx([-123.68, -116.779, -103.939])


def test_any_timm_classifier_from_a_local_file(tmp_path):
    torch.manual_seed(0)
    net = timm.create_model("resnet10t")
    save_file(net.state_dict(), tmp_path / "w.safetensors")
    torch.save(net.state_dict(), tmp_path / "w.pth")
    L = torch.rand(1, 1, 64, 64)
    one, other = (
        priors.Prior(name="resnet10t", weights=str(tmp_path / f"w.{kind}"), size=64)
        for kind in ("safetensors", "pth")
    )
    assert torch.equal(one(L), other(L)) and one.key == other.key


def test_weights_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    name = "mobilenetv3_small_050"
    save_file(timm.create_model(name).state_dict(), tmp_path / "w.safetensors")
    assert priors.Prior(name=name, weights="~/w.safetensors", size=64).features == 1000


def test_the_embedding_is_as_long_as_it_says(tmp_path):
    # A classifier whose pooled features are not the number of channels before pooling.
    name, path = "mobilenetv3_small_050", tmp_path / "w.safetensors"
    save_file(timm.create_model(name).state_dict(), path)
    for output in ("logits", "pooled"):
        prior = priors.Prior(name=name, weights=str(path), size=64, output=output)
        assert prior(torch.zeros(1, 1, 64, 64)).shape == (1, prior.features)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "no_such_net"}, "no classifier named"),
        ({"weights": "nowhere.pth"}, "no weights file"),
        ({"weights": __file__}, "does not hold the weights"),
        ({"output": "features"}, "'logits', 'softmax', 'pooled'"),
        ({"preprocessing": "none"}, "'timm', 'mean', 'trap'"),
        ({"size": 8}, "at least 32"),
        ({"crop": 8}, "no other settings"),
        ({"spec": "x"}, "no other settings"),
    ],
)
def test_what_cannot_be_had_is_refused_in_one_sentence(fields, says):
    with pytest.raises(ColorlibError, match=says) as error:
        priors.Prior(**fields)
    assert "\n" not in str(error.value)


def test_no_network_is_one_sentence_that_names_the_embedded_prior(monkeypatch, tmp_path, capfd):
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: None)
    with pytest.raises(ColorlibError, match=classifiers.EMBEDDED) as error:
        priors.Prior(name=classifiers.PAPER)
    assert "\n" not in str(error.value) and capfd.readouterr() == ("", "")


# The cache ------------------------------------------------------------------


def stored(cache: Path) -> list[Path]:
    """The files of embeddings, and no other but what says where each was made."""
    found = [path for path in (cache / "embeddings-3").rglob("*") if path.is_file()]
    beside = {path for path in found if path.name == "device.txt"}
    embeddings = [path for path in found if path not in beside]
    assert beside <= {path.with_name("device.txt") for path in embeddings}
    return embeddings


def test_embeddings_are_computed_once_photo_by_photo_and_mirrored(prior, cache):
    photos = data.photos("samples", "val")
    found = data.embed(photos, prior)
    assert found.dtype == torch.float32 and found.shape == (6, 1000)
    assert len(stored(cache)) == 1  # none of mirror images, which nobody asks for
    L = lightness()
    assert (found - prior(L)).abs().max() < 1e-3
    mirrored = data.embed(photos, prior, mirrored=True)
    assert (mirrored - prior(L.flip(-1))).abs().max() < 1e-3
    assert (found - mirrored).abs().mean() > 0.1
    again = data.embed(photos, prior, progress=None)  # calling it would fail
    assert torch.equal(again, found)
    fallen = data.embed(photos, prior, upside_down=True)
    assert (fallen - prior(L.flip(-2))).abs().max() < 1e-3


def test_the_cache_knows_photographs_prior_and_preprocessing(prior, cache):
    photos = data.photos("samples", "val")[:2]
    found = [
        data.embed(photos, prior),
        data.embed(photos[::-1], prior),
        data.embed(photos, priors.Prior(size=96)),
        data.embed(photos, priors.Prior(preprocessing="trap")),
        data.embed(photos, priors.Prior(output="pooled")),
    ]
    assert len(stored(cache)) == len(found)
    assert torch.allclose(found[0], found[1].flip(0), atol=1e-4)


def test_what_version_0_1_left_in_the_cache_is_not_used_and_keys_are_the_same(
    prior, cache, monkeypatch
):
    photos = data.photos("samples", "val")[:2]
    found = data.pack(photos, 16, prior)
    for file in [path for path in cache.rglob("*.npy")]:
        room, *inside = file.relative_to(cache).parts
        assert room in ("packed-2", "embeddings-3")
        old = cache.joinpath(room[:-2], *inside)
        old.parent.mkdir(parents=True)
        np.save(old, np.zeros_like(np.load(file)))  # as of photographs that came out black
        shutil.rmtree(file.parent)
    again = data.pack(photos, 16, prior)
    assert again.rgb().any() and torch.equal(again.rgb(), found.rgb())
    assert torch.equal(again.embeddings, found.embeddings)
    assert data.pack(photos, 16).key.startswith("18db7d55d7ed")  # as in version 0.1


def test_embeddings_that_another_device_has_made_are_used_and_say_so(prior, cache, monkeypatch):
    photos = data.photos("samples", "val")[:2]
    monkeypatch.setattr(packing, "device_name", lambda device: f"a {device}")
    made = data.embed(photos, prior)
    (file,) = stored(cache)
    other = data.embed(photos, prior, "cuda", progress=None)  # computing would fail
    assert torch.equal(made, other) and stored(cache) == [file]
    packed = data.pack(photos, 16, prior, "cuda")
    assert packed.key == data.pack(photos, 16, prior).key
    assert packed.prior == priors.describe(prior) | {"embedded_on": "a cpu"}
    file.with_name("device.txt").unlink()  # as of earlier versions
    assert data.pack(photos, 16, prior, "cuda").prior == priors.describe(prior)


def test_what_was_embedded_on_a_cpu_before_keys_were_without_device_is_found(prior, cache):
    photos = data.photos("samples", "val")[:2]
    digest = hashlib.sha256(f"{prior.key} cpu False False".encode())
    for photo in photos:
        digest.update(photo.sha256.encode())
    folder = cache / "embeddings-3" / digest.hexdigest()
    folder.mkdir(parents=True)
    np.save(folder / "embeddings.npy", np.full((2, 1000), 7, np.float32))
    assert (data.embed(photos, prior, progress=None) == 7).all()


def test_an_interrupted_cache_is_absent_and_then_whole(prior, cache):
    def interrupted(items):
        for i, item in enumerate(items):
            if i == 17:  # in the second chunk
                raise KeyboardInterrupt
            yield item

    photos = data.photos("samples", "train")[:18]
    with pytest.raises(KeyboardInterrupt):
        data.embed(photos, prior, progress=interrupted)
    assert not [path for path in stored(cache) if not path.parent.suffix]
    assert data.embed(photos, prior).any(dim=1).all()


@pytest.fixture
def damaged(tmp_path) -> list[data.Photo]:
    """Twenty photographs, of which the first, the fourth and the last cannot be read."""
    photos = []
    for i in range(20):
        path = tmp_path / f"{i:02}.png"
        noise = np.random.default_rng(i).integers(0, 256, (20, 20, 3), np.uint8)
        Image.fromarray(noise).save(path)
        if i in (0, 3, 19):
            path.write_bytes(path.read_bytes()[:100])
        photos.append(data.Photo(path.name, path, f"{i:064x}"))
    return photos


def test_all_photographs_that_cannot_be_read_are_named(cache, damaged):
    with pytest.raises(data.UnreadablePhotos, match=r"3 of 20 .* 00.png, 03.png, 19.png") as error:
        data.embed(damaged, priors.Prior(size=32))
    assert error.value.files == tuple(damaged[i].path for i in (0, 3, 19))
    assert not stored(cache)


def test_embeddings_leave_out_what_the_pack_leaves_out(cache, damaged):
    prior = priors.Prior(size=32)
    with pytest.raises(data.UnreadablePhotos):
        data.pack(damaged, 16, prior)
    packed = data.pack(damaged, 16, prior, skip_damaged=True)
    good = [photo for i, photo in enumerate(damaged) if i not in (0, 3, 19)]
    assert packed.names == tuple(photo.name for photo in good)
    assert packed.skipped == tuple(damaged[i] for i in (0, 3, 19))
    assert torch.equal(packed.embeddings, data.embed(good, prior))
    assert packed.photos == tuple(good)
    assert data.pack(good, 16, prior).key == packed.key


def _embed(folder: str) -> None:
    os.environ["COLORLIB_CACHE"] = folder
    torch.set_num_threads(1)
    data.embed(data.photos("samples", "val"), priors.Prior(size=64))


def test_two_processes_may_fill_it_at_once(cache):
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_embed, args=(str(cache),)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert len(stored(cache)) == 1
    found = data.embed(data.photos("samples", "val"), priors.Prior(size=64), progress=None)
    assert found.shape == (6, 1000)


def test_embeddings_do_not_depend_on_how_many_threads_there_are(prior, tmp_path, monkeypatch):
    photos = data.photos("samples", "val")
    before, found = torch.get_num_threads(), []
    for threads in (1, 2):
        monkeypatch.setenv("COLORLIB_CACHE", str(tmp_path / str(threads)))
        torch.set_num_threads(threads)
        found.append(data.embed(photos, prior))
        assert torch.get_num_threads() == threads
        torch.set_num_threads(before)
    assert torch.equal(*found)


def test_on_a_gpu_one_thread_computes_what_the_others_read(cache, damaged, monkeypatch):
    photos, prior, here = 5 * data.photos("samples", "train"), priors.Prior(size=32), []
    expected = data.embed(photos, prior, mirrored=True)
    see = prior.see
    monkeypatch.setenv("COLORLIB_CACHE", str(cache / "of a GPU"))
    monkeypatch.setattr(packing, "_is_cpu", lambda device: False)
    monkeypatch.setattr(
        prior, "see", lambda rgb: here.append((threading.get_ident(), len(rgb))) or see(rgb)
    )
    found = data.embed(photos, prior, mirrored=True)
    assert here == [(threading.get_ident(), count) for count in (64, 64, 32)]
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
    many = 8 * damaged[1:3] + damaged + 30 * damaged[5:8] + damaged  # 146: three chunks
    with pytest.raises(data.UnreadablePhotos, match=r"00\.png, 03\.png, 19\.png") as error:
        data.embed(many, priors.Prior(size=32))
    assert set(error.value.files) == {damaged[i].path for i in (0, 3, 19)}
