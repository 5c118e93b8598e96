from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections import Counter
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


def git(top: Path, *words: str) -> None:
    settings = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always")
    subprocess.run(["git", "-C", str(top), *settings, *words], check=True, capture_output=True)


def passed(*paths: Path) -> Counter[str]:
    kinds: Counter[str] = Counter()
    list(discover(paths, note=lambda kind: kinds.update((kind,))))
    return kinds


@pytest.mark.parametrize("version", ["2", "3", "4"])
@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_what_git_tracks_is_searched_though_it_is_ignored(
    tmp_path: Path, version: str, digest: str
) -> None:
    tracked = ["models/deep/a.prototxt", "models/b.prototxt", "é.gen.prototxt", "z.prototxt"]
    tree(tmp_path, dict.fromkeys([*tracked, "models/new.prototxt", "out/c.prototxt"], ""))
    git(tmp_path, "init", "-q", f"--object-format={digest}")
    git(tmp_path, "add", ".")
    git(tmp_path, "rm", "-q", "--cached", "models/new.prototxt", "out/c.prototxt")
    git(tmp_path, "update-index", "--index-version", version)
    if version == "3":  # an entry with further flags is what makes an index of version 3
        git(tmp_path, "add", "-N", "models/new.prototxt")
        tracked.insert(2, "models/new.prototxt")
    tree(tmp_path, {".gitignore": "models/\n*.gen.prototxt\nout/\n"})
    assert sorted(found(tmp_path, top=tmp_path)) == sorted(tracked)
    assert found(tmp_path / "models" / "deep", top=tmp_path) == tracked[:1]
    assert passed(tmp_path)["folders named by .gitignore"] == 1


def test_worktrees_and_submodules_have_indexes_of_their_own(tmp_path: Path) -> None:
    inner, outer, beside = tmp_path / "inner", tmp_path / "outer", tmp_path / "beside"
    for top in (inner, outer):
        tree(top, {"a.prototxt": "", ".gitignore": "*.prototxt\n/sub/\n"})
        git(top, "init", "-q")
        git(top, "add", "-f", ".")
        git(top, "commit", "-q", "-m", "x")
    git(outer, "submodule", "add", "-f", str(inner), "sub")
    git(outer, "worktree", "add", str(beside))
    tree(outer, {"sub/new.prototxt": ""})
    tree(beside, {"new.prototxt": ""})
    assert found(outer, top=outer) == ["a.prototxt", "sub/a.prototxt"]
    assert found(beside, top=beside) == ["a.prototxt"]


@pytest.mark.parametrize("split", [False, True])
def test_a_split_index_is_read_whole(tmp_path: Path, split: bool) -> None:
    tree(tmp_path, {"a.prototxt": "", ".gitignore": "*.prototxt\n"})
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-f", "a.prototxt")
    git(tmp_path, "update-index", "--split-index" if split else "--no-split-index")
    tree(tmp_path, {"b.prototxt": "", "c.prototxt": ""})
    git(tmp_path, "add", "-f", "b.prototxt")
    assert found(tmp_path, top=tmp_path) == ["a.prototxt", "b.prototxt"]


HOSTILE_INDEXES = {
    "empty": b"",
    "no index": b"\0" * 100,
    "more entries than bytes": b"DIRC" + (2).to_bytes(4) + b"\xff" * 4 + b"\0" * 62,
    "names that grow": b"DIRC"
    + (4).to_bytes(4)
    + (100_000).to_bytes(4)
    + b"".join(b"\0" * 62 + b"\0" + b"a" * 60 + b"\0" for _ in range(100_000)),
    "a number without end": b"DIRC" + (4).to_bytes(4) + (1).to_bytes(4) + b"\0" * 62 + b"\xff" * 99,
}


@pytest.mark.parametrize("data", HOSTILE_INDEXES.values(), ids=HOSTILE_INDEXES)
def test_an_index_that_cannot_be_understood_is_as_none(tmp_path: Path, data: bytes) -> None:
    tree(tmp_path, {".gitignore": "a.prototxt\n", "a.prototxt": "", "b.prototxt": ""})
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "index").write_bytes(data)
    assert found(tmp_path, top=tmp_path) == ["b.prototxt"]


@pytest.mark.parametrize("words", ["gitdir: ../elsewhere", "gitdir: /dev/zero", "", "x" * 9999])
def test_a_file_that_points_nowhere_is_as_no_index(tmp_path: Path, words: str) -> None:
    tree(tmp_path, {".git": words, ".gitignore": "a.prototxt\n", "a.prototxt": "", "b.py": ""})
    assert found(tmp_path, top=tmp_path) == []


def test_what_is_passed_over_is_counted(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {
            ".git/x": "",
            ".gitignore": "*.gen.prototxt\nbuild/\n",
            "a.prototxt": "",
            "b.gen.prototxt": "",
            "build/c.prototxt": "",
            "d.mlmodel": "",
            "e.MNN": "",
            "f.mnn": "",
            "g.h5": "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n",
            "h.h5": "no model",
            "i.txt": "",
        },
    )
    assert passed(tmp_path) == {
        ".mnn": 2,
        ".mlmodel": 1,
        "Git LFS pointers": 1,
        "folders named by .gitignore": 1,
        "named by .gitignore": 1,
    }


READ_AS_NOBODY = """
import os, sys
from collections import Counter
from pathlib import Path
from upconv.linter.running.discovery import discover
list(discover([Path(sys.argv[1])]))  # imports what nobody may not read
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
kinds = Counter()
print([e.path.name for e in discover([Path(sys.argv[1])], note=lambda k: kinds.update((k,)))])
print(dict(kinds))
"""


@pytest.mark.parametrize("mode", [0o000, 0o444, 0o111])
def test_a_folder_that_cannot_be_read_ends_nothing(mode: int) -> None:
    top = Path(tempfile.mkdtemp())  # pytest's own folders are the user's alone
    try:
        tree(top, {"a.prototxt": "", "shut/b.h5": "", "shut/in/c.h5": "", "z.prototxt": ""})
        top.chmod(0o755)
        (top / "shut").chmod(mode)
        command = [sys.executable, "-c", READ_AS_NOBODY, str(top)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stdout.splitlines()[:1] == ["['a.prototxt', 'z.prototxt']"], done.stderr
        assert mode == 0o444 or "folders that cannot be read" in done.stdout
    finally:
        (top / "shut").chmod(0o755)
        shutil.rmtree(top)
