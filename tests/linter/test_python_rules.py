"""Rules on Python source: fixes, comments, notebooks, and which files a search takes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn, zeros
from torch.nn import functional

from tests.support import ROOT, Golden
from upconv.converters.ir.origin import Source
from upconv.linter.finding import FileReport, Safety
from upconv.linter.fixing.fix import apply_fixes, decoded, fix_text, read_text
from upconv.linter.running.discovery import discover
from upconv.linter.running.engine import CheckOptions, check_path, check_source

RULES = ROOT / "fixtures" / "rules"
FIXABLE = sorted(path.parent.name for path in RULES.glob("*/fixed.py"))
SAFE: tuple[Safety, ...] = ("safe",)
TORCH = "import torch.nn as nn\nimport torch.nn.functional as F\n"


def check(code: str, path: str = "net.py") -> FileReport:
    return check_source(Source(path, code), CheckOptions())


def codes(code: str, path: str = "net.py") -> list[str]:
    return [finding.code for finding in check(code, path).findings]


@pytest.mark.golden
@pytest.mark.parametrize("code", FIXABLE)
def test_fixed_fixture(code: str, golden: Golden) -> None:
    path = RULES / code / "bad.py"
    options = CheckOptions(select=(code,))
    text = read_text(str(path))
    result = fix_text(
        text,
        check_path(path, options),
        ("safe", "unsafe"),
        lambda source: check_source(source, options),
    )
    golden(RULES / code / "fixed.py", result.text.source.text)
    assert all(finding.fix is None for finding in result.report.findings)


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"),
    [(1, 2, 1), (3, 2, 2), (2, 3, 1), (3, 4, 2), (1, 4, 3), (3, 6, 3), (7, 6, 4)],
)
def test_what_fills_holes(kernel: int, stride: int, dilation: int) -> None:
    """All that the help names is needed, and no more."""

    def found(kernel: int, dilation: int) -> list[str]:
        words = f"8, 8, {kernel}, stride={stride}, dilation={dilation}"
        report = check(f"{TORCH}up = nn.ConvTranspose2d({words})\n")
        return [finding.help for finding in report.findings if finding.code == "UP108"]

    (remedy,) = found(kernel, dilation)
    wanted = re.search(r"kernel of at least (\d+)", remedy)
    taps, apart = int(wanted[1]) if wanted else kernel, 1 if "dilation 1" in remedy else dilation
    assert found(taps, apart) == []
    assert taps == kernel or found(kernel, apart)
    assert apart == dilation or found(taps, dilation)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("F.interpolate(x, None, 2, 'bilinear')", "'bilinear', align_corners=False)"),
        ("F.interpolate(x, None, 2, 'bilinear',)", "'bilinear', align_corners=False,)"),
        ("F.interpolate(x, None, 2, ('bilinear'))", "('bilinear'), align_corners=False)"),
        ("F.interpolate(x, None, 2, mode=('bilinear'),)", "('bilinear'),align_corners=False)"),
        ("F.interpolate(x, None, 2, 'bilinear'  # a, b\n)", "# a, b\n, align_corners=False)"),
        ("F.interpolate(x, None, 2, 'bilinear',  # a, b\n)", "# a, b\nalign_corners=False)"),
    ],
)
def test_an_argument_is_added_where_it_parses(before: str, after: str) -> None:
    code = f"{TORCH}y = {before}\n"
    report = check(code)
    text = decoded("net.py", code.encode())
    result = fix_text(text, report, SAFE, lambda source: check_source(source, CheckOptions()))
    fixed = result.text.source.text
    assert fixed.rstrip("\n").endswith(after)
    compile(fixed, "net.py", "exec")


@pytest.mark.parametrize(
    "code",
    [
        "up = nn.ConvTranspose2d(8, 8, 3, 2, 1, 1)  # upconv: ignore[UP107] meant",
        "# upconv: ignore[UP107] meant\nup = nn.ConvTranspose2d(8, 8, 3, 2, 1, 1)",
        "# upconv: ignore[uneven-overlap] it's so\nup = nn.ConvTranspose2d(\n  8, 8, 3, 2, 1, 1)",
        "up = nn.ConvTranspose2d(8, 8,\n    3,  # upconv: ignore[UP1] meant\n    2, 1, 1)",
    ],
)
def test_comments_silence(code: str) -> None:
    assert codes(TORCH + code) == []


def test_comments_in_texts_do_not_and_idle_ones_are_told() -> None:
    text = 'x = """\n# upconv: ignore[UP107]\n"""; up = nn.ConvTranspose2d(8, 8, 3, 2, 1, 1)'
    assert codes(TORCH + text) == ["UP107"]
    idle = "# upconv: ignore[UP107]\nup = nn.ConvTranspose2d(8, 8, 4, 2, 1)"
    assert codes(TORCH + idle) == ["UP005"]


def test_a_notebook_is_fixed_in_its_json() -> None:
    cell = "y = F.interpolate(x, None, 2, mode='bilinear')\nz = F.upsample_bilinear(x, None, 2)"
    found = [
        {"cell_type": "code", "source": [TORCH]},
        {"cell_type": "code", "source": cell.splitlines(keepends=True)},
    ]
    code = json.dumps({"cells": found}, indent=1)
    report = check(code, "net.ipynb")
    assert [(f.code, f.message.rpartition("(")[2]) for f in report.findings] == [
        ("UP321", "cell 2, line 1)"),
        ("UP301", "cell 2, line 2)"),
        ("UP322", "cell 2, line 2)"),
    ]
    place = report.findings[0].place
    assert place is not None
    assert "F.interpolate" in code.splitlines()[place.line - 1]
    fixed, applied = apply_fixes(Source("net.ipynb", code), report.findings, SAFE)
    assert len(applied) == 2
    assert json.loads(fixed)["cells"][1]["source"] == [
        "y = F.interpolate(x, None, 2, mode='bilinear', align_corners=False)\n",
        'z = F.interpolate(x, None, 2, mode="bilinear", align_corners=True)',
    ]


REFUSED = [
    "nn.Upsample((4, 4), scale_factor=2)",
    "nn.Upsample(mode='nearest')",
    "nn.Upsample(None, 2, 'nearest', False)",
    "nn.Upsample(size=9, recompute_scale_factor=True)",
    "nn.Upsample(None, 2, 'cubic')",
    "nn.Upsample(scale_factor=0)",
    "nn.Upsample(scale_factor=-2, mode='bilinear')",
    "nn.Upsample(scale_factor=(2, 2, 2), mode='bilinear')",
    "nn.Upsample(size=2.0)",
    "nn.PixelShuffle(0)",
    "nn.PixelShuffle(2.0)",
    "nn.ConvTranspose2d(2, 3, 4, groups=2)",
    "nn.ConvTranspose2d(3, 4, 4, groups=2)",
    "nn.ConvTranspose2d(2, 4, 4, groups=0)",
    "nn.ConvTranspose2d(2, 2, 4, padding_mode='reflect')",
    "nn.ConvTranspose2d(2, 2, kernal_size=4)",
    "nn.ConvTranspose2d(2, 2, 4, 2, kernel_size=4)",
    "nn.ConvTranspose2d(2, 2, 4, 2.0)",
    "nn.ConvTranspose2d(2, 2, 4, 0)",
    "nn.ConvTranspose2d(2, 2, 4, 2, -1)",
    "nn.ConvTranspose2d(2, 2, 4, 2, 'same')",
    "nn.ConvTranspose2d(2, 2, (4, 4, 4))",
]
ACCEPTED = [
    "nn.Upsample((4, 4))",
    "nn.Upsample(None, (2, 3), 'nearest-exact')",
    "nn.Upsample(None, 2, 'bicubic', True)",
    "nn.Upsample(9, None, 'bilinear', False)",
    "nn.Upsample(scale_factor=True)",
    "nn.ConvTranspose2d(2, 4, [4, 3], (2,), 1, (1, 0), 2, 0, 1, 'zeros', 'cpu', None)",
    "nn.LazyConvTranspose2d(4, 3, 2, 1, 1)",
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_called_refused_torch_refuses(text: str) -> None:
    assert "UP325" in codes(f"{TORCH}up = {text}")
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        eval(text, {"nn": nn})(zeros(1, 2, 5, 5))


@pytest.mark.parametrize("text", ACCEPTED)
def test_what_torch_takes_is_not_called_refused(text: str) -> None:
    assert "UP325" not in codes(f"{TORCH}up = {text}")
    eval(text, {"nn": nn})(zeros(1, 2, 5, 5))


@pytest.mark.parametrize(
    ("call", "found"),
    [
        ("self.up(x)", ["UP111"]),
        ("self.up(x, output_size=skip.shape[2:])", []),
        ("self.up(x, skip.shape[2:])", []),
        ("self.up(x, **options)", []),
        ("self.other(x, skip), make()(x, skip)", ["UP111"]),
    ],
)
def test_an_output_size_at_the_call_decides(call: str, found: list[str]) -> None:
    code = (
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        self.up = nn.ConvTranspose2d(8, 8, 4, 2)\n"
        "    def forward(self, x, skip):\n"
        f"        return {call}\n"
    )
    assert codes(TORCH + code) == found


def test_a_volume_for_an_image_layer_is_one_finding() -> None:
    code = "net = nn.Sequential(nn.ConvTranspose3d(8, 8, 2, 2), nn.Conv2d(8, 8, 3))"
    assert codes(TORCH + code) == ["UP114"]


@pytest.mark.parametrize(("stride", "extra", "dilation"), [(2, 2, 1), (2, 2, 3), (1, 0, 1)])
def test_functional_output_padding_is_judged_as_torch_judges_it(
    stride: int, extra: int, dilation: int
) -> None:
    call = f"conv_transpose2d(x, w, None, {stride}, 0, {extra}, 1, {dilation})"
    refused = "UP325" in codes(f"{TORCH}F.{call}")
    known = {"x": zeros(1, 2, 5, 5), "w": zeros(2, 2, 3, 3)}
    if refused:
        with pytest.raises(RuntimeError, match="output padding"):
            eval(f"functional.{call}", {"functional": functional, **known})
    else:
        eval(f"functional.{call}", {"functional": functional, **known})


def test_antialias_of_nearest_is_refused() -> None:
    assert "UP325" in codes(f"{TORCH}F.interpolate(x, None, 2, antialias=True)")
    with pytest.raises(ValueError, match=r"[aA]nti"):
        functional.interpolate(zeros(1, 2, 5, 5), None, 2, antialias=True)


def test_fixes_of_deprecated_calls_change_no_number() -> None:
    x = torch.rand(1, 2, 5, 7)
    with pytest.warns(UserWarning, match="deprecated"):
        old = [
            functional.upsample_bilinear(x, scale_factor=2),
            functional.upsample(x, None, 3),
        ]
    new = [
        functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True),
        functional.interpolate(x, None, 3),
    ]
    assert all(torch.equal(a, b) for a, b in zip(old, new, strict=True))
    bilinear = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
    assert torch.equal(nn.UpsamplingBilinear2d(scale_factor=2)(x), bilinear(x))


@pytest.mark.parametrize("extra", [0, 1, 2, 3])
@pytest.mark.parametrize(("stride", "dilation"), [(2, 1), (2, 3), (1, 2), (3, 3)])
def test_output_padding_is_judged_as_torch_judges_it(
    extra: int, stride: int, dilation: int
) -> None:
    text = f"nn.ConvTranspose2d(2, 2, 3, {stride}, output_padding={extra}, dilation={dilation})"
    found = set(codes(f"{TORCH}up = {text}"))
    try:
        eval(text, {"nn": nn})(zeros(1, 2, 4, 4))
    except RuntimeError:
        assert "UP109" in found
        assert "UP324" not in found
    else:
        assert "UP109" not in found
        assert ("UP324" in found) == (extra >= stride)


def test_a_search_takes_the_code_that_upsamples(tmp_path: Path) -> None:
    for name, text in {
        "a.py": TORCH + "nn.Upsample(None, 2)",
        "b.py": TORCH,
        "c.py": "interpolate(x)",
        "d.ipynb": json.dumps(
            {"cells": [{"cell_type": "code", "source": "import torch\nF.interpolate"}]}
        ),
        "e.txt": TORCH + "nn.Upsample(None, 2)",
    }.items():
        (tmp_path / name).write_text(text, "utf-8")
    assert [found.path.name for found in discover([tmp_path])] == ["a.py", "d.ipynb"]


def test_rules_about_caffes_words_are_silent() -> None:
    code = TORCH + (
        "net = nn.Sequential(nn.AvgPool2d(3, 2, 1), nn.MaxPool2d(2, ceil_mode=True),"
        " nn.Upsample((64, 64)))\n"
        "un = nn.MaxUnpool2d(2)\n"
    )
    assert codes(code) == []


ALIGNED = (
    "nn.Upsample(None, 2, 'bilinear', True)",
    "nn.UpsamplingBilinear2d(scale_factor=2)",
    "F.interpolate(x, scale_factor=2, mode='bicubic', align_corners=True)",
    "F.upsample_bilinear(x, (9, 9))",
)


@pytest.mark.parametrize("call", ALIGNED)
def test_aligned_corners_in_code_are_told(call: str) -> None:
    found = [f for f in check(f"{TORCH}y = {call}\n").findings if f.code == "UP301"]
    assert [(f.severity, f.place and f.place.line) for f in found] == [("info", 3)]


def test_aligned_corners_are_told_once_a_file() -> None:
    code = TORCH + "".join(f"y{n} = {call}\n" for n, call in enumerate(ALIGNED))
    (found,) = (f for f in check(code).findings if f.code == "UP301")
    assert found.message.endswith("(and 3 more, first at line 4)")
    assert "UP301" not in codes(TORCH + "y = F.interpolate(x, scale_factor=2, mode='bilinear')")


def test_a_check_of_code_imports_nothing_heavy(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(TORCH + "up = nn.ConvTranspose2d(8, 8, 3, 2)", "utf-8")
    script = (
        "import sys; from upconv.linter.running.engine import check_path;"
        f"found = check_path({str(path)!r}).findings;"
        "assert [f.code for f in found] == ['UP107', 'UP111'], found;"
        "print({'numpy', 'torch', 'onnx', 'h5py', 'pickletools'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert run.stdout == "set()\n"


@pytest.mark.parametrize(
    "call",
    [
        "F.upsample(x, scale_factor=())",
        "F.interpolate(x, scale_factor=[])",
        "F.interpolate(x, scale_factor=(2, 2, 2, 2))",
        "F.interpolate(x, size=(1, 2, 3, 4, 5))",
        "nn.Upsample(size=())",
        "nn.Upsample(scale_factor=())",
        "nn.ConvTranspose2d(3, 3, ())",
        "nn.ConvTranspose2d(3, 3, 4, stride=(2, 2, 2))",
        "nn.MaxUnpool2d(())",
        "F.pixel_shuffle(x, ())",
    ],
)
def test_a_literal_of_another_length_is_no_crash(call: str) -> None:
    assert "UP006" not in codes(f"{TORCH}y = {call}\n")
