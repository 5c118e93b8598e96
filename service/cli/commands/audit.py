"""`upconv audit`: which input sizes a model accepts, and where a pixel is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from upconv.converters.ir.errors import UsageError
from upconv.service.cli.many import folder_options
from upconv.service.cli.model_options import model_options, options_of

if TYPE_CHECKING:
    from upconv.service.work.auditing import AuditRequest
    from upconv.service.work.each_model import Outcome

FORMATS = ("text", "json", "html", "model-explorer")


@click.command()
@click.argument("model", type=click.Path())
@click.option(
    "--sizes",
    default="",
    metavar="A..B[:STEP]",
    help="Sizes to look at, of all axes or, with an x between, of each: 224..1024:32, 640x480.",
)
@click.option(
    "--against",
    default="",
    metavar="MODEL",
    help="Compare by meaning with this model; names, order and form are of no account.",
)
@click.option(
    "--against-weights", default="", metavar="FILE", help="The trained weights of that model."
)
@model_options
@click.option(
    "--proof",
    default="",
    metavar="FILE.json",
    help="Show the certificates that `upconv convert --report` wrote, in an HTML report.",
)
@click.option("--format", "format_", type=click.Choice(FORMATS), default="text")
@click.option(
    "-o", "--out", default="", type=click.Path(), metavar="FILE", help="Write the report there."
)
@folder_options
def command(
    model: str,
    sizes: str,
    against: str,
    against_weights: str,
    proof: str,
    format_: str,
    out: str,
    jobs: int | None,
    scheduler: str,
    **common: Any,
) -> int:
    """Say which input sizes MODEL accepts, as a rule that holds for every size; why; which layer
    loses the pixel; and where branches that meet lie apart. Of a folder, all models in it are
    audited, a line each, and OUT is a folder of their reports.

    Exit code 0: said. 1: a size asked for by --sizes does not run, or --against differs in what
    changes numbers. 2: usage, or a file that cannot be read.

    \b
    Examples:
      upconv audit unet.onnx
      upconv audit unet.onnx --sizes 640x480            why not, and the nearest sizes
      upconv audit unet.pt2 --against unet.onnx         do they mean the same
      upconv audit fcn8s.prototxt --format html -o fcn8s.html
      upconv audit models/ --format html -o reports/ --jobs 4
    """
    from upconv.service.reports import audit_report
    from upconv.service.work.auditing import AuditRequest, audit
    from upconv.service.work.folders import is_folder_of_models
    from upconv.service.work.sizes import parse_sizes
    from upconv.service.work.staging import report_place, require_apart, write_text

    folder = is_folder_of_models(model)
    if out and not folder:
        report_place(out)
        require_apart([out], [model, against, proof, common["weights"], against_weights])
    asked, options = parse_sizes(sizes), options_of(**common)
    other = replace(options, weights=against_weights, inputs={}) if against else options
    wants_findings = format_ == "html"
    config = common["config"] or ""
    request = AuditRequest(model, options, asked, against, other, wants_findings, config, proof)
    if folder:
        return _audit_all(request, format_, out, jobs, scheduler)
    result = audit(request)
    text = audit_report(result, format_)
    if out:
        write_text(out, text)
    else:
        click.echo(text, nl=not text.endswith("\n"))
    return 0 if result.passed else 1


ENDINGS = {"text": ".txt", "json": ".json", "html": ".html", "model-explorer": ".json"}
"""Format -> the ending of a report's file, where there are many."""


def _audit_all(
    request: AuditRequest, format_: str, out: str, jobs: int | None, scheduler: str
) -> int:
    """Audit every model below a folder; returns the worst exit code."""
    import os

    from upconv.service.cli.many import Many, do_each, refuse_in_folder, tell_each
    from upconv.service.work.check_request import CheckRequest
    from upconv.service.work.each_model import AUDIT, audits
    from upconv.service.work.folders import models_below, targets_for
    from upconv.service.work.staging import write_text

    refuse_in_folder(weights=request.options.weights, against=request.against, proof=request.proof)
    if not out and format_ not in ("text", "json"):
        raise UsageError(f"--format {format_} of a folder needs a folder for it", hint="-o FOLDER")
    rules = CheckRequest(config=request.config or None)
    found = models_below(str(request.model), rules, without=out)
    targets = targets_for(found, out, ENDINGS[format_]) if out else {}

    def write(outcome: Outcome) -> None:
        if outcome.report and targets:
            target = targets[outcome.model]
            os.makedirs(os.path.dirname(target), exist_ok=True)
            write_text(target, outcome.report)

    told = "text" if out else format_
    items = audits(request, format_, found)
    many = Many("auditing", found, AUDIT, items, jobs, scheduler, told)
    return tell_each(many, do_each(many, write))
