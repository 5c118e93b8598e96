from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.converters.reference.build import layer, noise
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import like, symbol
from upconv.converters.ir.errors import ShapeError, UnsupportedError, UpconvError, UsageError
from upconv.converters.ir.model import Layer, Model, ModelInput
from upconv.converters.ir.origin import Origin, Source, Span
from upconv.converters.ir.tensors import Filler, missing, weight_of
from upconv.converters.reference import run_layer, run_model
from upconv.converters.reference.call import WidenedWeight


def _skip_net() -> Model:
    """data -> down (stride 2) -> up (x2, one pixel more) -> cropped like data -> sum."""
    down = ops.Conv(2, (3, 3), (2, 2), (1, 1), (1, 1), (1, 1))
    up = ops.ConvTranspose(2, (3, 3), (2, 2), (1, 1), (0, 0), (0, 0), (0, 0))
    crop = ops.Crop(2, (0, 0), (like("data", 2), like("data", 3)))
    weight = weight_of(noise(2, 2, 3, 3).astype(np.float32))
    layers = (
        Layer("down", down, ("data",), ("down",), {"weight": weight}),
        Layer("up", up, ("down",), ("up",), {"weight": weight}),
        Layer("crop", crop, ("up", "data"), ("crop",)),
        Layer("sum", ops.Eltwise("sum"), ("crop", "data"), ("sum",)),
    )
    shape = (symbol("N"), 2, symbol("H"), symbol("W"))
    return Model("net", "net.prototxt", "caffe", (ModelInput("data", shape),), ("sum",), layers)


def test_a_model_is_its_layers() -> None:
    model, x = _skip_net(), noise(2, 2, 5, 6)
    values = run_model(model, {"data": x})
    assert list(values) == ["data", "down", "up", "crop", "sum"]
    assert values["up"].shape == (2, 2, 7, 7)
    np.testing.assert_array_equal(values["crop"], values["up"][:, :, :5, :6])
    np.testing.assert_array_equal(values["sum"], values["crop"] + x)
    (again,) = run_layer(model.layer("crop"), [values["up"], x])
    np.testing.assert_array_equal(again, values["crop"])


def test_keep_returns_only_what_is_asked_for() -> None:
    model, x = _skip_net(), noise(1, 2, 5, 6)
    everything = run_model(model, {"data": x})
    for names in (["sum"], ["down", "sum"], ["data"]):
        kept = run_model(model, {"data": x}, keep=names)
        assert list(kept) == names
        for name in names:
            np.testing.assert_array_equal(kept[name], everything[name])


def test_keep_frees_what_is_read_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    import weakref

    from upconv.converters.reference import run

    alive: list[list[str]] = []
    seen: dict[str, Any] = {}
    original = run.run_layer

    def spy(layer: Layer, inputs: Any, sizes: Any = None) -> Any:
        alive.append([name for name, reference in seen.items() if reference() is not None])
        results = original(layer, inputs, sizes)
        seen.update((n, weakref.ref(v)) for n, v in zip(layer.outputs, results, strict=True))
        return results

    monkeypatch.setattr(run, "run_layer", spy)
    run_model(_skip_net(), {"data": noise(1, 2, 5, 6)}, keep=["sum"])
    assert alive == [[], ["down"], ["up"], ["crop"]]


def test_symbols_are_what_the_inputs_say() -> None:
    model = _skip_net()
    sized = ops.Crop(2, (0, 0), (symbol("H") - 1, symbol("W") // 2))
    layers = (*model.layers[:2], Layer("box", sized, ("up",), ("box",)))
    model = replace(model, layers=layers, outputs=("box",))
    assert run_model(model, {"data": noise(1, 2, 5, 6)}, ["box"])["box"].shape == (1, 2, 4, 3)


@pytest.mark.parametrize("shape", [(1, 3, 5, 6), (1, 2, 5)])
def test_inputs_must_have_the_declared_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="does not have the shape 1x"):
        run_model(_skip_net(), {"data": noise(*shape)})


def test_a_letter_is_one_number() -> None:
    inputs = tuple(ModelInput(name, (symbol("H"),)) for name in "ab")
    model = Model("net", "net", "caffe", inputs, (), ())
    with pytest.raises(UsageError, match="'b' does not have the shape 3"):
        run_model(model, {"a": np.ones(2), "b": np.ones(3)})


def test_inputs_must_be_fed() -> None:
    with pytest.raises(UsageError, match="'data' has no value"):
        run_model(_skip_net(), {})


def test_a_missing_weight_stops_with_its_place() -> None:
    source = Source("net.prototxt", "layer {}\nlayer {}")
    whole = layer(ops.PRelu())
    origin = Origin("net.prototxt", "caffe", "PReLU", Span(source, 9, 17))
    bare = replace(whole, weights={"slope": missing((3,), Filler("constant"))}, origin=origin)
    with pytest.raises(UpconvError) as caught:
        run_layer(bare, [noise(1, 3, 2, 2)])
    assert str(caught.value).startswith(
        "net.prototxt:2:1: layer 'layer': the weight 'slope' is missing"
    )


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="type 'Oddity' is not known"):
        run_layer(layer(ops.Unknown("Oddity")), [np.ones((1, 1))])


def test_errors_name_the_layer() -> None:
    with pytest.raises(UpconvError) as caught:
        run_layer(layer(ops.Unpool((1, 1)), 2), [np.ones((1, 1, 1, 1)), np.full((1, 1, 1, 1), 9.0)])
    assert caught.value.layer == "layer"


def test_inputs_must_fit_the_operator() -> None:
    with pytest.raises(ShapeError):
        run_layer(layer(ops.Eltwise("sum"), 2), [np.ones((1, 2)), np.ones((1, 3))])


def test_inputs_are_not_written() -> None:
    model, x = _skip_net(), noise(1, 2, 5, 6)
    x.flags.writeable = False
    run_model(model, {"data": x})


def test_weights_are_widened_block_by_block() -> None:
    values = np.array([[1.5, -2.5], [-3.5, 4.5]], np.float32)
    stored = WidenedWeight(values, magnitude=True)
    assert stored.shape == (2, 2)
    assert stored[0].dtype == np.float64
    np.testing.assert_array_equal(stored[1], [3.5, 4.5])
    np.testing.assert_array_equal(WidenedWeight(values)[:, 1], [-2.5, 4.5])
