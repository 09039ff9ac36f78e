"""The claim ledger: what the paper says, and verdicts that follow from the recorded runs.

Below, a function for each claim compares the runs of a scale; its docstring is the paper's words.
A verdict has three values. Where errors are compared: *supported*, if the interval of the
difference lies on the claim's side of zero, however small the difference; otherwise
*contradicted*, if it lies on the other side or excludes every effect that is larger than `MARGIN`;
otherwise *undecided*. Where another number is compared seed by seed: supported if the claim holds
with every seed, contradicted if with none, otherwise undecided. What is a matter of counting
cannot be undecided.

A claim is judged by the first of `SCALES` that has all of its runs; where seeds are compared, at
least two of them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch

from colorlib import networks
from replication.matrix import TRIVIAL, declared
from replication.statistics import Estimate, estimate, mean_of, relative

SCALES = ("gpu", "minutes")
"""The scales whose runs decide, the most telling first."""

MARGIN = 5.0
"""The largest gain that may remain possible where a claim is contradicted, in percent of the
error. A squared error that is 5 % lower is a PSNR of ab that is 0.2 dB higher: few see less."""

VERDICTS = ("supported", "contradicted", "undecided", "not testable", "not run yet")

Recorded = Mapping[str, Mapping[str, list[dict]]]
"""What `recorded` returns: data set -> variant -> runs."""


@dataclass(frozen=True)
class Judgement:
    """What came out for a claim.

    Attributes:
        verdict: one of `VERDICTS`; "not run yet" if no scale has all the runs.
        question: what was asked, as a sentence or two; "" if it has not been run yet.
        evidence: one dict for each comparison: "where" or against whom, "outcome" (a verdict) and
            what was compared: an "estimate" in percent, or "one" and "other", lists where
            seeds are compared.
        whole: the mean over data sets, in percent, if that decides.
        scale: by whose runs; None where none are needed, or none are there.
    """

    verdict: str
    question: str = ""
    evidence: list[dict] = field(default_factory=list)
    whole: Estimate | None = None
    scale: str | None = None


class _Missing(Exception):
    """A run that a claim needs is not there."""


class Runs:
    """The recorded runs that a scale plans, complete or not at all: else `_Missing`."""

    def __init__(self, recorded: Recorded, scale: str):
        self.recorded, self.scale, self.plan = recorded, scale, declared()["scales"][scale]
        self.data: list[str] = self.plan.get("judged", self.plan["data"])
        self.ablations: list[str] = self.plan["ablations"]

    def of(self, data: str, variant: str, least: int = 1) -> list[dict]:
        """One run for each planned seed, in order; of two at least, one can tell from chance."""
        found = self.recorded.get(data, {}).get(variant, [])
        if variant in TRIVIAL:
            chosen = found[:1]
        else:
            by_seed = {run["settings"]["seed"]: run for run in found}
            key = "ablation_seeds" if variant in declared()["ablations"] else "seeds"
            seeds = range(self.plan.get(key, self.plan["seeds"]))
            chosen = [by_seed[seed] for seed in seeds] if by_seed.keys() >= set(seeds) else []
        if len(chosen) < least:
            raise _Missing
        return chosen

    def found(
        self, question: str, evidence: list[dict], whole: Estimate | None = None
    ) -> Judgement:
        """What follows from comparisons; a scale on which none is planned decides nothing."""
        if not evidence:
            raise _Missing
        verdict = _side(whole) if whole else _all([row["outcome"] for row in evidence])
        return Judgement(verdict, question, evidence, whole, self.scale)


Test = Callable[[Runs], Judgement]
"""Judges by the runs of one scale."""


def judge(test: Test, recorded: Mapping[str, Recorded]) -> Judgement:
    """The verdict of a claim, and what it rests on.

    Args:
        test: of a claim in `LEDGER`, or another.
        recorded: scale -> what `replication.recorded` found for it. Runs with more seeds
            than a scale plans are left out.
    """
    for scale in SCALES:
        try:
            return test(Runs(recorded.get(scale, {}), scale))
        except _Missing:
            continue
    return Judgement("not run yet")


def _side(found: Estimate) -> str:
    """Whether an effect, in percent, is below zero as claimed."""
    _, low, high = found.interval
    if high < 0:
        return "supported"
    return "contradicted" if low > -MARGIN else "undecided"


def _all(outcomes: list[str]) -> str:
    """A claim of which all parts have to hold."""
    return next((bad for bad in ("contradicted", "undecided") if bad in outcomes), "supported")


def _by_seed(where: str, one: Any, other: Any, holds: Iterable[bool]) -> dict:
    """A comparison with an answer for each seed."""
    answers = list(holds)
    outcome = "supported" if all(answers) else "undecided" if any(answers) else "contradicted"
    return {"where": where, "one": one, "other": other, "outcome": outcome}


# Comparisons that several claims need ------------------------------------------


_PAIRED = "Paired by photograph; 95 % interval over photographs and seeds."


def lower(runs: Runs, one: str, other: str) -> Judgement:
    """The error of a network against that of another."""
    return on_average(
        runs,
        f"Is the error of {one} on test photographs lower than that of {other}, on the mean of "
        f"the data sets? {_PAIRED}",
        lambda data: relative(runs.of(data, one), runs.of(data, other)),
    )


def on_average(runs: Runs, question: str, effect: Callable[[str], Estimate]) -> Judgement:
    """By data set; their mean decides."""
    found = {data: effect(data) for data in runs.data}
    rows = [{"where": data, "estimate": one, "outcome": _side(one)} for data, one in found.items()]
    return runs.found(question, rows, mean_of(list(found.values())))


def lowest(runs: Runs, one: str, *others: str) -> Judgement:
    """The error of a network against those of others, where ablations are run."""
    rows = []
    for data in runs.ablations:
        for other in others:
            found = relative(runs.of(data, one), runs.of(data, other))
            rows.append({"where": f"against {other}", "estimate": found, "outcome": _side(found)})
    asked = f"Is the error of {one} on test photographs lower than that of each of: "
    return runs.found(asked + ", ".join(others) + f"? {_PAIRED}", rows)


def sooner(runs: Runs, one: str, *others: str) -> Judgement:
    """Training losses, means over the last three epochs; every seed against every one."""
    rows = []
    for data in runs.ablations:
        ours = [_smoothed(run) for run in runs.of(data, one, 2)]
        for other in others:
            theirs = [_smoothed(run) for run in runs.of(data, other, 2)]
            pairs = [(a, b) for a in ours for b in theirs]
            first = [_reached(a, _end(b)) for a, b in pairs]
            second = [_reached(b, _end(a)) for a, b in pairs]
            holds = (a < b for a, b in zip(first, second, strict=True))
            rows.append(_by_seed(f"epochs, against {other}", first, second, holds))
    return runs.found(
        f"Is {one} faster than each of: {', '.join(others)}? It is faster if it needs fewer epochs "
        "to reach the other's last training loss than the other needs to reach that of "
        f"{one}, whichever seeds are compared.",
        rows,
    )


def _smoothed(run: dict) -> np.ndarray:
    """Training losses, after each epoch the mean of the last three, or of as many as there are."""
    losses = [row["train_loss"] for row in run["history"]]
    sums = np.convolve(losses, np.ones(3))[: len(losses)]
    return sums / np.arange(1, len(losses) + 1).clip(max=3)


def _end(curve: np.ndarray) -> float:
    """The last loss, or infinity for a run that diverged."""
    return curve[-1].item() if np.isfinite(curve[-1]) else float("inf")


def _reached(curve: np.ndarray, level: float) -> float:
    """After how many epochs a curve first comes down to a level; infinity if it diverged later."""
    below = np.flatnonzero(curve <= level)
    return below[0].item() + 1 if len(below) and np.isfinite(curve[-1]) else float("inf")


def lower_by_seed(
    runs: Runs, question: str, value: Callable[[str], list[float]], *pairs: tuple[str, str]
) -> Judgement:
    """On the first data set of each pair lower than on the second, whatever seeds are compared."""
    rows = []
    for first, second in pairs:
        if {first, second} <= set(runs.plan["data"]):
            one, other = value(first), value(second)
            holds = (a < b for a in one for b in other)
            rows.append(_by_seed(f"{first}, {second}", one, other, holds))
    return runs.found(question, rows)


# The claims -----------------------------------------------------------------------


class Claim(NamedTuple):
    """What the paper claims.

    Attributes:
        section: where in the paper.
        title: in a few words.
        verdict: what comes out; a test fails if it is another.
        plain: what we find.
        id, quote, test: name, docstring and function that judges.
    """

    section: str
    title: str
    verdict: str
    plain: str
    id: str
    quote: str
    test: Test


LEDGER: list[Claim] = []
"""The claims in order."""


def _claim(section: str, title: str, verdict: str, plain: str) -> Callable[[Test], Test]:
    """Enters a function into the ledger."""

    def enter(test: Test) -> Test:
        name, quote = test.__name__.replace("_", "-"), " ".join((test.__doc__ or "").split())
        LEDGER.append(Claim(section, title, verdict, plain, name, quote, test))
        return test

    return enter


@_claim("6", "Attention beats the baseline", "supported",
        "Its error is lower. So is that of fusion, which has no attention.")
def attention_beats_baseline(runs: Runs) -> Judgement:
    """it can yield colored images that are definitely better than the one's produced by the
    baseline model"""
    return lower(runs, "attention", "baseline")


@_claim("abstract", "Attention improves on fusion", "contradicted",
        "No difference is seen on average over three data sets, and a gain of 3 % is excluded.")
def attention_beats_fusion(runs: Runs) -> Judgement:
    """adding attention mechanisms to this will help the model distinguish better between the
    objects inside the images and thus improve the overall results"""
    return lower(runs, "attention", "fusion")


@_claim("abstract", "Attending helps, not the added weights", "contradicted",
        "A network whose positions attend only to themselves does as well.")
def attention_beats_control(runs: Runs) -> Judgement:
    """adding an attention mechanism gives the model a better idea of the local features over
    which it should infer the color values"""
    return lower(runs, "attention", "control")


@_claim("abstract", "Positions attend to different places", "supported",
        "A little: about a tenth of the weight moves from position to position.")
def attention_looks(runs: Runs) -> Judgement:
    """fundamentally assigning different weights to the local features"""
    rows, least = [], 0.05
    for data in runs.data:
        found = runs.of(data, "attention", 2)
        distances = [run["attention_distance"]["between_positions"] for run in found]
        rows.append(_by_seed(data, distances, least, (value >= least for value in distances)))
    return runs.found(
        "Is the total variation distance between the attention weights of a position and their "
        f"mean over positions at least {least} for attention, on each data set and with every "
        "seed?",
        rows,
    )


@_claim("abstract", "Better than all previous methods", "not testable",
        "The paper compares with no other method, and has no numbers.")
def attention_beats_all(_: Runs) -> Judgement:
    """The resulting model outperforms all the previous deep fully automatic colorization methods
    as well as non deep-learning based approaches."""
    return Judgement(
        "not testable",
        "It cannot be tested here: the paper compares with none of them and gives no numbers; "
        "nor do we have their weights and data.",
    )


@_claim("abstract", "Attention saves weights", "contradicted", "It adds weights.")
def fewer_weights(runs: Runs) -> Judgement:
    """attention mechanism reduces the total number of trainable features in a deep learning
    model"""
    anywhere = runs.data[0]  # the photographs do not change the count
    one, other = (runs.of(anywhere, name)[0]["weights"] for name in ("attention", "fusion"))
    rows = [_by_seed("weights", one, other, [one < other])]
    return runs.found("Does attention have fewer weights than fusion?", rows)


@_claim("abstract", "Any size and aspect ratio", "supported",
        "It takes any size from 8 pixels up.")
def any_size(_: Runs) -> Judgement:
    """such a Seq2Seq helps us to train the dataset over image of any sizes and aspect ratio"""
    sizes = [(64, 64), (33, 57), (8, 200), (160, 24)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = networks.build("attention", width=0.125, embedding=4)
    rows = []
    for H, W in sizes:
        network.zero_grad()
        ab = network(networks.Inputs(torch.zeros(1, 1, H, W), torch.zeros(1, 4)))
        ab.square().mean().backward()
        fits = ab.shape == (1, 2, H, W) and all(
            p.grad is not None and p.grad.isfinite().all() for p in network.parameters()
        )
        rows.append({"where": f"{H} x {W}", "outcome": "supported" if fits else "contradicted"})
    return Judgement(
        _all([row["outcome"] for row in rows]),
        f"Does attention take photographs of {', '.join(row['where'] for row in rows)} pixels, "
        "predict in the same size, and get a gradient from each?",
        rows,
    )


@_claim("1", "A prior helps", "supported",
        "The error is lower, most on imagenet64; on places alone it is not told from chance.")
def priors_help(runs: Runs) -> Judgement:
    """they give much better results when we use some sort of prior to find out the chrominance
    of the grayscale image"""
    return lower(runs, "fusion", "baseline")


@_claim("1", "Coordinates help", "contradicted",
        "They lower no error, and gains that would matter are excluded.")
def coordinates_help(runs: Runs) -> Judgement:
    """we are adding the co-ordinates of each pixels as input with the raw image as input, this
    has known to help in translation"""
    return lower(runs, "attention-coordinates", "attention")


@_claim("3.3", "Batch normalisation speeds up training", "contradicted",
        "The loss falls faster at the start; then that of the network without it overtakes.")
def batch_norm_speeds(runs: Runs) -> Judgement:
    """using Batch Normalization greatly reducing the convergence time and decrease the loss
    during training"""
    return sooner(runs, "fusion", "no-batch-norm")


@_claim("4.1", "A tiny set can be overfitted", "supported", "Eight photographs are memorised.")
def overfits_a_tiny_set(runs: Runs) -> Judgement:
    """we train the model over a very small amount of images and try to overfit it"""
    rows = []
    for data in runs.ablations:
        found = runs.of(data, "tiny", 2)
        last = [run["history"][-1]["train_loss"] for run in found]
        limit = [run["mean_colour"]["train"] / 10 for run in found]
        holds = (a < b for a, b in zip(last, limit, strict=True))
        rows.append(_by_seed(data, last, limit, holds))
    return runs.found(
        "Does the training loss of tiny fall below a tenth of that of predicting the mean "
        "colour everywhere, with every seed?",
        rows,
    )


@_claim("4.1", "Adam is the best optimizer", "supported",
        "The training loss falls fastest, against four settings of SGD, and RMSprop.")
def adam_best(runs: Runs) -> Judgement:
    """We chose the Adam optimizer to train our network since this optimizer converged faster than
    all other methods to do so."""
    return sooner(runs, "fusion", "sgd", "sgd-0.1", "momentum", "momentum-0.01", "rmsprop")


@_claim("4.1", "0.001 is the best learning rate", "undecided",
        "Ten times as much is worse; rates nearby are not told apart.")
def rate_best(runs: Runs) -> Judgement:
    """the learning rate of 0.001 was giving the best results"""
    return lowest(runs, "fusion", "rate-0.0001", "rate-0.0003", "rate-0.003", "rate-0.01")


@_claim("4.1", "Xavier initialisation for the decoder", "undecided",
        "He's initialisation is not told apart from it.")
def xavier_best(runs: Runs) -> Judgement:
    """we should use Xavier initializers for the decoder network"""
    return lowest(runs, "fusion", "he-decoder")


@_claim("3.4", "No max-pooling", "undecided", "With max-pooling, no difference is seen.")
def no_max_pooling(runs: Runs) -> Judgement:
    """we choose to avoid max-pooling the network because that can lead to loss of details in the
    image"""
    return lowest(runs, "fusion", "max-pooling")


@_claim("4.1", "Narrow data sets work better", "supported",
        "The error falls further below that of one constant colour for landscapes than for all "
        "kinds of places.")
def narrow_is_easier(runs: Runs) -> Judgement:
    """training a deep colorization layer on a smaller dataset which has lower variance gives a
    better result"""

    def share(data: str) -> list[float]:
        found, (mean,) = runs.of(data, "attention", 2), runs.of(data, "mean-colour")
        errors = [np.mean(run["scores"]["ab_mse"]).item() for run in (*found, mean)]
        return [error / errors[-1] for error in errors[:-1]]

    return lower_by_seed(
        runs,
        "Is the error of attention, as a share of that of predicting the mean colour everywhere, "
        "lower on the narrower data set, whichever seeds are compared?",
        share, ("landscapes", "places"), ("coast", "imagenet_sample256"),
    )


@_claim("4.1", "Broad data sets go gray or brown", "undecided",
        "Predictions for places are about as colourful as for landscapes.")
def broad_goes_dull(runs: Runs) -> Judgement:
    """training the colorization network over a large network makes it generalize and underfit
    which leads to gray or brownish images"""

    def chroma(data: str) -> list[float]:
        found = runs.of(data, "attention", 2)
        return [np.nanmedian(run["scores"]["chroma_ratio"]).item() for run in found]

    return lower_by_seed(
        runs,
        "Is the chroma ratio of attention, the median over test photographs, lower on the broader "
        "data set, whichever seeds are compared?",
        chroma, ("places", "landscapes"), ("imagenet_sample256", "coast"),
    )


@_claim("5", "Low saturation", "supported",
        "Predictions have less chroma than the photographs, a mean ratio of about 0.8.")
def low_saturation(runs: Runs) -> Judgement:
    """there are many images in the validation set which have very low saturation or are biased
    towards brown color"""

    def off(data: str) -> Estimate:
        """How far the ratio is from 1, in percent."""
        found = runs.of(data, "attention")
        names = found[0]["names"]
        true = [{"names": names, "scores": {"chroma_ratio": [1.0] * len(names)}}]
        return estimate(found, true, "chroma_ratio").in_units_of(0.01)

    return on_average(
        runs,
        "Is the chroma_ratio of attention, its mean over test photographs and data sets, below 1? "
        "95 % interval over photographs and seeds.",
        off,
    )


@_claim("abstract", "First to use attention for colorization", "not testable",
        "No experiment can say so.")
def first_attention(_: Runs) -> Judgement:
    """in this paper we show for the first time that adding attention mechanisms"""
    return Judgement(
        "not testable",
        "It cannot be tested here: priority is a matter of the literature, not of an experiment.",
    )
