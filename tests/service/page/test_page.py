"""The page as people use it: without a script over plain HTTP, and in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.commands import upconv
from tests.service.http.server import Answer, Server, form, serving, start
from tests.service.http.test_jobs import FILL, NET, SMALL
from tests.service.http.test_lasting import SLOW
from tests.service.page.browser import ELEMENT, Browser, browsing
from tests.support import ROOT
from upconv.service.work.rules import all_rules

HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("page")) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("browser")) as running:
        yield running


def post(server: Server, path: str, **fields: str) -> Answer:
    body, type_ = form(fields, {})
    return server.ask("POST", path, body, {"Content-Type": type_, **HTML})


def over(server: Server, path: str) -> str:
    job = path.rpartition("/")[2]
    assert server.get(f"/v1/jobs/{job}?wait=60").json["finished"]
    return server.get(path, HTML).body.decode()


def test_it_works_without_its_script(server: Server) -> None:
    home = server.get("/", HTML).body.decode()
    assert 'action="/send"' in home
    body, type_ = form({"kind": "check"}, {"<b>net</b>.prototxt": NET})
    refused = server.ask("POST", "/send", body, {"Content-Type": type_, **HTML})
    assert (refused.status, b"could not be done" in refused.body) == (400, True)
    assert b"<b>net" not in refused.body
    body, type_ = form({"kind": "check"}, {"net.prototxt": NET})
    sent = server.ask("POST", "/send", body, {"Content-Type": type_, **HTML})
    assert sent.status == 303
    page = over(server, sent.headers["location"])
    assert page.count('class="severity error"') == 3
    assert "report.sarif" in page
    example = over(server, post(server, "/example").headers["location"])
    assert "UP201" in example


def test_what_a_file_says_is_text_and_no_markup(server: Server) -> None:
    net = SMALL.replace(b'"up"', b'"<script>alert(1)</script>"').replace(b"pad: 1", b"pad: 0")
    body, type_ = form({"kind": "check"}, {"net.prototxt": net})
    sent = server.ask("POST", "/send", body, {"Content-Type": type_, **HTML})
    page = over(server, sent.headers["location"])
    assert "&lt;script&gt;alert" in page
    assert "<script>alert" not in page


def test_no_page_has_code_or_style_in_it(server: Server) -> None:
    for path in ("/", "/rules", "/rules/UP201", "/sign-in", "/nothing"):
        page = server.get(path, HTML).body.decode()
        assert not re.search(
            r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|https?://(?!www.w3)", page
        )
    assert server.get("/rules").body.count(b"<tr>") == len(all_rules()) + 1


def test_a_token_signs_a_browser_in(tmp_path: Path) -> None:
    token = upconv("serve", "--tokens", "t", "--add-token", "ann", cwd=tmp_path).out.strip()
    with serving(tmp_path, "--tokens", str(tmp_path / "t")) as server:
        assert server.get("/", HTML).headers["location"] == "/sign-in"
        assert post(server, "/sign-in", token="x").status == 401
        signed = post(server, "/sign-in", token=token)
        cookie = signed.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        home = server.get("/", {**HTML, "Cookie": cookie.split(";")[0]})
        assert (home.status, b"Sign ann out" in home.body) == (200, True)


def test_a_model_is_dropped_watched_and_read(
    server: Server, browser: Browser, tmp_path: Path
) -> None:
    (tmp_path / "net.prototxt").write_bytes(SMALL)
    complaints(browser)  # of other tests, such as a stream whose server was killed
    browser.go(server.url)
    browser.type("input[type=file]", str(tmp_path / "net.prototxt"))
    assert browser.text("#chosen") == "net.prototxt"
    browser.click("input[value=convert]")
    browser.click("#send button")
    seen = browser.wait_for("certificate.json")
    assert "model.onnx" in seen
    assert "verdict: pass" in seen
    browser.go(server.url)
    assert "net.prototxt" in browser.text("table")
    assert complaints(browser) == [], server.log.read_text()


def complaints(browser: Browser) -> list[str]:
    """What the browser has complained of since it was asked last."""
    said = browser.command("POST", "/se/log", {"type": "browser"})
    return [line["message"] for line in said if line["level"] == "SEVERE"]


def test_an_error_is_told_where_it_was_made(
    server: Server, browser: Browser, tmp_path: Path
) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 and no more")
    browser.go(server.url)
    browser.type("input[type=file]", str(tmp_path / "broken.zip"))
    browser.click("#send button")
    assert "ZIP" in browser.wait_for("archive: not a readable")


def test_a_job_is_cancelled_from_its_page(server: Server, browser: Browser) -> None:
    job = server.send({"slow.prototxt": SLOW}, "convert", {"fill_missing": "bilinear"}, wait=0).json
    browser.go(f"{server.url}/jobs/{job['id']}")
    browser.click("#job button")
    assert "Try again" in browser.wait_for("cancelled")


def test_a_page_finds_its_job_again_after_the_server_was_away(
    browser: Browser, tmp_path: Path
) -> None:
    first = start(tmp_path)
    try:
        job = first.send(
            {"slow.prototxt": SLOW}, "convert", {"fill_missing": "bilinear"}, wait=0
        ).json
        browser.go(f"{first.url}/jobs/{job['id']}")
        browser.wait_for("Cancel")
    finally:
        first.kill()
    browser.wait_for("connection is lost")
    port = first.url.rpartition(":")[2]
    with serving(tmp_path, "--port", port):
        browser.wait_for("verdict: pass", 120)


def test_it_fits_a_phone_and_has_names_for_all(server: Server, browser: Browser) -> None:
    """No page is wider than a phone, every control has a name, and every text can be read against
    its background (WCAG 2.1, 1.4.3)."""
    browser.resize(500, 800)  # as narrow as headless windows get
    job = server.send({"net.prototxt": NET}).json["id"]
    for path in ("/", f"/jobs/{job}", "/rules", "/rules/UP201", "/sign-in"):
        browser.go(server.url + path)
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth"), path
        assert browser.run("return document.querySelectorAll('h1').length") == 1
        assert browser.run(_UNNAMED) == [], path
        for scheme in ("dark", "light"):
            browser.prefer(scheme)
            assert browser.run(_FAINT) == [], (path, scheme)


def compare(server: Server, other: bytes) -> str:
    """Where the comparison of two nets is shown, done."""
    edge = "axe"
    head = f'--{edge}\r\nContent-Disposition: form-data; name="%s"; filename="net.prototxt"\r\n\r\n'
    sides = [(head % side).encode() + text for side, text in (("left", SMALL), ("right", other))]
    body = b"\r\n".join([*sides, f"--{edge}--\r\n".encode()])
    type_ = f"multipart/form-data; boundary={edge}"
    path = server.ask("POST", "/compare", body, {"Content-Type": type_, **HTML}).headers["location"]
    for job in path.split("/")[2:]:
        assert server.get(f"/v1/jobs/{job}?wait=60").json["state"] == "done"
    return path


def test_two_models_are_compared_side_by_side(server: Server) -> None:
    page = server.get(compare(server, SMALL.replace(b"pad: 1", b"pad: 0")), HTML).body.decode()
    assert "pad is 1 in A, 0 in B" in page
    assert page.count('<section class="side"') == 2
    assert "up: 2*(H-1)+4-2*1 = 2*H" in page
    assert "up: 2*(H-1)+4 = 2*H+2" in page
    assert page.count('<tr class="differs">') == 1
    same = server.get(compare(server, SMALL), HTML).body.decode()
    assert "<strong>Nothing</strong>" in same
    assert 'class="differs"' not in same
    body, type_ = form({}, {"net.prototxt": SMALL})
    alone = server.ask("POST", "/compare", body, {"Content-Type": type_, **HTML})
    assert (alone.status, b"no file was sent" in alone.body) == (400, True)


def test_an_audits_report_is_in_its_page_and_reaches_nothing(
    server: Server, browser: Browser
) -> None:
    job = server.send({"net.prototxt": SMALL}, "audit").json["id"]
    framed = server.get(f"/jobs/{job}/audit.html")
    policy = framed.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none'")
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
    assert framed.body == server.artefact({"id": job}, "audit.html")
    complaints(browser)
    browser.go(f"{server.url}/jobs/{job}")
    inside = browser.find("iframe")[9:]
    browser.command("POST", "/frame", {"id": {ELEMENT: inside}})
    assert "Every H and W runs" in browser.text("body")
    assert browser.run("return self.origin") == "null"
    browser.command("POST", "/frame", {"id": None})
    assert complaints(browser) == []  # its own script was let run


_AXE = ROOT / "build" / "axe.js"


def test_axe_finds_nothing(server: Server, browser: Browser) -> None:
    """On each page, on a desk and on a phone, light and dark (https://www.deque.com/axe/)."""
    if not _AXE.is_file() or not _AXE.stat().st_size:
        pytest.skip("no axe-core (make build/axe.js)")
    axe = _AXE.read_text("utf-8")
    jobs = [
        server.send({"net.prototxt": NET}).json,
        server.send({"net.prototxt": SMALL}, "convert", FILL).json,
        server.send({"net.prototxt": SMALL}, "audit").json,
        server.send({"net.prototxt": NET[:-40]}, "convert").json,
    ]
    paths = [
        "/", "/compare", "/rules", "/rules/UP201", "/sign-in", "/nothing",
        compare(server, SMALL.replace(b"pad: 1", b"pad: 0")),
        *(f"/jobs/{job['id']}" for job in jobs), f"/jobs/{jobs[2]['id']}/audit.html",
    ]  # fmt: skip
    found = []
    for path in paths:
        browser.go(server.url + path)
        browser.run(axe)
        for width, scheme in ((1200, "light"), (500, "dark")):
            browser.resize(width, 800)
            browser.prefer(scheme)
            found += [(path, width, scheme, *one) for one in browser.wait_for_call(_RUN_AXE)]
    assert found == []


_RUN_AXE = """\
const done = arguments[arguments.length - 1];
axe.run({iframes: false}).then((said) => done(said.violations.map(
  (one) => [one.id, one.nodes.map((node) => node.html.slice(0, 120))])),
  (error) => done([[String(error)]]));
"""

_UNNAMED = """\
return Array.from(document.querySelectorAll('a,button,input,progress')).filter((one) =>
  !(one.textContent.trim() || one.getAttribute('aria-label') || (one.labels && one.labels.length))
).map((one) => one.outerHTML)"""

_FAINT = """\
const light = (text) => text.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255)
  .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
  .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
const behind = (one) => { for (; one; one = one.parentElement) {
  const colour = getComputedStyle(one).backgroundColor;
  if (!/, 0\\)$/.test(colour)) { return colour; } } return 'rgb(255,255,255)'; };
return Array.from(document.querySelectorAll('main *, header *')).filter((one) =>
  Array.from(one.childNodes).some((node) => node.nodeType === 3 && node.data.trim())
).filter((one) => {
  const pair = [light(getComputedStyle(one).color), light(behind(one))].sort((a, b) => b - a);
  return (pair[0] + 0.05) / (pair[1] + 0.05) < 4.5; }).map((one) => one.outerHTML.slice(0, 80));"""
