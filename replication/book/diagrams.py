"""Drawings of the networks, made from the networks themselves.

Each function builds a network, gives it a gray photograph, and draws the shapes of what
passes, so that no drawing can differ from the network. Shapes are those of one photograph,
channels x height x width.
"""

import math
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from colorlib.base.errors import ColorlibError
from colorlib.networks import (
    Colorizer,
    Inputs,
    PaperDecoder,
    PaperEncoder,
    QuantizedHead,
    RegressionHead,
    SelfAttention,
    UNetDecoder,
    configure,
)
from colorlib.networks.priors import Spec
from replication.book.drawing import (
    ALPHA,
    EDGE,
    GAP,
    LINE,
    TIMES,
    WIDTH,
    Box,
    Canvas,
    Diagram,
    Point,
)

_SCORES = {
    "dot": ("h_{t} · h̄_{s}", "no weights"),
    "general": ("h_{t} · W_{a} h̄_{s}", "learned"),
    "concat": ("v · tanh(W_{a} [h_{t}; h̄_{s}])", "learned"),
}
_PRIOR = Spec()

Size = int | tuple[int, int]


def whole(preset: str = "attention", size: Size = 256, **changes: Any) -> Diagram:
    """A network from the gray photograph to the one in colour, one box a part.

    Args, here and below:
        preset: a name in `PRESETS`.
        size: of the photograph in pixels, its side or (H, W).
        changes: names to set differently, as for `networks.configure`.

    Raises:
        ColorlibError: no such preset, field or value; a network without what is to be drawn.
        ValueError: a photograph that is too small for the network.
    """
    network, seen = _tried(preset, size, changes)
    config, ab, maps = network.config.flat(), seen[""].output, seen["encoder"].output
    encoded = _map(maps[-1])
    if len(maps) > 1:
        encoded = f"{len(maps)} maps:\n{_map(maps[0])}\nto {encoded}"
    how = {"fusion": "with the prior", "attention": f"score: {config['attention']}"}
    canvas = Canvas(f"The network {preset}")
    gray, *parts, join, _ = canvas.flow(118 if network.fusion else WIDTH / 2, EDGE, 144, [
        ("gray photograph", "given", f"L: {_map(seen[''].inputs[0])}"),
        *((name, kind, _map(prepared)) for name, kind, prepared in _prepared(seen)),
        ("encoder", "learned", encoded),
        *((f"{name}\n{how[name]}", "learned", _map(seen[name].output))
          for name in how if name in seen),
        ("decoder", "learned", _map(seen["decoder"].output)),
        ("head", "learned", f"ab: {_map(ab)}"),
        ("join with L", "no weights", _shape(1 + ab[1], *ab[2:])),
        ("colour photograph", "predicted", ""),
    ])
    encoder, *mixing = parts[len(_prepared(seen)) : -2]
    outer, inner = gray.left - 36, gray.left - 18
    canvas.arrow((gray.left, gray.y), (outer, gray.y), (outer, join.y), (join.left, join.y))
    if network.fusion:
        target, numbers = mixing[0], f"{seen['fusion'].inputs[1][1]} numbers"
        prior = canvas.box(296, encoder.y, 104, "prior, a\nclassifier", "frozen")
        canvas.arrow((gray.right, gray.y), (prior.x, gray.y), (prior.x, prior.top))
        canvas.arrow((prior.x, prior.bottom), (prior.x, target.y), (target.right, target.y))
        canvas.text(target.right + 16, target.y + LINE + 2, f"embedding:\n{numbers}")
        canvas.say("to fusion, the embedding of the prior, a classifier", numbers)
    if network.attention and config["attention_source"] == "encoder":
        target, y = mixing[-1], encoder.bottom + 9
        canvas.arrow((encoder.x, y), (inner, y), (inner, target.y), (target.left, target.y))
        canvas.say("to attention also the encoder's map")
    return canvas.finish()


def encoder_decoder(preset: str = "baseline", size: Size = 256, **changes: Any) -> Diagram:
    """Every layer of the paper's encoder and decoder, as bars.

    A bar is as wide as the map that the layer makes, and its height is the square root of
    the channels, both in proportion. Args and errors: as above.
    """
    network, seen = _tried(preset, size, changes)
    encoder, decoder, head = network.encoder, network.decoder, network.head
    if not (
        isinstance(encoder, PaperEncoder)
        and isinstance(decoder, PaperDecoder)
        and isinstance(head, RegressionHead)
        and network.fusion is network.attention is None
    ):
        raise ColorlibError(f"{preset!r} as it is set has other parts than the paper's baseline")
    groups = {
        "gray photograph": [("L", "given", seen[""].inputs[0]), *_prepared(seen)],
        "encoder": [(*_layer(layer), seen[f"encoder.{name}"].output)
                    for name, layer in encoder.named_children()],
        "decoder": [(*_layer(layer), seen[f"decoder.{name}"].output)
                    for name, layer in decoder.named_children()],
        "head": [
            (*_layer(head.last), seen["head.last"].output),
            (head.settings.output, "no weights", seen["head.output"].output),
            ("enlarge: ab", "predicted", seen[""].output),
        ],
    }
    made = [output for layers in groups.values() for *_, output in layers]
    deepest, widest = (max(output[i] for output in made) for i in (1, 3))
    canvas, y, above = Canvas("Encoder and decoder, layer by layer"), -12.0, 0.0
    for group, layers in groups.items():
        canvas.text(116, y + 26, group, bold=True)
        y += 50
        for label, kind, output in layers:
            width, height = 96 * output[3] / widest, 20 * math.sqrt(output[1] / deepest)
            bar = canvas.box(52, y, max(3, width), "", kind, max(3, height))
            if above:
                canvas.arrow((bar.x, above), (bar.x, bar.top))
            canvas.text(116, y, label)
            canvas.text(WIDTH - EDGE, y, _map(output), "end")
            canvas.say(f"{group}, {label}", _map(output))
            above, y = bar.bottom, y + 29
        y -= 20
    note = f"conv: convolution, {_shape(*head.last.kernel_size)}; ReLU but in the head"
    if _has(network, nn.BatchNorm2d):
        note += "\nBN: batch normalisation before ReLU"
    canvas.text(EDGE, y + 42, note)
    canvas.say(note)
    return canvas.finish()


def fusion(
    preset: str = "fusion", size: Size = 256, spec: Spec = _PRIOR, **changes: Any
) -> Diagram:
    """How the prior's embedding comes to every position of the encoder's map.

    Args:
        spec: which classifier the prior is; `embedding=` says how many numbers it gives.
            Other args and errors: as above.
    """
    network, seen = _tried(preset, size, changes)
    if network.fusion is None:
        raise ColorlibError(f"{preset!r} as it is set has no fusion")
    map_, (_, E) = seen["fusion"].inputs
    repeated, (convolution, *rest) = _shape(E, *map_[2:]), network.fusion.mix
    assert isinstance(convolution, nn.Conv2d)
    norm = ", BN" if isinstance(rest[0], nn.BatchNorm2d) else ""
    canvas, left, right = Canvas("Fusion"), 56, 232
    (gray,) = canvas.flow(WIDTH / 2, EDGE, 344, [
        (f"gray photograph, L: {_map(seen[''].inputs[0])}", "given", "")
    ])
    top = gray.bottom + 30
    resize, _, repeat = canvas.flow(right, top, 232, [
        ("resize, gray as R, G and B", "no weights", _shape(3, spec.size, spec.size)),
        (f"prior, a classifier:\n{spec.name}", "frozen", f"embedding e:\n{E} numbers"),
        ("repeat at every position", "no weights", repeated),
    ])
    (encoder,) = canvas.flow(left, top, 104, [("encoder", "learned", _map(map_))])
    join, *_ = canvas.flow(WIDTH / 2, repeat.bottom + GAP, 344, [
        (f"join: {map_[1]} + {E} channels", "no weights",
         _shape(convolution.in_channels, *map_[2:])),
        (f"{_shape(*convolution.kernel_size)} convolution{norm}, ReLU", "learned",
         _map(seen["fusion"].output)),
        ("attention" if network.attention else "decoder", "learned", ""),
    ])
    canvas.arrow((left, gray.bottom), (left, encoder.top))
    canvas.arrow((right, gray.bottom), (right, resize.top))
    canvas.arrow((left, encoder.bottom), (left, join.top), label=f"map h:\n{_map(map_)}")
    canvas.arrow((right, repeat.bottom), (right, join.top), label=repeated)
    return canvas.finish()


def attention(preset: str = "attention", size: Size = 256, **changes: Any) -> Diagram:
    """From two maps to weights, contexts and attention vectors. Args and errors: as above."""
    network, seen = _tried(preset, size, changes)
    config, block = network.config.flat(), network.attention
    if block is None or config["attention"] not in _SCORES:
        raise ColorlibError(f"{preset!r} as it is set has no attention between positions")
    h, h_bar = seen["attention"].inputs  # (1, C, h, w) each
    C, T, S = h[1], h[2] * h[3], h_bar[2] * h_bar[3]
    (joined,), vectors = seen["attention.W_c"]
    formula, kind = _SCORES[config["attention"]]
    scaled = f" / √{C}" if config["attention_scaled"] else ""
    fused = "fused" if network.fusion else "encoder's"
    owner = "encoder's" if config["attention_source"] == "encoder" else fused
    canvas = Canvas("Attention")
    target, source = (
        canvas.flow(x, EDGE, 160, [(f"{name}\n{_map(map_)}", "given", listed)])[0]
        for x, name, map_, listed in (
            (84, f"{fused} map h", h, f"every h_{{t}}, {_shape(T, C)}"),
            (268, f"{owner} map h̄", h_bar, f"every h̄_{{s}}, {_shape(S, C)}"),
        )
    )
    score, _, context, join, *_ = canvas.flow(WIDTH / 2, target.bottom + GAP, 240, [
        (f"score(h_{{t}}, h̄_{{s}}) =\n{formula}{scaled}", kind, _shape(T, S)),
        (f"attention weights {ALPHA}_{{ts}}:\nsoftmax over {config['attention_softmax']}",
         "no weights", _shape(T, S)),
        (f"context, a weighted sum:\nc_{{t}} = Σ_{{s}} {ALPHA}_{{ts}} h̄_{{s}}", "no weights",
         _shape(T, C)),
        ("join: [c_{t}; h_{t}]", "no weights", _shape(*joined[1:])),
        ("attention vector:\ntanh(W_{c} [c_{t}; h_{t}])", "learned",
         f"{_shape(*vectors[1:])}, as a map\n{_map(seen['attention'].output)}"),
        ("decoder", "learned", ""),
    ])
    canvas.arrow((106, target.bottom), (106, score.top), label=_shape(T, C))
    canvas.arrow((222, source.bottom), (222, score.top), label=_shape(S, C))
    canvas.arrow((24, target.bottom), (24, join.y), (join.left, join.y))
    canvas.arrow((328, source.bottom), (328, context.y), (context.right, context.y))
    return canvas.finish()


def unet(preset: str = "unet", size: Size = 256, **changes: Any) -> Diagram:
    """An encoder's maps, and the decoder that joins all of them. Args and errors: as above."""
    network, seen = _tried(preset, size, changes)
    decoder, head, config = network.decoder, network.head, network.config.flat()
    if not isinstance(decoder, UNetDecoder) or network.fusion or network.attention:
        raise ColorlibError(f"{preset!r} as it is set is not a U-Net without prior and attention")
    canvas, left, right = Canvas("U-Net"), 82, 270
    high = LINE * (4 if config["heads"] else 3) + 12
    pitch = high + 30

    def box(x: float, y: float, kind: str, *lines: str) -> Box:
        canvas.say("\n".join(lines))
        return canvas.box(x, y, 156, "\n".join(lines), kind, high if len(lines) > 1 else 0)

    def title(x: float, part: str, name: str) -> None:
        canvas.text(x, 18, part, "middle", bold=True)
        canvas.text(x, 18 + LINE, name, "middle")
        canvas.say(part, name)

    title(left, "encoder", config["backbone"] if config["encoder"] == "timm" else config["encoder"])
    L = box(left, 66, "given", f"L: {_map(seen[''].inputs[0])}")
    maps: list[Box] = []
    for stride, found in zip(network.encoder.strides, seen["encoder"].output, strict=True):
        y = L.bottom + (len(maps) + 2) * pitch - high / 2
        maps.append(box(left, y, "learned", f"stride {stride}", _map(found)))
    for above, below in pairwise((L, *maps)):
        canvas.arrow((left, above.bottom), (left, below.top))
    title(right, "decoder, head", f"{config['decoder']}, {config['head']}")
    *finer, coarsest = maps
    way: tuple[Point, ...] = ((coarsest.right, coarsest.y), (right, coarsest.y))
    for skip, (name, join) in zip(finer[::-1], decoder.joins.named_children(), strict=True):
        (given,), made = seen[f"decoder.joins.{name}"]
        convolutions = sum(isinstance(layer, nn.Sequential) for layer in join.children())
        lines = [f"join: {given[1]} channels", f"{convolutions} convolutions"]
        if _has(join, SelfAttention):
            lines.append(f"attention, {config['heads']} heads")
        joined = box(right, skip.y, "learned", *lines, _map(made))
        canvas.arrow((skip.right, skip.y), (joined.left, skip.y))
        canvas.arrow(*way, (right, joined.bottom), label="enlarge")
        way = ((right, joined.top),)
    quantized = isinstance(head, QuantizedHead)
    z = seen["head"].output
    last = box(right, maps[0].y - pitch, "learned",
               f"head: {z[1]} {'cells' if quantized else 'channels'}", _map(z),
               "annealed mean" if quantized else config["output"])
    ab = box(right, 66, "predicted", f"ab: {_map(seen[''].output)}")
    canvas.arrow(*way, (right, last.bottom))
    canvas.arrow((right, last.top), (right, ab.bottom), label="enlarge")
    return canvas.finish()


class Passed(NamedTuple):
    """Shapes of what a module was given and of what it returned; of several maps, a list."""

    inputs: Any
    output: Any


def _tried(preset: str, size: Size, changes: dict[str, Any]) -> tuple[Colorizer, dict[str, Passed]]:
    """A network, and what passed through each of its modules, by their names."""
    with torch.random.fork_rng(devices=()):  # leaves a notebook its random numbers
        # Shapes need no trained weights.
        network = Colorizer(configure(preset, **changes), initialise=False).eval()
    seen: dict[str, Passed] = {}

    def watch(name: str, module: nn.Module) -> None:
        module.register_forward_hook(
            lambda _, given, output: seen.update({name: Passed(_shapes(given), _shapes(output))})
        )

    for name, module in network.named_modules():
        watch(name, module)
    H, W = (size, size) if isinstance(size, int) else size
    with torch.no_grad():
        network(network.example(1, H, W))
    return network, seen


def _shapes(value: Any) -> Any:
    if isinstance(value, Tensor):
        return tuple(value.shape)
    if isinstance(value, tuple) and isinstance(value[0], Inputs):
        value = list(value[0].tensors().values())
    return value and [_shapes(x) for x in value]


def _shape(*sizes: int) -> str:
    return f" {TIMES} ".join(map(str, sizes))


def _map(shape: tuple[int, ...]) -> str:
    """Of one photograph, without B."""
    return _shape(*shape[1:])


def _prepared(seen: dict[str, Passed]) -> list[tuple[str, str, Any]]:
    """What is done to L before an encoder is given it, if anything: name, kind, shape."""
    L, given = seen[""].inputs[0], seen["encoder"].inputs[0]
    done = ["join x and y"] * (L[1] != given[1]) + ["pad"] * (L[2:] != given[2:])
    return [(", ".join(done), "no weights", given)] if done else []


def _has(module: nn.Module, kind: type[nn.Module]) -> bool:
    return any(isinstance(layer, kind) for layer in module.modules())


def _layer(layer: nn.Module) -> tuple[str, str]:
    """What a layer of the paper's is called, and its kind."""
    if isinstance(layer, nn.Upsample):
        return "enlarge", "no weights"
    label = "conv, BN" if _has(layer, nn.BatchNorm2d) else "conv"
    for part in layer.modules():
        if isinstance(part, nn.Conv2d) and part.stride[0] > 1:
            label += f", stride {part.stride[0]}"
        elif isinstance(part, nn.MaxPool2d):
            label += f", pool {part.kernel_size}"
    return label, "learned"
