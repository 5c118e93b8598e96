"""Inputs that once failed, each with its command and what is right: the shared cases.

Whole models (models/) and slices of open sizes (alignment/) have tests of their own.
"""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.converters.onnx_writer.support import run_onnx
from tests.fuzz.bounded import in_time
from tests.service.commands import Outcome, upconv
from tests.support import shared_folder
from upconv.linter.running.engine import CheckOptions, check_path
from upconv.service.work.checking import CheckRequest, check

CASES = shared_folder() / "cases"
ELSEWHERE = ("hostile", "models", "alignment")

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not here")


@dataclass(frozen=True, slots=True)
class Row:
    """What `upconv check` says of a file: all `codes` above an info, with how often; `never` are
    codes that would be false, `says` stand in messages, `exit` is the command's code."""

    codes: str = ""
    never: str = ""
    says: tuple[str, ...] = ()
    exit: int = 0


def crops(*offsets: int) -> Row:
    says = tuple(f"take {offset}" for offset in offsets)
    return Row(f"UP307*{len(offsets)}", "UP105", says)


CHECKED = {
    "crop-auto/hed_deploy.prototxt": crops(34, 35, 36, 38, 42),
    "crop-auto/fcn8s_old_deploy.prototxt": crops(5, 9, 31),
    "crop-auto/rcf_autocrop.prototxt": Row(never="UP105 UP106 UP307"),
    "v1-crop/v1_crop.prototxt": crops(19),
    "fields/relu6.prototxt": Row(never="UP002"),
    "fields/pad_lrtb.prototxt": Row(never="UP002"),
    "crash/up106_zero_division.prototxt": Row(never="UP006 UP106 UP116"),
    "crash/unknown_rank_saved_model": Row(never="UP006"),
    "crash/up202_fcn.pb": Row(never="UP006 UP202"),
    "crash/up202_odd.pb": Row(never="UP006 UP202"),
    "crash/huge_kernel.prototxt": Row("UP201", "UP006", exit=1),
    "crash/layernorm_axis.json": Row("UP001", "UP006", ("axis is []",), exit=1),
    "crash/emptyscale.py": Row("UP322 UP325", "UP006", ("along 0 axes",), exit=1),
    "cache/graph.pbtxt": Row(),
    "cache/ident.keras": Row(),
    "cache/ident_relu.onnx": Row(),
    "false/up103_segnet_strides.prototxt": Row(
        "UP102*3 UP103*2", says=("'upsample3' lost 2 pixels",), exit=1
    ),
    "false/up103_unknown_field_concat.prototxt": Row("UP003", "UP103"),
    "false/up004_weightless_duplicates.prototxt": Row(never="UP004"),
    "false/up106_seg45.pt2": Row(never="UP106 UP116"),
    "false/up106_unpool_one_odd.pt2": Row(never="UP106 UP116"),
    "false/up106_unpool_3_2.prototxt": Row(never="UP106 UP116"),
    "false/up108_nearest_idiom.prototxt": Row(never="UP108 UP111 UP212 UP213"),
    "false/up110_kernel_3x1.prototxt": Row(never="UP110"),
    "false/up112_fixed_interp.prototxt": Row(never="UP112"),
    "false/up114_label_interp.prototxt": Row(never="UP114"),
    "false/up217_intel_gabor.prototxt": Row(never="UP217"),
    "false/up330_keras_jax.keras": Row(never="UP330"),
    "false/up331_keras3.py": Row(never="UP331"),
    "false/up333_nearest_integer.py": Row(never="UP333"),
    "missed/kernel_from_default.py": Row("UP107*3", "UP320"),
    "missed/ignore_without_brackets.prototxt": Row("UP005 UP201"),
    "missed/html_page.prototxt": Row("UP001", says=("but a web page",), exit=1),
    "missed/unknown_layer_at_the_end.prototxt": Row("UP003 UP008"),
    "keras-backend/torch_3.12.h5": Row("UP107", "UP307 UP330"),
    "keras-backend/conv2dt-theano.h5": Row("UP107", "UP307"),
    "keras-backend/conv2dt-d2-same-tf1.12.h5": Row(),
    "refused/derived_dims_view.pt2": Row("UP112"),
    "refused/keras1.h5": Row("UP107", "UP003", ("Keras 1.2.2",)),
    "refused/nvcaffe_batchnorm.prototxt": Row(never="UP002 UP003"),
    "refused/tf_argmax_unpool": Row(),
    "refused/tf_zeros_like_unpool.pb": Row(),
}


@pytest.mark.parametrize("name", CHECKED)
def test_what_check_says(name: str) -> None:
    row = CHECKED[name]
    told = check(CheckRequest((str(CASES / name),), cache=False)).report
    assert told.fails() is bool(row.exit)
    seen = Counter(one.code for one in told.findings if one.severity != "info")
    wanted = (word.partition("*") for word in row.codes.split())
    assert seen == {code: int(often or 1) for code, _, often in wanted}
    assert {one.code for one in told.findings}.isdisjoint(row.never.split())
    for words in row.says:
        assert any(words in one.message for one in told.findings), words


def test_every_case_has_a_row() -> None:
    """Companions (weights, recorded values, parts of folders) belong to the row of their case."""
    companions = ("w.caffemodel", "torch_3.12_io.npz", "README.md")
    for path in sorted(CASES.rglob("*")):
        name = path.relative_to(CASES).as_posix()
        if path.is_dir() or name.startswith((".", *ELSEWHERE)) or path.name in companions:
            continue
        if not name.startswith("cache/stale_cache/"):  # tests/linter/running/test_companions.py
            assert any(name == row or name.startswith(f"{row}/") for row in CHECKED), name


HOSTILE = CASES / "hostile"


@pytest.mark.parametrize("name", sorted(path.name for path in HOSTILE.glob("*")))
def test_what_is_hostile_is_one_clear_error_soon(name: str) -> None:
    with in_time():
        report = check_path(HOSTILE / name, CheckOptions(root=CASES))
    codes = [one.code for one in report.findings if one.severity == "error"]
    if name == "libhdf5_segfault.h5":  # what crashes libhdf5 is not read by it
        assert codes == []
    else:
        assert len(codes) == 1
        assert codes[0] in ("UP001", "UP114")


CONVERTED = {
    # (model, further arguments): (exit code, what it says)
    "aligned or not is asked, not guessed": (
        ("crop-auto/hed_deploy.prototxt", "--input", "data=1x3x48x40"),
        (2, "--dialect crop=aligned|bvlc"),
    ),
    "so it is of an old FCN": (
        ("crop-auto/fcn8s_old_deploy.prototxt",),
        (2, "--dialect crop=aligned|bvlc"),
    ),
    "and in V1 syntax": (("v1-crop/v1_crop.prototxt",), (2, "--dialect crop=aligned|bvlc")),
    "relu6 is read": (("fields/relu6.prototxt",), (0, "pass")),
    "what Keras 1 wrote": (("refused/keras1.h5",), (0, "pass")),
    "a cut is offered, without the option that made it": (
        ("missed/unknown_layer_at_the_end.prototxt",),
        (2, "--outputs conv"),
    ),
    "unpooling by a scatter": (("refused/tf_argmax_unpool",), (0, "pass")),
    "zeros to unpool into": (("refused/tf_zeros_like_unpool.pb",), (0, "pass")),
}


def converted(target: Path, *arguments: str) -> Outcome:
    model, *more = arguments
    return upconv("convert", CASES / model, *more, "-o", target)


@pytest.mark.parametrize("what", CONVERTED)
def test_what_convert_does(what: str, tmp_path: Path) -> None:
    arguments, (code, says) = CONVERTED[what]
    done = converted(tmp_path / "o.onnx", *arguments)
    assert done.code == code
    assert says in done.out + done.err
    assert (tmp_path / "o.onnx").exists() is (code == 0)


def test_relu6_clips(tmp_path: Path) -> None:
    assert converted(tmp_path / "o.onnx", "fields/relu6.prototxt").code == 0
    x = np.random.default_rng(0).standard_normal((1, 3, 17, 21)).astype(np.float32)
    (y,) = run_onnx(tmp_path / "o.onnx", {"data": x}).values()
    np.testing.assert_allclose(y, np.clip(10 * x, 0, 6), atol=1e-6)


def test_an_identity_that_is_a_relu_fails() -> None:
    done = upconv("verify", CASES / "cache/ident.keras", CASES / "cache/ident_relu.onnx")
    assert done.code == 1
    assert "fail drop Identity" in done.out


def test_a_graph_on_standard_input_is_the_same_as_in_its_file() -> None:
    path = CASES / "cache/graph.pbtxt"
    stdin = CheckRequest(("-",), path.read_bytes(), "keep.pbtxt")
    reports = [check(one).report for one in (CheckRequest((str(path),)), stdin)]
    said = [[(one.code, one.message) for one in report.findings] for report in reports]
    assert said[0] == said[1]
    assert [file.format for report in reports for file in report.files] == ["tensorflow"] * 2


def test_one_file_s_trouble_does_not_end_the_others(tmp_path: Path) -> None:
    shutil.copytree(CASES / "crash", tmp_path / "crash")
    report = check(CheckRequest((str(tmp_path),), cache=False)).report
    files = {one.path.rpartition("/")[2] for one in report.files}
    assert {path.name for path in (CASES / "crash").iterdir()} <= files
    assert {one.status for one in report.files} == {"ok", "unreadable"}
