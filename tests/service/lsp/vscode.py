"""VS Code with the extension, as a browser shows it: code-server, driven by its keys.

`CODE_SERVER` names the folder of npm's package code-server, whose out/node/entry.js is run.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.service.page.browser import Browser, browsing
from tests.support import ROOT

EXTENSION = ROOT / "build" / "upconv.vsix"
CONTROL, ENTER, ESCAPE, F1, F2, DOWN, HOME, END = (
    *("\ue009", "\ue007", "\ue00c", "\ue031", "\ue032", "\ue015", "\ue011", "\ue010"),
)
PATIENCE = 90.0
SIZE = 1400, 1000
"""What of a text is outside of the window is not in the page."""

LINES = "[...document.querySelectorAll('.view-line')].map(one => one.textContent)"
"""The lines that are shown, with the sizes beside them; spaces are no-break ones."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window of VS Code on a folder."""

    browser: Browser
    address: str
    folder: Path

    def open(self, name: str, line: int = 1, column: int = 1) -> None:
        """Open a file of the folder, alone, with the cursor at a place."""
        host = self.address.removeprefix("http://")
        place = f":{line}:{column}" if line > 1 else ""
        file = f"vscode-remote://{host}{self.folder / name}{place}"
        wanted = [["gotoLineMode", "true"], ["openFile", file]]
        self.browser.go(f"{self.address}/?folder={self.folder}&payload={quote(json.dumps(wanted))}")
        self.sees("document.querySelector('.monaco-workbench')")

    def press(self, *keys: str) -> None:
        actions = [{"type": "keyDown", "value": key} for key in keys]
        actions += [{"type": "keyUp", "value": key} for key in reversed(keys)]
        self._do({"type": "key", "id": "keys", "actions": actions})

    def type(self, text: str) -> None:
        for one in text:
            self.press(one)

    def point(self, css: str, *, click: bool = False) -> None:
        """Move the mouse over an element, and click on it."""
        box = f"document.querySelector({json.dumps(css)}).getBoundingClientRect()"
        place = f"(b => [Math.round(b.x + b.width / 2), Math.round(b.y + b.height / 2)])({box})"
        x, y = self.browser.run(f"return {place}")
        actions = [{"type": "pointerMove", "duration": 100, "x": x, "y": y}]
        pressed = ("pointerDown", "pointerUp") if click else ()
        actions += [{"type": one, "button": 0} for one in pressed]
        mouse = {"pointerType": "mouse"}
        self._do({"type": "pointer", "id": "mouse", "parameters": mouse, "actions": actions})

    def _do(self, actions: Any) -> None:
        self.browser.command("POST", "/actions", {"actions": [actions]})

    def command(self, title: str) -> None:
        """A command of the palette."""
        self.press(F1)
        self.sees("document.activeElement?.closest('.quick-input-widget')")
        self.type(title)
        row = "document.querySelector('.quick-input-widget .monaco-list-row.focused')?.textContent"
        self.sees(f"{row}?.includes({json.dumps(title)})")
        self.press(ENTER)

    def answer(self, text: str) -> None:
        """What is typed into the box that asks for it."""
        self.sees("document.activeElement?.closest('.quick-input-widget')")
        self.type(text)
        self.press(ENTER)

    def shows(self, words: str) -> None:
        """Wait for words on one line of the text."""
        lines = f"{LINES}.map(one => one.replaceAll('\\u00a0', ' '))"
        self.sees(f"{lines}.some(one => one.includes({json.dumps(words)}))")

    def counts(self, css: str) -> int:
        """Wait until there are such elements; their number."""
        return int(self.sees(f"document.querySelectorAll({json.dumps(css)}).length"))

    def sees(self, script: str) -> Any:
        """What a script finds in the page, once it finds anything."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with suppress(LookupError):  # the page is being made
                if found := self.browser.run(f"const found = {script}; return found instanceof "
                                             "Element ? true : found"):  # fmt: skip
                    return found
            time.sleep(0.2)
        self.picture(f"unseen{abs(hash(script)) % 1000}")
        raise AssertionError(script)

    def picture(self, name: str) -> None:
        """Keep what is shown where `PICTURES` names a folder."""
        if keep := os.environ.get("PICTURES"):
            time.sleep(1.0)  # let what moves come to rest
            self.browser.picture(Path(keep) / f"{name}.png")


@contextmanager
def window(folder: Path, files: Mapping[str, str], **settings: Any) -> Iterator[Window]:
    """A window on a folder with some files; the test skips where there is no editor."""
    package, node = os.environ.get("CODE_SERVER", ""), shutil.which("node")
    if not package or node is None or not EXTENSION.exists():
        pytest.skip("no code-server (npm install code-server, make editor, CODE_SERVER=its folder)")
    nets = folder / "nets"
    nets.mkdir()
    for name, text in files.items():
        (nets / name).write_text(text, encoding="utf-8")
    command = [node, f"{package}/out/node/entry.js", "--user-data-dir", str(folder / "data"),
               "--extensions-dir", str(folder / "extensions")]  # fmt: skip
    environment = {**os.environ, "HOME": str(folder)}
    install = [*command, "--install-extension", str(EXTENSION)]
    subprocess.run(install, env=environment, check=True, capture_output=True, timeout=300)
    for place in ("User", "Machine"):  # the latter is asked for what is of this machine
        _write_settings(folder / "data" / place, settings)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    serve = ["--auth", "none", "--bind-addr", f"127.0.0.1:{port}", "--disable-telemetry",
             "--disable-update-check"]  # fmt: skip
    process = subprocess.Popen(
        [*command, *serve], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _listens(port)
        with browsing(folder) as browser:
            browser.resize(*SIZE)
            yield Window(browser, f"http://127.0.0.1:{port}", nets)
    finally:
        process.terminate()
        process.wait()


def _write_settings(folder: Path, more: Mapping[str, Any]) -> None:
    settings = {
        "security.workspace.trust.enabled": False,
        "workbench.startupEditor": "none",
        "workbench.tips.enabled": False,
        "chat.commandCenter.enabled": False,
        "window.restoreWindows": "none",
        "workbench.editorAssociations": {"*.ipynb": "jupyter-notebook"},
        "editor.minimap.enabled": False,
        "upconv.command": [sys.executable, "-m", "upconv", "lsp"],
        **more,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")


def _listens(port: int) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.2)
    raise AssertionError("code-server does not start")
