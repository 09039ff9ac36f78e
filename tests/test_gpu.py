"""A GPU computes what the CPU computes; skipped where there is none."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image

import replication
from colorlib import data, metrics, networks, training
from colorlib.base import devices
from colorlib.base.errors import ColorlibError
from colorlib.lab import rgb_to_lab
from colorlib.networks import PRESETS, Attention, priors
from colorlib.tool import pipeline, weights
from colorlib.training import Settings, augment, loop

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


@pytest.fixture
def float32():
    """Convolutions in full float32: by default torch rounds them to TF32 on a GPU."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


def network(preset: str = "baseline", **changes) -> networks.Colorizer:
    torch.manual_seed(0)
    return networks.build(preset, **{"width": 0.25, "output_gain": 3.0, **changes})


def inputs(model, size: int = 64, batch: int = 4):
    """What a network is given, and ab, both random."""
    random = torch.Generator().manual_seed(0)
    L = 2 * torch.rand(batch, 1, size, size, generator=random) - 1
    ab = torch.rand(batch, 2, size, size, generator=random) - 0.5
    E = model.config.embedding
    return networks.Inputs(L, torch.randn(batch, E, generator=random) if E else None), ab


def test_it_is_found():
    assert devices.auto_device() == "cuda"
    assert devices.find("auto") == devices.find("cuda") == "cuda:0"
    assert replication.all_of("auto")[0] == "cuda:0"
    assert devices.device_name("cuda:0") == torch.cuda.get_device_name(0)


def test_lab():
    rgb = torch.rand(2, 3, 64, 64)
    assert (rgb_to_lab(rgb.cuda()).cpu() - rgb_to_lab(rgb)).abs().max() < 1e-3


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("size", [64, 50])
def test_first_losses_and_gradients(preset, size, float32):
    found = []
    for device in ("cpu", "cuda"):
        model = network(preset).to(device, memory_format=torch.channels_last)
        given = inputs(model, size)
        loss = model(*(part.to(device) for part in given))
        loss.backward()
        gradient = torch.cat([p.grad.flatten().cpu() for p in model.parameters()])
        found.append((loss.item(), gradient))
    (loss, gradient), (other, other_gradient) = found
    assert other == pytest.approx(loss, rel=1e-3)
    assert (gradient - other_gradient).norm() < 1e-2 * gradient.norm()


def test_bfloat16_is_near():
    model = network("attention").cuda()
    given = [part.to("cuda") for part in inputs(model)]
    exact = model(*given)
    with torch.autocast("cuda", torch.bfloat16):
        rounded = model(*given)
    assert rounded.dtype == torch.float32
    assert rounded.item() == pytest.approx(exact.item(), rel=2e-2)


@pytest.mark.parametrize("score", ["dot", "general"])
def test_attention_the_fast_way(score, float32):
    module = Attention(32, score).cuda()
    h = torch.randn(2, 300, 32, device="cuda")
    written_out = module.weights(h, h) @ h
    assert torch.allclose(module.context(h, h), written_out, atol=1e-4)


def test_embeddings(tmp_path, monkeypatch, float32):
    monkeypatch.setenv("COLORLIB_CACHE", str(tmp_path / "cache"))
    random = np.random.default_rng(0)
    for i in range(3):
        pixels = random.integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((200, 160)).save(tmp_path / f"{i}.png")
    photos, _ = data.everything(tmp_path)
    one, other = (
        np.array(data.embed(photos, priors.Prior(), device)) for device in ("cpu", "cuda")
    )
    assert np.linalg.norm(one - other) < 1e-3 * np.linalg.norm(one)


def test_curves_agree_for_a_while(toy_photographs, float32):
    curves = []
    for device in ("cpu", "cuda"):
        settings = training.Settings(epochs=3, batch_size=4, flip=True, exposure=0.3)
        history = training.fit(
            network(output_gain=0.1), toy_photographs, toy_photographs, settings, device=device
        )
        curves.append([(row["train_loss"], row["val_loss"]) for row in history])
    assert np.allclose(*curves, rtol=1e-2)


def with_embeddings(photographs):
    found = np.random.default_rng(0).normal(size=(2, len(photographs), 5)).astype(np.float32)
    return photographs.with_embeddings(*found)


@pytest.mark.parametrize(
    "how",
    [{}, {"flip": True, "exposure": 0.3}, {"crop": 8}, {"crop": 8, "scale": 0.4, "repeats": 2}],
)
def test_batches_are_the_same_on_the_gpu(how, toy_photographs):
    photographs = with_embeddings(toy_photographs)
    settings = Settings(batch_size=3, **how)
    found = zip(
        augment.batches(photographs, settings, 1),
        augment.batches(photographs.to("cuda"), settings, 1, "cuda"),
        strict=True,
    )
    for (one, ab, share), (other, other_ab, other_share) in found:
        assert share == other_share
        pairs = [(ab, other_ab), (one.L, other.L), (one.embedding, other.embedding)]
        for a, b in pairs:
            assert b.is_cuda and (a - b.cpu()).abs().max() < 1e-2


def trained(photographs, tmp_path=None, graphs=True, optimizer="adam", model=None, **more):
    """Losses, with steps as CUDA graphs or one kernel after the other; by default of fusion."""
    rate = {"sgd": 0.1, "momentum": 0.03, "rmsprop": 1e-4}.get(optimizer, 1e-3)
    settings = Settings(
        **{"epochs": 6, "batch_size": 3, "optimizer": optimizer, "learning_rate": rate,
           "cosine": True, **more}
    )
    if model is None:
        model = network("fusion", embedding=5, output_gain=0.1)
    with pytest.MonkeyPatch.context() as patch:
        if not graphs:
            patch.setattr(loop.cuda, "Graphed", lambda step: step)
        history = training.fit(model, photographs, photographs, settings, tmp_path, "cuda")
    return [(row["train_loss"], row["val_loss"], row["learning_rate"]) for row in history]


@pytest.mark.parametrize("optimizer", training.OPTIMIZERS)
@pytest.mark.parametrize("more", [{}, {"average": 0.5, "flip": True}], ids=str)
def test_a_graph_computes_what_its_kernels_do(optimizer, more, toy_photographs, float32):
    photographs = with_embeddings(toy_photographs)  # batches of 3, 3 and 2
    plain = trained(photographs, graphs=False, optimizer=optimizer, **more)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        graphs = trained(photographs, optimizer=optimizer, **more)
    assert np.allclose(plain, graphs, rtol=1e-2)
    assert plain[-1][0] < 0.9 * plain[0][0]


@pytest.mark.parametrize(
    "changes", [{"heads": 4}, *({"head": head} for head in networks.HEADS)], ids=str
)
def test_a_u_net_can_be_a_graph(changes, toy_photographs, float32):
    found = []
    for graphs in (False, True):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found.append(trained(
                toy_photographs, graphs=graphs, optimizer="adamw", encoder_rate=0.1, average=0.5,
                batch_size=4, epochs=3, model=network("unet", output_gain=0.1, **changes),
            ))
    assert np.allclose(*found, rtol=3e-2)


def test_it_stops_and_goes_on_with_graphs(toy_photographs, tmp_path, monkeypatch, float32):
    photographs = with_embeddings(toy_photographs)
    straight = trained(photographs)
    evaluate, calls = loop.evaluate, []

    def stopping(*arguments):
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return evaluate(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "evaluate", stopping)
        with pytest.raises(KeyboardInterrupt):
            trained(photographs, tmp_path)
    assert np.allclose(trained(photographs, tmp_path), straight, rtol=1e-2)


def test_the_processor_waits_a_few_times_an_epoch(toy_photographs):
    photographs = with_embeddings(toy_photographs)
    settings = Settings(epochs=4, batch_size=2, repeats=50, flip=True, bf16=True)  # 200 batches
    train_epoch, waited = loop.train_epoch, []

    def counting(*arguments):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                loss = train_epoch(*arguments)
            finally:
                torch.cuda.set_sync_debug_mode("default")
        waited.append(sum("synchroniz" in str(one.message) for one in found))
        return loss

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "train_epoch", counting)
        model = network("attention", embedding=5)
        training.fit(model, photographs, photographs, settings, device="cuda")
    assert 1 <= waited[-1] <= 8, waited


def test_what_cannot_be_a_graph_is_computed_without(toy_photographs, monkeypatch, float32):
    head = networks.heads.RegressionHead
    loss, plain = head.loss, trained(with_embeddings(toy_photographs), graphs=False)

    def reading(self, z, ab, L):
        found = loss(self, z, ab, L)
        assert found.item() >= 0  # waits for the GPU, which a graph cannot
        return found

    monkeypatch.setattr(head, "loss", reading)
    with pytest.warns(UserWarning, match="slower without a CUDA graph"):
        found = trained(with_embeddings(toy_photographs))
    assert np.allclose(found, plain, rtol=1e-2)


def test_photographs_that_do_not_fit_stay_where_they_are(toy_photographs, monkeypatch, float32):
    photographs = with_embeddings(toy_photographs)
    resident = trained(photographs)
    monkeypatch.setattr(loop, "free_memory", lambda device: 0)
    assert np.allclose(trained(photographs), resident, rtol=1e-2)


def test_it_learns_in_bfloat16(toy_photographs):
    model = network(output_gain=0.1)
    settings = training.Settings(epochs=60, batch_size=4, bf16=True)
    history = training.fit(model, toy_photographs, toy_photographs, settings, device="cuda")
    baselines = metrics.trivial_baselines(toy_photographs, toy_photographs)
    assert history[-1]["val_loss"] < 0.5 * min(baselines.values())


@pytest.mark.parametrize(("first", "then"), [("cpu", "cuda"), ("cuda", "cpu")])
def test_a_run_goes_on_elsewhere(first, then, toy_photographs, tmp_path):
    for device, epochs in ((first, 2), (then, 4)):
        settings = training.Settings(epochs=epochs, batch_size=4, average=0.9)
        history = training.fit(
            network(), toy_photographs, toy_photographs, settings, tmp_path, device
        )
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    best = weights.load_weights(tmp_path / "best.safetensors")
    assert training.evaluate(best, toy_photographs) == pytest.approx(
        min(row["val_loss"] for row in history), rel=2e-2
    )


def test_predictions(float32):
    model = network("fusion").eval()
    given, _ = inputs(model, batch=1)
    L, embedding = given.L, given.embedding
    one = pipeline.predict(model, L, 64, torch.device("cpu"), embedding)
    other = pipeline.predict(model.cuda(), L, 64, torch.device("cuda"), embedding.cuda())
    assert (one - other.cpu()).abs().max() < 0.5 / 128


def test_too_little_memory_is_said(toy_photographs):
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_allocated() + 2**20) / total)
    try:
        settings = training.Settings(epochs=1, batch_size=8)
        with pytest.raises(ColorlibError, match="cuda has too little memory"):
            training.fit(
                network(width=1.0), toy_photographs, toy_photographs, settings, device="cuda"
            )
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
