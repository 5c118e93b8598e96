"""Places in UTF-8, UTF-16 and UTF-32: laws that hold for any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upconv.service.lsp.documents import Document
from upconv.service.lsp.edits import differences
from upconv.service.lsp.positions import Lines

TEXTS = st.text(st.sampled_from("ab\U0001f600é\r\n\f\u2028\ud800"), max_size=12)
ENCODINGS = st.sampled_from(["utf-8", "utf-16", "utf-32"])


@given(TEXTS, ENCODINGS, st.integers(0, 12))
def test_a_place_leads_back_to_where_it_is_of(text: str, encoding: str, at: int) -> None:
    lines = Lines(text, encoding)
    at = min(at, len(text))
    inside = text[at - 1 : at + 1] == "\r\n" and at > 0
    assert lines.offset(lines.point(at)) == at - inside


@given(TEXTS, ENCODINGS, st.integers(0, 9), st.integers(0, 99))
def test_any_place_is_somewhere_in_its_line(
    text: str, encoding: str, line: int, units: int
) -> None:
    lines = Lines(text, encoding)
    at = lines.offset((line, units))
    assert 0 <= at <= len(text)
    if line < len(lines.starts):
        assert lines.point(at)[0] == line
        assert lines.point(at)[1] <= units


@given(TEXTS, TEXTS)
def test_differences_make_one_text_of_another(before: str, after: str) -> None:
    text = before
    for start, end, new in sorted(differences(before, after), reverse=True):
        text = text[:start] + new + text[end:]
    assert text == after


@pytest.mark.parametrize(
    ("uri", "language", "path"),
    [
        ("untitled:Untitled-1", "prototxt", "Untitled-1.prototxt"),
        ("file:///a%20b/n.py", "python", "/a b/n.py"),
        ("vscode-vfs://github/o/r/net.prototxt", "prototxt", "net.prototxt"),
    ],
)
def test_a_text_is_called_as_its_file_is(uri: str, language: str, path: str) -> None:
    assert Document(uri, 1, "", language=language).shot.path == path
