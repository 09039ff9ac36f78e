"""The experiment matrix, its runs, their records, and what follows from them."""

from colorlib import _moved
from colorlib.experiments import cost
from colorlib.experiments.cost import Cost
from colorlib.experiments.matrix import TRIVIAL, Plan, Run, declared, matrix
from colorlib.experiments.pool import work_through
from colorlib.experiments.records import PREDICTED, RESULTS, pictures, recorded
from colorlib.experiments.runner import perform
from colorlib.experiments.statistics import (
    Estimate,
    Summary,
    difference,
    estimate,
    relative,
    summary,
)

__all__ = [
    "PREDICTED",
    "RESULTS",
    "TRIVIAL",
    "Cost",
    "Estimate",
    "Plan",
    "Run",
    "Summary",
    "cost",
    "declared",
    "difference",
    "estimate",
    "matrix",
    "perform",
    "pictures",
    "recorded",
    "relative",
    "summary",
    "work_through",
]

_moved.watch(__name__)
