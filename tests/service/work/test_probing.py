"""A probe names how an engine reads: the engine here is onnxruntime, on a model that says otherwise
what another engine reads into the probe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

import upconv
from upconv.converters.ir.errors import UnreadableError, UsageError
from upconv.service.cli.group import cli
from upconv.service.work.probing import ProbeReading

SHAPE = (1, 4, 5, 7)


def transposed(path: Path, kernel: int = 3, groups: int = 1, **attributes: Any) -> Path:
    """A ConvTranspose of stride 2 with a bias."""
    rng = np.random.default_rng(5)
    w = rng.standard_normal((4, 4 // groups, kernel, kernel)).astype(np.float32)
    stored = {"w": w, "b": rng.standard_normal(4).astype(np.float32)}
    node = helper.make_node(
        "ConvTranspose", ["x", *stored], ["y"], strides=[2, 2], group=groups, **attributes
    )
    return saved(path, node, stored)


def resize(
    path: Path, sizes: tuple[int, int] = (8, 11), scales: Any = None, **attributes: Any
) -> Path:
    if scales:
        node = helper.make_node("Resize", ["x", "", "scales"], ["y"], **attributes)
        return saved(path, node, {"scales": np.array([1, 1, *scales], np.float32)})
    node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], **attributes)
    return saved(path, node, {"sizes": np.array([1, 4, *sizes], np.int64)})


def saved(path: Path, node: Any, stored: dict[str, Any]) -> Path:
    entry = helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)
    end = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    held = [numpy_helper.from_array(array, name) for name, array in stored.items()]
    graph = helper.make_graph([node], "one", [entry], [end], held)
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    return path


def reading(source: Path, other: dict[str, Any], folder: Path) -> ProbeReading:
    """What the probe of `source` says of an engine that reads its node with other attributes, those
    that are None left out."""
    upconv.probe_make(source, folder)
    model = onnx.load(str(folder / "model.onnx"))
    (node,) = model.graph.node
    kept = [one for one in node.attribute if one.name not in other]
    said = {name: value for name, value in other.items() if value is not None}
    del node.attribute[:]
    node.attribute.extend([*kept, *(helper.make_attribute(n, v) for n, v in said.items())])
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    outputs = []
    for index in range(2):
        with np.load(folder / f"inputs-{index}.npz") as given:
            (y,) = session.run(["y"], {"x": given["x"]})
        outputs.append(folder / f"outputs-{index}.npz")
        np.savez(outputs[-1], y=y)
    return upconv.probe_read(folder, outputs)


ASKED = {"output_shape": [10, 14]}
CASES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (ASKED, {"output_shape": None, "pads": [0, 0, 1, 1]}, "odd pixel at the end instead"),
    (ASKED, {"output_shape": None}, "output_shape is ignored"),
    (ASKED, {"output_shape": None, "output_padding": [1, 1]}, "1 pixel of output padding"),
    ({"kernel": 4, **ASKED}, {"output_shape": None, "pads": [0, 0, 2, 2]}, "all of the padding"),
    ({"auto_pad": "SAME_LOWER"}, {"auto_pad": "SAME_UPPER"}, "is read as SAME_UPPER"),
    ({"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"}, "is read as SAME_LOWER"),
    ({"auto_pad": "SAME_UPPER"}, {"auto_pad": "NOTSET"}, "SAME_UPPER is ignored"),
    ({"auto_pad": "SAME_LOWER"}, {"auto_pad": "NOTSET", "pads": [1] * 4}, "stride 1"),
    ({"pads": [1, 1, 1, 1], "output_padding": [1, 1]}, {"output_padding": None}, "is ignored"),
    ({"pads": [0, 1, 1, 0]}, {"pads": [1, 0, 0, 1]}, "exchanged"),
    ({"dilations": [2, 2]}, {"dilations": None}, "dilation is ignored"),
]


@pytest.mark.parametrize(("said", "read", "words"), CASES, ids=lambda one: str(one)[:40])
def test_the_reading_of_a_transposed_convolution_is_named(
    said: dict[str, Any], read: dict[str, Any], words: str, tmp_path: Path
) -> None:
    found = reading(transposed(tmp_path / "net.onnx", **said), read, tmp_path / "probe")
    (layer,) = found.layers
    assert layer.verdict == "other reading"
    assert words in layer.readings[0]
    assert not found.passed
    right = reading(transposed(tmp_path / "again.onnx", **said), {}, tmp_path / "right")
    assert [one.verdict for one in right.layers] == ["exact"]


NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "half_pixel"}
RESIZES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({**NEAREST, "nearest_mode": "ceil"}, {"nearest_mode": "floor"}, "ceil is read as floor"),
    (
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
        {"coordinate_transformation_mode": "half_pixel"},
        "coordinates align_corners is read as half_pixel",
    ),
    (
        {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
        {"coordinate_transformation_mode": "asymmetric"},
        "coordinates half_pixel is read as asymmetric",
    ),
    (
        {"mode": "cubic", "cubic_coeff_a": -0.5},
        {"cubic_coeff_a": -0.75},
        "cubic_a -0.5 is read as -0.75",
    ),
    ({"mode": "cubic", "exclude_outside": 1}, {"exclude_outside": 0}, "exclude_outside is ignored"),
    ({"mode": "linear"}, {"mode": "nearest"}, "mode linear is read as nearest"),
]


@pytest.mark.parametrize(("said", "read", "words"), RESIZES, ids=lambda one: str(one)[:40])
def test_the_reading_of_a_resize_is_named(
    said: dict[str, Any], read: dict[str, Any], words: str, tmp_path: Path
) -> None:
    found = reading(resize(tmp_path / "net.onnx", **said), read, tmp_path / "probe")
    assert words in found.layers[0].readings[0]
    right = reading(resize(tmp_path / "again.onnx", **said), {}, tmp_path / "right")
    assert [one.verdict for one in right.layers] == ["exact"]


OPEN: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (
        {"mode": "linear", "coordinate_transformation_mode": "half_pixel_symmetric"},
        {"coordinate_transformation_mode": "half_pixel"},
        "half_pixel_symmetric is read as half_pixel",
    ),
    (
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
        {"coordinate_transformation_mode": "asymmetric"},
        "align_corners is read as asymmetric",
    ),
    ({"mode": "linear", "antialias": 1}, {"antialias": 0}, "antialias is ignored"),
    ({"mode": "cubic", "antialias": 1}, {"exclude_outside": 1}, "pixels outside of the input"),
]


@pytest.mark.parametrize(("said", "read", "words"), OPEN, ids=lambda one: str(one)[:60])
def test_what_has_no_record_is_judged(
    said: dict[str, Any], read: dict[str, Any], words: str, tmp_path: Path
) -> None:
    """onnxruntime is right about scales that give no whole size, and about pixels outside."""
    sizes = {"sizes": (3, 4)} if "antialias" in said else {"scales": (1.7, 1.3)}
    right = reading(resize(tmp_path / "net.onnx", **sizes, **said), {}, tmp_path / "right")
    assert [one.verdict for one in right.layers] == ["exact"]
    assert ("as onnxruntime has it" in str(right)) == ("align_corners" in str(said))
    found = reading(resize(tmp_path / "again.onnx", **sizes, **said), read, tmp_path / "probe")
    assert words in " | ".join(found.layers[0].readings)


def test_n_and_c_may_be_taken_for_sizes(tmp_path: Path) -> None:
    """As MNN reads an output_shape that has them, which has one meaning all the same."""
    source = transposed(tmp_path / "net.onnx", output_shape=[1, 4, 10, 14])
    upconv.probe_make(source, tmp_path / "probe")
    np.savez(tmp_path / "out.npz", y=np.zeros((1, 4, 1, 4), np.float32))
    (layer,) = upconv.probe_read(tmp_path / "probe", [tmp_path / "out.npz"]).layers
    assert layer.readings == ("N and C of output_shape are taken for sizes",)
    right = reading(source, {"output_shape": [10, 14]}, tmp_path / "right")
    assert [one.verdict for one in right.layers] == ["exact"]


def test_nothing_goes_above_what_float16_has(tmp_path: Path) -> None:
    upconv.probe_make(transposed(tmp_path / "net.onnx"), tmp_path / "probe")
    session = onnxruntime.InferenceSession(str(tmp_path / "probe" / "model.onnx"))
    for index in range(2):
        with np.load(tmp_path / "probe" / f"inputs-{index}.npz") as given:
            (y,) = session.run(["y"], {"x": given["x"]})
        assert np.array_equal(y, np.round(y))
        assert 0 < np.abs(y).max() <= 2**11
        assert np.array_equal(y.astype(np.float16), y)


def test_other_formats_are_converted_and_the_command_line_reads_raw_floats(tmp_path: Path) -> None:
    net = tmp_path / "net.prototxt"
    net.write_text(
        'layer { name: "d" type: "Input" top: "d" input_param { shape '
        "{ dim: 1 dim: 2 dim: 5 dim: 7 } } }\n"
        'layer { name: "up" type: "Deconvolution" bottom: "d" top: "up" convolution_param '
        "{ num_output: 2 group: 2 kernel_size: 4 stride: 2 pad: 1 weight_filler "
        '{ type: "bilinear" } } }\n',
        "utf-8",
    )
    probe = tmp_path / "probe"
    words = ["probe", "make", str(net), "--fill-missing", "bilinear,constant", "-o", str(probe)]
    assert CliRunner().invoke(cli, words).exit_code == 0
    session = onnxruntime.InferenceSession(str(probe / "model.onnx"))
    x = np.fromfile(probe / "inputs-0.d.bin", "<f4").reshape(1, 2, 5, 7)
    (y,) = session.run(["up"], {"d": x})
    y.astype("<f2").tofile(tmp_path / "up.bin")
    raw = ["probe", "read", str(probe), str(tmp_path / "up.bin"), "--shape", "1x2x10x14"]
    told = CliRunner().invoke(cli, [*raw, "--format", "json"])
    assert told.exit_code == 0
    assert json.loads(told.output)["layers"][0]["verdict"] == "exact"
    short = CliRunner().invoke(cli, [*raw[:-1], "1x2x10x15"])
    assert short.exit_code != 0


def test_what_comes_back_is_not_trusted(tmp_path: Path) -> None:
    probe = tmp_path / "probe"
    upconv.probe_make(resize(tmp_path / "net.onnx", mode="linear"), probe)
    evil = tmp_path / "evil.npz"
    np.savez(evil, y=np.array([{}], dtype=object), allow_pickle=True)
    text = tmp_path / "text.npz"
    text.write_text("no archive", "utf-8")
    for path in (evil, text, tmp_path / "absent.npz"):
        with pytest.raises(UnreadableError):
            upconv.probe_read(probe, [path])
    np.savez(tmp_path / "other.npz", y=np.zeros(3), z=np.zeros(3))
    with pytest.raises(UsageError, match="is no output"):
        upconv.probe_read(probe, [tmp_path / "other.npz"])
    (probe / "manifest.json").write_text('{"generator": "upconv probe", "runs": ["../x.npz"]}')
    with pytest.raises(UnreadableError):
        upconv.probe_read(probe, [evil])
    with pytest.raises(UsageError, match="is not empty"):
        upconv.probe_make(tmp_path / "net.onnx", probe)
