"""The language server: which message goes to which function, and how it is served."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from upconv.service.lsp import actions, completion, hover, names, notebooks, outline, sizes, texts
from upconv.service.lsp.session import Session

Handler = Callable[..., Any]

FEATURES: Final[tuple[tuple[str, Handler, Any], ...]] = (
    (types.INITIALIZED, texts.initialized, None),
    (types.TEXT_DOCUMENT_DID_OPEN, texts.did_open, None),
    (types.TEXT_DOCUMENT_DID_CHANGE, texts.did_change, None),
    (types.TEXT_DOCUMENT_DID_SAVE, texts.did_save, None),
    (types.TEXT_DOCUMENT_DID_CLOSE, texts.did_close, None),
    (types.NOTEBOOK_DOCUMENT_DID_OPEN, notebooks.did_open, None),
    (types.NOTEBOOK_DOCUMENT_DID_CHANGE, notebooks.did_change, None),
    (types.NOTEBOOK_DOCUMENT_DID_SAVE, notebooks.did_save, None),
    (types.NOTEBOOK_DOCUMENT_DID_CLOSE, notebooks.did_close, None),
    (types.WORKSPACE_DID_CHANGE_WATCHED_FILES, texts.did_change_files, None),
    (
        types.TEXT_DOCUMENT_DIAGNOSTIC,
        texts.diagnostic,
        types.DiagnosticOptions(False, False, "upconv"),
    ),
    (
        types.TEXT_DOCUMENT_CODE_ACTION,
        actions.offered,
        types.CodeActionOptions(list(actions.KINDS), resolve_provider=True),
    ),
    (types.CODE_ACTION_RESOLVE, actions.resolved, None),
    (types.TEXT_DOCUMENT_INLAY_HINT, sizes.hints, types.InlayHintOptions()),
    (types.TEXT_DOCUMENT_CODE_LENS, sizes.lenses, types.CodeLensOptions(resolve_provider=True)),
    (types.CODE_LENS_RESOLVE, sizes.lens, None),
    (types.TEXT_DOCUMENT_HOVER, hover.hover, None),
    (
        types.TEXT_DOCUMENT_COMPLETION,
        completion.completion,
        types.CompletionOptions(list(completion.TRIGGERS)),
    ),
    (types.TEXT_DOCUMENT_DEFINITION, names.definition, None),
    (types.TEXT_DOCUMENT_REFERENCES, names.references, None),
    (types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT, names.highlight, None),
    (types.TEXT_DOCUMENT_PREPARE_RENAME, names.can_rename, None),
    (types.TEXT_DOCUMENT_RENAME, names.rename, types.RenameOptions(prepare_provider=True)),
    (types.TEXT_DOCUMENT_DOCUMENT_SYMBOL, outline.symbols, None),
    (types.TEXT_DOCUMENT_FOLDING_RANGE, outline.folds, None),
    (types.TEXT_DOCUMENT_FORMATTING, outline.layout, None),
)
"""Message, what answers it, and what the editor is told of it when it starts."""

_OURS: Final = (
    types.TEXT_DOCUMENT_DID_OPEN,
    types.TEXT_DOCUMENT_DID_CHANGE,
    types.TEXT_DOCUMENT_DID_CLOSE,
    types.NOTEBOOK_DOCUMENT_DID_OPEN,
    types.NOTEBOOK_DOCUMENT_DID_CHANGE,
    types.NOTEBOOK_DOCUMENT_DID_CLOSE,
)
"""What pygls would do itself; see documents.py."""


def made() -> LanguageServer:
    """A server that is ready to be started."""
    from importlib.metadata import version

    server = LanguageServer(
        "upconv", version("upconv"), types.TextDocumentSyncKind.Incremental, notebooks.SYNC
    )
    for message in _OURS:
        server.protocol.fm.builtin_features.pop(message)
    session = Session(server)
    for message, handler, options in FEATURES:
        server.feature(message, options)(partial(handler, session))
    for name, command in COMMANDS.items():
        server.command(name)(_command(session, command))
    return server


def _command(session: Session, command: Handler) -> Handler:
    async def run(*arguments: Any) -> Any:
        return await command(session, *arguments)

    return run


COMMANDS: Final[dict[str, Handler]] = {
    actions.ADD_TO_BASELINE: actions.add_to_baseline,
    sizes.SET_SIZE: sizes.set_size,
    sizes.SHOW_AUDIT: sizes.show_audit,
    texts.STATE: texts.state,
}
"""What editors may ask for by name."""


def serve_stdio() -> None:
    """Serve one editor over standard input and output, until it ends the session."""
    made().start_io()


def serve_tcp(host: str, port: int) -> None:
    """Serve one editor over a socket."""
    made().start_tcp(host, port)
