"""The grid over ab."""

import torch

from colorlib import colours, lab


def test_a_cell_is_in_the_grid_if_a_colour_of_srgb_falls_into_it():
    centres = colours.centres()
    assert len(centres) == 261 and (centres % colours.CELL == 0).all()
    assert centres.tolist() == sorted(centres.tolist())
    levels = torch.linspace(0, 1, 52, dtype=torch.float64)  # every fifth of 256
    rgb = torch.cartesian_prod(levels, levels, levels).T.reshape(3, 1, -1)
    ab = lab.rgb_to_lab(rgb)[1:].reshape(2, -1).T
    found = {tuple(cell) for cell in (ab / 10).round().mul(10).unique(dim=0).tolist()}
    inside = set(map(tuple, centres.tolist()))
    assert found <= inside and len(found) > 250  # some hold a few of all 256^3 colours


def test_the_cell_of_a_colour():
    centres = colours.centres()
    ab = centres.T.reshape(1, 2, 1, -1)
    assert torch.equal(colours.cells(ab), torch.arange(261).view(1, 1, -1))
    assert torch.equal(colours.cells(ab + 4.9), colours.cells(ab))
    assert torch.equal(colours.cells((ab - 4.9).float()), colours.cells(ab))
    photos = torch.tensor([[12.0, -36.0], [500.0, 0.0]]).view(2, 2, 1, 1)
    found = centres[colours.cells(photos)].squeeze()
    assert found[0].tolist() == [10, -40]
    # Outside of the grid, the nearest: the reddest colour, or one beside it.
    assert found[1].tolist() == [100, 0] or found[1, 0] >= 90


def test_frequencies_are_smoothed_shares_of_pixels():
    found = colours.smoothed_frequencies()
    assert found.shape == (261,) and (found >= colours.LEAST).all()
    assert abs(found.sum().item() - 1) < 1e-3
    ((a, b),) = colours.centres()[found.argmax() : found.argmax() + 1].tolist()
    assert (a, b) == (0, 0)  # photographs are mostly gray
    # By hand, a cell in the middle of the grid: from its neighbours at 10, 14.1, 20 units, ...
    table = {(a, b): n for a, b, n in colours._table().tolist()}
    total, each = sum(table.values()), {}
    for i, j in table:  # a cell's pixels are divided by the Gaussian over the cells that there are
        each[i, j] = sum(
            torch.tensor(-((i - k) ** 2 + (j - m) ** 2) / 50, dtype=torch.float64).exp().item()
            for k, m in table if max(abs(i - k), abs(j - m)) <= 40
        )
    wanted = sum(
        n / each[i, j] * 2.718281828459045 ** (-((i - 20) ** 2 + (j - 30) ** 2) / 50)
        for (i, j), n in table.items()
    ) / total
    at = colours.centres().tolist().index([20, 30])
    assert abs(found[at].item() / wanted - 1) < 1e-6


def test_a_colour_is_divided_among_the_four_cells_around_it():
    ab = torch.tensor([[12.0, -36.0], [-30.0, 40.0], [0.0, 0.0]]).view(3, 2, 1, 1)
    cells, shares = colours.divided(ab)
    assert cells.shape == shares.shape == (3, 4, 1, 1)
    assert torch.allclose(shares.sum(dim=1), torch.ones(3, 1, 1))
    centres = colours.centres()[cells[..., 0, 0]]  # (3, 4, 2)
    found = (shares[..., 0, 0, None] * centres).sum(dim=1)
    assert torch.allclose(found.float(), ab[..., 0, 0], atol=1e-4)
    by_centre = dict(zip(map(tuple, centres[0].tolist()), shares[0, :, 0, 0].tolist(), strict=True))
    wanted = {(10, -40): 0.48, (10, -30): 0.32, (20, -40): 0.12, (20, -30): 0.08}
    assert by_centre.keys() == wanted.keys()
    assert all(abs(by_centre[centre] - share) < 1e-5 for centre, share in wanted.items())
    # Beyond the lattice, and where the grid has no cell: the nearest ones.
    far, _ = colours.divided(torch.tensor([500.0, -500.0]).view(1, 2, 1, 1))
    assert (colours.centres()[far.flatten()].norm(dim=1) > 80).all()
