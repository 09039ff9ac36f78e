"""What every combination of encoder, decoder and head must pass."""

from pathlib import Path

import torch

from colorlib import networks
from colorlib.tool import export, weights

PARTS = ("encoder", "decoder", "head")


def check_network(config: networks.Config, folder: Path) -> None:
    """Shapes, ranges, gradients, seed, weights on disk, an ONNX file.

    Args:
        config: a network without a prior.
        folder: where weights may be written.
    """
    torch.manual_seed(0)
    network = networks.Colorizer(config)
    L, target = torch.rand(2, 1, 64, 40) * 2 - 1, torch.rand(2, 2, 64, 40) * 2 - 1
    maps = network.encoder(network.coordinates(torch.zeros(2, 1, 64, 64)))
    assert [tuple(x.shape) for x in maps] == [
        (2, channels, 64 // stride, 64 // stride)
        for channels, stride in zip(network.encoder.channels, network.encoder.strides, strict=True)
    ]
    ab = network(L)
    assert ab.shape == (2, 2, 64, 40) and ab.abs().max() <= 1
    loss = network(L, target=target)
    loss.backward()
    assert loss.shape == () and loss.isfinite()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    network.eval()
    for side in (8, 33):
        assert network(torch.zeros(1, 1, side, 70)).shape == (1, 2, side, 70)
    torch.manual_seed(0)
    again = networks.Colorizer(config).eval()
    for tensor, other in zip(again.parameters(), network.parameters(), strict=True):
        assert torch.equal(tensor, other)
    weights.save_weights(network, folder / "weights.safetensors")
    assert torch.equal(weights.load_weights(folder / "weights.safetensors")(L), network(L))
    difference = export.export_onnx(network, folder / "network.onnx")
    assert difference <= 1e-4 * network(L).abs().max()
