"""Nets that are right, broken one way at a time, and which rules ought to notice.

A mutant that no rule notices must be equivalent: the float64 reference gives the original's
outputs, shape by shape and value by value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from numpy.typing import NDArray

from fixtures.make_caffemodel import write_caffemodel
from tests.support import ROOT
from upconv.converters.ir.alignment import AxisMap
from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Model
from upconv.converters.ir.operators import ConvTranspose
from upconv.converters.ir.origin import Source
from upconv.converters.ir.weight_shapes import expected_weights
from upconv.converters.passes.fill import fill_missing
from upconv.converters.readers.caffe.reader import read_caffe_source
from upconv.converters.readers.files.prototxt import Message, parse
from upconv.converters.readers.options import ReadOptions
from upconv.converters.reference.run import run_model
from upconv.linter.context import Context
from upconv.linter.finding import Finding
from upconv.linter.running.engine import CheckOptions, check_source

Array = NDArray[np.float32]

FIXTURES = ROOT / "fixtures"
NETS = ("bilinear", "unet", "fcn8s")
NEAREST_BLOBS = {"bilinear": 9, "unet": 9, "fcn8s": 4}
"""A bottom is replaced by each of so many blobs before it."""

_WEIGHTS = {"UP001"}  # "blob 0 of the weights file has the shape ..."
_SIZES = {"UP101", "UP103", "UP104", "UP114", "UP116", "UP117"}
_PLACES = {"UP105", "UP106", "UP116"}

EXPECTED: dict[tuple[str, str], frozenset[str]] = {
    key: frozenset(codes)
    for key, codes in {
        ("kernel", "bilinear"): {"UP201"},
        ("pad", "bilinear"): {"UP202"},
        ("stride", "bilinear"): {"UP201"},
        ("pad", "cropped bilinear"): {"UP105", "UP202"},
        ("kernel", "cropped bilinear"): {"UP105", "UP201"},  # 2f-1 is bilinear too, elsewhere
        ("group", "bilinear"): {"UP203", "UP114"},
        ("num_output", "bilinear"): _WEIGHTS | {"UP103", "UP114", "UP204"},
        ("bias", "bilinear"): {"UP205"},
        ("lr_mult", "bilinear"): {"UP206"},
        ("no filler", "bilinear"): {"UP208"},
        ("constant filler", "bilinear"): {"UP212"},
        ("random filler", "bilinear"): {"UP218"},
        ("kernel", "learned"): _WEIGHTS,
        ("pad", "learned"): _SIZES,
        ("stride", "learned"): _SIZES | {"UP107", "UP108"},
        ("num_output", "learned"): _WEIGHTS | {"UP114"},
        ("bias", "learned"): _WEIGHTS,
        ("lr_mult", "learned"): {"UP218"},
        ("no filler", "learned"): {"UP209"},
        ("constant filler", "learned"): {"UP212"},
        ("kernel", "Convolution"): _WEIGHTS,
        ("pad", "Convolution"): _SIZES | _PLACES,
        ("stride", "Convolution"): _SIZES | _PLACES,
        ("num_output", "Convolution"): _WEIGHTS,
        ("bias", "Convolution"): _WEIGHTS,
        ("kernel", "Pooling"): _SIZES | _PLACES,
        ("pad", "Pooling"): _SIZES | _PLACES,
        ("stride", "Pooling"): _SIZES | _PLACES,
        ("rounding", "Pooling"): {"UP103", "UP117"},
        ("offset", "Crop"): {"UP104", "UP105"},
    }.items()
}
_ANY_BOTTOM = frozenset(
    {"UP004", "UP010", "UP011", "UP106", "UP115", *_WEIGHTS, *_SIZES, *_PLACES, "UP204"}
)
_LOSS = """layer {
  name: "loss"
  type: "SoftmaxWithLoss"
  bottom: "score"
  bottom: "label"
  include { phase: TRAIN }
}
"""
TRAINED = frozenset({"lr_mult", "no filler", "random filler", "constant filler"})
"""Mutations of how a layer starts and learns; they are checked without weights."""


@dataclass(frozen=True)
class Mutant:
    """One change of one layer of a net, and the codes of which one must notice it."""

    net: str
    kind: str
    family: str
    layer: str
    text: str
    change: str

    @property
    def expected(self) -> frozenset[str]:
        """The codes of the rules that are meant for it."""
        if self.kind == "bottom":
            return _ANY_BOTTOM
        family = self.family
        if (self.kind, family) not in EXPECTED:
            family = family.removeprefix("cropped ")
        return EXPECTED[self.kind, family]

    @property
    def id(self) -> str:
        return f"{self.net}-{self.layer}-{self.change}".replace(" ", "_")


@cache
def net_text(net: str) -> str:
    """A correct net; FCN-8s gets the fillers of the interpolation convention."""
    if net != "fcn8s":
        return (FIXTURES / "mutations" / f"{net}.prototxt").read_text("utf-8")
    text = (FIXTURES / "fcn8s" / "fcn8s.prototxt").read_text("utf-8")
    dense = "num_output: 21 kernel_size: (.*) bias_term: false"
    filled = (
        r"num_output: 21 group: 21 kernel_size: \1 bias_term: false"
        ' weight_filler { type: "bilinear" }'
    )
    return re.sub(dense, filled, text) + _LOSS


def mutants(net: str) -> Iterator[Mutant]:
    """Every mutant of a net."""
    text = net_text(net)
    blobs: list[str] = []
    for block in parse(Source(net, text)).root.messages("layer"):
        family = _family(net, block)
        for kind, change, old, new in _changes(block, family, blobs[-NEAREST_BLOBS[net] :]):
            assert old in block.span.text, (net, old)
            body = block.span.text.replace(old, new, 1)
            mutated = text[: block.start] + body + text[block.end :]
            yield Mutant(net, kind, family, block.str("name", ""), mutated, change)
        blobs += [top for top in block.strs("top") if top not in blobs]


def _family(net: str, block: Message) -> str:
    kind = block.str("type", "")
    if kind != "Deconvolution":
        return kind
    if "bilinear" not in block.span.text:
        return "learned"
    return "cropped bilinear" if net == "fcn8s" else "bilinear"


_Change = tuple[str, str, str, str]
"""(kind, what is changed, the text that goes, the text that comes)."""


def _changes(block: Message, family: str, blobs: list[str]) -> Iterator[_Change]:
    text = block.span.text
    yield from _numbers(text)
    yield from _words(text, family)
    yield from _training(text, family)
    for bottom in dict.fromkeys(block.strs("bottom")):
        for other in blobs:
            if other != bottom and family != "SoftmaxWithLoss" and other not in block.strs("top"):
                change = f"bottom {bottom} to {other}"
                yield "bottom", change, f'bottom: "{bottom}"', f'bottom: "{other}"'


_FIELDS = {
    "kernel": ("kernel_size", (-1, 1)),
    "pad": ("pad", (-1, 1)),
    "stride": ("stride", (-1, 1)),
    "num_output": ("num_output", (-1, 1)),
    "offset": ("offset", (-1, 1)),
}


def _numbers(text: str) -> Iterator[_Change]:
    for kind, (field, steps) in _FIELDS.items():
        written = re.search(rf"\b{field}: (\d+)", text)
        for step in steps:
            value = int(written[1]) + step if written else -1
            if written and value >= (field not in ("pad", "offset")):
                yield kind, f"{field} {written[1]} to {value}", written[0], f"{field}: {value}"
    size = re.search(r"kernel_size: \d+", text)
    for kind, field, value in (("pad", "pad", 1), ("stride", "stride", 2)):
        if size and not re.search(rf"\b{field}:", text):
            yield kind, f"{field} to {value}", size[0], f"{size[0]} {field}: {value}"


def _words(text: str, family: str) -> Iterator[_Change]:
    group = re.search(r" group: (\d+)", text)
    if group:
        yield "group", "without group", group[0], ""
    size = re.search(r"kernel_size: \d+", text)
    if "bias_term: false" in text:
        yield "bias", "with bias", "bias_term: false", ""
    elif size and family != "Pooling":
        yield "bias", "without bias", size[0], f"{size[0]} bias_term: false"
    if family == "Pooling":
        yield "rounding", "round down", "pool: MAX", "pool: MAX round_mode: FLOOR"


def _training(text: str, family: str) -> Iterator[_Change]:
    rate, filler = re.search(r"lr_mult: (\d)", text), re.search(r"weight_filler {[^}]*}", text)
    if rate is None or filler is None:
        return
    other = 1 - int(rate[1])
    yield "lr_mult", f"lr_mult {rate[1]} to {other}", rate[0], f"lr_mult: {other}"
    yield "no filler", "without filler", filler[0], ""
    if family != "learned":
        constant = 'weight_filler { type: "constant" value: 1 }'
        yield "constant filler", "constant filler", filler[0], constant
        random = 'weight_filler { type: "xavier" }'
        yield "random filler", "random filler", filler[0], random


@cache
def weights_path(net: str) -> str:
    """A caffemodel with noise for what learns; bilinear layers stay with their fillers."""
    model = read_caffe_source(Source(net, net_text(net)), ReadOptions())
    path = Path(mkdtemp(prefix="mutants-")) / f"{net}.caffemodel"
    write_caffemodel(path, net, list(_noise(model)))
    return str(path)


def _noise(model: Model) -> Iterator[tuple[str, str, list[tuple[tuple[int, ...], Array]]]]:
    shapes = infer(model).shapes
    for index, layer in enumerate(model.layers):
        frozen = isinstance(layer.operator, ConvTranspose) and layer.operator.groups > 1
        if not layer.weights or frozen:
            continue
        x = shapes[layer.inputs[0]]
        assert x is not None
        rng = np.random.default_rng(index)
        expected = expected_weights(layer, x)
        sizes = [tuple(int(str(size)) for size in expected[name]) for name in layer.weights]
        blobs = [(s, rng.standard_normal(s, np.float32) * np.float32(0.2)) for s in sizes]
        yield layer.name, layer.origin.type, blobs


def findings(net: str, text: str, *, weights: bool) -> tuple[Finding, ...]:
    """What a check of the text says."""
    options = ReadOptions(weights=weights_path(net) if weights else "")
    return check_source(Source(net, text), CheckOptions(options)).findings


@cache
def _known(net: str, weights: bool) -> frozenset[tuple[str, str, str]]:
    return frozenset(map(_key, findings(net, net_text(net), weights=weights)))


def _key(finding: Finding) -> tuple[str, str, str]:
    return finding.code, finding.layer, finding.message


def noticed(mutant: Mutant) -> list[str]:
    """The codes of what is found in the mutant and not in the original."""
    weights = mutant.kind not in TRAINED
    found = findings(mutant.net, mutant.text, weights=weights)
    known = _known(mutant.net, weights)
    return sorted({finding.code for finding in found if _key(finding) not in known})


@cache
def _outputs(net: str, text: str) -> dict[str, object]:
    options = ReadOptions(weights=weights_path(net))
    model = fill_missing(read_caffe_source(Source(net, text), options), ("bilinear", "constant"))
    shape = tuple(int(str(size)) for size in model.inputs[0].shape or ())
    feeds = {model.inputs[0].name: np.random.default_rng(1).standard_normal(shape)}
    return dict(run_model(model, feeds, keep=model.outputs))


def is_equivalent(mutant: Mutant) -> bool:
    """Whether the reference computes the same from the mutant as from the original."""
    if mutant.kind in TRAINED:
        return False
    original = _outputs(mutant.net, net_text(mutant.net))
    try:
        changed = _outputs(mutant.net, mutant.text)
    except UpconvError:
        return False
    return original.keys() == changed.keys() and all(
        np.array_equal(np.asarray(original[name]), np.asarray(changed[name])) for name in original
    )


def is_another_net(mutant: Mutant) -> bool:
    """Whether a rewired layer makes a net that is as sound as the original: the new blob has the
    old one's shape and place, and every blob is still read. No rule can know which was meant."""
    if mutant.kind != "bottom":
        return False
    words = mutant.change.split()
    context = context_of(mutant.net, mutant.text)
    old, new = (context.inference.shapes.get(words[at]) for at in (1, 3))
    joined = context.coordinates.relative(words[1], words[3])
    aligned = joined is not None and all(one == AxisMap() for one in joined)
    return old == new and aligned and len(context.net.outputs) == 1


def context_of(net: str, text: str) -> Context:
    source = Source(net, text)
    return Context(net, source, read_caffe_source(source, ReadOptions()))
