"""The claim ledger: verdicts that follow from the recorded runs by declared rules.

``claims.toml`` quotes each claim of the paper, names its rule, and says for
which scale its verdicts are. A rule makes comparisons, and each of them comes
out "yes", "no" or "open". All yes: reproduced. Some yes and none no: partly.
Anything else: not reproduced. The kinds of rules are in `RULES`.

Where seeds are compared one by one, the comparison comes out "yes" if it holds
with every seed, "no" if with none, else "open".
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from colorlib import networks
from colorlib.experiments.matrix import TRIVIAL, declared
from colorlib.experiments.statistics import difference
from colorlib.tables import table

VERDICTS = ("reproduced", "partly", "not reproduced", "not testable here", "not run yet")

Recorded = dict[str, dict[str, list[dict]]]
"""What `recorded` returns: data set -> variant -> runs."""


def ledger() -> list[dict]:
    """The claims in order: "id", "title", "section", "quote", "rule", "verdict"."""
    return table("experiments/claims.toml")["claims"]


def scale() -> str:
    """The scale of the runs that the ledger's verdicts are for, a name in ``matrix.toml``."""
    return table("experiments/claims.toml")["scale"]


def in_words(rule: dict) -> str:
    """What a rule asks, as a sentence or two."""
    lists = {
        "others": ", ".join(rule.get("others", [])),
        "sizes": ", ".join(f"{H} x {W}" for H, W in rule.get("sizes", [])),
    }
    return RULES[rule["kind"]].words.format(**rule | lists)


def judge(rule: dict, recorded: Recorded, scale: str) -> tuple[str, list[dict]]:
    """The verdict of a rule, and the numbers it rests on.

    Args:
        rule: of a claim in `ledger`.
        recorded: what `experiments.recorded` found for the scale.
        scale: a name in ``matrix.toml``, such as "minutes". Runs with more seeds
            than it plans are left out.

    Returns:
        One of `VERDICTS`; "not run yet" if a run of the scale that the rule
        needs is not there. Then one dict for each comparison: "data", "outcome" and
        what was compared. For ``lower`` and ``lowest``: "other", the difference
        "mean" with its interval "low" and "high", and the other's error "base".
        For ``below``: "mean", "low" and "high" of the metric. For ``sizes``: no more.
        Else "one" and "other", lists where seeds are compared, and for ``sooner``
        "against", the other's name.
    """
    compare = RULES[rule["kind"]].compare
    if compare is None:
        return "not testable here", []
    try:
        rows = compare(rule, _Runs(recorded, declared()["scales"][scale]))
    except _Missing:
        rows = []
    if not rows:
        return "not run yet", []
    won, lost = (sum(row["outcome"] == outcome for row in rows) for outcome in ("yes", "no"))
    if won == len(rows):
        return "reproduced", rows
    return ("partly" if won and not lost else "not reproduced"), rows


class _Missing(Exception):
    """A run that a rule needs is not there."""


class _Runs:
    """The recorded runs that a scale plans, complete or not at all: else `_Missing`."""

    def __init__(self, recorded: Recorded, plan: dict):
        self.recorded, self.plan = recorded, plan

    def of(self, data: str, variant: str) -> list[dict]:
        """One run for each planned seed, in order."""
        found = self.recorded.get(data, {}).get(variant, [])
        if variant in TRIVIAL:
            chosen = found[:1]
        else:
            by_seed = {run["settings"]["seed"]: run for run in found}
            seeds = range(self.plan["seeds"])
            chosen = [by_seed[seed] for seed in seeds] if by_seed.keys() >= set(seeds) else []
        if not chosen:
            raise _Missing
        return chosen

    def pairs(
        self, names: list[str], one: str, others: list[str]
    ) -> list[tuple[str, str, list[dict], list[dict]]]:
        """(data, other, runs of one, runs of the other)."""
        return [
            (data, other, self.of(data, one), self.of(data, other))
            for data in names
            for other in others
        ]


def _outcome(low: float, high: float) -> str:
    """Whether a difference with this interval is below zero."""
    return "yes" if high < 0 else "no" if low > 0 else "open"


def _by_seed(holds: list[bool]) -> str:
    """One outcome from one answer for each seed."""
    return "yes" if all(holds) else "open" if any(holds) else "no"


def _compared(pairs) -> list[dict]:
    rows = []
    for data, other, ours, theirs in pairs:
        mean, low, high = difference(ours, theirs)
        rows.append({"data": data, "other": other, "mean": mean, "low": low, "high": high,
                     "base": np.mean([_error(run) for run in theirs]).item(),
                     "outcome": _outcome(low, high)})
    return rows


def _lower(rule: dict, runs: _Runs) -> list[dict]:
    """Yes if the interval of `difference` lies below zero, no if above."""
    return _compared(runs.pairs(runs.plan["data"], rule["one"], [rule["other"]]))


def _lowest(rule: dict, runs: _Runs) -> list[dict]:
    """The same against several, on the data sets of the ablations."""
    return _compared(runs.pairs(runs.plan["ablations"], rule["one"], rule["others"]))


def _fewer(rule: dict, runs: _Runs) -> list[dict]:
    anywhere = runs.plan["data"][:1]  # the photographs do not change the count
    pairs = runs.pairs(anywhere, rule["one"], [rule["other"]])
    return [
        {"data": data, "one": ours[0]["weights"], "other": theirs[0]["weights"],
         "outcome": "yes" if ours[0]["weights"] < theirs[0]["weights"] else "no"}
        for data, _, ours, theirs in pairs
    ]


def _sooner(rule: dict, runs: _Runs) -> list[dict]:
    """Levels and losses are means over the last three epochs."""
    pairs = runs.pairs(runs.plan["ablations"], rule["one"], rule["others"])
    rows = []
    for data, name, ours, theirs in pairs:
        curves = [[_smoothed(run) for run in side] for side in (ours, theirs)]
        when = [
            [_reached(one, _end(other)) for one, other in zip(*sides, strict=True)]
            for sides in (curves, curves[::-1])
        ]
        rows.append({"data": data, "against": name, "one": when[0], "other": when[1],
                     "outcome": _by_seed([a < b for a, b in zip(*when, strict=True)])})
    return rows


def _smoothed(run: dict) -> np.ndarray:
    """Training losses, after each epoch the mean of the last three, or of as many as there are."""
    losses = [row["train_loss"] for row in run["history"]]
    sums = np.convolve(losses, np.ones(3))[: len(losses)]
    return sums / np.arange(1, len(losses) + 1).clip(max=3)


def _end(curve: np.ndarray) -> float:
    """The last loss, or infinity for a run that diverged."""
    return curve[-1].item() if np.isfinite(curve[-1]) else float("inf")


def _reached(curve: np.ndarray, level: float) -> float:
    """After how many epochs a curve first comes down to a level.

    Infinity if it never does, or if the run diverged later.
    """
    below = np.flatnonzero(curve <= level)
    there = len(below) and np.isfinite(curve[-1])
    return below[0].item() + 1 if there else float("inf")


def _easier(rule: dict, runs: _Runs) -> list[dict]:
    def relative(data: str) -> list[float]:
        (mean,) = runs.of(data, "mean-colour")
        return [_error(run) / _error(mean) for run in runs.of(data, rule["one"])]

    return _lower_by_seed(rule, relative)


def _duller(rule: dict, runs: _Runs) -> list[dict]:
    def chroma(data: str) -> list[float]:
        return [
            np.nanmedian(run["scores"]["chroma_ratio"]).item()
            for run in runs.of(data, rule["one"])
        ]

    return _lower_by_seed(rule, chroma)


def _lower_by_seed(rule: dict, value: Callable[[str], list[float]]) -> list[dict]:
    here, there = value(rule["data"]), value(rule["than"])
    holds = [one < other for one, other in zip(here, there, strict=True)]
    return [{"data": rule["data"], "one": here, "other": there, "outcome": _by_seed(holds)}]


def _error(run: dict) -> float:
    return np.mean(run["scores"]["ab_mse"]).item()


def _overfits(rule: dict, runs: _Runs) -> list[dict]:
    rows = []
    for data in runs.plan["ablations"]:
        found = runs.of(data, rule["one"])
        last = [run["history"][-1]["train_loss"] for run in found]
        limit = [run["mean_colour"]["train"] / 10 for run in found]
        rows.append({"data": data, "one": last, "other": limit,
                     "outcome": _by_seed([a < b for a, b in zip(last, limit, strict=True)])})
    return rows


def _looks(rule: dict, runs: _Runs) -> list[dict]:
    """By `metrics.attention_distance`, "between_positions"."""
    rows = []
    for data in runs.plan["data"]:
        found = runs.of(data, rule["one"])
        distances = [run["attention_distance"]["between_positions"] for run in found]
        rows.append({"data": data, "one": distances, "other": rule["least"],
                     "outcome": _by_seed([value >= rule["least"] for value in distances])})
    return rows


def _sizes(rule: dict, runs: _Runs) -> list[dict]:
    """Runs a network; here, "one" is a name in `PRESETS`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = networks.build(rule["one"], width=0.125, embedding=4)
    rows = []
    for H, W in rule["sizes"]:
        network.zero_grad()
        ab = network(torch.zeros(1, 1, H, W), torch.zeros(1, 4))
        ab.square().mean().backward()
        fits = ab.shape == (1, 2, H, W) and all(
            p.grad is not None and p.grad.isfinite().all() for p in network.parameters()
        )
        rows.append({"data": f"{H} x {W}", "outcome": "yes" if fits else "no"})
    return rows


def _below(rule: dict, runs: _Runs) -> list[dict]:
    """Yes if the interval of the metric's mean lies below the limit, no if above."""
    rows = []
    for data in runs.plan["data"]:
        found = runs.of(data, rule["one"])
        metric, limit = rule["metric"], rule["limit"]
        names = found[0]["names"]
        flat = [{"names": names, "scores": {metric: [limit] * len(names)}}]
        mean, low, high = difference(found, flat, metric)
        rows.append({"data": data, "mean": mean + limit, "low": low + limit, "high": high + limit,
                     "outcome": _outcome(low, high)})
    return rows


@dataclass(frozen=True)
class Rule:
    """A kind of rule.

    Attributes:
        words: what it asks, with the fields of a rule in braces.
        compare: a rule and the runs -> one row for each comparison; None if the
            claim cannot be tested.
    """

    words: str
    compare: Callable[[dict, _Runs], list[dict]] | None


RULES = {
    "lower": Rule(
        "Is the error of {one} on the test photographs of each data set lower than that of "
        "{other}? Paired by photograph; 95 % interval over photographs and seeds.",
        _lower,
    ),
    "lowest": Rule(
        "Is the error of {one} on the test photographs lower than that of each of: {others}? "
        "Paired by photograph; 95 % interval over photographs and seeds.",
        _lowest,
    ),
    "fewer": Rule("Does {one} have fewer weights than {other}?", _fewer),
    "sooner": Rule(
        "Is {one} faster than each of: {others}? Its training loss has to reach the level at "
        "which the other's ends in fewer epochs than the other's takes to reach the level at "
        "which that of {one} ends, with every seed.",
        _sooner,
    ),
    "easier": Rule(
        "Is the error of {one}, as a share of that of predicting the mean colour everywhere, "
        "lower on {data} than on {than}, with every seed?",
        _easier,
    ),
    "duller": Rule(
        "Is the chroma ratio of {one}, the median over test photographs, lower on {data} than "
        "on {than}, with every seed?",
        _duller,
    ),
    "below": Rule(
        "Is the {metric} of {one}, its mean over test photographs, below {limit:g} on each data "
        "set? 95 % interval over photographs and seeds.",
        _below,
    ),
    "overfits": Rule(
        "Does the training loss of {one} fall below a tenth of that of predicting the mean "
        "colour everywhere, with every seed?",
        _overfits,
    ),
    "looks": Rule(
        "Is the total variation distance between the attention weights of a position and their "
        "mean over positions at least {least:g} for {one}, on each data set and with every seed?",
        _looks,
    ),
    "sizes": Rule(
        "Does {one} take photographs of {sizes} pixels, predict in the same size, and get a "
        "gradient from each?",
        _sizes,
    ),
    "none": Rule("It cannot be tested here: {why}.", None),
}
"""Every kind of rule by its name in ``claims.toml``."""
