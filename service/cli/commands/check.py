"""`upconv check`: findings in model files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from upconv.converters.ir.errors import UsageError
from upconv.linter.reports import FORMATS
from upconv.service.cli.many import folder_options
from upconv.service.cli.model_options import model_options, reading
from upconv.service.cli.rule_options import rule_options

if TYPE_CHECKING:
    from upconv.linter.finding import Safety
    from upconv.service.cli.check_output import CheckOutput
    from upconv.service.work.check_request import CheckRequest
    from upconv.service.work.checking import CheckResult

SEVERITIES = ("error", "warning", "info")

OUTPUT = ("format_", "outputs", "diff", "exit_zero", "statistics", "verbose", "quiet", "color")
"""The options that say what is printed, and how; the others say what is checked."""

READING = ("weights", "inputs", "phase", "dialect", "keras_bilinear", "keras_backend")


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(), metavar="[PATH ...|-]")
@model_options
@rule_options
@click.option(
    "--target",
    "targets",
    multiple=True,
    envvar="UPCONV_TARGET",
    metavar="ENGINES",
    help="Engines that the models are to run in, as in openvino-2026,ncnn.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    envvar="UPCONV_FORMAT",
    help="What standard output gets.  [default: text]",
)
@click.option(
    "--output", "outputs", multiple=True, metavar="FMT:FILE", help="Write a report to a file too."
)
@click.option("--fix", is_flag=True, help="Apply safe fixes in place (to standard output for -).")
@click.option(
    "--unsafe-fixes", is_flag=True, help="With --fix or --diff: fixes that change numbers as well."
)
@click.option(
    "--in-place",
    is_flag=True,
    help="With --fix: ONNX files, of which a copy NAME.fixed.onnx is mended otherwise, too.",
)
@click.option("--diff", is_flag=True, help="Print what the fixes would change; write nothing.")
@click.option(
    "--add-ignore",
    metavar="REASON",
    help="Write ignore comments with this reason for all that is found.",
)
@click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES),
    envvar="UPCONV_FAIL_ON",
    help="The mildest severity that makes the exit code 1.  [default: error]",
)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 whatever is found.")
@click.option(
    "--show-silenced",
    is_flag=True,
    help="Mark what is silenced as suppressed in SARIF, not leave it out.",
)
@click.option("--write-baseline", is_flag=True, help="Take all findings into the baseline.")
@click.option("--prune-baseline", is_flag=True, help="Drop entries that are found no more.")
@folder_options
@click.option(
    "--cache/--no-cache",
    default=None,
    envvar="UPCONV_CACHE",
    help="Remember results.  [default: where more than one file is checked]",
)
@click.option(
    "--cache-dir",
    envvar="UPCONV_CACHE_DIR",
    type=click.Path(),
    metavar="DIR",
    help="Where.  [default: .upconv_cache beside the configuration]",
)
@click.option("--stdin-filename", default="-", metavar="F", help="What to call standard input.")
@click.option(
    "--exclude",
    multiple=True,
    metavar="PATTERN",
    help="Leave out of searches, as in .gitignore; besides the configuration's.",
)
@click.option("--show-files", is_flag=True, help="List the files that would be checked.")
@click.option(
    "--show-settings", is_flag=True, help="Show the settings that hold for the first PATH."
)
@click.option(
    "--server",
    default="",
    envvar="UPCONV_SERVER",
    metavar="URL",
    help="Let a server do it (upconv serve); its token is read from UPCONV_TOKEN.",
)
@click.option("--watch", is_flag=True, help="Check again whenever a file changes, until Ctrl-C.")
@click.option("--statistics", is_flag=True, help="Count findings per code instead.")
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="Say which configuration holds, and what became of each file.",
)
@click.option("-q", "--quiet", is_flag=True, help="Findings alone, without summary and notes.")
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="Colours in the text report.  [default: auto]",
)
def command(show_files: bool, show_settings: bool, watch: bool, server: str, **given: Any) -> int:
    """Check model files; folders are searched, "-" is standard input, "." the default.

    Exit code 0: nothing at or above --fail-on. 1: such findings, an unreadable file among them.
    2: usage, nothing to check, or a failure of upconv itself.

    The command line comes before the environment (UPCONV_SELECT and so on), the environment
    before the closest upconv.toml or [tool.upconv] in pyproject.toml.

    \b
    Examples:
      upconv check .                                    everything in this folder
      upconv check deploy.prototxt --weights fcn.caffemodel
      upconv check . --select UP1 --exclude "third_party/"
      upconv check . --fix --diff                       show the safe fixes
      upconv check net.onnx --fix                       write the mended net.fixed.onnx
      upconv check . --select UP107 --add-ignore "trained so"
      upconv check models/ --watch
      upconv check net.onnx --target openvino-2026,tensorrt-10
      upconv check . --output sarif:upconv.sarif        for code scanning
      upconv check . --server https://upconv.example.com
    """
    from upconv.service.cli.check_output import CheckOutput, tell
    from upconv.service.cli.progress import progress_bar
    from upconv.service.work.checking import check

    wanted = CheckOutput(**{name: given.pop(name) for name in OUTPUT})
    request = _request(wanted, **given)
    _require_possible(request, wanted)
    if show_files or show_settings:
        return _show(request, wanted, show_files, show_settings)

    def once() -> int:
        with progress_bar("checking") as progress:
            result = _elsewhere(server, request) if server else check(request, progress)
        return tell(result, request, wanted)

    return _watched(once, request, wanted) if watch else once()


def _elsewhere(server: str, request: CheckRequest) -> CheckResult:
    """The check, done by a server. Raises UsageError where it cannot be."""
    import json

    from upconv.linter.running.plugins import load_plugins
    from upconv.service.cli.remote import Remote
    from upconv.service.work.check_request import Settings
    from upconv.service.work.elsewhere import pack, unpack

    load_plugins()
    settings, remote = Settings(request), Remote(server)
    parcel = pack(request, settings)
    result = remote.done("check", parcel.options, parcel.files)
    words = json.loads(remote.artefact(result, "files.json"))
    return unpack(words, request, settings, parcel)


def _watched(once: Callable[[], int], request: CheckRequest, wanted: CheckOutput) -> int:
    from upconv.service.cli.watching import watch
    from upconv.service.work.check_request import STDIN

    if STDIN in request.paths:
        raise UsageError("--watch looks at files, and standard input is none")
    others = (request.reading.weights, request.config, request.baseline)
    also = [path for path in others if isinstance(path, str) and path]
    return watch(once, [*(request.paths or (".",)), *also], [file for _, file in wanted.targets])


def _show(request: CheckRequest, wanted: CheckOutput, files: bool, settings: bool) -> int:
    """Say what a check would do, and do nothing."""
    from upconv.linter.reports.wording import one_line
    from upconv.linter.settings.shown import as_toml
    from upconv.service.work.showing import files_of, settings_of

    if settings:
        config = settings_of(request)
        click.echo(as_toml(replace(config, format=wanted.format_ or config.format)), nl=False)
    for path in files_of(request) if files else ():
        click.echo(one_line(path))
    return 0


def _request(
    wanted: CheckOutput, fix: bool, unsafe_fixes: bool, scheduler: str, **given: Any
) -> CheckRequest:
    from upconv.service.work.check_request import STDIN, CheckRequest

    said = reading(**{name: given.pop(name) for name in READING})
    name = given.pop("stdin_filename")
    given["config"] = given["config"] or None
    given["targets"] = given["targets"] or None
    levels = _levels(unsafe_fixes) if fix or wanted.diff else ()
    text = sys.stdin.buffer.read() if STDIN in given["paths"] else b""
    if scheduler:
        from upconv.service.work.scheduler import Scheduler

        given["workers"] = Scheduler(scheduler)
    return CheckRequest(
        text=text, text_name=name, reading=said, levels=levels, write=not wanted.diff, **given
    )


def _levels(unsafe: bool) -> tuple[Safety, ...]:
    return ("safe", "unsafe") if unsafe else ("safe",)


def _require_possible(request: CheckRequest, wanted: CheckOutput) -> None:
    """Raise UsageError where two things want standard output."""
    to_output = "--diff" if wanted.diff else "--fix on standard input"
    fixes_text = bool(request.levels) and "-" in request.paths
    if (wanted.diff or fixes_text) and (wanted.format_ not in (None, "text")):
        raise UsageError(
            f"{to_output} and --format {wanted.format_} both want standard output",
            hint=f"write the report to a file: --output {wanted.format_}:FILE",
        )
    if fixes_text and len(request.paths) > 1:
        raise UsageError("standard input is fixed by itself", hint="leave the other paths out")
    if wanted.diff and wanted.statistics:
        raise UsageError("--diff and --statistics both want standard output")
