"""Solving for a layer: two sizes in, the transposed convolutions between them out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from upconv.converters.audit.solve import (
    Answer,
    BilinearLayer,
    Wanted,
    bilinear_layer,
    solve,
)
from upconv.converters.audit.solve_words import WORDS, Framework
from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.records import record

SHOWN = 8
"""Answers that are shown unless all are asked for."""


@record(frozen=True, slots=True)
class SolveRequest:
    """The sizes, what is known of the layer, and whose words are wanted; none are all."""

    size: int
    output: int
    wanted: Wanted = Wanted()
    frameworks: tuple[Framework, ...] = ()
    channels: int = 21
    every: bool = False


@record(frozen=True, slots=True)
class Solution:
    """The answers in order of simplicity, and the bilinear layer where the factor is whole."""

    request: SolveRequest
    answers: tuple[Answer, ...]
    bilinear: BilinearLayer | None

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def solved(request: SolveRequest) -> Solution:
    """Every layer that takes the one size to the other. Raises UsageError for sizes and settings
    that no layer has."""
    answers = solve(request.size, request.output, request.wanted)
    if not answers:
        raise UsageError(
            f"no transposed convolution takes {request.size} to {request.output} like that",
            hint="leave --kernel, --stride, --pad or --output-padding free",
        )
    factor, rest = divmod(request.output, request.size)
    whole = rest == 0 and factor > 1
    return Solution(request, tuple(answers), bilinear_layer(factor) if whole else None)


def _lines(found: Solution) -> Iterator[str]:
    request, answers = found.request, found.answers
    shown = answers if request.every else answers[:SHOWN]
    yield f"{request.size} -> {request.output}: {_count(len(answers))}, simplest first"
    for answer in shown:
        yield ""
        yield f"  {_settings(answer)}"
        for framework in request.frameworks or tuple(WORDS):
            yield from _words(framework, WORDS[framework](answer, request.channels))
    if len(shown) < len(answers):
        yield f"\n  {len(answers) - len(shown)} more with --all"
    if found.bilinear is not None:
        yield f"\n{_bilinear(found.bilinear)}"


def _count(answers: int) -> str:
    return "one answer" if answers == 1 else f"{answers} answers"


def _settings(answer: Answer) -> str:
    """`kernel 4, stride 2, cut 1 and 1: twice the size for every size`."""
    words = [f"kernel {answer.kernel}", f"stride {answer.stride}"]
    words += [f"dilation {answer.dilation}"] if answer.dilation > 1 else []
    words += [f"cut {answer.begin}" if answer.begin == answer.end else _cuts(answer)]
    return f"{', '.join(words)}: {', '.join(_remarks(answer))}"


def _cuts(answer: Answer) -> str:
    end = f"{answer.end} at the end" if answer.end >= 0 else f"add {-answer.end} at the end"
    return f"cut {answer.begin} at the start, {end}"


def _remarks(answer: Answer) -> Iterator[str]:
    if answer.multiplies:
        yield f"{answer.stride} times the size, whatever that is"
    else:
        more = answer.output - answer.size * answer.stride
        yield f"{answer.stride} times the size {'+' if more > 0 else '-'} {abs(more)}"
    if answer.shift:
        yield f"moves the image by {answer.shift} pixel{'' if abs(answer.shift) <= 1 else 's'}"
    if answer.holes:
        yield "leaves holes"
    elif answer.uneven:
        yield "a checkerboard where it is learned"


def _words(framework: str, text: str) -> Iterator[str]:
    first, *rest = text.split("\n")
    yield f"    {framework:5}  {first}"
    yield from (f"           {line}" for line in rest)


def _bilinear(layer: BilinearLayer) -> str:
    taps: Sequence[int] = layer.taps
    shown = " ".join(map(str, taps[:16])) + (" ..." if len(taps) > 16 else "")
    return (
        f"bilinear by {layer.factor}: kernel {layer.kernel}, stride {layer.factor}, "
        f"pad {layer.pad}, each axis [{shown}]/{layer.denominator}"
    )
