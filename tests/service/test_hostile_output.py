"""Where a conversion writes, and what it must not do to what is there."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.service.commands import Outcome, upconv
from tests.support import ROOT
from upconv.converters.passes.fill import fill_missing
from upconv.converters.proof.verify import verify
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions
from upconv.service.work.child import ChildError, run_in_child, serve
from upconv.service.work.staging import Staging, require_apart, write_text

NET = """\
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 3 dim: 50 dim: 70 } } }
layer { name: "up" type: "Deconvolution" bottom: "data" top: "up"
  convolution_param { num_output: 3 group: 3 kernel_size: 4 stride: 2 pad: 1 bias_term: false
    weight_filler { type: "bilinear" } } }
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.prototxt"
    path.write_text(NET)
    return path


def convert(net: Path, out: Path, *more: str | Path) -> Outcome:
    return upconv("convert", net, "--fill-missing", "bilinear", "-o", out, *more)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def one_line(done: Outcome) -> str:
    """The one line that a refused command says."""
    assert done.code == 2
    (line,) = done.err.splitlines()
    return line


def test_an_input_is_never_overwritten(net: Path) -> None:
    for out in (net, net.parent / "." / net.name):
        assert "cannot be written, since it is read" in one_line(convert(net, out))
    report = one_line(convert(net, net.parent / "x.onnx", "--report", net))
    assert report.startswith(f"error: {net}: cannot be written")
    assert net.read_text() == NET
    assert names(net.parent) == {"net.prototxt"}


def test_what_a_conversion_may_leave_is_kept_apart_too(net: Path) -> None:
    failed = net.rename(net.parent / "x.onnx.failed")
    assert "since it is read" in one_line(convert(failed, net.parent / "x.onnx"))
    out = failed.parent / "y.onnx"
    assert "something else is written" in one_line(convert(failed, out, "--report", out))


def test_paths_are_one_when_they_lead_to_one_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with pytest.raises(Exception, match="since it is read"):
        require_apart([str(tmp_path / "link")], [str(tmp_path / "file")])
    require_apart([str(tmp_path / "a"), str(tmp_path / "b")], ["", str(tmp_path / "c")])


def test_what_is_no_file_is_refused_and_stays(net: Path) -> None:
    pipe = net.parent / "pipe"
    os.mkfifo(pipe)
    assert "is no regular file" in one_line(convert(net, pipe))
    link = net.parent / "link.onnx"
    link.symlink_to(pipe)
    assert "is no regular file" in one_line(convert(net, link, "--no-verify"))
    assert pipe.is_fifo()
    assert names(net.parent) == {"net.prototxt", "pipe", "link.onnx"}


def test_a_link_stays_a_link_and_the_file_behind_it_is_written(net: Path) -> None:
    (net.parent / "deep").mkdir()
    link = net.parent / "link.onnx"
    link.symlink_to("deep/real.onnx")
    assert convert(net, link, "--external-data", "always").code == 0
    assert link.is_symlink()
    assert names(net.parent / "deep") == {"real.onnx", "real.onnx.data"}


def test_a_report_goes_into_a_pipe_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text(str(pipe), "all is well\n")
        assert os.read(reader, 100) == b"all is well\n"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_any_name_is_right_for_the_output(net: Path) -> None:
    """onnx chooses a format by the extension where it is left to."""
    done = convert(net, net.parent / "x.prototxt")
    assert done.code == 0, done.err


def test_a_full_disk_is_one_line_and_leaves_nothing(net: Path) -> None:
    out = net.parent / "x.onnx"
    done = subprocess.run(
        [sys.executable, "-m", "upconv", "convert", net, "--fill-missing", "bilinear",
         "-o", out],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == f"error: {out}: File too large\n"
    assert names(net.parent) == {"net.prototxt"}


def test_errors_name_the_file_that_was_asked_for(tmp_path: Path) -> None:
    target = tmp_path / "x.onnx"
    with pytest.raises(ChildError) as told, Staging(target) as staging:
        raise ChildError(f"{staging.path}: no")
    assert str(told.value) == f"{target}: no"
    with pytest.raises(OSError, match="No space") as raised, Staging(target) as staging:
        raise OSError(28, "No space left on device", str(staging.path))
    assert raised.value.filename == str(target)
    assert names(tmp_path) == set()


def test_a_size_beyond_the_memory_is_one_line(net: Path) -> None:
    done = convert(net, net.parent / "x.onnx", "--input", "data=1x3x100000x100000")
    assert "GB of memory" in one_line(done)
    assert "--input data=1x3x224x224" in done.err
    assert names(net.parent) == {"net.prototxt"}


def test_matrices_for_a_huge_input_are_not_made(net: Path) -> None:
    size = "data=1x3x100000000x100000000"
    done = convert(
        net, net.parent / "x.onnx", "--input", size, "--bilinear", "matmul", "--no-verify"
    )
    assert done.code == 0, done.err
    assert (net.parent / "x.onnx").stat().st_size < 10_000


def test_verify_names_the_size_a_file_was_made_for(net: Path) -> None:
    out = net.parent / "x.onnx"
    assert convert(net, out, "--input", "data=1x3x20x30").code == 0
    done = upconv("verify", net, out, "--fill-missing", "bilinear")
    assert one_line(done) == (
        f"error: {out}: its input 'data' is 1x3x20x30, the model's is 1x3x50x70 "
        "(give the shape it was converted with, as in --input data=1x3x20x30)"
    )


def raise_key_error(request: object, progress: object) -> None:
    raise KeyError("oops")


def test_a_defect_in_the_child_is_one_line() -> None:
    gone: list[int] = []
    with pytest.raises(ChildError, match=r"^upconv failed: KeyError: 'oops' \(please report it"):
        run_in_child(raise_key_error, None, print, lambda: gone.append(1))
    assert len(gone) == 1


@pytest.mark.parametrize("whole_group", [True, False])
def test_an_interrupt_leaves_nothing(net: Path, whole_group: bool) -> None:
    """At whatever moment it comes; the moments are spread over a verification's life."""
    out = net.parent / "x.onnx"
    size = ("--fill-missing", "bilinear", "--input", "data=1x3x900x1100")
    assert upconv("convert", net, *size, "--no-verify", "-o", out).code == 0
    for delay in (0.2, 1.0, 1.8):
        process = subprocess.Popen(
            [sys.executable, "-m", "upconv", "verify", net, out, *size],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            start_new_session=True,
        )
        time.sleep(delay)
        if process.poll() is None:
            (os.killpg if whole_group else os.kill)(process.pid, signal.SIGINT)
        error = process.communicate(timeout=60)[1].decode()
        assert "Traceback" not in error or delay < 0.5  # Python itself may still be starting
        assert names(net.parent) == {"net.prototxt", "x.onnx"}


def test_links_in_a_circle_are_one_line(net: Path) -> None:
    (net.parent / "a").symlink_to("b")
    (net.parent / "b").symlink_to("a")
    said = f"error: {net.parent / 'a'}: Too many levels of symbolic links"
    assert one_line(convert(net, net.parent / "a")) == said
    assert one_line(convert(net, net.parent / "x.onnx", "--report", net.parent / "a")) == said
    assert names(net.parent) == {"net.prototxt", "a", "b"}


def test_a_report_that_cannot_be_is_refused_before_the_work(net: Path) -> None:
    for place, said in ((net.parent, "is a folder"), (net.parent / "no/r", "does not exist")):
        assert said in one_line(convert(net, net.parent / "x.onnx", "--report", place))
    assert names(net.parent) == {"net.prototxt"}


def test_a_name_that_has_no_room_for_failed_is_refused_before_the_work(net: Path) -> None:
    out = net.parent / ("x" * 250)
    assert one_line(convert(net, out)).endswith(".failed: File name too long")
    assert names(net.parent) == {"net.prototxt"}


def test_a_pipe_is_no_model_and_does_not_hang(net: Path) -> None:
    pipe = net.parent / "pipe"
    os.mkfifo(pipe)
    said = f"error: {pipe}: cannot be read: a pipe, expected a regular file: write it to one first"
    assert one_line(upconv("verify", net, pipe, "--fill-missing", "bilinear")) == said
    assert one_line(upconv("verify", pipe, net)).startswith(said)


def test_a_folder_that_takes_no_files_is_called_by_the_files_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / ".upconv-hidden"))

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(OSError, match="No space") as raised:
        Staging(tmp_path / "x.onnx")
    assert raised.value.filename == str(tmp_path / "x.onnx")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_leaves_nothing(net: Path, number: signal.Signals) -> None:
    out = net.parent / "x.onnx"
    process = subprocess.Popen(
        [sys.executable, "-m", "upconv", "convert", net, "--fill-missing", "bilinear",
         "--input", "data=1x3x900x1100", "-o", out],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        start_new_session=True,
    )  # fmt: skip
    while len(names(net.parent)) == 1 and process.poll() is None:
        time.sleep(0.02)  # until its hidden folder is there
    process.send_signal(number)
    assert b"error: stopped" in process.communicate(timeout=60)[1]
    # CPython ends as by SIGINT where an interrupt, caught or not, went through an exec of text,
    # as dataclasses make while they are imported.
    assert process.returncode in (130, -signal.SIGINT)
    assert names(net.parent) == {"net.prototxt"}


def talk(request: object, progress: Callable[[str], None]) -> None:
    while True:
        progress("still here")


def test_a_child_whose_parent_is_gone_ends_silently() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(SystemExit), os.fdopen(writer, "wb", buffering=0) as answers:
        serve(talk, None, answers)


HOSTILE = {
    "outside": "../../../../etc/passwd",
    "absolute": "/etc/passwd",
    "missing": "nowhere.bin",
}


@pytest.mark.parametrize("location", HOSTILE.values(), ids=HOSTILE)
def test_external_weights_elsewhere_are_not_read(net: Path, location: str) -> None:
    out = net.parent / "x.onnx"
    assert convert(net, out, "--external-data", "always").code == 0
    model = onnx.load(out, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    out.write_bytes(model.SerializeToString())
    done = upconv("verify", net, out, "--fill-missing", "bilinear")
    assert one_line(done).startswith(f"error: {out}: onnxruntime refuses it: ")
    assert names(net.parent) == {"net.prototxt", "x.onnx", "x.onnx.data"}


def test_a_graph_that_asks_for_too_much_is_one_line(net: Path) -> None:
    out = net.parent / "x.onnx"
    assert convert(net, out).code == 0
    model = onnx.load(out)
    sizes = onnx.numpy_helper.from_array(np.array([1 << 40]), "sizes")
    model.graph.initializer.append(sizes)
    model.graph.node.append(onnx.helper.make_node("ConstantOfShape", ["sizes"], ["more"]))
    model.graph.output.append(onnx.ValueInfoProto(name="more"))
    onnx.save(model, out)
    line = one_line(upconv("verify", net, out, "--fill-missing", "bilinear"))
    assert line.startswith(f"error: {out}: onnxruntime fails while running it: ")


def test_weights_beside_a_file_in_a_folder_that_cannot_be_written(
    net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy that shows all values then stands elsewhere, and finds them all the same."""
    out = net.parent / "x.onnx"
    assert convert(net, out, "--external-data", "always").code == 0
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    model = fill_missing(open_model(str(net), ReadOptions()), ("bilinear",))
    assert verify(model, str(out)).verdict == "pass"
    assert names(net.parent) == {"net.prototxt", "x.onnx", "x.onnx.data"}


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_standard_streams_that_the_caller_has_closed(net: Path, closed: str) -> None:
    """What is written is whole: no message lands in a file that took a stream's number."""
    out = net.with_suffix(".onnx")
    words = f'"$0" -m upconv convert {net} --fill-missing bilinear -o {out} {closed}'
    command = ["sh", "-c", words, sys.executable]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    onnx.checker.check_model(onnx.load(out))
    assert (b"pass" in done.stdout) == (">&-" not in closed.replace("2>&-", ""))
