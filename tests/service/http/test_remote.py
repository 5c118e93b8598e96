"""`check --server` prints and exits as `check` does."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.service.commands import upconv
from tests.service.http.server import Server, serving
from tests.service.http.test_jobs import NET, RULES, SMALL

DIRECT = {"no_proxy": "*"}


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository: models in folders, a configuration, something excluded, something broken."""
    root = tmp_path_factory.mktemp("nets")
    for code in ("UP103", "UP107", "UP201", "UP301"):
        for file in (RULES / code).glob("bad.*"):
            (root / "models" / code).mkdir(parents=True)
            shutil.copy(file, root / "models" / code / file.name)
    (root / "left-out").mkdir()
    (root / "left-out" / "a.prototxt").write_bytes(NET)
    (root / "broken.prototxt").write_bytes(NET[:-30])
    (root / "notes.tflite").write_bytes(b"abcdTFL3")
    config = 'exclude = ["left-out/"]\nignore = ["UP107"]\n[severity]\nUP201 = "info"\n'
    (root / "upconv.toml").write_text(config)
    return root


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("models", "--format", "json"),
        (".", "--format", "sarif", "--select", "UP2"),
        ("models/UP201/bad.prototxt", "--color", "always", "--ignore", "UP1"),
        (".", "--statistics", "--exit-zero"),
        ("models", "--fail-on", "info", "-q", "--format", "concise"),
    ],
)
def test_it_is_as_if_it_were_done_here(server: Server, nets: Path, arguments: tuple[str]) -> None:
    here = upconv("check", *arguments, "--no-cache", cwd=nets)
    there = upconv("check", *arguments, "--server", server.url, cwd=nets, **DIRECT)
    assert (there.code, there.out, there.err) == (here.code, here.out, here.err)
    assert here.out


def test_what_only_works_here_is_refused(server: Server, nets: Path) -> None:
    for arguments in (
        ("--fix",),
        ("--diff",),
        ("-",),
        ("--baseline", "b.json"),
        ("--add-ignore", "x"),
    ):
        done = upconv("check", *arguments, "--server", server.url, cwd=nets, **DIRECT)
        assert (done.code, done.out) == (2, ""), arguments
        assert len(done.err.splitlines()) == 1
    shutil.copy(nets / "broken.prototxt", nets.parent / "beside.prototxt")
    asked = ("check", ".", "../beside.prototxt", "--server", server.url)
    outside = upconv(*asked, cwd=nets, **DIRECT)
    assert (outside.code, "lies outside" in outside.err) == (2, True)


def test_a_server_that_is_not_there_or_refuses_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.prototxt").write_bytes(SMALL)
    for url in ("http://127.0.0.1:9", "ftp://127.0.0.1", "nonsense"):
        done = upconv("check", "a.prototxt", "--server", url, cwd=tmp_path, **DIRECT)
        assert (done.code, len(done.err.splitlines())) == (2, 1), done.err
    token = upconv("serve", "--tokens", "t.txt", "--add-token", "ci", cwd=tmp_path).out.strip()
    with serving(tmp_path, "--tokens", str(tmp_path / "t.txt")) as server:
        asked = ("check", "a.prototxt", "--server", server.url)
        without = upconv(*asked, cwd=tmp_path, **DIRECT)
        assert (without.code, "UPCONV_TOKEN" in without.err) == (2, True)
        wrong = upconv(*asked, cwd=tmp_path, UPCONV_TOKEN=f"{token}x", **DIRECT)
        assert (wrong.code, "401: the token is not known" in wrong.err) == (2, True), wrong.err
        assert upconv(*asked, cwd=tmp_path, UPCONV_TOKEN=token, **DIRECT).code == 0


def test_what_is_said_before_hanging_up_is_heard(tmp_path: Path) -> None:
    """A proxy reads the heads, says no, and closes: what was still to be sent cannot be."""
    (tmp_path / "a.prototxt").write_bytes(SMALL + b"#" * (1 << 24))
    words = json.dumps({"error": "the proxy takes no such thing", "hint": ""}).encode()
    said = b"HTTP/1.1 413 No\r\nContent-Length: %d\r\n\r\n%s" % (len(words), words)

    def refuse(listening: socket.socket) -> None:
        asking, _ = listening.accept()
        with asking:
            asking.recv(100)
            asking.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        proxy = threading.Thread(target=refuse, args=(listening,))
        proxy.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        done = upconv("check", "a.prototxt", "--server", url, cwd=tmp_path, **DIRECT)
        proxy.join()
    assert (done.code, done.err) == (
        2,
        f"error: --server {url}: 413: the proxy takes no such thing\n",
    )


def test_a_body_that_is_refused_is_read_before_the_server_hangs_up(
    server: Server,
) -> None:
    """Browsers tell nothing of an answer that came while they were sending."""
    host = urlsplit(server.url).netloc
    body = b"#" * (1 << 24)
    head = f"POST /v1/nowhere HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", int(host.rpartition(":")[2]))) as asking:
        asking.sendall(head.encode() + body)
        asking.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: asking.recv(1 << 16), b""))
    assert answer.startswith(b"HTTP/1.1 404")
