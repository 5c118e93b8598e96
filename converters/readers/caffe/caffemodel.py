"""Caffe's binary weight files: the layers with their blobs as lazy views of the mapped file.

A caffemodel is a NetParameter in protobuf's wire format (`wire.py`). Three generations exist:
`layer` (V2), `layers` with numbered types (V1) and `layers { layer { ... } }` (V0). The field
numbers below are Caffe's public ones; files over protobuf's 2 GiB limit are read like any other.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import field, replace
from math import prod
from os import PathLike, fspath
from typing import TYPE_CHECKING, Final

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.ir.records import record
from upconv.converters.readers.files.wire import (
    LENGTH,
    VARINT,
    Field,
    FixedRun,
    Wire,
    map_file,
    signed,
)

if TYPE_CHECKING:
    from upconv.converters.ir.tensors import FloatArray

MAX_AXES: Final = 32  # kMaxBlobAxes of Caffe's blob.hpp
MAX_FIELDS: Final = 500_000  # the largest published nets have some ten thousand
_MAX_VALUES: Final = 1 << 60  # the bytes of more values do not fit an array's size
_HEAD: Final = 4096  # the bytes looked at to tell what a file is

_CAFFE_HINTS: Final = {
    "an HDF5 file": "a .caffemodel.h5 is not supported: convert it in Caffe with Net::ToProto, "
    "or save with snapshot_format: BINARYPROTO",
    "a text file": "a .prototxt is given as the model, and only the weights as the weights",
}

# NetParameter, BlobProto and BlobShape
_NET_NAME, _NET_V1, _NET_V2 = 1, 2, 100
_LEGACY_AXES: Final = (1, 2, 3, 4)  # num, channels, height, width
_DATA, _SHAPE, _DOUBLE_DATA = 5, 7, 8
_SHAPE_DIM: Final = 1

# fmt: off
V1_LAYER_TYPES: Final[dict[int, str]] = {
    0: "", 1: "Accuracy", 2: "BNLL", 3: "Concat", 4: "Convolution", 5: "Data", 6: "Dropout",
    7: "EuclideanLoss", 8: "Flatten", 9: "HDF5Data", 10: "HDF5Output", 11: "Im2col",
    12: "ImageData", 13: "InfogainLoss", 14: "InnerProduct", 15: "LRN",
    16: "MultinomialLogisticLoss", 17: "Pooling", 18: "ReLU", 19: "Sigmoid", 20: "Softmax",
    21: "SoftmaxWithLoss", 22: "Split", 23: "TanH", 24: "WindowData", 25: "Eltwise", 26: "Power",
    27: "SigmoidCrossEntropyLoss", 28: "HingeLoss", 29: "MemoryData", 30: "ArgMax",
    31: "Threshold", 32: "DummyData", 33: "Slice", 34: "MVN", 35: "AbsVal", 36: "Silence",
    37: "ContrastiveLoss", 38: "Exp", 39: "Deconvolution",
}
"""V1LayerParameter.LayerType as today's type names; forks number their own layers from 40."""

V0_LAYER_TYPES: Final[dict[str, str]] = {
    "accuracy": "Accuracy", "bnll": "BNLL", "concat": "Concat", "conv": "Convolution",
    "data": "Data", "dropout": "Dropout", "euclidean_loss": "EuclideanLoss",
    "flatten": "Flatten", "hdf5_data": "HDF5Data", "hdf5_output": "HDF5Output",
    "im2col": "Im2col", "images": "ImageData", "infogain_loss": "InfogainLoss",
    "innerproduct": "InnerProduct", "lrn": "LRN",
    "multinomial_logistic_loss": "MultinomialLogisticLoss", "pool": "Pooling", "relu": "ReLU",
    "sigmoid": "Sigmoid", "softmax": "Softmax", "softmax_loss": "SoftmaxWithLoss",
    "split": "Split", "tanh": "TanH", "window_data": "WindowData",
}
"""The type names of V0 files as today's; another name stays as it is."""
# fmt: on


@record(frozen=True, slots=True)
class _LayerFields:
    """Where a generation keeps what we read; 0, which no field has, where it keeps it not."""

    version: int
    name: int
    type: int
    blobs: int
    bottoms: int = 0
    tops: int = 0
    nested: int = 0  # the V0 layer inside a V1 one


_V0: Final = _LayerFields(version=0, name=1, type=2, blobs=50)
_V1: Final = _LayerFields(version=1, bottoms=2, tops=3, name=4, type=5, blobs=6, nested=1)
_V2: Final = _LayerFields(version=2, name=1, type=2, bottoms=3, tops=4, blobs=7)
_GENERATIONS: Final = {_NET_V1: _V1, _NET_V2: _V2}


@record(frozen=True, slots=True)
class Blob:
    """One weight: its shape and where its values are; nothing is read before it is asked for.

    `dtype` is what the file stores, "float32" or "float64"; what comes out is float32, as Caffe
    computes. `legacy`: the shape was written as num, channels, height, width, which Caffe matches
    with trailing axes (a bias is 1,1,1,N). `present` is False where the file has a shape but no
    values. `offset` is the byte of the file where the values (or else the blob) begin.
    """

    shape: tuple[int, ...]
    dtype: str
    offset: int
    legacy: bool
    present: bool
    layer: str
    index: int
    _runs: tuple[FixedRun, ...] = field(repr=False)
    _wire: Wire = field(repr=False, compare=False)

    @property
    def size(self) -> int:
        """How many values the shape asks for."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes `chunks` gives: four per value, none where the values are absent."""
        return 4 * self.size if self.present else 0

    def array(self) -> FloatArray:
        """Give the values as a read-only float32 array of `shape`.

        One packed float run, the usual case, is a view of the file, which may not be aligned to
        four bytes; other forms are gathered into a new array. Raises UnreadableError where the
        values are absent.
        """
        import numpy as np

        self._require_values()
        if len(self._runs) == 1 and self._runs[0].stride == 4:
            return self._wire.elements(self._runs[0], "<f4").reshape(self.shape)
        values = np.empty(self.size, np.float32)
        filled = 0
        with np.errstate(over="ignore"):  # a double beyond float32 becomes infinite, as in Caffe
            for run in self._runs:
                values[filled : filled + run.count] = self._wire.elements(run, self._stored)
                filled += run.count
        values.flags.writeable = False
        return values.reshape(self.shape)

    def chunks(self, size: int = 1 << 20) -> Iterator[memoryview | bytes]:
        """Give the little-endian float32 bytes in order, at most `size` (but a value) at a time.

        The memory of a piece of the mapped file is given back when the next piece is asked for,
        so that streaming a blob of any size needs little. Raises as `array`.
        """
        self._require_values()
        most = max(size // 4, 1)
        for run in self._runs:
            if run.stride == 4:
                yield from self._wire.streamed(run.start, run.end, 4 * most)
                continue
            for part in run.parts(most):
                yield self._bytes(part)
                self._wire.release(part.start, part.end)

    def release(self) -> None:
        """Let the system take back the memory of the values; they can be read again."""
        for run in self._runs:
            self._wire.release(run.start, run.end)

    @property
    def _stored(self) -> str:
        return "<f8" if self.dtype == "float64" else "<f4"

    def _require_values(self) -> None:
        if not self.present:
            raise _blob_error(self._wire.path, self.layer, self.index, "has no values in the file")

    def _bytes(self, run: FixedRun) -> bytes:
        import numpy as np

        with np.errstate(over="ignore"):
            return self._wire.elements(run, self._stored).astype("<f4").tobytes()


@record(frozen=True, slots=True)
class LayerBlobs:
    """A layer of a weight file: `type` in today's spelling, `version` 2, 1 or 0 as written.

    A numbered V1 type that Caffe itself does not know is spelled "V1LayerType(number)".
    """

    name: str
    type: str
    blobs: tuple[Blob, ...]
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    version: int = 2


@record(frozen=True, slots=True)
class Caffemodel:
    """A weight file: the net's name and all its layers, in the file's order."""

    path: str
    name: str
    layers: tuple[LayerBlobs, ...]
    _by_name: dict[str, tuple[LayerBlobs, ...]] = field(repr=False, compare=False)

    def find(self, name: str) -> LayerBlobs | None:
        """Return the layer whose blobs Caffe would copy: of several with one name, the last."""
        return self.all_named(name)[-1] if name in self._by_name else None

    def all_named(self, name: str) -> tuple[LayerBlobs, ...]:
        """Return every layer of that name, in order."""
        return self._by_name.get(name, ())

    @property
    def duplicates(self) -> tuple[str, ...]:
        """Names that several layers bear, in the order of their first."""
        return tuple(name for name, layers in self._by_name.items() if name and len(layers) > 1)


def read_caffemodel(path: str | PathLike[str]) -> Caffemodel:
    """Read a binary weight file; its values stay in the file.

    The file must not be cut short while the result is in use, as with any memory map. Raises
    UnreadableError where it is no caffemodel, truncated, corrupt, or its shapes and values
    disagree.
    """
    wire = Wire(map_file(fspath(path), "caffemodel"), fspath(path), max_fields=MAX_FIELDS)
    wire.require_protobuf("binary caffemodel", _CAFFE_HINTS)
    name = ""
    layers: list[LayerBlobs] = []
    for entry in wire.fields():
        if entry.wire_type != LENGTH:
            continue
        if entry.number == _NET_NAME:
            name = wire.text(entry)
        elif entry.number in _GENERATIONS:
            layers.append(_read_layer(wire, entry, _GENERATIONS[entry.number]))
    _check_layers(wire, layers)
    return Caffemodel(wire.path, name, tuple(layers), _grouped(layers))


def looks_like_caffemodel(head: bytes) -> bool:
    r"""Tell a caffemodel by its first bytes (512 or more: they must reach its first layer).

    Other protobuf files (ONNX, GraphDef, SavedModel, Caffe2, Caffe's own mean files and solver
    states) differ from it in the wire type of a field, or have messages where it has text.

    >>> looks_like_caffemodel(b"\n\x03net\xa2\x06\x07\n\x05score")
    True
    """
    wire = Wire(memoryview(head), "", max_fields=_HEAD // 2, head=True)
    try:
        for entry in wire.fields():
            if entry.number in _GENERATIONS and entry.wire_type == LENGTH:
                return _looks_like_layer(wire, entry, _GENERATIONS[entry.number])
            if _is_foreign(wire, entry, (_NET_NAME,)):
                return False
    except UnreadableError:
        return False  # no wire format at all, or cut before the first layer
    return False


def _looks_like_layer(wire: Wire, entry: Field, fields: _LayerFields) -> bool:
    texts = {fields.name, fields.bottoms, fields.tops}
    texts |= {fields.type} if fields is not _V1 else set()
    seen = False
    for item in wire.fields(entry.start, entry.end):
        if item.number == fields.nested:
            return item.wire_type == LENGTH and _looks_like_layer(wire, item, _V0)
        if _is_foreign(wire, item, texts):
            return False
        if item.number == fields.type and fields is _V1 and item.wire_type != VARINT:
            return False
        seen = seen or item.number in texts
        if item.end == len(wire.view):
            break
    return seen


def _is_foreign(wire: Wire, item: Field, texts: Container[int]) -> bool:
    """Tell whether a field that should be a text is none."""
    return item.number in texts and not (item.wire_type == LENGTH and wire.text(item).isprintable())


def _check_layers(wire: Wire, layers: list[LayerBlobs]) -> None:
    """Raise where the file is of another kind, or Caffe would refuse it."""
    blobs = any(layer.blobs for layer in layers)
    if not blobs and not looks_like_caffemodel(bytes(wire.view[:_HEAD])):
        raise UnreadableError(
            "this is not a caffemodel: it holds no layer of Caffe's",
            path=wire.path,
            hint="ONNX, TensorFlow and Caffe2 files are protobuf too",
        )
    new = sum(layer.version == _V2.version for layer in layers)
    if 0 < new < len(layers):
        problem = f"mixes {new} 'layer' with {len(layers) - new} 'layers' entries"
        raise UnreadableError(f"{problem}, which Caffe refuses", path=wire.path)


def _grouped(layers: list[LayerBlobs]) -> dict[str, tuple[LayerBlobs, ...]]:
    groups: dict[str, list[LayerBlobs]] = {}
    for layer in layers:
        groups.setdefault(layer.name, []).append(layer)
    return {name: tuple(group) for name, group in groups.items()}


def _read_layer(wire: Wire, entry: Field, fields: _LayerFields) -> LayerBlobs:
    name = layer_type = ""
    found: dict[int, list[Field]] = {fields.blobs: [], fields.bottoms: [], fields.tops: []}
    nested = None
    for item in wire.fields(entry.start, entry.end):
        if item.number == fields.type:
            layer_type = _type_name(wire, item, fields) or layer_type
        if item.wire_type != LENGTH:
            continue
        if item.number == fields.name:
            name = wire.text(item)
        elif item.number == fields.nested:
            nested = _read_layer(wire, item, _V0)
        elif item.number in found:
            found[item.number].append(item)
    layer = LayerBlobs(
        name,
        layer_type,
        # Blobs come last: their messages name the layer, whose name may follow them in the file.
        tuple(_read_blob(wire, item, name, i) for i, item in enumerate(found[fields.blobs])),
        tuple(wire.text(item) for item in found[fields.bottoms]),
        tuple(wire.text(item) for item in found[fields.tops]),
        fields.version,
    )
    # UpgradeV0LayerParameter: all but the connections is the inner layer's.
    return replace(nested, bottoms=layer.bottoms, tops=layer.tops) if nested else layer


def _type_name(wire: Wire, item: Field, fields: _LayerFields) -> str:
    if fields.version == _V1.version:
        if item.wire_type != VARINT:
            return ""
        return V1_LAYER_TYPES.get(item.value, f"V1LayerType({signed(item.value)})")
    if item.wire_type != LENGTH:
        return ""
    name = wire.text(item)
    return V0_LAYER_TYPES.get(name, name) if fields.version == _V0.version else name


def _read_blob(wire: Wire, entry: Field, layer: str, index: int) -> Blob:
    """Read one BlobProto as Blob::FromProto does: legacy sizes win, and doubles over floats."""
    legacy: dict[int, int] = {}
    dims: list[int] = []
    floats: list[FixedRun] = []
    doubles: list[FixedRun] = []
    for item in wire.fields(entry.start, entry.end):
        if item.number in _LEGACY_AXES and item.wire_type == VARINT:
            legacy[item.number] = signed(item.value)
        elif item.number == _SHAPE and item.wire_type == LENGTH:
            dims += _dims(wire, item, MAX_AXES - len(dims))
        elif item.number == _DATA:
            floats.append(wire.fixed_run(item, 4))
        elif item.number == _DOUBLE_DATA:
            doubles.append(wire.fixed_run(item, 8))
    if legacy:
        dims = [legacy.get(axis, 0) for axis in _LEGACY_AXES]
    wide = any(run.count for run in doubles)
    runs = tuple(run for run in (doubles if wide else floats) if run.count)
    problem = _size_problem(dims, sum(run.count for run in runs))
    if problem:
        raise _blob_error(wire.path, layer, index, problem)
    return Blob(
        shape=tuple(dims),
        dtype="float64" if wide else "float32",
        offset=runs[0].start if runs else entry.start,
        legacy=bool(legacy),
        present=bool(runs) or 0 in dims,
        layer=layer,
        index=index,
        _runs=runs,
        _wire=wire,
    )


def _dims(wire: Wire, shape: Field, most: int) -> list[int]:
    dims: list[int] = []
    for item in wire.fields(shape.start, shape.end):
        if item.number != _SHAPE_DIM:
            continue
        for value in wire.varints(item):
            dims.append(signed(value))
            if len(dims) > most:
                wire.fail(f"a blob of more than {MAX_AXES} axes", shape.start)
    return dims


def _size_problem(dims: list[int], values: int) -> str:
    """Say what is wrong with a shape and a number of values; "" where they agree.

    No value at all is fine: a file may hold shapes alone.
    """
    shape = "x".join(map(str, dims)) or "scalar"
    if any(size < 0 for size in dims):
        return f"has the negative shape {shape}"
    if prod(size for size in dims if size) > _MAX_VALUES:
        return f"has the impossible shape {shape}"
    if values not in (0, prod(dims)):
        return f"holds {values} values, but its shape {shape} asks for {prod(dims)}"
    return ""


def _blob_error(path: str, layer: str, index: int, problem: str) -> UnreadableError:
    return UnreadableError(f"blob {index} {problem}", path=path, layer=layer)
