"""Two thousand edits at random: the server's text stays the editor's, its findings a check's."""

from __future__ import annotations

import random
import re
from hashlib import blake2b
from pathlib import Path

from lsprotocol import types

from tests.service.lsp.editor import Editor, editor, offset
from tests.support import ROOT
from upconv.converters.ir.origin import Source
from upconv.linter.running.engine import CheckOptions, check_source

EDITS = 2000
EVERY = 50
CASE = ROOT / "fixtures" / "rules" / "UP201" / "bad.prototxt"
PIECES = (
    "\U0001f600", "é", "\u2028", "\f", "\x85", "\r\n", "\n", "\r", "{", "}", '"', "# ", "pad: 1",
    "layer {\r\n", "}\n", 'top: "\U0001d11e"', "kernel_size: 3\n", "stride: 2", " ", "",
    '  weight_filler { type: "bilinear" }\n', "# upconv: ignore[UP201] so be it\n",
)  # fmt: skip
BREAK = re.compile(r"\r\n|\r|\n")


def position(text: str, at: int) -> types.Position:
    """The place of an offset, with the line found by its breaks and the units by encoding."""
    breaks = [match.end() for match in BREAK.finditer(text) if match.end() <= at]
    start = breaks[-1] if breaks else 0
    units = len(text[start:at].encode("utf-16-le")) // 2
    return types.Position(len(breaks), units)


def spot(text: str, dice: random.Random) -> int:
    """Somewhere in a text, but not inside of a line break."""
    return outside(text, dice.randint(0, len(text)))


def outside(text: str, at: int) -> int:
    """An offset, but the line's end in place of one that lies inside of its break."""
    return at - 1 if at and text[at - 1 : at + 1] == "\r\n" else at


def edited(text: str, dice: random.Random) -> tuple[str, types.TextDocumentContentChangePartial]:
    """A text after one edit as people make them, and the edit; now and then its place lies behind
    the line's end, which means the end."""
    start = spot(text, dice)
    length = dice.choice((0, 0, 0, 1, 1, 5, 40))
    end = max(start, spot(text[: start + length], dice)) if length else start
    new = dice.choice(PIECES)
    where = types.Range(position(text, start), position(text, end))
    line_end = BREAK.search(text, end)
    if (line_end is None or line_end.start() == end) and dice.random() < 0.5:
        where.end.character += 7
        if start == end:
            where.start.character += 7
    return text[:start] + new + text[end:], types.TextDocumentContentChangePartial(where, new)


def compare(session: Editor, uri: str, path: Path, text: str) -> int:
    """Hold the server against a fresh check of the editor's text; how much there is to find."""
    known = session.ask(
        types.WORKSPACE_EXECUTE_COMMAND, types.ExecuteCommandParams("upconv.state", [uri])
    )
    digest = blake2b(text.encode("utf-8"), digest_size=16).hexdigest()
    assert (known["digest"], known["characters"]) == (digest, len(text))
    report = check_source(Source(str(path), text), CheckOptions(root=path.parent), named=False)
    found = session.findings(uri)
    assert [one.code for one in found] == [one.code for one in report.findings]
    for one, fresh in zip(found, report.findings, strict=True):
        assert fresh.message in one.message
        assert (one.data or {})["fingerprint"] == fresh.fingerprint
        if fresh.place is not None and report.source is not None:
            starts, place = report.source.line_starts, fresh.place
            first = starts[place.line - 1] + place.column - 1
            last = starts[place.end_line - 1] + place.end_column - 1
            assert offset(text, one.range.start) == outside(text, first)
            assert offset(text, one.range.end) == outside(text, last)
    return len(found)


def test_edits_at_random(tmp_path: Path) -> None:
    dice = random.Random(20)
    original = CASE.read_text(encoding="utf-8").replace("\n", "\r\n")
    path, text = tmp_path.resolve() / "net.prototxt", original
    found = 0
    with editor(path.parent) as session:
        uri = session.open(path, text)
        for number in range(1, EDITS + 1):
            changes: list[types.TextDocumentContentChangeEvent] = []
            for _ in range(dice.choice((1, 1, 1, 3))):
                text, change = edited(text, dice)
                changes.append(change)
            if number % 200 == 0:
                text = original
                changes.append(types.TextDocumentContentChangeWholeDocument(text))
            session.change(uri, changes)
            if number % EVERY == 0:
                found += compare(session, uri, path, text)
    assert found > EDITS // EVERY, "there was something to find"
