"""`upconv.probe_make` and `probe_read`: an engine is asked itself how it reads a model."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from upconv.service.python.calls import Inputs, Path, shape_of
from upconv.service.work.reading import Reading, read_options

if TYPE_CHECKING:
    from upconv.service.work.probing import ProbeReading


def probe_make(
    model: Path,
    out: Path,
    *,
    weights: Path | None = None,
    inputs: Inputs | None = None,
    inner: bool = False,
    fill_missing: str | Iterable[str] = (),
    opset: int = 18,
    config: Path | None = None,
) -> None:
    """Write a model that asks an engine how it reads, with its inputs, into the folder `out`.

    Weights and inputs are whole numbers up to 2**11. With `inner` what goes into and comes out of
    every upsampling layer leaves too. Raises UnreadableError, UnsupportedError and UsageError.
    """
    from upconv.service.work.conversion import fill_kinds
    from upconv.service.work.probing import MakeRequest, make_probe

    shapes = {name: shape_of(name, given) for name, given in (inputs or {}).items()}
    said = Reading(os.fspath(weights or ""), shapes)
    kinds = fill_kinds(fill_missing if isinstance(fill_missing, str) else ",".join(fill_missing))
    options = read_options(said, None if config is None else os.fspath(config))
    make_probe(MakeRequest(os.fspath(model), os.fspath(out), options, inner, kinds, opset))


def probe_read(
    folder: Path, outputs: Path | Iterable[Path], *, shape: Sequence[int] = ()
) -> ProbeReading:
    """What an engine's outputs say of how it read the probe in `folder`: a file for each run, an
    .npz, or raw floats of `shape`.

    Raises UnreadableError for files that are not what they should be, and UsageError.
    """
    from upconv.service.work.probing import read_probe

    one = isinstance(outputs, str) or not isinstance(outputs, Iterable)
    files: Iterable[Path] = [outputs] if one else outputs  # type: ignore[list-item, assignment]
    return read_probe(os.fspath(folder), [os.fspath(file) for file in files], tuple(shape))
