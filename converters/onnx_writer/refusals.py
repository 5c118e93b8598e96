"""Everything that keeps a model from being written, found before anything is."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final

from upconv.converters.ir.errors import AmbiguousError, UnsupportedError, UpconvError
from upconv.converters.ir.inference import Inference
from upconv.converters.ir.model import Layer, Model, NoticeKind
from upconv.converters.ir.operators import Conv, ConvTranspose, Pool, Unknown
from upconv.converters.ir.origin import Span
from upconv.converters.ir.tensors import Weight

BLOCKING_NOTICES: Final[frozenset[NoticeKind]] = frozenset(
    {
        "unreadable-part",
        "template",
        "unknown-field",
        "dangling-name",
        "name-of-other-phase",
        "missing-name",
        "repeated-name",
        "repeated-layer-name",
        "foreign-weights",
        "whole-number-arithmetic",
    }
)
"""Kinds of notices of a reader after which the graph is not what the file says, or computes other
numbers."""

_ONE_PIXEL: Final = "its dilation 0 lays a whole kernel on one pixel, which ONNX cannot say"
_SUM_OF_TAPS: Final = "make it kernel_size 1, with the sum of each kernel as its weight"

FILLABLE: Final = ("bilinear", "constant")


def problems(model: Model, inference: Inference, custom: bool = False) -> Iterator[UpconvError]:
    """Every reason, in the order of the file, not to write this model.

    With `custom`, layers that are not understood are none.
    """
    if not model.outputs:
        yield UnsupportedError("computes no output: there is nothing to convert", path=model.path)
    noticed = list(notice_problems(model))
    yield from noticed
    told = {error.layer for error in noticed}
    places = sorted(error.where.start for error in noticed if error.where is not None)
    for entry in model.inputs:
        if entry.shape is None:
            yield UnsupportedError(
                f"the shape of the input '{entry.name}' is unknown",
                path=model.path,
                where=entry.origin,
                hint=f"give it, as in --input {entry.name}=1x3x500x500; letters are dynamic",
            )
    if _weights_of_another_net(model):
        return  # that every weight is missing says nothing more
    hints = {one.error.layer: one.error.hint for one in model.notices if not one.harmless}
    for layer in model.layers:
        if isinstance(layer.operator, Unknown) and (
            custom or layer.name in told or _holds(layer.origin.span, places)
        ):
            continue
        for problem in layer_problems(layer, inference, model.weights_path):
            problem.hint = problem.hint or hints.get(layer.name, "")
            yield problem


def _holds(span: Span | None, places: Sequence[int]) -> bool:
    """Whether one of the places, which are in order, is within the span."""
    return span is not None and bisect_left(places, span.start) < bisect_left(places, span.end)


def _weights_of_another_net(model: Model) -> bool:
    apart = model.weights_path not in ("", model.path)
    doubtful = (notice for notice in model.notices if not notice.harmless)
    return apart and any(notice.error.path == model.weights_path for notice in doubtful)


def notice_problems(model: Model) -> Iterator[UpconvError]:
    """What a reader saw that makes the graph another than the file says."""
    unknown = {layer.name for layer in model.layers if isinstance(layer.operator, Unknown)}
    for notice in model.notices:
        if notice.harmless:
            continue
        undecided = isinstance(notice.error, AmbiguousError) and notice.error.layer not in unknown
        if notice.kind == "unknown-field" and notice.error.layer in unknown:
            continue  # the layer itself says it
        if notice.kind in BLOCKING_NOTICES or undecided:
            yield notice.error


def layer_problems(
    layer: Layer, inference: Inference, weights_path: str = ""
) -> Iterator[UpconvError]:
    """Why this layer cannot be written, as far as its record, weights and sizes tell."""
    if isinstance(layer.operator, Unknown):
        yield located(UnsupportedError(_why_unknown(layer.operator)), layer)
        return
    if isinstance(layer.operator, Conv | ConvTranspose | Pool) and 0 in layer.operator.dilation:
        yield located(UnsupportedError(_ONE_PIXEL, hint=_SUM_OF_TAPS), layer)
    for name, weight in layer.weights.items():
        if not weight.present:
            yield located(_missing(name, weight, weights_path), layer)
    yield from (error for error in inference.errors if error.layer == layer.name)


def _why_unknown(operator: Unknown) -> str:
    """The reader's reason, with the type where it does not name it."""
    if not operator.reason:
        return f"unknown layer type {operator.type}"
    named = operator.type in operator.reason
    return operator.reason if named else f"{operator.type}: {operator.reason}"


class MissingWeightError(UnsupportedError):
    """A layer's weight is in no file: it can be given."""


def folded(found: Sequence[UpconvError]) -> list[UpconvError]:
    """The problems, with those of many layers that lack their weights as one line for each way out.

    It stands where the first of them stood.
    """
    groups: dict[str, list[MissingWeightError]] = {}
    for error in found:
        if isinstance(error, MissingWeightError):
            groups.setdefault(error.hint, []).append(error)
    many = {hint: group for hint, group in groups.items() if len(group) > _FEW}
    kept: list[UpconvError] = []
    for error in found:
        group = many.get(error.hint, []) if isinstance(error, MissingWeightError) else []
        if not group:
            kept.append(error)
        elif error is group[0]:
            kept.append(_of_many(group))
    return kept


_FEW: Final = 4


def _of_many(group: Sequence[MissingWeightError]) -> UpconvError:
    layers = list(dict.fromkeys(error.layer for error in group))
    named = ", ".join(layers[:_FEW]) + (", ..." if len(layers) > _FEW else "")
    weights = f"{len(group)} weights of {len(layers)} layers are missing: {named}"
    return MissingWeightError(weights, path=group[0].path, hint=group[0].hint)


def _missing(name: str, weight: Weight, weights_path: str) -> MissingWeightError:
    filler = weight.filler
    fillable = filler is not None and filler.type in FILLABLE
    hint = f"{weights_path} has none for it" if weights_path else "give --weights FILE"
    if filler is not None and fillable and (filler.declared or name == "bias"):
        hint += (
            f"; --fill-missing {filler.type} makes it"
            if weights_path
            else (f", or --fill-missing {filler.type}")
        )
    return MissingWeightError(f"its {name} is missing", hint=hint)


def located(error: UpconvError, layer: Layer) -> UpconvError:
    """The error with the layer and its place in the file, where it has none of its own."""
    error.layer = error.layer or layer.name
    error.path = error.path or layer.origin.path
    error.where = error.where or layer.origin.span
    error.code = error.code or layer.origin.code
    return error


def refuse(found: list[UpconvError], offer: str = "") -> None:
    """Raise one UnsupportedError that lists every problem, one a line; nothing for no problem.

    `offer` is a last line: what to do instead.
    """
    if found:
        lines = [*dict.fromkeys(str(error) for error in folded(found)), *([offer] if offer else [])]
        raise UnsupportedError("\n".join(lines))
