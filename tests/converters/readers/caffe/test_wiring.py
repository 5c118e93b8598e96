from __future__ import annotations

from tests.converters.readers.caffe.support import DATA, layer, notices, read

POOL = "pooling_param { kernel_size: 2 stride: 2 }"
LOSS = (
    'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }\n'
)
DATA_LAYER = """\
layer { name: "data" type: "Data" top: "data" top: "label"
  data_param { batch_size: 4 } transform_param { crop_size: 24 } }
"""


def chain(*names: str, blob: str) -> str:
    """In-place ReLUs on a blob."""
    return "".join(layer("ReLU", name=name, bottom=blob, top=blob) for name in names)


def test_in_place_layers_make_versions_and_the_last_keeps_the_name() -> None:
    model = read(DATA + layer("Pooling", POOL, name="p", top="p") + chain("a", "b", blob="p"))
    assert [(entry.inputs, entry.outputs) for entry in model.layers] == [
        (("data",), ("p@p",)),
        (("p@p",), ("p@a",)),
        (("p@a",), ("p",)),
    ]
    assert model.outputs == ("p",)


def test_a_reader_before_the_in_place_layer_sees_the_earlier_version() -> None:
    text = DATA + layer("Pooling", POOL, name="p", top="p")
    text += layer("TanH", name="t", bottom="p", top="t") + chain("r", blob="p")
    text += layer("Eltwise", 'bottom: "t"', name="e", bottom="p", top="e")
    model = read(text)
    assert model.layer("t").inputs == ("p@p",)
    assert model.layer("e").inputs == ("p", "t")
    assert model.outputs == ("e",)
    assert notices(model) == []


def test_an_input_overwritten_in_place_keeps_its_name() -> None:
    model = read(DATA + chain("r", blob="data"))
    assert [entry.name for entry in model.inputs] == ["data"]
    assert model.layers[0].inputs == ("data",)
    assert model.outputs == ("data@r",)


def test_version_names_give_way_to_blobs_of_that_name() -> None:
    text = DATA + layer("Pooling", POOL, name="p", top="p") + chain("r", blob="p")
    text += layer("TanH", name="t", bottom="p", top="p@p")
    model = read(text)
    assert model.layer("p").outputs == ("p@p@2",)
    assert model.layer("t").outputs == ("p@p",)


def test_outputs_are_what_no_layer_reads_in_caffes_order() -> None:
    text = DATA + layer("TanH", name="b", top="b") + layer("ReLU", name="a", top="a")
    assert read(text).outputs == ("a", "b")


def test_a_blob_written_twice_is_noticed_and_the_last_counts() -> None:
    text = DATA + layer("TanH", name="a", top="y") + layer("ReLU", name="b", top="y")
    model = read(text)
    assert notices(model) == [("repeated-name", "b", "writes 'y', which is written before")]
    assert model.outputs == ("y",)
    assert model.layer("b").outputs == ("y",)


def test_a_dangling_bottom_is_noticed_at_its_place_and_becomes_an_input() -> None:
    model = read(DATA + layer("ReLU", name="r", bottom="dta", top="r"))
    ((kind, name, message),) = notices(model)
    assert (kind, name) == ("dangling-name", "r")
    assert message == "reads 'dta', which no layer before it writes"
    error = model.notices[0].error
    assert error.hint == "did you mean 'data'?"
    assert error.where is not None
    assert error.where.text == '"dta"'
    assert [(entry.name, entry.shape) for entry in model.inputs] == [
        ("data", (1, 3, 10, 12)),
        ("dta", None),
    ]


def test_a_bottom_that_is_written_later_is_told() -> None:
    text = DATA + layer("ReLU", name="r", bottom="late", top="r")
    model = read(text + layer("TanH", name="t", top="late"))
    assert model.notices[0].error.hint == "layer 't' writes it, but stands after it"
    assert model.layer("t").outputs == ("late@t",)


def test_a_bottom_of_another_phase_is_told() -> None:
    text = layer("TanH", "include { phase: TRAIN }", name="t", top="only_train")
    model = read(DATA + text + layer("ReLU", name="r", bottom="only_train", top="r"))
    assert model.notices[0].error.hint == "layer 't' writes it, but not in this phase"


def test_a_dropped_loss_leaves_its_score_and_its_label_goes() -> None:
    model = read(DATA_LAYER + layer("ReLU", name="r", top="score") + LOSS)
    assert [entry.name for entry in model.layers] == ["r"]
    assert model.outputs == ("score",)
    assert [entry.name for entry in model.inputs] == ["data"]


def test_a_label_that_a_layer_computes_with_stays() -> None:
    text = DATA_LAYER + layer("ReLU", name="r", top="score")
    text += layer("Power", name="half", bottom="label", top="half")
    model = read(text + LOSS.replace('"label"', '"half"'))
    assert [entry.name for entry in model.inputs] == ["data", "label"]
    assert model.outputs == ("score",)


def test_accuracy_leaves_a_score_that_nothing_computes_with() -> None:
    accuracy = 'layer { name: "acc" type: "Accuracy" bottom: "score" bottom: "label" top: "acc" }\n'
    text = DATA_LAYER + layer("ReLU", name="r", top="score") + accuracy
    assert read(text).outputs == ("score",)
    softmax = layer("Softmax", name="prob", bottom="score", top="prob")
    assert read(text + softmax).outputs == ("prob",)


def test_silence_hides() -> None:
    text = DATA + layer("ReLU", name="r", top="r") + layer("TanH", name="t", top="t")
    text += 'layer { name: "s" type: "Silence" bottom: "t" }'
    model = read(text)
    assert model.outputs == ("r",)
    assert [entry.name for entry in model.layers] == ["r", "t"]


def test_what_is_recorded_to_a_file_is_an_output() -> None:
    text = DATA + layer("ReLU", name="r", top="r")
    assert read(text + 'layer { name: "w" type: "HDF5Output" bottom: "r" }').outputs == ("r",)


def test_what_only_losses_feed_goes_with_them() -> None:
    text = DATA_LAYER + layer("ReLU", name="r", top="score") + LOSS
    model = read(text + layer("Power", name="weighted", bottom="loss", top="weighted"))
    assert [entry.name for entry in model.layers] == ["r"]


def test_a_loss_that_a_layer_computes_with_stays_unknown() -> None:
    text = DATA_LAYER + layer("ReLU", name="r", top="score") + LOSS
    model = read(text + layer("Concat", 'bottom: "data"', name="c", bottom="loss", top="c"))
    assert [entry.name for entry in model.layers] == ["r", "loss", "c"]
    assert [kind for kind, _, _ in notices(model)] == ["unknown-layer-type"]


def test_a_notice_of_a_layer_that_no_output_needs_is_harmless() -> None:
    text = DATA + layer("InnerProduct", "inner_product_param { num_output: 3 }", top="score") + LOSS
    model = read(text)
    assert [(notice.kind, notice.harmless) for notice in model.notices] == [("dangling-name", True)]
    model = read(DATA + layer("Eltwise", 'bottom: "label"', name="e", top="e"))
    assert [(notice.kind, notice.harmless) for notice in model.notices] == [
        ("dangling-name", False)
    ]


def test_a_repeated_layer_name_is_harmless_for_caffe_goes_on_too() -> None:
    model = read(DATA + layer("ReLU", name="a", top="x") + layer("TanH", name="a", top="y"))
    assert [(notice.kind, notice.harmless) for notice in model.notices] == [
        ("repeated-layer-name", True)
    ]


def test_a_symmetric_loss_may_have_its_label_first() -> None:
    text = DATA_LAYER + layer("Power", name="p", top="score")
    loss = 'layer { name: "l" type: "EuclideanLoss" bottom: "label" bottom: "score" top: "l" }\n'
    model = read(text + loss)
    assert model.outputs == ("score",)
    assert [entry.name for entry in model.inputs] == ["data"]


def test_a_top_without_a_name_is_noticed() -> None:
    model = read(DATA + layer("ReLU", name="a", top=""))
    assert str(model.notices[0].error).endswith("layer 'a': a top has no name (give it one)")
