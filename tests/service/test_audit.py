"""`upconv audit` and `solve` from the outside: exit codes, formats, and a page for any file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import upconv
from tests.converters.audit.nets import HEAD, NETS, conv, deconv, merge, pool, u_net
from tests.service.test_audit_questions import caffe, run
from upconv.converters.ir.dims import evaluate
from upconv.converters.ir.errors import UsageError
from upconv.service.reports.audit_json import SCHEMA_PATH
from upconv.service.reports.html.arithmetic import Steps
from upconv.service.reports.pictures.net_path import net_path

HOSTILE = '</script><script>alert(1)</script><img/src=x/onerror=alert(2)>\\"\u202e'
LARGEST = 500_000


class Page(HTMLParser):
    """The elements of a page, with their attributes, and the texts of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


@pytest.fixture(scope="module")
def schema() -> Any:
    return json.loads(SCHEMA_PATH.read_text("utf-8"))


def page_of(path: Path, *more: str | Path) -> Page:
    out = path.with_suffix(".html")
    run("audit", path, "--format", "html", "-o", out, *more)
    text = out.read_text("utf-8")
    assert len(text.encode()) < LARGEST
    return Page(text)


@pytest.mark.parametrize("name", NETS)
def test_json_fits_its_schema_and_says_what_runs(name: str, tmp_path: Path, schema: Any) -> None:
    path = caffe(tmp_path, NETS[name]())
    code, lines = run("audit", path, "--format", "json", "--sizes", "224..256:8x231")
    record = json.loads("\n".join(lines))
    jsonschema.validate(record, schema)
    heights, widths = record["asked"]
    said = record["sizes"][0]["runs"]
    belongs = [
        n
        for n in range(224, 257, 8)
        if n in said["exceptions"] or (n >= said["from"] and n % said["modulus"] in said["rests"])
    ]
    assert heights["running"] == belongs
    assert code == (0 if len(belongs) == 5 and widths["running"] else 1)
    assert len(record["layers"]) == len(upconv.load(path).layers)


def test_json_of_one_image_and_of_two_models(tmp_path: Path, schema: Any) -> None:
    path = caffe(tmp_path, u_net(3, "FLOOR"))
    other = tmp_path / "other.prototxt"
    other.write_text(u_net(3, "FLOOR") + conv("more", "score"))
    args = ("--format", "json", "--sizes", "60x64", "--against", other)
    code, lines = run("audit", path, *args)
    record = json.loads("\n".join(lines))
    jsonschema.validate(record, schema)
    assert code == 1
    assert record["image"]["runs"] is False
    assert record["image"]["changes"][0]["sizes"] == {"H": 64, "W": 64}
    assert any(one["right"] == "more" for one in record["differences"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**record, "extra": 1}, schema)


def test_exit_codes(tmp_path: Path) -> None:
    path = caffe(tmp_path, u_net(2, "FLOOR"))
    assert run("audit", path)[0] == 0
    assert run("audit", path, "--sizes", "64..128:4")[0] == 0
    assert run("audit", path, "--sizes", "64..128")[0] == 1
    assert run("audit", path, "--against", path)[0] == 0
    assert run("solve", "--input", "16", "--output", "32")[0] == 0


def test_a_size_that_is_given_is_kept(tmp_path: Path) -> None:
    path = caffe(tmp_path, u_net(2, "FLOOR"))
    code, lines = run("audit", path, "--input", "data=1x3x64x48")
    assert code == 0
    assert "It runs at 1x3x64x48. No size of its inputs is open." in "\n".join(lines)
    code, lines = run("audit", path, "--input", "data=1x3x64x50")
    assert code == 1
    assert "It does not run at 1x3x64x50: 'join1' fails." in "\n".join(lines)
    assert any("'pool1' rounded 12.5 down to 12" in one for one in lines)
    code, lines = run("audit", path, "--input", "data=1x3x64xW")
    assert "W must be a multiple of 4" in "\n".join(lines)


@pytest.mark.parametrize("sizes", ["x", "0", "9..3", "1..9:0", "8x8x8x8", "1e9", "9999999"])
def test_sizes_that_are_none_are_refused(sizes: str, tmp_path: Path) -> None:
    path = caffe(tmp_path, u_net(2, "FLOOR"))
    with pytest.raises(UsageError, match="--sizes"):
        run_raising("audit", path, "--sizes", sizes)


def run_raising(*arguments: str | Path) -> None:
    from click.testing import CliRunner

    from upconv.service.cli.group import cli

    done = CliRunner().invoke(cli, [str(one) for one in arguments], standalone_mode=False)
    if done.exception is not None:
        raise done.exception


def test_node_data_for_model_explorer(tmp_path: Path) -> None:
    _, lines = run("audit", caffe(tmp_path, NETS["HED"]()), "--format", "model-explorer")
    data = json.loads("\n".join(lines))
    assert set(data) == {"results", "gradient"}
    assert data["results"]["pool3"]["value"] == 8.0
    assert "bgColor" in data["results"]["crop2"]
    assert "bgColor" not in data["results"]["crop1"]
    assert [stop["stop"] for stop in data["gradient"]] == [0.0, 1.0]


@pytest.mark.parametrize("name", NETS)
def test_a_page_needs_no_network_and_no_script(name: str, tmp_path: Path) -> None:
    page = page_of(caffe(tmp_path, NETS[name]()))
    tags = [tag for tag, _ in page.elements]
    assert tags.count("h1") == 1
    assert not {"img", "link", "iframe", "object", "base"} & set(tags)
    for _, attributes in page.elements:
        assert not any(key.startswith("on") or key == "src" for key in attributes)
        assert (attributes.get("href") or "#").startswith("#")
        assert "http" not in (attributes.get("style") or "")
    assert "svg" in tags
    policy = next(a for tag, a in page.elements if a.get("http-equiv"))
    assert (policy["content"] or "").startswith("default-src 'none'")


def test_names_of_a_file_are_only_ever_shown(tmp_path: Path) -> None:
    text = (HEAD + pool("p", "data") + deconv("u", "p", "kernel_size: 3 stride: 2")).replace(
        '"u"', f'"{HOSTILE}"'
    )
    text += merge("m", f"data {HOSTILE}")
    clean = page_of(caffe(tmp_path, HEAD + pool("p", "data") + conv("u", "p")))
    hostile = page_of(caffe(tmp_path, text))
    assert len(hostile.scripts) == len(clean.scripts) == 2
    assert not [tag for tag, _ in hostile.elements if tag == "img"]
    assert not [a for _, a in hostile.elements if any(key.startswith("on") for key in a)]
    written = tmp_path.joinpath("net.html").read_text("utf-8")
    assert "\u202e" not in written
    assert "<img" not in written
    assert "alert(1)" in written


def _worked_out(steps: list[Any], at: Mapping[str, int]) -> list[int]:
    """What the page's script does, step by step."""
    values: list[int] = []
    for step in steps:
        match step:
            case int():
                values.append(step)
            case str():
                values.append(at[step])
            case ["+", constant, *parts]:
                pairs = zip(parts[::2], parts[1::2], strict=True)
                values.append(constant + sum(factor * values[i] for factor, i in pairs))
            case ["/", upper, lower]:
                values.append(values[upper] // values[lower])
            case ["*", *factors]:
                product = 1
                for factor in factors:
                    product *= values[factor]
                values.append(product)
            case [kind, *arguments]:
                choose = {"min": min, "max": max}[kind]
                values.append(choose(values[i] for i in arguments))
    return values


@pytest.mark.parametrize("name", NETS)
def test_the_page_works_sizes_out_as_python_does(name: str, tmp_path: Path) -> None:
    path = caffe(tmp_path, NETS[name]())
    audit = upconv.audit(path, findings=False).audit
    steps = Steps()
    sizes = [size for shape in audit.shapes.values() for size in shape or ()]
    places = [steps.of(size) for size in sizes]
    for at in ({"H": 97, "W": 131}, {"H": 224, "W": 320}, {"H": 69, "W": 70}):
        values = _worked_out(steps.table, at)
        assert [values[place] for place in places] == [evaluate(size, at) for size in sizes]


def test_the_page_knows_which_layer_fails(tmp_path: Path) -> None:
    page = page_of(caffe(tmp_path, u_net(2, "FLOOR")))
    data = json.loads(page.scripts[0])
    values = _worked_out(data["steps"], {"H": 64, "W": 66})

    def holds(condition: Any) -> bool:
        kinds = condition["any"]
        return any(values[i] == 0 if k == "==" else values[i] >= 0 for k, i in kinds)

    failing = next(one for one in data["conditions"] if not holds(one))
    assert failing["layer"] == "join1"
    assert data["sets"]["H"] == {"from": 4, "modulus": 4, "rests": [0], "exceptions": []}
    boxes = [a["data-box"] for _, a in page.elements if "data-box" in a]
    assert str(failing["box"]) in boxes


def test_the_path_is_drawn_with_all_layers_once(tmp_path: Path) -> None:
    for name, text in NETS.items():
        path = net_path(upconv.audit(caffe(tmp_path, text()), findings=False).audit)
        layers = [layer for box in path.boxes for layer in box.layers]
        assert len(layers) == len(set(layers)), name
        assert set(path.box_of) == set(layers)
        taken = [(box.x, box.y) for box in path.boxes]
        assert len(taken) == len(set(taken))
        assert all(edge.source < edge.target for edge in path.edges)


def test_a_proof_is_shown_and_nothing_else_is_taken_for_one(tmp_path: Path) -> None:
    path = caffe(tmp_path, HEAD + pool("p", "data"))
    proof = tmp_path / "proof.json"
    layer = {"layer": "p<b>", "operator": "Pool", "max_abs_error": 0.0, "bound": 0.0, "ratio": None}
    proof.write_text(
        json.dumps(
            {
                "verdict": "pass",
                "onnx": "p.onnx",
                "opset": 18,
                "layers": [{**layer, "verdict": "pass"}],
                "outputs": [],
            }
        )
    )
    page_of(path, "--proof", proof)
    assert "p&lt;b&gt;" in path.with_suffix(".html").read_text()
    proof.write_text("[]")
    with pytest.raises(upconv.UnreadableError, match="is no proof"):
        run_raising("audit", path, "--proof", proof)


def test_results_in_python(tmp_path: Path) -> None:
    path = caffe(tmp_path, u_net(2, "FLOOR"))
    result = upconv.audit(path, sizes="64x66")
    assert not result.passed
    assert repr(result) == "<Audit 'net.prototxt': H % 4 == 0, W % 4 == 0>"
    assert "H and W must be multiples of 4" in str(result)
    frame = Page(result._repr_html_())
    assert [tag for tag, _ in frame.elements] == ["iframe"]
    assert frame.elements[0][1]["sandbox"] == "allow-scripts"
    other = tmp_path / "other.prototxt"
    other.write_text(u_net(2, "FLOOR").replace("kernel_size: 1", "kernel_size: 3 pad: 1"))
    same, different = upconv.compare(path, path), upconv.compare(path, other)
    assert same
    assert not different
    assert repr(different).endswith("differences>") or repr(different).endswith("difference>")
    assert "<script" not in different._repr_html_()
    assert re.search(r"'score': kernel is 1 in A, 3 in B", str(different))
