"""Symbols as each version writes them, and those that are broken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.make_mxnet import Form, Net
from tests.converters.readers.mxnet.support import meant, noise, read, reasons
from upconv.converters.ir.errors import UnreadableError, UnsupportedError, UpconvError
from upconv.converters.ir.operators import ConvTranspose
from upconv.converters.readers.formats import identify, may_hold_model, open_model
from upconv.converters.readers.options import ReadOptions


def _net(**users: str) -> tuple[Net, list[int]]:
    """A transposed convolution, a batch normalization, a softmax with a label."""
    net = Net()
    up = net.add(
        *("Deconvolution", "up", net.variable("data"), net.variable("up_weight", **users)),
        kernel="(4, 4)", stride="(2L, 2L)", pad="(1, 1)", num_filter=3,
    )  # fmt: skip
    names = ("gamma", "beta")
    normal = net.add("BatchNorm", "bn", up, *(net.variable(f"bn_{name}") for name in names))
    label = net.variable("softmax_label")
    return net, net.add("SoftmaxOutput", "softmax", normal, label, multi_output="True")


ARRAYS = {
    "up_weight": noise(2, 3, 4, 4),
    "bn_gamma": noise(3, seed=1),
    "bn_beta": noise(3, seed=2),
    "bn_moving_mean": noise(3, seed=3),
    "bn_moving_var": np.abs(noise(3, seed=4)) + 0.1,
}


@pytest.mark.parametrize("form", ["param", "attr", "attrs"])
def test_each_versions_words_mean_the_same(form: Form, tmp_path: Path) -> None:
    net, end = _net()
    model = read(net.text(end, form=form), tmp_path, ARRAYS)
    assert identify(str(tmp_path / "net-symbol.json")) == "MXNet"
    assert [(entry.name, [str(n) for n in entry.shape or ()]) for entry in model.inputs] == [
        ("data", ["N", "2", "H", "W"])
    ]
    assert model.outputs == ("softmax_output",)
    y = meant(model, noise(2, 2, 3, 5, seed=8))
    assert y.shape == (2, 3, 6, 10)
    np.testing.assert_allclose(y.sum(1), 1, rtol=1e-6)


def test_without_weights_they_are_missing_with_what_makes_them(tmp_path: Path) -> None:
    net, end = _net(__init__='["bilinear", {}]', __shape__="(2, 3, 4, 4)")
    model = read(net.text(end), tmp_path)
    (up,) = [layer for layer in model.layers if isinstance(layer.operator, ConvTranspose)]
    weight = up.weights["weight"]
    assert not weight.present
    assert weight.shape == (2, 3, 4, 4)
    assert weight.filler is not None
    assert weight.filler.type == "bilinear"
    assert [entry.name for entry in model.inputs] == ["data"]


def test_what_is_written_as_none_is_not_given(tmp_path: Path) -> None:
    """As 2.0 writes every attribute, those that are not given as None."""
    net = Net()
    x = net.variable("x0", __shape__="(1, 2, 6, 6)")
    pool = net.add(
        *("Pooling", "p", x),
        kernel="[2,2]", stride="[2,2]", pad="[0,0]", pool_type="max", global_pool="0",
        p_value="None", count_include_pad="None", layout="None", cudnn_off="0", colour="None",
    )  # fmt: skip
    model = read(net.text(pool, version=20000), tmp_path)
    assert not reasons(model)
    assert meant(model, noise(1, 2, 6, 6)).shape == (1, 2, 3, 3)


def test_a_node_of_a_name_twice_and_an_output_twice(tmp_path: Path) -> None:
    net = Net()
    x = net.variable("x0", __shape__="(0, 3, 4)")
    first, second = net.add("relu", "a", x), net.add("negative", "a", x)
    model = read(net.text(first, second, first, x), tmp_path)
    assert model.outputs == ("a_output", "a_output_1", "a_output_2", "x0_1")
    value = noise(2, 3, 4)
    assert np.array_equal(meant(model, value), np.maximum(value, 0))


def test_weights_of_another_net_are_told_apart(tmp_path: Path) -> None:
    net, end = _net()
    with pytest.raises(UnsupportedError, match="none of its 1 arrays") as caught:
        read(net.text(end), tmp_path, {"0.weight": noise(2)})
    assert "save_parameters" in caught.value.hint
    path = tmp_path / "net-0000.params"
    with pytest.raises(UnsupportedError, match="holds weights"):
        open_model(str(path), ReadOptions())


def _broken(change: Any) -> str:
    net, end = _net()
    made = json.loads(net.text(end))
    change(made)
    return json.dumps(made)


BROKEN = {
    "needs its own output": lambda m: m["nodes"][2]["inputs"].__setitem__(0, [2, 0, 0]),
    "no output of a node": lambda m: m["nodes"][2]["inputs"].__setitem__(0, [99, 0, 0]),
    "is no text": lambda m: m["nodes"][2]["attrs"].__setitem__("kernel", [4, 4]),
    "with 0 outputs": lambda m: m.__setitem__("heads", []),
    "with 5000 outputs": lambda m: m.__setitem__("heads", [[2, 0, 0]] * 5000),
    "no list of heads": lambda m: m.pop("heads"),
    "has no op": lambda m: m["nodes"][2].pop("op"),
    "no symbol of MXNet": lambda m: m.pop("arg_nodes"),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_a_broken_symbol_is_one_error(reason: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=reason) as caught:
        read(_broken(BROKEN[reason]), tmp_path)
    assert "\n" not in str(caught.value)


def test_an_output_that_a_node_does_not_have_is_told(tmp_path: Path) -> None:
    text = _broken(lambda m: m["nodes"][5]["inputs"].__setitem__(0, [2, 60_000, 0]))
    assert "reads output 60000" in reasons(read(text, tmp_path))["bn"]


def test_a_search_takes_symbols_and_no_other_json(tmp_path: Path) -> None:
    net, end = _net()
    (tmp_path / "a.json").write_text(net.text(end))
    (tmp_path / "b.json").write_text('{"nodes": [{"id": 1}], "edges": []}')
    assert [may_hold_model(str(tmp_path / name)) for name in ("a.json", "b.json")] == [True, False]


def test_public_symbols_are_models_or_told_why(shared: Path) -> None:
    """Every one is read; what is not understood is counted by operator."""
    paths = sorted((shared / "corpus/mxnet").rglob("*.json"))
    whole = 0
    for path in paths:
        model = open_model(str(path), ReadOptions())
        found = reasons(model)
        assert model.outputs
        assert all(found.values())
        assert len(model.notices) <= len(found) + ("int8" in path.name)
        whole += not found
    assert (len(paths), whole) == (58, 48)


def test_no_numbers_are_made_of_nothing(tmp_path: Path) -> None:
    """Four thousand million values are refused, whatever asks for them."""
    net = Net()
    x = net.variable("x0", __shape__="(4000000000, 4000000000)")
    end = net.add("tile", "y", x, reps=f"({10**18}, {10**18})")
    for text in (net.text(end), net.text(net.add("slice_like", "z", end, x))):
        try:
            read(text, tmp_path)
        except UpconvError as error:
            assert "\n" not in str(error)
