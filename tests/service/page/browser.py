"""Chromium through its WebDriver (https://www.w3.org/TR/webdriver2/), with Python's own HTTP."""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser's session."""

    port: int
    session: str = ""

    def command(self, method: str, path: str, words: dict[str, Any] | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            body = None if method == "GET" else json.dumps(words or {})
            connection.request(method, f"/session{self.session}{path}", body)
            value = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(value, dict) and "error" in value:
            raise LookupError(value["message"])
        return value

    def go(self, url: str) -> None:
        self.command("POST", "/url", {"url": url})

    def find(self, css: str) -> str:
        found = self.command("POST", "/element", {"using": "css selector", "value": css})
        return f"/element/{found[ELEMENT]}"

    def click(self, css: str) -> None:
        self.command("POST", f"{self.find(css)}/click")

    def type(self, css: str, text: str) -> None:
        self.command("POST", f"{self.find(css)}/value", {"text": text})

    def text(self, css: str = "main") -> str:
        return str(self.command("GET", f"{self.find(css)}/text"))

    def run(self, script: str) -> Any:
        return self.command("POST", "/execute/sync", {"script": script, "args": []})

    def wait_for_call(self, script: str) -> Any:
        """The value that a script gives to the function that is its last argument."""
        return self.command("POST", "/execute/async", {"script": script, "args": []})

    def resize(self, width: int, height: int) -> None:
        self.command("POST", "/window/rect", {"width": width, "height": height})

    def prefer(self, scheme: str) -> None:
        """Let the browser ask for light or dark colours."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        words = {"cmd": "Emulation.setEmulatedMedia", "params": {"features": features}}
        self.command("POST", "/goog/cdp/execute", words)

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.command("GET", "/screenshot")))

    def wait_for(self, words: str, seconds: float = 60) -> str:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if words in (seen := self.text()):
                    return seen
            except LookupError:  # between two pages there is no element
                pass
            time.sleep(0.1)
        raise AssertionError(self.text())


@contextmanager
def browsing(folder: Path, *options: str) -> Iterator[Browser]:
    """A browser; the test skips where there is none."""
    driver = shutil.which("chromedriver")
    if driver is None or shutil.which("chromium") is None:
        pytest.skip("no chromium with its chromedriver (apt install chromium-driver)")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "HOME": str(folder), "no_proxy": "*"}
    with (folder / "driver.log").open("w") as log:
        process = subprocess.Popen(
            [driver, f"--port={port}"], stdout=log, stderr=log, env=environment
        )
    try:
        browser = Browser(port, f"/{_session(port, folder, options)}")
        yield browser
        browser.command("DELETE", "")
    finally:
        process.terminate()
        process.wait()


def _session(port: int, folder: Path, options: tuple[str, ...]) -> str:
    profile = f"--user-data-dir={folder / 'profile'}"
    arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-proxy-server",
                 "--disable-dev-shm-usage", profile, *options]  # fmt: skip
    capabilities = {
        "browserName": "chrome",
        "goog:chromeOptions": {"args": arguments, "binary": shutil.which("chromium")},
        "goog:loggingPrefs": {"browser": "ALL"},
    }
    for _ in range(100):
        try:
            words = {"capabilities": {"alwaysMatch": capabilities}}
            session: str = Browser(port).command("POST", "", words)["sessionId"]
            return session
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise AssertionError("chromedriver does not start")
