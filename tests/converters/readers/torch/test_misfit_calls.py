"""Calls of every operator the reader knows on arguments of the kinds it takes, but of any rank,
size and number, open ones too: each is read, checked and written, or refused with one UpconvError.
What is wrong with a lowering is no refusal."""

from __future__ import annotations

import json
import random
import re
import zipfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import pytest
import torch

from upconv.converters.ir.errors import UpconvError
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.torch.aten.constants import FOLDS
from upconv.converters.readers.torch.aten.lowering import LOWERINGS
from upconv.linter.running.engine import check_path

SEEDS: Final = 4
GRAPH: Final = "net/models/model.json"
INPUTS: Final = {
    "image": (1, 3, 4, 5),
    "line": (2, 3, 6),
    "vector": (3,),
    "scalar": (),
    "volume": (1, 3, 2, 4, 3),
    "rows": (4, 6),
}
OPEN: Final = {
    "n0": "Symbol('s0', integer=True)",
    "n1": "FloorDiv(Symbol('s0', integer=True), Integer(2))",
    "n2": "Add(Symbol('s1', integer=True), Integer(-3))",
}
STORED: Final = {"kernel": (3, 3, 2, 2), "channels": (3,), "one": (), "matrix": (3, 3)}


class Net(torch.nn.Module):  # type: ignore[misc]
    """Reads all its inputs and stored tensors."""

    def __init__(self) -> None:
        super().__init__()
        for name, shape in STORED.items():
            self.register_buffer(name, torch.randn(shape))

    def forward(self, image: Any, *others: Any) -> Any:
        total = sum(getattr(self, name).sum() for name in STORED)
        return torch.relu(image) + total, *(one + 1 for one in others)


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("net") / "net.pt2"
    generator = torch.Generator().manual_seed(0)
    tensors = tuple(torch.randn(shape, generator=generator) for shape in INPUTS.values())
    torch.export.save(torch.export.export(Net(), tensors), path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _integer(rng: random.Random) -> int:
    usual = rng.random() < 0.8
    return rng.choice((0, 1, 2, 3, -1) if usual else (-9, 7, 2**31, 2**63 - 1, -(2**63)))


def _floating(rng: random.Random) -> float:
    return rng.choice((0.0, 1.0, 0.5, -2.0, 1e40, float("inf")))


def _schema(target: str) -> Any:
    """What PyTorch says of an operator; None for functions of Python."""
    found: Any = torch.ops
    try:
        for part in target.split("."):
            found = getattr(found, part)
    except (AttributeError, RuntimeError):
        return None
    return getattr(found, "_schema", None)


def _arguments(target: str, tensors: list[str], rng: random.Random) -> list[dict[str, Any]]:
    schema = _schema(target)
    if schema is None:
        kinds = [("", rng.choice(("int", "float", "Tensor"))) for _ in range(rng.randrange(3))]
    else:
        chances = ((one, 0.5 if one.has_default_value() else 0.98) for one in schema.arguments)
        kinds = [(one.name, str(one.type)) for one, chance in chances if rng.random() < chance]
    return [{"name": name, "arg": _argument(kind, tensors, rng), "kind": 1} for name, kind in kinds]


def _argument(kind: str, tensors: list[str], rng: random.Random) -> dict[str, Any]:
    if kind.startswith("Optional["):
        if rng.random() < 0.3:
            return {"as_none": True}
        kind = kind[len("Optional[") : -1]
    if rng.random() < 0.02:
        kind = rng.choice(("Tensor", "int", "List[int]", "str", "bool", "float"))
    makers: dict[str, Callable[[], dict[str, Any]]] = {
        "Tensor": lambda: {"as_tensor": {"name": rng.choice(tensors)}},
        "float": lambda: {"as_float": _floating(rng)},
        "bool": lambda: {"as_bool": rng.random() < 0.5},
        "str": lambda: {"as_string": rng.choice(("none", "constant", "reflect", "floor", ""))},
        "ScalarType": lambda: {"as_scalar_type": rng.choice((4, 5, 7, 12))},
        "Device": lambda: {"as_device": {"type": "cpu", "index": None}},
    }
    element = re.fullmatch(r"List\[(.*)\]", kind)
    if element:
        return _list(element[1], rng.choice((0, 1, 2, 2, 3, 4, 6)), tensors, rng)
    return makers.get(kind, lambda: {"as_int": _integer(rng)})()


def _list(kind: str, count: int, tensors: list[str], rng: random.Random) -> dict[str, Any]:
    if kind == "Tensor":
        return {"as_tensors": [{"name": rng.choice(tensors)} for _ in range(count)]}
    if kind.startswith("Optional"):
        return {"as_optional_tensors": [_argument(kind, tensors, rng) for _ in range(count)]}
    if kind == "float":
        return {"as_floats": [_floating(rng) for _ in range(count)]}
    return {"as_ints": [_integer(rng) for _ in range(count)]}


def _with_call(program: dict[str, Any], target: str, rng: random.Random) -> dict[str, Any]:
    """The program whose first output reads a call of the operator."""
    program = deepcopy(program)
    graph = program["graph_module"]["graph"]
    values = graph["tensor_values"]
    tensors = sorted(name for name in values if name in INPUTS or name.startswith("b_"))
    tensors += ["image", *(name for name in values if name.startswith("others_"))]
    schema = _schema(target)
    count = len(schema.returns) if schema is not None else 1
    outputs: list[dict[str, Any]] = [
        {"as_tensor": {"name": f"misfit{index}"}} for index in range(max(count, 1))
    ]
    if schema is not None and count and str(schema.returns[0].type).startswith("List"):
        outputs = [{"as_tensors": [{"name": f"misfit{index}"} for index in range(2)]}]
    for index in range(4):
        values[f"misfit{index}"] = deepcopy(values[rng.choice(tensors)])
    call = deepcopy(graph["nodes"][0]) | {
        "target": f"torch.ops.{target}" if schema is not None else target,
        "inputs": _arguments(target, tensors, rng),
        "outputs": outputs,
        "name": "misfit",
    }
    graph["nodes"][0]["inputs"][0]["arg"]["as_tensor"]["name"] = "misfit0"
    graph["nodes"].insert(0, call)
    return program


def _rebuild(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def _expression(text: str) -> dict[str, Any]:
    return {"as_expr": {"expr_str": text, "hint": None}}


def _opened(program: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """The program with open sizes: of the image, in the call's results and in its arguments; some
    tensors of unknown shape."""
    graph = program["graph_module"]["graph"]
    values = graph["tensor_values"]
    graph["sym_int_values"] |= {name: _expression(text) for name, text in OPEN.items()}
    values["image"]["sizes"][2:] = [_expression("Symbol('s0')"), _expression("Symbol('s1')")]
    sizes = (_expression(OPEN["n1"]), _expression(OPEN["n0"]), {"as_int": 0}, {"as_int": 1 << 62})
    for meta in (values[f"misfit{index}"] for index in range(4)):
        meta["sizes"] = [rng.choice(sizes) if rng.random() < 0.2 else n for n in meta["sizes"]]
    for name in ("misfit0", "b_kernel", "b_one"):
        if rng.random() < 0.05:
            del values[name]
    for entry in graph["nodes"][0]["inputs"]:
        entry["arg"] = _symbolic(entry["arg"], rng)
    return program


def _symbolic(argument: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """An argument with some of its integers open."""
    name = {"as_name": rng.choice(sorted(OPEN))}
    if "as_int" in argument and rng.random() < 0.3:
        return {"as_sym_int": name}
    if "as_ints" in argument and rng.random() < 0.4:
        numbers = argument["as_ints"]
        return {"as_sym_ints": [name if rng.random() < 0.5 else {"as_int": n} for n in numbers]}
    return argument


@pytest.mark.parametrize("seed", range(SEEDS))
def test_misfit_calls(seed: int, members: dict[str, bytes], tmp_path: Path) -> None:
    rng = random.Random(seed)
    program = json.loads(members[GRAPH])
    path, out = tmp_path / "net.pt2", tmp_path / "net.onnx"
    targets = sorted({*LOWERINGS, *(f"aten.{name}" for name in FOLDS)})
    written = 0
    for target in targets:
        called = _with_call(program, target, rng)
        called = _opened(called, rng) if seed % 2 else called
        _rebuild(path, members | {GRAPH: json.dumps(called).encode()})
        report = check_path(path)
        assert not report.crashed, [one.message for one in report.findings]
        assert report.status == "ok", target
        try:
            write_onnx(open_model(str(path), ReadOptions()), out)
            written += 1
        except UpconvError as error:
            assert str(error).startswith(str(path))
    assert 0.1 * len(targets) < written < 0.8 * len(targets), written


@pytest.mark.parametrize("broken", [AttributeError, TypeError, KeyError, ValueError])
def test_a_mistake_in_a_lowering_is_no_refusal(
    broken: type[Exception],
    members: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def mistaken(call: Any) -> None:
        raise broken("a mistake of ours")

    monkeypatch.setitem(LOWERINGS.variants("aten.relu.default"), "", mistaken)
    path = tmp_path / "net.pt2"
    _rebuild(path, members)
    with pytest.raises(broken, match="a mistake of ours"):
        open_model(str(path), ReadOptions())
