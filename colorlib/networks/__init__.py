"""The colorization networks: parts that compose, and their weights on disk."""

from colorlib.base.settings import PRESETS, STRIDE, Config, preset_config
from colorlib.networks.blocks import (
    AddCoords,
    Attention,
    Fusion,
    SelfAttention,
    conv,
    init_he,
    init_xavier,
)
from colorlib.networks.colorizer import Colorizer, build, transfer
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
    "PaperDecoder",
    "PaperEncoder",
    "QuantizedHead",
    "RegressionHead",
    "SelfAttention",
    "TimmEncoder",
    "UNetDecoder",
    "build",
    "conv",
    "init_he",
    "init_xavier",
    "preset_config",
    "transfer",
]
