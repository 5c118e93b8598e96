"""Operators against torch and numpy, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.make_mxnet import Net
from tests.converters.readers.mxnet.support import computed, meant, noise, one_node, read, reasons
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import evaluate, substitute, symbol
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.inference import infer
from upconv.converters.onnx_writer import write_onnx


def close(got: Any, want: Any) -> None:
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * max(float(np.abs(want).max()), 1e-9))


@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        ((4, 3), {"stride": "(2, 3)", "pad": "(1, 0)", "adj": "(1, 2)"}),
        ((3, 2), {"stride": "(3, 1)", "dilate": "(2, 3)", "num_group": 2}),
        ((3,), {"stride": "(2,)", "pad": "1", "no_bias": "False"}),
        ((2, 3, 2), {"stride": "[2,1,2]", "no_bias": "0"}),
    ],
)
def test_deconvolution_equals_torch(
    kernel: tuple[int, ...], options: dict[str, Any], tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    groups = options.get("num_group", 1)
    biased = options.get("no_bias", "True") in ("False", "0")
    arrays = {"w": noise(4, 6 // groups, *kernel), **({"b": noise(6, seed=1)} if biased else {})}
    text = one_node("Deconvolution", 1, list(arrays), kernel=kernel, num_filter=6, **options)
    x = noise(2, 4, *(5, 7, 4)[: len(kernel)], seed=2)
    numbers = {
        to: tuple(int(n) for n in str(options[name]).strip("()[]").rstrip(",").split(","))
        for name, to in (("stride", "stride"), ("pad", "padding"), ("dilate", "dilation"))
        if name in options
    }
    if "adj" in options:
        numbers["output_padding"] = (1, 2)
    function = getattr(torch.nn.functional, f"conv_transpose{len(kernel)}d")
    bias = torch.from_numpy(arrays["b"]) if biased else None
    tensors = torch.from_numpy(x), torch.from_numpy(arrays["w"])
    want = function(*tensors, bias, groups=groups, **numbers).numpy()
    close(computed(text, tmp_path, [x], arrays), want)


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("target", [(11, 16), (12, 15)])
def test_target_shape_cuts_the_larger_half_at_the_begin(
    target: tuple[int, int], fixed: bool, tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    weight, x = noise(3, 2, 4, 5), noise(2, 3, 6, 7, seed=1)
    text = one_node(
        *("Deconvolution", 1, ["w"]),
        kernel="(4, 5)", stride="(2, 2)", pad="(1, 1)", num_filter=2, target_shape=target,
    )  # fmt: skip
    full = torch.nn.functional.conv_transpose2d(
        torch.from_numpy(x), torch.from_numpy(weight), stride=2
    ).numpy()
    begin = [(n - t + 1) // 2 for n, t in zip(full.shape[2:], target, strict=True)]
    want = full[:, :, begin[0] : begin[0] + target[0], begin[1] : begin[1] + target[1]]
    if fixed:
        model = read(text, tmp_path, {"w": weight}, x0=x.shape)
        assert [type(layer.operator).__name__ for layer in model.layers] == ["ConvTranspose"]
        close(meant(model, x), want)
    else:
        close(computed(text, tmp_path, [x], {"w": weight}), want)


def _pooled(x: Any, k: int, s: int, p: int, kind: str, full: bool) -> Any:
    """Pooling by the facts: windows clipped to input and padding; "full" drops none."""
    size = x.shape[2]
    span = size + 2 * p - k
    out = -(-span // s) + 1 if full else span // s + 1
    made = np.empty((*x.shape[:2], out, out))
    ends = [(i * s - p, min(i * s - p + k, size + p)) for i in range(out)]
    for i, (top, bottom) in enumerate(ends):
        for j, (left, right) in enumerate(ends):
            part = x[:, :, max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
            area = (bottom - top) * (right - left)
            made[:, :, i, j] = (
                part.max((2, 3))
                if kind == "max"
                else part.sum((2, 3)) / (area if kind == "avg" else 1)
            )
    return made


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("kind", ["max", "avg", "sum"])
def test_pooling_conventions(kind: str, full: bool, tmp_path: Path) -> None:
    text = one_node(
        *("Pooling",),
        kernel="(3, 3)", stride="(2, 2)", pad="(1, 1)", pool_type=kind,
        pooling_convention="full" if full else "valid",
    )  # fmt: skip
    if full and kind == "sum":
        assert "pooling of sum, full" in reasons(read(text, tmp_path))["y"]
        return
    x = noise(2, 3, 8, 8)
    close(computed(text, tmp_path, [x]), _pooled(x, 3, 2, 1, kind, full))


@pytest.mark.parametrize(
    ("attributes", "out"),
    [
        ({"height": 9, "width": 4, "align_corners": "False"}, (9, 4)),
        ({"height": 1, "width": 8, "align_corners": "False"}, (1, 8)),
        ({"height": 7, "width": 1}, (7, 1)),
        ({"scale_height": 1.5, "scale_width": 2}, (7, 14)),
        ({"mode": "odd_scale", "scale_height": 2, "scale_width": 0.5}, (9, 4)),
        ({"mode": "to_even_up"}, (6, 8)),
        ({"mode": "to_odd_down"}, (5, 7)),
    ],
)
def test_bilinear_resize(attributes: dict[str, Any], out: tuple[int, int], tmp_path: Path) -> None:
    """Corners aligned unless it says otherwise; half-pixel reads index 0 for a size of 1."""
    x = noise(1, 2, 5, 7)
    want = x.astype(np.float64)
    aligned = attributes.get("align_corners") != "False"
    for axis, size in enumerate(out, start=2):
        n = want.shape[axis]
        at = np.arange(size)
        place = at * (n - 1) / (size - 1 or 1) if aligned else (at + 0.5) * n / size - 0.5
        place = np.maximum(place * (size > 1), 0)
        low = place.astype(int)
        share = (place - low).reshape([-1 if i == axis else 1 for i in range(4)])
        high = np.minimum(low + 1, n - 1)
        want = want.take(low, axis) * (1 - share) + want.take(high, axis) * share
    got = computed(one_node("_contrib_BilinearResize2D", **attributes), tmp_path, [x])
    close(got, want)


def test_scales_are_multiplied_in_float32(tmp_path: Path) -> None:
    """2.3 * 100 is 230 there and 229 in float64; of open sizes a formula that is so for all."""
    text = one_node("_contrib_BilinearResize2D", scale_height=2.3, scale_width=2.3)
    (layer,) = read(text, tmp_path).layers
    assert isinstance(layer.operator, ops.Resize)
    height, _ = layer.operator.size or (0, 0)
    for n in (3, 7, 10, 99, 100, 1024):
        assert evaluate(substitute(height, lambda leaf: symbol("H")), {"H": n}) == int(
            np.float32(2.3) * np.float32(n)
        )
    model = read(text, tmp_path, x0=(1, 1, 100, 10))
    assert model.layers[0].operator.size == (230, 23)  # type: ignore[union-attr]
    text = one_node("_contrib_BilinearResize2D", scale_height=3.1, scale_width=2)
    (why,) = reasons(read(text, tmp_path)).values()
    assert "float32 rounds" in why


@pytest.mark.parametrize("mode", ["concat", "sum"])
def test_upsampling_of_several_inputs_grows_each_to_the_first(mode: str, tmp_path: Path) -> None:
    a, b = noise(2, 3, 4, 6), noise(2, 3, 2, 3, seed=1)
    text = one_node(
        "UpSampling", 2, scale=2, sample_type="nearest", num_args=2, multi_input_mode=mode
    )
    parts = [a.repeat(2, 2).repeat(2, 3), b.repeat(4, 2).repeat(4, 3)]
    want = np.concatenate(parts, 1) if mode == "concat" else parts[0] + parts[1]
    close(computed(text, tmp_path, [a, b]), want)


@pytest.mark.parametrize(
    ("shape", "reverse", "out"),
    [
        ("(0, -1)", False, (2, 60)),
        ("(-2,)", False, (2, 4, 3, 5)),
        ("(0, -3, -2)", False, (2, 12, 5)),
        ("(0, -4, 2, -1, 0, 0)", False, (2, 2, 2, 3, 5)),
        ("(-4, -1, 2, -2)", False, (1, 2, 4, 3, 5)),
        ("(0, 0, 15)", False, (2, 4, 15)),
        ("(-1, 0)", True, (24, 5)),
        ("(8, 0, 0)", True, (8, 3, 5)),
    ],
)
def test_reshape_codes(shape: str, reverse: bool, out: tuple[int, ...], tmp_path: Path) -> None:
    x = noise(2, 4, 3, 5)
    got = computed(one_node("Reshape", shape=shape, reverse=reverse), tmp_path, [x])
    assert np.array_equal(got, x.reshape(out))


@pytest.mark.parametrize(
    ("op", "attributes", "want"),
    [
        ("slice", {"begin": "(None, 1)", "end": "(None, -1)"}, lambda x: x[:, 1:-1]),
        ("slice", {"begin": "(0, 0, 2)", "end": "(9, 4, None)"}, lambda x: x[:, :, 2:]),
        ("slice", {"begin": "(0, 3)", "end": "(2, 0)", "step": "(1, -2)"}, lambda x: x[:, 3:0:-2]),
        ("slice_axis", {"axis": -1, "begin": -3, "end": "None"}, lambda x: x[..., -3:]),
        ("SwapAxis", {"dim1": 1, "dim2": 3}, lambda x: x.swapaxes(1, 3)),
        ("transpose", {}, lambda x: x.transpose(3, 2, 1, 0)),
        ("expand_dims", {"axis": -1}, lambda x: x[..., None]),
        ("reverse", {"axis": "(2,)"}, lambda x: x[:, :, ::-1]),
        ("repeat", {"repeats": 3, "axis": 2}, lambda x: x.repeat(3, 2)),
        ("tile", {"reps": "(2, 1, 1, 1, 2)"}, lambda x: np.tile(x, (2, 1, 1, 1, 2))),
        ("mean", {"axis": "(2, 3)", "exclude": True}, lambda x: x.mean((0, 1))),
        ("max", {"axis": 1, "keepdims": 1}, lambda x: x.max(1, keepdims=True)),
        ("sum", {}, lambda x: x.sum().reshape(1)),
        ("norm", {"axis": 1}, lambda x: np.sqrt((x * x).sum(1))),
        ("argmax", {"axis": 1}, lambda x: x.argmax(1).astype(np.float32)),
        ("softmax", {"temperature": 2.0, "axis": 1}, lambda x: _softmax(x / 2, 1)),
        ("SoftmaxActivation", {}, lambda x: _softmax(x, 3)),
        ("LRN", {"nsize": 3, "alpha": 0.3}, lambda x: _lrn(x, 3, 0.3, 0.75, 2.0)),
        ("L2Normalization", {"mode": "spatial", "eps": 0.1}, lambda x: _l2(x, (2, 3), 0.1)),
        ("LeakyReLU", {"act_type": "rrelu"}, lambda x: np.where(x > 0, x, 0.2295 * x)),
        ("_rdiv_scalar", {"scalar": 2}, lambda x: 2 / x),
        ("_rminus_scalar", {"scalar": 2}, lambda x: 2 - x),
        ("_lesser_scalar", {"scalar": 0.5}, lambda x: (x < 0.5).astype(np.float32)),
        ("Cast", {"dtype": "int32"}, np.trunc),
        ("smooth_l1", {"scalar": 2.0}, lambda x: _smooth(x, 4.0)),
        ("_contrib_arange_like", {"axis": 2, "start": 3}, lambda x: np.arange(3.0, 8.0)),
        ("_contrib_arange_like", {"step": 0.5}, lambda x: np.arange(120).reshape(x.shape) * 0.5),
        ("shape_array", {}, lambda x: np.array(x.shape)),
        ("topk", {"k": 2, "axis": 1, "ret_typ": "value"}, lambda x: -np.sort(-x, 1)[:, :2]),
        ("topk", {"k": 3, "is_ascend": 1}, lambda x: np.argsort(x, -1)[..., :3]),
    ],
)
def test_operators_equal_numpy(
    op: str, attributes: dict[str, Any], want: Any, tmp_path: Path
) -> None:
    x = noise(2, 4, 5, 3)
    close(computed(one_node(op, **attributes), tmp_path, [x]), want(x.astype(np.float64)))


def _softmax(x: Any, axis: int) -> Any:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _smooth(x: Any, s: float) -> Any:
    return np.where(np.abs(x) < 1 / s, 0.5 * s * x * x, np.abs(x) - 0.5 / s)


def _lrn(x: Any, size: int, alpha: float, beta: float, k: float) -> Any:
    wide = np.pad(x * x, ((0, 0), (size // 2, size // 2), (0, 0), (0, 0)))
    sums = sum(wide[:, i : i + x.shape[1]] for i in range(size))
    return x / (k + alpha / size * sums) ** beta


def _l2(x: Any, axes: tuple[int, ...], epsilon: float) -> Any:
    return x / np.sqrt((x * x).sum(axes, keepdims=True) + epsilon)


@pytest.mark.parametrize("fixed", [True, False])
def test_fix_gamma_counts_for_one_whatever_is_stored(fixed: bool, tmp_path: Path) -> None:
    names = ["gamma", "beta", "mean", "var"]
    arrays = {name: np.abs(noise(4, seed=at)) + 0.5 for at, name in enumerate(names)}
    attributes = {} if fixed else {"fix_gamma": "False"}
    x = noise(2, 4, 3, 5, seed=9)
    gamma, beta, mean, var = (arrays[name].reshape(1, 4, 1, 1) for name in names)
    normal = (x - mean) / np.sqrt(var + 1e-3)
    text = one_node("BatchNorm", 1, names, **attributes)
    close(computed(text, tmp_path, [x], arrays), normal * (1 if fixed else gamma) + beta)


def test_grids_and_sampling_equal_torch(tmp_path: Path) -> None:
    """Affine grids, flows in pixels, a transformer: corners aligned, zeros outside."""
    torch = pytest.importorskip("torch")
    theta, x = noise(2, 6) * 0.7, noise(2, 3, 5, 7, seed=1)
    places = torch.nn.functional.affine_grid(
        torch.from_numpy(theta).reshape(2, 2, 3), (2, 3, 4, 6), align_corners=True
    )
    want = torch.nn.functional.grid_sample(torch.from_numpy(x), places, align_corners=True)
    want = want.numpy()
    affine: dict[str, Any] = {"transform_type": "affine", "target_shape": "(4, 6)"}
    grid = computed(one_node("GridGenerator", **affine), tmp_path, [theta])
    close(grid, places.permute(0, 3, 1, 2).numpy())
    close(computed(one_node("BilinearSampler", 2), tmp_path, [x, grid.astype(np.float32)]), want)
    text = one_node("SpatialTransformer", 2, sampler_type="bilinear", **affine)
    close(computed(text, tmp_path, [x, theta]), want)
    flow = noise(1, 2, 4, 5, seed=2)
    model = read(one_node("GridGenerator", transform_type="warp"), tmp_path, x0=flow.shape)
    ys, xs = np.mgrid[0:4, 0:5]
    moved = np.stack([(flow[0, 0] + xs) / 2 - 1, (flow[0, 1] + ys) / 1.5 - 1])
    close(meant(model, flow)[0], moved)


@pytest.mark.parametrize("size", ["(2, 3)", "(3, 2)", "4", "1"])
def test_adaptive_pooling_equals_torch_at_every_size(size: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    text, x = one_node("_contrib_AdaptiveAvgPooling2D", output_size=size), noise(1, 2, 4, 7)
    numbers = [int(n) for n in size.strip("()").split(",")]
    want = torch.nn.functional.adaptive_avg_pool2d(
        torch.from_numpy(x), numbers * (2 // len(numbers))
    )
    close(computed(text, tmp_path, [x]), want.numpy())
    close(meant(read(text, tmp_path, x0=x.shape), x), want.numpy())


def test_crop_from_the_middle(tmp_path: Path) -> None:
    a, b = noise(1, 2, 8, 9), noise(1, 3, 5, 6, seed=1)
    text = one_node("Crop", 2, center_crop=True, offset="(7, 7)", num_args=2)
    assert np.array_equal(computed(text, tmp_path, [a, b]), a[:, :, 1:6, 1:7])


REFUSED = [
    ("Deconvolution", {"kernel": "(3, 3)", "num_filter": 2, "adj": "(1, 1)"}, "adj is"),
    ("Deconvolution", {"kernel": "(3, 3)", "num_filter": 2, "target_shape": "(0, 9)"}, "(0, 9)"),
    ("Deconvolution", {"kernel": "(3, 3)", "num_filter": 2, "layout": "NHWC"}, "channels last"),
    ("Convolution", {"kernel": "(3, 3)", "stride": "(2,)", "num_filter": 2}, "stride is"),
    ("Convolution", {"kernel": "3,3", "num_filter": 2}, "tuple of whole numbers"),
    ("Convolution", {"kernel": "(3.0, 3)", "num_filter": 2}, "tuple of whole numbers"),
    ("Pooling", {"kernel": "(2, 2)", "colour": "red"}, "the attribute colour"),
    ("Dropout", {"mode": "always"}, "random"),
    ("SoftmaxOutput", {}, "oneDNN"),
    ("Frobnicate", {}, "unknown operator"),
    ("_contrib_AdaptiveAvgPooling2D", {"output_size": "(4000000000, 7)"}, "4000000000 cells"),
    ("topk", {"k": 4000000000}, "the first 4000000000"),
    ("tile", {"reps": "(0, 1)"}, "repeats a tensor"),
    ("_arange", {"start": 4e9}, "4e+09 numbers"),
    ("MultiBoxDetection", {}, "non-maximum suppression"),
]


@pytest.mark.parametrize(("op", "attributes", "reason"), REFUSED)
def test_what_is_refused_says_why_and_where(
    op: str, attributes: dict[str, str], reason: str, tmp_path: Path
) -> None:
    model = read(one_node(op, 1, ["w", "b"], **attributes), tmp_path, x0=(1, 2, 5, 6))
    assert reason in reasons(model)["y"]
    (notice,) = model.notices
    assert notice.error.where is not None
    assert notice.error.layer == "y"


def test_parameters_take_part_in_arithmetic(tmp_path: Path) -> None:
    net = Net()
    x, scale = net.variable("x0"), net.variable("s", __wd_mult__="1.0", __shape__="(1, 3, 1, 1)")
    text = net.text(net.add("broadcast_mul", "y", x, scale))
    s, value = noise(1, 3, 1, 1), noise(2, 3, 4, 5, seed=1)
    close(computed(text, tmp_path, [value], {"s": s}), value * s)
    assert not reasons(read(text, tmp_path, x0=(2, 3, 4, 5)))


@pytest.mark.parametrize(("clip", "square"), [(True, True), (False, False)])
def test_boxes_about_every_pixel(clip: bool, square: bool, tmp_path: Path) -> None:
    """multibox_prior.cc: of every size, then of the first size every further ratio."""
    height, width = (3, 3) if square else (2, 4)
    text = one_node("MultiBoxPrior", sizes="(0.4,0.7)", ratios="(1,2,0.5)", clip=clip)
    want = []
    for row, column in np.ndindex(height, width):
        for size, ratio in ((0.4, 1), (0.7, 1), (0.4, 2**0.5), (0.4, 0.5**0.5)):
            x, y = (column + 0.5) / width, (row + 0.5) / height
            w, h = size * height / width * ratio / 2, size / ratio / 2
            want.append([x - w, y - h, x + w, y + h])
    made = np.clip([want], 0, 1) if clip else np.array([want])
    x = noise(1, 2, height, width)
    close(meant(read(text, tmp_path, x0=x.shape), x), made)
    model = read(text, tmp_path, x0=(1, 2, "H", "W"))
    assert "sizes that are open" in reasons(model)["y"]
    assert [str(size) for size in infer(model).shapes["y_output"] or ()] == ["1", "4*H*W", "4"]


@pytest.mark.parametrize("kind", ["center", "corner"])
def test_boxes_are_decoded(kind: str, tmp_path: Path) -> None:
    """A centre moved by parts of the anchor's size, and a size grown by an exponent."""
    moves, anchors = noise(2, 5, 4), np.abs(noise(1, 5, 4, seed=1)) + 0.1
    if kind == "corner":
        anchors[..., 2:] += anchors[..., :2]
    stds: dict[str, Any] = {f"std{at}": value for at, value in enumerate((0.1, 0.2, 0.3, 0.3))}
    text = one_node("_contrib_box_decode", 2, format=kind, clip=0.2, **stds)
    size = anchors[..., 2:] - anchors[..., :2] * (kind == "corner")
    middle = anchors[..., :2] + size / 2 if kind == "corner" else anchors[..., :2]
    centre = moves[..., :2] * [0.1, 0.2] * size + middle
    half = np.exp(np.minimum(moves[..., 2:] * 0.3, 0.2)) * size / 2
    want = np.concatenate([centre - half, centre + half], -1)
    model = read(text, tmp_path, x0=(2, "A", 4), x1=(1, "A", 4))
    close(meant(model, moves, anchors.astype(np.float32)), want)


def test_entries_by_the_numbers_in_a_tensor(tmp_path: Path) -> None:
    """gather_nd by constant numbers, some counted from the end; a range, each number repeated."""
    net, x = Net(), noise(3, 4, 5)
    data = net.variable("x0")
    rows = net.add("_arange", "rows", start=0, stop=3, repeat=2, dtype="int32")
    columns = net.add("_minus_scalar", "columns", net.add("_arange", "all", start=6), scalar=2)
    places = net.add("stack", "places", rows, columns, axis=0, num_args=2)
    text = net.text(net.add("gather_nd", "y", data, places))
    close(computed(text, tmp_path, [x]), x[np.arange(3).repeat(2), np.arange(6) - 2])


@pytest.mark.parametrize(
    ("op", "attributes", "inputs", "shape"),
    [
        ("_contrib_ROIAlign", {"pooled_size": "(7, 5)"}, [(2, 8, 9, 9), (6, 5)], (6, 8, 7, 5)),
        ("_contrib_box_nms", {}, [(2, 9, 6)], (2, 9, 6)),
        ("MultiBoxDetection", {}, [(2, 4, 9), (2, 36), (1, 9, 4)], (2, 9, 6)),
        (
            "_contrib_MultiProposal",
            {"rpn_post_nms_top_n": 50},
            [(2, 8, 5, 5), (2, 16, 5, 5), (2, 3)],
            (100, 5),
        ),
    ],
)
def test_what_no_operator_says_has_its_shape(
    op: str,
    attributes: dict[str, Any],
    inputs: list[tuple[int, ...]],
    shape: tuple[int, ...],
    tmp_path: Path,
) -> None:
    text = one_node(op, len(inputs), **attributes)
    shapes: dict[str, Any] = {f"x{at}": one for at, one in enumerate(inputs)}
    model = read(text, tmp_path, **shapes)
    assert "which no operator says" in reasons(model)["y"]
    assert infer(model).shapes["y_output"] == shape


def test_a_quantised_net_is_told_and_its_sizes_are_known(tmp_path: Path) -> None:
    """A convolution, and one that holds a graph for oneDNN, between two conversions."""
    net = Net()
    x, weight = net.variable("x0"), net.variable("w")
    small = [net.add("_contrib_quantize_v2", "q", x, out_type="auto")[0], 0, 0]
    bounds = [[small[0], 1, 0], [small[0], 2, 0]]
    inner = Net()
    up = inner.add(
        *("Convolution", "inside", inner.variable("data0"), inner.variable("w0")),
        kernel="(3, 3)", num_filter=4, no_bias=True, stride="(2, 2)",
    )  # fmt: skip
    fused = net.add("_sg_mkldnn_conv", "f", small, weight, *bounds, quantized="true")
    net.nodes[fused[0]]["subgraphs"] = [json.loads(inner.text(up))]
    plain = net.add(
        "_contrib_quantized_conv", "c", fused, net.variable("v"),
        kernel="(2, 2)", num_filter=3, no_bias=True,
    )  # fmt: skip
    text = net.text(net.add("_contrib_dequantize", "y", plain))
    model = read(text, tmp_path, {"w": noise(4, 2, 3, 3)}, x0=(1, 2, 9, 7))
    assert not reasons(model)
    assert infer(model).shapes["y_output"] == (1, 3, 3, 2)
    (notice,) = model.notices
    assert (notice.kind, notice.error.where is not None) == ("whole-number-arithmetic", True)
    with pytest.raises(UnsupportedError, match="'q' is quantised"):
        write_onnx(model, tmp_path / "net.onnx")
