"""The claim ledger: verdicts that follow from the recorded runs by declared rules.

``claims.toml`` quotes each claim of the paper and names its rule:

- ``lower``: one variant's error on test photographs against another's, on every
  data set, by the paired bootstrap interval of `experiments.difference`.
  Reproduced if the interval lies below zero on all data sets, partly if on some
  and above zero on none.
- ``lowest``: the same, of one variant against several, on the data sets of the
  ablations: against all, or against some and worse than none.
- ``fewer``: one variant has fewer weights than another.
- ``sooner``: one variant's training loss comes below the other's last one in
  fewer epochs; with every seed, or with some.
- ``easier``: one variant's error, relative to painting everything in the mean
  colour, is lower on one data set than on another; with every seed, or some.
- ``below``: the interval of a metric's mean lies below a limit, on all data
  sets or on some.
- ``none``: it cannot be tested here, and why.
"""

import tomllib
from importlib import resources

import numpy as np

from colorlib.experiments import declared, difference

VERDICTS = ("reproduced", "partly", "not reproduced", "not testable here", "not run yet")

Recorded = dict[str, dict[str, dict]]
"""What `experiments.recorded` returns: data set -> variant -> runs."""


def ledger() -> list[dict]:
    """The claims in order: "id", "section", "quote", "rule" and the "verdict" on record."""
    with resources.files("colorlib").joinpath("claims.toml").open("rb") as file:
        return tomllib.load(file)["claims"]


def judge(rule: dict, recorded: Recorded, scale: str) -> tuple[str, list[dict]]:
    """The verdict of a rule, and the numbers it rests on.

    Args:
        rule: of a claim in `ledger`.
        recorded: what `experiments.recorded` found for the scale.
        scale: "seconds", "minutes" or "paper".

    Returns:
        One of `VERDICTS`; "not run yet" if a run of the scale that the rule
        needs is not there. Then one dict for each comparison, with "data" and
        what was compared.
    """
    if rule["kind"] == "none":
        return "not testable here", []
    plan = declared()["scales"][scale]
    rows = _RULES[rule["kind"]](rule, _Runs(recorded, plan))
    if rows is None:
        return "not run yet", []
    won, lost = (sum(row["outcome"] == outcome for row in rows) for outcome in ("yes", "no"))
    if won == len(rows):
        return "reproduced", rows
    return ("partly" if won and not lost else "not reproduced"), rows


class _Runs:
    """The recorded runs, complete or not at all."""

    def __init__(self, recorded: Recorded, plan: dict):
        self.recorded, self.plan = recorded, plan

    def of(self, data: str, variant: str) -> list[dict] | None:
        """One run a seed; None if a seed is missing."""
        found = self.recorded.get(data, {}).get(variant, [])
        wanted = 1 if variant in ("gray", "mean-colour") else self.plan["seeds"]
        return found if len(found) >= wanted else None

    def pairs(self, names: list[str], one: str, others: list[str]):
        """(data, other, runs of one, runs of the other), or None if any is missing."""
        found = [
            (data, other, self.of(data, one), self.of(data, other))
            for data in names
            for other in others
        ]
        return found if all(row[2] and row[3] for row in found) else None


def _outcome(low: float, high: float) -> str:
    """Whether an interval says that it is lower: yes, no, or open."""
    return "yes" if high < 0 else "no" if low > 0 else "open"


def _compared(pairs) -> list[dict] | None:
    if pairs is None:
        return None
    rows = []
    for data, other, ours, theirs in pairs:
        mean, low, high = difference(ours, theirs)
        rows.append({"data": data, "other": other, "mean": mean, "low": low, "high": high,
                     "outcome": _outcome(low, high)})
    return rows


def _lower(rule: dict, runs: _Runs) -> list[dict] | None:
    return _compared(runs.pairs(runs.plan["data"], rule["one"], [rule["other"]]))


def _lowest(rule: dict, runs: _Runs) -> list[dict] | None:
    return _compared(runs.pairs(runs.plan["ablations"], rule["one"], rule["others"]))


def _fewer(rule: dict, runs: _Runs) -> list[dict] | None:
    pairs = runs.pairs(runs.plan["data"], rule["one"], [rule["other"]])
    return pairs and [
        {"data": data, "one": ours[0]["weights"], "other": theirs[0]["weights"],
         "outcome": "yes" if ours[0]["weights"] < theirs[0]["weights"] else "no"}
        for data, _, ours, theirs in pairs
    ]


def _sooner(rule: dict, runs: _Runs) -> list[dict] | None:
    pairs = runs.pairs(runs.plan["ablations"], rule["one"], [rule["other"]])
    rows = []
    for data, _, ours, theirs in pairs or []:
        for one, other in zip(ours, theirs, strict=False):
            last = other["history"][-1]
            reached = [
                row["epoch"] for row in one["history"] if row["train_loss"] < last["train_loss"]
            ]
            when = min(reached, default=None)
            rows.append({"data": data, "one": when, "other": last["epoch"],
                         "outcome": "yes" if when and when < last["epoch"] else "no"})
    return rows or None


def _easier(rule: dict, runs: _Runs) -> list[dict] | None:
    relative = []
    for data in (rule["data"], rule["than"]):
        mean, network = runs.of(data, "mean-colour"), runs.of(data, rule["one"])
        if not mean or not network:
            return None
        base = np.mean(mean[0]["scores"]["ab_mse"])
        relative.append([np.mean(run["scores"]["ab_mse"]) / base for run in network])
    return [
        {"data": rule["data"], "one": one, "other": other,
         "outcome": "yes" if one < other else "no"}
        for one, other in zip(*relative, strict=False)
    ]


def _below(rule: dict, runs: _Runs) -> list[dict] | None:
    rows = []
    for data in runs.plan["data"]:
        found = runs.of(data, rule["one"])
        if not found:
            return None
        metric = rule["metric"]
        limit = [rule["limit"]] * len(found[0]["scores"][metric])
        flat = [{"photos": found[0]["photos"], "scores": {metric: limit}}]
        mean, low, high = difference(found, flat, metric)
        limit = rule["limit"]
        rows.append({"data": data, "mean": mean + limit, "low": low + limit, "high": high + limit,
                     "outcome": _outcome(low, high)})
    return rows


_RULES = {
    "lower": _lower,
    "lowest": _lowest,
    "fewer": _fewer,
    "sooner": _sooner,
    "easier": _easier,
    "below": _below,
}
