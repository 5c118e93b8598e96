"""What a caller may choose about the written file, and what the file turned out to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Final, Literal

from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.installed import installed_version
from upconv.converters.ir.records import record

IR_VERSIONS = {13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10}
"""The ONNX IR version that was current when an opset was released (onnx/docs/Versioning.md).

Pinned: the newest version a library knows would lock out runtimes that read the opset well.
"""

DEFAULT_OPSET: Final = 18
"""What is written where none is asked for."""

COPIED: Final = "copied"
"""The form of a layer of an ONNX file whose node is copied as it is."""

GROUPED: Final = "grouped"
"""The form of a layer whose dense weight keeps channels apart, and the name of the initializer that
holds its diagonal, behind the layer's."""

POINTWISE: Final = "pointwise"
"""The name of the initializer that holds the weight of a transposed convolution of one pixel, in
the order of a convolution, behind the layer's."""

ExternalData = Literal["auto", "always", "never"]
Bilinear = Literal["auto", "conv-transpose", "separable", "matmul", "resize"]
UnknownLayers = Literal["refuse", "custom-op"]


@record(frozen=True, slots=True)
class WriteOptions:
    """How to write.

    `opset` is None where none is asked for: nodes of an ONNX file that are copied keep theirs.
    `external_data`: weights in a file of their own beside the model, "auto" above 1 GiB.
    `bilinear` is the form of transposed convolutions whose kernels are products of a column and
    a row, or of more factors: "conv-transpose" keeps the one node that the source has, "separable"
    writes a thin grouped node for each axis, "matmul" a matrix product, "resize" one Resize with
    what its border needs, where the kernels interpolate linearly; "auto" is the cheapest of these
    (`form_costs`) where the factors give back the stored kernel bit for bit (bilinear kernels of
    factors 2, 4, 8 ...), and a Conv where the kernel is one pixel, else one node. One node that
    keeps channels apart is grouped.
    `unknown` layers are refused, or written as nodes of a domain of our own. Without `open_shapes`
    no shape with letters is stored of inner values: tract refuses files for them.
    """

    opset: int | None = None
    external_data: ExternalData = "auto"
    bilinear: Bilinear = "conv-transpose"
    unknown: UnknownLayers = "refuse"
    open_shapes: bool = True
    producer_version: str = field(default_factory=installed_version)

    @property
    def version(self) -> int:
        """The opset of what is made anew."""
        return DEFAULT_OPSET if self.opset is None else self.opset


@record(frozen=True, slots=True)
class Written:
    """The file that was written, and in which form each layer stands in it; `retyped`: (name, type
    here, type in the source) of inputs and outputs whose numbers are of another type."""

    path: Path
    opset: int
    external_path: Path | None
    forms: Mapping[str, str]
    retyped: tuple[tuple[str, str, str], ...] = ()


_CHOICES = (("external_data", ExternalData), ("bilinear", Bilinear), ("unknown", UnknownLayers))


def require_valid(options: WriteOptions) -> None:
    """Raise UsageError for options that mean nothing."""
    if options.version not in IR_VERSIONS:
        raise UsageError(
            f"opset {options.version} cannot be written",
            hint=f"choose {min(IR_VERSIONS)} to {max(IR_VERSIONS)}",
        )
    for name, allowed in _CHOICES:
        choices = allowed.__args__  # type: ignore[attr-defined]
        if getattr(options, name) not in choices:
            raise UsageError(f"{name} '{getattr(options, name)}' is none of {', '.join(choices)}")
