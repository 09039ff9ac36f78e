"""The colorization networks: parts that compose, and their weights on disk."""

from colorlib import _moved
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
from colorlib.networks.export import export_onnx
from colorlib.networks.heads import (
    HEADS,
    AdversarialHead,
    Head,
    HuberHead,
    QuantizedHead,
    RegressionHead,
)
from colorlib.networks.weights import load_weights, read_about, save_weights
from colorlib.settings import PRESETS, STRIDE, Config, preset_config

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
    "export_onnx",
    "init_he",
    "init_xavier",
    "load_weights",
    "preset_config",
    "read_about",
    "save_weights",
    "transfer",
]

_moved.watch(__name__)
