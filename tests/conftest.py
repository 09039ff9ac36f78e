import numpy as np
import pytest
import torch

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
