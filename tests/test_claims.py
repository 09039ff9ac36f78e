import copy
from pathlib import Path

import numpy as np
import pytest
import torch

import replication
from replication import claims

RESULTS = Path(__file__).parent.parent / "results"
PAPER = Path(__file__).parent.parent.parent / "shared" / "paper" / "attention-colorization.md"
SCALE = "minutes"  # of the runs made up here
DATA = replication.declared()["scales"][SCALE]["data"]


@pytest.fixture(scope="module")
def recorded_runs():
    return {scale: replication.recorded(RESULTS, scale) for scale in claims.SCALES}


def test_every_verdict_is_what_comes_out_of_the_recorded_runs(recorded_runs):
    found = {claim.id: claims.judge(claim.test, recorded_runs) for claim in claims.LEDGER}
    assert {name: one.verdict for name, one in found.items()} == {
        claim.id: claim.verdict for claim in claims.LEDGER
    }
    for judgement in found.values():
        assert judgement.question[-1] in ".?" and judgement.verdict in claims.VERDICTS
    by = {name: one.scale for name, one in found.items()}
    assert by["priors-help"] == "gpu" and by["overfits-a-tiny-set"] == "minutes"
    assert by["batch-norm-speeds"] == "minutes"  # of which gpu has one seed
    assert by["any-size"] is by["first-attention"] is None


def test_the_first_scale_with_all_runs_judges(recorded_runs):
    old = {"minutes": recorded_runs["minutes"]}
    assert claims.judge(claims.priors_help, old).scale == "minutes"
    assert claims.judge(claims.priors_help, {}).verdict == "not run yet"


def test_claims_have_names_and_all_they_should_say():
    assert len({claim.id for claim in claims.LEDGER}) == len(claims.LEDGER) >= 14
    assert all(map(all, claims.LEDGER))


@pytest.mark.skipif(not PAPER.is_file(), reason="needs the paper beside the checkout")
def test_quotations_are_the_papers_words():
    text = " ".join(PAPER.read_text().replace("*", "").split())
    for claim in claims.LEDGER:
        assert claim.quote in text, claim.id


def runs(*errors: float, weights: int = 10, curve=(3.0, 2.0, 1.0)) -> list[dict]:
    """One run a seed, ten photographs each with an error about the given one."""
    spread = np.linspace(-0.1, 0.1, 10)
    return [
        {
            "names": [f"photo {i}" for i in range(10)],
            "settings": {"seed": seed},
            "weights": weights,
            "scores": {"ab_mse": list(error + spread), "chroma_ratio": list(error + spread)},
            "history": [{"epoch": i + 1, "train_loss": loss} for i, loss in enumerate(curve)],
        }
        for seed, error in enumerate(errors)
    ]


def everywhere(**variants) -> dict:
    return {data: dict(variants) for data in DATA}


def verdict(recorded, test=lambda runs: claims.lower(runs, "a", "b")) -> str:
    return claims.judge(test, {SCALE: recorded}).verdict


def noisy(error: float, by: float = 0.0) -> list[dict]:
    """Three seeds around an error, `by` apart."""
    return runs(error - by, error, error + by)


def test_a_comparison_has_three_verdicts():
    base = noisy(2, 0.01)

    def by(error, spread=0.01):
        return verdict(everywhere(a=noisy(error, spread), b=base))

    assert by(1) == "supported"
    assert by(3) == "contradicted"  # the other way
    assert by(2) == "contradicted"  # none larger than the margin
    assert by(2, 1.0) == "undecided" and by(1.9, 1.0) == "undecided"
    assert by(1.96) == "supported" and by(1.97) == "supported"  # small, and beyond chance
    assert verdict(everywhere(a=base, b=base[:2])) == "not run yet"  # a seed is missing
    missing = everywhere(a=base, b=base)
    del missing["coast"]
    assert verdict(missing) == "not run yet"


def test_the_mean_over_data_sets_decides():
    recorded = everywhere(a=noisy(2, 0.01), b=noisy(2, 0.01))
    recorded["coast"] = {"a": noisy(1, 0.01), "b": noisy(2, 0.01)}
    found = claims.judge(lambda runs: claims.lower(runs, "a", "b"), {SCALE: recorded})
    assert found.verdict == "supported" and len(found.evidence) == len(DATA)
    assert found.whole.mean == pytest.approx(-50 / len(DATA))
    assert [row["outcome"] for row in found.evidence].count("supported") == 1


def test_only_the_planned_seeds_count():
    def test(runs):
        return claims.lower(runs, "a", "b")

    planned, more = runs(1, 1, 1), runs(1, 1, 1, 9, 9)
    wanted = claims.judge(test, {SCALE: everywhere(a=planned, b=runs(2, 2, 2))})
    assert wanted.verdict == "supported"
    assert claims.judge(test, {SCALE: everywhere(a=more, b=runs(2, 2, 2, 0))}) == wanted
    assert verdict(everywhere(a=more[:2] + more[3:], b=planned)) == "not run yet"


def test_lowest_compares_with_each_on_the_ablations_data():
    def by(a, b, c):
        return verdict({"coast": {"a": a, "b": b, "c": c}},
                       lambda runs: claims.lowest(runs, "a", "b", "c"))

    low, high = noisy(1, 0.01), noisy(2, 0.01)
    assert by(low, high, high) == "supported"
    assert by(low, high, low) == by(high, low, high) == "contradicted"
    assert by(low, high, noisy(1, 0.5)) == "undecided"
    assert verdict({"coast": {"a": low}}, lambda runs: claims.lowest(runs, "a")) == "not run yet"


def test_fewer_weights():
    few, many = runs(1, 1, 1, weights=5), runs(1, 1, 1, weights=6)
    for one, other, wanted in (
        (few, many, "supported"), (many, few, "contradicted"), (few, few, "contradicted")
    ):
        assert verdict(everywhere(attention=one, fusion=other), claims.fewer_weights) == wanted


def test_sooner():
    def by(a, b):
        return verdict({"coast": {"a": a, "b": b}}, lambda runs: claims.sooner(runs, "a", "b"))

    quick, slow = runs(1, 1, 1, curve=(2, 0.9, 0.8, 0.7)), runs(1, 1, 1, curve=(4, 3, 2, 1))
    assert by(quick, slow) == "supported"
    assert by(slow, quick) == by(slow, slow) == "contradicted"
    assert by(quick[:1], slow) == "not run yet"
    spiked = runs(1, 1, 1, curve=(9, 9, 9, 1, 9, 9, 9, 9, 9, 3))  # one low epoch is no level
    late = runs(1, 1, 1, curve=(9, 9, 9, 9, 9, 9, 9, 3.5, 3.5, 3.5))
    assert by(spiked, late) == "contradicted"
    assert by([quick[0], quick[1], slow[2]], slow) == "undecided"
    lost = runs(1, 1, 1, curve=(2, 0.9, float("nan"), float("nan")))
    assert by(slow, lost) == "supported" and by(lost, slow) == "contradicted"


def test_narrow_is_easier_and_broad_goes_dull():
    def by(test, coast, broad):
        return verdict({"coast": coast, "imagenet_sample256": broad}, test)

    test, three = claims.narrow_is_easier, runs(1, 1, 1)
    easy = {"attention": three, "mean-colour": runs(2)}
    hard = {"attention": three, "mean-colour": runs(1)}
    assert by(test, easy, hard) == "supported" and by(test, hard, easy) == "contradicted"

    test = claims.broad_goes_dull
    dull, vivid = ({"attention": runs(*chroma)} for chroma in ((0.2, 0.3, 0.1), (0.6, 0.6, 0.6)))
    assert by(test, vivid, dull) == "supported" and by(test, dull, vivid) == "contradicted"
    skewed = runs(0.2, 0.2, 0.2)
    for run in skewed:
        run["scores"]["chroma_ratio"][0] = 99.0  # nearly gray; the median is as it was
    assert by(test, vivid, {"attention": skewed}) == "supported"
    assert by(test, vivid, {"attention": runs(0.2, 0.6, 0.9)}) == "undecided"
    assert verdict({"coast": dull}, test) == "not run yet"


def test_low_saturation():
    def by(attention):
        return verdict(everywhere(attention=attention), claims.low_saturation)

    dull = runs(0.5, 0.5, 0.6)
    assert by(dull) == "supported" and by(runs(1.5, 1.5, 1.6)) == "contradicted"
    assert by(runs(0.5, 0.9, 1.3)) == "undecided"
    for run in dull:
        run["scores"]["chroma_ratio"][3] = float("nan")  # a gray photograph
    assert by(dull) == "supported"


def test_overfits_and_looks():
    def at_distance(*values, mean=20.0) -> list[dict]:
        return [
            run | {"mean_colour": {"train": mean},
                   "attention_distance": {"between_positions": value}}
            for run, value in zip(runs(1, 1, 1), values, strict=True)
        ]

    test = claims.overfits_a_tiny_set
    tiny, barely = at_distance(1, 1, 1), at_distance(1, 1, 1, mean=9.0)
    assert verdict({"coast": {"tiny": tiny}}, test) == "supported"  # 1 is below 20 / 10
    assert verdict({"coast": {"tiny": barely}}, test) == "contradicted"
    assert verdict({}, test) == "not run yet"

    test, far = claims.attention_looks, everywhere(attention=at_distance(0.3, 0.3, 0.3))
    assert verdict(far, test) == "supported"
    mixed = far | {"coast": {"attention": at_distance(0.3, 0.3, 0.01)}}
    assert verdict(mixed, test) == "undecided"
    near = everywhere(attention=at_distance(0.01, 0.01, 0.01))
    assert verdict(near, test) == "contradicted"


def test_what_runs_a_network_needs_no_runs_and_leaves_chance_as_it_was():
    before = torch.get_rng_state()
    assert verdict({}, claims.any_size) == "supported"
    assert torch.equal(torch.get_rng_state(), before)


def test_a_changed_number_changes_the_verdict():
    recorded = everywhere(a=runs(1, 1, 1), b=runs(2, 2, 2))
    assert verdict(recorded) == "supported"
    recorded["coast"] = copy.deepcopy(recorded["coast"])
    recorded["coast"]["a"][0]["scores"]["ab_mse"][0] = 1000.0
    assert verdict(recorded) == "undecided"
