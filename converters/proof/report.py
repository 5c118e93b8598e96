"""What a verification says: certificates of layers and outputs, and the whole verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir.operators import UPSAMPLING
from upconv.converters.onnx_writer.options import COPIED
from upconv.converters.proof.plan import Extent

Array = NDArray[np.float64]
Verdict = Literal["pass", "fail", "incomplete"]
Judge = Literal["reference", "layers"]
"""What an output of the whole file was compared with: the reference of the whole network, or what
the run computed whose layers are certified one by one."""

FLOAT32_MAX = float(np.finfo(np.float32).max)

TELLING: Final = 1e4
"""How many tolerances a proven bound of an output may be to be told: beyond it is as large as the
output itself. A report has it all the same."""

PIECE: Final = 1 << 16
"""Elements compared at a time: they stay in the processor's cache."""

MOST_LEFT: Final = 10
"""Layers that could not be compared, which a summary names."""

RANKS: dict[Verdict, int] = {"pass": 0, "incomplete": 1, "fail": 2}


@dataclass(frozen=True, slots=True)
class LayerCertificate:
    """The worst element of a layer over all runs; ratio is error over bound, None if infinite.

    `share` is how much of its `elements`, the values of its first output, was compared.
    """

    layer: str
    operator: str
    form: str
    kind: str
    max_abs_error: float | None
    bound: float | None
    ratio: float | None
    verdict: Verdict
    reason: str = ""
    elements: int = 0
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class OutputCertificate:
    """The worst element of a graph output over all end-to-end runs.

    Of an output that holds indices, error and tolerance are those of the values they point at.
    `bound` is what rounding can move it by at most, where that is known (`propagated`).
    """

    name: str
    shape: tuple[int, ...]
    max_abs_error: float | None
    tolerance: float
    verdict: Verdict
    reason: str = ""
    against: Judge = "reference"
    bound: float | None = None


@dataclass(frozen=True, slots=True)
class SourceFramework:
    """The framework that computed what the outputs were compared with."""

    framework: str
    version: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was proven of an ONNX file, layer by layer and whole.

    Where `source` ran, it is what the outputs were compared with, and there are no layers.
    """

    model: str
    onnx: str
    opset: int
    layers: tuple[LayerCertificate, ...]
    outputs: tuple[OutputCertificate, ...]
    reasons: tuple[str, ...] = ()
    source: SourceFramework | None = None
    extent: Extent = "full"
    seed: int = 0

    @property
    def values(self) -> int:
        """How many values the layers have, that were compared or might have been."""
        return sum(one.elements for one in self.layers)

    @property
    def compared(self) -> float:
        """The share of the layers' values that were compared."""
        return self._share(lambda one: True)

    @property
    def under_theorem(self) -> float:
        """The share that was compared and is exact, or within a bound that is proven."""
        return self._share(lambda one: one.kind in ("exact", "bound"))

    def _share(self, counted: Callable[[LayerCertificate], bool]) -> float:
        found = sum(one.elements * one.share for one in self.layers if counted(one))
        return found / self.values if self.values else 0.0

    @property
    def verdict(self) -> Verdict:
        verdicts: list[Verdict] = [one.verdict for one in self.layers]
        verdicts += [one.verdict for one in self.outputs]
        verdicts += ["incomplete"] * bool(self.reasons)
        return max(verdicts, key=RANKS.__getitem__, default="incomplete")

    def __str__(self) -> str:
        return summary(self)


def worse_layer(left: LayerCertificate, right: LayerCertificate) -> LayerCertificate:
    """The one with the worse verdict, or else the larger ratio."""

    def rank(one: LayerCertificate) -> tuple[int, float]:
        return RANKS[one.verdict], float("inf") if one.ratio is None else one.ratio

    return max(left, right, key=rank)


def worse_output(left: OutputCertificate, right: OutputCertificate) -> OutputCertificate:
    """The one with the worse verdict, or else the larger part of its tolerance; of right ones, with
    the shape of the first."""

    def rank(one: OutputCertificate) -> tuple[int, float]:
        error = float("inf") if one.max_abs_error is None else one.max_abs_error
        return RANKS[one.verdict], error / (one.tolerance or 1.0)

    worst = max(left, right, key=rank)
    return replace(worst, shape=left.shape) if worst.verdict == "pass" else worst


def worst_element(
    want: Array, got: NDArray[Any], bound: Array
) -> tuple[float | None, float | None, float | None]:
    """(error, bound, ratio) of the element where error/bound is largest; `bound` is broadcast.

    Equal values, NaN beside NaN and equal infinities among them, have error 0, and so has an
    infinity where `want` is beyond float32's range. A ratio is None where error or bound is not
    finite or a bound of 0 is exceeded. Of values that differ, a bound that is not finite counts
    as just reached, so that it is reported unless another one is exceeded.
    """
    if not want.size:
        return 0.0, 0.0, 0.0
    first = float(np.broadcast_to(bound, want.shape).flat[0])
    worst = (0.0, first if np.isfinite(first) else 0.0, 0.0)
    for parts in _pieces(want, got, bound):
        if not np.array_equal(parts[0], parts[1]):
            worst = max(worst, _worst_of(*parts), key=lambda found: found[2])
    error, limit, ratio = (value if np.isfinite(value) else None for value in worst)
    return error, limit, None if limit is None else ratio


def _pieces(*arrays: NDArray[Any]) -> Iterator[tuple[Array, Array, Array]]:
    """Flat float64 pieces of arrays of one shape, so that large ones need no large copies."""
    wide = [np.dtype(np.float64)] * len(arrays)
    flags: Any = ("external_loop", "buffered")
    with np.nditer(arrays, flags, op_dtypes=wide, order="C", buffersize=PIECE) as pieces:
        yield from pieces


def _worst_of(want: Array, got: Array, bound: Array) -> tuple[float, float, float]:
    equal = (want == got) | (np.isnan(want) & np.isnan(got))
    equal |= np.isinf(got) & (np.abs(want) > FLOAT32_MAX) & (np.sign(want) == np.sign(got))
    with np.errstate(all="ignore"):
        error = np.where(equal, 0.0, np.abs(want - got))
        ratio = np.where(equal, 0.0, error / bound)
    ratio[np.isnan(ratio)] = np.inf
    ratio[~np.isfinite(bound) & ~equal] = 1.0
    at = int(np.argmax(ratio))
    return float(error[at]), float(bound[at]), float(ratio[at])


def as_json(verification: Verification) -> dict[str, Any]:
    """The report's JSON object, schema_version 1."""
    return {
        "schema_version": 1,
        "model": verification.model,
        "onnx": verification.onnx,
        "opset": verification.opset,
        "verdict": verification.verdict,
        "proof": verification.extent,
        "compared": verification.compared,
        "under_theorem": verification.under_theorem,
        "reasons": list(verification.reasons),
        "source": _source(verification.source),
        "layers": [_record(one) for one in verification.layers],
        "outputs": [_record(one) for one in verification.outputs],
    }


def _source(source: SourceFramework | None) -> dict[str, str] | None:
    return None if source is None else {"framework": source.framework, "version": source.version}


def _record(certificate: LayerCertificate | OutputCertificate) -> dict[str, Any]:
    fields = type(certificate).__dataclass_fields__
    fields_left = _LEFT_OUT[type(certificate)]
    record = {name: getattr(certificate, name) for name in fields}
    return {
        name: value
        for name, value in record.items()
        if name not in fields_left or value not in ("", None)
    }


_LEFT_OUT: Final = {LayerCertificate: {"reason"}, OutputCertificate: {"reason", "bound"}}
"""Fields that a record has only where they say something."""


def summary(verification: Verification, besides: str = "") -> str:
    """The verdict in a few lines, with what else is to be said on its own: upsampling layers one by
    one, the rest counted, outputs."""
    shown = [
        one for one in verification.layers if one.operator in _UPSAMPLING or one.verdict != "pass"
    ]
    others = [one for one in verification.layers if one not in shown]
    lines = [f"{verification.onnx}: {verification.verdict}{besides}, opset {verification.opset}"]
    if verification.source is not None:
        source = verification.source
        lines.append(f"  against {source.framework} {source.version}")
    lines += [_layer_line(one) for one in _few(shown)]
    left = len(shown) - len(_few(shown))
    if left:
        lines.append(f"  incomplete {left} more (--format json or --report lists them)")
    if others:
        worst = max((one.ratio or 0.0 for one in others), default=0.0)
        pass_ = "other layer passes, at" if len(others) == 1 else "other layers pass, at"
        copied = sum(one.form == COPIED for one in others)
        told = f", {copied} of them copied from the source" if copied else ""
        lines.append(f"  {len(others)} {pass_} most {worst:.2f} of their bounds{told}")
    if verification.values:
        lines.append(_coverage_line(verification))
    lines += [_output_line(one) for one in verification.outputs]
    lines += [f"  incomplete: {reason}" for reason in verification.reasons]
    return "\n".join(lines)


def _few(shown: Sequence[LayerCertificate]) -> list[LayerCertificate]:
    """What is shown, but of many layers that could not be compared the first ones, what stands
    behind others last."""
    left = [one for one in shown if one.verdict == "incomplete"]
    left.sort(key=lambda one: one.operator != "Unknown" or " behind '" in one.reason)
    named = {one.layer for one in left[:MOST_LEFT]}
    return [one for one in shown if one.verdict != "incomplete" or one.layer in named]


def _coverage_line(verification: Verification) -> str:
    """How much was compared, and how much of that is proven and not only within a tolerance."""
    compared, proven = verification.compared, verification.under_theorem
    sample = f", a sample of seed {verification.seed}" if verification.extent == "sampled" else ""
    return (
        f"  {_percent(compared)} of {verification.values:,} values compared{sample}; "
        f"{_percent(proven)} exact or under the theorem"
    )


def _percent(share: float) -> str:
    """Never rounded up to all.

    >>> _percent(1.0), _percent(0.99999), _percent(0.0333)
    ('100 %', '99.9 %', '3.3 %')
    """
    return "100 %" if share >= 1 else f"{int(share * 1000) / 10} %"


def _layer_line(one: LayerCertificate) -> str:
    form = f" ({one.form})" if one.form not in ("", one.operator) else ""
    head = f"  {one.verdict:4} {one.layer} {one.operator}{form}"
    if one.reason:
        return f"{head}: {one.reason}"
    return f"{head}: error {_number(one.max_abs_error)}, {one.kind} {_number(one.bound)}"


def _output_line(one: OutputCertificate) -> str:
    shape = "x".join(map(str, one.shape))
    head = f"  {one.verdict:4} output {one.name} {shape}"
    if one.reason:
        return f"{head}: {one.reason}"
    says_much = one.bound is not None and one.bound <= TELLING * one.tolerance
    bound = f", proven bound {one.bound:.3g}" if says_much else ""
    error = f"{head}: end-to-end error {_number(one.max_abs_error)}"
    return f"{error}, tolerance {one.tolerance:.3g}{bound}"


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.3g}"


_UPSAMPLING: Final = frozenset(operator.__name__ for operator in UPSAMPLING)
