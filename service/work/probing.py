"""A probe: a model made of whole numbers for an engine to run, and what its outputs say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upconv.converters.ir.errors import UnreadableError, UsageError
from upconv.converters.ir.records import record
from upconv.converters.readers.options import ReadOptions

if TYPE_CHECKING:
    from upconv.converters.ir.model import Model
    from upconv.converters.probe.files import Array, Manifest
    from upconv.converters.probe.reading import LayerReading


@record(frozen=True, slots=True)
class MakeRequest:
    """A model of any format, and the folder to write; with `inner` what goes into and comes out of
    every upsampling layer leaves too, so that a fault is placed. `opset` is that of a conversion,
    which a model that is no ONNX file needs."""

    model: str
    out: str
    options: ReadOptions = ReadOptions()
    inner: bool = False
    fill: tuple[str, ...] = ()
    opset: int = 18


@record(frozen=True, slots=True)
class ProbeReading:
    """What the outputs of an engine say, layer by layer."""

    layers: tuple[LayerReading, ...]

    @property
    def passed(self) -> bool:
        """Whether everything that was seen is exact, and something was."""
        verdicts = {one.verdict for one in self.layers}
        return "exact" in verdicts and verdicts <= {"exact", "not seen", "not judged"}

    def __str__(self) -> str:
        return "\n".join(map(_line, self.layers)) or "the probe has no upsampling layer"

    def __repr__(self) -> str:
        said = "exact" if self.passed else "not all exact"
        return f"<ProbeReading: {len(self.layers)} layers, {said}>"


def _line(one: LayerReading) -> str:
    if one.verdict == "exact":
        said = "exact, to the bit" if one.whole else "exact but for rounding"
        said += "".join(f", in one of the readings that the words have: {r}" for r in one.readings)
    elif one.verdict == "not judged":
        said = "not judged: the specification, or upconv, has no one meaning for it"
    elif one.verdict == "not seen":
        said = "not seen: its input or its output is not among the files (probe make --inner)"
    else:
        said = f"{one.share:.0%} of its values are others; " + (
            " | or: ".join(one.readings) or "no known reading explains them"
        )
    return f"{one.layer} ({one.operator}): {said}"


def make_probe(request: MakeRequest) -> Manifest:
    """Write a probe into a new or empty folder.

    Raises UnreadableError and UnsupportedError for a model that cannot be read or converted,
    UsageError where the folder holds anything, OSError where it cannot be written.
    """
    from tempfile import TemporaryDirectory

    from upconv.converters.probe.making import make
    from upconv.converters.readers.formats import open_graph

    folder = Path(request.out)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError("is not empty", path=request.out, hint="name a new folder")
    model = open_graph(request.model, request.options)
    with TemporaryDirectory() as scratch:
        path = request.model
        if model.framework != "onnx":
            path = str(Path(scratch, "model.onnx"))
            _convert(model, path, request)
            model = open_graph(path, ReadOptions())
        proto = _proto(path)
        folder.mkdir(exist_ok=True)
        return make(proto, model, folder, request.inner)


def _convert(model: Model, path: str, request: MakeRequest) -> None:
    from upconv.converters.onnx_writer import WriteOptions, write_onnx
    from upconv.converters.passes.fill import fill_missing

    write_onnx(fill_missing(model, request.fill), path, WriteOptions(request.opset))


def _proto(path: str, outside: bool = True) -> Any:
    """The file's messages, with the weights that lie outside of it. Raises UnreadableError where
    onnx does not take it."""
    import onnx

    try:
        return onnx.load(path, load_external_data=outside)
    except Exception as error:  # of protobuf and of onnx's own, for a file that we read ourselves
        why = " ".join(str(error).split())[:200]
        raise UnreadableError(f"is not loaded by onnx: {why}", path=path) from None


def read_probe(folder: str, outputs: Sequence[str], shape: Sequence[int] = ()) -> ProbeReading:
    """What an engine's outputs say of how it read the probe in a folder.

    `outputs` are files in the order of the runs: an .npz of the outputs under their names, or the
    raw floats of the only output in `shape`.

    Raises UnreadableError for files that are not what they should be, UsageError for none or too
    many of them.
    """
    from upconv.converters.probe.files import MODEL, read_arrays, read_manifest
    from upconv.converters.probe.making import constants
    from upconv.converters.probe.reading import read
    from upconv.converters.readers.formats import open_graph

    top = Path(folder)
    manifest = read_manifest(top)
    if not 0 < len(outputs) <= len(manifest.runs):
        raise UsageError(
            f"{len(outputs)} files of outputs for {len(manifest.runs)} runs", path=folder
        )
    known = constants(_proto(str(top / MODEL), outside=False))
    runs = [
        known | read_arrays(top / given) | _outputs(Path(found), manifest, shape)
        for given, found in zip(manifest.runs, outputs, strict=False)
    ]
    model = open_graph(str(top / MODEL), ReadOptions(inputs=_shapes(top, manifest)))
    return ProbeReading(tuple(read(model, runs)))


def _shapes(folder: Path, manifest: Manifest) -> dict[str, Any]:
    """The shapes of the inputs that were given: the probe fixes what the model leaves open."""
    from upconv.converters.probe.files import read_arrays

    given = read_arrays(folder / manifest.runs[0])
    return {name: values.shape for name, values in given.items()}


def _outputs(path: Path, manifest: Manifest, shape: Sequence[int]) -> dict[str, Array]:
    from upconv.converters.probe.files import read_arrays, read_raw

    if path.suffix != ".npz":
        if len(manifest.outputs) != 1 or not shape:
            hint = "give --shape 1x3x10x14, or an .npz of several outputs"
            raise UsageError("raw floats are of one output, in a shape", path=str(path), hint=hint)
        return {manifest.outputs[0]: read_raw(path, shape)}
    found = read_arrays(path)
    if len(found) == len(manifest.outputs) == 1:
        return {manifest.outputs[0]: next(iter(found.values()))}
    unknown = set(found) - set(manifest.outputs)
    if unknown:
        hint = f"they are {', '.join(manifest.outputs[:8])}"
        raise UsageError(f"'{min(unknown)}' is no output of the probe", path=str(path), hint=hint)
    return found


def sizes_of(text: str) -> tuple[int, ...]:
    """The sizes in 1x3x10x14; none in "". Raises UsageError for anything else."""
    parts = text.split("x") if text else []
    if not all(part.isdecimal() and 0 < len(part) < 10 for part in parts):
        raise UsageError(f"--shape {text}: is no shape", hint="write it as in 1x3x10x14")
    return tuple(map(int, parts))


def reading_record(reading: ProbeReading) -> dict[str, Any]:
    """A reading as JSON has it."""
    return {
        "schema_version": 1,
        "exact": reading.passed,
        "layers": [
            {
                "layer": one.layer,
                "operator": one.operator,
                "verdict": one.verdict,
                "readings": list(one.readings),
                "whole_numbers": one.whole,
                "share_of_others": one.share,
            }
            for one in reading.layers
        ],
    }


def as_json(reading: ProbeReading) -> str:
    """The record as text."""
    return json.dumps(reading_record(reading), indent=2)
