"""Layers of the representation from a graph of Keras: every call goes through its lowering.

What cannot be lowered becomes an Unknown operator and a notice. Models inside are inlined, their
layers named `<model>/<layer>`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any, Final

from upconv.converters.ir.errors import (
    AmbiguousError,
    UnreadableError,
    UpconvError,
)
from upconv.converters.ir.origin import Origin
from upconv.converters.ir.similar import similar
from upconv.converters.readers.assembly.workspace import Kinds, Workspace
from upconv.converters.readers.keras.backends import BackendNotice
from upconv.converters.readers.keras.config import CONTAINERS, Graph, LayerConfig, NodeCall, Ref
from upconv.converters.readers.keras.lowering import (
    LAYERS,
    OPERATIONS,
    ConsequenceError,
    KerasLayer,
    LambdaError,
    Lowering,
    NotRunnableError,
    Step,
    Value,
)
from upconv.converters.readers.keras.version import KerasVersion
from upconv.converters.readers.keras.weights import Scope
from upconv.converters.readers.keras.written import written_layer
from upconv.converters.readers.options import ReadOptions

KINDS: Final[Kinds] = (
    (LambdaError, "executable-code"),
    (NotRunnableError, "fails-when-called"),
    (AmbiguousError, "unrecorded-convention"),
    (BackendNotice, "assumed-backend"),
)

MAX_CALLS: Final = 20_000
MAX_OUTPUTS: Final = 1 << 10
_ALIASES: Final = {
    "MaxPool1D": "MaxPooling1D",
    "MaxPool2D": "MaxPooling2D",
    "MaxPool3D": "MaxPooling3D",
    "AvgPool1D": "AveragePooling1D",
    "AvgPool2D": "AveragePooling2D",
    "AvgPool3D": "AveragePooling3D",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "Convolution1DTranspose": "Conv1DTranspose",
    "Convolution2DTranspose": "Conv2DTranspose",
    "Convolution3DTranspose": "Conv3DTranspose",
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """What all layers of one file share."""

    path: str
    version: KerasVersion
    options: ReadOptions
    has_weights: bool
    is_text: bool


@dataclass(slots=True)
class Assembler:
    """Inlines graphs into one workspace."""

    setting: Setting
    work: Workspace
    calls: int = 0

    def run(
        self, graph: Graph, inputs: Sequence[Value], scope: Scope, prefix: str = ""
    ) -> tuple[Value, ...]:
        """The output values of a graph on these inputs.

        Raises UnreadableError where the graph refers to tensors it does not have.
        """
        known: dict[tuple[str, int], tuple[Value, ...]] = {
            graph.key(ref): (value,) for ref, value in zip(graph.inputs, inputs, strict=False)
        }
        used = _used_outputs(graph)
        for layer, index in _in_order(graph, known):
            self.calls += 1
            if self.calls > MAX_CALLS:
                raise UnreadableError("more layers than any real model has", path=self.setting.path)
            call = layer.calls[index]
            values = tuple(_value(graph, ref, known, layer) for ref in call.tensors)
            made = self._call(layer, call, values, scope, prefix, used[layer.name, index])
            known[layer.name, index] = made
        return tuple(_value(graph, ref, known, None) for ref in graph.outputs)

    def _call(
        self,
        layer: LayerConfig,
        call: NodeCall,
        values: tuple[Value, ...],
        scope: Scope,
        prefix: str,
        used: int,
    ) -> tuple[Value, ...]:
        """The outputs of a call; where it is not known what it does, as many as are `used`."""
        name = f"{prefix}{layer.name}"
        if layer.graph is not None and not layer.is_custom:
            inner = scope.inside(layer)
            return self.run(layer.graph, values, inner, f"{name}/")
        seen, error = self._layer(name, layer, call, values, scope)
        step = Step(seen, self.work)
        try:
            if error is not None:
                raise error
            made = _lowering(layer, seen)(seen, step)
        except UpconvError as problem:
            self.work.undo(step.mark)
            made = self._unknown(seen, problem, min(used, MAX_OUTPUTS))
        return step.finish(made if isinstance(made, tuple) else (made,), name)

    def _layer(
        self,
        name: str,
        layer: LayerConfig,
        call: NodeCall,
        values: tuple[Value, ...],
        scope: Scope,
    ) -> tuple[KerasLayer, UpconvError | None]:
        """The layer as its lowering sees it, and what is wrong with its arrays."""
        setting = self.setting
        error: UpconvError | None = None
        try:
            arrays = scope.arrays(layer)
        except UpconvError as problem:
            arrays, error = {}, problem
        written = written_layer(layer, scope.place(layer), setting.is_text)
        span = layer.node.span if setting.is_text else None
        origin = Origin(setting.path, "keras", layer.node.text("class_name"), span, written)
        type_name = _ALIASES.get(layer.type, layer.type)
        seen = KerasLayer(
            name,
            type_name,
            layer.config,
            values,
            call,
            arrays,
            setting.has_weights,
            origin,
            setting.version,
            setting.options,
        )
        return seen, error

    def _unknown(self, layer: KerasLayer, error: UpconvError, outputs: int) -> tuple[Value, ...]:
        """The layer as an operator that is not known, told in a notice.

        A consequence of another layer's error is not.
        """
        made = self.work.unknown(
            layer.name,
            layer.origin.type,
            error,
            (value.name for value in layer.inputs),
            layer.origin,
            (f"{layer.name}/Unknown",) * outputs,
            told=not isinstance(error, ConsequenceError),
        )
        if isinstance(error, NotRunnableError):
            error.layer = self.work.layers[-1].name  # each use fails, not the layer once
        moved = any(value.moved for value in layer.inputs)
        return tuple(Value(name, moved) for name in made)


def _in_order(
    graph: Graph, known: Mapping[tuple[str, int], Any]
) -> Iterator[tuple[LayerConfig, int]]:
    """The calls of a graph, each after those it reads; ties in the order of the file.

    Raises UnreadableError where a call reads what no layer writes.
    """
    calls = [
        (layer, index)
        for layer in graph.layers
        for index in range(len(layer.calls))
        if (layer.name, index) not in known
    ]
    waiting: dict[tuple[str, int], list[int]] = {}
    missing = [0] * len(calls)
    ready: list[int] = []
    for at, (layer, index) in enumerate(calls):
        needs = {graph.key(ref) for ref in layer.calls[index].tensors} - known.keys()
        missing[at] = len(needs)
        for need in needs:
            waiting.setdefault(need, []).append(at)
        if not needs:
            heappush(ready, at)
    done = 0
    while ready:
        at = heappop(ready)
        layer, index = calls[at]
        yield layer, index
        done += 1
        for reader in waiting.get((layer.name, index), ()):
            missing[reader] -= 1
            if not missing[reader]:
                heappush(ready, reader)
    if done < len(calls):
        stuck = next(layer for at, (layer, _) in enumerate(calls) if missing[at])
        raise UnreadableError(
            "reads a tensor that no layer writes", where=stuck.node.span, layer=stuck.name
        )


def _used_outputs(graph: Graph) -> Counter[tuple[str, int]]:
    """How many outputs of each call are read, up to the last one; 1 where none is."""
    calls = [(layer, index) for layer in graph.layers for index in range(len(layer.calls))]
    used = Counter({(layer.name, index): 1 for layer, index in calls})
    read = (ref for layer, index in calls for ref in layer.calls[index].tensors)
    for ref in (*read, *graph.outputs):
        key = graph.key(ref)
        used[key] = max(used[key], ref.tensor + 1)
    return used


def _value(
    graph: Graph,
    ref: Ref,
    known: Mapping[tuple[str, int], tuple[Value, ...]],
    layer: LayerConfig | None,
) -> Value:
    values = known.get(graph.key(ref), ())
    if not 0 <= ref.tensor < len(values):
        where = (layer.node if layer else graph.node).span
        raise UnreadableError(
            f"reads output {ref.tensor} of call {ref.node} of '{ref.layer}', which does not exist",
            where=where,
            layer=layer.name if layer else "",
        )
    return values[ref.tensor]


def _lowering(layer: LayerConfig, seen: KerasLayer) -> Lowering:
    """The function that lowers a layer.

    Raises LambdaError for code in the file, UnsupportedError for what is not known.
    """
    if layer.type in ("Lambda", "__lambda__"):
        raise LambdaError(
            "a Lambda layer computes what the Python code inside the file says; it is never run",
            hint="replace it by a layer of Keras and save the model again",
        )
    if _trains_for_ever(seen):
        raise seen.unsupported("is called with training=True, so it computes as in training")
    if layer.is_custom:
        own = f"{layer.module}.{layer.type}" if layer.module else layer.type
        raise seen.unsupported(f"a layer of the user's own, {own}")
    if layer.is_operation or layer.type in ("TFOpLambda", "TensorFlowOpLayer"):
        return _operation(layer, seen)
    if seen.type in LAYERS:
        return LAYERS[seen.type]
    if (seen.version.numbers or (2,))[0] == 1 and seen.type not in CONTAINERS:
        raise seen.unsupported(
            f"a layer of Keras {seen.version.text}, whose words are others, is not read",
            hint="load the file with Keras 2.0 to 2.2 (keras.models.load_model) and save it again",
        )
    what = "a model without a graph" if layer.type in CONTAINERS else "layers of this type"
    raise seen.unsupported(f"{what} are not supported", hint=_similar(seen.type))


_RANDOM: Final = ("Dropout", "Noise", "BatchNormalization")


def _trains_for_ever(layer: KerasLayer) -> bool:
    """Whether a call says training=True and is obeyed at inference too: in Keras 2, while Keras 3
    lets the model's own `training` win."""
    random = any(part in layer.type for part in _RANDOM)
    return random and not layer.version.is_3 and layer.call.keywords.get("training") is True


def _operation(layer: LayerConfig, seen: KerasLayer) -> Lowering:
    from upconv.converters.readers.keras.operations import as_operation, operation_name
    from upconv.converters.readers.keras.weights import snake_case

    written = layer.config.text("function") or snake_case(layer.type)
    name = operation_name(written)
    if name not in OPERATIONS:
        raise seen.unsupported(f"the function '{written}' is not supported")
    function = OPERATIONS[name]
    return lambda one, step: function(as_operation(one, name), step)


def _similar(type_name: str) -> str:
    alike = similar(type_name, LAYERS, 2, 0.8)
    return f"did you mean {' or '.join(alike)}?" if alike else ""
