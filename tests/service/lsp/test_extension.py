"""The VS Code extension names what the server has; building it wants npm, which tests do not."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from typing import Any

from tests.support import ROOT
from upconv.service.lsp.nets import ENDINGS
from upconv.service.lsp.server import COMMANDS

FOLDER = ROOT / "editors" / "vscode"


def words(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def test_its_commands_are_the_servers() -> None:
    package = words("package.json")
    named = {one["command"] for one in package["contributes"]["commands"]}
    assert named - {"upconv.restart"} <= set(COMMANDS)
    code = (FOLDER / package["main"]).read_text(encoding="utf-8")
    assert set(re.findall(r'"(upconv\.\w+)"', code)) - {"upconv.command"} <= {
        *COMMANDS,
        "upconv.restart",
    }


def test_its_files_are_there_and_its_words_are_todays() -> None:
    package = words("package.json")
    assert package["version"] == version("upconv")
    (language,) = package["contributes"]["languages"]
    assert set(language["extensions"]) <= set(ENDINGS)
    (grammar,) = package["contributes"]["grammars"]
    assert words(grammar["path"])["scopeName"] == grammar["scopeName"]
    assert words(language["configuration"])["comments"]["lineComment"] == "#"
    for kind in ("dependencies", "devDependencies"):
        assert all(re.fullmatch(r"[\d.]+", pin) for pin in package[kind].values()), "pinned"
