"""The audit as one HTML file that needs nothing else: no network, and scripts only to recompute."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from upconv.converters.audit.audited import Audit, AxisAudit
from upconv.converters.audit.explained import loss_text
from upconv.converters.audit.size_sets import NONE
from upconv.converters.ir.model import Layer
from upconv.converters.ir.open_sizes import NO_SIZES
from upconv.converters.ir.shapes import Shape
from upconv.linter.finding import SEVERITIES, FileReport, Finding, Report
from upconv.service.reports.audit_text import (
    asked_rows,
    comparison_text,
    read_as,
    shape_text,
)
from upconv.service.reports.html.enlarging import card, interpolation_row
from upconv.service.reports.html.numbers import Numbers
from upconv.service.reports.pictures.net_drawing import drawing
from upconv.service.reports.pictures.net_path import NetPath, net_path, shortened
from upconv.service.reports.pictures.strip import strip
from upconv.service.reports.pictures.svg import PALETTE, STYLE
from upconv.service.reports.responses import responses
from upconv.service.reports.result import AuditResult, ModelComparison
from upconv.service.reports.words import grouped, image_text, joined, printable, verdict

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATES: Final = Path(__file__).parent / "templates"

SHOWN: Final = 8
"""Failures of a letter."""

LARGEST: Final = 480_000
"""Bytes of a page that people mail on."""

LONG_VERDICT: Final = 150
MOST_CARDS: Final = 12
MOST_FINDINGS: Final = 30
MOST_MISALIGNED: Final = 20
MOST_ROWS: Final = 1_500
MOST_INTERPOLATED: Final = 30
LONGEST: Final = 600
"""Characters of a reason; the arithmetic through a deep net has no end."""

LONGEST_FORMULA: Final = 90
"""Characters of a size in the table of layers."""

TONES: Final = {"error": "bad", "warning": "warn", "info": "dim"}
VERDICTS: Final = {"pass": "good", "fail": "bad", "incomplete": "warn"}


def audit_page(result: AuditResult) -> str:
    """The whole page, with as many layers in its table as LARGEST bytes allow. What comes from
    files is escaped by the template, or by the pictures."""
    audit = result.audit
    whole = net_path(audit)
    path = shortened(whole)
    numbers = Numbers(result, path.box_of)
    context = {
        **_head(result),
        **_sizes(result),
        **_net(audit, path, numbers),
        "more_boxes": len(whole.boxes) - len(path.boxes),
        **_enlarging(audit),
        **_findings(result),
        **_besides(result),
        "data": _safe(numbers.json),
    }
    for most in (MOST_ROWS, MOST_ROWS // 5, 0):
        page = _template().render(**context, **_layers(audit, numbers, most))
        if len(page.encode()) < LARGEST:
            break
    return page


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else _shown(value),
    )
    style = PALETTE + STYLE + (TEMPLATES / "style.css").read_text("utf-8")
    environment.globals["style"] = _safe(style)
    environment.globals["script"] = _safe(_script())
    environment.globals["version"] = version("upconv")
    return environment.get_template("report.html.j2")


def _script() -> str:
    return (TEMPLATES / "page.js").read_text("utf-8")


def script_hash() -> str:
    """The report's own script, as a content policy names the one that may run."""
    digest = hashlib.sha256(_script().encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _safe(text: str) -> Any:
    """Text of our own that is HTML already."""
    from markupsafe import Markup

    return Markup(text)


def _shown(value: Any) -> Any:
    """A value as the page has it; code frames have several lines."""
    return printable(value, "\n") if isinstance(value, str) else value


def _command(result: AuditResult) -> str:
    return f"upconv audit {shlex.quote(result.command)}"


def _head(result: AuditResult) -> dict[str, Any]:
    audit = result.audit
    model = audit.model
    layers = len(model.layers)
    return {
        "name": Path(model.path).name or model.name,
        "path": shlex.quote(result.command),
        "framework": model.framework,
        "count": f"{layers} layer{'' if layers == 1 else 's'}",
        "verdict": verdict(audit),
        "tone": _tone(result),
        "long": len(verdict(audit)) > LONG_VERDICT,
        "read_as": list(read_as(audit)),
        "command": _command(result),
        "image": image_text(audit.at) or "the file's sizes",
    }


def _tone(result: AuditResult) -> str:
    audit = result.audit
    findings = result.findings.findings if result.findings is not None else ()
    never = any(axis.sizes.known == NONE for axis in audit.axes)
    if never or not result.passed or any(one.severity == "error" for one in findings):
        return "bad"
    said = all(axis.sizes.runs is not None for axis in audit.axes)
    return "good" if said and not any(not one.small for one in audit.misaligned) else "warn"


def _sizes(result: AuditResult) -> dict[str, Any]:
    audit = result.audit
    letters = [axis.axis for axis in audit.found.axes if axis.axis not in NO_SIZES]
    return {
        "groups": [_group(group) for group in grouped(audit.axes)],
        "tied": [{"text": str(one), "layer": one.layer.name} for one in audit.found.coupled],
        "letters": letters,
        "at": dict(audit.at),
        "asked": [{"label": label, "text": told} for label, told in asked_rows(result)],
    }


def _group(group: Sequence[AxisAudit]) -> dict[str, Any]:
    first = group[0]
    sizes = first.sizes
    runs = sizes.runs or sizes.known
    same = sizes.same_size or NONE
    other = same != runs and not same.is_finite
    ordered = sorted(first.failures, key=lambda one: one.failure.sizes.is_finite)
    whole = "runs, and the output is as large as the input" if same == runs else "runs"
    if sizes.runs is None:
        whole = "not excluded; whether it runs cannot be said"
    return {
        "strip": _safe(strip([one.letter for one in group], runs, same if other else runs)),
        "rule": joined([runs.rule(one.letter) for one in group]),
        "other": other,
        "same": joined([same.rule(one.letter) for one in group]),
        "legend": whole,
        "why": first.why or sizes.because,
        "lost": "" if first.lost_by is None else loss_text(first.lost_by),
        "failures": [
            {"size": f"{one.axis} = {one.size}", "told": f"'{one.layer}': {_cut(one.reason)}"}
            for one in ordered[:SHOWN]
        ],
        "more": max(len(ordered) - SHOWN, 0),
    }


def _cut(text: str, longest: int = LONGEST) -> str:
    half = longest // 2
    return text if len(text) <= longest else f"{text[:half]} … {text[-half:]}"


def _net(audit: Audit, path: NetPath, numbers: Numbers) -> dict[str, Any]:
    sizes = {box.index: _spatial(audit.numbers.get(box.value)) for box in path.boxes}
    marks = {box.index: numbers.mark(audit.shapes.get(box.value)) for box in path.boxes}
    off = audit.misaligned
    return {
        "net": _safe(drawing(path, sizes, marks)),
        "outputs": [
            (name, _cut(shape_text(audit.shapes.get(name)))) for name in audit.model.outputs[:SHOWN]
        ],
        "readings": list(map(str, audit.readings)),
        "misaligned": [
            {
                "layer": one.layer.name,
                "message": one.message,
                "help": one.help.capitalize(),
                "tone": "warn" if one.small else "bad",
            }
            for one in off[:MOST_MISALIGNED]
        ],
        "more_misaligned": max(len(off) - MOST_MISALIGNED, 0),
    }


def _spatial(shape: Shape | None) -> str:
    return "×".join(map(str, (shape or ())[2:]))


def _enlarging(audit: Audit) -> dict[str, Any]:
    found = list(responses(audit))
    cards = [card(one) for one in found[:MOST_CARDS]]
    return {
        "cards": [
            {
                "names": one.names,
                "words": one.words,
                "notes": one.notes,
                "pictures": [{"svg": _safe(p.svg), "caption": p.caption} for p in one.pictures],
            }
            for one in cards
        ],
        "more_cards": max(len(found) - MOST_CARDS, 0),
        "interpolated": [interpolation_row(one) for one in audit.interpolated[:MOST_INTERPOLATED]],
    }


def _findings(result: AuditResult) -> dict[str, Any]:
    if result.findings is None:
        return {"findings": None, "more_findings": 0}
    found = sorted(result.findings.findings, key=lambda one: SEVERITIES.index(one.severity))
    return {
        "findings": [_finding(one, result) for one in found[:MOST_FINDINGS]],
        "more_findings": max(len(found) - MOST_FINDINGS, 0),
    }


def _finding(one: Finding, result: AuditResult) -> dict[str, Any]:
    from upconv.linter.reports.wording import told

    assert result.findings is not None
    return {
        "code": one.code,
        "name": one.name,
        "severity": one.severity,
        "tone": TONES[one.severity],
        "told": told(one),
        "frame": _frame(one, result.findings),
        "help": one.help,
        "command": f"upconv check {shlex.quote(result.command)} --select {one.code}",
    }


def _frame(one: Finding, file: FileReport) -> str:
    """The lines of code that the text report shows."""
    from dataclasses import replace

    from upconv.linter.reports.text import text

    if one.place is None or file.source is None:
        return ""
    alone = Report((replace(file, findings=(replace(one, help=""),), silenced=()),))
    return text(alone, quiet=True).partition("\n")[2].rstrip("\n")


def _besides(result: AuditResult) -> dict[str, Any]:
    return {
        "proof": None if result.proof is None else _proof(result.proof),
        "comparison": None if result.comparison is None else _comparison(result.comparison),
    }


def _comparison(comparison: ModelComparison) -> dict[str, Any]:
    _, _, told, *lines = comparison_text(comparison).split("\n")
    other = comparison.right.model
    return {
        "other": other.path or other.name,
        "tone": "good" if comparison.same else "bad",
        "told": told,
        "lines": [line.strip() for line in lines],
    }


def _proof(proof: Mapping[str, Any]) -> dict[str, Any]:
    """A proof as it stands in its file, which may hold anything: it is shown as text."""
    layers = [one for one in proof["layers"] if isinstance(one, dict)]
    verdict_ = str(proof["verdict"])
    return {
        "onnx": str(proof.get("onnx", "")),
        "verdict": verdict_,
        "tone": VERDICTS.get(verdict_, "warn"),
        "told": f"opset {proof.get('opset')}, {len(layers)} layers compared with the reference",
        "rows": [_certificate(one) for one in layers[:MOST_ROWS]],
    }


def _certificate(one: Mapping[str, Any]) -> dict[str, str]:
    found = str(one.get("verdict", "?"))
    return {
        "layer": str(one.get("layer", "")),
        "operator": str(one.get("operator", "")),
        "error": _number(one.get("max_abs_error")),
        "bound": _number(one.get("bound")),
        "ratio": _number(one.get("ratio")),
        "verdict": found,
        "tone": VERDICTS.get(found, "warn"),
    }


def _number(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, int | float) else "–"


def _layers(audit: Audit, numbers: Numbers, most: int) -> dict[str, Any]:
    places = {place.layer.name: place for place in audit.places}
    layers = audit.model.layers
    return {
        "rows": [_row(layer, audit, places, numbers) for layer in layers[:most]],
        "more_rows": max(len(layers) - most, 0),
    }


def _row(
    layer: Layer, audit: Audit, places: Mapping[str, Any], numbers: Numbers
) -> tuple[Any, ...]:
    """Name, operator, formula, the attribute and the number of its size, scale, shift, reach."""
    value = layer.outputs[0] if layer.outputs else ""
    shape, place = audit.shapes.get(value), places.get(layer.name)
    scale = shift = reach = ""
    if place is not None:
        scale = _each(str(one.scale) for one in place.maps)
        shift = _each(str(one.shift) for one in place.maps)
        reach = "everything" if place.reach is None else _each(str(r.pixels) for r in place.reach)
    formula = "?" if shape is None else _each(map(str, shape[2:]))
    return (
        layer.name,
        type(layer.operator).__name__,
        _cut(formula, LONGEST_FORMULA),
        _safe(numbers.mark(shape)),
        _spatial(audit.numbers.get(value)),
        scale,
        shift,
        reach,
    )


def _each(texts: Iterator[str] | map[str]) -> str:
    found = list(texts)
    return found[0] if len(set(found)) == 1 else " × ".join(found)


def audit_notebook(result: AuditResult) -> str:
    """The page in a frame, whose styles do not meet the notebook's."""
    return _framed(audit_page(result), 640)


def comparison_notebook(comparison: ModelComparison) -> str:
    """What differs, as a list."""
    lines = comparison_text(comparison).split("\n")
    items = "".join(f"<li>{escape(line.strip())}</li>" for line in lines[3:])
    head = "<br>".join(map(escape, lines[:3]))
    return f"<p>{head}</p><ul>{items}</ul>"


def _framed(page: str, height: int) -> str:
    how = f'sandbox="allow-scripts" style="width:100%;border:0" height="{height}"'
    return f'<iframe {how} srcdoc="{escape(page, quote=True)}"></iframe>'
