"""What a file says in its author's own words, as far as rules and their fixes ask for it.

A reader hands out what its format has. Rules see the protocols below and never a reader's trees,
so that a new format needs no new rule and a rule no knowledge of a parser.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol, TypeAlias

from upconv.converters.ir.records import record
from upconv.converters.ir.source import Source, Span


class Block(Protocol):
    """A block of a protobuf text: named fields, each any number of times, blocks among them.

    `texts`, `spans` and `blocks` take a field as it is; the others raise UnreadableError where it
    is not of the type that they ask for.
    """

    @property
    def name(self) -> builtins.str:
        """The field that holds the block."""

    @property
    def span(self) -> Span:
        """The whole block, braces included."""

    def has(self, name: builtins.str) -> builtins.bool: ...

    def texts(self, name: builtins.str) -> list[builtins.str]:
        """The single values of a field as they are spelled, without quotes."""

    def spans(self, name: builtins.str) -> list[Span]:
        """Where the values of a field are written."""

    def span_of(self, *names: builtins.str) -> Span | None:
        """Where the first of these fields is written, name and value."""

    def blocks(self, name: builtins.str) -> Sequence[Block]:
        """The values of a field that are blocks."""

    def int(self, name: builtins.str, default: builtins.int) -> builtins.int: ...

    def float(self, name: builtins.str, default: builtins.float) -> builtins.float: ...

    def bool(self, name: builtins.str, default: builtins.bool) -> builtins.bool: ...

    def str(self, name: builtins.str, default: builtins.str) -> builtins.str: ...

    def strs(self, name: builtins.str) -> list[builtins.str]: ...

    def message(self, name: builtins.str) -> Block | None:
        """A field that is one block, its occurrences merged; None where it is absent."""

    def messages(self, name: builtins.str) -> Sequence[Block]:
        """Every occurrence of a field that is a block."""

    def around(self, place: Span) -> Block:
        """The innermost block that a place lies inside of; this one where no inner one is."""

    def room(self, after: Sequence[builtins.str] = ()) -> tuple[Span, builtins.str]:
        """Where a further field may be inserted, with what must stand before it: behind the first
        of the fields `after` that is there, else at the end; on a line of its own where the field
        before it has one."""


class Call(Protocol):
    """A call in source code, of a known function or class."""

    @property
    def path(self) -> str:
        """The canonical name, as in "torch.nn.Upsample"."""

    @property
    def framework(self) -> str: ...

    @property
    def name(self) -> str:
        """The last part of the path."""

    @property
    def callee(self) -> Span:
        """What is called, as it is written."""

    @property
    def complete(self) -> bool:
        """False where `*args` or `**kwargs` may give arguments that are not seen."""

    @property
    def problem(self) -> str:
        """Why the arguments fit no parameters; "" where they do."""

    @property
    def assumed(self) -> str:
        """What was taken from defaults of parameters and from calls in the file, which another file
        may do otherwise; "" where all that is known is constant."""

    @property
    def sized(self) -> bool:
        """Whether the module that it makes may be told an output size where it is called."""

    @property
    def room(self) -> tuple[Span, str]:
        """Where a further argument may be inserted, with what must stand before it."""

    def writes(self, name: str) -> bool:
        """Whether an argument is written."""

    def takes(self, name: str) -> bool:
        """Whether there is such a parameter, with a default."""

    def known(self, name: str) -> bool:
        """Whether an argument's value is decided: written as a constant, or surely defaulted."""

    def value(self, name: str) -> Any:
        """The value of an argument that is known, its default where it is not written."""

    def probably(self, name: str, default: Any = None) -> Any:
        """The value of an argument, `default` where the file does not decide it."""

    def span_of(self, *names: str) -> Span | None:
        """Where the first of these arguments is written."""

    def spelled(self, text: str) -> str:
        """Code as it is written into this file: in a notebook, inside of a JSON string."""


class Settings(Protocol):
    """Where a layer's settings are written, asked for in Caffe's words, as in "kernel_size"."""

    def span_of(self, *names: str) -> Span | None:
        """Where the first of these settings is written; None where none is, or in a file that is
        no text."""

    def text_of(self, name: str) -> str:
        """A setting that is one word; "" where it is absent or is none."""

    @property
    def params(self) -> Block:
        """The block of a protobuf text that holds the layer's sizes and fillers."""


class OnnxNode(Protocol):
    """A node of an ONNX graph, as a file has it or as one would be written."""

    @property
    def operator(self) -> str: ...

    @property
    def opset(self) -> int: ...

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of tensors, "" where one is left out."""

    @property
    def outputs(self) -> tuple[str, ...]: ...

    @property
    def stores_open_size(self) -> bool:
        """Whether the file stores a shape with letters for what the node makes."""

    def attribute(self, name: str) -> str | int | float | tuple[int, ...] | None:
        """A word, a number or whole numbers; None where the node does not say it."""


@record(frozen=True, slots=True)
class StatedShape:
    """The shape that a file gives a value which layers compute, axes in the file's own order."""

    value: str
    sizes: tuple[Any, ...]
    where: Span | None


class _Nothing:
    """A block without fields, and settings that are not written."""

    name = ""
    span = Span(Source("", ""), 0, 0)

    def has(self, name: builtins.str) -> builtins.bool:
        return False

    def texts(self, name: builtins.str) -> list[builtins.str]:
        return []

    def spans(self, name: builtins.str) -> list[Span]:
        return []

    def span_of(self, *names: builtins.str) -> Span | None:
        return None

    def text_of(self, name: builtins.str) -> builtins.str:
        return ""

    @property
    def params(self) -> Block:
        return self

    def blocks(self, name: builtins.str) -> Sequence[Block]:
        return ()

    def int(self, name: builtins.str, default: builtins.int) -> builtins.int:
        return default

    def float(self, name: builtins.str, default: builtins.float) -> builtins.float:
        return default

    def bool(self, name: builtins.str, default: builtins.bool) -> builtins.bool:
        return default

    def str(self, name: builtins.str, default: builtins.str) -> builtins.str:
        return default

    def strs(self, name: builtins.str) -> list[builtins.str]:
        return []

    def message(self, name: builtins.str) -> Block | None:
        return None

    def messages(self, name: builtins.str) -> Sequence[Block]:
        return ()

    def around(self, place: Span) -> Block:
        return self

    def room(self, after: Sequence[builtins.str] = ()) -> tuple[Span, builtins.str]:
        return self.span, ""


NOTHING: Final = _Nothing()

Comments: TypeAlias = Callable[[], Iterable[tuple[Span, str]]]


def _no_shapes(layer: str) -> Iterable[StatedShape]:
    return ()


@record(frozen=True, slots=True)
class Written:
    """A layer, or a whole file, as its author wrote it; what its format lacks is NOTHING.

    `block` is a layer's block in a protobuf text, in today's words whatever the file's version,
    or the file's outermost one; `call` the call that makes the layer in source code. `fork_type`
    is the type, in today's words, of a layer that only forks of the framework have. `stored_at`
    says where the layer's arrays are in a file of arrays, `shapes` which shapes the file states
    for what the layer of that name reads. `comments` are a file's, with their texts. `node` is the
    node of an ONNX file that the layer is, or is a part of.
    """

    settings: Settings = NOTHING
    block: Block = NOTHING
    call: Call | None = None
    fork_type: str = ""
    stored_at: str = ""
    shapes: Callable[[str], Iterable[StatedShape]] = _no_shapes
    comments: Comments = tuple
    node: OnnxNode | None = None


SPELLINGS: Final = {
    "kernel_size": ("kernel_size",),
    "pad": ("padding",),
    "stride": ("stride", "strides"),
    "num_output": ("out_channels", "filters"),
    "group": ("groups",),
    "dilation": ("dilation", "dilation_rate", "dilations"),
}
"""Caffe's word for a setting -> the words of PyTorch and Keras for the same."""


def spelled_otherwise(*names: str) -> Iterable[str]:
    """The words of PyTorch and Keras for settings in Caffe's words, in their order."""
    return (other for name in names for other in SPELLINGS.get(name, (name,)))
