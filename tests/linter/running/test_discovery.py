from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from upconv.linter.running.discovery import discover


def tree(top: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def found(*paths: Path, top: Path) -> list[str]:
    return [entry.path.relative_to(top).as_posix() for entry in discover(paths)]


def test_folders_are_searched_in_order_and_files_taken_as_they_are(tmp_path: Path) -> None:
    tree(tmp_path, dict.fromkeys(["b/2.prototxt", "b/1.prototxt", "a.prototxt", "x.txt"], ""))
    assert found(tmp_path, top=tmp_path) == ["a.prototxt", "b/1.prototxt", "b/2.prototxt"]
    entries = list(discover([tmp_path / "x.txt", tmp_path / "b"]))
    assert [(e.path.name, e.named) for e in entries] == [
        ("x.txt", True),
        ("1.prototxt", False),
        ("2.prototxt", False),
    ]


def test_each_file_once(tmp_path: Path) -> None:
    tree(tmp_path, {"a.prototxt": ""})
    paths = (tmp_path / "a.prototxt", tmp_path, tmp_path / "." / "a.prototxt")
    assert found(*paths, top=tmp_path) == ["a.prototxt"]


def test_missing_path_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(discover([tmp_path / "none"]))


def test_gitignore_is_respected(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {
            ".git/config": "",
            ".git/a.prototxt": "",
            ".gitignore": "build/\n*.gen.prototxt\n!keep.gen.prototxt\n",
            "build/a.prototxt": "",
            "x.gen.prototxt": "",
            "keep.gen.prototxt": "",
            "sub/.gitignore": "y.prototxt\n!z.gen.prototxt\n",
            "sub/y.prototxt": "",
            "sub/z.gen.prototxt": "",
            "sub/deep/y.prototxt": "",
            "y.prototxt": "",
        },
    )
    expected = ["keep.gen.prototxt", "y.prototxt", "sub/z.gen.prototxt"]
    assert found(tmp_path, top=tmp_path) == expected
    assert found(tmp_path / "sub", top=tmp_path) == ["sub/z.gen.prototxt"]


def test_ignore_files_above_a_folder_without_repository_do_not_count(tmp_path: Path) -> None:
    tree(tmp_path, {".gitignore": "*\n", "sub/a.prototxt": ""})
    assert found(tmp_path / "sub", top=tmp_path) == ["sub/a.prototxt"]


def test_an_ignored_folder_is_searched_where_it_is_named(tmp_path: Path) -> None:
    tree(tmp_path, {".git/config": "", ".gitignore": "/out*/\n*.bak.prototxt\n"})
    names = ["out/a.prototxt", "out/b.bak.prototxt", "out/deep/c.prototxt"]
    tree(tmp_path, dict.fromkeys(names, ""))
    assert found(tmp_path, top=tmp_path) == []
    assert found(tmp_path / "out", top=tmp_path) == names
    assert found(tmp_path / "out" / "deep", top=tmp_path) == names[2:]


def test_environments_are_skipped(tmp_path: Path) -> None:
    tree(tmp_path, {"env/pyvenv.cfg": "", "env/lib/a.prototxt": "", "b.prototxt": ""})
    assert found(tmp_path, top=tmp_path) == ["b.prototxt"]


def test_named_file_is_taken_although_ignored(tmp_path: Path) -> None:
    tree(tmp_path, {".git/x": "", ".gitignore": "*\n", "a.prototxt": ""})
    assert found(tmp_path / "a.prototxt", top=tmp_path) == ["a.prototxt"]


KERAS = '{"class_name": "Sequential", "config": {"name": "n", "layers": []}}'


def test_models_of_every_framework_are_found_by_their_first_bytes(tmp_path: Path) -> None:
    binary = {
        "a.keras": b"PK\x03\x04" + b"\0" * 26 + b"metadata.json",
        "b.h5": b"\x89HDF\r\n\x1a\n",
        "c.pt2": b"PK\x03\x04" + b"\0" * 26 + b"net/models/model.json",
        "d.pth": b"\x80\x02}q\x00.",
        "e.pb": b"\n\x12\n\x01x\x12\x0bPlaceholder*\0",
        "no.h5": b"text",
        "no.pb": b"\x12\x03abc",
        "no.pth": b"PK\x03\x04" + b"\0" * 26 + b"word/document.xml",
        "no.meta": b"fileFormatVersion: 2\n",
        "no.caffemodel": b"\x0a\x03net\xa2\x06\x10",
        "no.safetensors": b"\x02\0\0\0\0\0\0\0{}",
        "requirements.txt": b"layer { }",
    }
    for name, data in binary.items():
        (tmp_path / name).write_bytes(data)
    tree(tmp_path, {"f.json": KERAS, "no.json": '{"class_name": "Car"}', "no2.json": "[1]"})
    expected = ["a.keras", "b.h5", "c.pt2", "d.pth", "e.pb", "f.json"]
    assert found(tmp_path, top=tmp_path) == expected


def test_a_saved_model_is_one_candidate(tmp_path: Path) -> None:
    tree(tmp_path, {"net/assets/a.prototxt": "", "net/variables/v.pb": "", "b.prototxt": ""})
    (tmp_path / "net/saved_model.pb").write_bytes(b"\x08\x01")
    assert found(tmp_path, top=tmp_path) == ["b.prototxt", "net"]
    (entry,) = discover([tmp_path / "net"])
    assert entry.named


def test_a_net_of_caffe_loads_no_other_reader(tmp_path: Path) -> None:
    (tmp_path / "a.prototxt").write_text('layer { name: "r" type: "ReLU" bottom: "x" top: "x" }')
    code = (
        "import sys; from upconv.linter.running.engine import check_path; "
        f"check_path({str(tmp_path / 'a.prototxt')!r}); "
        "others = ('keras', 'tensorflow', 'pytorch', 'pytorch_pickle'); "
        "print([m for m in sys.modules if m.startswith(tuple("
        "f'upconv.converters.readers.formats.{other}' for other in others))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_search_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "b.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    (tmp_path / "a.pb").write_bytes(b"\n\x12\n\x01x\x12\x0bPlaceholder*\0")
    code = (
        "import sys; from pathlib import Path; "
        "from upconv.linter.running.discovery import discover; "
        f"print(len(list(discover([Path({str(tmp_path)!r})]))), "
        "sorted({'numpy', 'h5py', 'onnx', 'google.protobuf', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "2 []\n"
