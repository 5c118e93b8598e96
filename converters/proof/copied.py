"""The proof of an ONNX file that was written anew around what is not understood.

Where the source is an ONNX file too, a layer that the reference does not know can still be the
source's own: its node says the same, on the same stored tensors. What is understood is certified
by the reference on the new file's values, and the outputs of both files are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto

from upconv.converters.ir.model import Layer, Model
from upconv.converters.ir.operators import Unknown
from upconv.converters.onnx_writer.options import COPIED
from upconv.converters.proof.certificates.table import Array
from upconv.converters.proof.comparing import uncertified
from upconv.converters.proof.end_to_end import (
    Stimuli,
    judged,
    optimizations,
    tolerance_of,
)
from upconv.converters.proof.layer_by_layer import LayerProof, keep_worse
from upconv.converters.proof.pace import Announce, Pace
from upconv.converters.proof.report import (
    LayerCertificate,
    OutputCertificate,
    Verification,
    worse_output,
)
from upconv.converters.proof.runtime import OnnxFile, freed, run, session
from upconv.converters.proof.skeleton import proto_of


def verify_copied(
    model: Model,
    file: OnnxFile,
    names: Mapping[str, str],
    stimuli: Stimuli,
    pace: Pace,
) -> Verification:
    """Prove a file equal to the ONNX file of a model with layers that are not understood.

    `names` are the values' names in the file. Raises UnreadableError where onnxruntime refuses one
    of the two, or fails.
    """
    shapes = {name: x.shape for name, x in next(iter(stimuli.values()), {}).items()}
    proof = LayerProof.of(model, file, names, shapes, pace)
    certified: dict[str, LayerCertificate] = {}
    for stimulus, feeds in stimuli.items():
        keep_worse(certified, proof.certify(stimulus, feeds).layers.values())
    copied = _Copies(proto_of(model.path), proto_of(file.path)) if file.path != model.path else None
    layers = [_layer(layer, certified.get(layer.name), copied) for layer in model.layers
              if isinstance(layer.operator, Unknown) or layer.name in certified]  # fmt: skip
    outputs: list[OutputCertificate] = []
    reasons: list[str] = []
    if copied is None:
        reasons = [f"the output '{name}' may depend on a layer that is not understood"
                   for name in model.outputs]  # fmt: skip
    else:
        outputs = list(_outputs(model, file, stimuli, pace.announce))
        reasons = list(copied.differences())
    return Verification(
        model.path, file.path, file.opset, tuple(layers), tuple(outputs), tuple(reasons)
    )


def _layer(
    layer: Layer, found: LayerCertificate | None, copied: _Copies | None
) -> LayerCertificate:
    """A layer's certificate, or that its node is the source's own."""
    if found is not None and found.verdict != "incomplete":
        return found
    if copied is not None and copied.has(layer):
        operator = type(layer.operator).__name__
        return LayerCertificate(layer.name, operator, COPIED, "exact", 0.0, 0.0, 0.0, "pass")
    if found is not None:
        return found
    reason = layer.operator.reason if isinstance(layer.operator, Unknown) else ""
    return uncertified(layer, "", f"it is not understood: {reason}")


class _Copies:
    """Which nodes of one file are in another, with the tensors that they read."""

    def __init__(self, old: ModelProto, new: ModelProto) -> None:
        self._nodes = [_Side(one) for one in (old, new)]
        self._functions = [{_bytes(f) for f in one.functions} for one in (old, new)]
        self._opsets = [{(o.domain, o.version) for o in one.opset_import} for one in (old, new)]

    def has(self, layer: Layer) -> bool:
        """Whether the node that writes a layer is the same in both; a layer from inside of a
        function or a branch is, where everything is that holds such."""
        if self._opsets[0] != self._opsets[1]:
            return False
        old, new = self._nodes
        if layer.outputs[0] in old.nodes:
            return old.said_of(layer.outputs[0]) == new.said_of(layer.outputs[0])
        inner = old.holding()
        alike = all(old.said_of(name) == new.said_of(name) for name in inner)
        return alike and self._functions[0] == self._functions[1]

    def differences(self) -> Iterator[str]:
        """What makes the files two, beside the nodes of layers."""
        if self._opsets[0] != self._opsets[1]:
            yield "the files have different opsets: what is not understood may mean something else"


class _Side:
    """The nodes of a file by what they write, and the tensors that it stores."""

    def __init__(self, proto: ModelProto) -> None:
        self._functions = {(f.domain, f.name) for f in proto.functions}
        self.nodes = {name: node for node in proto.graph.node for name in node.output if name}
        self.stored = {one.name: one for one in proto.graph.initializer}

    def said_of(self, value: str) -> tuple[bytes, ...]:
        """The node that writes a value, and the stored tensors that it reads, as bytes."""
        node = self.nodes.get(value)
        if node is None:
            return ()
        read = [self.stored[name] for name in node.input if name in self.stored]
        return (_bytes(node), *map(_bytes, read))

    def holding(self) -> list[str]:
        """Values of nodes that hold others: functions, and nodes with graphs."""
        return [name for name, node in self.nodes.items() if self._holds(node)]

    def _holds(self, node: NodeProto) -> bool:
        return (node.domain, node.op_type) in self._functions or any(
            one.HasField("g") or one.graphs for one in node.attribute
        )


def _bytes(message: Any) -> bytes:
    encoded: bytes = message.SerializeToString(deterministic=True)
    return encoded


def _outputs(
    model: Model, file: OnnxFile, stimuli: Stimuli, progress: Announce
) -> Iterator[OutputCertificate]:
    """Each output of the new file beside that of the old one, optimizations off and on."""
    found: dict[str, OutputCertificate] = {}
    with freed(model.path, file.path) as source:
        for optimized in (False, True):
            before = session(source, optimized, model.path)
            after = session(file.path, optimized)
            for stimulus, feeds in stimuli.items():
                progress(f"old and new, {stimulus}, {optimizations(optimized)}")
                old = run(before, feeds, model.outputs, model.path)
                new = run(after, feeds, model.outputs, file.path)
                for name in model.outputs:
                    one = _compared(name, old[name], new[name])
                    found[name] = worse_output(found[name], one) if name in found else one
    yield from found.values()


def _compared(name: str, old: Any, new: Any) -> OutputCertificate:
    if old.shape != new.shape:
        reason = f"the shape is {new.shape}, the source's is {old.shape}"
        return OutputCertificate(name, new.shape, None, 0.0, "fail", reason)
    want: Array = np.asarray(old, np.float64)
    return judged(name, want, np.asarray(new, np.float64), tolerance_of(want))
