"""The claim ledger: verdicts that follow from the recorded runs by declared rules.

``claims.toml`` quotes each claim of the paper and names its rule. A verdict has three values.
Where errors are compared: *supported*, if the interval of the difference lies on the claim's side
of zero, however small the difference; otherwise *contradicted*, if it lies on the other side or
excludes every effect that is larger than the margin; otherwise *undecided*. Where another
number is compared seed by seed: supported if the claim holds with every seed, contradicted if
with none, otherwise undecided. What is a matter of counting cannot be undecided.

A claim is judged by the first of the ledger's scales that has all of its runs, the most telling
scale first; where seeds are compared, at least two of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from colorlib import networks
from colorlib.base.tables import table
from replication.matrix import TRIVIAL, declared
from replication.statistics import Estimate, estimate, mean_of, relative

VERDICTS = ("supported", "contradicted", "undecided", "not testable", "not run yet")

Recorded = Mapping[str, Mapping[str, list[dict]]]
"""What `recorded` returns: data set -> variant -> runs."""


@dataclass(frozen=True)
class Judgement:
    """What came out for a claim.

    Attributes:
        verdict: one of `VERDICTS`; "not run yet" if no scale has all the runs that the rule
            needs.
        scale: by whose runs; None where none are needed, or none are there.
        evidence: one dict for each comparison: "where" or against whom, "outcome" (a verdict) and
            what was compared: an "estimate" in percent, or "one" and "other", lists where
            seeds are compared.
        whole: the mean over data sets, in percent; None where a rule takes none.
    """

    verdict: str
    scale: str | None = None
    evidence: list[dict] = field(default_factory=list)
    whole: Estimate | None = None


def ledger() -> list[dict]:
    """The claims in order: "id", "title", "plain" words on what we find, "section", "quote",
    "rule", "verdict"."""
    return table("replication/claims.toml")["claims"]


def scales() -> list[str]:
    """The scales whose runs decide, names in ``matrix.toml``, the most telling first."""
    return table("replication/claims.toml")["scales"]


def margin() -> float:
    """The largest gain that may remain possible where a claim is contradicted, in percent."""
    return table("replication/claims.toml")["margin"]


def in_words(rule: dict) -> str:
    """What a rule asks, as a sentence or two."""
    lists = {
        "others": ", ".join(rule.get("others", [])),
        "sizes": ", ".join(f"{H} x {W}" for H, W in rule.get("sizes", [])),
    }
    return RULES[rule["kind"]].words.format(**rule | lists)


def judge(rule: dict, recorded: Mapping[str, Recorded]) -> Judgement:
    """The verdict of a rule, and what it rests on.

    Args:
        rule: of a claim in `ledger`.
        recorded: scale -> what `replication.recorded` found for it. Runs with more seeds
            than a scale plans are left out.
    """
    compare = RULES[rule["kind"]].compare
    if compare is None:
        return Judgement("not testable")
    for scale in scales():
        try:
            rows, whole = compare(rule, _Runs(recorded.get(scale, {}), scale))
        except _Missing:
            continue
        verdict = _side(whole) if whole else _all([row["outcome"] for row in rows])
        return Judgement(verdict, None if rule["kind"] == "sizes" else scale, rows, whole)
    return Judgement("not run yet")


_Compared = tuple[list[dict], Estimate | None]
"""One row for each comparison, and the mean over data sets if that decides."""


class _Missing(Exception):
    """A run that a rule needs is not there."""


class _Runs:
    """The recorded runs that a scale plans, complete or not at all: else `_Missing`."""

    def __init__(self, recorded: Recorded, scale: str):
        self.recorded, self.plan = recorded, declared()["scales"][scale]
        self.data: list[str] = self.plan.get("judged", self.plan["data"])
        self.ablations: list[str] = self.plan["ablations"]

    def of(self, data: str, variant: str) -> list[dict]:
        """One run for each planned seed, in order."""
        found = self.recorded.get(data, {}).get(variant, [])
        if variant in TRIVIAL:
            chosen = found[:1]
        else:
            by_seed = {run["settings"]["seed"]: run for run in found}
            planned = self.plan["seeds"]
            if variant in declared()["ablations"]:
                planned = self.plan.get("ablation_seeds", planned)
            seeds = range(planned)
            chosen = [by_seed[seed] for seed in seeds] if by_seed.keys() >= set(seeds) else []
        if not chosen:
            raise _Missing
        return chosen

    def several(self, data: str, variant: str) -> list[dict]:
        """The same, where one seed cannot tell anything from chance: at least two."""
        chosen = self.of(data, variant)
        if len(chosen) < 2:
            raise _Missing
        return chosen


def _side(found: Estimate) -> str:
    """Whether an effect, in percent, is below zero as claimed."""
    _, low, high = found.interval
    if high < 0:
        return "supported"
    return "contradicted" if low > -margin() else "undecided"


def _all(outcomes: list[str]) -> str:
    """A claim of which all parts have to hold."""
    if "contradicted" in outcomes:
        return "contradicted"
    return "undecided" if "undecided" in outcomes else "supported"


def _by_seed(holds: list[bool]) -> str:
    """One outcome from one answer for each seed."""
    return "supported" if all(holds) else "undecided" if any(holds) else "contradicted"


def _lower(rule: dict, runs: _Runs) -> _Compared:
    return _on_average({
        data: relative(runs.of(data, rule["one"]), runs.of(data, rule["other"]))
        for data in runs.data
    })


def _on_average(found: dict[str, Estimate]) -> _Compared:
    """By data set; their mean decides."""
    rows = [{"where": data, "estimate": one, "outcome": _side(one)} for data, one in found.items()]
    return rows, mean_of(list(found.values()))


def _lowest(rule: dict, runs: _Runs) -> _Compared:
    rows = []
    for data in runs.ablations:
        for other in rule["others"]:
            found = relative(runs.of(data, rule["one"]), runs.of(data, other))
            rows.append({"where": f"against {other}", "estimate": found, "outcome": _side(found)})
    return _some(rows), None


def _some(rows: list[dict]) -> list[dict]:
    """Comparisons; a scale on which none is planned decides nothing."""
    if not rows:
        raise _Missing
    return rows


def _fewer(rule: dict, runs: _Runs) -> _Compared:
    anywhere = runs.data[0]  # the photographs do not change the count
    one, other = (runs.of(anywhere, rule[which])[0]["weights"] for which in ("one", "other"))
    outcome = "supported" if one < other else "contradicted"
    return [{"where": "weights", "one": one, "other": other, "outcome": outcome}], None


def _sooner(rule: dict, runs: _Runs) -> _Compared:
    """Levels and losses are means over the last three epochs; every seed against every one."""
    rows = []
    for data in runs.ablations:
        ours = [_smoothed(run) for run in runs.several(data, rule["one"])]
        for name in rule["others"]:
            theirs = [_smoothed(run) for run in runs.several(data, name)]
            pairs = [(a, b) for a in ours for b in theirs]
            when = (
                [_reached(a, _end(b)) for a, b in pairs],
                [_reached(b, _end(a)) for a, b in pairs],
            )
            rows.append({"where": f"epochs, against {name}", "one": when[0], "other": when[1],
                         "outcome": _by_seed([a < b for a, b in zip(*when, strict=True)])})
    return _some(rows), None


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


def _easier(rule: dict, runs: _Runs) -> _Compared:
    def share(data: str) -> list[float]:
        (mean,) = runs.of(data, "mean-colour")
        return [_error(run) / _error(mean) for run in runs.several(data, rule["one"])]

    return _lower_by_seed(rule, runs, share)


def _duller(rule: dict, runs: _Runs) -> _Compared:
    def chroma(data: str) -> list[float]:
        return [
            np.nanmedian(run["scores"]["chroma_ratio"]).item()
            for run in runs.several(data, rule["one"])
        ]

    return _lower_by_seed(rule, runs, chroma)


def _lower_by_seed(rule: dict, runs: _Runs, value: Callable[[str], list[float]]) -> _Compared:
    """On every first data set lower than on the second, whatever seeds are compared."""
    rows = []
    for first, second in rule["pairs"]:
        if {first, second} <= set(runs.plan["data"]):
            here, there = value(first), value(second)
            rows.append({"where": f"{first}, {second}", "one": here, "other": there,
                         "outcome": _by_seed([a < b for a in here for b in there])})
    return _some(rows), None


def _error(run: dict) -> float:
    return np.mean(run["scores"]["ab_mse"]).item()


def _overfits(rule: dict, runs: _Runs) -> _Compared:
    rows = []
    for data in runs.ablations:
        found = runs.several(data, rule["one"])
        last = [run["history"][-1]["train_loss"] for run in found]
        limit = [run["mean_colour"]["train"] / 10 for run in found]
        rows.append({"where": data, "one": last, "other": limit,
                     "outcome": _by_seed([a < b for a, b in zip(last, limit, strict=True)])})
    return _some(rows), None


def _looks(rule: dict, runs: _Runs) -> _Compared:
    """By `metrics.attention_distance`, "between_positions"."""
    rows = []
    for data in runs.data:
        found = runs.several(data, rule["one"])
        distances = [run["attention_distance"]["between_positions"] for run in found]
        rows.append({"where": data, "one": distances, "other": rule["least"],
                     "outcome": _by_seed([value >= rule["least"] for value in distances])})
    return rows, None


def _sizes(rule: dict, runs: _Runs) -> _Compared:
    """Runs a network; here, "one" is a name in `PRESETS`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = networks.build(rule["one"], width=0.125, embedding=4)
    rows = []
    for H, W in rule["sizes"]:
        network.zero_grad()
        ab = network(networks.Inputs(torch.zeros(1, 1, H, W), torch.zeros(1, 4)))
        ab.square().mean().backward()
        fits = ab.shape == (1, 2, H, W) and all(
            p.grad is not None and p.grad.isfinite().all() for p in network.parameters()
        )
        rows.append({"where": f"{H} x {W}", "outcome": "supported" if fits else "contradicted"})
    return rows, None


def _below(rule: dict, runs: _Runs) -> _Compared:
    def off(data: str) -> Estimate:
        found = runs.of(data, rule["one"])
        names, limit = found[0]["names"], rule["limit"]
        flat = [{"names": names, "scores": {rule["metric"]: [limit] * len(names)}}]
        return estimate(found, flat, rule["metric"]).in_units_of(limit / 100)

    return _on_average({data: off(data) for data in runs.data})


@dataclass(frozen=True)
class Rule:
    """A kind of rule.

    Attributes:
        words: what it asks, with the fields of a rule in braces.
        compare: a rule and the runs -> what was compared; None if the claim cannot be tested.
    """

    words: str
    compare: Callable[[dict, _Runs], _Compared] | None


RULES = {
    "lower": Rule(
        "Is the error of {one} on test photographs lower than that of {other}, on the mean of "
        "the data sets? Paired by photograph; 95 % interval over photographs and seeds.",
        _lower,
    ),
    "lowest": Rule(
        "Is the error of {one} on test photographs lower than that of each of: {others}? "
        "Paired by photograph; 95 % interval over photographs and seeds.",
        _lowest,
    ),
    "fewer": Rule("Does {one} have fewer weights than {other}?", _fewer),
    "sooner": Rule(
        "Is {one} faster than each of: {others}? It is faster if it needs fewer epochs to reach "
        "the other's last training loss than the other needs to reach that of {one}, whichever "
        "seeds are compared.",
        _sooner,
    ),
    "easier": Rule(
        "Is the error of {one}, as a share of that of predicting the mean colour everywhere, "
        "lower on the narrower data set, whichever seeds are compared?",
        _easier,
    ),
    "duller": Rule(
        "Is the chroma ratio of {one}, the median over test photographs, lower on the broader "
        "data set, whichever seeds are compared?",
        _duller,
    ),
    "below": Rule(
        "Is the {metric} of {one}, its mean over test photographs and data sets, below {limit:g}? "
        "95 % interval over photographs and seeds.",
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
