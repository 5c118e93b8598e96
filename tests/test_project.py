"""Promises of the project's own files: light base, typed packages, help that is complete."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib.metadata import distributions, entry_points, version
from pathlib import Path
from typing import Any

import grimp
import pytest

PACKAGES = ("converters", "linter", "service")


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    return table


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~;\[ ]", requirement)[0] for requirement in requirements}


def test_base_is_light(project: dict[str, Any]) -> None:
    heavy = {"torch", "tensorflow", "tensorflow-cpu", "keras", "fastapi", "matplotlib"}
    assert not names(project["dependencies"]) & heavy


def test_every_dependency_says_why(root: Path) -> None:
    text = (root / "pyproject.toml").read_text("utf-8")
    lines = re.findall(r'^    "[a-z0-9-]+(?:\[.*\])?>=[0-9.]+",.*$', text, re.MULTILINE)
    assert len(lines) > 10
    assert [line for line in lines if " # " not in line] == []


def test_every_direct_dependency_is_pinned_for_developers(
    root: Path, project: dict[str, Any]
) -> None:
    pins = (root / "constraints-dev.txt").read_text("utf-8")
    pinned = {name.lower() for name in re.findall(r"^([\w.-]+)==", pins, re.MULTILINE)}
    extras = project["optional-dependencies"]
    wanted = names(project["dependencies"]) | names(extras["dev"]) | names(extras["torch"])
    wanted |= names(extras["service"])
    assert wanted - pinned == set()


def test_pins_install_on_the_oldest_python(root: Path, project: dict[str, Any]) -> None:
    from packaging.specifiers import SpecifierSet

    assert project["requires-python"] == ">=3.11"
    pins = (root / "constraints-dev.txt").read_text("utf-8")
    pinned = dict(re.findall(r"^([\w.-]+)==(.+)$", pins, re.MULTILINE))
    wants = {
        name: found.metadata["Requires-Python"] or ""
        for found in distributions()
        if pinned.get(name := re.sub(r"[-_.]+", "-", found.name).lower()) == found.version
    }
    assert len(wants) > 30
    assert {name: w for name, w in wants.items() if not SpecifierSet(w).contains("3.11.0")} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_package_is_typed(root: Path, package: str) -> None:
    assert (root / package / "py.typed").is_file()


def test_installed_version_is_the_projects(project: dict[str, Any]) -> None:
    assert version("upconv") == project["version"]


def test_console_script_loads() -> None:
    (script,) = entry_points(group="console_scripts", name="upconv")
    assert callable(script.load())


def test_help_lists_every_target(root: Path) -> None:
    makefile = (root / "Makefile").read_text("utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    shown = subprocess.run(
        ["make", "-C", str(root), "--no-print-directory", "help"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert re.findall(r"^make ([\w-]+) ", shown, re.MULTILINE) == phony[1].split()


def test_no_module_imports_itself_through_others() -> None:
    """Imports for types and inside functions count: neither module can be understood alone.

    The contract on packages lets a package and a module inside it import each other.
    """
    imports = grimp.build_graph("upconv", cache_dir=None)
    circles = _circles({m: imports.find_modules_directly_imported_by(m) for m in imports.modules})
    assert circles == []


def _circles(imports: dict[str, set[str]]) -> list[set[str]]:
    """The modules that reach themselves, together with those that reach each other."""
    reached = {module: _reached(imports, module) for module in imports}
    inside = [module for module in imports if module in reached[module]]
    circles = {frozenset(o for o in inside if o in reached[m] and m in reached[o]) for m in inside}
    return sorted(map(set, circles), key=sorted)


def _reached(imports: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    queue = [start]
    while queue:
        new = imports[queue.pop()] - found
        found |= new
        queue += new
    return found


def test_a_circle_is_found() -> None:
    imports = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a", "d"}}
    assert _circles(imports) == [{"b", "c"}, {"d"}]
