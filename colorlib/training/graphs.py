"""CUDA graphs: on an NVIDIA GPU, a step that is told once and then repeated as a whole.

A step of the paper's network is some 300 small kernels. Told one by one, they take the
processor longer than a GPU needs to compute them at 64 or 128 pixels.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor


class Graphed:
    """A function whose calls are recorded as CUDA graphs, one for each shape of its arguments.

    The first `WARM_UP` calls of a shape are made as usual, since libraries choose their
    kernels in them; the next one is recorded, and from then on repeated with other
    numbers. Must be called on another stream than the default one, and where one cannot
    be recorded, or has no memory for it, all are made as usual, with a warning.

    Args:
        function: of tensors and things that can be hashed, to a tensor. What else
            it changes must be tensors, the same ones in every call.
    """

    WARM_UP = 3

    def __init__(self, function: Callable[..., Tensor]):
        self._function = function
        self._calls: Counter[Hashable] = Counter()
        self._recorded: dict[Hashable, tuple[torch.cuda.CUDAGraph, list[Any], Tensor]] = {}
        self._pool = torch.cuda.graph_pool_handle()
        self._can_record = True

    def __call__(self, *arguments: Any) -> Tensor:
        key = tuple(x.shape if isinstance(x, Tensor) else x for x in arguments)
        self._calls[key] += 1
        if key not in self._recorded:
            if self._calls[key] <= self.WARM_UP or not self._can_record:
                return self._function(*arguments)
            if not self._record(key, arguments):
                return self._function(*arguments)
        graph, given, result = self._recorded[key]
        for old, new in zip(given, arguments, strict=True):
            if isinstance(old, Tensor):
                old.copy_(new)
        graph.replay()
        return result.clone()

    def _record(self, key: Hashable, arguments: tuple[Any, ...]) -> bool:
        """Whether the function could be recorded; nothing is computed."""
        given = [x.clone() if isinstance(x, Tensor) else x for x in arguments]
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(
                graph,
                pool=self._pool,
                stream=torch.cuda.current_stream(),
                capture_error_mode="thread_local",
            ):
                result = self._function(*given)
        except RuntimeError as error:
            torch.cuda.empty_cache()
            says = str(error).splitlines()[0]
            warnings.warn(f"slower without a CUDA graph, for {says}", stacklevel=3)
            self._can_record = False
            return False
        self._recorded[key] = graph, given, result
        return True
