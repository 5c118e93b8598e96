"""One layer's values beside its reference: in blocks where its sums can be had so, else whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import ShapeError
from upconv.converters.ir.model import Layer
from upconv.converters.proof.certificates import EXACT, Allowance, allowance, carried
from upconv.converters.proof.choices import index_outputs, left_open
from upconv.converters.proof.plan import FULL, Chooser, Plan
from upconv.converters.proof.report import LayerCertificate, Verdict, worse_layer, worst_element
from upconv.converters.reference import run_layer, widened
from upconv.converters.reference.bounded_blocks import (
    Near,
    PartNear,
    Place,
    in_bounded_blocks,
    near_blocks,
)
from upconv.converters.reference.by_channels import (
    Part,
    channel_slices,
    run_part,
    some_outputs,
    stands_by_channels,
)
from upconv.converters.reference.call import Array
from upconv.converters.reference.convolution import LARGEST_TAPS
from upconv.converters.reference.threads import each

Worst = tuple[float | None, float | None, float | None]
"""(error, bound, ratio) of the worst element."""


def compare_layer(
    layer: Layer,
    form: str,
    inputs: Sequence[NDArray[Any]],
    errors: Mapping[int, Array],
    computed: Mapping[str, NDArray[Any]],
    plan: Plan,
) -> LayerCertificate:
    """The certificate of a layer: `computed` are its outputs as far as the file shows them,
    `errors` what its inputs may differ by, where they are not what the file shows."""
    found = None
    if not errors and set(computed) == set(layer.outputs) and len(layer.outputs) == 1:
        found = _in_parts(layer, form, inputs, computed[layer.outputs[0]], plan)
    if found is not None:
        return found
    wide = widened(layer, inputs)
    try:
        exact = run_layer(layer, wide)
    except ShapeError as error:  # of what the file feeds it, for the model has been inferred
        return uncertified(layer, form, f"it is fed what it cannot take: {error.message}")
    return _compare_whole(layer, form, wide, errors, exact, computed)


def compare_near(
    layer: Layer,
    form: str,
    exact_inputs: Sequence[NDArray[Any]],
    runs: Sequence[tuple[NDArray[Any], NDArray[Any]]],
    kept: bool,
) -> tuple[Array | None, list[LayerCertificate | None]] | None:
    """A convolution in runs that fed it (input) and computed (output) near to what its reference is
    of `exact_inputs`: that reference, where it is to be `kept`, and the certificates; None of a run
    that does not pass so, which is then judged by itself. None where it cannot be had so."""
    if any(x.shape != exact_inputs[0].shape for x, _ in runs):
        return None
    judges = [_Judge(computed) for _, computed in runs]
    nears = [
        Near((x,), judge.judge_near, judge.judge)
        for (x, _), judge in zip(runs, judges, strict=True)
    ]
    try:
        exact, within = near_blocks(layer, exact_inputs, nears, kept)
    except (ShapeError, IndexError):
        return None
    return exact, [
        judge.certificate(layer, form) if passes else None
        for judge, passes in zip(judges, within, strict=True)
    ]


def uncertified(
    layer: Layer, form: str, reason: str, verdict: Verdict = "incomplete"
) -> LayerCertificate:
    """The certificate of a layer that could not be compared, or is wrong without a number."""
    operator = type(layer.operator).__name__
    return LayerCertificate(layer.name, operator, form, "", None, None, None, verdict, reason)


def permitted(
    layer: Layer, form: str, inputs: Sequence[Array], errors: Mapping[int, Array], exact: Array
) -> Allowance:
    """What the first output of a layer may differ by."""
    own = allowance(layer, inputs, exact, form)
    return carried(layer, inputs, errors, exact, own) if errors else own


def _compare_whole(
    layer: Layer,
    form: str,
    inputs: Sequence[Array],
    errors: Mapping[int, Array],
    exact: Sequence[Array],
    computed: Mapping[str, NDArray[Any]],
) -> LayerCertificate:
    worst: LayerCertificate | None = None
    for index, (value, want) in enumerate(zip(layer.outputs, exact, strict=True)):
        if value not in computed:
            continue  # nobody reads it, or its reader says that it is missing
        got = computed[value]
        if want.shape != got.shape:
            return _misshapen(layer, form, got.shape, want.shape)
        choice = value in index_outputs(layer)
        is_measured = index == 0 and not choice
        allowed = permitted(layer, form, inputs, errors, want) if is_measured else EXACT
        free = left_open(layer, value, inputs, got)
        judged = want if free is None else np.where(free, got, want)
        share = 1.0 if free is None else 1 - np.count_nonzero(free) / free.size
        found = worst_element(judged, got, allowed.bound)
        one = _judged(layer, form, allowed.kind, found, got.size, share)
        worst = one if worst is None else worse_layer(worst, one)
    assert worst is not None
    return worst


def _misshapen(
    layer: Layer, form: str, got: tuple[int, ...], want: tuple[int, ...]
) -> LayerCertificate:
    reason = f"the shape is {got}, the reference's is {want}"
    return uncertified(layer, form, reason, "fail")


def _judged(
    layer: Layer, form: str, kind: str, found: Worst, elements: int, share: float = 1.0
) -> LayerCertificate:
    error, limit, ratio = found
    if limit is None:
        return uncertified(layer, form, "no finite bound is known for its values")
    operator = type(layer.operator).__name__
    verdict: Verdict = "pass" if ratio is not None and ratio <= 1 else "fail"
    return LayerCertificate(
        layer.name, operator, form, kind, error, limit, ratio, verdict, "", elements, share
    )


# In parts


def _in_parts(
    layer: Layer, form: str, inputs: Sequence[NDArray[Any]], got: NDArray[Any], plan: Plan
) -> LayerCertificate | None:
    """The certificate of a layer that passes, by parts of its output that need no large copies.

    None where it is not of the kind, or a part does not pass what is asked of it here, which may be
    more than its bound: the whole layer then says which.
    """
    chooser = plan.chooser(layer.name, got.size)
    if chooser is not None and _costs_by_outputs(layer):
        return _by_outputs(layer, form, inputs, got, chooser)
    if isinstance(layer.operator, ops.Conv):
        return _by_blocks(layer, form, inputs, got, plan)
    if stands_by_channels(layer, inputs, got.shape):
        return _by_channels(layer, form, inputs, got, plan)
    return None


def _costs_by_outputs(layer: Layer) -> bool:
    """Whether some rows of a layer's output cost more than some channels of it: where weights are
    more than windows, and in a transposed convolution, whose rows come from all over its input."""
    op = layer.operator
    if isinstance(op, ops.Conv):
        return prod(layer.weights["weight"].shape or ()) > LARGEST_TAPS
    return isinstance(op, ops.ConvTranspose)


def _by_outputs(
    layer: Layer, form: str, inputs: Sequence[NDArray[Any]], got: NDArray[Any], chooser: Chooser
) -> LayerCertificate | None:
    """The certificate of a sample of a layer's output channels, where they pass."""
    parts = [(0, slice(channel, channel + 1)) for channel in range(got.shape[1])]
    channels = [part.start for _, part in chooser(parts)]
    sample = some_outputs(layer, channels) if _fits(layer, got) else None
    if sample is None:
        return None
    computed = {layer.outputs[0]: got[:, channels]}
    one = compare_layer(sample, form, inputs, {}, computed, FULL)
    if one.verdict != "pass":
        return None
    return replace(one, elements=got.size, share=len(channels) / got.shape[1])


def _fits(layer: Layer, got: NDArray[Any]) -> bool:
    op = layer.operator
    return isinstance(op, ops.Conv | ops.ConvTranspose) and got.shape[1] == op.out_channels


def _by_blocks(
    layer: Layer, form: str, inputs: Sequence[NDArray[Any]], got: NDArray[Any], plan: Plan
) -> LayerCertificate | None:
    judge = _Judge(got)
    try:
        chooser = plan.chooser(layer.name, got.size)
        if not in_bounded_blocks(layer, inputs, judge.judge, chooser):
            return None
    except (ShapeError, IndexError):
        return None
    return judge.certificate(layer, form)


@dataclass(slots=True)
class _Judge:
    """Holds blocks of a layer's values against their reference."""

    got: NDArray[Any]
    found: list[Worst] = field(default_factory=list)
    compared: list[int] = field(default_factory=list)

    def judge(self, place: Place, exact: Array, bound: Array) -> bool:
        values = self.got[place]
        if values.shape != exact.shape:
            return False
        worst = worst_element(exact, values, bound)
        if worst[2] is None or worst[2] > 1:
            return False
        self.compared.append(values.size)
        self.found.append(worst)
        return True

    def judge_near(self, parts: Iterable[PartNear]) -> bool:
        """Whether all values of a block are finite and within their bound; exact is what is within
        `lost` of `near`, so it may be on the far side."""
        found: list[Worst] = []
        count = 0
        for place, near, lost, bound in parts:
            values = self.got[place]
            if values.shape != near.shape or not values.size:
                return False
            error = values - near
            np.abs(error, out=error)
            error += lost
            ratio = error / bound
            at = int(ratio.argmax())  # a NaN is found first
            if not ratio.flat[at] <= 1:
                return False
            found.append((float(error.flat[at]), float(bound.flat[at]), float(ratio.flat[at])))
            count += values.size
        self.found.append(max(found, key=_ratio))
        self.compared.append(count)
        return True

    def certificate(self, layer: Layer, form: str) -> LayerCertificate | None:
        return _of_parts(layer, form, "bound", self.found, self.got.size, sum(self.compared))


def _by_channels(
    layer: Layer, form: str, inputs: Sequence[NDArray[Any]], got: NDArray[Any], plan: Plan
) -> LayerCertificate | None:
    parts = list(channel_slices(got.shape))
    chooser = plan.chooser(layer.name, got.size)
    chosen = parts if chooser is None else list(chooser(parts))
    found: list[LayerCertificate] = []
    compared: list[int] = []

    def judge(part: Part) -> None:
        values = got[part[0] : part[0] + 1, part[1]]
        wide, exact = run_part(layer, inputs, part)
        one = _compare_whole(layer, form, wide, {}, exact, {layer.outputs[0]: values})
        found.append(one)
        compared.append(round(one.share * values.size))

    try:
        each(judge, chosen)
    except ShapeError:
        return None
    if not all(one.kind in ("exact", "bound") for one in found):
        return None
    worst = [(one.max_abs_error, one.bound, one.ratio) for one in found]
    return _of_parts(layer, form, found[0].kind, worst, got.size, sum(compared))


def _of_parts(
    layer: Layer, form: str, kind: str, found: Sequence[Worst], elements: int, compared: int
) -> LayerCertificate | None:
    """None where a part does not pass."""
    if not found or any(ratio is None or ratio > 1 for _, _, ratio in found):
        return None
    worst = max(found, key=_ratio)
    return _judged(layer, form, kind, worst, elements, compared / elements)


def _ratio(one: Worst) -> float:
    return one[2] or 0.0
