"""Differences between variants, with intervals."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit


def difference(
    one: Sequence[dict], other: Sequence[dict], metric: str = "ab_mse"
) -> tuple[float, float, float]:
    """How much higher a metric is for one variant than for another, with a 95 % interval.

    An interval by Student's t, over other photographs of the kind and other seeds. The variance
    is the sum of that of the photographs' differences, which are paired, and of those of
    each variant's seeds; the degrees of freedom are those of Satterthwaite (1946). So three
    seeds count as the few they are. A network with one seed is taken to vary with it as the
    other one does; where neither has two, the interval is for photographs alone. Photographs
    for which a metric is not defined, as the chroma ratio of a gray one, are left out. What
    photographs and seeds do together counts in both variances: rather too wide an interval.

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
    known = [side for side in by_seed if len(side) > 1]
    if len(known) == 2:
        parts += [(side.var(ddof=1) / len(side), len(side) - 1) for side in known]
    elif known:  # one estimate, for both sides
        single = one if len(one) == 1 else other
        shares = 1 / len(known[0]) + bool(single[0].get("settings"))
        parts.append((known[0].var(ddof=1) * shares, len(known[0]) - 1))
    mean, variance = apart.mean().item(), sum(part for part, _ in parts)
    if not variance:
        return mean, mean, mean
    freedom = variance**2 / sum(part**2 / free for part, free in parts)
    reach = stdtrit(freedom, 0.975).item() * math.sqrt(variance)  # a quantile of Student's t
    return mean, mean - reach, mean + reach
