"""A model as people see it: in one line, as a table of its layers, as HTML in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final, TypeAlias

from upconv.converters.ir.dims import Size
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Layer, Model, Shape
from upconv.converters.ir.operators import Unknown

Row: TypeAlias = tuple[str, str, str, str]

TITLES: Final[Row] = ("layer", "operator", "input", "output")
"""Of the columns; sizes stand channels first, whatever the source has."""

WIDEST: Final = 60
"""Characters of a cell of the text table; what is longer is cut."""

LONGEST: Final = 200
"""Characters of the line."""


def line(model: Model) -> str:
    """A model in one line: its framework, how many layers it has, what goes in and comes out."""
    inputs = ", ".join(f"{entry.name} {shape_text(entry.shape)}" for entry in model.inputs)
    count = f"{len(model.layers)} layer{'' if len(model.layers) == 1 else 's'}"
    words = f"Model {model.name!r}, {model.framework or 'no framework'}, {count}"
    ends = f"{inputs or 'nothing'} -> {', '.join(model.outputs) or 'nothing'}"
    shown = _cut(_one_line(f"{words}: {ends}"), LONGEST)
    return f"<{shown}>"


def text(model: Model) -> str:
    """The line, and a row for every layer."""
    return "\n".join([line(model), *columns([TITLES, *rows_of(model)])])


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows of as many cells as lines, their cells below each other, long ones cut."""
    cells = [tuple(_cut(_one_line(cell), WIDEST) for cell in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)


def html(model: Model) -> str:
    """The line and the table. Names are a file's words, and may be HTML: they are escaped."""
    head = "".join(f"<th>{title}</th>" for title in TITLES)
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in rows_of(model))
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"<p><code>{escape(line(model))}</code></p>{table}"


def _cells(row: Row) -> str:
    return "".join(f"<td>{escape(cell)}</td>" for cell in row)


def rows_of(model: Model) -> Iterator[Row]:
    """Name, operator, and the shapes of inputs and outputs of every layer."""
    shapes = infer(model).shapes
    for layer in model.layers:
        inputs, outputs = (
            ", ".join(shape_text(shapes.get(value)) for value in values)
            for values in (layer.inputs, layer.outputs)
        )
        yield layer.name, _operator(layer), inputs, outputs


def _operator(layer: Layer) -> str:
    operator = layer.operator
    return f"Unknown {operator.type}" if isinstance(operator, Unknown) else type(operator).__name__


def shape_text(shape: Shape | None) -> str:
    """Sizes as --input takes them, formulas in parentheses; "?" where it is not known.

    >>> from upconv.converters.ir.dims import symbol
    >>> shape_text((1, 3, symbol("H"), symbol("H") // 2))
    '1x3xHx(floor(H/2))'
    """
    return "?" if shape is None else "x".join(map(_size, shape)) or "scalar"


def _size(size: Size) -> str:
    written = str(size)
    return written if written.isalnum() else f"({written})"


def _one_line(cell: str) -> str:
    """Without characters that would break the table."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in cell)


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else f"{cell[: width - 3]}..."
