from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from tests.support import ROOT
from upconv.converters.ir.errors import UsageError
from upconv.converters.readers.caffe.dialects import known_dialects
from upconv.linter.reports import FORMATS
from upconv.linter.settings.config import closest_config, read_config
from upconv.linter.settings.config_values import KEYS, OVERRIDE_KEYS
from upconv.linter.settings.overrides import Override, Overrides

SCHEMA = json.loads((ROOT / "linter/settings/config.schema.json").read_text("utf-8"))

WHOLE = """\
select = ["UP1", "UP2"]
ignore = ["bilinear-pad"]
exclude = ["vendor/"]
fail-on = "warning"
format = "json"
jobs = 2
cache = false
cache-dir = "build/cache"
baseline = "known.json"
phase = "TRAIN"
dialect = "segnet"
keras-bilinear = "asymmetric"
keras-backend = "torch"
target = ["ncnn", "openvino-2026"]

[severity]
UP201 = "info"

[per-file-ignores]
"old/*.prototxt" = ["UP2"]

[per-layer-ignores]
"up*" = ["UP208"]

[[overrides]]
files = ["a.prototxt"]
layers = ["score"]
ignore = ["UP105"]
severity = { UP1 = "warning" }
"""


def written(folder: Path, text: str, name: str = "upconv.toml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_every_key_is_read(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, WHOLE))
    assert (config.root, config.select, config.ignore) == (tmp_path, ("UP1", "UP2"), ("UP202",))
    assert (config.fail_on, config.format, config.jobs, config.cache) == (
        "warning",
        "json",
        2,
        False,
    )
    assert (config.cache_dir, config.baseline) == ("build/cache", "known.json")
    assert (config.phase, config.dialect, config.keras_bilinear) == (
        "TRAIN",
        "segnet",
        "asymmetric",
    )
    assert config.severities == (("UP201", "info"),)
    assert config.exclude == ("vendor/",)
    assert config.target == ("ncnn", "openvino-2026")
    assert config.overrides == (
        Override("per-file-ignores.'old/*.prototxt'", tmp_path, ("old/*.prototxt",), (), ("UP2",)),
        Override("per-layer-ignores.'up*'", tmp_path, (), ("up*",), ("UP208",)),
        Override(
            "overrides[0]",
            tmp_path,
            ("a.prototxt",),
            ("score",),
            ("UP105",),
            (("UP1", "warning"),),
        ),
    )


def test_schema_and_reader_know_the_same_keys() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(tomllib.loads(WHOLE), SCHEMA)
    assert set(SCHEMA["properties"]) == set(KEYS) == set(tomllib.loads(WHOLE))
    assert set(SCHEMA["properties"]["overrides"]["items"]["properties"]) == set(OVERRIDE_KEYS)
    assert tuple(SCHEMA["properties"]["format"]["enum"]) == tuple(FORMATS)
    assert SCHEMA["properties"]["dialect"]["examples"] == known_dialects()


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('ignore = ["UP2"]\nselct = ["UP1"]', 2, "unknown key 'selct' (did you mean 'select'?)"),
        ("fail_on = 'error'", 1, "unknown key 'fail_on' (did you mean 'fail-on'?)"),
        ("wrong = 1", 1, "unknown key 'wrong' (there are: select, ignore"),
        ("select = 'UP1'", 1, "'select' is to be a list of texts"),
        ("select = [1]", 1, "'select' is to be a list of texts"),
        ("jobs = 0", 1, "'jobs' is to be a number from 1 to 1024"),
        ("jobs = true", 1, "'jobs' is to be a number"),
        ("cache = 'no'", 1, "'cache' is to be true or false"),
        ("baseline = ''", 1, "'baseline' is to be a text"),
        ("phase = 'test'", 1, "'phase' is 'test' (it takes TEST, TRAIN)"),
        ("[severity]\nUP201 = 'fatal'", 2, "'UP201' is 'fatal' (it takes error, warning, info)"),
        (
            "dialect = 'nobody'",
            1,
            "unknown dialect 'nobody' (one of crop=aligned, crop=bvlc, segnet, tiny-dsod, yolo)",
        ),
        ("severity = 1", 1, "'severity' is to be a table"),
        ("[[overrides]]\nfile = ['a']", 2, "unknown key 'file' (did you mean 'files'?)"),
        ("[overrides]\nfiles = ['a']", 1, "'overrides' is to be a list of tables"),
    ],
)
def test_what_is_not_understood_is_one_line(
    tmp_path: Path, text: str, line: int, message: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as error:
        read_config(path)
    assert str(error.value).startswith(f"{path}:{line}: {message}")
    assert "\n" not in str(error.value)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(text), SCHEMA)


def test_unknown_code_is_an_error(tmp_path: Path) -> None:
    path = written(tmp_path, '[per-file-ignores]\n"a" = ["UP999"]')
    with pytest.raises(UsageError, match="no rule's code is or begins with 'UP999'"):
        read_config(path)


def test_broken_toml_says_where(tmp_path: Path) -> None:
    path = written(tmp_path, "select = []\njobs = = 1\n")
    with pytest.raises(UsageError, match=r"is no TOML: .*line"):
        read_config(path)


def test_missing_file_and_missing_table_are_errors_where_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_config(tmp_path / "none.toml")
    path = written(tmp_path, "[tool.other]\n", "pyproject.toml")
    with pytest.raises(UsageError, match=r"has no \[tool.upconv\] table"):
        read_config(path)


def test_closest_file_wins_whole(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    written(tmp_path, "jobs = 1\nphase = 'TRAIN'")
    assert closest_config(inner).jobs == 1
    written(tmp_path / "a", "[tool.upconv]\njobs = 3\n", "pyproject.toml")
    deeper = tmp_path / "a" / "c"
    deeper.mkdir()
    found = closest_config(deeper)
    assert (found.jobs, found.phase, found.root) == (3, None, tmp_path / "a")


@pytest.mark.parametrize(
    "text",
    [
        "[tool.upconv]\njobs = 7",
        "[ tool . upconv ]\njobs = 7",
        '["tool"."upconv"]\njobs = 7',
        "[tool]\nupconv = { jobs = 7 }",
        "tool.upconv.jobs = 7",
        "[tool.upconv.severity]\n[tool.upconv]\njobs = 7",
    ],
)
def test_table_is_found_however_it_is_written(tmp_path: Path, text: str) -> None:
    written(tmp_path, text, "pyproject.toml")
    assert closest_config(tmp_path).jobs == 7


def test_pyproject_that_is_not_ours_is_not_judged(tmp_path: Path) -> None:
    written(tmp_path, "[project]\nname = 'upconv'\nbroken", "pyproject.toml")
    assert closest_config(tmp_path).path == ""


def test_own_file_comes_before_the_shared_one(tmp_path: Path) -> None:
    written(tmp_path, "[tool.upconv]\njobs = 1", "pyproject.toml")
    written(tmp_path, "jobs = 2")
    assert closest_config(tmp_path).jobs == 2


def test_overrides_by_file_and_layer(tmp_path: Path) -> None:
    entries = (
        Override("files", tmp_path, ("old/",), (), ("UP1",)),
        Override("layers", tmp_path, (), ("up*",), ("UP208",), (("UP2", "info"),)),
        Override("both", tmp_path, ("*.prototxt",), ("score",), (), (("UP201", "error"),)),
    )
    old = Overrides(entries, (("UP", "warning"),), tmp_path / "old" / "a.prototxt")
    new = Overrides(entries, (("UP", "warning"),), tmp_path / "new" / "a.prototxt")
    assert (old.ignores("UP101", ""), new.ignores("UP101", "")) == (True, False)
    assert new.ignores("UP208", "upscore")
    assert not new.ignores("UP208", "score")
    assert not new.ignores("UP208", "")
    assert new.severity("UP201", "upscore") == "info"
    assert new.severity("UP201", "score") == "error"
    assert new.severity("UP201", "conv1") == "warning"
    assert Overrides((), (), tmp_path).severity("UP201", "") is None
    assert (old.used, new.used) == (("files: UP1",), ("layers: UP208",))
