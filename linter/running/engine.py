"""Runs all rules over one file and turns what they yield into findings.

Reading problems become UP001; a reader or a rule that fails becomes UP006 of its file: a check
never ends in a traceback, and never because of one file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from functools import partial
from pathlib import Path, PurePath
from typing import Final, TypeAlias

from upconv.converters.ir.errors import (
    NotAModelError,
    UnreadableError,
    UnsupportedError,
    UpconvError,
    UsageError,
    shortened,
)
from upconv.converters.ir.model import Model
from upconv.converters.ir.origin import Source, Span
from upconv.converters.ir.records import record
from upconv.converters.ir.written import Comments
from upconv.converters.readers.options import ReadOptions
from upconv.linter.context import Context, Crash
from upconv.linter.finding import (
    CRASHED,
    UNCHECKED,
    FileReport,
    Finding,
    Fix,
    Severity,
    Silenced,
    Silencer,
    Status,
    fingerprint,
    place_of,
)
from upconv.linter.rule import Hit, Rule, Stage
from upconv.linter.rules import RULES
from upconv.linter.running.fold import Judged, grouped, numbered
from upconv.linter.running.suppress import Covering, Ignore, ignores, unused
from upconv.linter.settings.overrides import Override, Overrides, longest_prefix

Step: TypeAlias = Callable[[Context], None]
"""Is told what is under check before each rule runs."""


@record(frozen=True, slots=True)
class CheckOptions:
    """Settings of a check. `root` is the configuration root that reported paths are relative to;
    codes of `select`, `ignore` and `severities` may be prefixes. An empty `select` means all. Where
    nothing `folds`, each finding is told for itself. `targets` are the engines that models are to
    run in. `below` is a folder that stands before all absolute paths, and is not told."""

    read: ReadOptions = field(default_factory=ReadOptions)
    root: Path = field(default_factory=Path.cwd)
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severities: tuple[tuple[str, Severity], ...] = ()
    overrides: tuple[Override, ...] = ()
    folds: bool = True
    targets: tuple[str, ...] = ()
    below: str = ""

    def shown(self, path: str) -> str:
        """A path as reports have it."""
        return relative_path(path, self.root).removeprefix(self.below)

    def wants(self, code: str) -> bool:
        """Whether a rule runs. The longest prefix that fits decides; of equal ones, ignore. A
        preview is off unless it is selected by its whole code.

        What says that a file was not checked runs always: neither an unreadable file nor a failure
        of ours may pass as clean.
        """
        if code in UNCHECKED:
            return True
        rule = RULES.get(code)
        if rule is not None and rule.status == "preview" and code not in self.select:
            return False
        chosen = longest_prefix(code, self.select) if self.select else 0
        return chosen > longest_prefix(code, self.ignore)


def check_path(
    path: str | Path, options: CheckOptions | None = None, *, named: bool = True
) -> FileReport:
    """Check one file of any known format.

    Raises UsageError where the options name an input or a dialect that does not exist.

    A file may turn out to be no model at all (a solver, a label map): its status is then
    "skipped". One that the user named is not skipped for being empty or of an unknown kind.
    """
    from upconv.converters.readers.formats import open_model

    settings = options or CheckOptions()
    return _check(str(path), settings, lambda: open_model(str(path), settings.read), named)


def check_source(
    source: Source,
    options: CheckOptions | None = None,
    step: Step = lambda context: None,
    *,
    named: bool = True,
) -> FileReport:
    """Check a text that is no file (standard input, an editor's buffer).

    `step` is called before each rule with what is under check; what it raises that is no Exception
    ends the check. `named` is as for `check_path`.
    """
    from upconv.converters.readers.formats import open_text

    settings = options or CheckOptions()
    return _check(source.path, settings, lambda: open_text(source, settings.read), named, step)


def check_model(model: Model, options: CheckOptions | None = None) -> FileReport:
    """Check a model that is in memory."""
    return _check(model.path, options or CheckOptions(), lambda: model)


def failed_with_process(path: str, options: CheckOptions, reason: str) -> FileReport:
    """What is said of a file that ended the process which checked it."""
    crash = Crash("", "the process that checks it", RuntimeError(reason))
    return _report(Context(path, None, None, crashes=[crash]), options)


def _check(
    path: str,
    options: CheckOptions,
    read: Callable[[], Model],
    named: bool = True,
    step: Step = lambda context: None,
) -> FileReport:
    try:
        return _judged(path, options, read, named, step)
    except UsageError:
        raise  # the command is wrong, not the file
    except Exception as error:
        crash = Crash("", _READING, error)
        return _report(Context(path, None, None, crashes=[crash]), options)


def _judged(
    path: str, options: CheckOptions, read: Callable[[], Model], named: bool, step: Step
) -> FileReport:
    try:
        model = read()
    except UsageError:
        raise
    except UpconvError as error:
        if _is_other_file(error, named):
            reason = f"{error.message} ({error.hint})" if error.hint else error.message
            return FileReport(options.shown(path), "", "skipped", reason)
        return _report(Context(path, _source_of_errors((error,)), None, [error]), options)
    except (RecursionError, MemoryError) as error:
        return _report(Context(path, None, None, [_overflow(error, path)]), options)
    open_ones = [one.error for one in model.notices if one.kind == "template"]
    if open_ones:
        where = f" in line {open_ones[0].where.line}" if open_ones[0].where else ""
        reason = f"a template:{where} {open_ones[0].message.partition(': this')[0]}"
        return FileReport(options.shown(path), "", "skipped", reason)
    context = Context(path, _source_of(model), model, targets=options.targets)
    return _report(context, options, step)


_READING: Final = "the reader"
"""What is said to have failed where no rule has run yet."""


def _overflow(error: Exception, path: str) -> UnreadableError:
    """The error of a file that is nested, or holds, more than this process can take."""
    deep = isinstance(error, RecursionError)
    what = "it is nested too deep" if deep else "there is not enough memory for what it says"
    return UnreadableError(what, path=path)


def _is_other_file(error: UpconvError, named: bool) -> bool:
    """Whether an error says that the file is surely no model that could be checked."""
    if isinstance(error, NotAModelError):
        return error.where is None and not (named and not error.known)
    return not named and isinstance(error, UnsupportedError) and not error.layer


def _source_of(model: Model) -> Source | None:
    span = model.origin.span
    return span.source if span is not None else None


def _source_of_errors(errors: Sequence[UpconvError]) -> Source | None:
    return next((error.where.source for error in errors if error.where is not None), None)


def _report(
    context: Context, options: CheckOptions, step: Step = lambda context: None
) -> FileReport:
    """Run the rules; closing rules see the crashes, failures and idle ignores of the others."""
    silencer = _Silencer(context, options)
    judged = _judged_hits("model", context, options, silencer, step) if context.model else []
    context.unused += silencer.unused()
    judged += _judged_hits("closing", context, options, silencer, step)
    status, reason = _status(context)
    found = numbered(judged)
    shown = options.shown(context.path)
    groups = grouped((entry for entry in found if entry[0].cause is None), options.folds)
    return FileReport(
        shown,
        context.model.framework if context.model else "",
        status,
        reason,
        tuple(_finding(*one.first, shown, options.root, one.count, one.fix) for one in groups),
        context.source,
        tuple(
            Silenced(_finding(one, number, shown, options.root, "", one.hit.fix), *one.cause)
            for one, number in found
            if one.cause is not None
        ),
        silencer.overrides.used,
        tuple(crash.trace for crash in context.crashes),
    )


def _judged_hits(
    stage: Stage, context: Context, options: CheckOptions, silencer: _Silencer, step: Step
) -> list[Judged]:
    """What the rules of a stage find, each with what silences it, and why."""
    chosen = (r for r in RULES.values() if r.stage == stage and options.wants(r.code))
    return [
        _judge(rule, hit, silencer)
        for rule in chosen
        for hit in _run(rule, context, step)
        if rule.concerns(hit)
    ]


def _judge(rule: Rule, hit: Hit, silencer: _Silencer) -> Judged:
    span, layer = _span_of(hit), _layer_of(hit)
    place = place_of(span) if span is not None else None
    severity = silencer.overrides.severity(rule.code, layer) or _own_severity(rule, hit)
    return Judged(rule, hit, place, layer, severity, silencer.silencing(rule, hit))


def _run(rule: Rule, context: Context, step: Step) -> list[Hit]:
    """All a rule yields. What it yielded before it failed is kept."""
    step(context)
    hits: list[Hit] = []
    try:
        hits.extend(rule.check(context))
    except UnreadableError as error:
        # A value is misspelt that the rule is the first to read: the user's to mend.
        context.failures.append(error.noted())
    except Exception as error:
        context.crashes.append(Crash(rule.code, rule.name, error))
    return hits


def _status(context: Context) -> tuple[Status, str]:
    notices = context.model.notices if context.model else ()
    broken = [notice.error.message for notice in notices if notice.kind == "unreadable-part"]
    broken += [error.message for error in context.failures]
    if context.model is None:
        broken += [f"{crash.name} failed: {crash.reason}" for crash in context.crashes]
    return ("unreadable", broken[0]) if broken else ("ok", "")


def _finding(
    one: Judged, number: int, path: str, root: Path, count: str, fix: Fix | None
) -> Finding:
    hit, code = one.hit, one.rule.code
    about = _assumed(hit) + _landmark(_span_of(hit)) + _program_line(hit, root) + _stored_at(hit)
    return Finding(
        code,
        one.rule.name,
        one.severity,
        path,
        one.place,
        shortened(one.layer),
        shortened(hit.message + about) + count,
        shortened(hit.help),
        fix,
        fingerprint(code, path, one.layer, number),
    )


def _own_severity(rule: Rule, hit: Hit) -> Severity:
    """The hit's, else the rule's; what rests on defaults, which another file may override, is no
    error."""
    severity = hit.severity or rule.severity
    return "warning" if severity == "error" and _assumed(hit) else severity


def _assumed(hit: Hit) -> str:
    """Which defaults and calls of the file a layer's settings are taken from."""
    call = hit.layer.origin.written.call if hit.layer else None
    return f" ({call.assumed})" if call is not None and call.assumed else ""


def _stored_at(hit: Hit) -> str:
    """Where the layer's arrays are inside a file whose lines cannot be shown."""
    if hit.layer is None or hit.layer.origin.span is not None or not hit.layer.weights:
        return ""
    path = hit.layer.origin.written.stored_at
    return f" (stored at {path})" if path else ""


def _landmark(span: Span | None) -> str:
    """What people call a place in a file whose lines they do not count: a notebook's cell."""
    text = span.source.landmark(span.start) if span is not None else ""
    return f" ({text})" if text else ""


def _program_line(hit: Hit, root: Path) -> str:
    """The line of the user's own program that made the layer, where its file keeps it."""
    file, _, line = hit.layer.origin.code.rpartition(":") if hit.layer else ("", "", "")
    return f" ({relative_path(file, root)}:{line})" if file else ""


def _layer_of(hit: Hit) -> str:
    return hit.layer.name if hit.layer else hit.layer_name


def _span_of(hit: Hit) -> Span | None:
    return hit.where or (hit.layer.origin.span if hit.layer else None)


def _lines_of(hit: Hit) -> list[int]:
    """The lines that a comment may speak for to silence a hit: its layer's first, and the one that
    is shown where that lies outside of the layer, as of the second of two layers of one name."""
    layer = hit.layer.origin.span if hit.layer else None
    shown = hit.where
    if layer is None or shown is None:
        return [span.line for span in (layer or shown,) if span is not None]
    inside = layer.start <= shown.start < layer.end
    return [layer.line] if inside else [layer.line, shown.line]


def relative_path(path: str, root: Path) -> str:
    """The path as reports show it: POSIX, relative to the root where it lies below it."""
    whole, top = os.path.realpath(path), os.path.realpath(root)  # which a link to itself stops not
    try:
        return PurePath(whole).relative_to(top).as_posix()
    except ValueError:
        return PurePath(path).as_posix()


def _comments(context: Context) -> Comments:
    """What finds the comments of a text, also of one that could not be read."""
    from upconv.converters.readers.formats import comments

    if context.model is not None:
        return context.model.origin.written.comments
    source = context.source
    return lambda: comments(source) if source is not None else ()


def _spans(model: Model | None) -> Iterator[Span]:
    """Where the layers and inputs of a model are written."""
    origins = [layer.origin for layer in model.layers] if model else []
    origins += [entry.origin for entry in model.inputs] if model else []
    return (origin.span for origin in origins if origin.span is not None)


class _Silencer:
    """What silences findings in one file, comments and configuration, and which were of use."""

    def __init__(self, context: Context, options: CheckOptions) -> None:
        self._wants = options.wants
        self.overrides = Overrides(options.overrides, options.severities, Path(context.path))
        source, spans = context.source, partial(_spans, context.model)
        self.comments = ignores(source, spans, _comments(context)) if source else ()
        self._by_rule: dict[str, Covering] = {}
        self.used: set[tuple[Ignore, str]] = set()

    def silencing(self, rule: Rule, hit: Hit) -> tuple[Silencer, str] | None:
        """What silences a hit, and the reason given. The configuration is asked too where a
        comment answers: neither is idle then."""
        if rule.code == CRASHED:
            return None
        comments = self._comments_on(rule, hit)
        configured = self.overrides.ignores(rule.code, _layer_of(hit))
        if comments:
            return "comment", comments[0].reason
        return ("configuration", "") if configured else None

    def _comments_on(self, rule: Rule, hit: Hit) -> list[Ignore]:
        if not self.comments:
            return []
        words = [
            (comment, word)
            for line in _lines_of(hit)
            for comment in self._speaking_of(rule).line(line)
            for word in comment.covering(rule.code, rule.name, line)
        ]
        self.used.update(words)
        return [comment for comment, _ in words]

    def _speaking_of(self, rule: Rule) -> Covering:
        if rule.code not in self._by_rule:
            mine = [one for one in self.comments if one.speaks_of(rule.code, rule.name)]
            self._by_rule[rule.code] = Covering(mine)
        return self._by_rule[rule.code]

    def unused(self) -> list[tuple[Ignore, str]]:
        """Words of no use, those left out that speak of a rule that was not run."""
        idle = unused(self.comments, lambda comment, word: (comment, word) in self.used)
        return [(comment, word) for comment, word in idle if not self._speaks_of_idle_rule(word)]

    def _speaks_of_idle_rule(self, word: str) -> bool:
        meant = (r for r in RULES.values() if word and word in (r.name, r.code[: len(word)]))
        return any(
            not self._wants(one.code)
            for one in meant
            if one.status != "preview" or word in (one.name, one.code)
        )
