from __future__ import annotations

from collections.abc import Iterator

import pytest

from upconv.linter.context import Context
from upconv.linter.rule import HEADINGS, Hit, rule
from upconv.linter.rules import RULES

PAGE = "A smell.\n\n" + "".join(f"    {heading}:\n        words\n\n" for heading in HEADINGS)


def generator(page: str) -> object:
    def check(context: Context) -> Iterator[Hit]:
        yield Hit("never", "run")

    check.__doc__ = page
    return check


@pytest.mark.parametrize(
    ("code", "name", "page", "problem"),
    [
        ("UP201", "new-name", PAGE, "the code belongs to bilinear-kernel-size"),
        ("UP999", "bilinear-pad", PAGE, "the name is taken"),
        ("UP9", "new-name", PAGE, "a code is capitals and three digits"),
        ("UP999", "New Name", PAGE, "a name is lower-case words"),
        ("UP999", "new-name", "A smell.", "its page has no heading 'What it finds:'"),
        ("UP999", "new-name", PAGE.replace("References", "See"), "no heading 'References:'"),
    ],
)
def test_malformed_rules_are_refused(code: str, name: str, page: str, problem: str) -> None:
    before = dict(RULES)
    with pytest.raises(ValueError, match=problem):
        rule(code, name, severity="info", source="here")(generator(page))  # type: ignore[arg-type]
    assert before == RULES


def test_rule_without_source_is_refused() -> None:
    with pytest.raises(ValueError, match="cites its source"):
        rule("UP999", "new-name", severity="info", source="")(generator(PAGE))  # type: ignore[arg-type]


@pytest.mark.parametrize("code", sorted(RULES))
def test_page_has_all_sections_in_order(code: str) -> None:
    found = RULES[code]
    assert tuple(found.sections) == HEADINGS
    assert all(found.sections.values())
    assert found.summary.endswith(".")
    assert not found.summary.startswith(" ")


def test_codes_stand_in_their_family_module() -> None:
    families = {"file": "UP0", "geometry": "UP1", "merges": "UP1", "bilinear": "UP2"}
    families |= {"weights": "UP2", "porting": "UP3", "wiring": "UP0", "alignment": "UP1"}
    families |= {"overlap": "UP1", "sizes": "UP1", "kernels": "UP2", "fillers": "UP2"}
    families |= {
        "conventions": "UP3",
        "torch_code": "UP3",
        "torch_refused": "UP3",
        "keras_code": "UP3",
        "graph_files": "UP3",
        "mxnet_layers": "UP3",
        "onnx_nodes": "UP4",
        "onnx_sizes": "UP4",
        "engines": "UP5",
    }
    for code, found in RULES.items():
        module = found.check.__module__.rsplit(".", 1)[-1]
        assert code.startswith(families[module])
