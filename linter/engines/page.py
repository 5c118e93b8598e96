"""The profiles as Markdown: a page for each engine, and the operators side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from upconv.linter.engines.condition import words
from upconv.linter.engines.profile import EFFECTS, Entry, Profile, applies, profiles
from upconv.linter.page import prose

_HEAD = ["| Does | With | Instead | Certainty | Source |", "| --- | --- | --- | --- | --- |"]


def engine_page(profile: Profile) -> str:
    """Everything that is known of one engine, operator by operator."""
    ran = (
        f"Measured: version {', '.join(profile.measured)}." if profile.measured else "Not measured."
    )
    parts = [f"# {profile.title}", f"`--target {profile.engine}`. {ran} As of {profile.as_of}."]
    if profile.note:
        parts.append(prose(profile.note))
    for operator in _operators([profile]):
        rows = [_row(one) for one in profile.entries if operator in one.operators]
        parts += [f"## {operator}", "\n".join(_HEAD + rows)]
    return "\n\n".join(parts) + "\n"


def index_page() -> str:
    """The engines, and for each operator what every engine does with it."""
    known = list(profiles().values())
    parts = [
        "# Engines",
        "What inference engines refuse, or compute otherwise than ONNX says, as `upconv engines` "
        "lists it and `upconv check net.onnx --target ncnn` tells it. What was measured was run on "
        "a model of one node (`benchmarks/engines`); an entry holds from its date until somebody "
        "finds otherwise; [a probe](../probe.md) asks the engine itself.",
        "\n".join(
            ["| Engine | Versions run | As of |", "| --- | --- | --- |", *map(_engine, known)]
        ),
    ]
    for operator in _operators(known):
        head = ["| Engine | Does | With | Certainty |", "| --- | --- | --- | --- |"]
        rows = [row for one in known for row in _rows_of(one, operator)]
        parts += [f"## {operator}", "\n".join(head + rows)]
    return "\n\n".join(parts) + "\n"


def _engine(profile: Profile) -> str:
    ran = ", ".join(profile.measured) or "none"
    return f"| [{profile.title}]({profile.engine}.md) | {ran} | {profile.as_of} |"


def _operators(known: Iterable[Profile]) -> list[str]:
    return sorted({name for one in known for entry in one.entries for name in entry.operators})


def _rows_of(profile: Profile, operator: str) -> Iterator[str]:
    for entry in profile.entries:
        if operator in entry.operators:
            said = f"{EFFECTS[entry.effect]}: {_cell(entry.says)}"
            link = f"[{profile.engine}]({profile.engine}.md)"
            yield f"| {link} | {said} | {_condition(entry)} | {entry.certainty} |"


def _row(entry: Entry) -> str:
    said = f"{EFFECTS[entry.effect]}: {_cell(entry.says)}"
    shown = f"{_cell(entry.source)}{f' ({entry.case})' if entry.case else ''}"
    rest = f"{_cell(entry.instead)} | {entry.certainty}, {entry.as_of} | {shown}"
    return f"| {said} | {_condition(entry)} | {rest} |"


def _condition(entry: Entry) -> str:
    spoken = applies(entry)
    return _cell(words(entry.when) + (f" (version {spoken})" if spoken else ""))


def _cell(text: str) -> str:
    return prose(text).replace("|", chr(92) + "|").replace("_", chr(92) + "_")
