"""A pickle machine whose globals and calls are records: it imports nothing and calls nothing.

The opcodes are those of Python's pickle protocols 0 to 5 (Lib/pickletools.py). What a pickle would
build by a call stays an `Inert` record of that call. Sizes, counts and depths are bounded, and
nothing here recurses over what a pickle nests.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.quiet import quietly
from upconv.converters.readers.files.budgets import PICKLE, WHOLE_BITS, Meter

MAX_BITS: Final = 256
"""Of a whole number; the longest that PyTorch writes, its magic number, has 80."""
MAX_MEMO: Final = 1 << 32
MAX_LINE: Final = 1 << 16
MAX_GLOBALS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Global:
    """A name that a pickle asks to import; it is never imported."""

    module: str
    name: str

    @property
    def path(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, slots=True, eq=False)
class Persistent:
    """A reference to something outside of the pickle: a tensor's storage, a module's source."""

    key: Any


@dataclass(slots=True, eq=False)
class Inert:
    """What a pickle would make by a call: of what, with which arguments, and what is put in."""

    callee: Any
    arguments: Any
    state: Any = None
    items: list[tuple[Any, Any]] = field(default_factory=list)
    elements: list[Any] = field(default_factory=list)

    @property
    def path(self) -> str:
        """The dotted name of what is called; "" where that is computed itself.

        Before archives, PyTorch wrote a module's class together with its source text.
        """
        callee = self.callee
        if isinstance(callee, Persistent) and isinstance(callee.key, tuple) and len(callee.key) > 1:
            callee = callee.key[1] if callee.key[0] == "module" else None
        return callee.path if isinstance(callee, Global) else ""


@dataclass(frozen=True, slots=True)
class Pickled:
    """The value of one pickle, the globals it names, and where it ends."""

    value: Any
    names: tuple[Global, ...]
    end: int


class _Mark:
    pass


_MARK: Final = _Mark()
_SCALARS: Final = (str, int, float, bytes, bool, type(None))


def run(view: memoryview, path: str, start: int = 0, meter: Meter | None = None) -> Pickled:
    """Run the pickle that begins at a byte; pickles of one file share a meter.

    Raises UnreadableError where it is truncated, malformed or larger than files of weights are.
    """
    stream = _Stream(view, start)
    machine = _Machine(path)
    spend = (meter or meter_of(path)).spend
    try:
        with quietly():  # of odd escapes in texts
            for name, argument in _opcodes(stream):
                spend()
                machine.step(name, argument)
        value = machine.value()
    except _BrokenError as error:
        raise UnreadableError(
            f"not a readable pickle: {error}", path=path, hint="is the file complete?"
        ) from None
    return Pickled(value, tuple(machine.names), stream.tell())


def meter_of(path: str) -> Meter:
    """What counts the opcodes of a file, and the entries of what they make."""

    def fail(message: str) -> NoReturn:
        raise UnreadableError(message, path=path)

    return Meter(PICKLE, fail)


class _BrokenError(Exception):
    """Why a pickle cannot be followed."""


def _opcodes(stream: Any) -> Iterator[tuple[str, Any]]:
    """The opcodes of a pickle and their arguments, as pickletools reads them."""
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            yield opcode.name, argument
    except (ValueError, IndexError, KeyError, OverflowError) as error:
        short = " ".join(str(error).split())[:120]
        raise _BrokenError(short or type(error).__name__) from None


class _Stream:
    """The little of a file that `genops` asks for, over a view, with bounds."""

    def __init__(self, view: memoryview, start: int) -> None:
        self._view = view
        self._at = start
        self._left = 4 * PICKLE.bytes

    def tell(self) -> int:
        return self._at

    def read(self, size: int) -> bytes:
        self._left -= size
        if not 0 <= size <= PICKLE.bytes or self._left < 0:
            raise _BrokenError(f"texts of more than {PICKLE.bytes} bytes")
        data = bytes(self._view[self._at : self._at + size])
        self._at += len(data)
        return data

    def readline(self) -> bytes:
        data = bytes(self._view[self._at : self._at + MAX_LINE])
        line = data[: data.find(b"\n") + 1]
        self._at += len(line)
        return line


class _Machine:
    """The stack, the memo and the globals of one pickle."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.names: dict[Global, None] = {}

    def fail(self, message: str) -> NoReturn:
        raise UnreadableError(message, path=self.path)

    def value(self) -> Any:
        if len(self.stack) != 1:
            raise _BrokenError("its stack does not end with one value")
        return self.stack[0]

    def step(self, name: str, argument: Any) -> None:
        if name in _PUSHED:
            if isinstance(argument, int) and argument.bit_length() > MAX_BITS:
                self.fail(f"a pickle with a whole number of more than {MAX_BITS} bits")
            self.stack.append(argument)
            return
        act = _ACTIONS.get(name)
        if act is None:
            self.fail(f"the pickle's opcode {name} is not used by PyTorch")
        act(self, argument)

    def pop(self) -> Any:
        value = self.top()
        del self.stack[-1]
        return value

    def top(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise _BrokenError("a value is missing on its stack")
        return self.stack[-1]

    def marked(self) -> list[Any]:
        """What lies above the last mark, which goes too."""
        at = len(self.stack) - 1
        while at >= 0 and self.stack[at] is not _MARK:
            at -= 1
        if at < 0:
            raise _BrokenError("a mark is missing on its stack")
        values = self.stack[at + 1 :]
        del self.stack[at:]
        return values

    def name(self, module: Any, name: Any) -> Global:
        if not isinstance(module, str) or not isinstance(name, str):
            raise _BrokenError("a global without a name")
        found = Global(module[:200], name[:200])
        self.names[found] = None
        if len(self.names) > MAX_GLOBALS:
            self.fail(f"a pickle that names more than {MAX_GLOBALS} globals")
        return found


def _enter(target: Any, pairs: list[tuple[Any, Any]]) -> None:
    """Put items into a dict or a stand-in; keys that are no plain values are kept apart, and so
    are large numbers, which can all be made to hash alike."""
    if isinstance(target, Inert):
        target.items.extend(pairs)
    elif isinstance(target, dict):
        for key, value in pairs:
            plain = isinstance(key, _SCALARS)
            if isinstance(key, int) and key.bit_length() > WHOLE_BITS:
                plain = False
            target[key if plain else object()] = value
    else:
        raise _BrokenError("items for what is no dict")


def _extend(target: Any, values: list[Any]) -> None:
    if isinstance(target, Inert):
        target.elements.extend(values)
    elif isinstance(target, list):
        target.extend(values)
    else:
        raise _BrokenError("elements for what is no list")


def _pairs(values: list[Any]) -> list[tuple[Any, Any]]:
    if len(values) % 2:
        raise _BrokenError("a key without a value")
    return list(zip(values[::2], values[1::2], strict=True))


def _push(make: Callable[[_Machine], Any]) -> Callable[[_Machine, Any], None]:
    def act(machine: _Machine, argument: Any) -> None:
        machine.stack.append(make(machine))

    return act


def _tuple(size: int) -> Callable[[_Machine, Any], None]:
    def act(machine: _Machine, argument: Any) -> None:
        values = [machine.pop() for _ in range(size)]
        machine.stack.append(tuple(reversed(values)))

    return act


def _put(machine: _Machine, index: int) -> None:
    if not 0 <= index < MAX_MEMO:
        raise _BrokenError("a place in the memo that no pickler gives")
    machine.memo[index] = machine.top()


def _memoize(machine: _Machine, argument: Any) -> None:
    machine.memo[len(machine.memo)] = machine.top()


def _get(machine: _Machine, index: int) -> None:
    if index not in machine.memo:
        raise _BrokenError(f"its memo has no entry {index}")
    machine.stack.append(machine.memo[index])


def _append(machine: _Machine, argument: Any) -> None:
    value = machine.pop()
    _extend(machine.top(), [value])


def _appends(machine: _Machine, argument: Any) -> None:
    values = machine.marked()
    _extend(machine.top(), values)


def _set_item(machine: _Machine, argument: Any) -> None:
    value, key = machine.pop(), machine.pop()
    _enter(machine.top(), [(key, value)])


def _set_items(machine: _Machine, argument: Any) -> None:
    values = machine.marked()
    _enter(machine.top(), _pairs(values))


def _dict(machine: _Machine, argument: Any) -> None:
    made: dict[Any, Any] = {}
    _enter(made, _pairs(machine.marked()))
    machine.stack.append(made)


def _global(machine: _Machine, argument: str) -> None:
    module, _, name = argument.partition(" ")
    machine.stack.append(machine.name(module, name))


def _stack_global(machine: _Machine, argument: Any) -> None:
    name, module = machine.pop(), machine.pop()
    machine.stack.append(machine.name(module, name))


def _reduce(machine: _Machine, argument: Any) -> None:
    arguments, callee = machine.pop(), machine.pop()
    machine.stack.append(Inert(callee, arguments))


def _new_with_keywords(machine: _Machine, argument: Any) -> None:
    keywords, arguments, callee = machine.pop(), machine.pop(), machine.pop()
    machine.stack.append(Inert(callee, arguments, keywords))


def _instance(machine: _Machine, argument: str) -> None:
    module, _, name = argument.partition(" ")
    values = tuple(machine.marked())
    machine.stack.append(Inert(machine.name(module, name), values))


def _object(machine: _Machine, argument: Any) -> None:
    values = machine.marked()
    if not values:
        raise _BrokenError("an object of no class")
    machine.stack.append(Inert(values[0], tuple(values[1:])))


def _build(machine: _Machine, argument: Any) -> None:
    state = machine.pop()
    target = machine.top()
    if isinstance(target, Inert):
        target.state = state


def _pop(machine: _Machine, argument: Any) -> None:
    if not machine.stack:
        raise _BrokenError("a value is missing on its stack")
    machine.stack.pop()


def _pop_mark(machine: _Machine, argument: Any) -> None:
    machine.marked()


# fmt: off
_PUSHED: Final = frozenset(
    {
        "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
        "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
        "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
    }
)
# fmt: on

_ACTIONS: Final[dict[str, Callable[[_Machine, Any], None]]] = {
    "PROTO": lambda machine, argument: None,
    "FRAME": lambda machine, argument: None,
    "STOP": lambda machine, argument: None,
    "MARK": _push(lambda machine: _MARK),
    "POP": _pop,
    "POP_MARK": _pop_mark,
    "DUP": _push(lambda machine: machine.top()),
    "NONE": _push(lambda machine: None),
    "NEWTRUE": _push(lambda machine: True),
    "NEWFALSE": _push(lambda machine: False),
    "EMPTY_TUPLE": _push(lambda machine: ()),
    "EMPTY_LIST": _push(lambda machine: []),
    "EMPTY_DICT": _push(lambda machine: {}),
    "EMPTY_SET": _push(lambda machine: []),
    "TUPLE": _push(lambda machine: tuple(machine.marked())),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "LIST": _push(lambda machine: machine.marked()),
    "FROZENSET": _push(lambda machine: machine.marked()),
    "DICT": _dict,
    "APPEND": _append,
    "APPENDS": _appends,
    "ADDITEMS": _appends,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "PUT": _put,
    "BINPUT": _put,
    "LONG_BINPUT": _put,
    "MEMOIZE": _memoize,
    "GET": _get,
    "BINGET": _get,
    "LONG_BINGET": _get,
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _reduce,
    "NEWOBJ": _reduce,
    "NEWOBJ_EX": _new_with_keywords,
    "INST": _instance,
    "OBJ": _object,
    "BUILD": _build,
    "PERSID": lambda machine, argument: machine.stack.append(Persistent(argument)),
    "BINPERSID": _push(lambda machine: Persistent(machine.pop())),
}
