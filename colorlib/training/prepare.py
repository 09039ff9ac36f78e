"""What a training starts from: a fresh network for a prior, or one with given weights."""

import torch

from colorlib.base.errors import ColorlibError
from colorlib.networks import Colorizer, configure, transfer
from colorlib.networks.priors import Prior


def prior_for(preset: str, /, **fields) -> Prior | None:
    """The global prior of a preset; None if it has none.

    Args:
        preset: a name in `PRESETS`.
        fields: those of `priors.Spec`.

    Raises:
        ColorlibError: no such preset or classifier, or fields for a preset without a prior.
    """
    if configure(preset).embedding:
        return Prior(**fields)
    if fields:
        raise ColorlibError(f"the preset {preset!r} has no prior to choose")
    return None


def network(
    preset: str, prior: Prior | None, seed: int, init: Colorizer | None = None, /, **changes
) -> Colorizer:
    """A freshly initialised network that takes the embeddings of a prior.

    Args:
        preset: a name in `PRESETS`.
        prior: its global prior; None for a network without one.
        seed: fixes the first weights.
        init: a network whose encoder, decoder and head it begins with instead.
        changes: as for `networks.configure`, but for `embedding`, which is the prior's.

    Raises:
        ColorlibError: no such preset, field or value; parts of `init` that do not fit.
    """
    if "embedding" in changes:
        raise ColorlibError("embedding follows from the prior: set that (--prior) instead")
    if prior is not None:
        changes["embedding"] = prior.features
    torch.manual_seed(seed)
    # Pretrained weights need not be had where others take their place.
    model = Colorizer(configure(preset, **changes), initialise=init is None)
    if init is not None:
        transfer(init, model)
    return model
