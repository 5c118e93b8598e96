"""The files that other systems read: the action, the pre-commit hook, the snippets for CI."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.support import ROOT
from upconv.converters.readers.formats import FORMATS

BAD = ROOT / "fixtures" / "rules" / "UP201" / "bad.prototxt"
GOOD = ROOT / "fixtures" / "rules" / "UP201" / "good.prototxt"
NEEDS_BASH = pytest.mark.skipif(shutil.which("bash") is None, reason="the action's shell is bash")


def validator(name: str) -> Any:
    """A validator for a schema of SchemaStore, which check-jsonschema carries."""
    folder = "check_jsonschema/builtin_schemas/vendor"
    path = Path(str(distribution("check-jsonschema").locate_file(f"{folder}/{name}.json")))
    schema = json.loads(path.read_text("utf-8"))
    return jsonschema.validators.validator_for(schema)(schema)


def yaml_of(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text("utf-8"))


def snippet(page: str) -> Any:
    """The one YAML block of a page."""
    (found,) = re.findall(
        r"^```yaml\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    # YAML 1.1 reads GitHub's key `on` as true.
    return {("on" if key is True else key): value for key, value in yaml.safe_load(found).items()}


@pytest.fixture(scope="module")
def action() -> dict[str, Any]:
    found: dict[str, Any] = yaml_of("action.yml")
    return found


@pytest.fixture
def check_step(action: dict[str, Any]) -> dict[str, Any]:
    (found,) = [step for step in action["runs"]["steps"] if step.get("id") == "check"]
    step: dict[str, Any] = found
    return step


def test_action_fits_githubs_schema(action: dict[str, Any]) -> None:
    validator("github-actions").validate(action)
    with pytest.raises(jsonschema.ValidationError):
        validator("github-actions").validate(action | {"runs": {"using": "composite"}})


def test_workflow_example_fits_githubs_schema_and_the_action(action: dict[str, Any]) -> None:
    workflow = snippet("docs/ci/github.md")
    validator("github-workflows").validate(workflow)
    assert workflow["permissions"]["security-events"] == "write"
    (step,) = [s for s in workflow["jobs"]["check"]["steps"] if "upconv" in s.get("uses", "")]
    assert set(step["with"]) <= set(action["inputs"])


def test_every_input_is_used_and_described(action: dict[str, Any]) -> None:
    text = (ROOT / "action.yml").read_text("utf-8").split("\nruns:")[1]
    page = (ROOT / "docs" / "ci" / "github.md").read_text("utf-8")
    for name, entry in action["inputs"].items():
        assert f"inputs.{name} " in text
        (shown,) = re.findall(rf"^\| `{name}` \|.*\| (.*) \|$", page, re.MULTILINE)
        assert shown.strip("`") == (entry["default"] or "none")


def test_no_input_is_pasted_into_a_script(action: dict[str, Any]) -> None:
    scripts = [step["run"] for step in action["runs"]["steps"] if "run" in step]
    assert len(scripts) == 2
    assert [script for script in scripts if "${{" in script] == []


def run_step(
    step: dict[str, Any], folder: Path, paths: str, args: str = "", fail_on: str = "error"
) -> tuple[subprocess.CompletedProcess[str], str]:
    """The check step as a runner runs it, and what it said its outputs are."""
    outputs = folder / "outputs"
    outputs.touch()
    values = {
        "inputs.paths": paths,
        "inputs.args": args,
        "inputs.fail-on": fail_on,
    }
    variables = {key: values[text[4:-3]] for key, text in step["env"].items()}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=ROOT,
        env={
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "RUNNER_TEMP": str(folder),
            "GITHUB_OUTPUT": str(outputs),
            "UPCONV_CACHE": "false",
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done, outputs.read_text("utf-8")


@NEEDS_BASH
def test_step_fails_annotates_and_leaves_sarif(check_step: dict[str, Any], tmp_path: Path) -> None:
    done, outputs = run_step(check_step, tmp_path, f"{BAD}\n\n{GOOD}\n")
    assert done.returncode == 1, done.stderr
    assert "\n::error file=fixtures/rules/UP201/bad.prototxt,line=18," in done.stdout
    assert outputs == f"sarif={tmp_path}/upconv.sarif\n"
    log = json.loads((tmp_path / "upconv.sarif").read_text("utf-8"))
    assert {result["ruleId"] for result in log["runs"][0]["results"]} >= {"UP201"}


@NEEDS_BASH
def test_step_passes_its_inputs_on(check_step: dict[str, Any], tmp_path: Path) -> None:
    mild = run_step(check_step, tmp_path, str(BAD), "--select UP201 --exit-zero")[0]
    assert mild.returncode == 0, mild.stderr
    assert "UP201" in mild.stdout
    strict = run_step(check_step, tmp_path, str(GOOD), "--select UP2", "info")[0]
    assert strict.returncode == 0, strict.stdout + strict.stderr


@NEEDS_BASH
def test_step_that_cannot_check_leaves_no_sarif(check_step: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "upconv.sarif").write_text("of an earlier step", "utf-8")
    done, outputs = run_step(check_step, tmp_path, "$(touch injected)", "--no-such-option")
    assert done.returncode == 2
    assert outputs == ""
    assert not (ROOT / "injected").exists()


def test_hook_runs_a_command_on_the_files_a_search_takes() -> None:
    (hook,) = yaml_of(".pre-commit-hooks.yaml")
    assert {"id", "name", "entry", "language"} <= set(hook)
    assert hook["entry"].split() == ["upconv", "check"]
    assert hook["pass_filenames"] is False
    pattern = re.compile(hook["files"])
    endings = {extension for entry in FORMATS for extension in entry.searched}
    assert [one for one in endings if not pattern.search(f"models/net.{one}")] == []
    assert not pattern.search("model.prototxt.md")


def test_hook_example_names_the_hook() -> None:
    (hook,) = yaml_of(".pre-commit-hooks.yaml")
    (used,) = snippet("docs/ci/pre-commit.md")["repos"][0]["hooks"]
    assert used["id"] == hook["id"]


def test_gitlab_snippet_fits_gitlabs_schema() -> None:
    pipeline = snippet("docs/ci/gitlab.md")
    validator("gitlab-ci").validate(pipeline)
    (job,) = pipeline.values()
    reports = set(job["artifacts"]["reports"].values())
    written = {text.split(":")[1] for text in re.findall(r"--output (\S+)", job["script"][-1])}
    assert written == reports
