"""Models whose truth is known: those of many engines, and ONNX's own tests."""

from __future__ import annotations

import warnings
from collections import Counter
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from onnx.backend import test as backend_test
from onnx.reference import ReferenceEvaluator

from tests.converters.readers.onnx.support import (
    assert_close,
    computed,
    meant,
    noise,
    proto,
    read,
    unknown,
)
from tests.converters.readers.onnx.support import node as node_of
from tests.support import shared_folder
from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.onnx_writer import WriteOptions, write_onnx
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.onnx.folding import FOLDS
from upconv.converters.readers.onnx.lowering import LOWERINGS
from upconv.converters.readers.options import ReadOptions

REFUSED = {
    "ct_dyn_oshape": "fixed while the input's size is open",
    "ct_oshape_full_form": "4 numbers for 2 spatial axes",
    "rs_linear_aa_down": "exclude_outside 0",
    "rs_linear_align_corners_s1.7": "gives no whole size",
    "rs_linear_half_pixel_symmetric_s1.7": "gives no whole size",
}
"""Case of ../shared/engines -> part of the reason for which it is not understood."""


def case_names() -> list[str]:
    return sorted(path.stem for path in shared_folder().glob("engines/cases/*.onnx"))


@pytest.mark.parametrize("name", case_names())
def test_a_model_equals_its_truth_here_and_rewritten(
    name: str, shared: Path, tmp_path: Path
) -> None:
    """In the reference, written again in onnxruntime, and read back."""
    path = shared / f"engines/cases/{name}.onnx"
    model = open_model(str(path), ReadOptions())
    if name in REFUSED:
        (reason,) = unknown(model).values()
        assert REFUSED[name] in reason
        return
    truth = np.load(path.with_suffix(".npz"))
    feeds = {model.inputs[0].name: truth["x"]}
    assert not unknown(model)
    assert_close(meant(model, feeds)[0], truth["y"], 2e-6)
    out = tmp_path / "out.onnx"
    write_onnx(model, out, WriteOptions(20))
    assert_close(computed(str(out), feeds)[0], truth["y"], 3e-5)
    again = open_model(str(out), ReadOptions())
    assert_close(meant(again, feeds)[0], truth["y"], 3e-6)
    written = {node.op_type: node for node in _nodes(out)}
    for node in written.values():
        names = {attribute.name for attribute in node.attribute}
        assert not names & {"auto_pad", "output_shape"}, node.op_type


def _nodes(path: Path) -> list[Any]:
    import onnx

    return list(onnx.load(path).graph.node)


def test_onnxs_own_tests_are_equal_or_refused(tmp_path: Path) -> None:
    """With what else a node reads as stored tensors, where it may not be computed."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = collect_testcases(None)
    found = Counter(_verdict(case, tmp_path) for case in cases)
    assert set(found) == {"equal", "refused"}
    assert found["equal"] >= 900


def _verdict(case: Any, folder: Path) -> str:
    if any(one.op_type not in LOWERINGS and one.op_type not in FOLDS and one.op_type != "Constant"
           for one in case.model.graph.node):  # fmt: skip
        return "refused"
    inputs, outputs = case.data_sets[0]
    named = zip(case.model.graph.input, inputs, strict=False)
    feeds = {entry.name: array for entry, x in named if (array := _array(x)) is not None}
    if any(array.size == 0 for array in feeds.values()):
        return "refused"  # a declared size of 0 is read as an open one, as exporters write it
    if _attempt(case.model, feeds, outputs, folder, case.name):
        return "equal"
    from onnx import numpy_helper

    for keep in (1, 0):
        model = type(case.model)()
        model.CopyFrom(case.model)
        for entry in list(model.graph.input)[keep:]:
            if entry.name in feeds and feeds[entry.name].dtype.kind in "fiub":
                array = feeds[entry.name]
                model.graph.initializer.append(numpy_helper.from_array(array, entry.name))
        if _attempt(model, feeds, outputs, folder, case.name):
            return "equal"
    return "refused"


OLD = sorted(
    str(model.parent)
    for folder in ("pytorch-converted", "pytorch-operator", "simple")
    for model in Path(backend_test.__file__).parent.glob(f"data/{folder}/*/model.onnx")
)
"""Models of opset 6 to 12 that the onnx package ships, with their inputs and outputs."""


def test_models_of_old_opsets_are_equal_or_refused(tmp_path: Path) -> None:
    found = Counter(_recorded_verdict(Path(folder), tmp_path) for folder in OLD)
    assert set(found) == {"equal", "refused"}
    assert found["equal"] >= 120


def _recorded_verdict(folder: Path, work: Path) -> str:
    from onnx import load, load_tensor, numpy_helper

    model, data = load(folder / "model.onnx"), folder / "test_data_set_0"
    stored = {entry.name for entry in model.graph.initializer}
    names = [entry.name for entry in model.graph.input if entry.name not in stored]
    with suppress(DecodeError):  # a sequence of tensors
        inputs = [load_tensor(data / f"input_{at}.pb") for at in range(len(names))]
        feeds = dict(zip(names, map(numpy_helper.to_array, inputs), strict=True))
        outputs = [load_tensor(data / f"output_{at}.pb") for at in range(len(model.graph.output))]
        return "equal" if _attempt(model, feeds, outputs, work, folder.name) else "refused"
    return "refused"


def _array(value: Any) -> Any:
    from onnx import TensorProto, numpy_helper

    if isinstance(value, TensorProto):
        return numpy_helper.to_array(value)
    return None if value is None or isinstance(value, list | dict) else np.asarray(value)


def _attempt(model: Any, feeds: Any, outputs: Any, folder: Path, name: str) -> bool:
    """Whether it is understood; then it must be equal."""
    try:
        made = read(model, folder)
    except (UnreadableError, UnsupportedError):
        return False
    if unknown(made):
        return False
    results = meant(made, {entry.name: feeds[entry.name] for entry in made.inputs})
    for got, wanted in zip(results, map(_array, outputs), strict=True):
        narrow = wanted.dtype.itemsize == 2 and wanted.dtype.kind not in "iu"
        rtol, atol = (2e-2, 1e-2) if narrow else (1e-3, 1e-6)
        wide = wanted.astype(np.float64)
        np.testing.assert_allclose(got, wide, rtol=rtol, atol=atol, err_msg=name)
    return True


@pytest.mark.parametrize(
    ("image", "block", "words"),
    [
        ((5, 7), (2, 3), {"strides": [2, 3], "pads": [0, 1, 1, 0]}),
        ((9,), (3,), {"dilations": [2], "strides": [2]}),
        ((6, 7), (3, 2), {"dilations": [2, 1], "pads": [1, 1, 1, 1]}),
        ((5, 6, 7), (2, 3, 2), {"strides": [2, 1, 2]}),
    ],
    ids=str,
)
def test_blocks_put_back_are_a_transposed_convolution(
    image: tuple[int, ...], block: tuple[int, ...], words: dict[str, Any], tmp_path: Path
) -> None:
    """By onnx's own evaluator: onnxruntime 1.32 is wrong on two images of one axis in steps."""
    axes = len(block)
    stride, dilation = (words.get(name, [1] * axes) for name in ("strides", "dilations"))
    pads = words.get("pads", [0] * 2 * axes)
    rows = zip(image, block, stride, dilation, pads[:axes], pads[axes:], strict=True)
    cells = [(n + b + e - d * (k - 1) - 1) // s + 1 for n, k, s, d, b, e in rows]
    shape = (2, 3 * prod(block), prod(cells))
    stored = {"image": np.array(image, np.int64), "block": np.array(block, np.int64)}
    model = proto([node_of("Col2Im", ["x", *stored], **words)], {"x": shape}, stored)
    x = noise(*shape)
    found = read(model, tmp_path)
    assert not unknown(found)
    (want,) = ReferenceEvaluator(model).run(None, {"x": x})
    assert_close(meant(found, {"x": x})[0], np.asarray(want))
