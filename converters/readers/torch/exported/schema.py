"""The exported program of a .pt2 archive (torch/_export/serde/schema.py) as plain records.

Only what a conversion needs is taken; what the schema's later minor versions add is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeAlias

from upconv.converters.ir.dims import Size
from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.readers.torch.aten.calls import (
    MAX_AXES,
    TORCH_ITSELF,
    Argument,
    CallSite,
    Node,
    Opaque,
    TensorMeta,
    TensorRef,
)

MAJOR: Final = 8
MAX_NODES: Final = 200_000
MAX_LIST: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class SizeRef:
    """A symbolic integer by its name in the graph."""

    name: str


@dataclass(frozen=True, slots=True)
class Program:
    """An exported program: nodes in order, what its inputs are, and the meta data of values.

    `weights` maps a graph input to the name of its tensor; `inputs` are the user's tensors.
    `outputs` are TensorRefs, or plain values where the program returns some.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    weights: Mapping[str, str]
    outputs: tuple[Argument, ...]
    tensors: Mapping[str, TensorMeta]
    sizes: Mapping[str, int | str]
    torch_version: str


def read_program(data: Any, path: str) -> Program:
    """The program in models/<name>.json, already parsed.

    Raises UnreadableError where it does not follow the schema, UnsupportedError for another major
    version of it.
    """
    require_version(data, path)
    try:
        module = data["graph_module"]
        graph, signature = module["graph"], module["signature"]
        if len(graph["nodes"]) > MAX_NODES:
            raise ValueError(f"{len(graph['nodes'])} nodes")
        weights, inputs = _inputs(signature["input_specs"], path)
        return Program(
            nodes=tuple(_node(entry) for entry in graph["nodes"]),
            inputs=inputs,
            weights=weights,
            outputs=_outputs(signature["output_specs"]),
            tensors={name: _meta(meta) for name, meta in graph["tensor_values"].items()},
            sizes={name: _size(value) for name, value in graph["sym_int_values"].items()},
            torch_version=str(data.get("torch_version", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, StopIteration) as error:
        raise UnreadableError(
            f"the exported program does not follow its schema: {error!r}", path=path
        ) from None


def require_version(data: Any, path: str) -> None:
    """Raise UnsupportedError for a major version of the schema other than ours."""
    version = data.get("schema_version") if isinstance(data, dict) else None
    if not isinstance(version, dict) or not isinstance(version.get("major"), int):
        raise UnreadableError("not an exported program: it has no schema version", path=path)
    if version["major"] != MAJOR:
        written = f"{version['major']}.{version.get('minor', 0)}"
        raise UnsupportedError(
            f"the exported program has schema version {written}; known is {MAJOR}.x "
            f"(written by torch {data.get('torch_version') or 'unknown'})",
            path=path,
            hint="export it again with torch 2.9 or a later 2.x",
        )


def _inputs(specs: Sequence[Any], path: str) -> tuple[dict[str, str], tuple[str, ...]]:
    weights: dict[str, str] = {}
    inputs: list[str] = []
    for spec in specs:
        kind, body = _only(spec)
        if kind in _WEIGHT_SPECS:
            weights[_name(body["arg"]["name"])] = _name(body[_WEIGHT_SPECS[kind]])
        elif kind == "user_input":
            argument = _argument(body["arg"])
            if isinstance(argument, TensorRef):
                inputs.append(argument.name)
            elif isinstance(argument, SizeRef):
                _refuse_input(argument.name, path)
        elif kind not in ("constant_input", "token"):
            raise UnsupportedError(f"the program has an input of the kind {kind}", path=path)
    return weights, tuple(inputs)


def _refuse_input(name: str, path: str) -> NoReturn:
    raise UnsupportedError(
        f"the input '{name}' is a number that changes; only tensors can be inputs",
        path=path,
        hint="export with a fixed number",
    )


_WEIGHT_SPECS: Final = {
    "parameter": "parameter_name",
    "buffer": "buffer_name",
    "tensor_constant": "tensor_constant_name",
}


def _outputs(specs: Sequence[Any]) -> tuple[Argument, ...]:
    """The user's outputs; what only mutates a buffer is no output."""
    found = []
    for spec in specs:
        kind, body = _only(spec)
        if kind == "user_output":
            found.append(_argument(body["arg"]))
    return tuple(found)


def _node(entry: Mapping[str, Any]) -> Node:
    outputs = tuple(_output_names(entry["outputs"]))
    metadata = entry.get("metadata") or {}
    line = user_line(str(metadata.get("stack_trace", "")))
    return Node(
        target=str(entry["target"]).removeprefix("torch.ops."),
        name=_one_line(str(entry.get("name") or (outputs[0] if outputs else entry["target"]))),
        arguments={one["name"]: _argument(one["arg"]) for one in entry["inputs"]},
        outputs=outputs,
        site=CallSite(line, *_module(str(metadata.get("nn_module_stack", "")))),
    )


def _output_names(outputs: Sequence[Any]) -> list[str]:
    names: list[str] = []
    for output in outputs:
        for one in _flat(_argument(output)):
            if isinstance(one, TensorRef | SizeRef):
                names.append(one.name)
    return names


def _flat(argument: Argument) -> list[Argument]:
    return argument if isinstance(argument, list) else [argument]


def _only(union: Mapping[str, Any]) -> tuple[str, Any]:
    """A union of the schema is an object with one key, the field that is set."""
    ((kind, value),) = union.items()
    return kind, value


def _argument(union: Mapping[str, Any]) -> Argument:
    kind, value = _only(union)
    reader = _ARGUMENTS.get(kind)
    return Opaque(kind) if reader is None else reader(value)


def _itself(value: Any) -> Argument:
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is no name")
    return value


def _integer(value: Any) -> int:
    """A number of 64 bits, which is what torch's integers are."""
    if isinstance(value, bool) or not isinstance(value, int) or not -(1 << 63) <= value < 1 << 63:
        raise TypeError(f"{value!r:.40} is no integer of 64 bits")
    return value


def _float(value: Any) -> float:
    if not isinstance(value, int | float | str):
        raise TypeError(f"{value!r:.40} is no number")
    return float(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r:.40} is no truth value")
    return value


def _each(reader: Callable[[Any], Argument]) -> Callable[[Any], Argument]:
    """Reads a list of bounded length."""

    def read(values: Any) -> list[Argument]:
        if len(values) > MAX_LIST:
            raise ValueError(f"a list of {len(values)} arguments")
        return [reader(value) for value in values]

    return read


def _tensor(value: Any) -> TensorRef:
    return TensorRef(_name(value["name"]))


def _mixed(union: Mapping[str, Any]) -> Argument:
    """A symbolic argument: by its name, or a plain number."""
    kind, value = _only(union)
    return SizeRef(_name(value)) if kind == "as_name" else _MIXED[kind](value)


def _optional(union: Mapping[str, Any]) -> Argument:
    kind, value = _only(union)
    return _tensor(value) if kind == "as_tensor" else None


_MIXED: Final[dict[str, Callable[[Any], Argument]]] = {"as_int": _integer, "as_float": _float}


_ARGUMENTS: Final[dict[str, Callable[[Any], Argument]]] = {
    "as_none": lambda value: None,
    "as_tensor": _tensor,
    "as_tensors": _each(_tensor),
    "as_optional_tensor": _optional,
    "as_optional_tensors": _each(_optional),
    "as_sym_int": _mixed,
    "as_sym_ints": _each(_mixed),
    "as_sym_float": _mixed,
    "as_sym_floats": _each(_mixed),
    "as_scalar_type": _itself,
    "as_memory_format": _itself,
    "as_layout": _itself,
    "as_int": _integer,
    "as_ints": _each(_integer),
    "as_float": _float,
    "as_floats": _each(_float),
    "as_string": _name,
    "as_strings": _each(_name),
    "as_bool": _truth,
    "as_bools": _each(_truth),
}


def _meta(meta: Mapping[str, Any]) -> TensorMeta:
    if len(meta["sizes"]) > MAX_AXES:
        raise ValueError(f"a tensor of {len(meta['sizes'])} axes")
    return TensorMeta(_integer(meta["dtype"]), tuple(_size(size) for size in meta["sizes"]))


def _size(union: Mapping[str, Any]) -> int | str:
    kind, value = _only(union)
    return _integer(value) if kind == "as_int" else str(value["expr_str"])


_FRAME: Final = re.compile(r'File "([^"\n]+)", line (\d+)')


def user_line(stack_trace: str) -> str:
    r"""file:line of the innermost frame that is not PyTorch's own; "" where there is none.

    >>> user_line('File "net.py", line 7, in forward\n    y = self.up(x)')
    'net.py:7'
    """
    own = [frame for frame in _FRAME.findall(stack_trace) if not TORCH_ITSELF.search(frame[0])]
    return ":".join(own[-1]) if own else ""


def _module(stack: str) -> tuple[str, str]:
    """(path, class) of the innermost module: entries 'key,path,class' joined by semicolons."""
    parts = stack.rpartition(";")[2].split(",")
    if len(parts) < 3 or parts[0].startswith("_empty"):
        return "", ""
    return _one_line(parts[1].split("@")[0]), parts[2]


def _one_line(words: str) -> str:
    return " ".join(words.split())


SizeResolver: TypeAlias = Callable[[SizeRef], Size]


def resolved(argument: Argument, size_of: SizeResolver) -> Argument:
    """The argument with every symbolic integer replaced by its size."""
    if isinstance(argument, SizeRef):
        return size_of(argument)
    if isinstance(argument, list):
        return [resolved(one, size_of) for one in argument]
    return argument
