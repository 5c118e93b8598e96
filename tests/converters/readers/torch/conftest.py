"""Exports of whole networks, made once for all the tests of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Name -> (module, path of its .pt2), filled as networks are asked for."""
    return {"": tmp_path_factory.mktemp("exported")}


def export(exported: dict[str, Any], name: str) -> tuple[Any, Path]:
    """The network of that name, and its exported file."""
    import torch

    from tests.converters.readers.torch.nets import NETS, initialised

    if name not in exported:
        net = NETS[name]
        module = initialised(net)
        path = exported[""] / f"{name}.pt2"
        program = torch.export.export(
            module, (torch.randn(net.example),), dynamic_shapes=net.dynamic or None
        )
        torch.export.save(program, path)
        exported[name] = (module, path)
    found: tuple[Any, Path] = exported[name]
    return found
