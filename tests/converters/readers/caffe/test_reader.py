from __future__ import annotations

import pytest

from tests.converters.readers.caffe.support import DATA, layer, notices, read, shapes
from upconv.converters.ir.dims import symbol
from upconv.converters.ir.errors import UnreadableError, UsageError
from upconv.converters.ir.operators import Conv, Relu, Unknown

CONV = "convolution_param { num_output: 4 kernel_size: 3 }"


def test_layers_keep_name_type_and_place() -> None:
    model = read(f'name: "net"\n{DATA}{layer("Convolution", CONV, name="conv1")}')
    (conv,) = model.layers
    assert (model.name, model.framework, model.phase) == ("net", "caffe", "TEST")
    assert isinstance(conv.operator, Conv)
    assert (conv.name, conv.origin.type, conv.origin.framework) == ("conv1", "Convolution", "caffe")
    assert conv.origin.span is not None
    assert conv.origin.span.line == 3
    assert conv.origin.span.text.startswith("layer {")
    assert conv.origin.span.text.endswith("}")
    assert conv.origin.written.block.has("convolution_param")


def test_missing_weights_carry_their_filler_and_are_never_zeros() -> None:
    filler = 'weight_filler { type: "Bilinear" }'
    model = read(
        DATA
        + layer("Convolution", f"convolution_param {{ num_output: 4 {filler} kernel_size: 3 }}")
    )
    weights = model.layers[0].weights
    assert not weights["weight"].present
    assert weights["weight"].filler is not None
    assert weights["weight"].filler.type == "bilinear"
    assert weights["bias"].filler is not None
    assert (weights["bias"].filler.type, weights["bias"].filler.declared) == ("constant", False)
    assert weights["bias"].shape == (4,)


def test_nameless_and_repeated_layers_get_unique_names() -> None:
    text = DATA + 'layer { type: "ReLU" bottom: "data" top: "a" }\n'
    text += layer("ReLU", name="r", bottom="a", top="b") + layer(
        "ReLU", name="r", bottom="b", top="c"
    )
    model = read(text)
    assert [entry.name for entry in model.layers] == ["ReLU#0", "r", "r@2"]
    assert notices(model) == [("repeated-layer-name", "r", "another layer is named 'r'")]


def test_unknown_type_flows_through_with_a_suggestion() -> None:
    model = read(DATA + layer("Convolutoin") + layer("ReLU", name="r", bottom="x", top="y"))
    unknown, relu = model.layers
    assert unknown.operator == Unknown("Convolutoin", "unknown layer type 'Convolutoin'")
    assert relu.operator == Relu()
    ((kind, name, _),) = notices(model)
    assert (kind, name) == ("unknown-layer-type", "x")
    assert "Convolution" in model.notices[0].error.hint
    assert model.outputs == ("y",)


def test_a_type_that_is_known_but_not_supported_says_so() -> None:
    model = read(DATA + layer("SPP"))
    assert notices(model) == [("unknown-layer-type", "x", "layers of type SPP are not supported")]


def test_a_python_layer_is_named_by_its_code() -> None:
    model = read(DATA + layer("Python", 'python_param { module: "rpn" layer: "Proposal" }'))
    ((kind, _, message),) = notices(model)
    assert kind == "unknown-layer-type"
    assert "rpn.Proposal" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (layer("ReLU").replace('bottom: "data" ', ""), "ReLU takes 1 bottom, but it has 0"),
        (layer("ReLU").replace('top: "x" ', ""), "ReLU takes 1 top, but it has 0"),
        (layer("Eltwise"), "Eltwise takes at least 2 bottoms, but it has 1"),
        (
            layer("Scale", 'bottom: "data" bottom: "data"'),
            "Scale takes 1 to 2 bottoms, but it has 3",
        ),
    ],
)
def test_wrong_counts_of_bottoms_and_tops(text: str, message: str) -> None:
    model = read(DATA + text)
    assert notices(model) == [("unreadable-part", "x", message)]
    assert isinstance(model.layers[0].operator, Unknown)


def test_a_template_reports_its_placeholder_and_reads_the_rest() -> None:
    """And says nothing of the field that is missing where the placeholder could not be read."""
    text = DATA + layer("Convolution", "convolution_param { num_output: ${NUM} kernel_size: 3 }")
    text += layer("Convolution", "convolution_param { kernel_size: 3 }", name="z", top="z")
    model = read(text + layer("ReLU", name="r", bottom="x", top="y"))
    found = [(kind, message) for kind, _, message in notices(model)]
    assert [kind for kind, _ in found] == ["template", "unreadable-part"]
    assert "template" in found[0][1]
    assert found[1][1] == "num_output is missing"
    assert isinstance(model.layers[0].operator, Unknown)
    assert model.layer("r").operator == Relu()


def test_an_unquoted_type_is_noticed_and_taken() -> None:
    model = read(DATA + 'layer { name: "r" type: ReLU bottom: "data" top: "r" }')
    assert model.layers[0].operator == Relu()
    assert [kind for kind, _, _ in notices(model)] == ["unreadable-part"]


def test_a_layer_without_type_is_noticed_once() -> None:
    model = read(DATA + 'layer { name: "r" bottom: "data" top: "r" }')
    assert notices(model) == [("unreadable-part", "", "a layer without a type")]
    assert isinstance(model.layers[0].operator, Unknown)


def test_notices_come_in_the_order_of_the_file() -> None:
    text = DATA + layer("Foo", name="f", top="f") + layer("ReLU", name="r", bottom="gone", top="r")
    model = read(text + layer("Bar", name="b", top="b"))
    lines = [entry.error.where.line for entry in model.notices if entry.error.where]
    assert lines == sorted(lines)
    assert len(lines) == 3


def test_input_overrides_the_shape() -> None:
    model = read(DATA + layer("ReLU"), inputs={"data": (1, 3, symbol("H"), symbol("W"))})
    assert model.inputs[0].shape == (1, 3, symbol("H"), symbol("W"))
    assert shapes(model)["x"] == (1, 3, symbol("H"), symbol("W"))


def test_input_of_an_unknown_name_names_the_known() -> None:
    with pytest.raises(UsageError) as caught:
        read(DATA + layer("ReLU"), inputs={"image": (1, 3, 8, 8)})
    assert "image" in caught.value.message
    assert "data" in caught.value.hint


def test_input_of_another_rank_is_refused() -> None:
    with pytest.raises(UsageError, match="--input data has 3 axes, the model's input 4"):
        read(DATA + layer("ReLU"), inputs={"data": (3, 8, 8)})


def test_an_unknown_dialect_names_the_known() -> None:
    with pytest.raises(UsageError) as caught:
        read(DATA + layer("ReLU"), dialect="klingon")
    assert "segnet" in caught.value.hint


def test_dialects_that_clash_ask_for_the_fork() -> None:
    model = read(DATA + layer("Upsample", 'bottom: "data"'))
    ((kind, name, _),) = notices(model)
    assert (kind, name) == ("fork-dialect", "x")
    assert "segnet" in model.notices[0].error.hint
    assert isinstance(model.layers[0].operator, Unknown)


def test_what_is_no_net_is_refused() -> None:
    with pytest.raises(UnreadableError, match="no Caffe net, but a solver"):
        read('net: "train_val.prototxt" base_lr: 0.01')


def test_shapes_are_followed_to_the_rank_of_each_layer() -> None:
    text = 'input: "data" input_shape { dim: 1 dim: 2 dim: 6 dim: 7 dim: 8 }\n'
    text += layer("Convolution", "convolution_param { num_output: 4 kernel_size: 3 }")
    assert shapes(read(text))["x"] == (1, 4, 4, 5, 6)


def test_a_field_of_no_schema_is_told_with_what_may_be_meant() -> None:
    params = "convolution_param { num_ouput: 2 num_output: 2 kernel_size: 1 }"
    (notice,) = read(DATA + layer("Convolution", params)).notices
    assert (notice.kind, notice.harmless, notice.near) == ("unknown-field", False, ("num_output",))
    assert notice.error.where is not None
    assert notice.error.where.text == "num_ouput"
    assert (notice.error.layer, notice.error.hint) == ("x", "did you mean num_output?")
