"""torch's own sample inputs through torch.export, converted, and run in onnxruntime.

Each sample becomes a module of one operator. The table counts what passes, what is refused with
a reason, and what is wrong, for this project and for torch.onnx.export. A file that was written
and that onnxruntime does not run is wrong, and so is a crash of ours. Usage:

    python -m benchmarks.torch_op_samples [--group upsampling|layers] [--ours-only] [--every N]
        [NAME ...]
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from benchmarks.torch_op_tables import GROUPS, STORED, WIDENED

TOLERANCE: Final = 1e-5
"""Of the largest magnitude of the output."""

COORDINATE_ERROR: Final = 4 * 2.0**-24
"""Linear and cubic modes: times (|c| + 1), c the source coordinate, times the largest
neighbouring difference."""
INTERPOLATED: Final = ("linear", "cubic", "upsample_bi", "_aa", "grid_sample")

Verdict = Literal["pass", "refused", "wrong"]
Share = Literal["usual", "first", "others"]
SHARES: Final[tuple[Share, ...]] = ("usual", "first", "others")
"""Which tensors of a sample are the module's own: as `STORED` says, the first, all others."""


@dataclass(frozen=True)
class Sample:
    """One sample input: the operator as a function of the tensors that are graph inputs.

    `names` are the inputs' names in the converted file.
    """

    operator: str
    label: str
    module: Any
    inputs: tuple[Any, ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of a sample; `reason` for one that was refused, the error for a wrong one."""

    sample: Sample
    verdict: Verdict
    reason: str = ""


def samples(
    names: Sequence[str] = (), every: int = 1, group: str = "upsampling"
) -> Iterator[Sample]:
    """The float32 forward samples of a group's operators, each `every`-th of them."""
    import torch
    from torch.testing._internal.common_methods_invocations import op_db

    for operator in op_db:
        if operator.name not in GROUPS[group] or not _wanted(operator, names):
            continue
        if not operator.supports_dtype(torch.float32, "cpu"):
            continue
        title = f"{operator.name.removeprefix('nn.functional.')} {operator.variant_test_name}"
        torch.manual_seed(0)
        found = list(operator.sample_inputs("cpu", torch.float32))
        for index, sample in enumerate(found[::every]):
            for share in SHARES if group == "layers" else SHARES[:1]:
                label = f"#{index * every}{'' if share == 'usual' else f' {share} stored'}"
                if _makes_sense(share, sample, title):
                    yield _module(title.strip(), label, operator.op, sample, share)
        if operator.name in WIDENED:
            yield from _wide(title.strip(), operator.op, found[::every], every)


def _wanted(operator: Any, names: Sequence[str]) -> bool:
    return not names or any(
        name in f"{operator.name} {operator.variant_test_name}" for name in names
    )


def _wide(
    title: str, function: Callable[..., Any], found: Sequence[Any], every: int
) -> Iterator[Sample]:
    """Square images again with more columns than rows, so that axes that are swapped show."""
    import torch

    for index, sample in enumerate(found):
        rows, columns = sample.input.shape[-2:]
        if sample.input.ndim >= 4 and rows == columns:
            sample.input = torch.cat([sample.input, sample.input.flip(-1)], -1)
            yield _module(title, f"#{index * every} wide", function, sample)


def _makes_sense(share: Share, sample: Any, title: str) -> bool:
    """Whether a share of the tensors leaves one, and is another than the usual one."""
    import torch
    from torch.utils import _pytree as trees

    leaves = trees.tree_leaves((sample.input, sample.args, sample.kwargs))
    several = sum(isinstance(one, torch.Tensor) for one in leaves) > 1
    return share == "usual" or (several and not _is_layer(title))


def _is_layer(title: str) -> bool:
    return any(word in title for word in STORED)


def _module(
    title: str, label: str, function: Callable[..., Any], sample: Any, share: Share = "usual"
) -> Sample:
    """Its tensors are the module's own weights, or graph inputs: see `SHARES`."""
    import torch
    from torch.utils import _pytree as trees

    leaves, form = trees.tree_flatten((sample.input, tuple(sample.args), dict(sample.kwargs)))
    leaves = [one.detach().clone() if isinstance(one, torch.Tensor) else one for one in leaves]
    tensors = [i for i, one in enumerate(leaves) if isinstance(one, torch.Tensor)]
    usual = tensors[1:] if _is_layer(title) else []
    stored = {"usual": usual, "first": tensors[:1], "others": tensors[1:]}[share]
    given = [index for index in tensors if index not in stored]

    class Operator(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            for index in stored:
                self.register_buffer(f"w{index}", leaves[index])

        def forward(self, *inputs: Any) -> Any:
            now = list(leaves)
            for index, tensor in zip(given, inputs, strict=True):
                now[index] = tensor
            for index in stored:
                now[index] = getattr(self, f"w{index}")
            first, positional, named = trees.tree_unflatten(now, form)
            result = function(first, *positional, **named)
            return tuple(result) if isinstance(result, tuple) else result

    words = [_said(one) for one in leaves[1:]]
    names = [key for key in sample.kwargs if not isinstance(sample.kwargs[key], torch.Tensor)]
    label = f"{label} {_said(leaves[0])} ({', '.join(words)}) {' '.join(names)}"
    inputs = tuple(leaves[index] for index in given)
    return Sample(
        title,
        label.strip(),
        Operator().eval(),
        inputs,
        tuple(f"inputs_{i}" for i in range(len(inputs))),
    )


def _said(argument: Any) -> str:
    shape = getattr(argument, "shape", None)
    return str(argument) if shape is None else "x".join(map(str, shape)) or "scalar"


def ours(sample: Sample, path: Path) -> None:
    """Export, read and write with this project."""
    from upconv import from_torch
    from upconv.converters.onnx_writer import write_onnx

    write_onnx(from_torch(sample.module, sample.inputs), path)


def theirs(sample: Sample, path: Path) -> None:
    """Export with torch.onnx.export, its present exporter."""
    import torch

    torch.onnx.export(sample.module, sample.inputs, str(path), dynamo=True, verbose=False)


def outcome(sample: Sample, convert: Callable[[Sample, Path], None], folder: Path) -> Outcome:
    """Convert a sample, run it, and compare."""
    from upconv.converters.ir.errors import UpconvError

    path = folder / "sample.onnx"
    wanted = _flat(sample.module(*sample.inputs))
    try:
        convert(sample, path)
    except Exception as error:
        crashed = convert is ours and not isinstance(error, UpconvError)
        return Outcome(sample, "wrong" if crashed else "refused", _reason(error))
    try:
        found = _run(path, sample)
    except Exception as error:
        return Outcome(sample, "wrong", f"does not run: {_reason(error)}")
    return _compared(sample, wanted, found)


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _run(path: Path, sample: Sample) -> list[Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options)
    feeds = {name: x.numpy() for name, x in zip(sample.names, sample.inputs, strict=True)}
    names = [entry.name for entry in session.get_inputs()]
    found: list[Any] = session.run(None, {name: feeds[name] for name in names})
    return found


def _flat(results: Any) -> list[Any]:
    from torch.utils import _pytree as trees

    return [one.detach().numpy() for one in trees.tree_leaves(results)]


def _compared(sample: Sample, wanted: Sequence[Any], found: Sequence[Any]) -> Outcome:
    if len(wanted) != len(found):
        return Outcome(sample, "wrong", f"{len(found)} outputs, not {len(wanted)}")
    for want, got in zip(wanted, found, strict=True):
        if reason := _difference(sample, want, got):
            return Outcome(sample, "wrong", reason)
    return Outcome(sample, "pass")


def _difference(sample: Sample, wanted: Any, found: Any) -> str:
    """What is wrong with an output; "" where nothing is."""
    if wanted.shape != found.shape:
        return f"shape {found.shape}, not {wanted.shape}"
    if wanted.dtype.kind != found.dtype.kind:
        return f"{found.dtype}, not {wanted.dtype}"
    finite = np.isfinite(wanted)
    if not np.array_equal(wanted[~finite], found[~finite], equal_nan=True):
        return "not finite in other places"
    if not finite.any():
        return ""
    wanted, found = wanted[finite].astype(np.float64), found[finite].astype(np.float64)
    error = float(np.abs(wanted - found).max())
    limit = TOLERANCE * float(np.abs(wanted).max()) + _rounded(sample) + _coordinates(sample)
    return "" if error <= limit else f"error {error:.3g}"


def _rounded(sample: Sample) -> float:
    """What no float32 kernel is closer than where an output is far smaller than the inputs."""
    found = [x[x.isfinite()].abs().max() for x in sample.inputs if x.isfinite().any()]
    return 4 * 2.0**-24 * max(map(float, found), default=0.0)


def _coordinates(sample: Sample) -> float:
    """How far two float32 computations of linear coordinates may be apart."""
    if not any(word in sample.operator for word in INTERPOLATED):
        return 0.0
    x = sample.inputs[0].numpy()
    steep = max(
        (float(np.abs(np.diff(x, axis=a)).max()) for a in range(2, x.ndim) if x.shape[a] > 1),
        default=0.0,
    )
    return float(COORDINATE_ERROR * steep * sum(size + 1 for size in x.shape[2:]))


def run(
    convert: Callable[[Sample, Path], None], chosen: Sequence[Sample]
) -> tuple[list[Outcome], float]:
    """The outcomes, and the seconds it took."""
    import contextlib
    import io

    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            found = [outcome(sample, convert, Path(folder)) for sample in chosen]
    return found, time.perf_counter() - begin


def table(found: Sequence[Outcome]) -> dict[str, Counter[str]]:
    """Operator -> how many samples had each verdict."""
    counts: dict[str, Counter[str]] = {}
    for one in found:
        counts.setdefault(one.sample.operator, Counter())[one.verdict] += 1
    return counts


def _print(name: str, found: Sequence[Outcome], seconds: float) -> None:
    print(f"{name}: {len(found)} samples in {seconds:.0f} s")
    print(f"  {'operator':<36} {'pass':>6} {'refused':>8} {'wrong':>6}")
    rows = table(found)
    for operator, counts in rows.items():
        numbers = f"{counts['pass']:>6} {counts['refused']:>8} {counts['wrong']:>6}"
        print(f"  {operator:<36} {numbers}")
    total = sum(rows.values(), Counter())
    print(f"  {'all':<36} {total['pass']:>6} {total['refused']:>8} {total['wrong']:>6}")
    for one in found:
        if one.verdict != "pass":
            print(f"  {one.verdict}: {one.sample.operator} {one.sample.label}: {one.reason}")


def _converters(ours_only: bool) -> dict[str, Callable[[Sample, Path], None]]:
    """Exits where the peer is not complete, so that nothing is called refused which never ran."""
    from importlib.util import find_spec

    if ours_only:
        return {"upconv": ours}
    if find_spec("onnxscript") is None:
        raise SystemExit("torch.onnx.export needs onnxscript: pip install it, or --ours-only")
    return {"upconv": ours, "torch.onnx.export": theirs}


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--group", choices=sorted(GROUPS), default="upsampling")
    parser.add_argument("--ours-only", action="store_true")
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args(arguments)
    chosen = list(samples(options.names, options.every, options.group))
    for name, convert in _converters(options.ours_only).items():
        _print(name, *run(convert, chosen))


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
