"""Operators that are known and not represented: why, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.assembly.workspace import Kinds


class TrainingModeError(UnsupportedError):
    """A node that computes what training computes."""


class UnpoolSizeError(UnsupportedError):
    """Places of an unpooling that count through another size than its output's."""


class NoisyScaleError(UnsupportedError):
    """A scale whose sizes no formula says, because it is not quite the one that is meant."""


class OutsideCountedError(UnsupportedError):
    """Antialiasing that counts pixels outside of the input."""


KINDS: Final[Kinds] = (
    (TrainingModeError, "training-mode"),
    (UnpoolSizeError, "unpool-size"),
    (NoisyScaleError, "noisy-scale"),
    (OutsideCountedError, "antialias-outside"),
)
"""What of these errors has a rule of its own."""

COPIED: Final = "checks go on around it, and convert copies its node as it is"
"""What becomes of a node that is not understood, and has no better remedy."""

_CONTROL: Final = (
    "control flow that is decided when the model runs",
    "export it traced, or fold it; convert copies its node as it is",
)
_RECURRENT: Final = ("a recurrent layer", "")
_QUANTISED: Final = ("a quantised operator", "give the model before it was quantised")
_DATA: Final = ("its output's size depends on the values of its input", "")
_SEQUENCE: Final = ("works on sequences of tensors", "")
_RANDOM: Final = ("makes random numbers", "export it for inference")

REFUSED: Final[Mapping[str, tuple[str, str]]] = {
    **dict.fromkeys(("If", "Loop", "Scan"), _CONTROL),
    **dict.fromkeys(("RNN", "LSTM", "GRU"), _RECURRENT),
    **dict.fromkeys(
        (
            *("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv"),
            *("QLinearMatMul", "ConvInteger", "MatMulInteger"),
        ),
        _QUANTISED,
    ),
    **dict.fromkeys(("NonZero", "Unique", "Compress", "NonMaxSuppression"), _DATA),
    **dict.fromkeys(
        ("SequenceConstruct", "SequenceAt", "SplitToSequence", "ConcatFromSequence"), _SEQUENCE
    ),
    **dict.fromkeys(
        ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike"), _RANDOM
    ),
    "GatherND": ("values picked by tuples of numbers (GatherND)", ""),
}


def refusal(op: str, opset: int) -> tuple[str, str]:
    """(why an operator is not understood, what to do)."""
    return REFUSED.get(op, (f"unknown operator '{op}' of opset {opset}", ""))
