"""What recorded runs say: of a variant, and of the difference of two, with intervals."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from colorlib import metrics


class Summary(NamedTuple):
    """A row of a table: test photographs' means.

    Attributes:
        errors: ab-MSE in percent of that of mean colour, of each seed.
        chroma: mean chroma relative to the photographs' own, over photographs and seeds.
        gap: how much of the classifier's gap is closed, in percent (`metrics.gap_closed`).
    """

    errors: list[float]
    chroma: float
    gap: float

    @property
    def error(self) -> float:
        """The mean over seeds."""
        return np.mean(self.errors).item()


def summary(
    rows: Mapping[str, Sequence[dict]],
    variant: str,
    where: str | None = None,
    there: Mapping[str, Sequence[dict]] | None = None,
) -> Summary:
    """What runs of a variant come to on test photographs; a gap not recorded is NaN.

    Args:
        rows: variant -> runs on one data set, from `recorded`, among them gray and mean colour.
        variant: one of them.
        where, there: another data set to test on, one of those in "elsewhere", and its rows.
            Both or none.

    Raises:
        ValueError: one of `where` and `there` without the other.
    """
    if (where is None) != (there is None):
        raise ValueError("another data set needs its name and its rows")
    scores = [run["elsewhere"][where] if where else run["scores"] for run in rows[variant]]
    (gray,), (trivial,) = (
        [run["scores"] for run in (there or rows)[name]] for name in ("gray", "mean-colour")
    )
    agreement = "classifier_agreement"
    return Summary(
        [100 * np.mean(seed["ab_mse"]).item() / np.mean(trivial["ab_mse"]).item()
         for seed in scores],
        np.nanmean([np.nanmean(seed["chroma_ratio"]) for seed in scores]).item(),
        100 * np.mean([metrics.gap_closed(seed[agreement], gray[agreement])
                       for seed in scores]).item() if agreement in scores[0] else math.nan,
    )


class Estimate(NamedTuple):
    """A mean, and how sure it is.

    Attributes:
        mean: the estimate.
        variance: of the mean.
        freedom: degrees of freedom of the variance.
    """

    mean: float
    variance: float
    freedom: float

    @property
    def interval(self) -> tuple[float, float, float]:
        """Mean, and the lower and upper end of its 95 % interval, by Student's t."""
        reach = self._quantile(0.975) * math.sqrt(self.variance)
        return self.mean, self.mean - reach, self.mean + reach

    @property
    def detectable(self) -> float:
        """The smallest true difference that such data would tell from zero in four of five tries.

        That is, whose 95 % interval would exclude zero with a power of about 0.8: rather
        less where there are few degrees of freedom (0.77 with two).
        """
        return (self._quantile(0.975) + self._quantile(0.8)) * math.sqrt(self.variance)

    def in_units_of(self, unit: float) -> "Estimate":
        """The same as a multiple of a unit."""
        return Estimate(self.mean / unit, self.variance / unit**2, self.freedom)

    def _quantile(self, share: float) -> float:
        # Student's t; scipy.stats has it too, and takes a second longer to import.
        return stdtrit(self.freedom, share).item() if self.variance else 0.0


def _of_sum(mean: float, parts: Sequence[tuple[float, float]]) -> Estimate:
    """An estimate whose variance is a sum of (variance, degrees of freedom): Satterthwaite 1946."""
    variance = sum(part for part, _ in parts)
    spread = sum(part**2 / free for part, free in parts if part)
    return Estimate(mean, variance, variance**2 / spread if spread else math.inf)


def estimate(one: Sequence[dict], other: Sequence[dict], metric: str = "ab_mse") -> Estimate:
    """How much higher a metric is for one variant than for another.

    Over other photographs of the kind and other seeds. The variance is the sum of that of
    the photographs' differences, which are paired, and of those of each variant's seeds; the
    degrees of freedom are those of Satterthwaite (1946). So three seeds count as the few they
    are. A network with one seed is taken to vary with it as the other one does; where
    neither has two, the interval is for photographs alone. Photographs for which a metric is
    not defined, as the chroma ratio of a gray one, are left out. What photographs and seeds do
    together counts in both variances: rather too wide an interval.

    Args:
        one, other: one run for each seed, from `recorded`, of the same photographs
            in the same order. A trivial baseline, which has no "settings", has no seeds.
        metric: a name in `metrics.METRICS`.

    Returns:
        The difference; NaN where fewer than two photographs have the metric.

    Raises:
        ValueError: other photographs.
    """
    if any(run["names"] != one[0]["names"] for run in (*one, *other)):
        raise ValueError("the runs were not judged on the same photographs")
    ours, theirs = (np.array([run["scores"][metric] for run in runs]) for runs in (one, other))
    there = np.isfinite(np.concatenate((ours, theirs))).all(axis=0)
    if there.sum() < 2:
        return Estimate(math.nan, math.nan, math.nan)
    apart = (ours.mean(axis=0) - theirs.mean(axis=0))[there]
    by_seed = [side[:, there].mean(axis=1) for side in (ours, theirs)]
    parts = [(apart.var(ddof=1).item() / len(apart), len(apart) - 1)]
    known = [side for side in by_seed if len(side) > 1]
    if len(known) == 2:
        parts += [(side.var(ddof=1).item() / len(side), len(side) - 1) for side in known]
    elif known:  # one estimate, for both sides
        single = one if len(one) == 1 else other
        shares = 1 / len(known[0]) + bool(single[0].get("settings"))
        parts.append((known[0].var(ddof=1).item() * shares, len(known[0]) - 1))
    return _of_sum(apart.mean().item(), parts)


def relative(one: Sequence[dict], other: Sequence[dict]) -> Estimate:
    """`estimate` of the error, in percent of the other's."""
    base = np.mean([run["scores"]["ab_mse"] for run in other]).item()
    return estimate(one, other).in_units_of(base / 100)


def mean_of(estimates: Sequence[Estimate]) -> Estimate:
    """The mean of estimates from different photographs, all of the same weight."""
    count = len(estimates)
    mean = sum(one.mean for one in estimates) / count
    return _of_sum(mean, [(one.variance / count**2, one.freedom) for one in estimates])
