from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fixtures.make_caffemodel import write_caffemodel
from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.ir.origin import Source
from upconv.converters.readers.formats import (
    FORMATS,
    companions,
    identify,
    is_candidate,
    open_model,
    open_text,
)
from upconv.converters.readers.options import ReadOptions

NET = 'input: "data" layer { name: "r" type: "ReLU" bottom: "data" top: "r" }\n'
ONNX_TEXT = "ir_version: 8\ngraph {\n  node { op_type: 'Relu' }\n}\n"
GRAPH_TEXT = 'node {\n  name: "x"\n  op: "Placeholder"\n}\n'

FILES = [
    ("net.prototxt", NET.encode(), "Caffe"),
    ("NET.PROTOTXT", b"# a comment\r\n" + NET.encode(), "Caffe"),
    ("net.pt", NET.encode(), "Caffe"),
    ("latin.prototxt", b"# caf\xe9\n" + NET.encode(), "Caffe"),
    ("wide.prototxt", NET.encode("utf-16"), "Caffe"),
    ("model.prototxt", ONNX_TEXT.encode(), "ONNX"),
    ("graph.pbtxt", GRAPH_TEXT.encode(), "TensorFlow"),
    ("model.onnx", b"\x08\x08\x12\x07pytorch", "ONNX"),
    ("model.bin", b"\x08\x08\x12\x07pytorch", "ONNX"),
    ("graph.pb", b"\n\x0f\n\x01x\x12\x0bPlaceholder", "TensorFlow"),
    ("weights.h5", b"\x89HDF\r\n\x1a\n\0\0\0", "Keras"),
    ("arch.json", b'{"class_name": "Functional", "config": {}}', "Keras"),
    ("old.pth", b"\x80\x02\x8a\nl", "PyTorch"),
    ("m.tflite", b"\x1c\0\0\0TFL3\0", "TensorFlow Lite"),
    ("net.caffemodel", b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
]


@pytest.mark.parametrize(("name", "data", "expected"), FILES)
def test_identify(tmp_path: Path, name: str, data: bytes, expected: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert identify(str(path)) == expected


@pytest.mark.parametrize(
    ("member", "expected"), [("archive/data.pkl", "PyTorch"), ("metadata.json", "Keras")]
)
def test_archives_are_told_by_their_members(tmp_path: Path, member: str, expected: str) -> None:
    path = tmp_path / "model.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, "{}")
    assert identify(str(path)) == expected


def test_a_saved_model_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="a folder, but no model"):
        identify(str(tmp_path))
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01")
    assert identify(str(tmp_path)) == "TensorFlow"


@pytest.mark.parametrize("data", [b"\xff\xfe\x01\x02\x03binary\0", b"GIF89a\x01\0\x01\0"])
def test_what_is_no_model(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "thing.bin"
    path.write_bytes(data)
    with pytest.raises(UnreadableError, match="no model format that is known"):
        identify(str(path))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="no such file"):
        open_model(str(tmp_path / "gone.prototxt"), ReadOptions())


def test_a_caffemodel_alone_asks_for_its_prototxt(tmp_path: Path) -> None:
    path = tmp_path / "w.bin"
    write_caffemodel(path, "net", [("conv1", "Convolution", [((2,), [b"\0" * 8])])])
    assert identify(str(path)) == "Caffe weights"
    with pytest.raises(UnsupportedError) as caught:
        open_model(str(path), ReadOptions())
    assert f"--weights {path}" in caught.value.hint


def test_opening_a_net(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(NET)
    assert open_model(str(path), ReadOptions()).outputs == ("r",)
    assert open_text(Source("<stdin>", NET), ReadOptions()).outputs == ("r",)


def test_names_are_unique() -> None:
    names = [entry.name for entry in FORMATS]
    assert len(names) == len(set(names))


def test_reading_text_imports_nothing_heavy(tmp_path: Path, root: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(NET)
    code = (
        "import sys; from upconv.converters.readers.formats import open_model;"
        "from upconv.converters.readers.options import ReadOptions;"
        f"open_model({str(path)!r}, ReadOptions());"
        "heavy = {'numpy', 'onnx', 'onnxruntime', 'h5py', 'google.protobuf'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_table_imports_rows_and_no_reader(root: Path) -> None:
    code = (
        "import sys; import upconv.converters.readers.formats;"
        "print(sorted(m for m in sys.modules if m.startswith('upconv.converters.readers.')"
        " and m.rpartition('.')[2] not in"
        " ('formats', 'row', 'unread', 'paths', 'sniffing', 'opening', 'beside')"
        " and not hasattr(sys.modules[m], '__path__')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("name", "text", "framework"),
    [
        ("-", NET, "caffe"),
        ("-", GRAPH_TEXT + 'node { name: "r" op: "Relu" input: "x" }', "tensorflow"),
        ("-", "import torch.nn as nn\nup = nn.Upsample(scale_factor=2)\n", "python"),
        ("code.py", "up = 1\n", "python"),
        ("-", '{"class_name": "Sequential", "config": {"name": "s", "layers": []}}', "keras"),
    ],
)
def test_a_text_from_a_pipe_is_told_by_what_it_holds(name: str, text: str, framework: str) -> None:
    try:
        assert open_text(Source(name, text), ReadOptions()).framework == framework
    except UnreadableError as error:
        assert framework == "keras", error
        assert "Caffe" not in str(error), "the right reader refuses it"


def test_a_search_takes_texts_unseen_and_looks_into_the_rest(tmp_path: Path) -> None:
    files = {
        "net.prototxt": b"anything",
        "net.txt": NET.encode(),
        "thing.onnx": b"\x08\x08",
        "other.pb": b"GIF89a\x01",
        "graph.pb": b"\n\x12\n\x01x\x12\x0bPlaceholder*\0",
        "up.py": b"import torch\ntorch.nn.Upsample(scale_factor=2)\n",
        "UP.PY": b"import torch\ntorch.nn.Upsample(scale_factor=2)\n",
        "down.py": b"import torch\n",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    taken = {name for name in files if is_candidate(str(tmp_path / name))}
    assert taken == {"net.prototxt", "thing.onnx", "graph.pb", "up.py", "UP.PY"}
    assert identify(str(tmp_path / "UP.PY")) == "Python source"


def test_companions_are_the_parts_of_what_is_named(tmp_path: Path) -> None:
    variables = tmp_path / "sm" / "variables"
    variables.mkdir(parents=True)
    parts = [variables / f"variables.{end}" for end in ("index", "data-00000-of-00001")]
    for file in (tmp_path / "sm" / "saved_model.pb", *parts):
        file.write_bytes(b"")
    expected = {str(part) for part in parts}
    assert set(companions(str(tmp_path / "sm" / "saved_model.pb"))) == expected
    whole = {str(tmp_path / "sm" / "saved_model.pb"), *expected}
    assert set(companions(str(tmp_path / "sm"))) == whole
    for part in (variables / "variables", *parts):
        assert expected <= {str(part), *companions(str(part))}
    assert not [one for one in companions(str(tmp_path / "net.prototxt")) if Path(one).exists()]
