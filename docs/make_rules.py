"""Write one page per rule into docs/rules, their index, and the table in the README.

    python docs/make_rules.py

The pages are the rules' docstrings, so this file holds no words about any rule.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from linter import rules as _rules  # noqa: F401  (importing them registers them)
from linter.rule import RULES, Rule

BEGIN, END = "<!-- rules: begin -->", "<!-- rules: end -->"


def page(rule: Rule) -> str:
    parts = [f"# {rule.code} {rule.name}", f"Severity: {rule.severity}", rule.summary]
    for heading, text in rule.sections.items():
        is_code = heading in ("Example", "Use instead") and "{" in text
        body = f"```\n{text}\n```" if is_code else text
        parts += [f"## {heading}", body]
    return "\n\n".join(parts) + "\n"


def table(link: str) -> str:
    rows = ["| Code | Name | Severity | Finds |", "| --- | --- | --- | --- |"]
    rows += [
        f"| [{r.code}]({link}{r.code}.md) | {r.name} | {r.severity} | {r.summary} |"
        for r in sorted(RULES.values(), key=lambda rule: rule.code)
    ]
    return "\n".join(rows)


def readme(text: str) -> str:
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{table('docs/rules/')}\n{END}{after}"


def files() -> dict[Path, str]:
    """Every generated file and its text."""
    folder = ROOT / "docs/rules"
    made = {folder / f"{rule.code}.md": page(rule) for rule in RULES.values()}
    made[folder / "index.md"] = f"# Rules\n\n{table('')}\n"
    made[ROOT / "README.md"] = readme((ROOT / "README.md").read_text())
    return made


def main() -> None:
    for path, text in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    print(f"docs/rules: {len(RULES)} rules")


if __name__ == "__main__":
    main()
