"""A model in forms that every engine it is to run in reads alike, or why there are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from upconv.converters.ir.errors import UnsupportedError

if TYPE_CHECKING:
    from upconv.converters.ir.inference import Inference
    from upconv.converters.ir.model import Layer, Model
    from upconv.linter.engines.facts import Seen
    from upconv.linter.engines.profile import Target


def for_targets(model: Model, names: Sequence[str], opset: int) -> Model:
    """The model with every upsampling layer in the first form that no target is known to refuse or
    to misread.

    Raises UsageError for a target that nobody knows, UnsupportedError that lists the layers for
    which there is no such form, one a line.
    """
    from upconv.converters.ir.inference import infer
    from upconv.linter.engines.profile import targets_of

    targets, inference = targets_of(tuple(names)), infer(model)
    model = _with_factors(model, inference, targets, opset)
    chosen: list[Layer] = []
    lacking: list[str] = []
    for layer in model.layers:
        form, problems = _form(model, layer, inference, targets, opset)
        chosen += form
        lacking += problems
    if lacking:
        hint = "leave the target out, or the layer; `upconv check --target` has the evidence"
        raise UnsupportedError("\n".join(dict.fromkeys(lacking)), hint=hint)
    return replace(model, layers=tuple(chosen))


def _with_factors(
    model: Model, inference: Inference, targets: Sequence[Target], opset: int
) -> Model:
    """The model with a factor and a bias in place of each BatchNormalization that a target joins
    with an upsampling layer before it and then computes otherwise."""
    from upconv.converters.ir.operators import BatchNorm
    from upconv.linter.engines.nodes import JUDGED

    makers = {value: layer for layer in model.layers for value in layer.outputs}
    for layer in model.layers:
        before = makers.get(layer.inputs[0]) if isinstance(layer.operator, BatchNorm) else None
        if before is None or not isinstance(before.operator, JUDGED):
            continue
        against = _problems(model, (before,), inference, targets, opset)
        other = _as_factor(layer, inference) if against else ()
        if not other:
            continue
        changed = _exchanged(model, layer, other)
        if len(_problems(changed, (before,), inference, targets, opset)) < len(against):
            model = changed
    return model


def _exchanged(model: Model, layer: Layer, other: Sequence[Layer]) -> Model:
    """The model with others in the place of a layer."""
    at = next(i for i, one in enumerate(model.layers) if one.name == layer.name)
    return replace(model, layers=(*model.layers[:at], *other, *model.layers[at + 1 :]))


def _as_factor(layer: Layer, inference: Inference) -> tuple[Layer, ...]:
    """A BatchNormalization of stored statistics as what it multiplies by and adds; nothing where
    its channels are not known. The last layer bears its name, and none of its weights' names."""
    from upconv.converters.audit.comparison.affine import affine_of, as_scale
    from upconv.converters.ir.operators import Identity
    from upconv.converters.passes.portable.chain import chain

    shape = inference.shapes.get(layer.inputs[0])
    affine = affine_of(layer, {})
    if affine is None or shape is None or not isinstance(channels := shape[1], int):
        return ()
    factor = as_scale(layer, affine, channels)
    return chain(layer, [("factor", factor.operator, factor.weights), ("end", Identity(), {})])


def _form(
    model: Model, layer: Layer, inference: Inference, targets: Sequence[Target], opset: int
) -> tuple[tuple[Layer, ...], list[str]]:
    """(the layers to write, what stands against them all). What has no other form and cannot be
    written is left to the writer, which says why."""
    from upconv.converters.ir.inference import infer
    from upconv.converters.passes.portable import alternatives

    problems = _problems(model, (layer,), inference, targets, opset)
    if not problems and _is_written(model, layer, inference, opset):
        return (layer,), []
    for other in alternatives(layer, model, inference):
        changed = _exchanged(model, layer, other)
        if not _problems(changed, other, infer(changed), targets, opset):
            return other, []
    return (layer,), problems


def _problems(
    model: Model,
    layers: Sequence[Layer],
    inference: Inference,
    targets: Sequence[Target],
    opset: int,
) -> list[str]:
    """What the targets do otherwise with what is written for these layers."""
    return [
        f"{layer.name}: {target.name}: {entry.says}"
        for layer in layers
        for seen in _written(model, layer, inference, opset)
        for target in targets
        for entry in target.verdicts(seen)
        if entry.effect != "slow"
    ]


def _is_written(model: Model, layer: Layer, inference: Inference, opset: int) -> bool:
    """Whether an upsampling layer can be said in that opset, as far as its input is known."""
    from upconv.linter.engines.nodes import JUDGED

    if not isinstance(layer.operator, JUDGED):
        return True
    known = all(inference.shapes.get(value) is not None for value in layer.inputs)
    return not known or bool(_written(model, layer, inference, opset))


def _written(model: Model, layer: Layer, inference: Inference, opset: int) -> list[Seen]:
    """The nodes of a layer: what the writer makes of it, or its own where that copies them."""
    from upconv.converters.ir.operators import Unknown
    from upconv.linter.engines.facts import Seen
    from upconv.linter.engines.nodes import JUDGED, emitted

    if isinstance(layer.operator, Unknown):
        node = layer.origin.written.node
        return [] if node is None else [Seen(node, layer, inference.shapes)]
    if not isinstance(layer.operator, JUDGED):
        return []
    return emitted(model, layer, inference, opset)
