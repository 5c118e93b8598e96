"""Layers from the attributes of pickled modules: their geometry, and the weights beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from upconv.converters.ir.model import Layer
from upconv.converters.ir.operators import Unknown
from upconv.converters.ir.origin import Origin, Source, Span
from upconv.converters.ir.tensors import Weight
from upconv.converters.readers.assembly.workspace import Workspace
from upconv.converters.readers.python_source.call import Argument, Call, NotProvableError
from upconv.converters.readers.python_source.made import Made, Place
from upconv.converters.readers.python_source.signatures import SIGNATURES, canonical
from upconv.converters.readers.python_source.torch_layers import MAKERS
from upconv.converters.readers.torch.state.checkpoint import Checkpoint, entries
from upconv.converters.readers.torch.state.pickles import Inert

_NOWHERE: Final = Span(Source("", ""), 0, 0)


def add_modules(work: Workspace, checkpoint: Checkpoint) -> None:
    """Add the upsampling modules of a checkpoint, each with inputs of its own: a pickle does not
    say what is connected to what."""
    for path, value in entries(checkpoint.value):
        kind = canonical(value.path) if isinstance(value, Inert) else ""
        if kind in MAKERS and isinstance(value.state, dict):
            name = work.titles.unique(path or kind.rpartition(".")[2])
            _add(work, checkpoint, name, kind, value.state)


def _add(
    work: Workspace, checkpoint: Checkpoint, name: str, kind: str, state: Mapping[Any, Any]
) -> None:
    call = _call(kind, state)
    x = work.values.unique(f"{name}.input")
    try:
        made = MAKERS[kind](call, Place(x))
    except NotProvableError as error:
        made = Made(Unknown(call.name, error.message))
    weights = {**made.weights, **_weights(checkpoint, name, state)}
    more = (work.values.unique(f"{x}{index}") for index in range(1, made.inputs))
    values, output = (x, *more), work.values.unique(name)
    for value in values:
        work.feed(value, made.shape if value == x else None, integer=value != x)
    origin = Origin(checkpoint.path, "pytorch", call.name)
    work.append(Layer(name, made.operator, values, (output,), weights, origin))


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
