"""Jobs over HTTP come to what the command line comes to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from fixtures.make_caffemodel import write_caffemodel
from tests.service.commands import upconv
from tests.service.http.server import Server
from tests.support import ROOT

RULES = ROOT / "fixtures" / "rules"
NET = (RULES / "UP201" / "bad.prototxt").read_bytes()
SMALL = b"""\
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 3 dim: 5 dim: 7 } } }
layer { name: "up" type: "Deconvolution" bottom: "data" top: "up"
  convolution_param { num_output: 3 group: 3 kernel_size: 4 stride: 2 pad: 1 bias_term: false
    weight_filler { type: "bilinear" } } }
"""
FILL = {"fill_missing": "bilinear"}


def test_a_check_is_the_command_lines(server: Server, tmp_path: Path) -> None:
    answer = server.send({"bad.prototxt": NET})
    assert answer.status == 200
    job = answer.json
    assert (job["state"], job["result"]["exit_code"]) == ("done", 1)
    (tmp_path / "bad.prototxt").write_bytes(NET)
    for name, format_ in (
        ("report.json", "json"),
        ("report.sarif", "sarif"),
        ("report.txt", "text"),
    ):
        local = upconv("check", "bad.prototxt", "--format", format_, cwd=tmp_path)
        assert local.code == 1
        assert server.artefact(job, name).decode() == local.out
    assert job["result"]["summary"]["error"] == 3


def test_a_conversion_is_the_command_lines(server: Server, tmp_path: Path) -> None:
    job = server.send({"net.prototxt": SMALL}, "convert", FILL).json
    assert job["result"]["exit_code"] == 0, job
    assert job["result"]["summary"]["verdict"] == "pass"
    (tmp_path / "net.prototxt").write_bytes(SMALL)
    local = upconv(
        "convert", "net.prototxt", "-o", "model.onnx", "--fill-missing", "bilinear",
        "--report", "report.json", cwd=tmp_path,
    )  # fmt: skip
    assert local.code == 0
    assert server.artefact(job, "model.onnx") == (tmp_path / "model.onnx").read_bytes()
    certificate = json.loads(server.artefact(job, "certificate.json"))
    assert certificate == json.loads((tmp_path / "report.json").read_text())


def test_an_audit_is_the_command_lines(server: Server, tmp_path: Path) -> None:
    files = {"net.prototxt": SMALL, "other.prototxt": SMALL.replace(b"pad: 1", b"pad: 0")}
    options = {"model": "net.prototxt", "against": "other.prototxt"}
    job = server.send(files, "audit", options).json
    assert job["result"]["exit_code"] == 1, job
    for name, text in files.items():
        (tmp_path / name).write_bytes(text)
    for name, format_ in (("audit.json", "json"), ("audit.txt", "text")):
        local = upconv("audit", "net.prototxt", "--against", "other.prototxt",
                       "--format", format_, "-o", name, cwd=tmp_path)  # fmt: skip
        assert local.code == 1
        assert server.artefact(job, name) == (tmp_path / name).read_bytes()
    alone = server.send({"net.prototxt": SMALL}, "audit", {"sizes": "8..16"}).json
    assert alone["result"]["exit_code"] == 0
    assert b"<html" in server.artefact(alone, "audit.html")


def test_a_file_that_is_not_the_models_does_not_pass(server: Server) -> None:
    job = server.send({"net.prototxt": SMALL}, "convert", FILL).json
    onnx = server.artefact(job, "model.onnx")
    asked = {**FILL, "proof": "sampled"}
    same = server.send({"net.prototxt": SMALL, "a.onnx": onnx}, "verify", asked).json
    assert (same["result"]["exit_code"], same["result"]["summary"]["verdict"]) == (0, "pass")
    assert json.loads(server.artefact(same, "certificate.json"))["proof"] == "sampled"
    other = SMALL.replace(b"pad: 1", b"pad: 0")
    wrong = server.send({"net.prototxt": other, "a.onnx": onnx}, "verify", FILL).json
    assert wrong["result"]["exit_code"] != 0


def test_strict_keeps_a_model_with_errors_from_its_name(server: Server) -> None:
    options = {"fill_missing": "bilinear,constant", "strict": True}
    result = server.send({"net.prototxt": NET}, "convert", options).json["result"]
    assert result["exit_code"] == 1
    names = {one["name"] for one in result["artefacts"]}
    assert names == {"model.onnx.failed", "certificate.json"}


def test_the_same_asked_twice_is_one_job(server: Server) -> None:
    first = server.send({"a.prototxt": SMALL}, options={"select": ["UP2"]}).json
    again = server.send({"a.prototxt": SMALL}, options={"select": ["UP2"], "paths": []}).json
    other = server.send({"a.prototxt": SMALL}, options={"select": ["UP1"]}).json
    assert first["id"] == again["id"] != other["id"]
    assert first == again


def test_what_cannot_be_read_is_never_clean(server: Server) -> None:
    check = server.send({"a.prototxt": NET[:-40]}).json
    assert (check["state"], check["result"]["exit_code"]) == ("done", 1)
    report = json.loads(server.artefact(check, "report.json"))
    assert report["files"][0]["status"] == "unreadable"
    convert = server.send({"a.prototxt": NET[:-40]}, "convert").json
    assert convert["result"]["exit_code"] == 2
    assert convert["result"]["reason"].startswith("a.prototxt")
    assert convert["result"]["artefacts"] == []


def test_weights_beside_the_only_model_are_its_own(server: Server, tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((3, 1, 4, 4), np.float32)
    blobs = [((3, 1, 4, 4), values)]
    write_caffemodel(tmp_path / "net.caffemodel", "net", [("up", "Deconvolution", blobs)])
    weights = (tmp_path / "net.caffemodel").read_bytes()
    job = server.send({"net.prototxt": SMALL, "net.caffemodel": weights}, "convert").json
    assert job["result"]["summary"]["verdict"] == "pass", job


def test_progress_is_streamed_to_its_end(server: Server) -> None:
    job = server.send({"b.prototxt": SMALL}, "convert", FILL, wait=0)
    assert job.status == 202
    assert job.headers["location"] == f"/v1/jobs/{job.json['id']}"
    stream = server.get(f"{job.headers['location']}/events").body.decode()
    events = [entry.split("\n") for entry in stream.split("\n\n") if entry.startswith("event")]
    assert [lines[0] for lines in events[-2:]] == ["event: progress", "event: over"]
    last = json.loads(events[-1][1].removeprefix("data: "))
    assert (last["state"], last["result"]["exit_code"]) == ("done", 0)
    assert server.get(f"{job.headers['location']}/events").body.count(b"event: over") == 1


def test_rules_formats_and_version_are_told(server: Server) -> None:
    listed = json.loads(upconv("rule", "--format", "json").out)
    assert server.get("/v1/rules").json == listed
    assert server.get("/v1/rules/up201").json["code"] == "UP201"
    assert server.get("/v1/rules/UP999").status == 404
    assert server.ask("PUT", f"/v1/jobs/{'0' * 32}").headers["allow"] == "DELETE, GET"
    assert {one["name"] for one in server.get("/v1/formats").json} >= {"Caffe", "ONNX"}
    assert server.get("/v1/version").json["api"] == 1
    assert server.get("/health").json["ok"]
    assert server.get("/ready").json["ok"]
    assert b'upconv_jobs{state="done"}' in server.get("/metrics").body
    assert server.get("/openapi.json").json["openapi"].startswith("3.1")
