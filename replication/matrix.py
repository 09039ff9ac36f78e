"""The experiment matrix: which runs there are, and what each of them is.

``matrix.toml`` declares variants, data sets, seeds and scales. A `Run` is one
cell of the matrix, its `Plan` what is declared for it.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from colorlib.base.errors import ColorlibError, find
from colorlib.base.tables import table
from colorlib.files import user_path
from colorlib.networks import configure
from colorlib.networks.priors import Spec
from colorlib.training import Settings

TRIVIAL = {"gray": "baseline", "mean-colour": "baseline", "nearest-colour": "fusion"}
"""Rows without a network, the trivial baselines, which have no seeds -> whose prior they use."""


RUNS = "runs.jsonl"  # of a scale: a line for each run that is done (`records`)


def declared() -> dict:
    """The contents of ``matrix.toml``; not to be changed."""
    return table("replication/matrix.toml")


@dataclass(frozen=True)
class Plan:
    """What the matrix declares for a run.

    Attributes:
        size: side of the photographs in pixels.
        preset: a name in `PRESETS`; of a trivial baseline one with the prior that it uses, or none.
        changes: fields of `Config` that differ from the preset.
        prior: the global prior; None for a network without one.
        settings: how it is trained; None for a trivial baseline.
        first: how many of the data set's training photographs the scale takes, the
            first ones; None for all.
        photos: how many of these it is trained on; None for all.
        share: which part of these it is trained on, the first ones; in as many more epochs.
        compared: whether it is a row of the comparison, and not an ablation.
        others: the scale's other data sets whose photographs have the same size.
        compact: whether its tables of scores are short ones (`records`).
    """

    size: int
    preset: str
    changes: dict[str, Any]
    prior: Spec | None
    settings: Settings | None
    first: int | None
    photos: int | None
    share: float
    compared: bool
    others: tuple[str, ...]
    compact: bool

    def trained_on(self, there: int) -> int:
        """How many of a data set's training photographs."""
        limits = [limit for limit in (self.first, self.photos) if limit is not None]
        return round(self.share * min([there, *limits]))


@dataclass(frozen=True)
class Run:
    """One cell of the matrix."""

    scale: str
    data: str
    variant: str
    seed: int | None  # None for a trivial baseline

    def __str__(self) -> str:
        seed = "any" if self.seed is None else self.seed
        return f"{self.scale}/{self.data}/{self.variant}/{seed}"

    def folder(self, work: Path | str) -> Path:
        """Where its checkpoints lie until it is done."""
        return user_path(work) / str(self)

    def done(self, results: Path | str) -> bool:
        """Whether it is recorded."""
        runs = user_path(results) / self.scale / RUNS
        return runs.is_file() and f'"run": "{self}"' in runs.read_text(encoding="utf-8")

    @cached_property
    def plan(self) -> Plan:
        """What is declared for it.

        Raises:
            ColorlibError: no such scale or variant.
        """
        declaration = declared()
        scale = find(declaration["scales"], self.scale, "scale")
        rows = declaration["variants"] | declaration["steps"] | declaration["ablations"]
        rows |= {name: {"preset": preset} for name, preset in TRIVIAL.items()}
        row = find(rows, self.variant, "variant")
        own, settings = _of_data_set(scale, self.data), None
        share = row.get("share", 1.0)
        if self.seed is not None:
            recipe = declaration["recipes"][row["recipe"]] if "recipe" in row else {}
            settings = Settings(
                **own["settings"] | recipe | row.get("settings", {}),
                repeats=declaration["repeats"].get(self.data, 1),
                seed=self.seed,
            )
            # As many visits of photographs as with all of them:
            settings = replace(settings, epochs=round(settings.epochs / share))
        with_prior = configure(row["preset"]).embedding > 0
        return Plan(
            size=own["size"],
            preset=row["preset"],
            changes={"width": scale["width"]} | row.get("set", {}),
            prior=Spec(**row.get("prior", {})) if with_prior else None,
            settings=settings,
            first=own.get("photos"),
            photos=row.get("photos"),
            share=share,
            compared=self.variant not in declaration["ablations"],
            others=tuple(
                name for name in scale["data"]
                if name != self.data and _of_data_set(scale, name)["size"] == own["size"]
            ),
            compact=scale.get("compact", False),
        )


def _of_data_set(scale: dict, name: str) -> dict:
    """What a scale declares for a data set: what is its own, else what is for all."""
    own = scale.get("each", {}).get(name, {})
    return {**scale, **own, "settings": scale["settings"] | own.get("settings", {})}


def matrix(scale: str, only: str | None = None) -> list[Run]:
    """The runs of a scale whose names contain `only`, the most valuable first.

    Args:
        scale: one of those declared, such as "minutes".
        only: a part of a name such as ``minutes/coast/attention/0``.

    Raises:
        ColorlibError: no such scale, or nothing left.
    """
    declaration = declared()
    plan = find(declaration["scales"], scale, "scale")
    names, seeds = plan["data"], plan["seeds"]
    trivial = plan.get("trivial", ("gray", "mean-colour"))
    runs = [Run(scale, name, row, None) for name in names for row in trivial]
    left_out = plan.get("without", ())
    ablations = [name for name in declaration["ablations"] if name not in left_out]
    for rows, once, where, count in (
        (plan.get("variants", declaration["variants"]), plan.get("once", ()), names, seeds),
        (plan.get("later", ()), (), names, seeds),
        (ablations, (), plan["ablations"], plan.get("ablation_seeds", seeds)),
    ):
        runs += [
            Run(scale, name, variant, seed)
            for seed in range(count)
            for name in where
            if seed < plan.get("each", {}).get(name, {}).get("seeds", count)
            for variant in (*rows, *(once if seed == 0 else ()))
        ]
    kept = [run for run in runs if not only or only in str(run)]
    if not kept:
        raise ColorlibError(f"no run of {scale} has {only!r} in its name, such as {runs[-1]}")
    return kept
