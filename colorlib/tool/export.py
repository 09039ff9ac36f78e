"""A network as an ONNX file, which programs that have no torch can run."""

import copy
import json
import math
import os
import warnings
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from colorlib import files
from colorlib.base.errors import ColorlibError
from colorlib.networks.blocks import Attention
from colorlib.networks.colorizer import STRIDE, Colorizer
from colorlib.networks.inputs import Inputs

_FORMAT = "colorlib-onnx-1"

# H and W of what a network is traced and tried with; no stride but 1 divides the first two.
_SIDES = ((37, 83), (101, 59), (STRIDE, STRIDE))

TOLERANCE = 1e-4
"""How far ab, in [-1, 1], may lie from the network's in a file that is written."""


def export_onnx(model: Colorizer, path: Path | str, opset: int = 17, **about) -> float:
    """Write a network as one ONNX file with its weights, checked, whole or not at all.

    Inputs, in float32, with B, H and W free:

    - "L", (B, 1, H, W) in [-1, 1], any H and W from 8 up;
    - "embedding", (B, E), only of a network with a prior, which is not in the file: whoever
      runs it computes the embedding of the same photographs, as `priors` does.

    Output: "ab", (B, 2, H, W) in [-1, 1]; times 128 gives Lab units.

    What onnxruntime makes of the file is compared with the network's own predictions, for
    random inputs of three sizes. The file's metadata are "format", "config" and "about", the
    last two in JSON. Attention "concat" takes memory for channels times positions squared.

    Args:
        model: the network; it is not changed.
        path: where to; nothing is overwritten.
        opset: version of ONNX's operators, one that torch knows.
        about: anything JSON can say about the weights, as for `save_weights`.

    Returns:
        The largest difference that was found, at most `TOLERANCE`.

    Raises:
        ColorlibError: onnx or onnxruntime is not installed; a part of the network cannot be
            written; the difference is larger; the file exists or cannot be written; no such opset.
    """
    try:
        import onnx
        import onnxruntime  # noqa: F401 - its lack is better noticed before any work
    except ImportError as error:
        raise ColorlibError(
            "ONNX files need the extra colorlib[export]: pip install onnx onnxruntime"
        ) from error
    path = files.user_path(path)
    if os.path.lexists(path):
        raise ColorlibError(f"{path} exists already and is not overwritten")
    model = copy.deepcopy(model).cpu().float().eval()
    if model.attention is not None and model.attention.score == "concat":
        loopless = partial(_concat_at_once, model.attention)
        model.attention.scores = loopless  # type: ignore[method-assign]
    metadata = {
        "format": _FORMAT, "config": json.dumps(model.config.flat()), "about": json.dumps(about)
    }
    difference = 0.0

    def fill(part: Path) -> None:
        nonlocal difference
        _trace(model, part, opset)
        traced = onnx.load(part)
        onnx.helper.set_model_props(traced, metadata)
        onnx.save(traced, part)
        difference = _difference(model, part)
        if not difference <= TOLERANCE:  # nor is nan
            raise ColorlibError(
                f"{path} is not written: onnxruntime predicts ab that differ by {difference:.1g}, "
                f"more than {TOLERANCE:.0e}, from the network's"
            )

    files.write(path, fill)
    return difference


def _concat_at_once(attention: Attention, h: Tensor, h_bar: Tensor) -> Tensor:
    """`Attention.scores` of "concat" without its loop: tracing fixes how often one turns."""
    return attention._concat(attention.W_t(h), attention.W_s(h_bar))


class _ByName(nn.Module):
    """A network that is called with the tensors of `Inputs`, one after the other."""

    def __init__(self, model: Colorizer, names: list[str]):
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *tensors: Tensor) -> Tensor:
        return self.model(Inputs(**dict(zip(self.names, tensors, strict=True))))


_MAP = {0: "batch", 2: "height", 3: "width"}


def _trace(model: Colorizer, path: Path, opset: int) -> None:
    """Write a network as an ONNX file.

    By torch's older exporter, which traces, in a second. The newer one, of `torch.export`, cannot
    keep H and W free here (torch 2.15): with attention it fails, and of an encoder of timm it
    came to no end in nine minutes.

    Raises:
        ColorlibError: ONNX has no operator for a part of it.
    """
    # Of Python's ifs tracing keeps one side. They are checks of shapes, and whether the head has
    # something to cut off: at this size it has.
    inputs = model.example(2, *_SIDES[0]).tensors()
    axes = {name: _MAP if x.ndim == 4 else {0: "batch"} for name, x in inputs.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            torch.onnx.export(
                _ByName(model, list(inputs)).eval(),
                tuple(inputs.values()),
                str(path),
                input_names=list(inputs),
                output_names=["ab"],
                dynamic_axes=axes | {"ab": _MAP},
                opset_version=opset,
                dynamo=False,
            )
        except RuntimeError as error:
            reason = _first_line(error)
            raise ColorlibError(f"this network cannot be written as ONNX: {reason}") from error


def _difference(model: Colorizer, path: Path) -> float:
    """How far what onnxruntime makes of a file lies from the network's ab, at most.

    Raises:
        ColorlibError: onnxruntime cannot run it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong is in the exception
    options.intra_op_num_threads = torch.get_num_threads()
    differences = []
    try:
        session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
        for batch, (H, W) in enumerate(_SIDES, start=1):
            inputs = model.example(batch, H, W)
            given = {name: x.numpy() for name, x in inputs.tensors().items()}
            (found,) = session.run(["ab"], given)
            with torch.inference_mode():
                ab = model(inputs)
            same = found.shape == ab.shape
            differences.append(
                (torch.from_numpy(found) - ab).abs().max() if same else torch.tensor(math.inf)
            )
    except Exception as error:  # onnxruntime has a class of its own for each kind
        raise ColorlibError(f"onnxruntime cannot run this network: {_first_line(error)}") from error
    return torch.stack(differences).max().item()  # nan if one is


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
