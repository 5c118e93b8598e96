"""Edits of calls in Python source; in a notebook, of the JSON strings that hold them."""

from __future__ import annotations

from upconv.converters.ir.origin import Span
from upconv.converters.readers.python_source.call import Call
from upconv.linter.finding import Edit


def add_argument(call: Call, text: str) -> Edit:
    """A further keyword argument, `name=value`, behind those that are written."""
    span, before = call.room
    return _edit(span, before + text, call)


def rename(call: Call, name: str) -> Edit | None:
    """Another function or class of the same module; None where the call does not name the
    module (`F.upsample` does, `upsample` does not)."""
    head, dot, last = call.callee.text.rpartition(".")
    if not dot or last != call.name or not head.replace(".", "").isidentifier():
        return None
    end = call.callee.end
    return _edit(Span(call.callee.source, end - len(last), end), name, call)


def _edit(span: Span, text: str, call: Call) -> Edit:
    if call.fragment.escaped:
        import json

        text = json.dumps(text, ensure_ascii=False)[1:-1]
    position = span.source.position
    return Edit(*position(span.start), *position(span.end), text)
