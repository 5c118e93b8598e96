"""Jobs under way while their server and its workers are killed (SIGKILL) at random moments: none is
lost, no finished step is repeated, and every artefact is the command line's.

python -m tests.service.http.killing [JOBS] [KILLS] [SEED] [DATABASE|postgres]

With `postgres`, a PostgreSQL is started for it from Debian's packages.
"""

from __future__ import annotations

import json
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.service.commands import upconv
from tests.service.http.server import Server, start
from tests.service.postgres import postgres

NET = """\
layer {{ name: "data" type: "Input" top: "data"
  input_param {{ shape {{ dim: 1 dim: 3 dim: 5 dim: {width} }} }} }}
layer {{ name: "up{number}" type: "Deconvolution" bottom: "data" top: "up"
  convolution_param {{ num_output: 3 group: 3 kernel_size: 4 stride: 2 pad: {pad} bias_term: false
    weight_filler {{ type: "bilinear" }} }} }}
"""
KINDS = ("check", "convert", "check", "audit", "check")
OPTIONS = {"convert": {"fill_missing": "bilinear"}}
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "check": ("--output", "json:report.json", "--output", "sarif:report.sarif",
              "--output", "text:report.txt", "--format", "concise"),
    "convert": ("-o", "model.onnx", "--fill-missing", "bilinear", "--report", "certificate.json"),
    "audit": ("--format", "json", "-o", "audit.json"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """A job: its kind, and its net."""

    kind: str
    text: str

    @staticmethod
    def of(number: int) -> Asked:
        net = NET.format(number=number, width=5 + number % 7, pad=number % 2)
        return Asked(KINDS[number % len(KINDS)], net)


@dataclass(slots=True)
class Run:
    """Servers on one folder, one after the other."""

    folder: Path
    options: tuple[str, ...]
    server: Server
    logs: list[Path] = field(default_factory=list)

    @staticmethod
    def on(folder: Path, *options: str) -> Run:
        server = start(folder, *options)
        return Run(folder, options, server, [server.log])

    def kill_server(self) -> None:
        self.server.kill()
        self.server = start(self.folder, *self.options)
        self.logs.append(self.server.log)

    def kill_worker(self, chance: random.Random) -> None:
        """Its template, or a process of a job."""
        try:
            found = psutil.Process(self.server.process.pid).children(recursive=True)
            if found:
                chance.choice(found).send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            pass

    def ask(self, method: str, path: str, *rest: Any) -> Any:
        """The JSON of an answer, from the server that there is once one answers."""
        end = time.monotonic() + 120
        while time.monotonic() < end:
            try:
                answer = self.server.ask(method, path, *rest)
            except OSError:
                time.sleep(0.05)
                continue
            except Exception as error:  # http.client's, of an answer that was cut off
                if "http.client" not in type(error).__module__:
                    raise
                continue
            if answer.status < 500 and answer.status != 429:
                return answer.json
            time.sleep(0.2)
        raise AssertionError(f"no answer to {method} {path}")


def kill_while_they_run(
    folder: Path, jobs: int, kills: int, seed: int, options: tuple[str, ...] = (), pause: float = 1
) -> Run:
    """The run, all of its jobs over and looked at by `check_all`; its server has ended."""
    run = Run.on(folder, *options)
    try:
        _kill_while_they_run(run, jobs, kills, seed, pause)
    finally:
        run.server.kill()
    return run


def _kill_while_they_run(run: Run, jobs: int, kills: int, seed: int, pause: float) -> None:
    chance = random.Random(seed)
    asked = [Asked.of(number) for number in range(jobs)]
    sent: list[str] = []

    def send() -> None:
        for one in asked:
            sent.append(_send(run, one))

    sender = threading.Thread(target=send)
    sender.start()
    for number in range(kills):
        time.sleep(chance.uniform(0, 2 * pause))
        if number % 2:
            run.kill_worker(chance)
        else:
            run.kill_server()
    sender.join()
    for job in sent:
        while not run.ask("GET", f"/v1/jobs/{job}?wait=30")["finished"]:
            pass
    check_all(run, dict(zip(sent, asked, strict=True)))


def _send(run: Run, one: Asked) -> str:
    from tests.service.http.server import form

    options = json.dumps(OPTIONS.get(one.kind, {}))
    body, type_ = form({"kind": one.kind, "options": options}, {"n.prototxt": one.text.encode()})
    return str(run.ask("POST", "/v1/jobs", body, {"Content-Type": type_})["id"])


def check_all(run: Run, asked: Mapping[str, Asked]) -> None:
    """Raise AssertionError where a job is lost, was done twice, or has not made what the command
    line makes."""
    for job, one in asked.items():
        seen = run.ask("GET", f"/v1/jobs/{job}")
        assert seen["state"] == "done", seen
        assert seen["result"]["exit_code"] in (0, 1), seen
        _check_artefacts(run, seen, one)
    lines = [line for log in run.logs for line in _records(log)]
    begun, kept = Counter[tuple[str, str]](), set[tuple[str, str]]()
    for line in lines:
        step = line.get("job", ""), line.get("step", "")
        if line["message"] == "kept":
            kept.add(step)
        elif line["message"] == "step":
            assert step not in kept, f"{step} was finished, and was begun again"
            begun[step] += 1
    assert {job for job, _ in kept} == set(asked)
    assert not [line for line in lines if line["level"] not in ("INFO", "WARNING")], lines
    assert list((run.folder / "data" / "work").iterdir()) == []
    sys.stdout.write(f"{len(asked)} jobs, {len(kept)} steps, begun {begun.total()} times,"
          f" in {len(run.logs)} servers\n")  # fmt: skip


def _records(log: Path) -> list[dict[str, Any]]:
    """The lines of a log, but for one that a kill has cut off."""
    lines = log.read_text("utf-8").split("\n")
    assert not [line for line in lines[:-1] if line[:1] != "{"], log.read_text("utf-8")
    return [json.loads(line) for line in lines[:-1]]


def _check_artefacts(run: Run, seen: Mapping[str, Any], one: Asked) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "n.prototxt").write_text(one.text)
        local = upconv(one.kind, "n.prototxt", *COMMANDS[one.kind], cwd=Path(folder))
        assert local.code == seen["result"]["exit_code"], (local, seen)
        made = {file["name"]: file["sha256"] for file in seen["result"]["artefacts"]}
        for path in Path(folder).iterdir():
            if path.name == "certificate.json":
                theirs = run.ask("GET", f"/v1/jobs/{seen['id']}/artefacts/{path.name}")
                assert theirs == json.loads(path.read_text())
            elif path.name != "n.prototxt":
                theirs = run.server.artefact(seen, path.name)
                assert theirs == path.read_bytes(), (seen["id"], path.name)
        assert {"check": "report.json", "convert": "model.onnx", "audit": "audit.json"}[
            one.kind
        ] in made


def main() -> None:
    jobs, kills, seed = (int(sys.argv[at]) if len(sys.argv) > at else default
                         for at, default in ((1, 200), (2, 20), (3, 0)))  # fmt: skip
    database = sys.argv[4] if len(sys.argv) > 4 else ""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        if database == "postgres":
            with postgres(Path(folder)) as url:
                _run(Path(folder), jobs, kills, seed, ("--database", url))
        else:
            _run(Path(folder), jobs, kills, seed, ("--database", database) if database else ())


def _run(folder: Path, jobs: int, kills: int, seed: int, options: tuple[str, ...]) -> None:
    began = time.monotonic()
    kill_while_they_run(folder / "serve", jobs, kills, seed, options)
    sys.stdout.write(f"{time.monotonic() - began:.0f} s, with {jobs} runs of the command line\n")


if __name__ == "__main__":
    main()
