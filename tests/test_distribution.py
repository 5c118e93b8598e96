"""What pip installs: one package, with its data, that runs beside folders of any name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support import ROOT

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
OFFLINE = ("--no-build-isolation", "--no-deps", "--no-index")
TOPS = ("converters", "linter", "service")
DATA = {
    "upconv/py.typed",
    "upconv/converters/readers/torch/aten/aten_schemas.txt",
    "upconv/linter/reports/schema/findings.schema.json",
    "upconv/linter/reports/schema/gitlab.schema.json",
    "upconv/linter/settings/config.schema.json",
}
NET = """\
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 3 dim: 5 dim: 7 } } }
layer { name: "up" type: "Deconvolution" bottom: "data" top: "up" param { lr_mult: 0 }
  convolution_param { num_output: 3 group: 3 kernel_size: 4 stride: 2 pad: 1 bias_term: false
    weight_filler { type: "bilinear" } } }
"""


def wheel_of(source: Path, folder: Path) -> Path:
    command = [*PIP, "wheel", *OFFLINE, "--wheel-dir", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheel_of(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the wheel is installed into, and nothing else."""
    folder = tmp_path_factory.mktemp("site")
    command = [*PIP, "install", "--no-deps", "--no-index", "--no-warn-conflicts"]
    subprocess.run([*command, "--target", str(folder), str(wheel)], check=True, capture_output=True)
    return folder


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A user's repository, whose own packages have the names of our folders."""
    for name in (*TOPS, "fixtures", "tests"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong module')\n")
    (tmp_path / "net.prototxt").write_text(NET)
    return tmp_path


def test_one_package_with_its_data_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"upconv"}
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"upconv"}
    assert names >= DATA
    for top in TOPS:
        files = [path for path in (ROOT / top).rglob("*") if path.is_file()]
        wanted = {
            f"upconv/{path.relative_to(ROOT).as_posix()}"
            for path in files
            if "__pycache__" not in path.parts
        }
        assert len(wanted) > 20
        assert wanted <= names


def test_the_source_distribution_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    """Byte for byte, though archives of sources have no links."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "sdist"]
    subprocess.run(
        [*command, "--directory", str(tmp_path)], cwd=ROOT, check=True, capture_output=True
    )
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as sources:
        sources.extractall(tmp_path, filter="data")
    (unpacked,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert not any((unpacked / "upconv" / top).exists() for top in TOPS)
    assert wheel_of(unpacked, tmp_path / "again").read_bytes() == wheel.read_bytes()


def test_links_that_a_checkout_left_as_texts_do_no_harm(wheel: Path, tmp_path: Path) -> None:
    """As git does on Windows unless it is told that links may be made."""
    names = ("pyproject.toml", "README.md", "LICENSE", ".gitignore", *TOPS)
    copy = tmp_path / "checkout"
    (copy / "upconv").mkdir(parents=True)
    for name in names:
        (copy / name).symlink_to(ROOT / name)
    for path in (ROOT / "upconv").iterdir():
        if path.is_symlink():
            (copy / "upconv" / path.name).write_text(os.readlink(path))
        elif path.is_file():
            (copy / "upconv" / path.name).write_bytes(path.read_bytes())
    assert wheel_of(copy, tmp_path / "wheel").read_bytes() == wheel.read_bytes()


def test_an_editable_install_is_a_path_and_no_copy(tmp_path: Path) -> None:
    script = "import sys; from hatchling.build import build_editable; build_editable(sys.argv[1])"
    command = [sys.executable, "-c", script, str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (made,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(made) as archive:
        (path,) = [name for name in archive.namelist() if ".dist-info/" not in name]
        assert archive.read(path).decode() == str(ROOT)


def run(site: Path, hostile: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command in the user's repository, whose packages come before all others."""
    return subprocess.run(
        command,
        cwd=hostile,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(hostile),
            "PYTHONPATH": f"{hostile}{os.pathsep}{site}",
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(params=["module", "script"])
def command(request: pytest.FixtureRequest, site: Path) -> tuple[str, ...]:
    """Both ways to start it."""
    if request.param == "module":
        return (sys.executable, "-m", "upconv")
    return (str(site / "bin" / "upconv"),)


def test_every_command_runs_beside_folders_of_our_names(
    site: Path, hostile: Path, command: tuple[str, ...]
) -> None:
    def upconv(*arguments: str) -> str:
        done = run(site, hostile, *command, *arguments)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        return done.stdout

    found = json.loads(upconv("check", ".", "--format", "json", "--no-cache"))
    assert [file["path"] for file in found["files"]][-1] == "net.prototxt"
    fill = ("--fill-missing", "bilinear")
    assert upconv("convert", "net.prototxt", "-o", "net.onnx", *fill).startswith("net.onnx: pass")
    assert upconv("verify", "net.prototxt", "net.onnx", *fill).startswith("net.onnx: pass")
    assert upconv("rule", "UP201").startswith("UP201 bilinear-kernel-size (error)")
    assert "Caffe" in upconv("formats")
    assert upconv("--version").startswith("upconv, version ")


def test_the_installed_package_is_what_runs(site: Path, hostile: Path) -> None:
    script = (
        "import sys, upconv\n"
        "done = upconv.convert('net.prototxt', 'net.onnx', fill_missing='bilinear')\n"
        "files = {getattr(m, '__file__', None) or '' for n, m in list(sys.modules.items())\n"
        "         if n.split('.')[0] == 'upconv'}\n"
        "print(done.verdict, all(f.startswith(sys.argv[1]) for f in files if f), len(files) > 50)\n"
    )
    done = run(site, hostile, sys.executable, "-c", script, str(site))
    assert (done.stdout, done.stderr) == ("pass True True\n", "")
