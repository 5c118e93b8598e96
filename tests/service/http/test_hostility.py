"""The quick part of `tests.service.http.hostility`, and its small part of mutated files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service.http.hostility import GROWTH, go_away, resident, try_kind, try_mutations
from tests.service.http.server import Server

QUICK = (
    "HDF5 links to other files",
    "2 GiB claims in small files",
    "a net of 100,000 layers",
    "ONNX data outside",
)


@pytest.mark.parametrize("name", QUICK)
def test_it_is_answered_and_its_like_passes(server: Server, name: str, tmp_path: Path) -> None:
    try_kind(server, name, tmp_path)


def test_mutated_files_and_clients_that_go_leave_the_server_as_it_was(server: Server) -> None:
    before = resident(server)
    go_away(server, 5)
    try_mutations(server, 54, seed=1)
    assert resident(server) - before < GROWTH
    assert [line for line in server.records() if line["level"] == "ERROR"] == []
