"""A text that is looked at again after each edit gives what it gives when it is looked at afresh:
findings, places and fixes, and of the model every layer, shape, place of pixels and notice."""

from __future__ import annotations

import gc
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import ROOT
from upconv.converters.ir.model import Layer
from upconv.converters.ir.origin import Source
from upconv.converters.ir.source import ROUNDS, Pieces
from upconv.linter.context import Context
from upconv.linter.running.engine import CheckOptions
from upconv.service.work.looking import Look, look

FCN = (ROOT / "fixtures" / "fcn8s" / "fcn8s.prototxt").read_text(encoding="utf-8")
PATH = str(ROOT / "fixtures" / "net.prototxt")
OPTIONS = CheckOptions(root=ROOT, targets=("tensorrt",))
EDITS = 150

CONV = """
layer {
  name: "%s"
  type: "Convolution"
  bottom: "data"
  top: "%s"
  convolution_param { num_output: 0 kernel_size: 3 weight_filler { type: "xaviar" } pad_h: 1 }
}
"""
WORDS = (
    "", " ", "\n", "\r\n", "{", "}", '"', "#", "\n}", "\n}\n", "layer {\n", "1", "0", "-", "é",
    'bottom: "pool4"', "# upconv: ignore[UP1] why\n", "<<<<<<< ours\n", 'type: "Python"',
    "input_dim: 3\n", "layers { name: 'old' type: CONVOLUTION }\n", CONV % ("new", "new"),
    CONV % ("conv1_1", "score"), 'phase: TRAIN', "include { phase: TRAIN }", "${classes}",
)  # fmt: skip


def told(found: Look) -> Iterator[tuple[str, Any]]:
    yield "report", found.report
    context = found.context
    yield "model", context is not None
    if context is not None:
        yield from of_model(context)


def of_model(context: Context) -> Iterator[tuple[str, Any]]:
    net = context.net
    yield "inputs", [(i.name, i.shape, at(i.origin.span)) for i in net.inputs]
    yield "outputs", net.outputs
    yield (
        "layers",
        [
            (la.name, la.operator, la.inputs, la.outputs, weights(la), at(la.origin.span))
            for la in net.layers
        ],
    )
    yield "notices", [(n.kind, str(n.error), at(n.error.where), n.near) for n in net.notices]
    for inference in (context.inference, context.open_inference):
        yield "shapes", dict(inference.shapes)
        yield "errors", [(str(e), at(e.where)) for e in inference.errors]
    yield "places", [(side, one.places) for side, one in context.placements]
    blocks = [layer.origin.written.block for layer in net.layers]
    yield "blocks", [(at(one.span), [at(s) for s in one.spans("bottom")]) for one in blocks]


def weights(layer: Layer) -> dict[str, Any]:
    return {name: (one.shape, one.present, one.filler) for name, one in layer.weights.items()}


def at(span: Any) -> tuple[int, int, int, str] | None:
    return None if span is None else (span.start, span.end, span.line, span.text)


def compare(pieces: Pieces, text: str) -> Look:
    again = look(Source(PATH, text), OPTIONS, pieces=pieces)
    fresh = look(Source(PATH, text), OPTIONS)
    for (what, ours), (_, theirs) in zip(told(again), told(fresh), strict=True):
        if what == "report":
            assert ours.findings == theirs.findings
            assert (ours.status, ours.reason) == (theirs.status, theirs.reason)
            assert [one.finding for one in ours.silenced] == [
                one.finding for one in theirs.silenced
            ]
            continue
        assert ours == theirs, what
    return again


def typed(text: str, dice: random.Random) -> str:
    """A word put in, or some characters replaced by it."""
    start = dice.randrange(len(text) + 1)
    end = start + dice.choice((0, 0, 0, 1, 1, 8, 60))
    return text[:start] + dice.choice(WORDS) + text[end:]


def rearranged(text: str, dice: random.Random) -> str:
    """Blocks moved, doubled or left out."""
    blocks = text.split("\nlayer {")
    first, second = dice.randrange(len(blocks)), dice.randrange(len(blocks))
    how = dice.randrange(3)
    if how == 0:
        blocks[first], blocks[second] = blocks[second], blocks[first]
    elif how == 1:
        blocks.insert(second, blocks[first])
    elif len(blocks) > 1:
        del blocks[first]
    return "\nlayer {".join(blocks)


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_looked_at_again(ends: str) -> None:
    dice = random.Random(18)
    original = FCN.replace("\n", ends)
    ways: tuple[Callable[[str, random.Random], str], ...] = (typed, typed, rearranged)
    pieces, text, before = Pieces(), original, original
    for number in range(EDITS // 2):
        one = dice.choice(ways)(text, dice)
        text, before = (before, text) if number % 5 == 4 else (one, text)
        if number % 15 == 14:
            text = original
        compare(pieces, text)


def test_what_does_not_change_is_not_read_again() -> None:
    pieces = Pieces()
    first = compare(pieces, FCN)
    again = look(Source(PATH, "# one line more\n" + FCN), OPTIONS, pieces=pieces)
    assert first.context is not None
    assert again.context is not None
    pairs = list(zip(first.context.net.layers, again.context.net.layers, strict=True))
    ours = [a is b for a, b in pairs if a.origin.kept is not None]
    assert len(ours) == len(pairs)
    assert all(ours)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("lr_mult: 0", "lr_mult: 00"),
        ("kernel_size: 16", "kernel_size: 18"),  # other sizes behind it
        ('top: "score_pool4"', 'top: "score_pool4x"'),  # and other names
    ],
)
def test_what_follows_from_a_layer_alone_is_asked_of_the_layer_that_changed(
    old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces, asked = Pieces(), Counter[object]()
    assert FCN.count(old) >= 1
    for text in (FCN, FCN.replace(old, new, 1)):
        look(Source(PATH, text), OPTIONS, pieces=pieces)
    each = Pieces.each

    def counted(self: Pieces, what: Any, items: Any, make: Callable[[Any], Any]) -> Any:
        def made(item: Any) -> Any:
            asked[what] += 1
            return make(item)

        return each(self, what, items, made)

    monkeypatch.setattr(Pieces, "each", counted)
    again = look(Source(PATH, FCN), OPTIONS, pieces=pieces)
    assert again.context is not None
    assert len(again.context.net.layers) > 30
    assert asked
    assert max(asked.values()) <= 3, asked  # it and, for other names, who reads it


def test_looks_leave_nothing_that_only_the_collector_finds() -> None:
    text = "\n".join(FCN.split("\n")[:60])
    pieces, dice, found = Pieces(), random.Random(3), Counter[str]()

    def collected(phase: str, info: dict[str, int]) -> None:
        found[phase] += info["collected"]

    def type_on() -> None:
        for _ in range(2 * ROUNDS):
            look(Source(PATH, typed(text, dice)), OPTIONS, pieces=pieces)
        gc.collect()

    type_on()  # what is made once
    gc.callbacks.append(collected)
    try:
        type_on()
    finally:
        gc.callbacks.remove(collected)
    assert found["stop"] == 0


def test_a_look_is_given_up_inside_reading() -> None:
    class GivenUp(BaseException):
        pass

    calls = iter(range(10))

    def alive() -> None:
        if next(calls) == 5:
            raise GivenUp

    pieces = Pieces()
    with pytest.raises(GivenUp):
        look(Source(PATH, FCN), OPTIONS, alive=alive, pieces=pieces)
    compare(pieces, FCN)
