"""The documentation says what is so: its commands parse, its codes exist, its pages are fresh."""

from __future__ import annotations

import ast
import doctest
import json
import re
import runpy
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

import upconv
from tests.support import ROOT
from upconv.linter.reports import FORMATS
from upconv.linter.rules import RULES
from upconv.linter.settings.config_values import KEYS, config_record
from upconv.service.cli.group import COMMANDS, cli

GENERATED = (ROOT / "docs" / "rules", ROOT / "docs" / "engines")
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(p for p in sorted((ROOT / "docs").rglob("*.md")) if p.parent not in GENERATED),
]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(upconv [^`\n]+)`")
OUTPUT = re.compile(r"\b([a-z]+):[\w./-]+\.\w+")


def page_name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of a page in a language."""
    return [text for found, text in FENCE.findall(path.read_text("utf-8")) if found == language]


def commands(path: Path) -> list[str]:
    """What a page tells its reader to type, or a CI system to run."""
    typed = [
        line.removeprefix("$ ")
        for block in blocks(path, "console")
        for line in block.replace("\\\n", " ").splitlines()
    ]
    scripts = [script for block in blocks(path, "yaml") for script in scripts_of(block)]
    return [line for line in (*typed, *scripts) if line.startswith("upconv ")]


def scripts_of(block: str) -> Iterator[str]:
    for job in yaml.safe_load(block).values():
        if isinstance(job, dict):
            yield from job.get("script", [])


def parse(line: str) -> dict[str, Any]:
    """The values click reads from a command line.

    Raises click.ClickException where upconv would refuse it.
    """
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    end = next((at for at, word in enumerate(words) if set(word) <= set("|<>&;")), len(words))
    with cli.make_context("upconv", words[1:end]) as context:
        name, command, rest = cli.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        assert command is not None
        with command.make_context(name, rest, parent=context) as inner:
            return inner.params


EXAMPLES = [(page_name(path), line) for path in PAGES for line in commands(path)]
MENTIONS = [
    (page_name(path), line) for path in PAGES for line in INLINE.findall(path.read_text("utf-8"))
]


def test_there_are_examples_on_the_pages_that_need_them() -> None:
    found = {page for page, _ in EXAMPLES}
    assert {"README.md", "docs/getting-started.md", "docs/ci/gitlab.md"} <= found
    assert len(EXAMPLES) > 25
    assert len(MENTIONS) > 10


@pytest.mark.parametrize(("page", "line"), EXAMPLES)
def test_command_is_one_that_upconv_takes(page: str, line: str) -> None:
    try:
        values = parse(line)
    except click.exceptions.Exit as left:
        assert left.exit_code == 0  # --help and --version
        return
    for output in values.get("outputs", ()):
        match = OUTPUT.fullmatch(output)
        assert match, f"{page}: {output}"
        assert match[1] in FORMATS
    for text in (*values.get("select", ()), *values.get("ignore", ())):
        for code in text.split(","):
            assert any(known.startswith(code) for known in RULES), f"{page}: {code}"


@pytest.mark.parametrize(("page", "line"), MENTIONS)
def test_command_named_in_a_sentence_exists(page: str, line: str) -> None:
    try:
        parse(line)
    except click.MissingParameter:
        pass  # a sentence may leave out the file
    except click.exceptions.Exit as left:
        assert left.exit_code == 0, page


@pytest.mark.parametrize(
    "line",
    [
        "upconv chekc .",
        "upconv check --no-such-option",
        "upconv check --fail-on fatal",
        "upconv convert model.prototxt",
    ],
)
def test_wrong_commands_do_not_parse(line: str) -> None:
    with pytest.raises(click.ClickException):
        parse(line)


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_examples_in_python_print_what_they_say(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The examples of a page are one session, in a folder of its own."""
    text = "\n".join(blocks(path, "pycon"))
    if not text:
        return
    if "import torch" in text:
        pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    session = doctest.DocTestParser().get_doctest(text, {}, page_name(path), str(path), 0)
    said: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(session, out=said.append)
    assert result.attempted == text.count(">>> ")
    assert result.failed == 0, "".join(said)


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_code_uses_public_names(path: Path) -> None:
    for block in blocks(path, "python"):
        used = {
            node.attr
            for node in ast.walk(ast.parse(block))
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "upconv"
        }
        assert used <= set(upconv.__all__)


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_codes_that_are_mentioned_exist(path: Path) -> None:
    mentioned = set(re.findall(r"\bUP\d{3}\b", path.read_text("utf-8")))
    assert mentioned <= set(RULES)


def test_generated_pages_are_fresh() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_rules.py"))
    stale = [page_name(path) for path in made["stale"]()]
    assert stale == [], "`make docs` writes them"


def test_stale_pages_are_noticed(tmp_path: Path) -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_rules.py"))
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- rules: begin -->\nold\n<!-- rules: end -->\nb\n", "utf-8")
    fresh = made["between"](page, "rules", "new")
    assert fresh == "a\n<!-- rules: begin -->\n\nnew\n\n<!-- rules: end -->\nb\n"
    page.write_text("no marks", "utf-8")
    with pytest.raises(ValueError, match="needs one <!-- rules: begin -->"):
        made["between"](page, "rules", "new")


def test_every_format_is_in_the_table_of_reports() -> None:
    text = (ROOT / "docs" / "getting-started.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z]+)` \|", text, re.MULTILINE)
    assert rows == list(FORMATS)


def test_what_is_called_not_built_is_not_built() -> None:
    text = (ROOT / "docs" / "not-built.md").read_text("utf-8")
    named = re.findall(r"\| `([a-z]+)` \|$", text, re.MULTILINE)
    assert set(named) & set(COMMANDS) == set()


def test_every_command_has_its_exit_codes() -> None:
    rows = re.findall(
        r"^\| (`.*?`) \|", (ROOT / "docs" / "exit-codes.md").read_text("utf-8"), re.MULTILINE
    )
    assert set(re.findall(r"`([a-z]+)`", " ".join(rows))) == set(COMMANDS)


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_configuration_examples_are_understood(path: Path) -> None:
    for block in blocks(path, "toml"):
        table = tomllib.loads(block)
        ours = table["tool"]["upconv"] if "tool" in table else table
        assert config_record(ours, path.parent)


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_json_and_yaml_examples_are_well_formed(path: Path) -> None:
    for block in blocks(path, "json"):
        if not block.startswith("--8<--"):
            json.loads(block)
    for block in blocks(path, "yaml"):
        assert yaml.safe_load(block)


def test_every_setting_is_in_the_table() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE)
    assert sorted(rows) == sorted(KEYS)
    parameters = commands_of("check").params
    variables = {p.envvar for p in parameters if isinstance(p.envvar, str)}
    assert set(re.findall(r"`(UPCONV_[A-Z_]+)`", text)) == variables
    options = {option for parameter in parameters for option in parameter.opts}
    assert set(re.findall(r"`(--[a-z-]+)` \|", text)) <= options


def commands_of(name: str) -> click.Command:
    with cli.make_context("upconv", [name], resilient_parsing=True) as context:
        command = cli.get_command(context, name)
    assert command is not None
    return command


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    listed = set(re.findall(r"^ +- ([\w/-]+\.md)$", text, re.MULTILINE))
    docs = ROOT / "docs"
    wanted = {path.relative_to(docs).as_posix() for path in PAGES if path.is_relative_to(docs)}
    assert listed == wanted | {"rules/index.md", "engines/index.md"}


def test_drawn_pictures_are_fresh() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_pictures.py"))
    stale = [page_name(path) for path in made["stale"]()]
    assert stale == [], "`make docs` draws them"
