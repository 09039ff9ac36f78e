"""Names of version 0.1: importing one says in a sentence where it is now."""

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
    "data": {"whole": "data.atomic_folder"},
    "experiments": {"PAINTED": "experiments.PREDICTED", "YARDSTICKS": "experiments.TRIVIAL"},
    "metrics": {
        "looking": "metrics.attention_distance",
        "yardsticks": "metrics.trivial_baselines",
    },
    "networks": {
        "DECODER": "networks.PaperDecoder.LAYERS",
        "ENCODER": "networks.PaperEncoder.LAYERS",
        "OUTPUTS": "networks.heads.OUTPUTS",
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
    renamed = NAMES[module.removeprefix("colorlib.")]

    def __getattr__(name: str) -> object:
        if name in renamed:
            # No AttributeError, of which `from ... import ...` would drop the sentence.
            raise ImportError(
                f"{module}.{name} is called colorlib.{renamed[name]} since version 0.2"
            )
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    vars(sys.modules[module])["__getattr__"] = __getattr__


class _Finder(MetaPathFinder):
    """Asked last, for modules that nobody has found."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, name = fullname.rpartition(".")
        if package == "colorlib" and name in MODULES:
            raise ImportError(sentence(name))
        return None


def install() -> None:
    """Let imports of old modules fail with the sentence of `sentence`."""
    sys.meta_path.append(_Finder())
