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
    return {scale: replication.recorded(RESULTS, scale) for scale in claims.scales()}


def test_every_verdict_is_what_its_rule_gives_on_the_recorded_runs(recorded_runs):
    found = {
        claim["id"]: claims.judge(claim["rule"], recorded_runs).verdict
        for claim in claims.ledger()
    }
    assert found == {claim["id"]: claim["verdict"] for claim in claims.ledger()}


def test_the_first_scale_with_all_runs_judges(recorded_runs):
    by = {
        claim["id"]: claims.judge(claim["rule"], recorded_runs).scale for claim in claims.ledger()
    }
    assert by["priors-help"] == "gpu" and by["overfits-a-tiny-set"] == "minutes"
    assert by["batch-norm-speeds"] == "minutes"  # of which gpu has one seed
    assert by["any-size"] is by["first-attention"] is None
    old = {"minutes": recorded_runs["minutes"]}
    rule = {"kind": "lower", "one": "fusion", "other": "baseline"}
    assert claims.judge(rule, old).scale == "minutes"
    assert claims.judge(rule, {}).verdict == "not run yet"


def test_claims_are_complete_and_name_variants_that_exist():
    known = replication.declared()["variants"] | replication.declared()["ablations"]
    names = [claim["id"] for claim in claims.ledger()]
    assert len(set(names)) == len(names) >= 14
    for claim in claims.ledger():
        assert set(claim) == {"id", "title", "plain", "section", "quote", "rule", "verdict"}
        words = claims.in_words(claim["rule"])
        assert words[-1] in ".?" and "{" not in words
        assert claim["verdict"] in claims.VERDICTS
        rule = claim["rule"]
        mentioned = [rule.get("one"), rule.get("other"), *rule.get("others", [])]
        assert all(name in known for name in mentioned if name)
        assert rule["kind"] != "none" or rule["why"]


@pytest.mark.skipif(not PAPER.is_file(), reason="needs the paper beside the checkout")
def test_quotations_are_the_papers_words():
    text = " ".join(PAPER.read_text().replace("*", "").split())
    for claim in claims.ledger():
        assert claim["quote"] in text, claim["id"]


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


def verdict(recorded, **rule) -> str:
    return claims.judge(rule, {SCALE: recorded}).verdict


def noisy(error: float, by: float = 0.0) -> list[dict]:
    """Three seeds around an error, `by` apart."""
    return runs(error - by, error, error + by)


def test_a_comparison_has_three_verdicts():
    rule = {"kind": "lower", "one": "a", "other": "b"}
    base = noisy(2, 0.01)

    def by(error, spread=0.01):
        return verdict(everywhere(a=noisy(error, spread), b=base), **rule)

    assert by(1) == "supported"
    assert by(3) == "contradicted"  # the other way
    assert by(2) == "contradicted"  # none larger than the margin
    assert by(2, 1.0) == "undecided" and by(1.9, 1.0) == "undecided"
    assert by(1.96) == "supported" and by(1.97) == "supported"  # small, and beyond chance
    assert verdict(everywhere(a=base, b=base[:2]), **rule) == "not run yet"  # a seed is missing
    missing = everywhere(a=base, b=base)
    del missing["coast"]
    assert verdict(missing, **rule) == "not run yet"


def test_the_mean_over_data_sets_decides():
    rule = {"kind": "lower", "one": "a", "other": "b"}
    recorded = everywhere(a=noisy(2, 0.01), b=noisy(2, 0.01))
    recorded["coast"] = {"a": noisy(1, 0.01), "b": noisy(2, 0.01)}
    found = claims.judge(rule, {SCALE: recorded})
    assert found.verdict == "supported" and len(found.evidence) == len(DATA)
    assert found.whole.mean == pytest.approx(-50 / len(DATA))
    assert [row["outcome"] for row in found.evidence].count("supported") == 1


def test_only_the_planned_seeds_count():
    rule = {"kind": "lower", "one": "a", "other": "b"}
    planned, more = runs(1, 1, 1), runs(1, 1, 1, 9, 9)
    wanted = claims.judge(rule, {SCALE: everywhere(a=planned, b=runs(2, 2, 2))})
    assert wanted.verdict == "supported"
    assert claims.judge(rule, {SCALE: everywhere(a=more, b=runs(2, 2, 2, 0))}) == wanted
    assert verdict(everywhere(a=more[:2] + more[3:], b=planned), **rule) == "not run yet"


def test_lowest_compares_with_each_on_the_ablations_data():
    rule = {"kind": "lowest", "one": "a", "others": ["b", "c"]}
    low, high = noisy(1, 0.01), noisy(2, 0.01)
    assert verdict({"coast": {"a": low, "b": high, "c": high}}, **rule) == "supported"
    assert verdict({"coast": {"a": low, "b": high, "c": low}}, **rule) == "contradicted"
    assert verdict({"coast": {"a": low, "b": high, "c": noisy(1, 0.5)}}, **rule) == "undecided"
    assert verdict({"coast": {"a": high, "b": low, "c": high}}, **rule) == "contradicted"


def test_fewer_sooner_easier_duller():
    few, many = runs(1, 1, 1, weights=5), runs(1, 1, 1, weights=6)
    rule = {"kind": "fewer", "one": "a", "other": "b"}
    assert verdict(everywhere(a=few, b=many), **rule) == "supported"
    assert verdict(everywhere(a=many, b=few), **rule) == "contradicted"
    assert verdict(everywhere(a=few, b=few), **rule) == "contradicted"

    quick, slow = runs(1, 1, 1, curve=(2, 0.9, 0.8, 0.7)), runs(1, 1, 1, curve=(4, 3, 2, 1))
    rule = {"kind": "sooner", "one": "a", "others": ["b"]}
    assert verdict({"coast": {"a": quick, "b": slow}}, **rule) == "supported"
    assert verdict({"coast": {"a": slow, "b": quick}}, **rule) == "contradicted"
    assert verdict({"coast": {"a": slow, "b": slow}}, **rule) == "contradicted"
    assert verdict({"coast": {"a": quick[:1], "b": slow}}, **rule) == "not run yet"
    spiked = runs(1, 1, 1, curve=(9, 9, 9, 1, 9, 9, 9, 9, 9, 3))  # one low epoch is no level
    late = runs(1, 1, 1, curve=(9, 9, 9, 9, 9, 9, 9, 3.5, 3.5, 3.5))
    assert verdict({"coast": {"a": spiked, "b": late}}, **rule) == "contradicted"
    mixed = [quick[0], quick[1], slow[2]]
    assert verdict({"coast": {"a": mixed, "b": slow}}, **rule) == "undecided"

    lost = runs(1, 1, 1, curve=(2, 0.9, float("nan"), float("nan")))
    assert verdict({"coast": {"a": slow, "b": lost}}, **rule) == "supported"
    assert verdict({"coast": {"a": lost, "b": slow}}, **rule) == "contradicted"

    rule = {"kind": "easier", "one": "a", "pairs": [["coast", "samples"], ["here", "there"]]}
    base = runs(2)
    easy, hard = {"a": runs(1, 1, 1), "mean-colour": base}, {"a": few, "mean-colour": runs(1)}
    assert verdict({"coast": easy, "samples": hard}, **rule) == "supported"
    assert verdict({"coast": hard, "samples": easy}, **rule) == "contradicted"

    rule = {"kind": "duller", "one": "a", "pairs": [["coast", "samples"]]}
    dull, vivid = {"a": runs(0.2, 0.3, 0.1)}, {"a": runs(0.6, 0.6, 0.6)}
    assert verdict({"coast": dull, "samples": vivid}, **rule) == "supported"
    assert verdict({"coast": vivid, "samples": dull}, **rule) == "contradicted"
    skewed = runs(0.2, 0.2, 0.2)
    for run in skewed:
        run["scores"]["chroma_ratio"][0] = 99.0  # nearly gray; the median is as it was
    assert verdict({"coast": {"a": skewed}, "samples": vivid}, **rule) == "supported"
    both = {"a": runs(0.2, 0.6, 0.9)}
    assert verdict({"coast": both, "samples": vivid}, **rule) == "undecided"
    assert verdict({"coast": dull}, **rule) == "not run yet"


def test_below():
    rule = {"kind": "below", "one": "a", "metric": "chroma_ratio", "limit": 1.0}
    assert verdict(everywhere(a=runs(0.5, 0.5, 0.6)), **rule) == "supported"
    assert verdict(everywhere(a=runs(1.5, 1.5, 1.6)), **rule) == "contradicted"
    assert verdict(everywhere(a=runs(0.5, 0.9, 1.3)), **rule) == "undecided"
    dull = runs(0.5, 0.5, 0.6)
    for run in dull:
        run["scores"]["chroma_ratio"][3] = float("nan")  # a gray photograph
    assert verdict(everywhere(a=dull), **rule) == "supported"


def test_without_comparisons_nothing_is_decided():
    rule = {"kind": "lowest", "one": "a", "others": []}
    assert verdict({"coast": {"a": runs(1, 1, 1)}}, **rule) == "not run yet"


def test_overfits_looks_sizes():
    def at_distance(*values) -> list[dict]:
        return [
            run | {"mean_colour": {"train": 20.0},
                   "attention_distance": {"between_positions": value}}
            for run, value in zip(runs(1, 1, 1), values, strict=True)
        ]

    rule = {"kind": "overfits", "one": "a"}
    below = at_distance(1, 1, 1)  # 1 is below 20 / 10
    assert verdict({"coast": {"a": below}}, **rule) == "supported"
    for run in (less := at_distance(1, 1, 1)):
        run["mean_colour"]["train"] = 9.0
    assert verdict({"coast": {"a": less}}, **rule) == "contradicted"
    assert verdict({}, **rule) == "not run yet"

    rule = {"kind": "looks", "one": "a", "least": 0.2}
    assert verdict(everywhere(a=at_distance(0.3, 0.3, 0.3)), **rule) == "supported"
    mixed = everywhere(a=at_distance(0.3, 0.3, 0.3)) | {"coast": {"a": at_distance(0.3, 0.3, 0.1)}}
    assert verdict(mixed, **rule) == "undecided"
    assert verdict(everywhere(a=at_distance(0.1, 0.1, 0.1)), **rule) == "contradicted"

    rule = {"kind": "sizes", "one": "attention", "sizes": [[16, 16], [9, 40]]}
    assert verdict({}, **rule) == "supported"


def test_a_rule_that_runs_a_network_leaves_chance_as_it_was():
    before = torch.get_rng_state()
    verdict({}, kind="sizes", one="attention", sizes=[[16, 16]])
    assert torch.equal(torch.get_rng_state(), before)


def test_each_kind_of_rule_is_one_record_with_its_words():
    assert {claim["rule"]["kind"] for claim in claims.ledger()} <= set(claims.RULES)
    for kind, rule in claims.RULES.items():
        assert rule.words[-1] in ".?" and (rule.compare is None) == (kind == "none")


def test_a_changed_number_changes_the_verdict():
    rule = {"kind": "lower", "one": "a", "other": "b"}
    recorded = everywhere(a=runs(1, 1, 1), b=runs(2, 2, 2))
    assert verdict(recorded, **rule) == "supported"
    recorded["coast"] = copy.deepcopy(recorded["coast"])
    recorded["coast"]["a"][0]["scores"]["ab_mse"][0] = 1000.0
    assert verdict(recorded, **rule) == "undecided"
