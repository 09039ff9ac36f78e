"""How to train: everything that can be chosen of it."""

from dataclasses import dataclass

from colorlib.base.errors import ColorlibError
from colorlib.base.options import Options, choice, number

CROPS = 8
"""What the side of a random crop is a multiple of, in pixels."""


@dataclass(frozen=True)
class Settings(Options):
    """How to train; together with network, photographs and device it fixes the result.

    The defaults are what the paper writes, and nothing that it does not.

    Attributes:
        epochs: Passes over the training photographs.
        batch_size: Photographs a step, over all processes.
        learning_rate: Step size of the optimizer; 0.001 in section 4.1.
        encoder_rate: Factor on it for the encoder, such as 0.1 for one with
            pretrained weights.
        optimizer: One of "adam" (section 4.1), "adamw" (with a weight decay of
            0.01), "sgd", "momentum" (SGD with momentum 0.9), "rmsprop".
        cosine: Cosine decay: let the learning rate fall to zero.
        average: Evaluate and keep an exponential moving average of the
            weights, with this decay a step, such as 0.999; 0 keeps the last.
        crop: Side of a random square cut out anew each time a photograph is
            visited, a multiple of 8. Without it, photographs are whole.
        scale: Smallest share of a photograph's side that a crop may cover;
            crops from there up to the whole photograph are resized to
            `crop`. Without it, crops are not resized.
        flip: Mirror each photograph with probability 1/2.
        exposure: Raise lightness, as a share of 100, to a random power from
            exp(-exposure) to exp(exposure), as a camera might have; ab stay.
        repeats: How often an epoch visits each photograph.
        bf16: Compute convolutions in bfloat16, about twice as fast on a
            processor that has it.
        compile: Compile the network with torch.compile.
        seed: Fixes first weights, order, crops and flips.
        preview: Every so many epochs, and after the last, write a few validation photographs
            into previews/ of the run folder: gray, as predicted, and in colour; 0 for none.
    """

    epochs: int = number(60, above=0)
    batch_size: int = number(16, above=0)
    learning_rate: float = number(1e-3, above=0)
    encoder_rate: float = number(1.0, above=0)
    optimizer: str = choice("adam", "adamw", "sgd", "momentum", "rmsprop")
    cosine: bool = False
    average: float = number(0.0, least=0, below=1)
    crop: int | None = number(None, least=CROPS)
    scale: float | None = number(None, above=0, most=1)
    flip: bool = False
    exposure: float = number(0.0, least=0)
    repeats: int = number(1, above=0)
    bf16: bool = False
    compile: bool = False
    seed: int = number(0, least=0)
    preview: int = number(0, least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.crop is not None and self.crop % CROPS:
            raise ColorlibError(f"crop must be a multiple of {CROPS}, not {self.crop}")
        if self.scale is not None and self.crop is None:
            raise ColorlibError("scale needs a crop")

    def previews(self, epoch: int) -> bool:
        """Whether a preview is written after an epoch, from 1."""
        return bool(self.preview) and (epoch == self.epochs or epoch % self.preview == 0)
