"""What a network is made of: which parts, with which settings, as one value with flat names.

A name such as ``temperature`` belongs to one part. It is written beside the names of the parts,
``head=quantized temperature=0.5``, in Python, on the command line and in files, and refused where
no chosen part knows it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import SimpleNamespace
from typing import Any

from colorlib.base.errors import ColorlibError, find
from colorlib.base.options import Options, choice, names, number
from colorlib.networks.blocks import Attention
from colorlib.networks.decoders import DECODERS
from colorlib.networks.encoders import ENCODERS
from colorlib.networks.heads import HEADS
from colorlib.networks.parts import Common


@dataclass(frozen=True)
class AttentionSettings(Options):
    """How attention is built in.

    Attributes:
        attention_source: what the fused map attends to: the "encoder"'s map or the "fused"
            map itself.
        attention_softmax: over which positions the weights sum to one: all "sources" of a
            target, or, as written, all "targets" of a source.
        attention_scaled: divide scores by the square root of the channels, so that the
            softmax does not begin saturated; as written, false.
    """

    attention_source: str = choice("encoder", "fused")
    attention_softmax: str = choice("sources", "targets")
    attention_scaled: bool = True


PARTS: dict[str, Mapping[str, Any]] = {
    "encoder": ENCODERS,
    "decoder": DECODERS,
    "head": HEADS,
    "attention": dict.fromkeys(Attention.SCORES, SimpleNamespace(Settings=AttentionSettings)),
}
"""Field of `Config` -> the parts that it chooses from, by name; each has its `Settings`."""


@dataclass(frozen=True)
class Config(Common):
    """What a `Colorizer` is made of; each name is one decision. `configure` makes one.

    Attributes:
        embedding: length of the global prior's vector, fused into the encoder's map (section
            3.5); 0 for no prior.
        attention: how a position scores another: "dot", "general" or "concat" (Luong et al.;
            the paper leaves `score` open). "pointwise" is the control: the weights of
            "general", but every position attends to itself only. None for no attention.
        encoder: a name in `networks.ENCODERS`.
        decoder: a name in `networks.DECODERS`.
        head: a name in `networks.HEADS`: what the last layer means, and its loss.
        settings: field -> the chosen part's own settings; by default all their defaults.

    Raises:
        ColorlibError: no such part; a value that a setting cannot have.
    """

    embedding: int = number(0, least=0)
    attention: str | None = choice(None, *Attention.SCORES)
    encoder: str = "paper"
    decoder: str = "paper"
    head: str = "regression"
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        own = {name: self.settings.get(name) or part.Settings() for name, part in self._chosen()}
        for name, part in self._chosen():
            if type(own[name]) is not part.Settings:
                raise ValueError(f"{own[name]} are not the settings of {getattr(self, name)!r}")
        object.__setattr__(self, "settings", own)

    def _chosen(self) -> list[tuple[str, Any]]:
        chosen = {name: getattr(self, name) for name in PARTS}
        return [(name, find(PARTS[name], kind, name))
                for name, kind in chosen.items() if kind is not None]

    def flat(self) -> dict[str, Any]:
        """All names with their values, as `configure` and files have them."""
        found = asdict(self)
        for own in found.pop("settings").values():
            found |= own
        return found


CHOSEN = [name for name in names(Config) if name != "settings"]
"""The fields of `Config` itself, which every network has."""


PRESETS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "fusion": {"embedding": 1000},
    "attention": {"embedding": 1000, "attention": "general"},
    # Every slip of the paper's that can be run, in one network.
    "as-written": {
        "coordinates": True,
        "embedding": 1000,
        "attention": "general",
        "attention_softmax": "targets",
        "attention_scaled": False,
        "output_gain": 1.0,
        "output": "1-tanh2",
    },
    # Not the paper's: a classifier as the encoder, all of whose maps are used.
    "unet": {"encoder": "timm", "decoder": "unet"},
}
"""The paper's networks by name, as intended; then as it is written; then one of today."""


def configure(preset: str = "baseline", /, **changes: Any) -> Config:
    """The config behind a name in `PRESETS`.

    Args:
        preset: the name.
        changes: names to set differently, of `Config` and of the settings of the chosen parts.

    Raises:
        ColorlibError: no such preset or part, a name that no chosen part knows, a value that
            it cannot have.
    """
    given = find(PRESETS, preset, "preset") | changes
    known = known_names({name: given[name] for name in CHOSEN if name in given})
    if unknown := sorted(set(changes) - known):
        raise ColorlibError(_why_unknown(unknown[0], known))
    return _made({name: value for name, value in given.items() if name in known})


def _why_unknown(name: str, known: set[str]) -> str:
    owners = [
        f"{role}={kind}"
        for role, parts in PARTS.items() for kind, part in parts.items()
        if name in names(part.Settings)
    ]
    if owners:
        return f"{name} is a setting of {' or '.join(owners)}, which this network has not"
    return f"no setting named {name!r}; there is {', '.join(sorted(known))}"


def recorded(flat: Mapping[str, Any]) -> Config:
    """The config that a file holds; settings of parts that it has not are left out.

    Version 0.2 wrote those, too.
    """
    known = known_names({name: flat[name] for name in CHOSEN if name in flat})
    return _made({name: value for name, value in flat.items() if name in known})


def known_names(chosen: Mapping[str, Any]) -> set[str]:
    """The names that a network with these parts can be given."""
    own = Config(**chosen).settings.values()
    return {*CHOSEN, *(name for part in own for name in names(type(part)))}


def _made(flat: Mapping[str, Any]) -> Config:
    chosen = {name: flat[name] for name in CHOSEN if name in flat}
    own = {
        part: type(settings)(**{n: flat[n] for n in names(type(settings)) if n in flat})
        for part, settings in Config(**chosen).settings.items()
    }
    return Config(**chosen, settings=own)
