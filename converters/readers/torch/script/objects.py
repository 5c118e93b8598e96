"""The attributes and constants of a TorchScript archive: its pickles, as inert values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.stored import StoredTensor
from upconv.converters.readers.files.torch_archive import Archive
from upconv.converters.readers.torch.script.code import Code
from upconv.converters.readers.torch.script.tensor_calls import TensorCalls
from upconv.converters.readers.torch.script.values import Device, Number, Object, Unsure, Value
from upconv.converters.readers.torch.state.checkpoint import from_archive
from upconv.converters.readers.torch.state.pickles import Global, Inert

CONSTANTS: Final = "constants.pkl"
CODE_PREFIX: Final = "__torch__"
MAX_DEPTH: Final = 64

_WRAPPED: Final = frozenset(
    f"torch.jit._pickle.{name}"
    for name in (
        "restore_type_tag",
        "build_intlist",
        "build_doublelist",
        "build_boollist",
        "build_tensorlist",
    )
)
"""Calls around a value whose type a pickle alone would lose: their first argument is it."""


class Objects:
    """The archive's root module and constants, and what is below them.

    Raises UnreadableError where a pickle is malformed, or what the code names is not in it.
    """

    def __init__(self, archive: Archive, code: Code, calls: TensorCalls) -> None:
        self._path = archive.path
        self._code = code
        self._calls = calls
        self._data = from_archive(archive)
        self._constants = (
            from_archive(archive, CONSTANTS, "constants/") if CONSTANTS in archive else None
        )
        self._decoded: dict[int, Value] = {}

    def root(self) -> Object:
        """The module that was saved."""
        value = self._data.value
        if not isinstance(value, Inert) or not _is_object(value):
            raise UnreadableError("the archive holds no TorchScript module", path=self._path)
        return Object("", value.path, value)

    def constant(self, name: str) -> Value:
        """CONSTANTS.c0 and the like."""
        listed = self._constants.value if self._constants is not None else ()
        number = name.removeprefix("c")
        known = isinstance(listed, tuple | list) and number.isascii() and number.isdigit()
        if not known or len(number) > 9 or int(number) >= len(listed):
            raise UnreadableError(
                f"the code reads the constant '{name[:80]}', which is missing", path=self._path
            )
        return self._value(listed[int(number)], f"constant_{number}", self._constants, 0)

    def attribute(self, owner: Object, name: str) -> Value:
        """What an object has under a name, which its class may say for all of its objects."""
        if name in owner.changed:
            return owner.changed[name]
        state = owner.pickled.state
        if isinstance(state, Mapping) and name in state:
            path = f"{owner.path}.{name}" if owner.path else name
            return self._value(state[name], path, self._data, 0)
        constants = self._code.class_of(owner.type).constants
        if name in constants:
            return constants[name]
        raise UnreadableError(
            f"the code reads '{name[:80]}' of '{owner.path or owner.type}', which has none",
            path=self._path,
        )

    def _value(self, pickled: Any, name: str, source: Any, depth: int) -> Value:
        if depth > MAX_DEPTH:
            raise UnreadableError(f"the attribute '{name[:200]}' is nested too deeply",
                                  path=self._path)  # fmt: skip
        if isinstance(pickled, Inert):
            return self._inert(pickled, name, source, depth)
        if isinstance(pickled, list | tuple):
            parts = [
                self._value(one, f"{name}.{index}", source, depth + 1)
                for index, one in enumerate(pickled)
            ]
            return tuple(parts) if isinstance(pickled, tuple) else parts
        if isinstance(pickled, dict):
            return {
                key: self._value(one, f"{name}.{key}"[:500], source, depth + 1)
                for key, one in pickled.items()
            }
        if pickled is None or isinstance(pickled, bool | int | float | str):
            return pickled
        return Unsure(f"the attribute {name} is of a kind that is not known")

    def _inert(self, pickled: Inert, name: str, source: Any, depth: int) -> Value:
        arguments = pickled.arguments
        if pickled.path in _WRAPPED and isinstance(arguments, tuple) and arguments:
            return self._value(arguments[0], name, source, depth + 1)
        if pickled.path == "torch.device":
            return Device("cpu")
        if id(pickled) not in self._decoded:
            self._decoded[id(pickled)] = self._object(pickled, name, source)
        return self._decoded[id(pickled)]

    def _object(self, pickled: Inert, name: str, source: Any) -> Value:
        tensor: StoredTensor | None = source.tensor(pickled, name)
        if tensor is None:
            known = _is_object(pickled)
            reason = f"the attribute {name} is of a kind that is not known"
            return Object(name, pickled.path, pickled) if known else Unsure(reason)
        if tensor.shape:
            return self._calls.stored(name, tensor)
        number = tensor.number()
        return Number(number, single=isinstance(number, float))


def _is_object(value: Inert) -> bool:
    callee = value.callee
    return isinstance(callee, Global) and callee.module.partition(".")[0] == CODE_PREFIX
