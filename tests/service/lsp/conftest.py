"""An editor with a folder open, one for the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.lsp.editor import Editor, editor


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nets").resolve()


@pytest.fixture(scope="module")
def session(folder: Path) -> Iterator[Editor]:
    with editor(folder) as one:
        yield one
