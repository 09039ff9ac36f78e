"""Metrics of a colorization, on any device, and the trivial baselines that it has to beat."""

from colorlib.metrics.baselines import mean_colour, rmse_in_lab, trivial_baselines
from colorlib.metrics.classifier import classifier_agreement, gap_closed
from colorlib.metrics.definitions import (
    BEST,
    METRICS,
    ab_mse,
    auc,
    auc_rebalanced,
    chroma_ratio,
    colourfulness,
    delta_e,
    psnr_ab,
    psnr_rgb,
    ssim_rgb,
)
from colorlib.metrics.evaluation import attention_distance, constant, network, scores

__all__ = [
    "BEST",
    "METRICS",
    "ab_mse",
    "attention_distance",
    "auc",
    "auc_rebalanced",
    "chroma_ratio",
    "classifier_agreement",
    "colourfulness",
    "constant",
    "delta_e",
    "gap_closed",
    "mean_colour",
    "network",
    "psnr_ab",
    "psnr_rgb",
    "rmse_in_lab",
    "scores",
    "ssim_rgb",
    "trivial_baselines",
]
