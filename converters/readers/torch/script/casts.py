"""Values as conditions, as numbers of another kind, and told by their types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from upconv.converters.ir.dims import Dim
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.readers.torch.aten.calls import TensorRef
from upconv.converters.readers.torch.aten.ratios import Ratio
from upconv.converters.readers.torch.script import numbers, plain
from upconv.converters.readers.torch.script.values import Number, Unsure, Value

CASTS: Final = {"int": "Int", "float": "Float", "bool": "Bool", "str": "str"}
"""Python's words for what TorchScript's functions do."""


def cast(name: str, value: Value) -> Value:
    """int(), float(), bool() or str() of a value."""
    if isinstance(value, TensorRef):
        return Unsure("it depends on the data of a tensor")
    if isinstance(value, Unsure):
        return Unsure(value.reason)
    value = value.value if isinstance(value, Number) else value
    if isinstance(value, str) and name in _PARSED:
        value = _parsed(name, value)
    return plain.call(CASTS[name], [value], {})


_PARSED: Final[Mapping[str, Callable[[str], float]]] = {"int": int, "float": float}


def _parsed(name: str, text: str) -> float:
    try:
        return _PARSED[name](text)
    except ValueError:
        raise UnsupportedError(f"the number of the text '{text:.40}'") from None


def is_of(value: Value, kind: str) -> Value:
    """isinstance by the name of the type, as far as values have types here."""
    if isinstance(value, Unsure):
        return Unsure(value.reason)
    for name, types in _KINDS.items():
        if kind.startswith(name):
            return isinstance(value, types)
    return Unsure("of which type it is, is not known")


_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "Tensor": (TensorRef, Number),
    "int": (int, Dim),
    "List": (list,),
    "Dict": (dict,),
    "Tuple": (tuple,),
    "NoneType": (type(None),),
    "str": (str,),
    "bool": (bool,),
    "float": (float, Ratio),
}


def truth(value: Value) -> bool | Unsure:
    """A value as a condition; Unsure where it is only known when the network runs."""
    if isinstance(value, Number):
        value = value.value
    if isinstance(value, bool | int | float):
        return bool(value)
    if isinstance(value, Unsure):
        return value
    return Unsure(
        numbers.OPEN if isinstance(value, Dim | Ratio) else "it depends on the data of a tensor"
    )
