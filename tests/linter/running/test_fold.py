"""How many findings of a file are told, and what of the others is kept."""

from __future__ import annotations

from upconv.converters.ir.errors import MOST_SHOWN
from upconv.converters.ir.origin import Source
from upconv.linter.running.engine import check_source
from upconv.linter.running.fold import MOST

LAYER = (
    "layer {{ name: 'd{0}' type: 'Deconvolution' bottom: '{1}' top: 'b{0}' convolution_param {{ "
    "num_output: 1 kernel_size: 4 stride: 2 weight_filler {{ type: 'bilinear' }} }} }}\n"
)
INPUT = (
    "layer { name: 'x' type: 'Input' top: 'x' "
    "input_param { shape { dim: 1 dim: 1 dim: 3 dim: 4 } } }\n"
)


def test_beyond_a_thousand_the_others_are_one_finding_with_all_their_fixes() -> None:
    more = 3
    layers = "".join(LAYER.format(n, "x") for n in range(MOST + more))
    found = [f for f in check_source(Source("a", INPUT + layers)).findings if f.code == "UP202"]
    assert len(found) == MOST + 1
    assert found[-1].message.endswith(f"(and {more - 1} more of UP202, first at line {MOST + 3})")
    assert found[-1].fix is not None
    lines = {edit.start_line for one in found if one.fix for edit in one.fix.edits}
    assert lines == set(range(2, MOST + more + 2))


def test_a_comment_in_between_leaves_the_fingerprints_of_the_others() -> None:
    plain = [LAYER.format(n, "x") for n in range(3)]
    ignored = [plain[0], "# upconv: ignore[UP202]\n" + plain[1], plain[2]]
    before, after = (
        {
            (f.layer, f.code): f.fingerprint
            for f in check_source(Source("a", INPUT + "".join(text))).findings
        }
        for text in (plain, ignored)
    )
    assert set(before) - set(after) == {("d1", "UP202")}
    assert {name: before[name] for name in after} == after


def test_a_name_as_long_as_a_file_is_shown_in_part() -> None:
    text = INPUT + "layer { " + "p" * 100_000 + ": 1 }"
    for finding in check_source(Source("a", text)).findings:
        assert len(finding.message) < 2 * MOST_SHOWN
