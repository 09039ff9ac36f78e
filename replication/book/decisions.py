"""What the paper gets wrong or leaves open, and what the library does instead.

``decisions.toml`` is the list. Where both ways can be run, an entry names the
setting, and what is said of it here is read from the code.
"""

from dataclasses import asdict

from colorlib.base.tables import table
from colorlib.networks import configure
from colorlib.networks.priors import Spec


def decisions() -> list[dict]:
    """The entries in order.

    Each has "topic", "section", the paper's words ("says"), the "trouble" with
    them, our "decision" and the "chapter" that tells of it. Some have a
    "setting", with the value "intended" and perhaps the one "written".
    """
    return table("replication/book/decisions.toml")["decisions"]


def value(setting: str, preset: str = "baseline"):
    """What the code does: the value of a setting such as "Config.output" in a preset."""
    kind, name = setting.split(".")
    of = {"Config": configure(preset).flat(), "Spec": asdict(Spec())}
    return of[kind][name]


def switch(decision: dict) -> str:
    """How an entry is set in Python, as Markdown; empty if it is no setting."""
    if "setting" not in decision:
        return ""
    name = decision["setting"].split(".")[1]
    found = f"`{name}={value(decision['setting'], decision.get('preset', 'baseline'))!r}`"
    if "written" in decision:
        found += f", as written `{name}={decision['written']!r}`"
    return found
