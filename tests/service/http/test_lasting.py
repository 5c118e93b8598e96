"""Servers that are killed, jobs that are cancelled, tokens that see their own jobs only."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from tests.service.commands import upconv
from tests.service.http.server import Server, serving, start
from tests.service.http.test_jobs import FILL, SMALL

SLOW = SMALL.replace(b"dim: 5 dim: 7", b"dim: 250 dim: 350")
"""A net whose proof takes longer than a test waits for something to happen."""


def steps(server: Server, job: str) -> list[str]:
    """The steps of a job that were begun."""
    begun = [line for line in server.records() if line["message"] == "step"]
    return [line["step"] for line in begun if line["job"] == job]


def wait_for_step(server: Server, job: str, step: str) -> None:
    for _ in range(600):
        if step in steps(server, job):
            return
        time.sleep(0.05)
    raise AssertionError(server.log.read_text())


def over(server: Server, job: str) -> Any:
    for _ in range(5):
        seen = server.get(f"/v1/jobs/{job}?wait=60").json
        if seen["finished"]:
            return seen
    raise AssertionError(seen)


def test_a_killed_server_resumes_and_repeats_no_finished_step(tmp_path: Path) -> None:
    first = start(tmp_path)
    try:
        job = first.send({"a.prototxt": SLOW}, "convert", FILL, wait=0).json["id"]
        queued = first.send({"b.prototxt": SMALL}, "check", wait=0).json["id"]
        wait_for_step(first, job, "prove")
    finally:
        first.kill()
    assert steps(first, job) == ["write", "prove"]
    with serving(tmp_path) as second:
        done = over(second, job)
        assert (done["state"], done["result"]["exit_code"]) == ("done", 0)
        assert steps(second, job) == ["prove"]
        assert over(second, queued)["state"] == "done"
        assert second.get("/metrics").body.count(b'upconv_jobs{state="done"} 2') == 1
        assert list((tmp_path / "data" / "work").iterdir()) == []
        (tmp_path / "a.prototxt").write_bytes(SLOW)
        local = upconv("convert", "a.prototxt", "-o", "model.onnx", "--no-verify",
                       "--fill-missing", "bilinear", cwd=tmp_path)  # fmt: skip
        assert local.code == 0
        assert second.artefact(done, "model.onnx") == (tmp_path / "model.onnx").read_bytes()


def test_a_job_is_cancelled_in_its_middle_and_can_be_asked_again(tmp_path: Path) -> None:
    with serving(tmp_path, "--jobs", "1") as server:
        job = server.send({"a.prototxt": SLOW}, "convert", FILL, wait=0).json["id"]
        behind = server.send({"b.prototxt": SMALL}, "check", wait=0).json["id"]
        wait_for_step(server, job, "prove")
        cancelled = server.ask("DELETE", f"/v1/jobs/{job}").json
        assert cancelled["state"] == "cancelled"
        assert cancelled["result"] is None
        assert over(server, behind)["state"] == "done"
        assert over(server, job)["state"] == "cancelled"
        again = server.send({"a.prototxt": SLOW}, "convert", FILL, wait=0).json
        assert again["id"] == job
        assert again["state"] in ("queued", "running")
        assert server.ask("DELETE", f"/v1/jobs/{job}").json["state"] == "cancelled"


def test_a_job_beyond_its_time_or_memory_fails_with_a_reason(tmp_path: Path) -> None:
    with serving(tmp_path, "--memory", "0.2") as server:
        wide = SMALL.replace(b"dim: 5 dim: 7", b"dim: 9000 dim: 9000")
        job = server.send({"a.prototxt": wide}, "convert", FILL).json
        assert job["state"] in ("done", "failed")
        assert job["result"]["exit_code"] == 2
        assert "memory" in job["result"]["reason"]
        assert not any("onnx" in one["name"] for one in job["result"]["artefacts"])
        assert server.send({"a.prototxt": SMALL}).json["result"]["exit_code"] == 0


def test_a_token_sees_its_own_jobs_only(tmp_path: Path) -> None:
    tokens = [
        upconv("serve", "--tokens", "tokens.txt", "--add-token", name, cwd=tmp_path).out.strip()
        for name in ("ann", "bob")
    ]
    kept = (tmp_path / "tokens.txt").read_text()
    assert not any(token in kept for token in tokens)
    assert (tmp_path / "tokens.txt").stat().st_mode & 0o077 == 0
    with serving(tmp_path, "--tokens", str(tmp_path / "tokens.txt")) as server:
        ann, bob = ({"Authorization": f"Bearer {token}"} for token in tokens)
        assert server.send({"a.prototxt": SMALL}).status == 401
        assert (
            server.send({"a.prototxt": SMALL}, headers={"Authorization": "Bearer x"}).status == 401
        )
        job = server.send({"a.prototxt": SMALL}, headers=ann).json
        path = f"/v1/jobs/{job['id']}"
        for below in ("", "/events", "/artefacts/report.json"):
            assert server.get(path + below, headers=bob).status == 404
            assert server.get(path + below, headers=ann).status == 200
        assert server.ask("DELETE", path, headers=bob).status == 404
        assert server.get("/v1/jobs", headers=bob).json == {"jobs": []}
        assert server.send({"a.prototxt": SMALL}, headers=bob).json["id"] != job["id"]
        assert server.get("/metrics").status == 401
        assert server.get("/health").status == 200
        other = upconv("serve", "--data", tmp_path / "data", "--port", "0", cwd=tmp_path)
        assert (other.code, len(other.err.splitlines())) == (2, 1), other.err
        assert "another server uses it" in other.err


def test_beyond_this_machine_only_with_tokens(tmp_path: Path) -> None:
    done = upconv("serve", "--host", "0.0.0.0", "--port", "0", cwd=tmp_path)
    assert done.code == 2
    assert "--add-token" in done.err
    assert len(done.err.splitlines()) == 1


def test_files_that_are_kept_elsewhere_outlive_the_folder(tmp_path: Path) -> None:
    options = ("--artefacts", f"file://{tmp_path / 'elsewhere'}")
    first = start(tmp_path, *options)
    try:
        done = first.send({"a.prototxt": SMALL}).json
        report = first.artefact(done, "report.json")
        running = first.send({"b.prototxt": SLOW}, "convert", FILL, wait=0).json["id"]
        wait_for_step(first, running, "prove")
    finally:
        first.kill()
    shutil.rmtree(tmp_path / "data" / "artefacts")
    with serving(tmp_path, *options) as second:
        assert second.artefact(done, "report.json") == report
        seen = over(second, running)
        assert (seen["state"], seen["result"]["exit_code"]) == ("done", 0)
        assert steps(second, running) == ["prove"]
        assert second.artefact(seen, "model.onnx")
