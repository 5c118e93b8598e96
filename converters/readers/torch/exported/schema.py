"""The exported program of a .pt2 archive (torch/_export/serde/schema.py) as plain records.

Only what a conversion needs is taken; what the schema's later minor versions add is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from upconv.converters.readers.torch.exported.fields import (
    MalformedError,
    integer,
    member,
    number,
    rows,
    table,
    text,
    truth,
    union,
)

MAJOR: Final = 8
MAX_NODES: Final = 200_000


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
        return _program(data, path)
    except MalformedError as error:
        message = f"the exported program does not follow its schema: {error}"
        raise UnreadableError(message, path=path) from None


def _program(data: Any, path: str) -> Program:
    module = member(data, "graph_module")
    graph, signature = member(module, "graph"), member(module, "signature")
    weights, inputs = _inputs(rows(member(signature, "input_specs")), path)
    nodes = tuple(map(_node, rows(member(graph, "nodes"), MAX_NODES)))
    _require_written_once(nodes, (*weights, *inputs))
    return Program(
        nodes=nodes,
        inputs=inputs,
        weights=weights,
        outputs=_outputs(rows(member(signature, "output_specs"))),
        tensors={name: _meta(meta) for name, meta in table(member(graph, "tensor_values")).items()},
        sizes={name: _size(size) for name, size in table(member(graph, "sym_int_values")).items()},
        torch_version=str(data.get("torch_version", "")),
    )


def _require_written_once(nodes: Sequence[Node], inputs: Sequence[str]) -> None:
    written = set(inputs)
    for name in (output for node in nodes for output in node.outputs):
        if name in written:
            raise MalformedError(f"'{name:.40}' is written twice")
        written.add(name)


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
        kind, body = union(spec)
        if kind in _WEIGHT_SPECS:
            stored = text(member(body, _WEIGHT_SPECS[kind]))
            weights[text(member(member(body, "arg"), "name"))] = stored
        elif kind == "user_input":
            argument = _argument(member(body, "arg"))
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
        kind, body = union(spec)
        if kind == "user_output":
            found.append(_argument(member(body, "arg")))
    return tuple(found)


def _node(entry: Any) -> Node:
    target, outputs = text(member(entry, "target")), tuple(_output_names(member(entry, "outputs")))
    metadata = table(entry.get("metadata") or {})
    line = user_line(str(metadata.get("stack_trace", "")))
    return Node(
        target=target.removeprefix("torch.ops."),
        name=_one_line(str(entry.get("name") or (outputs[0] if outputs else target))),
        arguments=dict(map(_named, rows(member(entry, "inputs")))),
        outputs=outputs,
        site=CallSite(line, *_module(str(metadata.get("nn_module_stack", "")))),
    )


def _named(entry: Any) -> tuple[str, Argument]:
    return text(member(entry, "name")), _argument(member(entry, "arg"))


def _output_names(outputs: Any) -> Iterator[str]:
    for output in rows(outputs):
        argument = _argument(output)
        for one in argument if isinstance(argument, list) else [argument]:
            if isinstance(one, TensorRef | SizeRef):
                yield one.name


def _argument(value: Any) -> Argument:
    kind, written = union(value)
    reader = _ARGUMENTS.get(kind)
    return Opaque(kind) if reader is None else reader(written)


def _each(reader: Callable[[Any], Argument]) -> Callable[[Any], Argument]:
    """Reads a list of bounded length."""
    return lambda values: [reader(value) for value in rows(values)]


def _tensor(value: Any) -> TensorRef:
    return TensorRef(text(member(value, "name")))


def _mixed(value: Any) -> Argument:
    """A symbolic argument: by its name, or a plain number."""
    kind, written = union(value)
    if kind == "as_name":
        return SizeRef(text(written))
    return (integer if kind == "as_int" else number)(written)


def _optional(value: Any) -> Argument:
    kind, written = union(value)
    return _tensor(written) if kind == "as_tensor" else None


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
    "as_scalar_type": integer,
    "as_memory_format": integer,
    "as_layout": integer,
    "as_int": integer,
    "as_ints": _each(integer),
    "as_float": number,
    "as_floats": _each(number),
    "as_string": text,
    "as_strings": _each(text),
    "as_bool": truth,
    "as_bools": _each(truth),
}


def _meta(meta: Any) -> TensorMeta:
    sizes = tuple(map(_size, rows(member(meta, "sizes"), MAX_AXES)))
    if any(isinstance(size, int) and size < 0 for size in sizes):
        raise MalformedError(f"a tensor of the sizes {sizes}")
    return TensorMeta(integer(member(meta, "dtype")), sizes)


def _size(value: Any) -> int | str:
    kind, written = union(value)
    return integer(written) if kind == "as_int" else str(member(written, "expr_str"))


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
