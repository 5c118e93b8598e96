"""Files: metadata, refusals, inline and external weights, failures that leave nothing behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.converters.onnx_writer.support import (
    check_valid,
    convert_and_compare,
    letters,
    model,
    one_layer,
    run_onnx,
    values,
    weights,
)
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import symbol
from upconv.converters.ir.errors import ShapeError, UnsupportedError, UpconvError, UsageError
from upconv.converters.ir.model import Layer, Model, ModelInput, Notice, NoticeKind
from upconv.converters.ir.origin import Origin, Source, Span
from upconv.converters.ir.tensors import Filler, Weight, missing, weight_of
from upconv.converters.onnx_writer import WriteOptions, move_model, write_onnx
from upconv.converters.onnx_writer.options import IR_VERSIONS
from upconv.converters.onnx_writer.save import PAGE


def network() -> Model:
    conv = ops.Conv(4, (3, 3), (1, 1), (1, 1), (1, 1), (1, 1))
    up = ops.ConvTranspose(2, (4, 4), (2, 2), (1, 1), (1, 1), (1, 1), (0, 0))
    layers = [
        Layer(
            "conv", conv, ("data",), ("conv",), weights(weight=values(4, 3, 3, 3), bias=values(4))
        ),
        Layer("relu", ops.Relu(), ("conv",), ("relu",)),
        Layer("up", up, ("relu",), ("up",), weights(weight=values(4, 2, 4, 4))),
    ]
    return model(layers, {"data": (symbol("N"), 3, symbol("H"), 6)}, ["up"])


def test_frame_of_the_file(tmp_path: Path) -> None:
    written = write_onnx(network(), tmp_path / "m.onnx", WriteOptions(producer_version="1.2"))
    loaded = check_valid(written.path)
    assert (loaded.producer_name, loaded.producer_version) == ("upconv", "1.2")
    assert [(entry.domain, entry.version) for entry in loaded.opset_import] == [("", 18)]
    assert loaded.ir_version == 8
    (props,) = loaded.metadata_props
    assert props.key == "upconv"
    forms = {"conv": "Conv", "relu": "Relu", "up": "ConvTranspose"}
    assert json.loads(props.value) == {"version": "1.2", "framework": "caffe", "forms": forms}
    assert dict(written.forms) == forms


def dims(value: onnx.ValueInfoProto) -> list[Any]:
    shape = value.type.tensor_type.shape.dim
    return [dim.dim_value if dim.HasField("dim_value") else dim.dim_param for dim in shape]


def test_declared_shapes(tmp_path: Path) -> None:
    graph = onnx.load(write_onnx(network(), tmp_path / "m.onnx").path).graph
    assert dims(graph.input[0]) == ["N", 3, "H", 6]
    assert dims(graph.output[0]) == ["N", 2, "2*H", 12]
    assert [(value.name, dims(value)) for value in graph.value_info] == [
        ("conv", ["N", 4, "H", 6]),
        ("relu", ["N", 4, "H", 6]),
    ]


@pytest.mark.parametrize("opset", IR_VERSIONS)
def test_every_opset(opset: int, tmp_path: Path) -> None:
    feeds = {"data": values(2, 3, 5, 6)}
    written = convert_and_compare(network(), feeds, tmp_path, opsets=(opset,))
    assert onnx.load(written.path).ir_version == IR_VERSIONS[opset]


@pytest.mark.parametrize("opset", [12, 23])
def test_other_opsets_are_refused(opset: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="choose 13 to 22"):
        write_onnx(network(), tmp_path / "m.onnx", WriteOptions(opset=opset))


def test_options_are_checked(tmp_path: Path) -> None:
    options: Any = {"external_data": "sometimes"}
    with pytest.raises(UsageError, match="none of auto, always, never"):
        write_onnx(network(), tmp_path / "m.onnx", WriteOptions(**options))


def test_external_weights(tmp_path: Path) -> None:
    feeds = {"data": values(2, 3, 5, 6)}
    inline = write_onnx(network(), tmp_path / "inline.onnx")
    external = write_onnx(network(), tmp_path / "m.onnx", WriteOptions(external_data="always"))
    assert inline.external_path is None
    assert external.external_path == tmp_path / "m.onnx.data"
    graph = onnx.load(external.path, load_external_data=False).graph
    for tensor in graph.initializer:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        assert entries["location"] == "m.onnx.data"
        assert int(entries["offset"]) % PAGE == 0
    check_valid(external.path)
    want, got = run_onnx(inline.path, feeds), run_onnx(external.path, feeds)
    assert (want["up"] == got["up"]).all()


def test_written_bytes_are_a_plain_protobuf(tmp_path: Path) -> None:
    """The streamed file parses to the message that protobuf itself would have written."""
    written = write_onnx(network(), tmp_path / "m.onnx")
    content = written.path.read_bytes()
    parsed = onnx.ModelProto.FromString(content)
    assert len(parsed.SerializeToString()) == len(content)
    stored = {entry.name: onnx.numpy_helper.to_array(entry) for entry in parsed.graph.initializer}
    assert (stored["conv/weight"] == values(4, 3, 3, 3)).all()


def test_shared_weights_are_written_once(tmp_path: Path) -> None:
    shared = weight_of(values(3, 3, 1, 1))
    conv = ops.Conv(3, (1, 1), (1, 1), (1, 1), (0, 0), (0, 0))
    layers = [
        Layer("a", conv, ("x",), ("p",), {"weight": shared}),
        Layer("b", conv, ("p",), ("y",), {"weight": shared}),
    ]
    source = model(layers, {"x": (1, 3, 2, 2)}, ["y"])
    written = convert_and_compare(source, {"x": values(1, 3, 2, 2)}, tmp_path)
    assert [entry.name for entry in onnx.load(written.path).graph.initializer] == ["a/weight"]


@dataclass(frozen=True)
class Broken:
    """Weights whose file ends early, or cannot be read at all."""

    shape: tuple[int, ...]
    fails: bool

    def array(self) -> Any:
        return np.zeros(self.shape, np.float32)

    def chunks(self, size: int = 1 << 20) -> Iterator[bytes]:
        yield b"1234"
        if self.fails:
            raise OSError("the disk is gone")


@pytest.mark.parametrize("external", ["never", "always"])
@pytest.mark.parametrize("fails", [False, True])
def test_a_failed_write_leaves_what_was_there(external: Any, fails: bool, tmp_path: Path) -> None:
    source = one_layer(ops.Scale(1), (1, 2, 3, 3))
    scale = {"scale": Weight((2,), Broken((2,), fails))}
    source = replace(source, layers=(replace(source.layers[0], weights=scale),))
    path, data = tmp_path / "m.onnx", tmp_path / "m.onnx.data"
    path.write_bytes(b"old model")
    data.write_bytes(b"old weights")
    kind = OSError if fails else UpconvError
    with pytest.raises(kind, match="disk is gone" if fails else "holds 4 bytes, not 8"):
        write_onnx(source, path, WriteOptions(external_data=external))
    assert (path.read_bytes(), data.read_bytes()) == (b"old model", b"old weights")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["m.onnx", "m.onnx.data"]


@dataclass(frozen=True)
class Huge:
    """Claims 2.4 GB and must never be read."""

    shape: tuple[int, ...]

    def array(self) -> Any:
        raise AssertionError("read")

    def chunks(self, size: int = 1 << 20) -> Iterator[bytes]:
        raise AssertionError("read")


def test_inline_above_two_gigabytes_is_refused_before_writing(tmp_path: Path) -> None:
    conv = ops.Conv(10000, (1, 1), (1, 1), (1, 1), (0, 0), (0, 0))
    shape = (10000, 60000, 1, 1)
    layer = Layer("conv", conv, ("x",), ("y",), {"weight": Weight(shape, Huge(shape))})
    source = model([layer], {"x": (1, 60000, 1, 1)}, ["y"])
    with pytest.raises(UsageError, match=r"2147483647.*leave out --external-data never"):
        write_onnx(source, tmp_path / "m.onnx", WriteOptions(external_data="never"))
    assert not list(tmp_path.iterdir())


def test_automatic_external_data_above_one_gigabyte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("upconv.converters.onnx_writer.save.EXTERNAL_ABOVE", 500)
    assert write_onnx(network(), tmp_path / "m.onnx").external_path is not None
    monkeypatch.setattr("upconv.converters.onnx_writer.save.EXTERNAL_ABOVE", 50_000)
    assert write_onnx(network(), tmp_path / "n.onnx").external_path is None


@pytest.mark.parametrize("external", ["never", "always"])
def test_a_moved_model_still_runs(external: Any, tmp_path: Path) -> None:
    written = write_onnx(network(), tmp_path / "m.onnx", WriteOptions(external_data=external))
    feeds = {"data": values(1, 3, 2, 6)}
    want = run_onnx(written.path, feeds)["up"]
    move_model(written.path, tmp_path / "m.onnx.failed")
    expected = {"m.onnx.failed"} | ({"m.onnx.failed.data"} if external == "always" else set())
    assert {entry.name for entry in tmp_path.iterdir()} == expected
    assert (run_onnx(tmp_path / "m.onnx.failed", feeds)["up"] == want).all()


@pytest.mark.parametrize("place", ["folder", "no/such/file.onnx"])
def test_places_that_cannot_be(place: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match=r"is a folder|mkdir -p"):
        write_onnx(network(), tmp_path / place)


def origin(source: Source, text: str) -> Origin:
    start = source.text.index(text)
    return Origin(source.path, "caffe", text, Span(source, start, start + len(text)))


def test_all_refusals_come_at_once_with_their_places(tmp_path: Path) -> None:
    source = Source("net.prototxt", "odd\nconv\nup\nfill\nbias\nnarrow\n")
    conv = ops.Conv(4, (3, 3), (1, 1), (1, 1), (1, 1), (1, 1))
    given = weight_of(values(4, 3, 3, 3))
    bilinear = missing((4, 3, 3, 3), Filler("bilinear"))
    undeclared = missing((4, 3, 3, 3), Filler("constant", 0.0, declared=False))
    bias = missing((4,), Filler("constant", 0.0, declared=False))
    narrow = weight_of(values(4, 2, 3, 3))
    layers = [
        Layer(
            "odd",
            ops.Unknown("Magic", "not even its name"),
            ("data",),
            ("q",),
            {},
            origin(source, "odd"),
        ),
        Layer("conv", conv, ("data",), ("r",), {"weight": undeclared}, origin(source, "conv")),
        Layer("up", conv, ("data",), ("s",), {"weight": bilinear}, origin(source, "up")),
        Layer(
            "bias", conv, ("data",), ("t",), {"weight": given, "bias": bias}, origin(source, "bias")
        ),
        Layer("narrow", conv, ("data",), ("u",), {"weight": narrow}, origin(source, "narrow")),
        Layer(
            "fill",
            ops.Lrn(2, 1.0, 1.0, 1.0, "across"),
            ("data",),
            ("v",),
            {},
            origin(source, "fill"),
        ),
    ]
    broken = model(layers, {"data": (1, 3, 5, 5)}, ["q", "r", "s", "t", "u", "v"])
    with pytest.raises(UnsupportedError) as caught:
        write_onnx(broken, tmp_path / "m.onnx")
    assert str(caught.value).splitlines() == [
        "net.prototxt:1:1: layer 'odd': Magic: not even its name",
        "net.prototxt:2:1: layer 'conv': its weight is missing (give --weights FILE)",
        "net.prototxt:3:1: layer 'up': its weight is missing "
        "(give --weights FILE, or --fill-missing bilinear)",
        "net.prototxt:5:1: layer 'bias': its bias is missing "
        "(give --weights FILE, or --fill-missing constant)",
        "net.prototxt:6:1: layer 'narrow': the weight has shape 4x2x3x3, but an input of 1x3x5x5 "
        "needs 4x3x3x3",
    ]
    assert not list(tmp_path.iterdir())


def test_what_only_the_emitters_see_comes_at_once_too(tmp_path: Path) -> None:
    lrn = ops.Lrn(2, 1.0, 1.0, 1.0, "across")
    layers = [Layer("a", lrn, ("x",), ("p",)), Layer("b", lrn, ("p",), ("y",))]
    with pytest.raises(UnsupportedError) as caught:
        write_onnx(model(layers, {"x": (1, 3, 5, 5)}, ["y"]), tmp_path / "m.onnx")
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "layer 'a'",
        "layer 'b'",
    ]


def test_contradicting_sizes_are_refused(tmp_path: Path) -> None:
    layers = [Layer("sum", ops.Eltwise("sum"), ("a", "b"), ("y",))]
    source = model(layers, {"a": (1, 2, 3, 3), "b": (1, 2, 3, 4)}, ["y"])
    with pytest.raises(UnsupportedError, match=r"layer 'sum'.*1x2x3x4"):
        write_onnx(source, tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("kind", "refused"), [("unreadable-part", True), ("obsolete-format", False)]
)
def test_notices_of_broken_files(kind: NoticeKind, refused: bool, tmp_path: Path) -> None:
    notice = Notice(kind, UpconvError("something odd", path="net.prototxt"))
    source = replace(network(), notices=(notice,))
    if refused:
        with pytest.raises(UnsupportedError, match=r"net.prototxt: something odd"):
            write_onnx(source, tmp_path / "m.onnx")
    else:
        assert write_onnx(source, tmp_path / "m.onnx").path.exists()


def test_unknown_input_shape(tmp_path: Path) -> None:
    source = replace(network(), inputs=(ModelInput("data", None),))
    with pytest.raises(UnsupportedError, match="--input data=1x3x500x500"):
        write_onnx(source, tmp_path / "m.onnx")


def test_a_size_that_no_input_has_is_refused(tmp_path: Path) -> None:
    shape = (1, 2, symbol("H") // 2, 4)
    source = one_layer(ops.Resize("nearest", "asymmetric", size=(symbol("H"), 3)), shape)
    with pytest.raises(UnsupportedError, match="no input has an axis of the size H"):
        write_onnx(source, tmp_path / "m.onnx")


def test_shape_errors_are_the_users_family() -> None:
    assert issubclass(ShapeError, UpconvError)


def test_arithmetic_on_sizes(tmp_path: Path) -> None:
    """Negative numerators, minima, maxima and products: ONNX Div truncates, ours floors."""
    from upconv.converters.ir.dims import ceil_div, maximum, minimum

    height, width = symbol("H"), symbol("W")
    sizes = [
        ceil_div(height - 5, 3) + 4,
        (3 - height) // 2 + 9,
        minimum(height, 2 * width - 1),
        maximum(7 - width, height // 2, 1),
        (height * width) // 4 + 1,
        11 - height,
    ]
    layers = [
        Layer(f"r{i}", ops.Resize("nearest", "asymmetric", size=(size, 2)), ("x",), (f"y{i}",))
        for i, size in enumerate(sizes)
    ]
    source = model(layers, {"x": letters((1, 1, 4, 4), "HW")}, [f"y{i}" for i in range(len(sizes))])
    for shape in ((1, 1, 2, 3), (1, 1, 4, 9), (1, 1, 9, 2), (1, 1, 10, 11)):
        convert_and_compare(source, {"x": values(*shape)}, tmp_path, opsets=(13, 22), tolerance=0)
