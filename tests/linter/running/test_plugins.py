"""Rules of other packages: the example is installed, found and run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.commands import Outcome, upconv
from tests.support import ROOT

EXAMPLE = ROOT / "fixtures" / "plugin"
NET = """\
input: "data" input_shape { dim: 1 dim: 2 dim: 8 dim: 8 }
layer { name: "up" type: "Deconvolution" bottom: "data" top: "up" convolution_param {
  num_output: 2 kernel_size: 5 stride: 3 pad: 1 weight_filler { type: "xavier" } } }
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, as pip installs it into a folder of its own."""
    top = tmp_path_factory.mktemp("plugin")
    shutil.copytree(EXAMPLE, top / "source")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--disable-pip-version-check", "--no-warn-conflicts"]
    command += ["--target", str(top / "site"), str(top / "source")]
    subprocess.run(command, check=True, capture_output=True)
    return top / "site"


def upconv_with(site: Path, *arguments: str | Path, stdin: str = "") -> Outcome:
    root = ROOT
    return upconv(*arguments, stdin=stdin, PYTHONPATH=f"{root}:{site}")


def test_installed_rule_is_found_and_run(installed: Path) -> None:
    done = upconv_with(installed, "check", "-", "--select", "EX", "--format", "concise", stdin=NET)
    assert done.out == "-:2:1: info EX001 [odd-stride] layer 'up': the stride is 3\n"
    assert (done.code, done.err) == (0, "")


def test_installed_rule_runs_beside_the_others(installed: Path) -> None:
    done = upconv_with(installed, "check", "-", "--format", "concise", stdin=NET)
    assert " EX001 " in done.out
    assert " UP107 " in done.out


def test_its_rule_has_a_page(installed: Path) -> None:
    assert upconv_with(installed, "rule", "EX001").out.startswith("EX001 odd-stride (info)")


def test_without_the_package_its_code_is_unknown() -> None:
    done = upconv("check", "-", "--select", "EX", stdin=NET)
    assert done.code == 2
    assert done.err.startswith("error: no rule's code is or begins with 'EX'")


def test_plugin_that_crashes_is_one_line(installed: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(installed, site)
    (site / "upconv_example" / "rules.py").write_text("import no_such_module\n", "utf-8")
    done = upconv_with(site, "check", "-", stdin=NET)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: the rules of plugin 'example' (upconv-example 1.0) cannot be loaded: "
        "ModuleNotFoundError: No module named 'no_such_module' "
        "(mend the package, or uninstall it)\n"
    )
