"""Reading, checking and converting need no framework, and a text needs no numpy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.converters.readers.keras.handmade import arrays, upsampler, write_json, write_keras

FRAMEWORKS = "{'tensorflow', 'keras', 'tf_keras', 'torch', 'jax'}"
HEAVY = "{'numpy', 'h5py', 'onnx', 'onnxruntime'}"


def loaded(root: Path, arguments: list[str], unwanted: str) -> str:
    """Which of the unwanted modules a command imports."""
    program = (
        "import sys\n"
        "from upconv.service.cli.main import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "except SystemExit as end:\n"
        "    assert end.code in (0, 1), end.code\n"
        f"sys.stderr.write(' '.join(sorted(({unwanted}) & sys.modules.keys())))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    return done.stderr


@pytest.mark.parametrize("command", ["check", "convert"])
def test_no_framework_is_imported(command: str, root: Path, tmp_path: Path) -> None:
    path = write_keras(tmp_path / "m.keras", upsampler(), arrays())
    target = ["-o", str(tmp_path / "m.onnx"), "--no-verify"] if command == "convert" else []
    assert loaded(root, [command, str(path), *target], FRAMEWORKS) == ""
    assert command == "check" or (tmp_path / "m.onnx").exists()


def test_a_check_of_an_architecture_is_light(root: Path, tmp_path: Path) -> None:
    path = write_json(tmp_path / "m.json", upsampler())
    assert loaded(root, ["check", str(path)], f"{FRAMEWORKS} | {HEAVY}") == ""


def test_a_proof_in_a_child_imports_none_either(root: Path, tmp_path: Path) -> None:
    path = write_keras(tmp_path / "m.keras", upsampler(), arrays())
    target = tmp_path / "m.onnx"
    assert loaded(root, ["convert", str(path), "-o", str(target)], FRAMEWORKS) == ""
    assert target.exists()
