"""The colorization networks: parts that compose. Nothing here writes a file."""

from colorlib.networks.blocks import (
    AddCoords,
    Attention,
    Fusion,
    SelfAttention,
    conv,
    init_he,
    init_xavier,
)
from colorlib.networks.colorizer import STRIDE, Colorizer, build, transfer
from colorlib.networks.config import PRESETS, Config, configure, recorded
from colorlib.networks.decoders import DECODERS, Decoder, PaperDecoder, UNetDecoder
from colorlib.networks.encoders import ENCODERS, Encoder, PaperEncoder, TimmEncoder
from colorlib.networks.heads import (
    HEADS,
    AdversarialHead,
    Head,
    HuberHead,
    QuantizedHead,
    RegressionHead,
)
from colorlib.networks.inputs import Inputs

__all__ = [
    "DECODERS",
    "ENCODERS",
    "HEADS",
    "PRESETS",
    "STRIDE",
    "AddCoords",
    "AdversarialHead",
    "Attention",
    "Colorizer",
    "Config",
    "Decoder",
    "Encoder",
    "Fusion",
    "Head",
    "HuberHead",
    "Inputs",
    "PaperDecoder",
    "PaperEncoder",
    "QuantizedHead",
    "RegressionHead",
    "SelfAttention",
    "TimmEncoder",
    "UNetDecoder",
    "build",
    "configure",
    "conv",
    "init_he",
    "init_xavier",
    "recorded",
    "transfer",
]
