from __future__ import annotations

import json

import pytest

from tests.converters.readers.python_source.support import TORCH, read
from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.origin import Source
from upconv.converters.readers.python_source.notebook import cells


def notebook(*sources: str | list[str], indent: int | None = 1) -> str:
    found: list[dict[str, object]] = [
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": source} for source in sources
    ]
    text = {"cell_type": "markdown", "metadata": {}, "source": ["nn.Upsample(scale_factor=2)"]}
    return json.dumps({"cells": [text, *found], "nbformat": 4}, indent=indent)


def lines(code: str) -> list[str]:
    return code.splitlines(keepends=True)


@pytest.mark.parametrize("indent", [1, None])
def test_cells_share_their_names_and_know_their_places(indent: int | None) -> None:
    text = notebook(
        lines(TORCH + "K = 4"),
        lines('%time\ns = "\\"é\U0001f600"\nup = nn.ConvTranspose2d(8, 8, K, 2, 1)\n'),
        indent=indent,
    )
    (layer,) = read(text, "a.ipynb").layers
    span = layer.origin.span
    assert span is not None
    assert span.text == "nn.ConvTranspose2d(8, 8, K, 2, 1)"
    assert span.source.landmark(span.start) == "cell 3, line 3"
    assert span.source.text == text


def test_source_as_one_text() -> None:
    text = notebook(TORCH, 'q = "a"\nup = nn.Upsample(None, 2)')
    (layer,) = read(text, "a.ipynb").layers
    span = layer.origin.span
    assert span is not None
    assert span.text == "nn.Upsample(None, 2)"
    assert span.source.landmark(span.start) == "cell 3, line 2"


def test_every_character_knows_its_place() -> None:
    code = 'a = "tab\\t \\\\ é \U0001f600 \u2028"\n# end'
    text = notebook(lines(code))
    (cell,) = cells(Source("a.ipynb", text))
    assert cell.code == code
    for character, offset in zip(cell.code, cell.offsets, strict=False):
        raw = text[offset]
        assert raw in (character, "\\")


@pytest.mark.parametrize(
    ("source", "calls"),
    [
        ("!pip install torch\n%matplotlib inline\nnn.Upsample(None, 2)", 1),
        ("if True:\n    !ls\n    nn.Upsample(None, 2)", 1),
        ("nn.Upsample?\nnn.Upsample(None, 2)", 1),
        ("%%time\nnn.Upsample(None, 2)", 1),
        ("%%bash\nnn.Upsample(None, 2)", 0),
        ("files = !ls *.py\na[0], b = %timeit -o f(1)\nnn.Upsample(None, 2)", 1),
        ("if files != 'a' and 3 % 2:\n    nn.Upsample(None, 2)", 1),
        ("await f()\nnn.Upsample(None, 2)", 1),
    ],
)
def test_what_is_no_python(source: str, calls: int) -> None:
    assert len(read(notebook(TORCH, lines(source)), "a.ipynb").layers) == calls


def test_a_broken_cell_is_told_where_it_matters() -> None:
    text = notebook(TORCH, "print 1", "def f(:\n  nn.Upsample(None, 2)", "nn.Upsample(None, 2)")
    model = read(text, "a.ipynb")
    assert len(model.layers) == 1
    (notice,) = model.notices
    assert notice.kind == "unreadable-part"
    assert notice.error.where is not None
    assert notice.error.where.source.landmark(notice.error.where.start) == "cell 4, line 1"


def test_comments_and_counts() -> None:
    text = notebook(TORCH, lines("# upconv: ignore[UP107] meant\nnn.ConvTranspose2d(8, 8, k)"))
    comments = read(text, "a.ipynb").origin.written.comments()
    assert [words for _, words in comments] == ["upconv: ignore[UP107] meant"]
    where = read(text, "a.ipynb").notices[0].error.where
    assert where is not None
    assert "cell 3, line 2" in where.source.landmark(where.start)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"cells": 3, "x": ' + "[" * 5000, "null"])
def test_what_is_no_notebook(text: str) -> None:
    with pytest.raises(UnreadableError):
        read(text, "a.ipynb")
