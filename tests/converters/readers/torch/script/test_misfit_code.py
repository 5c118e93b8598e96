"""Code that calls functions and operators on values of any kind: it is followed or refused."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.converters.readers.torch.script.handmade import archive, code
from tests.converters.readers.torch.script.support import opened
from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.operators import Unknown
from upconv.converters.readers.torch.aten.schemas import Schema, schemas
from upconv.converters.readers.torch.script import facts, plain
from upconv.converters.readers.torch.script.containers import CONTAINERS
from upconv.converters.readers.torch.script.facts import FACTS
from upconv.converters.readers.torch.script.functions import Function, takes
from upconv.converters.readers.torch.script.plain import PLAIN

PROGRAMS: Final = 300
OWN: Final = sorted({*PLAIN, *CONTAINERS, *FACTS, "to", "detach", "mul_", "NumToTensor", "tensor"})
VALUES: Final = {
    "n": "torch.size(x, 2)",
    "m": "torch.floordiv(torch.size(x, 3), 2)",
    "f": "torch.mul(n, 1.5)",
    "y": "torch.relu(x)",
    "t": "ops.prim.NumToTensor(3)",
    "u": "ops.prim.NumToTensor(n)",
    "q": "torch.div(t, 2)",
    "s": "'text'",
    "l": "[1, 2, 3]",
    "d": "{'a': 1, 'b': [2]}",
    "z": "torch.zeros([2, 3])",
    "k": "uninitialized(Tensor)",
}
"""Variables of every kind: open and known sizes, numbers, tensors, containers."""

ANY: Final = (
    *VALUES,
    *("x", "None", "True", "0", "1", "-1", "0.5", "1e40", "inf", "nan", "''", "[]", "[x, None]"),
    *("[n, m]", "(1, 2)", "9223372036854775807", "-9223372036854775808", "torch.size(x)"),
)
OF_KIND: Final[Mapping[str, tuple[str, ...]]] = {
    "Tensor": ("x", "y", "z", "t", "u"),
    "int": ("0", "1", "2", "3", "-1", "n", "m", "-9"),
    "float": ("0.5", "2.0", "0.", "f"),
    "bool": ("True", "False"),
    "str": ("'none'", "'floor'", "'constant'", "'ab,bc->ac'"),
    "Scalar": ("1", "2.5", "0", "n", "f"),
    "ScalarType": ("6", "4", "11", "99"),
    "Device": ("torch.device('cpu')",),
}
SHAPES: Final = ((1, 3, 8, 9), (2, 4, 6), (1, 2, 4, 5, 6), (3,))


def _of_kind(kind: str, draw: random.Random) -> str:
    if kind.endswith("?"):
        return "None" if draw.random() < 0.4 else _of_kind(kind[:-1], draw)
    if kind.endswith("]"):
        base = kind[:-1].rpartition("[")[0]
        return f"[{', '.join(_of_kind(base, draw) for _ in range(draw.choice((0, 1, 2, 2, 3))))}]"
    return draw.choice(OF_KIND.get(kind, ("0",)))


def _operator(schema: Schema, draw: random.Random) -> str:
    """Arguments of an operator's kinds, a few of them of any."""
    given = [one for one in schema.parameters if not one.keyword_only]
    given = given[: draw.choice((len(given), draw.randrange(len(given) + 1)))]
    kinds = (one.type if draw.random() < 0.9 else "" for one in given)
    return ", ".join(_of_kind(kind, draw) if kind else draw.choice(ANY) for kind in kinds)


def _line(name: str, draw: random.Random) -> str:
    overloads = schemas().get(name, ())
    if overloads and draw.random() < 0.7:
        arguments = _operator(draw.choice(overloads), draw)
    else:
        arguments = ", ".join(draw.choice(ANY) for _ in range(draw.choice((0, 1, 2, 2, 3, 4))))
    forms: tuple[Callable[[], str], ...] = (
        *[lambda: f"torch.{name}({arguments})"] * 12,
        lambda: (
            f"annotate(int, {draw.choice(('int', 'float', 'bool', 'str'))}({draw.choice(ANY)}))"
        ),
        lambda: f"({draw.choice(ANY)})[{draw.choice(ANY)}]",
        lambda: f"-{draw.choice(ANY)}",
    )
    return f"{draw.choice(('a', '_', 'l', 'n', 'd', 't', 'b, c'))} = {draw.choice(forms)()}"


def _body(seed: int, draw: random.Random) -> str:
    names = [*OWN, *sorted(schemas())]
    lines = [f"{name} = {value}" for name, value in VALUES.items()]
    lines += [_line(names[(8 * seed + step) % len(names)], draw) for step in range(8)]
    return "\n".join((*lines, f"return {draw.choice(('y', '(x, y)', 'l'))}"))


def test_any_values_are_followed_or_refused(tmp_path: Path) -> None:
    draw = random.Random(0)
    known = 0
    for seed in range(PROGRAMS):
        path = archive(tmp_path / "net.pt", code(_body(seed, draw)))
        try:
            model = opened(path, x=draw.choice(SHAPES)) if seed % 4 else opened(path)
            known += sum(not isinstance(layer.operator, Unknown) for layer in model.layers)
        except UpconvError as error:
            assert "\n" not in str(error)
    assert known > 2 * PROGRAMS


@pytest.mark.parametrize("broken", [AttributeError, TypeError, KeyError, ZeroDivisionError])
@pytest.mark.parametrize(("table", "name"), [(PLAIN, "floordiv"), (facts._OF_SHAPE, "size")])
def test_a_mistake_in_a_function_is_no_refusal(
    table: dict[str, Function],
    name: str,
    broken: type[Exception],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def mistaken(*arguments: object) -> None:
        raise broken("a mistake of ours")

    monkeypatch.setitem(table, name, takes("*any", mistaken))
    path = archive(tmp_path / "net.pt", code("n = torch.floordiv(torch.size(x, 2), 2)\nreturn x"))
    with pytest.raises(broken, match="a mistake of ours"):
        opened(path, x=(1, 3, 4, 5))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("floordiv", [7, 0]),
        ("pow", [0, -1]),
        ("pow", [-8, 0.5]),
        ("pow", [1e200, 2]),
        ("sqrt", [-1]),
        ("exp", [1e6]),
        ("Int", [float("inf")]),
        ("round", [float("nan")]),
        ("__getitem__", [[1, 2], 2]),
        ("__getitem__", [{"a": 1}, "b"]),
        ("pop", [[]]),
        ("slice", [[1, 2], 0, 2, 0]),
        ("remove", [[1], 2]),
        ("add", [[1], (2,)]),
        ("lt", ["a", 1]),
        ("__range_length", [0, 4, 0]),
        ("max", [[]]),
        ("tensor", [None]),
    ],
)
def test_what_has_no_value_is_refused(name: str, arguments: list[object]) -> None:
    with pytest.raises(UpconvError):
        plain.call(name, arguments, {})
