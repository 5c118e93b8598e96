"""What docs/service.md says of running the service is true: its files are taken from the page."""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.service.commands import upconv
from tests.service.http.server import Answer, form, serving, start
from tests.service.http.test_jobs import SMALL
from tests.support import ROOT

NAME = "upconv.example.com"
PAGE = (ROOT / "docs" / "service.md").read_text("utf-8")


def block(language: str) -> str:
    """The only block of the page in that language."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(found) == 1, language
    return str(found[0])


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd")
    command = Path(sys.executable).with_name("upconv")
    unit = tmp_path / "upconv.service"
    unit.write_text(block("ini").replace("/opt/upconv/bin/upconv", str(command)))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    line = re.search(r"^ExecStart=(.*?)\n\w+=", unit.read_text(), re.MULTILINE | re.DOTALL)
    assert line is not None
    asked = shlex.split(line[1].replace("\\\n", ""))
    tokens = tmp_path / "tokens"
    places = {"/var/lib/upconv": str(tmp_path / "data"), "/etc/upconv/tokens": str(tokens)}
    assert upconv("serve", "--tokens", tokens, "--add-token", "ci").code == 0
    listens([places.get(word, word) for word in asked], tmp_path)


def listens(command: list[str], folder: Path, **environment: str) -> None:
    """Run a server's command on a free port, until it has said that it is well."""
    with (folder / "log").open("w+") as log:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        process = subprocess.Popen(
            [*command, "--port", "0"], stderr=log, env=environment, cwd=folder
        )
        try:
            for _ in range(600):
                if '"url"' in (said := (folder / "log").read_text()):
                    break
                assert process.poll() is None, said
                time.sleep(0.1)
            url = json.loads(said.splitlines()[0])["url"].replace("0.0.0.0", "127.0.0.1")
            asked = urllib.request.Request(f"{url}/health", headers={"Host": NAME})
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(asked, timeout=60) as answer:
                assert json.load(answer)["ok"]
        finally:
            process.kill()
            process.wait()


def test_what_the_container_file_does_makes_a_server(tmp_path: Path) -> None:
    """In a plain folder, and with the packages that are installed here in place of the network."""
    places = {
        "/src": tmp_path / "src",
        "/opt/upconv": tmp_path / "opt",
        "/var/lib": tmp_path / "lib",
    }
    entry: list[str] = []
    for line in block("dockerfile").splitlines():
        word, _, rest = line.partition(" ")
        if word == "COPY":
            _copy_checkout(places["/src"])
        elif word == "ENTRYPOINT":
            entry = json.loads(rest)
        elif word == "RUN" and not rest.startswith("useradd"):
            _run_there(rest, places)
        else:
            assert word in ("FROM", "RUN", "USER", "VOLUME", "EXPOSE", "CMD"), line
    tokens = tmp_path / "tokens"
    assert upconv("serve", "--tokens", tokens, "--add-token", "ci").code == 0
    command = [_there(word, places) for word in entry]
    listens([*command, "--tokens", str(tokens)], tmp_path, PYTHONPATH="")
    installed = tmp_path / "opt" / "lib"
    assert list(installed.glob("python*/site-packages/upconv/service/page/templates/job.html"))


def _copy_checkout(target: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True,
        check=True,
    ).stdout.split("\n")  # fmt: skip
    for name in filter(None, listed):
        if not name.startswith(("tests/", "fixtures/")) and (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name, follow_symlinks=False)


def _there(words: str, places: dict[str, Path]) -> str:
    for place, path in places.items():
        words = words.replace(place, str(path))
    return words


def _run_there(line: str, places: dict[str, Path]) -> None:
    command = _there(line, places)
    if " -m venv " in command:
        command = command.replace("python3", shlex.quote(sys.executable), 1) + " --without-pip"
    if "pip install" in command:
        command = command.replace(
            f"{places['/opt/upconv']}/bin/pip",
            f"{shlex.quote(sys.executable)} -m pip --python {places['/opt/upconv']}/bin/python",
        )
        command += " --quiet --no-deps --no-build-isolation"
    subprocess.run(command, shell=True, check=True, cwd=places["/src"])
    folders = list(places["/opt/upconv"].glob("lib/python*/site-packages"))
    own = [path for path in sys.path if path.endswith("site-packages")]
    for folder in folders:
        (folder / "packages_of_the_tests.pth").write_text("\n".join(own) + "\n")


def test_nginx_passes_everything_on(tmp_path: Path) -> None:
    if shutil.which("nginx") is None or shutil.which("openssl") is None:
        pytest.skip("no nginx (apt install nginx-light)")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={NAME}",
         "-addext", f"subjectAltName=DNS:{NAME}", "-days", "1",
         "-keyout", tmp_path / "k", "-out", tmp_path / "c"], check=True, capture_output=True,
    )  # fmt: skip
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with serving(tmp_path, "--host-name", NAME) as server:
        site = block("nginx")
        places = {
            "listen 443": f"listen 127.0.0.1:{port}",
            "/etc/ssl/upconv.crt": f"{tmp_path}/c",
            "/etc/ssl/upconv.key": f"{tmp_path}/k",
            "http://127.0.0.1:8000": server.url,
        }
        for said, here in places.items():
            assert said in site
            site = site.replace(said, here)
        temporary = "".join(
            f"{name}_temp_path {tmp_path}/{name};\n"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        config = tmp_path / "nginx.conf"
        config.write_text(
            f"daemon off; pid {tmp_path}/pid; error_log stderr; events {{}}\n"
            f"http {{ access_log off; {temporary} {site} }}\n"
        )
        command = ["nginx", "-e", "stderr", "-p", str(tmp_path), "-c", str(config)]
        subprocess.run([*command, "-t"], check=True, capture_output=True)
        with subprocess.Popen(command) as proxy:
            try:
                _ask_through(port, tmp_path / "c")
            finally:
                proxy.terminate()


def _ask_through(port: int, certificate: Path) -> None:
    context = ssl.create_default_context(cafile=str(certificate))

    def ask(method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        plain = socket.create_connection(("127.0.0.1", port), timeout=60)
        connection = http.client.HTTPSConnection(NAME, port, timeout=60)
        with context.wrap_socket(plain, server_hostname=NAME) as connection.sock:
            connection.request(method, path, body, headers)
            said = connection.getresponse()
            return Answer(said.status, dict(said.getheaders()), said.read())

    for _ in range(100):
        try:
            assert ask("GET", "/ready").json["ok"]
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    body, type_ = form({"kind": "check"}, {"a.prototxt": SMALL})
    own = {"Content-Type": type_, "Origin": f"https://{NAME}:{port}"}
    job = ask("POST", "/v1/jobs?wait=60", body, **own)
    assert (job.status, job.json["state"]) == (200, "done")
    assert ask("POST", "/v1/jobs", body, **own | {"Origin": "https://example.org"}).status == 403
    stream = ask("GET", f"/v1/jobs/{job.json['id']}/events").body
    assert stream.count(b"event: over") == 1


def test_a_copy_of_the_folder_is_a_backup(tmp_path: Path) -> None:
    server = start(tmp_path / "first")
    try:
        job = server.send({"a.prototxt": SMALL}).json
        report = server.artefact(job, "report.json")
    finally:
        server.kill()
    shutil.copytree(tmp_path / "first" / "data", tmp_path / "second" / "data")
    shutil.rmtree(tmp_path / "first")
    with serving(tmp_path / "second") as restored:
        assert restored.get(f"/v1/jobs/{job['id']}").json == job
        assert restored.artefact(job, "report.json") == report
