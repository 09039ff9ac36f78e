"""The experiment matrix, its runs, their records, and what follows from them."""

from replication import cost
from replication.cost import Cost
from replication.matrix import TRIVIAL, Plan, Run, declared, matrix
from replication.pool import all_of, work_through
from replication.records import PREDICTED, RESULTS, pictures, recorded
from replication.runner import perform
from replication.statistics import Estimate, Summary, estimate, relative, summary

__all__ = [
    "PREDICTED",
    "RESULTS",
    "TRIVIAL",
    "Cost",
    "Estimate",
    "Plan",
    "Run",
    "Summary",
    "all_of",
    "cost",
    "declared",
    "estimate",
    "matrix",
    "perform",
    "pictures",
    "recorded",
    "relative",
    "summary",
    "work_through",
]
