from __future__ import annotations

from pathlib import Path

import pytest

from linter.discovery import discover


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


def test_environments_are_skipped(tmp_path: Path) -> None:
    tree(tmp_path, {"env/pyvenv.cfg": "", "env/lib/a.prototxt": "", "b.prototxt": ""})
    assert found(tmp_path, top=tmp_path) == ["b.prototxt"]


def test_named_file_is_taken_although_ignored(tmp_path: Path) -> None:
    tree(tmp_path, {".git/x": "", ".gitignore": "*\n", "a.prototxt": ""})
    assert found(tmp_path / "a.prototxt", top=tmp_path) == ["a.prototxt"]
