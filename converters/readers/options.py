"""What a user may tell every reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal, TypeAlias

from upconv.converters.ir.dims import Size
from upconv.converters.ir.records import record

KerasBackend: TypeAlias = Literal["", "tensorflow", "torch", "jax", "theano"]


@record(frozen=True, slots=True)
class ReadOptions:
    """Settings common to all readers; each reads those that concern its format.

    `inputs` maps an input's name to the shape the user gives it, in the model's own layout.
    `keras_backend` counts for files of Keras that do not record theirs.
    """

    weights: str = ""
    inputs: Mapping[str, tuple[Size, ...]] = field(default_factory=dict)
    phase: Literal["TEST", "TRAIN"] = "TEST"
    dialect: str = ""
    keras_bilinear: Literal["", "half-pixel", "asymmetric"] = ""
    keras_backend: KerasBackend = ""
