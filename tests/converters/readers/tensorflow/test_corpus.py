"""Frozen graphs that people published, against TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.converters.onnx_writer.support import run_onnx
from tests.converters.readers.tensorflow.support import assert_equal, run_graph, shapes, v1
from upconv.converters.ir import operators as ops
from upconv.converters.readers.formats import identify, open_model
from upconv.converters.readers.options import ReadOptions

pytestmark = pytest.mark.filterwarnings("ignore")

FSRCNN = "Saafke__FSRCNN_Tensorflow/models/{}.pb"
DEEPLAB = "anilsathyan7__Portrait-Segmentation/models/deeplab_dm05_513/frozen_inference_graph.pb"


def opened(path: Path) -> object:
    graph = v1.GraphDef()
    graph.ParseFromString(path.read_bytes())
    return graph


@pytest.mark.parametrize("name", ["FSRCNN-small_x2", "FSRCNN_x2"])
def test_super_resolution(name: str, shared: Path, tmp_path: Path) -> None:
    """The file says nothing about its input: the first convolution does. The output is NCHW."""
    from upconv.converters.onnx_writer import write_onnx

    path = shared / "corpus" / "keras" / FSRCNN.format(name)
    assert identify(str(path)) == "TensorFlow"
    model = open_model(str(path), ReadOptions())
    assert not model.notices
    assert model.channels_last == {"IteratorGetNext"}
    write_onnx(model, tmp_path / "out.onnx")
    rng = np.random.default_rng(0)
    for size in ((2, 13, 17, 1), (1, 8, 5, 1)):
        feeds = {"IteratorGetNext": rng.random(size, np.float32)}
        want = run_graph(opened(path), feeds, model.outputs)["NCHW_output"]
        assert_equal(run_onnx(tmp_path / "out.onnx", feeds)["NCHW_output"], want)


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ("1x513x513x3", (513, 513)),
        ("1x257x320x3", (257, 320)),
        ("1x514x400x3", (514, 400)),
        ("1xHxWx3", (257, 320)),
    ],
)
def test_segmentation(given: str, size: tuple[int, int], shared: Path, tmp_path: Path) -> None:
    """DeepLab with its preprocessing: bytes in, padded to 513 by an amount computed from the size,
    dilation by SpaceToBatchND, sizes of a padded tensor, a choice as whole numbers out."""
    from upconv.converters.onnx_writer import write_onnx

    path = shared / "corpus" / "keras" / DEEPLAB
    model = open_model(str(path), shapes(ImageTensor=given))
    assert not model.notices
    dilations = [getattr(layer.operator, "dilation", (1, 1)) for layer in model.layers]
    assert (dilations.count((2, 2)), dilations.count((4, 4))) == (7, 3)
    assert not any(isinstance(layer.operator, ops.Permute) for layer in model.layers)
    write_onnx(model, tmp_path / "out.onnx")
    image = np.random.default_rng(0).integers(0, 256, (1, *size, 3)).astype(np.uint8)
    want = run_graph(opened(path), {"ImageTensor": image}, model.outputs)
    got = run_onnx(tmp_path / "out.onnx", {"ImageTensor": image.astype(np.float32)})
    assert_equal(got["SemanticProbabilities"], want["SemanticProbabilities"])
    assert (got["SemanticPredictions"] != want["SemanticPredictions"]).mean() < 1e-4
