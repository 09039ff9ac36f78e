import errno
import json
import sys

import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from colorlib import networks
from colorlib.base.errors import ColorlibError
from colorlib.tool import export


def network(preset="baseline", **changes) -> networks.Colorizer:
    """A small one that predicts strong colours, and whose self-attention counts."""
    torch.manual_seed(0)
    if changes.get("head") != "quantized":
        changes = {"output_gain": 1.0} | changes
    if preset == "unet":
        changes = {"pretrained": False} | changes
    found = networks.build(preset, **{"width": 0.125} | changes)
    for module in found.modules():
        if isinstance(module, networks.SelfAttention):
            nn.init.ones_(module.gamma)
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1  # statistics of the batch below, without which ab are nearly 0
    length = found.config.embedding
    L = torch.rand(4, 1, 64, 64) * 2 - 1
    found(networks.Inputs(L, torch.randn(4, length) if length else None))
    return found.eval()


def run(path, L, embedding=None):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    assert names == (["L"] if embedding is None else ["L", "embedding"])
    assert [given.name for given in session.get_outputs()] == ["ab"]
    inputs = zip(names, (L, embedding), strict=False)
    return torch.from_numpy(session.run(None, {name: x.numpy() for name, x in inputs})[0])


VARIANTS = [
    ("baseline", {"downsample": "max-pooling", "batch_norm": False, "output_gain": 100}),
    ("fusion", {}),
    ("attention", {}),
    ("attention", {"attention": "dot"}),
    ("attention", {"attention": "concat"}),
    ("attention", {"attention": "pointwise"}),
    ("attention", {"attention_source": "fused", "embedding": 0}),
    ("as-written", {"output_gain": 0.1}),
    ("unet", {"heads": 4}),
    ("unet", {"heads": 4, "embedding": 12, "attention": "general", "head": "quantized"}),
]


@pytest.mark.parametrize(("preset", "changes"), VARIANTS)
def test_every_variant_predicts_the_same_as_onnx(preset, changes, tmp_path):
    if networks.configure(preset).embedding:
        changes = {"embedding": 12} | changes
    model = network(preset, **changes)
    path = tmp_path / "network.onnx"
    assert export.export_onnx(model, path) <= 1e-4
    for batch, H, W in ((1, 8, 8), (3, 9, 70), (2, 64, 96)):
        L = torch.rand(batch, 1, H, W) * 2 - 1
        embedding = torch.randn(batch, 12) if model.config.embedding else None
        with torch.no_grad():
            ab = model(networks.Inputs(L, embedding))
        found = run(path, L, embedding)
        assert found.shape == ab.shape and ab.abs().max() > 0.01
        assert (found - ab).abs().max() < 1e-4


def test_an_onnx_file_says_what_it_is_and_stands_alone(tmp_path):
    model = network("fusion", embedding=5).train()
    export.export_onnx(model, tmp_path / "new folder" / "network.onnx", size=96, name="a")
    assert model.training
    (path,) = (tmp_path / "new folder").iterdir()
    file = onnx.load(path)
    onnx.checker.check_model(file, full_check=True)
    assert [opset.version for opset in file.opset_import] == [17]
    metadata = {entry.key: entry.value for entry in file.metadata_props}
    assert metadata["format"] == "colorlib-onnx-1"
    assert json.loads(metadata["config"]) == model.config.flat()
    assert json.loads(metadata["about"]) == {"size": 96, "name": "a"}
    shapes = [
        [size.dim_param or size.dim_value for size in tensor.type.tensor_type.shape.dim]
        for tensor in (*file.graph.input, *file.graph.output)
    ]
    map_ = ["batch", 1, "height", "width"]
    assert shapes == [map_, ["batch", 5], [*map_[:1], 2, *map_[2:]]]


class Part(nn.Module):
    """Given in place of a network's coordinates, which may change L."""

    def __init__(self, forward):
        super().__init__()
        self.call = forward

    def forward(self, x):
        return self.call(x)


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (lambda L: torch.linalg.svdvals(L)[..., None] + L, "cannot be written as ONNX: .*svd"),
        (lambda L: L + torch.zeros(1, 1, 1, int(L.shape[3])), "onnxruntime cannot run this"),
        (lambda L: L + float(L.mean()), "differ by .*, more than 1e-04, from the network's"),
        (lambda L: L * float("nan"), "differ by nan"),
    ],
    ids=["no operator", "fixed size", "fixed number", "nan"],
)
def test_what_onnx_would_predict_otherwise_is_not_written(part, says, tmp_path):
    model = network()
    model.coordinates = Part(part)
    with pytest.raises(ColorlibError, match=says) as caught:
        export.export_onnx(model, tmp_path / "network.onnx")
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_a_map_of_another_size_is_noticed(monkeypatch, tmp_path):
    """Numbers of other shapes could be compared all the same, by broadcasting."""
    model = network()
    monkeypatch.setattr(model.head, "ab", lambda z, size: z.mean((2, 3), keepdim=True))
    trace = export._trace

    def traced(model, *rest):
        trace(model, *rest)
        del model.head.ab  # it predicts maps again

    monkeypatch.setattr(export, "_trace", traced)
    with pytest.raises(ColorlibError, match="differ by inf"):
        export.export_onnx(model, tmp_path / "network.onnx")


def test_an_onnx_file_replaces_nothing(tmp_path):
    path = tmp_path / "network.onnx"
    path.write_text("mine")
    with pytest.raises(ColorlibError, match="exists already and is not overwritten"):
        export.export_onnx(network(), path)
    assert path.read_text() == "mine" and list(tmp_path.iterdir()) == [path]


def test_an_onnx_file_that_cannot_be_written_is_not_begun(monkeypatch, tmp_path):
    def full(model, path):
        path.write_bytes(b"a beginning")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(onnx, "save", full)
    with pytest.raises(ColorlibError, match=r"network\.onnx cannot be written: No space left"):
        export.export_onnx(network(), tmp_path / "network.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:Exporting to ONNX opset version 99")
def test_an_opset_that_there_is_not_is_refused(tmp_path):
    with pytest.raises(ColorlibError, match=r"opset.*99"):
        export.export_onnx(network(), tmp_path / "network.onnx", opset=99)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_without_the_extra_it_is_named(package, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ColorlibError, match=r"colorlib\[export\]: pip install onnx onnxruntime"):
        export.export_onnx(network(), tmp_path / "network.onnx")
    assert not list(tmp_path.iterdir())
