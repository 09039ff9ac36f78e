"""The experiment matrix, its runs, their records, and what follows from them."""

from colorlib import _moved
from colorlib.experiments import cost
from colorlib.experiments.cost import Cost
from colorlib.experiments.matrix import TRIVIAL, Plan, Run, declared, matrix
from colorlib.experiments.pool import work_through
from colorlib.experiments.records import PREDICTED, RESULTS, pictures, recorded
from colorlib.experiments.runner import perform
from colorlib.experiments.statistics import difference

__all__ = [
    "PREDICTED",
    "RESULTS",
    "TRIVIAL",
    "Cost",
    "Plan",
    "Run",
    "cost",
    "declared",
    "difference",
    "matrix",
    "perform",
    "pictures",
    "recorded",
    "work_through",
]

_moved.watch(__name__)
