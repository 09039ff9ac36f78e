"""Names of version 0.1: importing one, or asking for it, says in a sentence where it is now."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MODULES = {
    "claims": "experiments.claims",
    "colorize": "pipeline",
    "decisions": "book.decisions",
    "figures": "book.figures",
    "models": "networks",
    "train": "training",
    "widgets": "book.widgets",
}
"""Module -> where its contents are now."""

NAMES = {
    "cli": {"Device": "cli.common.Device"},
    "data": {
        "CVCL_URL": "data.data_sets()['coast'].url",
        "decode": "files.square",
        "whole": "data.atomic_folder",
    },
    "experiments": {"PAINTED": "experiments.PREDICTED", "YARDSTICKS": "experiments.TRIVIAL"},
    "metrics": {
        "looking": "metrics.attention_distance",
        "yardsticks": "metrics.trivial_baselines",
    },
    "networks": {
        "DECODER": "networks.PaperDecoder.LAYERS",
        "ENCODER": "networks.PaperEncoder.LAYERS",
        "OUTPUTS": "networks.heads.OUTPUTS",
        "TanhDerivative": "networks.heads.TanhDerivative",
        "write_tensors": "networks.weights.write_tensors",
    },
    "pipeline": {
        "Painter": "pipeline.Pipeline",
        "lift": "pipeline.upsample",
        "prior_of": "zoo.Pretrained.prior",
    },
    "training": {"settle": "training.update_batch_norm"},
}
"""Module -> name -> what it is called now."""


def sentence(module: str) -> str:
    """Where an old module is now, and what of it has another name, in one sentence."""
    new = MODULES[module]
    renamed = [f"{old} is {name}" for old, name in NAMES.get(new, {}).items()]
    where = f", where {', '.join(renamed)}" if renamed else ""
    return f"colorlib.{module} moved in version 0.2 to colorlib.{new}{where}"


def watch(module: str) -> None:
    """Let a module say of names that it had in version 0.1 what they are called now.

    Args:
        module: its `__name__`, while it is being imported.
    """

    def __getattr__(name: str) -> object:
        says = _renamed(module, name) or f"module {module!r} has no attribute {name!r}"
        raise AttributeError(says)  # so that hasattr() is false

    names = vars(sys.modules[module])
    names["__getattr__"] = __getattr__
    # `from ... import ...` drops what an AttributeError says, and then looks for a module of that
    # name in a package: there `_Finder` is asked. So that it looks at all, every module is one.
    names.setdefault("__path__", [])


def _renamed(module: str, name: str) -> str | None:
    """What a name of a module is called now, in one sentence; None if it is none of 0.1."""
    new = NAMES.get(module.removeprefix("colorlib."), {}).get(name)
    return new and f"{module}.{name} is colorlib.{new} since version 0.2"


class _Finder(MetaPathFinder):
    """Asked last, for modules that nobody has found."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, name = fullname.rpartition(".")
        if package == "colorlib" and name in MODULES:
            raise ImportError(sentence(name))
        if says := _renamed(package, name):
            raise ImportError(says)
        return None


def install() -> None:
    """Let imports of old modules and names fail with a sentence."""
    sys.meta_path.append(_Finder())
