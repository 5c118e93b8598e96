from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.readers.torch.conftest import export
from tests.converters.readers.torch.nets import NETS

TOLERANCE = 1e-5
"""Of the largest magnitude of an output."""

CONVERT = """
import json, sys
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

model = open_model(sys.argv[1], ReadOptions())
write_onnx(model, sys.argv[2])
assert "torch" not in sys.modules
print(json.dumps([[entry.name for entry in model.inputs], list(model.outputs)]))
"""


def flat(results: Any) -> list[Any]:
    if isinstance(results, dict):
        return list(results.values())
    return list(results) if isinstance(results, tuple) else [results]


@pytest.mark.parametrize("name", NETS)
def test_a_file_converts_without_torch_and_computes_the_same(
    name: str, exported: dict[str, Any], tmp_path: Path, root: Path
) -> None:
    """The example's sizes, and others where the export left them open."""
    import onnxruntime
    import torch

    module, path = export(exported, name)
    target = tmp_path / "net.onnx"
    found = subprocess.run(
        [sys.executable, "-c", CONVERT, str(path), str(target)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    inputs, outputs = json.loads(found.stdout)
    assert outputs == [f"output_{i}" if i else "output" for i in range(len(outputs))]
    session = onnxruntime.InferenceSession(str(target))
    for index, shape in enumerate((NETS[name].example, *NETS[name].others)):
        x = torch.from_numpy(np.random.default_rng(index).standard_normal(shape, np.float32))
        with torch.no_grad():
            wanted = flat(module(x))
        computed = session.run(outputs, {inputs[0]: x.numpy()})
        for want, got in zip(wanted, computed, strict=True):
            limit = TOLERANCE * float(want.abs().max())
            np.testing.assert_allclose(got, want.numpy(), rtol=0, atol=limit)
