"""Findings that would be false or noise: what must stay silent, beside what must not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import shared_file
from upconv.converters.ir.origin import Source
from upconv.converters.ir.quiet import quietly
from upconv.converters.readers.options import ReadOptions
from upconv.linter.finding import FileReport, Finding
from upconv.linter.running.engine import CheckOptions, check_path, check_source

DATA = 'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ {} }} }} }}\n'


def data(*sizes: int) -> str:
    return DATA.format(" ".join(f"dim: {size}" for size in sizes))


def layer(kind: str, name: str, bottoms: str, params: str = "", tops: str = "") -> str:
    words = [f'bottom: "{one}"' for one in bottoms.split()]
    words += [f'top: "{one}"' for one in (tops or name).split()]
    return f'layer {{ name: "{name}" type: "{kind}" {" ".join(words)} {params} }}\n'


def check(text: str, name: str = "net.prototxt") -> FileReport:
    return check_source(Source(name, text))


def found(text: str, *codes: str, name: str = "net.prototxt") -> list[Finding]:
    return [f for f in check(text, name).findings if f.code in codes]


SILENT = {
    "up004_weightless_duplicates.prototxt": ("UP004",),
    "up103_unknown_field_concat.prototxt": ("UP103",),
    "up106_seg45.pt2": ("UP106", "UP116"),
    "up106_unpool_3_2.prototxt": ("UP106", "UP116"),
    "up106_unpool_one_odd.pt2": ("UP106", "UP116"),
    "up108_nearest_idiom.prototxt": ("UP108", "UP111", "UP212", "UP213"),
    "up110_kernel_3x1.prototxt": ("UP110",),
    "up112_fixed_interp.prototxt": ("UP112",),
    "up114_label_interp.prototxt": ("UP114",),
    "up331_keras3.py": ("UP331",),
    "up333_nearest_integer.py": ("UP333",),
}


@pytest.mark.parametrize("name", SILENT)
def test_cases_that_were_false_are_silent(name: str) -> None:
    codes = [finding.code for finding in check_path(shared_file(f"cases/false/{name}")).findings]
    assert not set(codes) & set(SILENT[name])


def test_strides_of_segnet_do_not_differ_and_masks_are_not_cropped() -> None:
    report = check_path(shared_file("cases/false/up103_segnet_strides.prototxt"))
    told = [(f.message, f.help) for f in report.findings if f.code == "UP103"]
    assert len(told) == 2
    assert all("strides differ" not in message for message, _ in told)
    assert all("crop '" not in help_text and "Crop" not in help_text for _, help_text in told)
    assert told[0][0].endswith("'upsample3' lost 2 pixels")
    assert "make 'upsample3' 119x160" in told[0][1]


# UP110: one axis padded


@pytest.mark.parametrize("kind", ["Convolution", "Deconvolution"])
@pytest.mark.parametrize(
    ("given", "kernel", "fires"),
    [
        ("pad_h", "kernel_h: 3 kernel_w: 1", False),
        ("pad_w", "kernel_h: 1 kernel_w: 5", False),
        ("pad_w", "kernel_h: 3 kernel_w: 1", True),
        ("pad_h", "kernel_size: 3", True),
        ("pad_h", "kernel_h: 3 kernel_w: 2", True),
    ],
)
def test_a_pad_of_one_axis_needs_a_kernel_of_one_pixel_along_the_other(
    kind: str, given: str, kernel: str, fires: bool
) -> None:
    params = f"convolution_param {{ num_output: 4 {given}: 1 {kernel} }}"
    text = data(1, 4, 16, 12) + layer(kind, "c", "data", params)
    assert bool(found(text, "UP110")) is fires


# UP004: names that are given twice

CONV = "convolution_param { num_output: 4 kernel_size: 1 }"


@pytest.mark.parametrize(
    ("first", "second", "fires"),
    [
        (("ReLU", ""), ("Pooling", "pooling_param { kernel_size: 2 stride: 2 }"), False),
        (("Convolution", CONV), ("ReLU", ""), True),  # CopyTrainedLayersFrom counts blobs
        (("Convolution", CONV), ("Convolution", CONV), True),
        (("Convolution", CONV), ("OwnLayer", ""), True),
        (("BatchNorm", ""), ("Scale", ""), True),
    ],
)
def test_only_layers_with_weights_need_names_of_their_own(
    first: tuple[str, str], second: tuple[str, str], fires: bool
) -> None:
    text = data(1, 4, 16, 12)
    text += layer(first[0], "same", "data", first[1], "a")
    text += layer(second[0], "same", "a", second[1], "b")
    assert bool(found(text, "UP004")) is fires


# UP108 and its like: nearest upsampling in Caffe's words

ONES = (
    "param {{ lr_mult: 0 }} convolution_param {{ num_output: 3 group: 3 bias_term: false "
    'kernel_size: 1 stride: {} weight_filler {{ type: "constant" value: {} }} }}'
)
HOLES = ("UP108", "UP212", "UP213", "UP111")


def idiom(factor: int, pool: str, start: str = "ReLU", value: int = 1, end: str = "") -> str:
    text = data(2, 3, 13, 7) + layer(start, "r", "data")
    text += layer("Deconvolution", "up", "r", ONES.format(factor, value))
    text += layer("Pooling", "fill", "up", f"pooling_param {{ pool: {pool} }}")
    return text + (layer(end, "end", "fill") if end else "")


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("start", ["ReLU", "Sigmoid"])
def test_zeros_that_a_maximum_fills_are_nearest_upsampling(factor: int, start: str) -> None:
    windows = f"MAX kernel_size: {factor} stride: 1 pad: {factor - 1}"
    assert found(idiom(factor, windows, start), *HOLES) == []


def test_what_is_cut_off_behind_the_maximum_is_nearest_upsampling_too() -> None:
    assert found(idiom(2, "MAX kernel_size: 2 stride: 1 pad: 1", "TanH", end="ReLU"), *HOLES) == []


@pytest.mark.parametrize(
    ("pool", "start", "value"),
    [
        ("MAX kernel_size: 2 stride: 1 pad: 1", "TanH", 1),  # negative values become 0
        ("AVE kernel_size: 2 stride: 1 pad: 1", "ReLU", 1),
        ("MAX kernel_size: 2 stride: 2", "ReLU", 1),
        ("MAX kernel_size: 3 stride: 1 pad: 1", "ReLU", 1),  # the maximum of two neighbours
        ("MAX kernel_size: 2 stride: 1 pad: 1", "ReLU", 2),
    ],
)
def test_what_does_not_repeat_pixels_is_reported(pool: str, start: str, value: int) -> None:
    assert "UP108" in [f.code for f in found(idiom(2, pool, start, value), *HOLES)]


# UP106: unpooling lies where its pooling took


@pytest.mark.parametrize("size", [(32, 32), (33, 32), (45, 31)])
@pytest.mark.parametrize(
    "window",
    [
        "kernel_size: 2 stride: 2",
        "kernel_size: 3 stride: 2",
        "kernel_size: 3 stride: 3",
        "kernel_size: 3 stride: 2 pad: 1",
    ],
)
def test_unpooling_is_where_its_pooling_was(size: tuple[int, int], window: str) -> None:
    written = f"upsample_param {{ scale: 2 upsample_h: {size[0]} upsample_w: {size[1]} }}"
    text = data(1, 4, *size)
    text += layer("Pooling", "p", "data", f"pooling_param {{ pool: MAX {window} }}", "p mask")
    text += layer("Upsample", "up", "p mask", written)
    text += layer("Eltwise", "sum", "up data")
    assert found(text, "UP106", "UP116") == []


def test_unpooling_of_shifted_values_is_still_shifted() -> None:
    params = "convolution_param { num_output: 4 kernel_size: 5 }"
    text = data(1, 4, 36, 36) + layer("Convolution", "c", "data", params)
    window = "pooling_param { pool: MAX kernel_size: 2 stride: 2 }"
    text += layer("Pooling", "p", "c", window, "p mask")
    text += layer("Upsample", "up", "p mask", "upsample_param { scale: 2 }")
    text += layer("Pooling", "small", "data", "pooling_param { kernel_size: 5 stride: 1 }")
    text += layer("Crop", "cut", "data c", "crop_param { axis: 2 offset: 0 }")
    assert found(text, "UP105")[0].message.endswith("so it must be 2")


# UP112: sizes that are written in


@pytest.mark.parametrize("merge", ["Concat", "Eltwise"])
def test_a_written_size_has_no_rule_of_rests(merge: str) -> None:
    conv = "convolution_param { num_output: 4 kernel_size: 3 pad: 1 stride: 8 }"
    text = 'input: "data" input_shape { dim: 1 dim: 4 dim: 513 dim: 513 }\n'
    text += layer("Convolution", "c", "data", conv)
    text += layer("Interp", "up", "c", "interp_param { height: 65 width: 65 }")
    assert found(text + layer(merge, "m", "c up"), "UP112") == []


def test_a_factor_has() -> None:
    conv = "convolution_param { num_output: 4 kernel_size: 3 pad: 1 stride: 2 }"
    up = "convolution_param { num_output: 4 kernel_size: 4 pad: 1 stride: 2 }"
    text = data(1, 4, 33, 33) + layer("Convolution", "c", "data", conv)
    text += layer("Deconvolution", "up", "c", up) + layer("Eltwise", "m", "data up")
    assert found(text, "UP112")


# UP114: a label is one number an image


@pytest.mark.parametrize("sizes", [(4,), (4, 1)])
def test_a_label_may_be_resized(sizes: tuple[int, ...]) -> None:
    text = data(*sizes) + layer("Interp", "s", "data", "interp_param { height: 9 width: 9 }")
    assert found(text, "UP114") == []
    pooled = data(*sizes) + layer("Pooling", "s", "data", "pooling_param { kernel_size: 2 }")
    assert found(pooled, "UP114")


# Repetitions are one finding with their count


def test_a_type_that_is_not_known_is_one_finding_and_its_fields_are_none() -> None:
    own = "own_param { depth: 3 odd: true } odd: 1"
    text = data(1, 4, 8, 8) + "".join(layer("OwnLayer", f"o{n}", "data", own) for n in range(5))
    (finding,) = found(text, "UP002", "UP003")
    assert finding.code == "UP003"
    assert finding.message.endswith("(and 4 more, first at line 3)")
    assert (finding.layer, finding.place.line if finding.place else None) == ("o0", 2)


def test_a_field_that_is_not_known_is_one_finding_a_name() -> None:
    text = data(1, 4, 8, 8)
    for n in range(4):
        odd = "odd: 1" if n % 2 else "other: 1"
        params = f"convolution_param {{ num_output: 4 kernel_size: 1 {odd} }}"
        text += layer("Convolution", f"c{n}", "data", params)
    messages = [f.message for f in found(text, "UP002")]
    assert [message.split("(and ")[1] for message in messages] == [
        "1 more, first at line 4)",
        "1 more, first at line 5)",
    ]


def test_a_python_layer_is_one_finding() -> None:
    python = 'python_param { module: "m" layer: "L" }'
    text = data(1, 4, 8, 8) + "".join(layer("Python", f"p{n}", "data", python) for n in range(3))
    (finding,) = found(text, "UP003", "UP008")
    assert finding.code == "UP008"
    assert finding.message.endswith("(and 2 more, first at line 3)")


def interps(*skipped: int) -> str:
    text = data(1, 4, 8, 8)
    for n in range(4):
        text += "# upconv: ignore[UP301] ours\n" if n in skipped else "# a comment\n"
        text += layer("Interp", f"i{n}", "data", "interp_param { zoom_factor: 2 }")
    return text


def test_a_comment_silences_its_own_layer_of_a_fold() -> None:
    whole, without = found(interps(), "UP301"), found(interps(1), "UP301")
    assert whole[0].message.endswith("(and 3 more, first at line 5)")
    assert without[0].message.endswith("(and 2 more, first at line 7)")
    assert whole[0].fingerprint == without[0].fingerprint
    first = found(interps(0), "UP301")
    assert [f.layer for f in first] == ["i1"]


def test_the_fixes_of_a_fold_are_made_together() -> None:
    lines = [f"b{n} = F.interpolate(x, scale_factor=2, mode='bilinear')" for n in range(3)]
    text = "\n".join(["import torch.nn.functional as F", *lines, ""])
    (finding,) = found(text, "UP321", name="a.py")
    assert finding.message.endswith("(and 2 more, first at line 3)")
    assert finding.fix is not None
    assert len(finding.fix.edits) == 3


def test_calls_that_are_not_read_are_counted() -> None:
    lines = [f"u{n} = nn.ConvTranspose2d(a, b, k, s)" for n in range(7)]
    text = "\n".join(["import torch.nn as nn", "def f(a, b, k, s):", *(f"  {x}" for x in lines)])
    (finding,) = found(text, "UP320", name="a.py")
    assert finding.message.startswith("7 of 7 upsampling calls could not be read")
    assert finding.message.endswith("and 6 more")


# UP208: zeros for ever, where that is sure

DEAD = data(1, 4, 8, 8)
for name in ("up0", "up1"):
    params = "num_output: 4 bias_term: false kernel_size: 4 stride: 2"
    params = f"param {{ lr_mult: 0 }} convolution_param {{ {params} }}"
    DEAD += layer("Deconvolution", name, "data", params)
SOLVER = 'net: "models/net.prototxt"\nbase_lr: 0.1\n'


def dead(folder: Path, **files: str) -> Finding:
    (folder / "net.prototxt").write_text(DEAD, "utf-8")
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text, "utf-8")
    report = check_path(folder / "net.prototxt")
    (finding,) = (f for f in report.findings if f.code == "UP208")
    assert "(and 1 more, first at line 3)" in finding.message
    return finding


def test_zeros_are_an_info_where_weights_may_come_from_elsewhere(tmp_path: Path) -> None:
    assert dead(tmp_path).severity == "info"
    assert dead(tmp_path, solver_prototxt=SOLVER).severity == "info"


@pytest.mark.parametrize(
    ("code", "severity"),
    [
        ("solver = caffe.SGDSolver('solver.prototxt')\nsolver.step(9)\n", "error"),
        ("solver = caffe.get_solver('solver.prototxt')\nsolver.solve()\n", "error"),
        ("solver = caffe.SGDSolver('s')\nsurgery.interp(solver.net, layers)\n", "info"),
        ("solver = caffe.SGDSolver('s')\nsolver.net.copy_from(weights)\n", "info"),
        ("solver = caffe.SGDSolver('s')\nsolver.net.params['up'][0].data[...] = w\n", "info"),
        ("print('nothing to do with it')\n", "info"),
    ],
)
def test_a_solver_whose_code_sets_no_weights_makes_them_an_error(
    tmp_path: Path, code: str, severity: str
) -> None:
    finding = dead(tmp_path, solver_prototxt=SOLVER, solve_py=code)
    assert finding.severity == severity
    other = 'net: "other.prototxt"\n'
    assert dead(tmp_path, solver_prototxt=other, solve_py=code).severity == "info"


def test_weights_that_lack_the_layer_make_them_an_error(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(DEAD, "utf-8")
    (tmp_path / "w.caffemodel").write_bytes(b"\x0a\x03net\xa2\x06\x03\x0a\x01x")
    read = ReadOptions(weights=str(tmp_path / "w.caffemodel"))
    report = check_path(tmp_path / "net.prototxt", CheckOptions(read))
    assert [f.severity for f in report.findings if f.code == "UP208"] == ["error"]


# UP331 and UP333


@pytest.mark.parametrize(
    ("head", "fires"),
    [
        ("import keras", False),
        ("from keras import layers, ops", False),
        ("from tensorflow import keras", True),
        ("import tensorflow as tf\nkeras = tf.keras", True),
        ("import keras\nfrom keras.layers.merge import concatenate", True),
        ("import keras\nimport tensorflow as tf\ns = tf.Session()", True),
        ("import os\nos.environ['KERAS_BACKEND'] = 'jax'\nfrom tensorflow import keras", False),
    ],
)
def test_keras_3_aligns_edges_whatever_ran_before(head: str, fires: bool) -> None:
    text = f"{head}\nx = keras.layers.UpSampling2D(2, interpolation='bilinear')\n"
    if head.startswith("from keras import layers"):
        text = f"{head}\nx = layers.UpSampling2D(2, interpolation='bilinear')\n"
    assert bool(found(text, "UP331", name="a.py")) is fires


@pytest.mark.parametrize(
    ("call", "fires"),
    [
        ("resize_nearest_neighbor(x, [192, 256])", False),
        ("resize_images(x, [h, w], method=tf.image.ResizeMethod.NEAREST_NEIGHBOR)", False),
        ("resize_images(x, [h, w], method=tf.image.ResizeMethod.AREA)", False),
        ("resize_images(x, [h, w], method=3)", False),
        ("resize_images(x, [h, w], method=m)", False),
        ("resize_images(x, [h, w], method=tf.image.ResizeMethod.BILINEAR)", True),
        ("resize_images(x, [h, w], method=tf.image.ResizeMethod.BICUBIC)", True),
        ("resize_images(x, [h, w], 2)", True),
        ("resize_images(x, [h, w])", True),
        ("resize_bilinear(x, [64, 64])", True),
        ("resize_bilinear(x, [64, 64], align_corners=True)", False),
    ],
)
@pytest.mark.parametrize("module", ["tensorflow", "tensorflow.compat.v1"])
def test_only_what_interpolates_is_shifted(call: str, fires: bool, module: str) -> None:
    text = f"import {module} as tf\ndef up(x, h, w, m):\n    return tf.image.{call}\n"
    assert bool(found(text, "UP333", name="a.py")) is fires


# Files that are not to be judged


@pytest.mark.parametrize("value", ["0", "${NUM_LABELS}", "$N", "{{ classes }}", "%(n)d", "@N@"])
def test_templates_are_skipped_for_that_reason(tmp_path: Path, value: str) -> None:
    params = f"convolution_param {{ num_output: {value} kernel_size: 1 }}"
    text = data(1, 3, 8, 8) + layer("Convolution", "c", "data", params)
    (tmp_path / "net.prototxt").write_text(text, "utf-8")
    for named in (True, False):
        report = check_path(tmp_path / "net.prototxt", named=named)
        assert (report.status, report.findings) == ("skipped", ())
        assert report.reason.startswith("a template: in line 2 ")


@pytest.mark.parametrize(
    "code",
    [
        "print 'hello'",
        "try:\n    pass\nexcept ValueError, error:\n    pass",
        "raise ValueError, 'x'",
        "exec 'x = 1'",
        "if x:\n\ty = 1\n        z = 2",
    ],
)
def test_python_2_is_skipped_for_that_reason(tmp_path: Path, code: str) -> None:
    (tmp_path / "a.py").write_text(f"import torch.nn as nn\nnn.ConvTranspose2d(1, 1, 2)\n{code}\n")
    report = check_path(tmp_path / "a.py", named=False)
    assert (report.status, report.findings) == ("skipped", ())
    assert "Python 2" in report.reason


def test_broken_python_3_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import torch.nn as nn\nnn.ConvTranspose2d(1, 1\nprint(1)\n")
    assert check_path(tmp_path / "a.py", named=False).status == "unreadable"


def test_a_layer_of_several_operators_counts_once() -> None:
    text = data(1, 4, 16, 16)
    text += layer("Pooling", "p", "data", "pooling_param { kernel_size: 2 stride: 2 }")
    text += layer("MergeCrop", "m", "data p") + layer("MergeCrop", "n", "data p")
    (finding,) = found(text, "UP311")
    assert finding.message.endswith("(and 1 more, first at line 4)")


@pytest.mark.parametrize("size", [(45, 37), (44, 36)])
def test_padding_that_follows_the_input_has_no_rule_of_rests(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, follows: bool) -> None:
            super().__init__()
            self.follows = follows
            self.down = torch.nn.Conv2d(3, 8, 3, 2, 1)
            self.up = torch.nn.ConvTranspose2d(8, 3, 2, 2)

        def forward(self, x):  # type: ignore[no-untyped-def]
            up = self.up(self.down(x))
            if self.follows:
                high, wide = (x.shape[axis] - up.shape[axis] for axis in (-2, -1))
                up = torch.nn.functional.pad(up, (0, wide, 0, high))
            return x + up

    codes = {}
    for follows in (True, False):
        if not follows and any(one % 2 for one in size):
            continue  # it does not run
        with quietly():  # tracing is deprecated, and files of it are there
            traced = torch.jit.trace(Net(follows).eval(), torch.zeros(2, 3, *size))
            traced.save(tmp_path / f"{follows}.pt")
        report = check_path(tmp_path / f"{follows}.pt")
        codes[follows] = [finding.code for finding in report.findings]
    assert "UP112" not in codes[True]
    assert "UP112" in codes.get(False, ["UP112"])


# What nothing in the file is to be mended for


@pytest.mark.parametrize(
    ("bottoms", "more", "severity"),
    [("", "", "info"), ("data", "loss_weight: 1", "info"), ("data", "", "warning")],
)
def test_python_beside_the_net_is_a_remark(bottoms: str, more: str, severity: str) -> None:
    python = f'python_param {{ module: "m" layer: "L" }} {more}'
    (finding,) = found(data(1, 4, 8, 8) + layer("Python", "p", bottoms, python), "UP008")
    assert finding.severity == severity
    assert ("nothing behind it" in finding.message) is (severity == "warning")


@pytest.mark.parametrize(
    ("kind", "severity"), [("DenseCRF", "info"), ("ROIPooling", "info"), ("Cnovolution", "warning")]
)
def test_a_known_fork_s_layer_is_one_remark(kind: str, severity: str) -> None:
    (finding,) = found(data(1, 4, 8, 8) + layer(kind, "l", "data"), "UP003", "UP311")
    assert (finding.code, finding.severity) == ("UP003", severity)


def test_losses_may_share_a_name() -> None:
    text = data(1, 4, 8, 8) + data(1, 4, 8, 8).replace('"data"', '"label"')
    for kind, top in (("SigmoidCrossEntropyLoss", "a"), ("EuclideanLoss", "b")):
        text += layer(kind, "loss", "data label", tops=top)
    assert found(text, "UP004") == []


@pytest.mark.parametrize("up", [False, True])
def test_rounding_of_a_net_that_makes_one_answer_is_no_matter(up: bool) -> None:
    text = data(1, 4, 15, 15)
    text += layer("Pooling", "p", "data", "pooling_param { kernel_size: 2 stride: 2 }")
    text += layer(
        "Pooling", "a", "p", "pooling_param { pool: AVE kernel_size: 3 stride: 1 pad: 1 }"
    )
    text += layer("LRN", "n", "a", "lrn_param { local_size: 5 norm_region: WITHIN_CHANNEL }")
    text += layer("InnerProduct", "fc", "n", "inner_product_param { num_output: 2 }")
    if up:
        params = "convolution_param { num_output: 4 kernel_size: 2 stride: 2 }"
        text += layer("Deconvolution", "up", "n", params)
    codes = ["UP308", "UP309", "UP310"] if up else []
    assert [f.code for f in found(text, "UP308", "UP309", "UP310")] == codes


@pytest.mark.parametrize(
    ("rate", "loss", "severity"), [(1, False, "warning"), (1, True, "error"), (0, False, "error")]
)
def test_what_was_trained_elsewhere_is_no_error(rate: int, loss: bool, severity: str) -> None:
    params = 'num_output: 4 kernel_size: 4 stride: 2 weight_filler { type: "bilinear" }'
    params = f"param {{ lr_mult: {rate} }} convolution_param {{ {params} }}"
    text = data(1, 4, 8, 8) + layer("Deconvolution", "up", "data", params)
    text += layer("SoftmaxWithLoss", "loss", "up data") if loss else ""
    (finding,) = found(text, "UP203")
    assert finding.severity == severity


FCN = "import torch.nn as nn\nup = nn.ConvTranspose2d(8, 8, {}, {})\n"


@pytest.mark.parametrize(
    ("kernel", "stride", "crops", "fires"),
    [
        (4, 2, "", True),
        (4, 2, "y = up(x)[:, :, 5:37, 5:37]", False),
        (64, 32, "y = center_crop(up(x))", False),
        (63, 32, "y = crop(up(x))", False),
        (3, 2, "y = center_crop(up(x))", False),
        (1, 2, "y = crop(up(x))", True),  # 2*in-1: nothing there to cut off
    ],
)
def test_code_that_crops_may_make_more(kernel: int, stride: int, crops: str, fires: bool) -> None:
    text = FCN.format(kernel, stride) + crops + "\n"
    assert bool(found(text, "UP111", name="a.py")) is fires


def test_a_notebook_of_python_2_is_skipped(tmp_path: Path) -> None:
    cell = {
        "cell_type": "code",
        "source": ["import torch.nn as nn\nprint nn.ConvTranspose2d(1, 1, 2)"],
    }
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": [cell], "nbformat": 4}))
    report = check_path(tmp_path / "a.ipynb", named=False)
    assert (report.status, report.findings) == ("skipped", ())


def test_octal_numbers_of_python_2_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import torch.nn as nn\nnn.ConvTranspose2d(1, 1, 2)\nx = 07\n")
    assert check_path(tmp_path / "a.py", named=False).status == "skipped"


def pyramid(kernel: int) -> str:
    """A map of 24 pixels, pooled over `kernel` and brought back with aligned corners."""
    text = data(1, 4, 24, 24)
    window = f"pooling_param {{ pool: AVE kernel_size: {kernel} stride: {kernel} }}"
    text += layer("Pooling", "p", "data", window)
    text += layer("Interp", "up", "p", "interp_param { height: 24 width: 24 }")
    return text + layer("Concat", "cat", "data up")


@pytest.mark.parametrize(("kernel", "fires"), [(2, True), (3, True), (6, False), (12, False)])
def test_pooled_context_has_another_scale_by_design(kernel: int, fires: bool) -> None:
    assert bool(found(pyramid(kernel), "UP106")) is fires
