"""Element types of tensors, as files name them and as NumPy has them."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from upconv.converters.ir.records import record

Kind: TypeAlias = Literal["float", "int", "bool", "other"]
"""What the numbers of a tensor are; "other" are none."""

_KINDS: Final[dict[str, Kind]] = {"f": "float", "b": "bool", "i": "int", "u": "int"}


def kind_of(letter: str, default: Kind = "other") -> Kind:
    """What numbers are by NumPy's letter for them.

    >>> kind_of("u"), kind_of("")
    ('int', 'other')
    """
    return _KINDS.get(letter, default)


@record(frozen=True, slots=True)
class DType:
    """An element type: its name, how its values lie in a file (NumPy's words, "" for what is no
    number), and the field of a TensorProto that lists them."""

    name: str
    numpy: str = ""
    values: str = ""

    @property
    def kind(self) -> Kind:
        """What its numbers are; NumPy has no bfloat16 and sees its bits."""
        return "float" if self.name == "bfloat16" else kind_of(self.numpy[1:2])

    @property
    def item_size(self) -> int:
        """Bytes of one value."""
        return int(self.numpy[2:])
