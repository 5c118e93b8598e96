"""The workspace: unique names, shapes as layers come in, what is taken back, and the end."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import like, symbol
from upconv.converters.ir.errors import UnreadableError, UnsupportedError, UpconvError
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Layer
from upconv.converters.ir.origin import Origin, Source, Span
from upconv.converters.readers.assembly.bounds import MAX_PARTS
from upconv.converters.readers.assembly.names import Names
from upconv.converters.readers.assembly.workspace import Workspace, with_references

N, H, W = (symbol(letter) for letter in "NHW")
HERE = Origin("net")


def workspace() -> Workspace:
    work = Workspace("net", "test")
    work.feed("x", (N, 3, H, W))
    return work


def upsampling(factor: int = 2) -> ops.Resize:
    return ops.Resize("nearest", "asymmetric", factor=(factor, factor), nearest_mode="floor")


def test_names_are_numbered_from_their_first_use_on() -> None:
    work = workspace()
    made = [work.add("up", upsampling(), ["x"], HERE)[0] for _ in range(3)]
    assert made == ["up", "up_1", "up_2"]
    assert [layer.name for layer in work.layers] == ["up", "up@2", "up@3"]


def test_a_number_that_is_a_name_already_is_passed_over() -> None:
    names = Names("_", 1)
    names.reserved, names.taken = {"b_1"}, {"a_1", "a_3"}
    assert [names.unique("a") for _ in range(4)] == ["a", "a_2", "a_4", "a_5"]
    assert [names.unique(one) for one in ("b", "b", "b_1", "b_1")] == ["b", "b_2", "b_1", "b_1_1"]


def test_shapes_are_those_of_inference() -> None:
    work = workspace()
    (up,) = work.add("up", upsampling(3), ["x"], HERE)
    pool = ops.Pool("max", (3, 3), (2, 2), (1, 1), (1, 1), (1, 1), "floor", "never", False)
    (small,) = work.add("pool", pool, [up], HERE)
    work.leave(small, "y", "y", HERE)
    assert work.shapes[up] == (N, 3, 3 * H, 3 * W)
    assert (work.rank(small), work.size(small, 3), work.size(small, 4)) == (
        4,
        (3 * W - 1) // 2 + 1,
        None,
    )
    assert work.known(like(up, 2) // 3 + 1) == H + 1
    model = work.model("net")
    found = infer(model).shapes
    assert found == {**work.shapes}
    assert model.outputs == ("y",)


def test_a_layer_reads_the_tensors_whose_sizes_it_takes() -> None:
    crop = ops.Crop(2, (0, 0), (like("b", 2), like("a", 3) - like("b", 3)))
    assert with_references(crop, ["x"]) == ("x", "a", "b")
    assert with_references(crop, ["b", "x"]) == ("b", "x", "a")


def test_a_contradiction_is_kept_and_its_guess_gone_on_with() -> None:
    work = workspace()
    work.feed("z", (N, 3, 4, 5))
    work.feed("t", (N, 2, 4, 5))
    (joined,) = work.add("join", ops.Concat(2), ["z", "t"], HERE)
    assert list(work.contradictions) == ["join"]
    assert joined in work.shapes
    assert work.undo(0) == ("join",)
    assert not work.contradictions


def test_what_is_undone_leaves_nothing_behind() -> None:
    work = workspace()

    def turned() -> str:
        return work.once(
            "x", "turned", lambda: work.add("t", ops.Permute((0, 2, 3, 1)), ["x"], HERE)[0]
        )

    work.add("first", upsampling(), ["x"], HERE)
    mark = len(work.layers)
    assert turned() == turned() == "t"
    work.add("second", upsampling(), ["t"], HERE)
    assert work.undo(mark) == ("t", "second")
    assert [layer.name for layer in work.layers] == ["first"]
    assert not {"t", "second"} & work.shapes.keys()
    assert work.add("second", upsampling(), [turned()], HERE) == ("second",)
    assert [layer.name for layer in work.layers] == ["first", "t", "second"]


def test_what_is_made_once_survives_an_undo_behind_it() -> None:
    work = workspace()
    made = work.once("x", "up", lambda: work.add("up", upsampling(), ["x"], HERE)[0])
    mark = len(work.layers)
    work.add("more", upsampling(), [made], HERE)
    work.undo(mark)
    assert work.once("x", "up", lambda: pytest.fail("it is there")) == made


def test_renaming_is_followed_by_sizes_shapes_and_what_is_made_once() -> None:
    work = workspace()
    made = work.once("x", "up", lambda: work.add("up/part", upsampling(), ["x"], HERE)[0])
    crop_of = ops.Crop(2, (0, 0), (like(made, 2), like("x", 3)))
    work.once(made, "crop", lambda: work.add("crop", crop_of, [made], HERE)[0])
    work.rename({made: work.values.unique("up"), "crop": work.values.unique("up/part")})
    up, crop = work.layers
    assert (up.outputs, crop.inputs, crop.outputs) == (("up",), ("up", "x"), ("up/part_1",))
    assert isinstance(crop.operator, ops.Crop)
    assert crop.operator.sizes == (like("up", 2), like("x", 3))
    assert work.once("x", "up", lambda: pytest.fail("it is there")) == "up"
    assert work.once("up", "crop", lambda: pytest.fail("it is there")) == "up/part_1"
    assert work.once("up/part", "crop", lambda: "another") == "another"
    assert work.shapes.keys() == {"x", "up", "up/part_1"}


def test_names_may_change_places() -> None:
    work = workspace()
    (a,) = work.add("a", upsampling(2), ["x"], HERE)
    (b,) = work.add("b", upsampling(3), [a], HERE)
    work.rename({a: b, b: a})
    assert [(layer.inputs, layer.outputs) for layer in work.layers] == [
        (("x",), ("b",)),
        (("b",), ("a",)),
    ]
    assert work.shapes["b"] == (N, 3, 2 * H, 2 * W)
    assert work.values.taken >= {"a", "b"}


def test_an_input_and_a_repeated_output_leave_as_copies() -> None:
    work = workspace()
    work.values.taken |= {"first", "second", "third"}
    (made,) = work.add("up", upsampling(), ["x"], HERE)
    work.leave(made, "first", "first", HERE)
    work.leave(made, "second", "second", HERE)
    work.leave("x", "third", "third", HERE)
    model = work.model("net")
    assert model.outputs == ("first", "second", "third")
    up, *copies = model.layers
    assert up.outputs == ("first",)
    assert [(one.operator, one.inputs, one.outputs) for one in copies] == [
        (ops.Identity(), ("first",), ("second",)),
        (ops.Identity(), ("x",), ("third",)),
    ]


def test_a_model_that_breaks_the_laws_is_refused() -> None:
    work = workspace()
    work.shapes["nowhere"] = None
    work.append(Layer("up", upsampling(), ("nowhere",), ("y",)))
    with pytest.raises(UpconvError, match="reads 'nowhere', which no layer before it writes"):
        work.model("net")


def test_a_layer_that_is_not_understood_says_why_and_is_told_once() -> None:
    work = workspace()
    error = UnsupportedError("no meaning")
    assert work.unknown("up", "Strange", error, ["x"], HERE, ["a", "b"]) == ("a", "b")
    assert work.unknown("up", "Strange", error, ["a"], HERE, ["b"], told=False) == ("b_1",)
    assert [layer.operator for layer in work.layers] == [ops.Unknown("Strange", "no meaning")] * 2
    assert [notice.kind for notice in work.notices] == ["unknown-layer-type"]
    assert work.shapes["a"] is work.shapes["b_1"] is None


class _OwnError(UnsupportedError):
    """A class of a reader's own."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (_OwnError("no"), "fork-dialect"),
        (UnsupportedError("no"), "unknown-layer-type"),
        (UnreadableError("no"), "unreadable-part"),
    ],
)
def test_a_notice_has_the_kind_of_its_cause_and_a_place(error: UpconvError, kind: str) -> None:
    span = Span(Source("net", "one\ntwo"), 4, 7)
    work = Workspace("net", "test", ((_OwnError, "fork-dialect"),))
    work.refuse(error, "up", Origin("net", place=span))
    (notice,) = work.notices
    assert (notice.kind, str(notice.error)) == (kind, "net:2:1: layer 'up': no")


def test_a_size_whose_formula_does_not_end_is_not_known() -> None:
    """A third of a half of a third ...: each twice as long as the one before."""
    work = workspace()
    value = "x"
    for index in range(MAX_PARTS):
        half = ops.Crop(2, (0,), (like(value, 2) // 3 + like(value, 2) // 2,))
        (value,) = work.add(f"half{index}", half, [value], HERE)
    assert work.shapes[value] is None
    assert not work.contradictions


def _chain(work: Workspace, count: int) -> None:
    value = "x"
    for _ in range(count):
        (value,) = work.add("relu", ops.Relu(), [value], HERE)
    work.leave(value, work.values.unique("y"), "y", HERE)
    work.model("net")


def _undone(work: Workspace, count: int) -> None:
    for _ in range(count):
        mark = len(work.layers)
        work.add("relu", ops.Relu(), ["x"], HERE)
        (made,) = work.add("relu", ops.Relu(), ["x"], HERE)
        work.once("x", len(work.layers), lambda made=made: made)  # type: ignore[misc]
        work.undo(mark + 1)
        work.rename({work.layers[-1].outputs[0]: work.values.unique("final")}, mark)
    work.model("net")


@pytest.mark.parametrize(("build", "count"), [(_chain, 100_000), (_undone, 30_000)])
def test_each_layer_costs_the_same(build: Callable[[Workspace, int], None], count: int) -> None:
    """A hundred thousand layers of one name: with a scan of the others for each, these would be
    ten thousand million steps."""
    start = time.process_time()
    work = workspace()
    build(work, count)
    assert len(work.layers) == count
    assert len({layer.name for layer in work.layers}) == count
    assert time.process_time() - start < 30
