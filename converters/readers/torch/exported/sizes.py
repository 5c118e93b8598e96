"""The sizes of an exported program: letters at its inputs, sizes of its inputs everywhere else.

The file's own symbols (s53) mean nothing to anyone. An input's open axis is called N, H or W; and
whatever is computed from it refers to that axis, so that no size is baked in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from upconv.converters.ir.dims import Like, Size, Symbol, invert, leaves, like, substitute, symbol
from upconv.converters.ir.errors import UnsupportedError, UpconvError
from upconv.converters.ir.model import Shape
from upconv.converters.readers.torch.aten.letters import letter
from upconv.converters.readers.torch.exported.expressions import parse_size
from upconv.converters.readers.torch.exported.schema import Program, SizeRef

MAX_TEXT: Final = 1 << 20
"""Characters of all different size expressions of a program together."""


class Sizes:
    """Turns the expressions of one program into sizes.

    Inputs come first: they decide what the symbols are. Raises UnsupportedError, with the file's
    path, for an expression that is none or depends on the data.
    """

    def __init__(self, program: Program, path: str) -> None:
        self._program = program
        self._path = path
        self._known: dict[str, Size] = {}
        self._length = 0
        self._letters: dict[str, Size] = {}
        self._symbols: dict[str, Size] = {}

    def of_input(self, name: str, sizes: tuple[int | str, ...]) -> Shape:
        """The shape of an input, in letters."""
        return tuple(self._axis(name, axis, sizes) for axis in range(len(sizes)))

    def of_tensor(self, name: str) -> Shape | None:
        """The sizes of any tensor in terms of the inputs' axes; None where the file says none."""
        meta = self._program.tensors.get(name)
        if meta is None:
            return None
        return tuple(one if isinstance(one, int) else self._once(one) for one in meta.sizes)

    def of_number(self, reference: SizeRef) -> Size:
        """What a symbolic integer is, in terms of the inputs' axes."""
        written = self._program.sizes.get(reference.name)
        if written is None:
            raise UnsupportedError(f"the number '{reference.name}' is not in the file")
        return written if isinstance(written, int) else self._once(written)

    def _once(self, text: str) -> Size:
        """An expression in terms of the inputs' axes, parsed where it first stands."""
        if text not in self._known:
            self._known[text] = self._parse(text, self._symbol)
        return self._known[text]

    def _axis(self, name: str, axis: int, sizes: tuple[int | str, ...]) -> Size:
        text = sizes[axis]
        if isinstance(text, int):
            return text
        plain = self._parse(text, symbol)
        for leaf in leaves(plain):
            if isinstance(leaf, Symbol):
                self._name(leaf.name, plain, name, axis, len(sizes))
        return substitute(plain, self._letter_of)

    def _letter_of(self, leaf: Symbol | Like) -> Size | None:
        return self._letters.get(leaf.name) if isinstance(leaf, Symbol) else None

    def _name(self, known: str, plain: Size, tensor: str, axis: int, rank: int) -> None:
        """A symbol is named after the first axis it stands in, and is what that axis says."""
        if known not in self._letters:
            taken = set(map(str, self._letters.values()))
            self._letters[known] = symbol(letter(axis, rank, taken))
        if known not in self._symbols:
            inverse = invert(plain, known, like(tensor, axis))
            if inverse is not None:
                self._symbols[known] = inverse

    def _parse(self, text: str, symbols: Callable[[str], Size]) -> Size:
        self._length += len(text)
        if self._length > MAX_TEXT:
            raise UnsupportedError("its size expressions are too long to be read", path=self._path)
        try:
            return parse_size(text, symbols)
        except UpconvError as error:
            error.path = error.path or self._path
            raise

    def _symbol(self, name: str) -> Size:
        if name not in self._symbols:
            raise UnsupportedError(
                f"a size ({name}) depends on the data, not on the inputs' sizes", path=self._path
            )
        return self._symbols[name]
