from __future__ import annotations

import pytest

from tests.converters.readers.caffe.support import (
    DATA,
    layer,
    notices,
    operator,
    read,
    refusal,
    shapes,
)
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import like

VOLUME = 'input: "data" input_shape { dim: 1 dim: 3 dim: 8 dim: 8 dim: 8 }\n'
SIGNAL = 'input: "data" input_shape { dim: 1 dim: 3 dim: 8 }\n'
UNKNOWN = 'layer { name: "d" type: "Python" top: "data" }\n'


def conv(param: str) -> str:
    return f"convolution_param {{ num_output: 6 {param} }}"


def pool(param: str) -> str:
    return f"pooling_param {{ {param} }}"


@pytest.mark.parametrize(
    ("param", "kernel", "stride", "pad", "dilation"),
    [
        ("kernel_size: 3", (3, 3), (1, 1), (0, 0), (1, 1)),
        ("kernel_size: 3 kernel_size: 5", (3, 5), (1, 1), (0, 0), (1, 1)),
        ("kernel_size: [3, 5] stride: 2 pad: 1", (3, 5), (2, 2), (1, 1), (1, 1)),
        ("kernel_h: 3 kernel_w: 5 stride_h: 2 stride_w: 1", (3, 5), (2, 1), (0, 0), (1, 1)),
        ("kernel_size: 3 pad_h: 2", (3, 3), (1, 1), (2, 0), (1, 1)),
        ("kernel_size: 3 pad_w: 2", (3, 3), (1, 1), (0, 2), (1, 1)),
        ("kernel_size: 3 pad_h: 0 pad_w: 1", (3, 3), (1, 1), (0, 1), (1, 1)),
        ("kernel_size: 3 dilation: 2", (3, 3), (1, 1), (0, 0), (2, 2)),
        ("kernel_size: 3 dilation: 2 dilation: 1", (3, 3), (1, 1), (0, 0), (2, 1)),
        ("kernel_size: 3 dilation: 0", (3, 3), (1, 1), (0, 0), (0, 0)),
        ("kernel_size: 3 hole: 4", (3, 3), (1, 1), (0, 0), (4, 4)),
        ("kernel_size: 3 kstride: 4", (3, 3), (1, 1), (0, 0), (4, 4)),
    ],
)
def test_windows_of_convolution_and_deconvolution(
    param: str,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    pad: tuple[int, ...],
    dilation: tuple[int, ...],
) -> None:
    assert operator("Convolution", conv(param)) == ops.Conv(
        6, kernel, stride, dilation, pad, pad, 1
    )
    assert operator("Deconvolution", conv(param)) == ops.ConvTranspose(
        6, kernel, stride, dilation, pad, pad, (0, 0), 1
    )


@pytest.mark.parametrize(
    ("param", "code", "message"),
    [
        ("", "unreadable-part", "kernel_size is missing"),
        ("kernel_size: 0", "unreadable-part", "the kernel is 0x0; each must be at least 1"),
        ("kernel_size: -3", "unreadable-part", "kernel_size is -3, which is no size"),
        (
            "kernel_size: 3 stride: 0",
            "unreadable-part",
            "the stride is 0x0; each must be at least 1",
        ),
        (
            "kernel_size: [3, 3, 3]",
            "unreadable-part",
            "kernel_size is given 3 times for 2 spatial axes",
        ),
        ("kernel_size: 3 kernel_h: 3", "unreadable-part", "gives both kernel_size and kernel_h"),
        ("kernel_size: 3 pad: 1 pad_w: 1", "unreadable-part", "gives both pad and pad_w"),
        (
            "kernel_h: 3",
            "half-given-field",
            "gives kernel_h without kernel_w, which Caffe takes as 0 and aborts on",
        ),
        (
            "kernel_size: 3 stride_w: 2",
            "half-given-field",
            "gives stride_w without stride_h, which Caffe takes as 0 and aborts on",
        ),
        (
            "kernel_size: 3 group: 4",
            "unreadable-part",
            "num_output 6 does not divide into 4 groups",
        ),
        ("kernel_size: 3 group: 0", "unreadable-part", "group must be at least 1"),
        (
            "kernel_size: 3 axis: 2",
            "unknown-layer-type",
            "takes axis 2 for its channels, but only axis 1 (N, C, ...) is supported",
        ),
        (
            "kernel_size: 3.5",
            "unreadable-part",
            "field 'kernel_size': expected a whole number, found '3.5'",
        ),
    ],
)
def test_what_a_convolution_refuses(param: str, code: str, message: str) -> None:
    for kind in ("Convolution", "Deconvolution"):
        assert refusal(kind, conv(param)) == (code, message)


def test_num_output_must_be_there() -> None:
    assert refusal("Deconvolution", "convolution_param { kernel_size: 2 }") == (
        "unreadable-part",
        "num_output is missing",
    )


def test_half_given_pairs_point_at_the_field() -> None:
    model = read(DATA + layer("Deconvolution", conv("kernel_size: 3 stride_h: 2")))
    error = model.notices[0].error
    assert error.where is not None
    assert error.where.text == "2"
    assert error.hint == "add stride_w"


def test_the_inputs_rank_decides_the_axes() -> None:
    cubic = operator("Deconvolution", conv("kernel_size: 2 stride: 2"), VOLUME)
    assert isinstance(cubic, ops.ConvTranspose)
    assert cubic.kernel == (2, 2, 2)
    linear = operator("Convolution", conv("kernel_size: 3"), SIGNAL)
    assert isinstance(linear, ops.Conv)
    assert linear.kernel == (3,)
    assert refusal("Convolution", conv("kernel_h: 1 kernel_w: 1"), VOLUME)[1] == (
        "kernel_h is for 2 spatial axes, but the input has 3"
    )


def test_an_unknown_rank_is_guessed_from_repeats() -> None:
    guessed = operator("Convolution", conv("kernel_size: [1, 2, 3]"), UNKNOWN)
    assert isinstance(guessed, ops.Conv)
    assert guessed.kernel == (1, 2, 3)
    usual = operator("Convolution", conv("kernel_size: 3"), UNKNOWN)
    assert isinstance(usual, ops.Conv)
    assert usual.kernel == (3, 3)


@pytest.mark.parametrize("kind", ["ConvolutionDepthwise", "DepthwiseConvolution"])
def test_depthwise_groups_default_to_num_output(kind: str) -> None:
    without = operator(kind, "convolution_param { num_output: 3 kernel_size: 3 }")
    assert isinstance(without, ops.Conv)
    assert without.groups == 3
    given = operator(kind, "convolution_param { num_output: 3 kernel_size: 3 group: 1 }")
    assert isinstance(given, ops.Conv)
    assert given.groups == 1


def test_several_bottoms_share_the_weights() -> None:
    text = DATA + 'input: "more" input_shape { dim: 1 dim: 3 dim: 5 dim: 6 }\n'
    text += layer("Convolution", f'bottom: "more" top: "y" {conv("kernel_size: 3")}')
    model = read(text)
    assert [(entry.name, entry.inputs, entry.outputs) for entry in model.layers] == [
        ("x", ("data",), ("x",)),
        ("x/1", ("more",), ("y",)),
    ]
    assert model.layers[0].weights is model.layers[1].weights


@pytest.mark.parametrize(
    ("param", "expected"),
    [
        ("kernel_size: 3",
         ops.Pool("max", (3, 3), (1, 1), (1, 1), (0, 0), (0, 0), "ceil", "if_padded", True)),
        ("pool: AVE kernel_size: 3 stride: 2 pad: 1",
         ops.Pool("average", (3, 3), (2, 2), (1, 1), (1, 1), (1, 1), "ceil", "if_padded", True)),
        ("pool: 1 kernel_h: 3 kernel_w: 2 round_mode: FLOOR",
         ops.Pool("average", (3, 2), (1, 1), (1, 1), (0, 0), (0, 0), "floor", "if_padded", True)),
        ("kernel_size: 2 ceil_mode: false",
         ops.Pool("max", (2, 2), (1, 1), (1, 1), (0, 0), (0, 0), "floor", "if_padded", True)),
        ("pool: AVE global_pooling: true", ops.GlobalPool("average")),
    ],
)  # fmt: skip
def test_pooling(param: str, expected: ops.Operator) -> None:
    assert operator("Pooling", pool(param)) == expected


def test_pooling_with_a_mask() -> None:
    model = read(DATA + layer("Pooling", f'top: "mask" {pool("kernel_size: 2 stride: 2")}'))
    assert model.layers[0].outputs == ("x", "mask")
    assert shapes(model)["mask"] == (1, 3, 5, 6)


@pytest.mark.parametrize(
    ("param", "code", "message"),
    [
        ("", "unreadable-part", "kernel_size is missing"),
        ("kernel_h: 2", "half-given-field", None),
        ("kernel_size: 3 pad_h: 1", "half-given-field", None),
        ("kernel_size: 3 stride_w: 1", "half-given-field", None),
        ("kernel_size: 2 pad: 2", "unreadable-part", "pad 2 is not smaller than the kernel, 2"),
        ("pool: STOCHASTIC kernel_size: 2", "unknown-layer-type", None),
        ("pool: MIN kernel_size: 2", "unreadable-part",
         "pool is MIN, which is none of MAX, AVE, STOCHASTIC"),
        ("global_pooling: true kernel_size: 2", "unreadable-part",
         "global_pooling has no window, but kernel_size is given"),
        ("global_pooling: true stride: 2", "unreadable-part",
         "global_pooling allows no stride other than 1"),
    ],
)  # fmt: skip
def test_what_a_pooling_refuses(param: str, code: str, message: str | None) -> None:
    found = refusal("Pooling", pool(param))
    assert found[0] == code
    assert message is None or found[1] == message


def test_only_max_pooling_has_a_mask() -> None:
    model = read(DATA + layer("Pooling", f'top: "mask" {pool("pool: AVE kernel_size: 2")}'))
    assert notices(model) == [
        ("unreadable-part", "x", "only MAX pooling has a second top, the mask")
    ]


def crop(param: str) -> ops.Operator:
    reference = 'input: "data" input_shape { dim: 1 dim: 3 dim: 10 dim: 12 }\n'
    reference += 'input: "ref" input_shape { dim: 1 dim: 9 dim: 6 dim: 7 }\n'
    model = read(reference + layer("Crop", f'bottom: "ref" crop_param {{ {param} }}'))
    assert notices(model) == []
    return model.layers[0].operator


REF = tuple(like("ref", axis) for axis in range(4))


@pytest.mark.parametrize(
    ("param", "expected"),
    [
        ("", ops.Crop(2, (0, 0), REF[2:])),
        ("offset: 2", ops.Crop(2, (2, 2), REF[2:])),
        ("axis: 2 offset: 2 offset: 3", ops.Crop(2, (2, 3), REF[2:])),
        ("axis: 3 offset: 4", ops.Crop(3, (4,), REF[3:])),
        ("axis: -1 offset: 4", ops.Crop(3, (4,), REF[3:])),
        ("axis: 1 offset: [0, 1, 2]", ops.Crop(1, (0, 1, 2), REF[1:])),
    ],
)
def test_crop_takes_the_sizes_of_its_reference(param: str, expected: ops.Crop) -> None:
    assert crop(param) == expected


def test_crop_refusals() -> None:
    head = DATA + 'input: "ref" input_shape { dim: 1 dim: 3 dim: 6 dim: 7 }\n'
    for param, message in (
        ("offset: 1 offset: 2 offset: 3", "has 3 offsets for 2 cropped axes"),
        ("axis: 4", "axis 4 of an input with 4 axes"),
    ):
        assert refusal("Crop", f'bottom: "ref" crop_param {{ {param} }}', head)[1] == message


@pytest.mark.parametrize(
    ("kind", "rest", "expected"),
    [
        ("Eltwise", 'bottom: "data"', ops.Eltwise("sum")),
        ("Eltwise", 'bottom: "data" eltwise_param { operation: PROD }', ops.Eltwise("product")),
        ("Eltwise", 'bottom: "data" eltwise_param { operation: 2 }', ops.Eltwise("max")),
        ("Eltwise", 'bottom: "data" eltwise_param { coeff: 1 coeff: -1 }',
         ops.Eltwise("sum", (1.0, -1.0))),
        ("Concat", 'bottom: "data"', ops.Concat(1)),
        ("Concat", 'bottom: "data" concat_param { axis: 0 }', ops.Concat(0)),
        ("Concat", 'bottom: "data" concat_param { concat_dim: 2 }', ops.Concat(2)),
        ("Slice", 'top: "y" slice_param { slice_point: 1 }', ops.Slice(1, (1,))),
        ("Slice", 'top: "y" slice_param { slice_dim: 2 }', ops.Slice(2)),
        ("Split", 'top: "y"', ops.Identity()),
        ("Dropout", "", ops.Identity()),
        ("Dropout", "dropout_param { dropout_ratio: 0.25 scale_train: false }",
         ops.Power(scale=0.75)),
        ("Reshape", "reshape_param { shape { dim: 0 dim: -1 } }", ops.Reshape((0, -1))),
        ("Reshape", "reshape_param { shape { dim: 5 dim: 2 } axis: 2 num_axes: 1 }",
         ops.Reshape((5, 2), 2, 1)),
        ("Flatten", "", ops.Flatten(1, -1)),
        ("Flatten", "flatten_param { axis: 2 end_axis: 3 }", ops.Flatten(2, 3)),
        ("InnerProduct", "inner_product_param { num_output: 5 }", ops.Linear(5)),
        ("InnerProduct", "inner_product_param { num_output: 5 axis: 2 transpose: true }",
         ops.Linear(5, 2, True)),
        ("Permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }",
         ops.Permute((0, 2, 3, 1))),
        ("Permute", "permute_param { order: 1 }", ops.Permute((1, 0, 2, 3))),
        ("Tile", "tile_param { tiles: 3 }", ops.Tile(1, 3)),
        ("Softmax", "softmax_param { axis: 2 }", ops.Softmax(2)),
        ("ArgMax", "argmax_param { axis: 1 }", ops.ArgMax(1, 1, "indices")),
        ("ArgMax", "argmax_param { axis: 1 out_max_val: true }", ops.ArgMax(1, 1, "values")),
        ("ArgMax", "argmax_param { top_k: 3 }", ops.ArgMax(None, 3, "indices")),
        ("ArgMax", "argmax_param { out_max_val: true }", ops.ArgMax(None, 1, "both")),
        ("Reduction", "reduction_param { operation: MEAN axis: 2 coeff: 0.5 }",
         ops.Reduce("mean", 2, 0.5)),
        ("Reduction", "", ops.Reduce("sum", 0, 1.0)),
    ],
)  # fmt: skip
def test_other_layers(kind: str, rest: str, expected: ops.Operator) -> None:
    assert operator(kind, rest) == expected


@pytest.mark.parametrize(
    ("kind", "rest", "message"),
    [
        ("Eltwise", 'bottom: "data" eltwise_param { coeff: 1 coeff: 2 coeff: 3 }',
         "has 3 coefficients for 2 bottoms"),
        ("Eltwise", 'bottom: "data" eltwise_param { operation: MAX coeff: 1 coeff: 1 }',
         "only SUM takes coefficients, not MAX"),
        ("Concat", 'bottom: "data" concat_param { axis: 1 concat_dim: 1 }',
         "gives both axis and concat_dim"),
        ("Slice", 'top: "y" slice_param { slice_point: 1 slice_point: 2 }',
         "2 slice points make 3 parts, but it has 2 tops"),
        ("Reshape", "reshape_param { shape { dim: -1 dim: -1 } }",
         "more than one dim is -1, to be inferred"),
        ("Reshape", "reshape_param { shape { dim: -2 } }",
         "dims [-2]: 0 copies, -1 is inferred, others are sizes"),
        ("Permute", "permute_param { order: 1 order: 1 }", "order [1, 1] names an axis twice"),
        ("Permute", "permute_param { order: 7 }",
         "order [7] names an axis that the input (4 axes) lacks"),
        ("Tile", "", "tiles is missing"),
        ("InnerProduct", "", "num_output is missing"),
        ("Reduction", "reduction_param { operation: MAX }",
         "operation is MAX, which is none of SUM, ASUM, SUMSQ, MEAN"),
    ],
)  # fmt: skip
def test_what_other_layers_refuse(kind: str, rest: str, message: str) -> None:
    assert refusal(kind, rest) == ("unreadable-part", message)
