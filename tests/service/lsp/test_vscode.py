"""The extension in a real VS Code: code-server in a browser, where both are there.

`CODE_SERVER` names the folder of npm's package code-server (its out/node/entry.js is run), and
`make editor` has made the extension.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.service.page.browser import Browser, browsing
from tests.support import ROOT

EXTENSION = ROOT / "build" / "upconv.vsix"
CASE = ROOT / "fixtures" / "rules" / "UP201" / "bad.prototxt"
CONTROL, ENTER = "\ue009", "\ue007"


@contextmanager
def code_server(folder: Path) -> Iterator[str]:
    """The address of VS Code with the extension, on a folder with one net."""
    package, node = os.environ.get("CODE_SERVER", ""), shutil.which("node")
    if not package or node is None or not EXTENSION.exists():
        pytest.skip("no code-server (npm install code-server, make editor, CODE_SERVER=its folder)")
    command = [node, f"{package}/out/node/entry.js", "--user-data-dir", str(folder / "data"),
               "--extensions-dir", str(folder / "extensions")]  # fmt: skip
    environment = {**os.environ, "HOME": str(folder)}
    install = [*command, "--install-extension", str(EXTENSION)]
    subprocess.run(install, env=environment, check=True, capture_output=True, timeout=300)
    settings = {
        "security.workspace.trust.enabled": False,
        "workbench.startupEditor": "none",
        "upconv.command": [sys.executable, "-m", "upconv", "lsp"],
    }
    (folder / "data" / "User").mkdir(parents=True, exist_ok=True)
    (folder / "data" / "User" / "settings.json").write_text(json.dumps(settings))
    (folder / "nets").mkdir()
    (folder / "nets" / "net.prototxt").write_text(CASE.read_text(encoding="utf-8"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    place = ["--auth", "none", "--bind-addr", f"127.0.0.1:{port}", "--disable-telemetry"]
    process = subprocess.Popen([*command, *place], env=environment, stdout=subprocess.DEVNULL)
    try:
        net = f"vscode-remote://127.0.0.1:{port}{folder / 'nets' / 'net.prototxt'}:18:6"
        opened = quote(json.dumps([["gotoLineMode", "true"], ["openFile", net]]))
        yield f"http://127.0.0.1:{port}/?folder={folder / 'nets'}&payload={opened}"
    finally:
        process.terminate()
        process.wait()


def press(browser: Browser, *keys: str) -> None:
    actions = [{"type": "keyDown", "value": key} for key in keys]
    actions += [{"type": "keyUp", "value": key} for key in reversed(keys)]
    words = {"actions": [{"type": "key", "id": "keys", "actions": actions}]}
    browser.command("POST", "/actions", words)


def seen(browser: Browser, script: str) -> Any:
    """What a script finds in the page, once it finds anything."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            if found := browser.run(f"return {script}"):
                return found
        except LookupError:  # the page is being made
            pass
        time.sleep(0.3)
    raise AssertionError(script)


def count(css: str) -> str:
    return f"document.querySelectorAll({json.dumps(css)}).length"


def test_findings_sizes_and_a_fix(tmp_path: Path) -> None:
    with code_server(tmp_path) as address, browsing(tmp_path) as browser:
        browser.go(address)
        assert seen(browser, count(".squiggly-error")) >= 2
        text = "[...document.querySelectorAll('.view-lines')].map(one => one.textContent).join()"
        seen(browser, f"{text}.includes('1x8x32x32')")
        seen(browser, "document.querySelector('.codelens-decoration')?.textContent"
                      "?.startsWith('valid sizes')")  # fmt: skip
        press(browser, CONTROL, ".")
        seen(browser, count(".action-widget .monaco-list-row"))
        press(browser, ENTER)
        seen(browser, f"{text}.replace(/\\s+/g, ' ').includes('kernel_size: 4 stride: 2')")
        if keep := os.environ.get("PICTURES"):
            browser.picture(Path(keep) / "fixed.png")
