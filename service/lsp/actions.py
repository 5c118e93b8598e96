"""What can be done about a finding: mended, silenced with a reason, taken into the baseline.

An action is offered by its name alone; what it changes is worked out once it is chosen, where the
editor can ask for that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from lsprotocol import types
from pygls.exceptions import JsonRpcContentModified, JsonRpcInvalidParams

from upconv.linter.fixing.fix import Text, fix_text
from upconv.linter.fixing.ignore_comments import NOT_SILENCED, add_comments
from upconv.service.lsp.diagnostics import diagnostics, overlapping
from upconv.service.lsp.edits import text_edits, workspace_edit

if TYPE_CHECKING:
    from upconv.converters.ir.origin import Source
    from upconv.linter.finding import FileReport, Finding, Safety
    from upconv.service.lsp.documents import Document
    from upconv.service.lsp.session import Session
    from upconv.service.work.looking import Look

FIX_ALL: Final = "source.fixAll.upconv"
FIX_BOOK: Final = f"notebook.{FIX_ALL}"
"""The same of all cells of a notebook, as VS Code asks for it when one is saved."""

QUICK: Final = types.CodeActionKind.QuickFix
KINDS: Final = (QUICK, FIX_ALL, FIX_BOOK)

REASON: Final = "say why"
"""What stands for the reason until the user writes his."""

ADD_TO_BASELINE: Final = "upconv.addToBaseline"


async def offered(session: Session, params: types.CodeActionParams) -> list[types.CodeAction]:
    """What can be done about the findings of some lines, and about the whole text."""
    uri, where = params.text_document.uri, params.range
    book = session.notebook_of(uri)
    if book is not None:
        uri, where = book.whole.shot.uri, book.lines_of(uri, where)
    document, look = await session.told(uri)
    here = list(overlapping(look, document.lines, where))
    every = _all(session, document, look, here)
    actions = [action for action in every if _wanted(action, params.context.only)]
    if not session.can("text_document.code_action.resolve_support"):
        for action in actions:
            await _fill(session, document, look, action)
    return actions


async def resolved(session: Session, action: types.CodeAction) -> types.CodeAction:
    """An offered action with its edit. Raises JsonRpcContentModified where the text it was offered
    for has changed."""
    data: Any = action.data
    if not isinstance(data, dict) or "uri" not in data:
        raise JsonRpcInvalidParams("no action of upconv")
    document, look = await session.told(data["uri"])
    if document.shot.version != data["version"]:
        raise JsonRpcContentModified("the text has changed")
    await _fill(session, document, look, action)
    return action


def _wanted(action: types.CodeAction, only: Sequence[Any] | None) -> bool:
    """Whether it is of a kind that was asked for, or of a family of kinds."""
    kind, *asked = (str(getattr(one, "value", one)) for one in (action.kind, *(only or ())))
    return only is None or any(f"{kind}.".startswith(f"{one}.") for one in asked)


def _all(
    session: Session, document: Document, look: Look, here: Sequence[Finding]
) -> Iterator[types.CodeAction]:
    book = session.notebooks.get(document.shot.uri)
    placed = [one for _, one in book.placed(look)] if book else diagnostics(look, document.lines)
    found = dict(zip(look.findings, placed, strict=True))
    counts = Counter(one.code for one in look.findings if _mends(one))

    def action(title: str, how: str, key: str, about: Sequence[Finding] = ()) -> types.CodeAction:
        data = {"uri": document.shot.uri, "version": document.shot.version, "how": how, "key": key}
        shown = [found[one] for one in about]
        return types.CodeAction(title, QUICK, shown or None, data=data)

    for one in here:
        if _mends(one):
            safe = one.fix is not None and one.fix.safety == "safe"
            title = f"{one.code}: {one.help or 'fix'}{'' if safe else ' (changes numbers)'}"
            made = action(title, "fix", one.fingerprint, [one])
            made.is_preferred = True if safe else None
            yield made
    for code in dict.fromkeys(one.code for one in here if counts[one.code] > 1):
        yield action(f"Fix all {code} in this file", "all", code)
    for one in here:
        if one.code not in NOT_SILENCED and _has_comments(document, look):
            yield action(f"Ignore {one.code} here, with a reason", "ignore", one.fingerprint, [one])
        if look.known is not None and one.code not in NOT_SILENCED:
            made = action(f"Add {one.code} to the baseline", "baseline", one.fingerprint, [one])
            arguments = [document.shot.uri, one.fingerprint]
            made.command = types.Command("Add to the baseline", ADD_TO_BASELINE, None, arguments)
            yield made
    if any(one.fix and one.fix.safety == "safe" for one in look.findings if _mends(one)):
        made = action("Fix all that is safe to fix", "safe", "")
        made.kind = FIX_BOOK if book else FIX_ALL
        yield made


def _mends(finding: Finding) -> bool:
    fix = finding.fix
    return fix is not None and bool(fix.edits) and fix.safety != "display"


def _has_comments(document: Document, look: Look) -> bool:
    return look.report.source is not None and not document.shot.path.endswith(".json")


async def _fill(session: Session, document: Document, look: Look, action: types.CodeAction) -> None:
    """Work out what an action changes. Raises JsonRpcContentModified where the text changes
    meanwhile."""
    data: Any = action.data
    if data["how"] == "baseline":
        return
    shot = document.shot
    after = await session.looker.ask(partial(_HOW[data["how"]], look, data))
    if document.shot is not shot:
        raise JsonRpcContentModified("the text has changed")
    book = session.notebooks.get(document.shot.uri)
    edits = [] if book else text_edits(document.lines, after)
    changes = book.changes(after) if book else [(document, edits)] if edits else []
    if changes:
        action.edit = workspace_edit(session, *changes)
    else:
        action.disabled = types.CodeActionDisabled(_NOTHING[data["how"]])


def _fixed(look: Look, data: Any) -> str:
    """One finding's fix, as it stands: what it leaves to do is another finding."""
    from upconv.linter.fixing.fix import apply_fixes

    return apply_fixes(look.source, _of(look, data["key"]), ("safe", "unsafe"))[0]


def _all_fixed(look: Look, data: Any) -> str:
    return _until_done(look, ("safe", "unsafe"), lambda one: one.code == data["key"])


def _safely_fixed(look: Look, data: Any) -> str:
    return _until_done(look, ("safe",), lambda one: True)


def _until_done(look: Look, levels: Sequence[Safety], concerns: Callable[[Finding], bool]) -> str:
    def some(report: FileReport) -> FileReport:
        return replace(report, findings=tuple(one for one in report.findings if concerns(one)))

    def recheck(source: Source) -> FileReport:
        return some(look.check(source))

    return fix_text(Text(look.source), some(look.report), levels, recheck).text.source.text


def _ignored(look: Look, data: Any) -> str:
    reason = " ".join(str(data.get("reason") or REASON).split())
    one = replace(look.report, findings=tuple(_of(look, data["key"])))
    source = look.report.source or look.source  # which knows a notebook's cells
    return add_comments(Text(source), one, reason, look.check).text.source.text


def _of(look: Look, fingerprint: str) -> list[Finding]:
    return [one for one in look.findings if one.fingerprint == fingerprint]


_HOW: Final[dict[str, Callable[[Look, Any], str]]] = {
    "fix": _fixed,
    "all": _all_fixed,
    "safe": _safely_fixed,
    "ignore": _ignored,
}
_NOTHING: Final = {
    "fix": "there is nothing to change",
    "all": "there is nothing to change",
    "safe": "there is nothing to change",
    "ignore": "no comment reaches the layer",
}


async def add_to_baseline(session: Session, uri: str, fingerprint: str) -> bool:
    """Take one finding into the baseline that the configuration names; whether there was one."""
    from upconv.service.work.baselines import know

    document, look = await session.told(uri)
    path = session.folders.of(document.shot.path).settings.baseline_path
    found = _of(look, fingerprint)
    if path is None or not found:
        return False
    await session.looker.ask(partial(know, path, found))
    session.again()
    return True
