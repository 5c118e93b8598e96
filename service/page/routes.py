"""The page's routes: each is a page that the server makes, and works without a script."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from upconv.converters.readers.files.json_plain import load_json
from upconv.converters.readers.files.opening import read_regular
from upconv.service.http.context import COOKIE, Owner, Parts, Served
from upconv.service.http.jobs import JobId, submit_files, take_files, taken_form
from upconv.service.jobs.example import EXAMPLE
from upconv.service.jobs.job import Job, outcome_files
from upconv.service.jobs.options import canonical
from upconv.service.jobs.spec import JobSpec, Kind, Named
from upconv.service.page.comparing import rows
from upconv.service.reports.html.page import script_hash
from upconv.service.work.rules import all_rules, find_rule

HERE: Final = Path(__file__).parent
MOST: Final = 500
"""Findings and layers that a page shows; the files have all."""

KINDS: Final[tuple[tuple[Kind, str], ...]] = (
    ("check", "Check: what breaks its upsampling layers"),
    ("convert", "Convert to ONNX, and prove the two equal"),
    ("audit", "Audit: which input sizes it accepts, and where a pixel is lost"),
    ("verify", "Verify an ONNX file, by itself or against the model that it was made from"),
)
FILLED: Final[tuple[Kind, ...]] = ("convert", "verify")
TITLES: Final[Mapping[Kind, str]] = {
    "check": "Check",
    "convert": "Conversion",
    "verify": "Verification",
    "audit": "Audit",
}
CODE: Final = ("Example", "Use instead")
"""The sections of a rule's page that hold code."""

FRAMED: Final = (
    f"sandbox allow-scripts; default-src 'none'; script-src {script_hash()}; "
    "style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
)

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
static = StaticFiles(directory=HERE / "static")
_templates = Jinja2Templates(HERE / "templates")


def show(
    request: Request, template: str, name: str = "", status: int = 200, **words: Any
) -> Response:
    """A page; `name` is whose token the browser has."""
    context = {"name": name, "verdict": verdict, "size": _size, "number": _number, **words}
    return _templates.TemplateResponse(request, template, context, status)


def show_error(request: Request, message: str, status: int) -> Response:
    """The page of what could not be done; for who has no token, where to give one."""
    if status == 401:
        return RedirectResponse("/sign-in", 303)
    return show(request, "error.html", status=status, message=message)


@router.get("/")
def home(request: Request, parts: Parts, owner: Owner) -> Response:
    jobs = parts.engine.jobs(owner, 20)
    return show(request, "home.html", owner, kinds=KINDS, jobs=jobs)


@router.post("/send")
async def send(request: Request, parts: Parts, owner: Owner) -> Response:
    async with taken_form(request) as (words, files):
        kind = words.get("kind", "check")
        fill = {"fill_missing": words["fill"]} if words.get("fill") and kind in FILLED else {}
        asked = {"kind": kind, "options": json.dumps(fill)}
        job = await run_in_threadpool(submit_files, parts, owner, asked, files["files"])
    return _sent(request, f"/jobs/{job.id}")


@router.post("/example")
def example(request: Request, parts: Parts, owner: Owner) -> Response:
    blob = parts.engine.store.put([EXAMPLE], len(EXAMPLE))
    files = (Named("example.prototxt", blob.sha256, blob.size),)
    options = canonical("check", "")
    job = parts.engine.submit(JobSpec(owner, "check", options, files, parts.version))
    return _sent(request, f"/jobs/{job.id}")


def _sent(request: Request, where: str) -> Response:
    if "application/json" in request.headers.get("accept", ""):
        return JSONResponse({"href": where})
    return RedirectResponse(where, 303)


@router.get("/jobs/{job}")
def show_job(request: Request, job: JobId, parts: Parts, owner: Owner) -> Response:
    there = parts.engine.job(job, owner)
    files = outcome_files(there)
    return show(
        request,
        "job.html",
        owner,
        job=there,
        mood=_mood(there),
        artefacts=[file for file in files if file.name != "files.json"],
        report=_read(parts, files, "report.json"),
        certificate=_read(parts, files, "certificate.json"),
        audit=_text(parts, files, "audit.txt"),
        most=MOST,
        titles=TITLES,
    )


@router.get("/jobs/{job}/audit.html")
def show_audit(job: JobId, parts: Parts, owner: Owner) -> Response:
    """The audit's own page, for a frame: it has no origin and reaches nothing, its script is the
    one of this version, and its styles stand in it."""
    files = outcome_files(parts.engine.job(job, owner))
    headers = {"content-security-policy": FRAMED, "x-frame-options": "SAMEORIGIN"}
    return HTMLResponse(_text(parts, files, "audit.html"), headers=headers)


def _text(parts: Served, files: tuple[Named, ...], name: str) -> str:
    """What a job wrote as text, "" where it did not."""
    found = [
        read_regular(parts.engine.store.local(one.sha256)) for one in files if one.name == name
    ]
    return found[0].decode("utf-8") if found else ""


def _read(parts: Served, files: tuple[Named, ...], name: str) -> Mapping[str, Any] | None:
    """What a job wrote as JSON, None where it did not."""
    text = _text(parts, files, name)
    return load_json(text.encode()) if text else None


SIDES: Final = (("left", "A", "a"), ("right", "B", "b"))
"""The sides of a comparison: the form's field, what it is called, and the folder of its files."""


@router.get("/compare")
def ask_comparison(request: Request, owner: Owner) -> Response:
    sides = [(side, f"Model {words}") for side, words, _ in SIDES]
    return show(request, "compare.html", owner, sides=sides)


@router.post("/compare")
async def compare(request: Request, parts: Parts, owner: Owner) -> Response:
    async with taken_form(request, [side for side, _, _ in SIDES]) as (_, files):
        jobs = await run_in_threadpool(lambda: list(_comparing(parts, owner, files)))
    return _sent(request, f"/compare/{'/'.join(job.id for job in jobs)}")


def _comparing(
    parts: Served, owner: str, files: Mapping[str, Sequence[UploadFile]]
) -> Iterator[Job]:
    """The audit of each model, and of the one against the other."""
    asked = []
    together: list[Named] = []
    for side, _, folder in SIDES:
        named = take_files(parts, files[side])
        asked.append((named, "{}"))
        together += [replace(file, name=f"{folder}/{file.name}") for file in named]
    asked.append((tuple(together), json.dumps({"model": "a", "against": "b"})))
    for named, options in asked:
        spec = JobSpec(owner, "audit", canonical("audit", options), named, parts.version)
        yield parts.engine.submit(spec)


@router.get("/compare/{left}/{right}/{both}")
def show_comparison(
    request: Request, left: JobId, right: JobId, both: JobId, parts: Parts, owner: Owner
) -> Response:
    jobs = [parts.engine.job(job, owner) for job in (left, right, both)]
    audits = [_read(parts, outcome_files(job), "audit.json") for job in jobs]
    one, other, together = audits
    return show(
        request,
        "compared.html",
        owner,
        waits=next((job for job in jobs if not job.is_over), None),
        both=jobs[2],
        differences=together["differences"] if together else (),
        sides=[(words, jobs[at], audits[at]) for at, (_, words, _) in enumerate(SIDES)],
        rows=list(rows(one["layers"], other["layers"])) if one and other else (),
        most=MOST,
    )


@router.post("/jobs/{job}/cancel")
def cancel(job: JobId, parts: Parts, owner: Owner) -> Response:
    parts.engine.cancel(job, owner)
    return RedirectResponse(f"/jobs/{job}", 303)


@router.get("/rules")
def rules(request: Request) -> Response:
    return show(request, "rules.html", rules=all_rules())


@router.get("/rules/{code}")
def rule(request: Request, code: str) -> Response:
    return show(request, "rule.html", rule=find_rule(code), code=CODE)


@router.get("/sign-in")
def ask_token(request: Request) -> Response:
    return show(request, "sign_in.html")


@router.post("/sign-in")
def sign_in(
    request: Request, parts: Parts, token: Annotated[str, Form(max_length=200)] = ""
) -> Response:
    if parts.tokens.owner(token.strip()) is None:
        return show(request, "sign_in.html", status=401, wrong=True)
    answer = RedirectResponse("/", 303)
    secure = request.headers.get("x-forwarded-proto", request.url.scheme) == "https"
    answer.set_cookie(COOKIE, token.strip(), httponly=True, samesite="strict", secure=secure)
    return answer


@router.post("/sign-out")
def sign_out() -> Response:
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


def verdict(job: Job) -> str:
    """What a job came to, in words."""
    if job.state != "done":
        return job.state
    code, said = job.outcome["exit_code"], job.outcome.get("summary", {})
    if code == 2:
        return "could not be done"
    if job.spec.kind == "audit":
        return _runs(said["runs"], code)
    if job.spec.kind != "check":
        return f"verdict: {said.get('verdict', 'not verified')}"
    counts = [
        f"{said[word]} {word}{'' if said[word] == 1 else 's'}" for word in ("error", "warning")
    ]
    return f"{', '.join(counts)}, {said['info']} info{'' if said['info'] == 1 else 's'}"


def _runs(rules: Mapping[str, str], code: int) -> str:
    what = "sizes that run: " + ("; ".join(rules.values()) or "all")
    return what if code == 0 else f"{what}; not all is as it was asked for"


def _mood(job: Job) -> str:
    if not job.is_over:
        return ""
    return "good" if job.state == "done" and job.outcome["exit_code"] == 0 else "bad"


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


__all__ = ["router", "show_error", "static"]
