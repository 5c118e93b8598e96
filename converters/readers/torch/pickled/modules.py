"""Layers from the attributes of pickled modules: their geometry, and the weights beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from upconv.converters.ir.model import Layer, ModelInput
from upconv.converters.ir.operators import Unknown
from upconv.converters.ir.origin import Origin, Source, Span
from upconv.converters.ir.tensors import Weight
from upconv.converters.readers.python_source.call import Argument, Call, NotProvableError
from upconv.converters.readers.python_source.made import Made, Place
from upconv.converters.readers.python_source.signatures import SIGNATURES, canonical
from upconv.converters.readers.python_source.torch_layers import MAKERS
from upconv.converters.readers.torch.state.checkpoint import Checkpoint, entries
from upconv.converters.readers.torch.state.pickles import Inert

_NOWHERE: Final = Span(Source("", ""), 0, 0)


def layers(checkpoint: Checkpoint) -> Iterator[tuple[Layer, tuple[ModelInput, ...]]]:
    """The upsampling modules of a checkpoint, each with inputs of its own: a pickle does not say
    what is connected to what."""
    counts: dict[str, int] = {}
    for path, value in entries(checkpoint.value):
        kind = canonical(value.path) if isinstance(value, Inert) else ""
        if kind in MAKERS and isinstance(value.state, dict):
            name = path or kind.rpartition(".")[2]
            counts[name] = counts.get(name, 0) + 1
            if counts[name] > 1:
                name = f"{name}@{counts[name]}"
            yield _layer(checkpoint, name, kind, value.state)


def _layer(
    checkpoint: Checkpoint, name: str, kind: str, state: Mapping[Any, Any]
) -> tuple[Layer, tuple[ModelInput, ...]]:
    call = _call(kind, state)
    x = f"{name}.input"
    try:
        made = MAKERS[kind](call, Place(x))
    except NotProvableError as error:
        made = Made(Unknown(call.name, error.message))
    values = (x, *(f"{x}{index}" for index in range(1, made.inputs)))
    inputs = tuple(
        ModelInput(value, made.shape if value == x else None, integer=value != x)
        for value in values
    )
    weights = {**made.weights, **_weights(checkpoint, name, state)}
    origin = Origin(checkpoint.path, "pytorch", call.name)
    return Layer(name, made.operator, values, (name,), weights, origin), inputs


def _call(kind: str, state: Mapping[Any, Any]) -> Call:
    """The module's attributes as the arguments that it was made with."""
    signature = SIGNATURES[kind]
    arguments = {
        name: _argument(name, state[name]) for name in signature.parameters if name in state
    }
    arguments.pop("bias", None)
    missing: Any = None
    return Call(
        kind, "pytorch", _NOWHERE, _NOWHERE, arguments, signature.defaults, True, (_NOWHERE, ""),
        missing, missing, missing,
    )  # fmt: skip


def _argument(name: str, value: Any) -> Argument:
    plain = value if not isinstance(value, list) else tuple(value)
    nothing: Any = None
    scalars = plain if isinstance(plain, tuple) else (plain,)
    known = all(isinstance(one, int | float | str | None) for one in scalars)
    return Argument(
        name, _NOWHERE, _NOWHERE, nothing, plain if known else None, "" if known else "no number"
    )


def _weights(checkpoint: Checkpoint, name: str, state: Mapping[Any, Any]) -> dict[str, Weight]:
    parameters = state.get("_parameters")
    found = {}
    for key in ("weight", "bias"):
        value = _member(parameters, key)
        tensor = None if value is None else checkpoint.tensor(value, f"{name}.{key}")
        if tensor is not None:
            found[key] = Weight(tensor.shape, tensor)
    return found


def _member(table: Any, key: str) -> Any:
    if isinstance(table, dict):
        return table.get(key)
    if isinstance(table, Inert):
        return next((value for name, value in reversed(table.items) if name == key), None)
    return None
