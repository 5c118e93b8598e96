from __future__ import annotations

import pytest

from upconv.converters.ir.origin import Source
from upconv.linter.finding import FileReport
from upconv.linter.running.engine import check_source

NET = """input: "data" input_shape { dim: 1 dim: 2 dim: 8 dim: 8 }
layer {
  name: "up"
  type: "Deconvolution"
  bottom: "data"
  top: "up"
  param { lr_mult: 0 }
  convolution_param {
    num_output: 2 group: 2 bias_term: false
    kernel_size: 2 stride: 2 weight_filler { type: "bilinear" }
  }
}
layer { name: "relu" type: "ReLU" bottom: "up" top: "up" }
"""


def check(text: str) -> FileReport:
    return check_source(Source("net.prototxt", text))


def with_comment(comment: str, before: str) -> str:
    """The net with a comment put before the first occurrence of a text."""
    at = NET.index(before)
    return NET[:at] + comment + NET[at:]


def test_without_comment_it_fires() -> None:
    assert [f.code for f in check(NET).findings] == ["UP201"]


@pytest.mark.parametrize(
    "before",
    [
        pytest.param("layer {\n", id="line above"),
        pytest.param("\n  name", id="opening line"),
        pytest.param("  bottom", id="line inside"),
        pytest.param("layer {\n  name", id="above"),
    ],
)
@pytest.mark.parametrize(
    "words",
    [
        "# upconv: ignore[UP201]",
        "#upconv:ignore[UP201] because",
        "# upconv: ignore[UP202, UP201] two",
        "# upconv: ignore[UP2]",
        "# upconv: ignore[bilinear-kernel-size]",
    ],
)
def test_silences_its_layer(before: str, words: str) -> None:
    comment = f" {words}" if before.startswith("\n") else f"{words}\n"
    report = check(with_comment(comment, before))
    assert "UP201" not in {f.code for f in report.findings}
    (silenced,) = report.silenced
    assert (silenced.finding.code, silenced.by) == ("UP201", "comment")


def test_silencing_one_leaves_the_fingerprints_of_the_others() -> None:
    again = NET[NET.index("layer {") :]
    before = [f.fingerprint for f in check(NET + again).findings]
    after = check(with_comment("# upconv: ignore[UP2] wanted\n", "layer {\n") + again)
    silenced = {one.finding.fingerprint: one.reason for one in after.silenced}
    assert set(silenced.values()) == {"wanted"}
    assert set(before) == {f.fingerprint for f in after.findings} | set(silenced)
    assert not set(silenced) & {f.fingerprint for f in after.findings}


def test_further_comment_lines_may_stand_between() -> None:
    text = with_comment("# upconv: ignore[UP201] see below\n# more words\n", "layer {\n")
    assert check(text).findings == ()


@pytest.mark.parametrize(
    ("comment", "before"),
    [
        ("# upconv: ignore[UP201]\n\n", "layer {\n"),
        ("# upconv: ignore[UP201]\n", 'layer { name: "relu"'),
        ("# upconv: ignore[UP202]\n", "layer {\n"),
        ("# upconv: ignore[]\n", "layer {\n"),
        ("# upconv ignore[UP201]\n", "layer {\n"),
        ("# upconv: ignore UP202\n", "layer {\n"),
        ("# upconv: ignored\n", "layer {\n"),
        ("# upconv: ignore\n\n", "layer {\n"),
    ],
    ids=[
        *("blank line between", "other layer", "other code", "no code", "no colon"),
        *("other code, no brackets", "another word", "no brackets, blank line between"),
    ],
)
def test_does_not_silence(comment: str, before: str) -> None:
    report = check(with_comment(comment, before))
    assert "UP201" in {f.code for f in report.findings}


@pytest.mark.parametrize(
    ("comment", "reason"),
    [
        ("# upconv: ignore", ""),
        ("# upconv:ignore the crop compensates", "the crop compensates"),
        ("# upconv: ignore UP201", ""),
        ("# upconv: ignore UP205, UP201 so it was trained", "so it was trained"),
        ("# upconv: ignore UP2 UP1", ""),
    ],
)
def test_works_without_brackets(comment: str, reason: str) -> None:
    report = check(with_comment(f"{comment}\n", "layer {\n"))
    assert "UP201" not in {f.code for f in report.findings}
    (silenced,) = report.silenced
    assert (silenced.finding.code, silenced.reason) == ("UP201", reason)


def test_a_comment_without_codes_that_silences_nothing_is_told() -> None:
    report = check(with_comment("# upconv: ignore\n", 'layer { name: "relu"'))
    assert "this comment silences nothing" in [f.message for f in report.findings]


def test_mark_inside_a_string_is_no_comment() -> None:
    text = NET.replace('name: "relu"', 'name: "# upconv: ignore[UP201]"')
    assert [f.code for f in check(text).findings] == ["UP201"]


def test_unused_codes_are_reported_one_by_one() -> None:
    report = check(with_comment("# upconv: ignore[UP201, UP205, UP999] mixed\n", "layer {\n"))
    found = [(f.code, f.message) for f in report.findings]
    assert found == [
        ("UP005", "'UP205' silences nothing here"),
        ("UP005", "'UP999' silences nothing here"),
    ]


def test_comment_on_an_input_layer_is_its_own() -> None:
    text = NET.replace(
        'input: "data" input_shape { dim: 1 dim: 2 dim: 8 dim: 8 }\n',
        '# upconv: ignore[UP201]\nlayer { name: "data" type: "Input" top: "data" '
        "input_param { shape { dim: 1 dim: 2 dim: 8 dim: 8 } } }\n",
    )
    assert {f.code for f in check(text).findings} == {"UP005", "UP201"}
