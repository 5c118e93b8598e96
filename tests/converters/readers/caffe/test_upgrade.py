from __future__ import annotations

from tests.converters.readers.caffe.support import DATA, layer, notices, read, shapes
from upconv.converters.ir.operators import Conv, Linear, Lrn, Pool, Relu

V1 = """\
name: "old"
input: "data" input_dim: 1 input_dim: 3 input_dim: 22 input_dim: 30
layers { name: "c" type: CONVOLUTION bottom: "data" top: "c"
  param: "w" param: "b" blobs_lr: 0 blobs_lr: 2 weight_decay: 1 weight_decay: 0
  convolution_param { num_output: 6 kernel_size: 5 pad: 2 stride: 2 } }
layers { name: "r" type: RELU bottom: "c" top: "c" }
layers { name: "d" type: 39 bottom: "c" top: "d"
  convolution_param { num_output: 6 group: 6 kernel_size: 4 stride: 2 pad: 1 bias_term: false } }
layers { name: "loss" type: SOFTMAX_LOSS bottom: "d" bottom: "data" }
"""

V0 = """\
input: "data" input_dim: 1 input_dim: 3 input_dim: 20 input_dim: 20
layers { layer { name: "p" type: "padding" pad: 2 } bottom: "data" top: "padded" }
layers { layer { name: "c" type: "conv" num_output: 8 kernelsize: 5 stride: 2 biasterm: false
    weight_filler { type: "xavier" } blobs_lr: 0 weight_decay: 3 }
  bottom: "padded" top: "c" }
layers { layer { name: "pool" type: "pool" pool: AVE kernelsize: 3 stride: 2 }
  bottom: "c" top: "q" }
layers { layer { name: "n" type: "lrn" local_size: 3 alpha: 0.5 beta: 0.25 } bottom: "q" top: "n" }
layers { layer { name: "ip" type: "innerproduct" num_output: 10 } bottom: "n" top: "ip" }
"""


def test_v1_types_and_params() -> None:
    model = read(V1)
    conv, relu, deconv = model.layers
    assert isinstance(conv.operator, Conv)
    assert relu.operator == Relu()
    assert (deconv.origin.type, type(deconv.operator).__name__) == ("39", "ConvTranspose")
    assert conv.origin.type == "CONVOLUTION"
    specs = conv.origin.written.block.messages("param")
    assert [spec.str("name", "") for spec in specs] == ["w", "b"]
    assert [spec.float("lr_mult", 1.0) for spec in specs] == [0.0, 2.0]
    assert [spec.float("decay_mult", 1.0) for spec in specs] == [1.0, 0.0]
    assert [span.text for span in specs[1].spans("lr_mult")] == ["2"]
    assert shapes(model)["d"] == (1, 6, 22, 30)
    assert model.outputs == ("d",)


def test_v1_is_noticed_as_obsolete_once() -> None:
    assert notices(read(V1)) == [
        ("obsolete-format", "", "the net is written in Caffe's obsolete V1 format")
    ]


def test_v0_parameters_move_and_padding_joins_the_next_layer() -> None:
    model = read(V0)
    conv, pool, lrn, linear = (entry.operator for entry in model.layers)
    assert conv == Conv(8, (5, 5), (2, 2), (1, 1), (2, 2), (2, 2), 1)
    assert isinstance(pool, Pool)
    assert (pool.kind, pool.kernel, pool.stride) == ("average", (3, 3), (2, 2))
    assert isinstance(lrn, Lrn)
    assert (lrn.size, lrn.alpha, lrn.beta) == (3, 0.5, 0.25)
    assert linear == Linear(10, 1, False)
    assert model.layers[0].weights.keys() == {"weight"}
    assert notices(model) == [
        ("obsolete-format", "", "the net is written in Caffe's obsolete V0 format")
    ]


def test_v0_nodes_keep_the_places_of_their_values() -> None:
    node = read(V0).layers[0].origin.written.block
    params = node.message("convolution_param")
    assert params is not None
    assert params.texts("kernel_size") == ["5"]
    assert [span.line for span in params.spans("kernel_size")] == [3]
    assert node.messages("param")[0].float("decay_mult", 1.0) == 3.0


def test_mixing_generations_is_an_error_and_both_are_read() -> None:
    text = DATA + layer("ReLU", name="r", top="r")
    model = read(text + 'layers { name: "t" type: TANH bottom: "r" top: "t" }')
    assert [code for code, _, _ in notices(model)] == ["obsolete-format", "unreadable-part"]
    assert "mixes" in notices(model)[1][2]
    assert [entry.name for entry in model.layers] == ["r", "t"]


def test_fork_types_in_v1_spelling() -> None:
    text = 'layers { name: "u" type: UNPOOLING bottom: "data" top: "u" }'
    model = read(DATA + text)
    assert all("unknown layer type" not in message for _, _, message in notices(model))


def test_several_inputs_with_shapes_and_with_dims() -> None:
    dims = " ".join(f"input_dim: {size}" for size in (1, 2, 3, 4, 5, 6, 7, 8))
    relus = layer("ReLU", name="a", bottom="p", top="a") + layer(
        "ReLU", name="b", bottom="q", top="b"
    )
    model = read(f'input: "p" input: "q" {dims}\n' + relus)
    assert [entry.shape for entry in model.inputs] == [(1, 2, 3, 4), (5, 6, 7, 8)]
    shaped = 'input: "p" input_shape { dim: 2 dim: 3 } input: "q" input_shape { dim: 4 }\n'
    assert [entry.shape for entry in read(shaped + relus).inputs] == [(2, 3), (4,)]


def test_inputs_and_shapes_of_different_number() -> None:
    text = 'input: "p" input: "q" input_shape { dim: 2 }\n' + layer("ReLU", bottom="p")
    assert [(code, message) for code, _, message in notices(read(text))] == [
        ("unreadable-part", "2 inputs, but the shapes of 1")
    ]


def test_an_input_size_below_one_is_noticed() -> None:
    text = 'input: "data" input_shape { dim: 0 dim: 3 }\n' + layer("ReLU")
    model = read(text)
    assert notices(model) == [("unreadable-part", "data", "the shape 0x3 has a size below 1")]
    assert model.inputs[0].shape is None
