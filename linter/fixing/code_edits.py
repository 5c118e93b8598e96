"""Edits of calls in Python source; in a notebook, of the JSON strings that hold them."""

from __future__ import annotations

from upconv.converters.ir.origin import Span
from upconv.converters.ir.written import Call
from upconv.linter.finding import Edit
from upconv.linter.fixing.edits import replace_span


def add_argument(call: Call, text: str) -> Edit:
    """A further keyword argument, `name=value`, behind those that are written."""
    span, before = call.room
    return replace_span(span, call.spelled(before + text))


def rename(call: Call, name: str) -> Edit | None:
    """Another function or class of the same module; None where the call does not name the
    module (`F.upsample` does, `upsample` does not)."""
    head, dot, last = call.callee.text.rpartition(".")
    if not dot or last != call.name or not head.replace(".", "").isidentifier():
        return None
    end = call.callee.end
    return replace_span(Span(call.callee.source, end - len(last), end), call.spelled(name))
