"""torch's own sample inputs through torch.export, converted, and run in onnxruntime.

Each sample becomes a module of one operator. The table counts what passes, what is refused with
a reason, and what is wrong, for this project and for torch.onnx.export. Usage:

    python -m benchmarks.torch_op_samples [--ours-only] [--every N] [NAME ...]
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

OPERATORS: Final = (
    "nn.functional.conv_transpose1d",
    "nn.functional.conv_transpose2d",
    "nn.functional.conv_transpose3d",
    "nn.functional.interpolate",
    "nn.functional.upsample_bilinear",
    "nn.functional.upsample_nearest",
    "_upsample_bilinear2d_aa",
    "nn.functional.max_unpool1d",
    "nn.functional.max_unpool2d",
    "nn.functional.max_unpool3d",
    "nn.functional.pixel_shuffle",
    "nn.functional.pixel_unshuffle",
)
TOLERANCE: Final = 1e-5
"""Of the largest magnitude of the output."""

COORDINATE_ERROR: Final = 4 * 2.0**-24
"""Linear and cubic modes: times (|c| + 1), c the source coordinate, times the largest
neighbouring difference."""

Verdict = Literal["pass", "refused", "wrong"]


@dataclass(frozen=True)
class Sample:
    """One sample input: the operator as a function of the tensors that are graph inputs."""

    operator: str
    label: str
    module: Any
    inputs: tuple[Any, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of a sample; `reason` for one that was refused, the error for a wrong one."""

    sample: Sample
    verdict: Verdict
    reason: str = ""


def samples(names: Sequence[str] = (), every: int = 1) -> Iterator[Sample]:
    """The float32 forward samples of the operators, each `every`-th of them."""
    import torch
    from torch.testing._internal.common_methods_invocations import op_db

    for operator in op_db:
        if operator.name not in OPERATORS or not _wanted(operator, names):
            continue
        title = f"{operator.name.removeprefix('nn.functional.')} {operator.variant_test_name}"
        torch.manual_seed(0)
        found = list(operator.sample_inputs("cpu", torch.float32))
        for index, sample in enumerate(found):
            if index % every == 0:
                yield _module(title.strip(), f"#{index}", operator.op, sample)


def _wanted(operator: Any, names: Sequence[str]) -> bool:
    return not names or any(
        name in f"{operator.name} {operator.variant_test_name}" for name in names
    )


def _module(title: str, label: str, function: Callable[..., Any], sample: Any) -> Sample:
    """Weights are the module's own; what an unpooling reads are inputs."""
    import torch

    class Operator(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.stored: list[Any] = []
            for index, argument in enumerate(sample.args):
                if isinstance(argument, torch.Tensor) and "unpool" not in title:
                    self.register_buffer(f"w{index}", argument.detach().clone())

        def forward(self, x: Any, *more: Any) -> Any:
            rest = iter(more)
            arguments = [self._argument(i, a, rest) for i, a in enumerate(sample.args)]
            return function(x, *arguments, **sample.kwargs)

        def _argument(self, index: int, argument: Any, rest: Iterator[Any]) -> Any:
            if not isinstance(argument, torch.Tensor):
                return argument
            return getattr(self, f"w{index}") if hasattr(self, f"w{index}") else next(rest)

    tensors = [a for a in sample.args if isinstance(a, torch.Tensor)]
    more = tensors if "unpool" in title else []
    inputs = tuple(one.detach().clone() for one in (sample.input, *more))
    shapes = "x".join(map(str, sample.input.shape))
    settings = ", ".join(str(a) for a in sample.args if not isinstance(a, torch.Tensor))
    words = f"{label} {shapes} {settings} {sample.kwargs}"
    return Sample(title, words, Operator().eval(), inputs)


def ours(sample: Sample, path: Path) -> None:
    """Export, read and write with this project."""
    from converters import from_torch
    from converters.onnx_writer import write_onnx

    write_onnx(from_torch(sample.module, sample.inputs), path)


def theirs(sample: Sample, path: Path) -> None:
    """Export with torch.onnx.export, its present exporter."""
    import torch

    torch.onnx.export(sample.module, sample.inputs, str(path), dynamo=True, verbose=False)


def outcome(sample: Sample, convert: Callable[[Sample, Path], None], folder: Path) -> Outcome:
    """Convert a sample, run it, and compare."""
    import onnxruntime

    path = folder / "sample.onnx"
    wanted = sample.module(*sample.inputs).detach().numpy()
    try:
        convert(sample, path)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(str(path), options)
        names = [entry.name for entry in session.get_inputs()]
        feeds = {n: x.numpy() for n, x in zip(names, sample.inputs, strict=True)}
        (found,) = session.run(None, feeds)
    except Exception as error:
        return Outcome(sample, "refused", " ".join(str(error).split())[:300])
    return _compared(sample, wanted, found)


def _compared(sample: Sample, wanted: Any, found: Any) -> Outcome:
    if wanted.shape != found.shape:
        return Outcome(sample, "wrong", f"shape {found.shape}, not {wanted.shape}")
    if not wanted.size:
        return Outcome(sample, "pass")
    error = float(np.abs(wanted - found).max())
    limit = TOLERANCE * float(np.abs(wanted).max()) + _coordinates(sample)
    return Outcome(sample, "pass" if error <= limit else "wrong", f"error {error:.3g}")


def _coordinates(sample: Sample) -> float:
    """How far two float32 computations of linear coordinates may be apart."""
    if not any(word in sample.operator for word in ("linear", "cubic", "upsample_bi", "_aa")):
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


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--ours-only", action="store_true")
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args(arguments)
    chosen = list(samples(options.names, options.every))
    converters = {"upconv": ours} | ({} if options.ours_only else {"torch.onnx.export": theirs})
    for name, convert in converters.items():
        _print(name, *run(convert, chosen))


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
