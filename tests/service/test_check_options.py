"""`upconv check`: what shows, watches and writes beside the findings, and what shells complete."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from tests.service.test_check import BAD, GOOD, SOLVER, WARN, Folder, folder
from tests.support import ROOT
from upconv.linter.settings.config import Config, read_config
from upconv.linter.settings.shown import as_toml
from upconv.service.cli.group import COMMANDS, cli

__all__ = ["folder"]

# --add-ignore


def test_ignores_are_written_with_their_reason(folder: Folder) -> None:
    folder.put("bad.prototxt", BAD.replace("\n", "\r\n"))
    folder.put("good.prototxt", GOOD)
    done = folder.check(".", "--add-ignore", "as the paper has it")
    assert (done.code, done.err) == (0, "3 findings ignored in 2 files\n")
    text = folder.read("bad.prototxt")
    assert "# upconv: ignore[UP116, UP202] as the paper has it\r\n" in text
    assert text.replace("\r\n", "").count("\n") == 0
    assert folder.check(".", "--fail-on", "info").code == 0
    again = folder.check(".", "--add-ignore", "as the paper has it")
    assert (folder.read("bad.prototxt"), again.err) == (text, "0 findings ignored in 0 files\n")


def test_only_what_is_selected_and_not_known_is_ignored(folder: Folder) -> None:
    folder.put("net.prototxt", BAD)
    assert folder.check("net.prototxt", "--select", "UP202", "--write-baseline").code == 0
    baseline = ("--baseline", "upconv-baseline.json")
    folder.check("net.prototxt", *baseline, "--add-ignore", "so", "--ignore", "UP116")
    assert "UP202" not in folder.read("net.prototxt")
    assert "UP116" not in folder.read("net.prototxt")


def test_formats_without_comments_are_told_and_left(folder: Folder) -> None:
    bad = (ROOT / "fixtures" / "rules" / "UP350" / "bad.json").read_text("utf-8")
    folder.put("model.json", bad)
    folder.put("broken.prototxt", "layer {")
    done = folder.check(".", "--add-ignore", "so be it")
    assert folder.read("model.json") == bad
    assert folder.read("broken.prototxt") == "layer {"
    assert "model.json: not all is ignored: its format has no" in done.err
    assert (done.code, "UP001" in done.out) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("net.prototxt", "--add-ignore", ""), "--add-ignore: the reason is to be one line"),
        (("net.prototxt", "--add-ignore", "a\nb"), "--add-ignore: the reason is to be one line"),
        (("net.prototxt", "--add-ignore", "a", "--fix"), "--add-ignore and fixes both edit"),
        (("-", "--add-ignore", "a"), "--add-ignore writes files"),
        (("-", "--watch"), "--watch looks at files"),
        (("nothere", "--show-files"), "nothere: no such file or folder"),
        (("net.prototxt", "--show-settings", "--ignore", "UP9"), "no rule's code is or begins"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    folder: Folder, arguments: tuple[str, ...], message: str
) -> None:
    folder.put("net.prototxt")
    done = folder.check(*arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert done.err.count("\n") == 1
    assert folder.read("net.prototxt") == BAD


# What a check would do


def test_files_that_would_be_checked(folder: Folder) -> None:
    for name in ("a.prototxt", "sub/b.prototxt", "old/c.prototxt", "notes.txt"):
        folder.put(name)
    folder.put("upconv.toml", 'exclude = ["old/"]\n')
    done = folder.check("--show-files")
    assert (done.code, done.out) == (0, f"a.prototxt\n{Path('sub/b.prototxt')}\n")


def test_settings_are_a_file_that_says_the_same(folder: Folder) -> None:
    written = (
        'select = ["UP1", "UP2"]\nignore = ["UP201"]\nexclude = ["a \\"b\\"/", "\\\\é\\u007f"]\n'
        'fail-on = "info"\nformat = "json"\njobs = 3\ncache = false\ncache-dir = "c"\n'
        'baseline = "b.json"\nphase = "TRAIN"\ndialect = "crop=bvlc"\n'
        'keras-bilinear = "asymmetric"\nkeras-backend = "jax"\n[severity]\nUP2 = "info"\n'
        '[per-layer-ignores]\n"x*" = ["UP3"]\n'
        '[[overrides]]\nfiles = ["f"]\nseverity = { UP1 = "warning" }\n'
    )
    folder.put("upconv.toml", written)
    first = read_config("upconv.toml")
    text = as_toml(first)
    folder.put("upconv.toml", text)
    assert plain(read_config("upconv.toml")) == plain(first)
    assert as_toml(read_config("upconv.toml")) == text


def plain(config: Config) -> list[Any]:
    """A configuration without the names that its parts have in messages."""
    fields = Config.__dataclass_fields__
    rest = [getattr(config, name) for name in fields if name != "overrides"]
    return [*rest, *((e.root, e.files, e.layers, e.ignore, e.severities) for e in config.overrides)]


def test_settings_that_hold_for_a_file(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.put("sub/upconv.toml", 'ignore = ["UP1"]\nphase = "TRAIN"\n')
    folder.put("upconv.toml", 'fail-on = "info"\n')
    folder.put("sub/net.prototxt")
    monkeypatch.setenv("UPCONV_DIALECT", "segnet")
    done = folder.check("sub/net.prototxt", "--show-settings", "--ignore", "bilinear-pad")
    assert done.code == 0
    shown = done.out.splitlines()
    said = {'ignore = ["UP202"]', 'phase = "TRAIN"', 'dialect = "segnet"', 'fail-on = "info"'}
    assert said <= set(shown)
    assert shown[0].endswith(f"{folder.path / 'sub'}")


def test_verbose_says_what_became_of_each_file(folder: Folder) -> None:
    folder.put("upconv.toml", 'ignore = ["UP1"]\n')
    folder.put("net.prototxt")
    folder.put("solver.prototxt", SOLVER)
    done = folder.check(".", "-v", "--no-cache")
    head, *files = done.err.splitlines()
    assert head.startswith("configuration: ")
    assert head.endswith(f"upconv.toml; root: {folder.path}")
    assert files[0] == "net.prototxt: caffe, ok, 1 finding"
    assert files[1].startswith("solver.prototxt: skipped, no Caffe net, but a solver")


# --watch


def test_watch_checks_again_what_changed_and_nothing_else(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, other = folder.put("net.prototxt", WARN), folder.put("other.txt", "")
    report = folder.path / "report.json"

    def changes(*roots: str, watch_filter: Any, recursive: bool) -> Any:
        assert (roots, recursive) == ((str(folder.path),), False)
        seen = [path for path in (net, other, report) if watch_filter(1, str(path))]
        assert seen == [net]
        net.write_text(BAD)
        yield {(1, str(net))}
        net.write_text("layer {")
        yield {(1, str(net))}
        net.unlink()
        yield {(1, str(net))}
        raise KeyboardInterrupt

    usual = type("DefaultFilter", (), {"ignore_dirs": (), "__init__": lambda s, ignore_dirs: None})
    fake = SimpleNamespace(watch=changes, DefaultFilter=usual, Change=int)
    monkeypatch.setitem(sys.modules, "watchfiles", fake)
    done = folder.check(
        "net.prototxt", "--watch", "--format", "concise", "--output", f"json:{report}"
    )
    assert done.code == 130
    codes = [line.split()[2] for line in done.out.splitlines()]
    assert codes.count("UP205") == 1
    assert codes.count("UP202") == 1
    assert codes[-1] == "UP001"
    assert done.err.count("changed: net.prototxt\n") == 3
    assert "error: net.prototxt: no such file or folder" in done.err


def test_watch_without_its_package_says_what_to_install(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.put("net.prototxt")
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    done = folder.check("net.prototxt", "--watch")
    assert (done.code, done.out) == (2, "")
    assert done.err == "error: --watch needs the package watchfiles (pip install 'upconv[watch]')\n"


def test_watch_with_its_package_until_ctrl_c(tmp_path: Path) -> None:
    pytest.importorskip("watchfiles")
    net = tmp_path / "net.prototxt"
    net.write_text(WARN)
    command = [sys.executable, "-m", "upconv", "check", ".", "--watch", "--format", "concise"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    try:
        assert b"UP205" in process.stdout.readline()
        for _ in range(100):  # it waits for changes a moment after it has told what it found
            net.write_text(BAD)
            os.set_blocking(process.stdout.fileno(), False)
            if b"UP202" in (process.stdout.read() or b""):
                break
            time.sleep(0.2)
        else:
            pytest.fail("no second check")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130


# Help, and what shells complete


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_every_help_has_examples_that_parse(folder: Folder, name: str) -> None:
    done = folder.run(*([name] if name else []), "--help")
    assert done.code == 0
    _, mark, examples = done.out.partition("Example")
    assert mark
    lines = [line.strip() for line in examples.partition("Options:")[0].splitlines()]
    commands = [line for line in lines if line.startswith("upconv ")]
    assert commands
    for line in commands:
        words = line.split("   ")[0].split()[1:]
        command = cli.get_command(click.Context(cli), words[0])
        assert command is not None
        command.make_context(words[0], [w.strip('"') for w in words[1:]], resilient_parsing=True)


def test_version_has_a_short_option(folder: Folder) -> None:
    assert folder.run("-V").out == folder.run("--version").out != ""


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("upconv conv", {"convert"}),
        ("upconv check --watc", {"--watch"}),
        ("upconv check --fail-on w", {"warning"}),
        ("upconv check --ignore UP101,bilinear-pa", {"UP101,bilinear-pad"}),
        ("upconv rule UP20", {f"UP20{n}" for n in range(1, 10)}),
        ("upconv check ne", {"ne"}),
        ("upconv convert a.prototxt --weights ne", {"ne"}),
    ],
)
def test_shells_complete(words: str, completed: set[str]) -> None:
    environment = {
        **os.environ,
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
        "_UPCONV_COMPLETE": "bash_complete",
        "PYTHONPATH": str(ROOT),
    }
    main = "from upconv.service.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", main], env=environment, capture_output=True, text=True, check=False
    )
    assert {line.split(",", 1)[1] for line in done.stdout.splitlines()} == completed
