"""What a newcomer types wrong: one line, which names the file, what it is, and the next step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fixtures.make_caffemodel import write_caffemodel
from tests.service.test_check import Folder, folder
from tests.support import ROOT

__all__ = ["folder"]

NET = """\
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 2 dim: 5 dim: 7 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 3 kernel_size: 3 pad: 1 } }
"""
PAGE = (
    "<!DOCTYPE html>\n<html><head><title>net.prototxt</title></head><body>layer {</body></html>\n"
)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
CONVERT = "convert net.prototxt -o out.onnx --no-verify --weights "
EXPORT = 'torch.export.save(torch.export.export(net.eval(), (example,)), "net.pt2")'


@pytest.fixture
def made(folder: Folder) -> Folder:
    """A net with its weights, and all that people take for one or the other."""
    folder.put("net.prototxt", NET)
    folder.put("page.prototxt", PAGE)
    folder.put("code.py", "import torch\nup = torch.nn.Upsample(scale_factor=2, mode='nearest')\n")
    folder.put("nets/a.prototxt", NET)
    folder.put("empty.onnx", "")
    keras = (ROOT / "fixtures" / "rules" / "UP350" / "bad.json").read_text("utf-8")
    folder.put("m.json", keras)
    (folder.path / "picture.caffemodel").write_bytes(PNG)
    weights = folder.path / "net.caffemodel"
    blobs = [(s, np.ones(s, np.float32)) for s in ((3, 2, 3, 3), (3,))]
    write_caffemodel(weights, "net", [("conv", "Convolution", blobs)])
    (folder.path / "cut.caffemodel").write_bytes(weights.read_bytes()[:60])
    (folder.path / "none").mkdir()
    return folder


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (CONVERT + "none", "none: cannot be opened as a caffemodel: a folder, expected a file "
                           "(name the file in it)"),
        (CONVERT + "picture.caffemodel", "picture.caffemodel: this is an image, not a binary"),
        (CONVERT + "cut.caffemodel", "(copy or download it again)"),
        (CONVERT + "page.prototxt", "page.prototxt: this is a web page, not a binary caffemodel"),
        ("convert page.prototxt -o out.onnx", "page.prototxt:1:1: no Caffe net, but a web page"),
        ("convert empty.onnx -o out.onnx", "empty.onnx: no Caffe net, but an empty file"),
        ("convert nets -o out.onnx", "out.onnx: is called like a file, and nets is a folder (give "
                                     f"a folder, as in -o onnx/, or one model, as "
                                     f"{Path('nets/a.prototxt')})"),
        ("convert none -o out.onnx", "no model was found in none (`upconv formats` lists what"),
        ("verify nets", "no ONNX file was found in nets (1 passed over: 1 Caffe) (the others are"),
        ("convert code.py -o out.onnx", f"run it and save the model that it makes: {EXPORT}"),
        ("verify net.prototxt nothere.onnx --weights net.caffemodel",
         "nothere.onnx: no such file (check the path)"),
        ("verify net.prototxt net.caffemodel --weights net.caffemodel",
         "net.caffemodel: holds no ONNX graph (the model comes first, and then"),
        ("verify net.prototxt page.prototxt --weights net.caffemodel",
         "page.prototxt: no ONNX model, or a broken one (the model comes first, and then"),
        ("convert m.json -o out.onnx --weights net.caffemodel",
         "net.caffemodel: this is no file of Keras's weights (give a .weights.h5"),
        ("convert m.json -o out.onnx --weights page.prototxt",
         "page.prototxt: this is a web page (download the file itself)"),
        (CONVERT + "net.caffemodel --input data=(1,2", "'(1' is neither a number nor a letter"),
    ],
)  # fmt: skip
def test_the_line_says_what_it_is_and_what_to_do(made: Folder, words: str, told: str) -> None:
    done = made.run(*words.split())
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert told in done.err
    assert done.err.count("\n") == 1
    assert not (made.path / "out.onnx").exists()


@pytest.mark.parametrize("name", ["nothere.npz", "nothere.npy", "nothere"])
def test_data_that_is_not_there(made: Folder, name: str) -> None:
    assert made.run(*(CONVERT + "net.caffemodel").split()).code == 0
    verify = ("verify", "net.prototxt", "out.onnx", "--weights", "net.caffemodel", "--data", name)
    done = made.run(*verify)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"error: {name}: cannot be read: no such file or folder (check the path)\n"


@pytest.mark.parametrize("shape", ["(1, 2, 5, 7)", "[1,2,H,W]", " 1x2x5x7"])
def test_shapes_as_python_prints_them(made: Folder, shape: str) -> None:
    done = made.run(*(CONVERT + "net.caffemodel").split(), "--input", f"data={shape}")
    assert (done.code, done.err) == (0, "")


def test_a_checkpoint_gets_the_lines_that_export_its_net(made: Folder) -> None:
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.Conv2d(2, 3, 3).state_dict(), made.path / "net.pth")
    done = made.run("convert", "net.pth", "-o", "out.onnx")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"(in Python, with the net that it belongs to: {EXPORT})" in done.err
