from __future__ import annotations

import re

from tests.linter.reports.made import NASTY, awkward, file, finding, report
from upconv.linter.finding import Place, Report
from upconv.linter.reports.github import github
from upconv.linter.reports.text import text

COMMAND = re.compile(r"^::(error|warning|notice) ([^:]*)::(.*)$")


def runner(output: str) -> tuple[list[str], list[str]]:
    """(what the runner prints, the commands it obeys), by the rules of its documentation."""
    shown, commands, stopped = [], [], ""
    for line in re.split(r"\r\n|\r|\n", output):
        command = line.lstrip()
        if stopped:
            stopped = "" if command == f"::{stopped}::" else stopped
            shown += [line] if stopped else []
        elif command.startswith("::stop-commands::"):
            stopped = command.removeprefix("::stop-commands::")
        elif command.startswith("::") or "##[" in line:
            commands.append(line)
        elif line:
            shown.append(line)
    return shown, commands


def test_one_command_with_its_place() -> None:
    (command,) = runner(github(report(finding(), prefix="models/")))[1]
    assert command == (
        "::error file=models/a.prototxt,line=2,endLine=2,col=14,endColumn=20,"
        "title=UP202 bilinear-pad::layer '\N{GRINNING FACE}é': pad 0 is wrong%0Ahelp: set pad: 1"
    )


def test_text_is_printed_too() -> None:
    checked = report(finding())
    shown = runner(github(checked))[0]
    assert shown == text(checked).splitlines()
    assert shown[-1] == "1 error; 1 file checked"


def test_nothing_in_a_file_becomes_a_command() -> None:
    checked = report(
        finding(message=NASTY, layer="x\n::add-mask::e", help="##[add-mask]e"),
        finding(path="::set-env name=a::b"),
    )
    commands = runner(github(checked))[1]
    assert len(commands) == 2
    for command in commands:
        assert COMMAND.match(command)
        assert "\r" not in command
    assert "%0A::add-mask::e" in commands[0] + commands[1]
    assert "file=%3A%3Aset-env name=a%3A%3Ab" in commands[0] + commands[1]


def test_escaping_is_undone_by_the_runner() -> None:
    (command,) = runner(github(report(finding(message="100%0A, a:b\nc", layer="", help=""))))[1]
    match = COMMAND.match(command)
    assert match is not None
    assert match[3].replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%") == (
        "100%0A, a:b\nc"
    )


def test_worst_come_first() -> None:
    severities = ["info", "warning", "error", "warning"]
    places = [Place(n, 1, n, 2) for n in range(1, 5)]
    found = [
        finding(severity=severity, place=place)
        for severity, place in zip(severities, places, strict=True)
    ]
    commands = runner(github(Report((file(*found, text=None),))))[1]
    words = [re.split("[: ]", command[2:])[0] for command in commands]
    assert words == ["error", "warning", "warning", "notice"]
    assert re.findall(r"line=(\d)", "".join(commands))[:4] == ["3", "2", "4", "1"]


def test_columns_only_within_a_line_and_no_line_in_binary_files() -> None:
    commands = runner(github(awkward()))[1]
    (binary,) = [command for command in commands if "UP211" in command]
    assert "line=" not in binary
    (long,) = [command for command in commands if "UP201" in command]
    assert "line=1,endLine=3,title" in long


def test_no_findings_no_commands() -> None:
    shown, commands = runner(github(Report(())))
    assert commands == []
    assert shown == ["no findings; 0 files checked"]
