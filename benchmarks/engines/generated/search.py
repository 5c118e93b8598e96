"""Models that meet the condition of a profile's entry, and twins that meet none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from benchmarks.engines.cases import Case
from benchmarks.engines.generated.settings import MAKERS, Settings, made_of, name_of, near, usual
from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.inference import infer
from upconv.converters.readers.formats import open_model
from upconv.converters.readers.options import ReadOptions
from upconv.converters.reference.run import run_model
from upconv.linter.engines.condition import holds
from upconv.linter.engines.facts import facts_of
from upconv.linter.engines.nodes import JUDGED, emitted, nodes_of
from upconv.linter.engines.profile import Entry, Target
from upconv.service.work.conversion import ConvertRequest, convert

MODELS = 3
"""Of each branch of a condition."""
MOST_CONVERTED = 40
"""Models that are tried for an operator that `convert` writes."""
TWIN_CHANGES = 2
EMITTED: Mapping[str, tuple[str, Settings]] = {
    "Gather": ("Resize", {"mode": "nearest", "nearest_mode": "floor"}),
    "ScatterElements": ("MaxUnpool", {}),
    "Pad": ("ConvTranspose", {"pads": (-1, 0)}),
}
"""An operator that `convert` writes -> the operator that it writes it for, and how that is said."""


@dataclass(frozen=True)
class Shown:
    """A model that shows a branch of an entry's condition, and its twin, where there can be one."""

    entry: Entry
    branch: Any
    model: Case
    twin: Case | None


@dataclass
class Models:
    """Settings -> their model on the disk, with its nodes; made once each."""

    folder: Path
    made: dict[str, One | None] = field(default_factory=dict)

    def get(self, operator: str, said: Settings, converted: bool) -> One | None:
        """None where the settings are no model."""
        name = name_of(operator, said) + (",converted" if converted else "")
        if name not in self.made:
            self.made[name] = self._make(name, operator, said, converted)
        return self.made[name]

    def _make(self, name: str, operator: str, said: Settings, converted: bool) -> One | None:
        path = plain = self.folder / f"{name}.onnx"
        try:
            x = _write(path, operator, said)
            if converted:
                path = path.with_suffix(".out.onnx")
                convert(ConvertRequest(str(plain), str(path), prove=False))
            meant = path
            if said.get("output_shape") == "full":
                meant = path.with_suffix(".spatial.onnx")
                _write(meant, operator, {**said, "output_shape": "spatial"})
            return One(name, path, x, meant, plain)
        except (UpconvError, onnx.checker.ValidationError):
            return None


@dataclass(frozen=True)
class One:
    """A generated model; `meant` says the same where its own words have no one meaning; `source` is
    what it was converted from."""

    name: str
    path: Path
    x: NDArray[np.float32]
    meant: Path
    source: Path

    @cached_property
    def nodes(self) -> list[tuple[str, Any]]:
        model = open_model(str(self.source), ReadOptions())
        found = infer(model)
        if self.source == self.path:
            seen = list(nodes_of(model, found))
        else:
            judged = [one for one in model.layers if isinstance(one.operator, JUDGED)]
            seen = [node for layer in judged for node in emitted(model, layer, found)]
        return [(one.node.operator, facts_of(one)) for one in seen]

    def entries(self, target: Target) -> set[int]:
        """The numbers of the target's entries that hold of a node."""
        return {
            number
            for number, entry in enumerate(target.entries())
            if any(entry.meets(operator, facts) for operator, facts in self.nodes)
        }

    def meets(self, entry: Entry, branch: Any) -> bool:
        return any(o in entry.operators and holds(branch, facts) for o, facts in self.nodes)

    @cached_property
    def case(self) -> Case | None:
        """With what is right in float64; None where neither upconv nor onnxruntime says it."""
        right = self._right()
        inputs = self.path.with_suffix(".npz")
        if right is None:
            return None
        np.savez(inputs, x=self.x)
        return Case(self.name, self.path, inputs, right, self.path)

    def _right(self) -> NDArray[np.float64] | None:
        try:
            model = open_model(str(self.meant), ReadOptions(inputs={"x": self.x.shape}))
            (end,) = model.outputs
            return np.asarray(run_model(model, {"x": self.x}, keep=(end,))[end], np.float64)
        except UpconvError:
            return _by_onnxruntime(self.path, self.x)


def _write(path: Path, operator: str, said: Settings) -> NDArray[np.float32]:
    proto, x = made_of(operator, said)
    path.write_bytes(proto.SerializeToString())
    return np.asarray(x, np.float32)


def _by_onnxruntime(path: Path, x: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """What onnxruntime makes of what upconv has no meaning for: others are to do the same."""
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        (found,) = session.run(None, {"x": x})
    except Exception:  # of its own, for what it does not take
        return None
    return np.asarray(found, np.float64)


def shown(target: Target, models: Models) -> Iterator[tuple[Entry, Any, list[Shown]]]:
    """Every branch of every measured entry with its models; [] where none was found."""
    for number, entry in enumerate(target.entries()):
        if entry.certainty == "measured":
            for operator, branch in product(entry.operators, branches(entry.when)):
                found = islice(_models(target, number, operator, branch, models), MODELS)
                yield entry, {"operator": operator, **branch}, list(found)


def branches(when: Any) -> list[dict[str, Any]]:
    """The alternatives of a condition: its tables, and in each every word that may be said."""
    tables = when if isinstance(when, list) else [when]
    found = []
    for table in tables:
        words = [value if isinstance(value, list) else [value] for value in table.values()]
        found += [dict(zip(table, chosen, strict=True)) for chosen in product(*words)]
    return found


def _models(
    target: Target, number: int, operator: str, branch: Any, models: Models
) -> Iterator[Shown]:
    """Models that this entry alone speaks of come first."""
    entry = target.entries()[number]
    source, words = (operator, {}) if operator in MAKERS else EMITTED[operator]
    converted = source != operator
    rest: list[Shown] = []
    for said in islice(
        near(source, {**usual(source), **words}), MOST_CONVERTED if converted else None
    ):
        if len(rest) >= MODELS:
            break
        one = models.get(source, said, converted)
        if one is None or not one.meets(entry, branch) or one.case is None:
            continue
        if one.entries(target) != {number}:
            rest.append(Shown(entry, branch, one.case, None))
        else:
            twin = _twin(target, source, said, models, converted)
            yield Shown(entry, branch, one.case, twin)
    yield from rest


def _twin(
    target: Target, operator: str, said: Settings, models: Models, converted: bool
) -> Case | None:
    """The nearest model of which the target's profile says nothing."""
    for other in near(operator, said, 1 if converted else TWIN_CHANGES):
        one = models.get(operator, other, converted)
        if one is not None and not one.entries(target) and (case := one.case) is not None:
            return case
    return None
