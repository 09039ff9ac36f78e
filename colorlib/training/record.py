"""What weights say about how they were trained, so that others can judge and repeat it."""

from dataclasses import asdict
from typing import Any

import torch

from colorlib import __version__, metrics
from colorlib.base import devices, provenance
from colorlib.data import Packed
from colorlib.data.fingerprints import fingerprint
from colorlib.networks import Colorizer
from colorlib.training.settings import Settings


def record(
    model: Colorizer, train: Packed, val: Packed, settings: Settings, device: torch.device
) -> dict[str, Any]:
    """What is known of a training before it begins; all of it fits into JSON.

    Returns:
        "init", what the weights say that it begins with, {} for fresh ones; "prior", from
        `priors.describe`, or None; "trained_on", the `fingerprint` of all photographs, or None
        if those are not known; "baselines", the validation losses of `trivial_baselines`;
        "settings"; "device", "colorlib" and "commit", by which it is trained.
    """
    photos = (*train.photos, *val.photos)
    return {
        "init": model.about,
        "prior": train.prior,
        "trained_on": fingerprint(photos) if photos else None,
        "baselines": metrics.trivial_baselines(train, val),
        "settings": asdict(settings),
        "device": devices.device_name(str(device)),
        "colorlib": __version__,
        "commit": provenance.commit(),
    }
