"""Reports made by hand, with what files in the wild hold and tidy examples do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from upconv.converters.ir.origin import Source
from upconv.linter.finding import Edit, FileReport, Finding, Fix, Place, Report, fingerprint

TEXT = 'layer {\n  name: "\N{GRINNING FACE}é" pad: 0\n}\n'
NASTY = "\x1b[31m 50% of <b> & \"q\", 'x': a\n::set-output name=a::b\r\x00\ud800"
"""Control characters, markup, a workflow command, a lone surrogate."""


def finding(code: str = "UP202", **changes: object) -> Finding:
    """A finding of `pad: 0` in TEXT."""
    values: dict[str, object] = {
        "code": code,
        "name": "bilinear-pad",
        "severity": "error",
        "path": "a.prototxt",
        "place": Place(2, 14, 2, 20),
        "layer": "\N{GRINNING FACE}é",
        "message": "pad 0 is wrong",
        "help": "set pad: 1",
    }
    return Finding(**(values | changes))  # type: ignore[arg-type]


def with_fingerprints(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings in order of place, each with its fingerprint."""
    seen: Counter[tuple[str, str, str]] = Counter()
    done = []
    for one in sorted(findings, key=lambda one: (one.path, one.place.line if one.place else 0)):
        key = (one.code, one.path, one.layer)
        done.append(replace(one, fingerprint=fingerprint(*key, seen[key])))
        seen[key] += 1
    return tuple(done)


def file(*findings: Finding, path: str = "a.prototxt", text: str | None = TEXT) -> FileReport:
    source = None if text is None else Source(path, text)
    return FileReport(path, "caffe", "ok", "", with_fingerprints(findings), source)


def report(*findings: Finding, prefix: str = "") -> Report:
    return Report((file(*findings),), prefix)


def awkward() -> Report:
    """Everything at once: no place, no layer, an unknown code, odd paths, fixes, control codes."""
    edits = (Edit(2, 14, 2, 20, "pad: 1"), Edit(3, 2, 3, 2, " # \x1b"))
    first = file(
        finding(fix=Fix("unsafe", edits)),
        finding(severity="info", fix=Fix("display", edits[:1])),
        finding("UP205", name="bilinear-bias", severity="warning", fix=Fix("safe", edits[:1])),
        finding("XY123", name="of-a-plugin", layer="", help="", message=NASTY),
        finding("UP201", name="bilinear-kernel-size", layer=NASTY, place=Place(1, 1, 3, 2)),
    )
    binary = "über models/a:b#1.caffemodel"
    second = file(
        finding("UP211", name="all-zero-weights", path=binary, place=None), path=binary, text=None
    )
    outside = file(finding(path="/elsewhere/x y.prototxt"), path="/elsewhere/x y.prototxt")
    broken = "b\udce9.prototxt"
    unreadable = FileReport(
        broken,
        "",
        "unreadable",
        "cut short",
        with_fingerprints([finding("UP001", name="unreadable", path=broken, layer="")]),
    )
    solver = FileReport("solver.prototxt", "", "skipped", "no Caffe net, but solver")
    clean = FileReport("clean.prototxt", "caffe", "ok", source=Source("clean.prototxt", ""))
    return Report((first, second, outside, unreadable, solver, clean), "models/")
