"""Differences between variants, with intervals."""

import math

import numpy as np


def difference(
    one: list[dict], other: list[dict], metric: str = "ab_mse", draws: int = 10_000, seed: int = 0
) -> tuple[float, float, float]:
    """How much higher a metric is for one variant than for another, with a 95 % interval.

    A paired bootstrap with percentile intervals (Efron and Tibshirani 1993).
    Each draw takes photographs, the same for both variants, and seeds, for each
    variant its own, all with replacement: the interval covers the chance of
    both. With few of either, it is rather too narrow. Photographs for which a
    metric is not defined, as the chroma ratio of a gray one, are left out.

    Args:
        one, other: one run for each seed, from `recorded`, of the same photographs
            in the same order.
        metric: a name in `metrics.METRICS`.
        draws: how many bootstrap samples.
        seed: of the draws.

    Returns:
        Mean difference, and the interval's lower and upper end; all three NaN
        if the metric is defined for no photograph.

    Raises:
        ValueError: other photographs.
    """
    values = [np.array([run["scores"][metric] for run in runs]) for runs in (one, other)]
    if any(run["names"] != one[0]["names"] for run in (*one, *other)):
        raise ValueError("the runs were not judged on the same photographs")
    there = np.isfinite(np.concatenate(values)).all(axis=0)
    values = [value[:, there] for value in values]  # (seeds, photographs)
    count = there.sum().item()
    if not count:
        return math.nan, math.nan, math.nan
    random = np.random.default_rng(seed)
    # How often each draw takes each photograph and each seed, as shares.
    photos = random.multinomial(count, np.full(count, 1 / count), size=draws) / count
    drawn = []
    for side in values:
        seeds = random.multinomial(len(side), np.full(len(side), 1 / len(side)), size=draws)
        drawn.append(np.einsum("ds,sp,dp->d", seeds / len(side), side, photos, optimize=True))
    low, high = np.percentile(drawn[0] - drawn[1], [2.5, 97.5])
    return (values[0].mean() - values[1].mean()).item(), low.item(), high.item()
