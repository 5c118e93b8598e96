"""What a verification says: certificates of layers and outputs, and the whole verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Verdict = Literal["pass", "fail", "incomplete"]

FLOAT32_MAX = float(np.finfo(np.float32).max)

RANKS: dict[Verdict, int] = {"pass": 0, "incomplete": 1, "fail": 2}


@dataclass(frozen=True, slots=True)
class LayerCertificate:
    """The worst element of a layer over all runs; ratio is error over bound, None if infinite."""

    layer: str
    operator: str
    form: str
    kind: str
    max_abs_error: float | None
    bound: float | None
    ratio: float | None
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, slots=True)
class OutputCertificate:
    """The worst element of a graph output over all end-to-end runs.

    Of an output that holds indices, error and tolerance are those of the values they point at.
    """

    name: str
    shape: tuple[int, ...]
    max_abs_error: float | None
    tolerance: float
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verification:
    """What was proven of an ONNX file, layer by layer and whole."""

    model: str
    onnx: str
    opset: int
    layers: tuple[LayerCertificate, ...]
    outputs: tuple[OutputCertificate, ...]
    reasons: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        verdicts: list[Verdict] = [one.verdict for one in self.layers]
        verdicts += [one.verdict for one in self.outputs]
        verdicts += ["incomplete"] * bool(self.reasons)
        return max(verdicts, key=RANKS.__getitem__, default="incomplete")


def worse_layer(left: LayerCertificate, right: LayerCertificate) -> LayerCertificate:
    """The one with the worse verdict, or else the larger ratio."""

    def rank(one: LayerCertificate) -> tuple[int, float]:
        return RANKS[one.verdict], float("inf") if one.ratio is None else one.ratio

    return max(left, right, key=rank)


def worse_output(left: OutputCertificate, right: OutputCertificate) -> OutputCertificate:
    """The one with the worse verdict, or else the larger part of its tolerance."""

    def rank(one: OutputCertificate) -> tuple[int, float]:
        error = float("inf") if one.max_abs_error is None else one.max_abs_error
        return RANKS[one.verdict], error / (one.tolerance or 1.0)

    return max(left, right, key=rank)


def worst_element(
    want: Array, got: Array, bound: Array
) -> tuple[float | None, float | None, float | None]:
    """(error, bound, ratio) of the element where error/bound is largest.

    Equal values, NaN beside NaN and equal infinities among them, have error 0, and so has an
    infinity where `want` is beyond float32's range; a ratio is None where error or bound is not
    finite or a bound of 0 is exceeded.
    """
    if not want.size:
        return 0.0, 0.0, 0.0
    equal = (want == got) | (np.isnan(want) & np.isnan(got))
    equal |= np.isinf(got) & (np.abs(want) > FLOAT32_MAX) & (np.sign(want) == np.sign(got))
    with np.errstate(all="ignore"):
        error = np.where(equal, 0.0, np.abs(want - got))
        ratio = np.where(equal, 0.0, error / bound)
    ratio = np.where(np.isnan(ratio), np.inf, ratio)
    at = int(np.argmax(ratio))
    values = (error.flat[at], np.broadcast_to(bound, want.shape).flat[at], ratio.flat[at])
    first, second, third = (float(v) if np.isfinite(v) else None for v in values)
    return first, second, third


def as_json(verification: Verification) -> dict[str, Any]:
    """The report's JSON object, schema_version 1."""
    return {
        "schema_version": 1,
        "model": verification.model,
        "onnx": verification.onnx,
        "opset": verification.opset,
        "verdict": verification.verdict,
        "reasons": list(verification.reasons),
        "layers": [_record(one) for one in verification.layers],
        "outputs": [_record(one) for one in verification.outputs],
    }


def _record(certificate: LayerCertificate | OutputCertificate) -> dict[str, Any]:
    fields = type(certificate).__dataclass_fields__
    record = {name: getattr(certificate, name) for name in fields}
    return {name: value for name, value in record.items() if name != "reason" or value}
