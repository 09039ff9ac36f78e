"""Differences between variants, with intervals."""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats


def difference(
    one: Sequence[dict], other: Sequence[dict], metric: str = "ab_mse"
) -> tuple[float, float, float]:
    """How much higher a metric is for one variant than for another, with a 95 % interval.

    An interval by Student's t, over other photographs of the kind and other seeds. The variance
    is the sum of that of the photographs' differences, which are paired, and of those of
    each variant's seeds; the degrees of freedom are those of Satterthwaite (1946). So three
    seeds count as the few they are. A network with one seed is taken to vary with it as the
    other one does; where neither has two, the interval is for photographs alone. Photographs
    for which a metric is not defined, as the chroma ratio of a gray one, are left out.

    Args:
        one, other: one run for each seed, from `recorded`, of the same photographs
            in the same order. A trivial baseline, which has no "settings", has no seeds.
        metric: a name in `metrics.METRICS`.

    Returns:
        Mean difference, and the interval's lower and upper end; NaN where fewer than two
        photographs have the metric.

    Raises:
        ValueError: other photographs.
    """
    if any(run["names"] != one[0]["names"] for run in (*one, *other)):
        raise ValueError("the runs were not judged on the same photographs")
    ours, theirs = (np.array([run["scores"][metric] for run in runs]) for runs in (one, other))
    there = np.isfinite(np.concatenate((ours, theirs))).all(axis=0)
    if there.sum() < 2:
        return math.nan, math.nan, math.nan
    apart = (ours.mean(axis=0) - theirs.mean(axis=0))[there]
    by_seed = [side[:, there].mean(axis=1) for side in (ours, theirs)]
    parts = [(apart.var(ddof=1) / len(apart), len(apart) - 1)]  # variance, degrees of freedom
    for runs, own, others in ((one, *by_seed), (other, *by_seed[::-1])):
        known = own if len(own) > 1 else others
        if len(known) > 1 and (known is own or runs[0].get("settings")):
            parts.append((known.var(ddof=1) / len(own), len(known) - 1))
    mean, variance = apart.mean().item(), sum(part for part, _ in parts)
    if not variance:
        return mean, mean, mean
    freedom = variance**2 / sum(part**2 / free for part, free in parts)
    reach = stats.t.ppf(0.975, freedom).item() * math.sqrt(variance)
    return mean, mean - reach, mean + reach
