from pathlib import Path

import pytest

from colorlib import networks
from colorlib.networks import priors
from replication.book import decisions

ROOT = Path(__file__).parents[1]
PAPER = ROOT.parent / "shared" / "paper" / "attention-colorization.md"
ENTRIES = pytest.mark.parametrize(
    "entry", decisions.decisions(), ids=lambda entry: entry["topic"]
)


@ENTRIES
def test_what_is_said_of_a_setting_is_what_the_code_does(entry):
    assert (ROOT / "book" / f"{entry['chapter']}.py").is_file()
    if "setting" not in entry:
        assert "written" not in entry and not decisions.switch(entry)
        return
    kind, name = entry["setting"].split(".")
    assert decisions.value(entry["setting"], entry.get("preset", "baseline")) == entry["intended"]
    assert f"`{name}={entry['intended']!r}`" in decisions.switch(entry)
    if "written" in entry:
        if kind == "Spec":
            priors.Spec(**{name: entry["written"]})  # is accepted
        else:
            networks.configure(entry.get("preset", "baseline"), **{name: entry["written"]})
        assert entry["written"] != entry["intended"]
        assert repr(entry["written"]) in decisions.switch(entry)
        if kind == "Config":
            assert networks.PRESETS["as-written"][name] == entry["written"]


def test_every_slip_of_the_preset_as_written_is_explained():
    explained = {entry["setting"] for entry in decisions.decisions() if "written" in entry}
    intended = networks.configure("attention").flat()
    for name, value in networks.configure("as-written").flat().items():
        assert value == intended[name] or f"Config.{name}" in explained, name


@pytest.mark.skipif(not PAPER.is_file(), reason="needs the paper beside the checkout")
@ENTRIES
def test_quotations_are_the_papers_words(entry):
    assert entry["says"] in " ".join(PAPER.read_text().replace("*", "").split())
