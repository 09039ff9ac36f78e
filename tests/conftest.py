import sys

import numpy as np
import pytest
import torch

from colorlib import cli
from colorlib.data import Packed


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Sums depend on how many threads share them, and toys need no more than one."""
    torch.set_num_threads(1)


@pytest.fixture
def toy_photographs() -> Packed:
    """Eight 16 x 16 photographs whose colour can be told from their texture.

    Even ones are red with vertical stripes, odd ones blue with horizontal stripes.
    """
    random = np.random.default_rng(0)
    pixels = np.zeros((8, 16, 16, 3), np.uint8)
    for i, photo in enumerate(pixels):
        light = random.integers(60, 120)
        photo[:] = (light + 60, light, light) if i % 2 == 0 else (light, light, light + 60)
        stripes = photo[:, ::4] if i % 2 == 0 else photo[::4]
        stripes[:] += 60
    return Packed(pixels, tuple(f"toy-{i}" for i in range(8)), "toy", np.arange(8))


@pytest.fixture
def run(monkeypatch, tmp_path, capfd):
    """Call the command line in this process: (status, stdout, stderr)."""
    monkeypatch.setenv("COLORLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("COLORLIB_DATA", raising=False)

    def call(*arguments) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["colorlib", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
            sys.exit(0)
        return stop.value.code or 0, *capfd.readouterr()

    return call
