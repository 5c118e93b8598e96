"""Write one page per rule into docs/rules and one per engine into docs/engines, their indexes, the
formats, and the README's table.

    python docs/make_rules.py           # write
    python docs/make_rules.py --check   # name what is stale, and exit with 1

The pages are the rules' docstrings and the engines' profiles, so this file holds no words about
any of them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from upconv.converters.readers.formats import FORMATS
from upconv.linter.engines.page import engine_page, index_page
from upconv.linter.engines.profile import profiles
from upconv.linter.page import FAMILIES, prose, rule_page
from upconv.linter.rule import Rule
from upconv.linter.rules import RULES

ROOT = Path(__file__).resolve().parent.parent
RULE_PAGES = ROOT / "docs" / "rules"
ENGINE_PAGES = ROOT / "docs" / "engines"
MARK = "<!-- {name}: {end} -->"


def rules_by_family() -> dict[str, list[Rule]]:
    """Title of a family -> its rules, by code; families without rules are left out."""
    ordered = sorted(RULES.values(), key=lambda rule: rule.code)
    found = {
        family.title: [rule for rule in ordered if rule.code.startswith(prefix)]
        for prefix, family in FAMILIES.items()
    }
    return {title: rules for title, rules in found.items() if rules}


def rows(rules: list[Rule], link: str) -> list[str]:
    head = [
        "| Code | Name | Severity | Fix | Formats | Finds |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    return head + [row(rule, link) for rule in rules]


def row(rule: Rule, link: str) -> str:
    fixes, where = ", ".join(rule.fixes), ", ".join(rule.where) or "all"
    finds = prose(rule.summary).replace("|", chr(92) + "|")
    named = f"[{rule.code}]({link}{rule.code}.md) | {rule.name}"
    return f"| {named} | {rule.severity} | {fixes} | {where} | {finds} |"


def table(link: str) -> str:
    """All rules in one table."""
    rules = [rule for family in rules_by_family().values() for rule in family]
    return "\n".join(rows(rules, link))


def index() -> str:
    """The page that lists the rules, family by family."""
    parts = [
        "# Rules",
        f"{len(RULES)} rules. A code never changes its meaning and is never used twice; severities "
        "are a [setting](../configuration.md).",
    ]
    for title, rules in rules_by_family().items():
        parts += [f"## {title}", "\n".join(rows(rules, ""))]
    return "\n\n".join(parts) + "\n"


def formats() -> str:
    """The table of model formats, as `upconv formats` lists them."""
    head = ["| Format | State | Usual extensions |", "| --- | --- | --- |"]
    return "\n".join(
        head + [f"| {f.name} | {f.state} | {' '.join(f.extensions)} |" for f in FORMATS]
    )


def between(path: Path, name: str, text: str) -> str:
    """A file's text with what stands between its two marks replaced.

    Raises ValueError where the file has not exactly one pair of marks.
    """
    begin, end = (MARK.format(name=name, end=word) for word in ("begin", "end"))
    whole = path.read_text("utf-8")
    if whole.count(begin) != 1 or whole.count(end) != 1:
        raise ValueError(f"{path}: needs one {begin} and one {end}")
    before, rest = whole.split(begin)
    return f"{before}{begin}\n\n{text}\n\n{end}{rest.split(end)[1]}"


def files() -> dict[Path, str]:
    """Every generated file and its text."""
    readme, formats_page = ROOT / "README.md", ROOT / "docs" / "formats.md"
    made = {RULE_PAGES / f"{rule.code}.md": rule_page(rule) for rule in RULES.values()}
    made[RULE_PAGES / "index.md"] = index()
    made |= {ENGINE_PAGES / f"{name}.md": engine_page(one) for name, one in profiles().items()}
    made[ENGINE_PAGES / "index.md"] = index_page()
    made[formats_page] = between(formats_page, "formats", formats())
    made[readme] = between(readme, "rules", table("docs/rules/"))
    return made


def stale() -> list[Path]:
    """Files that differ from what would be written, and pages of what is no more."""
    made = files()
    changed = [p for p, text in made.items() if not p.is_file() or p.read_text("utf-8") != text]
    there = {page for folder in (RULE_PAGES, ENGINE_PAGES) for page in folder.glob("*.md")}
    return changed + sorted(there - set(made))


def write() -> None:
    for folder in (RULE_PAGES, ENGINE_PAGES):
        folder.mkdir(exist_ok=True)
    made = files()
    for path in stale():
        if path in made:
            path.write_text(made[path], "utf-8")
        else:
            path.unlink()
        print(path.relative_to(ROOT))


def main() -> int:
    if "--check" in sys.argv[1:]:
        for path in stale():
            print(f"{path.relative_to(ROOT)} is stale; `make docs` writes it")
        return int(bool(stale()))
    write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
