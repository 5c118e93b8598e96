"""A rule's page as Markdown: for the documentation, and for SARIF's `help`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from upconv.linter.rule import Rule


@dataclass(frozen=True, slots=True)
class Family:
    """Rules that ask about the same thing: a tag for machines, a title for people."""

    tag: str
    title: str


FAMILIES: Final = {
    "UP0": Family("file", "The file"),
    "UP1": Family("geometry", "Geometry"),
    "UP2": Family("weights", "Fillers and weights"),
    "UP3": Family("porting", "Porting between frameworks"),
    "UP4": Family("onnx", "ONNX and its runtimes"),
    "UP5": Family("engines", "Engines"),
}
"""What the first digit of a code says."""

_CODE_SECTIONS: Final = ("Example", "Use instead")
_LOOKS_LIKE_CODE: Final = re.compile(
    r"\{|^[a-z_]+: |^([\w.]+ = )?[\w.]+\(|^upconv |=\d", re.MULTILINE
)
_INLINE_CODE: Final = re.compile(r"(`[^`\n]*`)")
_ACTIVE: Final = re.compile(r"([*<\[\]]|^[#>](?=\s))", re.MULTILINE)


DOCUMENTATION: Final = "https://git.example.com/OWNER/upconv/docs/"
"""Where the site of docs/ is published. Who publishes it elsewhere says so here, and in
pyproject.toml."""


def rule_url(rule: Rule) -> str:
    """Where the page of one of our own rules is; "" for those of plugins."""
    ours = rule.code[:3] in FAMILIES
    return f"{DOCUMENTATION}rules/{rule.code}/" if ours else ""


def rule_page(rule: Rule) -> str:
    """The whole page, with its title."""
    return f"# {rule.code} {rule.name}\n\n{rule_body(rule)}"


def rule_body(rule: Rule) -> str:
    """The page without its title: the smell, severity and status, then every section."""
    return "\n\n".join(_parts(rule)) + "\n"


def _parts(rule: Rule) -> Iterator[str]:
    yield prose(rule.summary)
    fixes = f"fixes are {' or '.join(rule.fixes)}" if rule.fixes else "there is no fix"
    where = f" Formats: {', '.join(rule.where)}." if rule.where else ""
    yield f"Severity: **{rule.severity}** by default; {fixes}. Status: {rule.status}.{where}"
    for heading, text in rule.sections.items():
        yield f"## {heading}"
        yield _fenced(text) if heading in _CODE_SECTIONS and is_code(text) else prose(text)
    yield "## Silence it"
    yield f"`# upconv: ignore[{rule.code}] reason`, on the layer or on the line above it."


def is_code(text: str) -> bool:
    """Whether an example is something one could write in a file, rather than a sentence.

    >>> is_code("param { lr_mult: 0 }"), is_code("num_output: 512"), is_code("Crop it first.")
    (True, True, False)
    """
    return _LOOKS_LIKE_CODE.search(text) is not None


def prose(text: str) -> str:
    r"""Words that mean themselves: what Markdown would act on is escaped, outside of `code`.

    >>> prose("2*(38-1) in `a*b`")
    '2\\*(38-1) in `a*b`'
    """
    pieces = _INLINE_CODE.split(text)
    pieces[::2] = [_ACTIVE.sub(r"\\\1", piece) for piece in pieces[::2]]
    return "".join(pieces)


def _fenced(text: str) -> str:
    return f"```text\n{text}\n```"
