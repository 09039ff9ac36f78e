"""What every part of a network is: a module with settings of its own, and those that all share."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from colorlib.base.options import Options, choice, number


@dataclass(frozen=True)
class Common(Options):
    """What all parts of a network share.

    Attributes:
        width: factor on the channels of every hidden layer; 1 is the paper's size.
            Encoders of timm keep their own.
        batch_norm: batch normalisation before the non-linearities (section 3.3).
            Encoders of timm keep their own.
        decoder_init: how decoder and head draw their first weights, "xavier" (section 4.1) or
            "he", as encoder and fusion do.
    """

    width: float = number(1.0, above=0)
    batch_norm: bool = True
    decoder_init: str = choice("xavier", "he")

    def channels(self, full: int) -> int:
        """How many channels a layer of `full` channels has at this width."""
        return max(1, round(full * self.width))


class Part(nn.Module):
    """A part of a network.

    Attributes:
        settings: its own, of the class `Settings` that stands inside its class.
    """

    @dataclass(frozen=True)
    class Settings(Options):
        """None of its own."""

    settings: Any

    def initialise(self, common: Common) -> None:
        """Draw the first weights, once."""
        raise NotImplementedError
