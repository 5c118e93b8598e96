"""A bilinear transposed convolution and each form of it that an ONNX file may have are the same
layer to `audit --against`, and another kernel, stride or border is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from tests.converters.onnx_writer.support import letters, one_layer, values
from upconv.converters.audit.comparison import compare
from upconv.converters.ir import operators as ops
from upconv.converters.ir.geometry import bilinear_kernel_size, bilinear_pad
from upconv.converters.ir.kernels import linear_kernel
from upconv.converters.ir.model import Layer, Model
from upconv.converters.onnx_writer import WriteOptions, write_onnx
from upconv.converters.onnx_writer.options import Bilinear
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions

FORMS = get_args(Bilinear)
FACTORS = [(2,), (3,), (2, 2), (2, 3), (1, 4), (5, 1), (2, 3, 2), (1, 2, 1)]
MARGINS = ["by convention", "none", "uneven", "beyond"]
SIZES = (5, 4, 6)
CHANNELS = 3


def enlarging(
    factors: tuple[int, ...], margin: str = "by convention", *, bias: bool = False, dense: str = ""
) -> tuple[ops.ConvTranspose, dict[str, Any]]:
    """A transposed convolution that interpolates, and its weights."""
    kernel = tuple(map(bilinear_kernel_size, factors))
    pads = tuple(map(bilinear_pad, factors))
    none, one = (0,) * len(factors), (1,) * len(factors)
    begin, end, extra = {
        "by convention": (pads, pads, none),
        "none": (none, none, none),
        "uneven": (none, pads, none),
        "beyond": (pads, none, tuple(factor - 1 for factor in factors)),
    }[margin]
    groups = 1 if dense else CHANNELS
    op = ops.ConvTranspose(CHANNELS, kernel, factors, one, begin, end, extra, groups=groups)
    each = linear_kernel(factors).astype(np.float32)
    if dense == "mixed":
        pairs = values(CHANNELS, CHANNELS)
        weight = np.multiply.outer(pairs, each)
    elif dense:
        weight = np.multiply.outer(np.eye(CHANNELS, dtype=np.float32), each)
    else:
        weight = np.broadcast_to(each, (CHANNELS, 1, *kernel)).copy()
    weights = {"weight": weight, **({"bias": values(CHANNELS)} if bias else {})}
    return op, weights


def of(op: ops.ConvTranspose, weights: dict[str, Any], dynamic: str = "") -> Model:
    axes = len(op.kernel)
    shape = (2, CHANNELS, *SIZES[:axes])
    return one_layer(op, letters(shape, dynamic), **weights)


def changing(left: Model, right: Model) -> list[str]:
    found = compare(left, right, free=False)
    return [str(one) for one in found.differences if one.changes_numbers]


def in_forms(model: Model, folder: Path) -> dict[str, Model]:
    """Form that the layer was given -> the model as its file says it."""
    found = {}
    for form in FORMS:
        path = folder / f"{form}.onnx"
        written = write_onnx(model, path, WriteOptions(bilinear=form)).forms["layer"]
        found[written] = open_model(str(path), ReadOptions())
    return found


@pytest.mark.parametrize("dynamic", ["", "DHW", "W"])
@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("factors", FACTORS, ids=str)
def test_every_form_is_the_same_layer(
    factors: tuple[int, ...], margin: str, dynamic: str, tmp_path: Path
) -> None:
    model = of(*enlarging(factors, margin, bias=margin != "uneven"), dynamic)
    forms = in_forms(model, tmp_path)
    assert "matmul" in forms
    assert {form: told for form, again in forms.items() if (told := changing(model, again))} == {}


@pytest.mark.parametrize("dense", ["mixed", "diagonal"])
@pytest.mark.parametrize("factors", [(2,), (2, 3), (2, 2, 2)], ids=str)
def test_layers_that_join_channels(factors: tuple[int, ...], dense: str, tmp_path: Path) -> None:
    model = of(*enlarging(factors, bias=True, dense=dense))
    forms = in_forms(model, tmp_path)
    assert len(forms) >= 3
    assert {form: told for form, again in forms.items() if (told := changing(model, again))} == {}


@pytest.mark.parametrize("groups", [1, CHANNELS])
def test_a_kernel_of_one_pixel(groups: int, tmp_path: Path) -> None:
    one, none = (1, 1), (0, 0)
    op = ops.ConvTranspose(6, one, one, one, none, none, none, groups=groups)
    model = of(op, {"weight": values(CHANNELS, 6 // groups, 1, 1), "bias": values(6)}, "HW")
    forms = in_forms(model, tmp_path)
    assert "Conv" in forms
    assert {form: told for form, again in forms.items() if (told := changing(model, again))} == {}


@pytest.mark.parametrize("margin", ["by convention", "uneven"])
@pytest.mark.parametrize("factors", [(2,), (2, 3), (2, 3, 2)], ids=str)
def test_what_is_another_layer_is_told(
    factors: tuple[int, ...], margin: str, tmp_path: Path
) -> None:
    op, weights = enlarging(factors, margin)
    forms = in_forms(of(op, weights), tmp_path)
    weight = weights["weight"].copy()
    weight[1] *= np.float32(1.01)
    begin = (op.pads_begin[0] + 1, *op.pads_begin[1:])
    end = (op.pads_end[0] - 1, *op.pads_end[1:])
    others = [of(op, {"weight": weight})]
    if min(end) >= 0:
        others.append(of(replace(op, pads_begin=begin, pads_end=end), weights))
    for form, again in forms.items():
        for other in others:
            assert changing(other, again), form


def test_a_factor_of_any_size_takes_no_memory() -> None:
    """A file can ask for what nobody could hold: it is compared as it is written."""
    one = (0, 0, 1, 1)
    frame = Layer("p", ops.Pad(one, one), ("x0",), ("p",))
    resize = ops.Resize("linear", "half_pixel", factor=(10**8, 10**8))
    much = Layer("r", resize, ("p",), ("r",))
    cut = Layer("c", ops.Crop(2, (10**8, 10**8), (4, 4)), ("r",), ("c",))
    plain = one_layer(ops.Relu(), (1, 3, 5, 4))
    model = replace(plain, layers=(frame, much, cut), outputs=("c",))
    assert compare(model, model, free=False).same
