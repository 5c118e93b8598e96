"""From text to tree: one regular expression takes whole items, and rarities go piece by piece.

Most of a file is `name: scalar`, `name {` and `}`; `_Parser._run` reads those in one loop over
the matches of a single pattern. Where the pattern says OTHER, `_rare` reads what it leaves out
(lists, extension names, adjacent strings, signs set apart) or reports what is wrong and resumes
at the next place that looks like a field or a brace.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import Final, NoReturn

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.origin import Source, Span
from upconv.converters.ir.records import record
from upconv.converters.ir.source import Piece
from upconv.converters.readers.files.budgets import PROTOBUF_TEXT, Budget, Meter
from upconv.converters.readers.files.prototxt import diagnosis, grammar
from upconv.converters.readers.files.prototxt.diagnosis import Problem
from upconv.converters.readers.files.prototxt.tree import Message, Scalar, ValueList

MAX_ERRORS: Final = 100

_FINISHED: Final = -1

_SWALLOWED: Final = 1
"""How deep pieces may stand: a block whose brace is still to be typed swallows those behind it."""

_CLOSER: Final = grammar.CLOSER
_COMMON: Final = (grammar.SCALAR, (grammar.BARE_OPEN, grammar.COLON_OPEN), grammar.CLOSE)

_OFTEN: Final = 1000
"""Items after which what they cost is counted: one by one takes a tenth of the time."""

_NEXT: Final = "\nlayer"
"""What a piece lasts up to: the line on which the next block begins."""


@record(frozen=True, slots=True)
class ParseResult:
    """What could be read, and every error in the order of the file."""

    root: Message
    errors: list[UnreadableError]


def parse(source: Source, budget: Budget = PROTOBUF_TEXT) -> ParseResult:
    """The tree of any text within its budget; raises UnreadableError for more fields than that.

    Where `errors` is not empty the tree holds what could be understood around them. After
    MAX_ERRORS errors, or at a block nested deeper than the budget's depth, reading stops. The
    parser itself does not recurse; the depth lets whoever walks the tree recurse without fear.

    >>> parse(Source("a", "pad: 1 pad: 2")).root.ints("pad")
    [1, 2]
    """
    parser = _Parser(source, budget)
    parser.run()
    parser.errors.sort(key=lambda error: error.where.start if error.where else 0)
    return ParseResult(parser.root, parser.errors)


def _refuse(source: Source, message: str) -> NoReturn:
    raise UnreadableError(message, path=source.path, hint="no real model has as many")


class _Stop(Exception):
    """Nothing more is to be read."""


class _Parser:
    """The state of one parse.

    `stack` holds the open messages around `current`, outermost first, each with the list, if
    any, of which the message inside it is an element.
    """

    def __init__(self, source: Source, budget: Budget) -> None:
        self.source = source
        self.text = source.text
        self.meter = Meter(budget, partial(_refuse, source))
        self.errors: list[UnreadableError] = []
        self.root = Message(source, "", 0, 0)
        self.root.last = len(self.text)
        self.current = self.root
        self.stack: list[tuple[Message, ValueList | None]] = []
        self.in_conflict = False
        self.pieces = source.pieces if source.kept is None else None
        self.fruitless = 0

    def run(self) -> None:
        """Read everything, and report the blocks left open."""
        at = 1 if self.text.startswith("\ufeff") else 0
        if self.pieces is not None:
            self.pieces.read_again(self.source)
        try:
            while at != _FINISHED:
                at = self._items(at)
            for message in self._open_messages():
                message.last = len(self.text)
                self._error(diagnosis.unclosed(self.text, message.start, message.name))
        except _Stop:
            for message in self._open_messages():
                message.last = len(self.text)

    # The common items.

    def _items(self, at: int) -> int:
        """Read items from `at` on, until one needs another look; returns where to go on."""
        source, stack, pieces = self.source, self.stack, self.pieces
        deepest = self.meter.budget.depth
        scalar, opens, close = _COMMON
        add = self.current.entries.append
        read = 0
        try:
            for match in grammar.ITEM.finditer(self.text, at):
                read += 1
                if read == _OFTEN:
                    self.meter.spend(read)
                    read = 0
                item = match.lastindex
                if item == scalar:
                    start, end = match.span(2)
                    add(Scalar(source, match[1], match.start(1), start, end))
                elif item in opens:
                    if pieces is not None:
                        after = self._known(match.start())
                        if after != match.start():
                            read -= 1  # for the head of the first, which is counted there
                            return after
                    message = Message(source, match[1], match.start(1), match.start(item))
                    add(message)
                    if len(stack) >= deepest:
                        self._enter(message)  # which says that this is too deep
                    stack.append((self.current, None))
                    self.current = message
                    add = message.entries.append
                else:
                    is_end = item == close
                    after = self._close(match.end() - 1) if is_end else self._rarer(item, match)
                    if after != match.end():
                        return after
                    add = self.current.entries.append
            return _FINISHED
        finally:
            self.meter.spend(read)

    def _rarer(self, item: int | None, match: re.Match[str]) -> int:
        """Read an item that is no scalar and neither end of a block; returns where to go on."""
        if item == grammar.SEPARATOR:
            self._separator(match.start(item))
            return match.end()
        return _FINISHED if item == grammar.END else self._rare(match.end())

    def _enter(self, message: Message, owner: ValueList | None = None) -> None:
        """Open a block, which is an element of `owner` if that is a list."""
        self.stack.append((self.current, owner))
        self.current = message
        if len(self.stack) > self.meter.budget.depth:
            self._error(diagnosis.too_deep(message.start, self.meter.budget.depth))
            raise _Stop

    def _close(self, at: int) -> int:
        """Close the current block at the brace `at`; returns where to go on."""
        text, current, stack = self.text, self.current, self.stack
        opener = text[current.first] if stack else ""
        if not opener or _CLOSER[opener] != text[at]:
            if diagnosis.CONFLICT.match(text, at):
                return self._recover(diagnosis.wrong_name(text, at))
            self._error(diagnosis.wrong_closer(text, at, opener, current.name))
        if not opener:
            return at + 1
        current.last = at + 1
        self.current, owner = stack.pop()
        return at + 1 if owner is None else self._list_goes_on(owner, at + 1)

    def _separator(self, at: int) -> None:
        """A ',' or ';' may stand once after a field."""
        entries = self.current.entries
        if not entries or self._skip(entries[-1].end) != at:
            self._error(diagnosis.extra_separator(self.text, at))

    # What was read before.

    def _known(self, at: int) -> int:
        """Take the blocks from `at` on that were read before, or are read now to be remembered;
        returns where to go on.

        Read by itself, a text of one whole block gives what it gives in its place: no item looks
        beyond the block's last brace, what follows that is space and comments, and nothing around
        it changes what is right.
        """
        pieces, text, entries = self.pieces, self.text, self.current.entries
        assert pieces is not None
        if len(self.stack) > _SWALLOWED:
            return at
        while at >= self.fruitless and (head := grammar.LAYER.match(text, at)):
            pieces.alive()
            start = head.start(1)
            end = text.find(_NEXT, head.end())
            end = len(text) if end < 0 else end
            words = text[start:end]
            piece = pieces.place(words, start, self._piece)
            if piece is None:
                self.fruitless = end
                break
            self.meter.spend(piece.steps)
            entries.append(piece.node)
            at = end
        return at

    def _piece(self, words: str) -> Piece | None:
        """The one block that some words are; None where they are anything else."""
        source = self.source.piece(words)
        budget = self.meter.budget
        parser = _Parser(source, replace(budget, depth=budget.depth - _SWALLOWED))
        parser.run()
        entries = parser.root.entries
        if parser.errors or len(entries) != 1:
            return None
        return Piece(source, entries[0], parser.meter.spent - 1)  # but for the end of the words

    # The rare ones.

    def _rare(self, at: int) -> int:
        """Read what is none of the common items; returns where to go on."""
        if self._joins_last_string(at):
            return self.current.entries[-1].end
        text = self.text
        name = grammar.FIELD_NAME.match(text, at) or grammar.BRACKET_NAME.match(text, at)
        if name is None:
            return self._no_name(at)
        colon = self._skip(name.end())
        has_colon = text.startswith(":", colon)
        value = self._skip(colon + 1) if has_colon else colon
        if text.startswith("[", value) and (has_colon or self._is_block(self._skip(value + 1))):
            items = ValueList(self.source, name[0], at, value)
            self.current.entries.append(items)
            self.current.has_list = True
            return self._list(items, value + 1)
        if self._is_block(value):
            message = Message(self.source, name[0], at, value)
            self.current.entries.append(message)
            self._enter(message)
            return value + 1
        if not has_colon:
            return self._recover(diagnosis.no_colon(text, at, name.end(), colon))
        scalar = grammar.VALUE.match(text, value)
        if scalar is None:
            return self._recover(diagnosis.no_value(text, at, name[0], value))
        self.current.entries.append(Scalar(self.source, name[0], at, value, scalar.end()))
        return scalar.end()

    def _joins_last_string(self, at: int) -> bool:
        """Whether a string at `at` continues the value before it, which it then does."""
        literal = grammar.ONE_STRING.match(self.text, at)
        last = self.current.entries[-1] if literal and self.current.entries else None
        if literal is None or not isinstance(last, Scalar) or last.kind != "string":
            return False
        if self._skip(last.end) != at:
            return False
        last.last = literal.end()
        return True

    def _list(self, items: ValueList, at: int) -> int:
        """Read the elements of a list from `at` on, up to its ']' or to a block in it."""
        text = self.text
        at = self._skip(at)
        if text.startswith("]", at) and not items.items:
            items.last = at + 1
            return at + 1
        if self._is_block(at):
            message = Message(self.source, items.name, at, at)
            items.items.append(message)
            self._enter(message, items)
            return at + 1
        match = grammar.ELEMENT.match(text, at)
        if match is None:
            return self._broken_list(items, at)
        items.items.append(Scalar(self.source, items.name, at, at, match.end()))
        return self._list_goes_on(items, match.end())

    def _list_goes_on(self, items: ValueList, at: int) -> int:
        """After an element that ends at `at`: a comma and more of them, or the list's end."""
        text = self.text
        at = self._skip(at)
        while text.startswith(",", at):
            start = self._skip(at + 1)
            match = grammar.ELEMENT.match(text, start)
            if match is None:
                if self._is_block(start):
                    return self._list(items, start)
                return self._broken_list(items, start)
            self.meter.spend()
            items.items.append(Scalar(self.source, items.name, start, start, match.end()))
            at = self._skip(match.end())
        if not text.startswith("]", at):
            return self._broken_list(items, at)
        items.last = at + 1
        return at + 1

    # What is wrong.

    def _broken_list(self, items: ValueList, at: int) -> int:
        items.last = max(items.start + 1, at)
        last = items.items[-1].end if items.items else items.start + 1
        wants_element = not items.items or self.text.startswith(",", self._skip(last))
        problem = diagnosis.broken_list(self.text, items.name, items.start, at, wants_element)
        return self._recover(problem)

    def _no_name(self, at: int) -> int:
        """Something stands where a field should start."""
        problem = diagnosis.wrong_name(self.text, at)
        if self.text[at] == "{" and problem.end == at + 1:
            self._error(problem)
            return self._enter_nameless(at)
        return self._recover(problem)

    def _enter_nameless(self, at: int) -> int:
        """Read a block that no field holds, so that braces stay in balance."""
        self._enter(Message(self.source, "", at, at))
        return at + 1

    def _recover(self, problem: Problem) -> int:
        """Report a problem; returns where a field or a brace comes next."""
        self._error(problem)
        opener = self.text[self.current.start] if self.stack else ""
        for match in grammar.RESUME.finditer(self.text, problem.resume):
            at = match.start()
            if match[1] is not None or (self.text[at] == ">" and opener != "<"):
                continue
            return self._enter_nameless(at) if self.text[at] == "{" else at
        return _FINISHED

    def _error(self, problem: Problem) -> None:
        span = Span(self.source, problem.start, problem.end)
        marker = diagnosis.CONFLICT.match(self.text, problem.start)
        starts = self.text.startswith("<<", problem.start)
        if not (marker and self.in_conflict and not starts):
            self.errors.append(UnreadableError(problem.message, where=span, hint=problem.hint))
        self.in_conflict = bool(marker) or self.in_conflict
        if len(self.errors) >= MAX_ERRORS:
            raise _Stop

    # Small helpers.

    def _open_messages(self) -> list[Message]:
        """The blocks that are open, outermost first."""
        return [message for message, _ in self.stack[1:]] + [self.current] * bool(self.stack)

    def _is_block(self, at: int) -> bool:
        text = self.text
        return text.startswith("{", at) or (
            text.startswith("<", at) and not text.startswith("<<", at)
        )

    def _skip(self, at: int) -> int:
        """The first place from `at` on that is neither white space nor comment."""
        match = grammar.SKIP.match(self.text, at)
        assert match is not None
        return match.end()
