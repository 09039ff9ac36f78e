"""What only GPUs need: photographs in their memory, and a step that is told once and repeated.

A step of the paper's network is some 300 small kernels. Told one by one, they take the
processor longer than a GPU needs to compute them at 64 or 128 pixels.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from colorlib.base.devices import free_memory
from colorlib.data import Packed
from colorlib.networks import Inputs

OPTIMIZER_OPTIONS = {
    "adam": {"fused": True, "capturable": True},
    "adamw": {"fused": True, "capturable": True},
    "sgd": {"fused": True},
    "momentum": {"fused": True},
    "rmsprop": {"capturable": True},
}
"""With which options of torch's a CUDA graph can hold an optimizer, by its name."""


def resident(photographs: Packed, device: torch.device) -> Packed:
    """Photographs in a GPU's memory, unless they need more than half of what is free."""
    if device.type == "cpu" or photographs.nbytes > free_memory(device) / 2:
        return photographs
    return photographs.to(device)


@contextmanager
def own_stream(device: torch.device) -> Iterator[None]:
    """On an NVIDIA GPU, a stream besides the default one, on which graphs can be recorded."""
    if device.type != "cuda":
        yield
        return
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    try:
        with torch.cuda.stream(stream):
            yield
    finally:
        torch.cuda.current_stream(device).wait_stream(stream)


class Graphed:
    """A training step whose calls are recorded as CUDA graphs, one for each shape of a batch.

    The first `WARM_UP` calls of a shape are made as usual, since libraries choose their
    kernels in them; the next one is recorded, and from then on repeated with other
    numbers. Must be called on another stream than the default one, and where one cannot
    be recorded, or has no memory for it, all are made as usual, with a warning.

    Args:
        step: (`Inputs`, ab, share of the loss) -> the loss, a tensor. What else it changes
            must be tensors, the same ones in every call.
    """

    WARM_UP = 3

    def __init__(self, step: Callable[[Inputs, Tensor, float], Tensor]):
        self._step = step
        self._calls: Counter[Hashable] = Counter()
        self._recorded: dict[Hashable, tuple[torch.cuda.CUDAGraph, Inputs, Tensor, Tensor]] = {}
        self._pool = torch.cuda.graph_pool_handle()
        self._can_record = True

    def __call__(self, inputs: Inputs, ab: Tensor, share: float) -> Tensor:
        key = (*((name, x.shape) for name, x in inputs.tensors().items()), ab.shape, share)
        self._calls[key] += 1
        if key not in self._recorded:
            if self._calls[key] <= self.WARM_UP or not self._can_record:
                return self._step(inputs, ab, share)
            if not self._record(key, inputs, ab, share):
                return self._step(inputs, ab, share)
        graph, given, target, loss = self._recorded[key]
        for name, old in given.tensors().items():
            old.copy_(inputs.tensors()[name])
        target.copy_(ab)
        graph.replay()
        return loss.clone()

    def _record(self, key: Hashable, inputs: Inputs, ab: Tensor, share: float) -> bool:
        """Whether the step could be recorded; nothing is computed."""
        given, target = inputs.each(torch.clone), ab.clone()
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(
                graph,
                pool=self._pool,
                stream=torch.cuda.current_stream(),
                capture_error_mode="thread_local",
            ):
                loss = self._step(given, target, share)
        except RuntimeError as error:
            torch.cuda.empty_cache()
            says = str(error).splitlines()[0]
            warnings.warn(f"slower without a CUDA graph, for {says}", stacklevel=3)
            self._can_record = False
            return False
        self._recorded[key] = graph, given, target, loss
        return True
