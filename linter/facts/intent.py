"""What a transposed convolution is for: interpolation, learned upsampling, or undecidable.

Most transposed convolutions of real nets are learned and break the interpolation convention by
design, so a rule about that convention first asks here, and says in its message what was assumed
and why.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.origin import Source
from upconv.converters.ir.patterns import pattern
from upconv.converters.ir.records import record
from upconv.converters.ir.tensors import Filler, Weight
from upconv.linter.facts import words
from upconv.linter.facts.stored import Stored, stored_kernel

Kind: TypeAlias = Literal["interpolation", "learned", "undecidable"]

RANDOM_FILLERS: Final = frozenset({"xavier", "gaussian", "msra", "uniform", "positive_unitball"})
"""Fillers of weights that are meant to be learned (Caffe filler.hpp)."""

_RANDOM_START: Final = {
    "pytorch": "PyTorch starts its weights at random",
    "keras": "Keras starts its weights at random",
    "tensorflow": "its filter is a variable",
    "mxnet": "MXNet starts its weights at random",
}
"""Framework -> why a layer whose weights are not there is taken for a learned one."""

_LOSS_WORDS: Final = ("Loss", "_LOSS")
"""Looked for first, which takes no time."""

_LOSS: Final = pattern(r"""\btype\s*:\s*["']?(\w*Loss\w*|\w*_LOSS)\b""")


@record(frozen=True, slots=True)
class Intent:
    """What a layer is taken for, and the evidence in words that follow "because"."""

    kind: Kind
    reason: str

    @property
    def assumed(self) -> str:
        """How messages say it."""
        return f"{_ASSUMED[self.kind]}: {self.reason}"


_ASSUMED: Final[dict[Kind, str]] = {
    "interpolation": "taken for interpolation",
    "learned": "taken for learned upsampling",
    "undecidable": "interpolation or learned, the file does not say",
}


@record(frozen=True, slots=True)
class Training:
    """Whether a file describes a net that trains, and how that is seen."""

    trains: bool
    reason: str


def training_of(model: Model, source: Source | None) -> Training:
    """A net trains where it has a loss layer; a deploy net has none.

    Readers drop losses, so the words of the file decide: `type: "SoftmaxWithLoss"` and its like.
    """
    if model.phase == "TRAIN":
        return Training(True, "it is checked in phase TRAIN")
    text = source.text if source is not None else ""
    loss = _LOSS.search(text) if any(word in text for word in _LOSS_WORDS) else None
    if loss:
        return Training(True, f"it has a {loss[1]} layer")
    return Training(False, "it has no loss layer")


def intent_of(layer: Layer, training: Training) -> Intent:
    """Judge a layer by its stored weights, its filler and its lr_mult, in this order.

    Stored weights are the strongest evidence: they are what will run.
    """
    weight = layer.weights.get("weight", Weight(None))
    filler = words.filler_of(layer)
    rate, _, _ = words.multipliers(layer, 0)
    if weight.present:
        return _from_weights(stored_kernel(layer), filler, rate)
    if filler.type == "bilinear":
        return Intent("interpolation", "its weight_filler is bilinear")
    if layer.origin.framework in _RANDOM_START:
        return Intent("learned", _RANDOM_START[layer.origin.framework])
    if filler.type in RANDOM_FILLERS:
        return Intent("learned", f"its weight_filler is {filler.type}")
    return _from_rate(filler, rate, training)


def _from_weights(stored: Stored, filler: Filler, rate: float) -> Intent:
    if stored.bilinear:
        return Intent("interpolation", "its stored weights are the bilinear kernel")
    if filler.type == "bilinear" and rate == 0:
        return Intent("interpolation", "its weight_filler is bilinear and its lr_mult 0")
    if stored.zero:
        return Intent("undecidable", "its stored weights are all zero")
    if filler.type == "constant" and filler.declared and rate == 0:
        return Intent("undecidable", f"its weight_filler is the constant {filler.value:g}")
    return Intent("learned", "its stored weights are no bilinear kernel")


def _from_rate(filler: Filler, rate: float, training: Training) -> Intent:
    if filler.declared and filler.value:
        return Intent("undecidable", f"its weight_filler is the constant {filler.value:g}")
    if rate == 0:
        return Intent("interpolation", "its lr_mult is 0, so its weights are never learned")
    if training.trains:
        return Intent("learned", f"its lr_mult is {rate:g}")
    return Intent("undecidable", "it has no weight_filler, and " + training.reason)
