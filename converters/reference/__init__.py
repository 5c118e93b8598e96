"""The float64 meaning of every operator: what "right" means for a converted model.

`run_layer` evaluates one layer, `run_model` a whole model, `MEANINGS` maps each operator record to
its function, one module a family. `bounds` says how far a float32 result may lie from them.

Arrays are channels-first, (N, C, spatial...), with one to three spatial axes. Values are float64;
stored float32 weights are widened block by block, so that a large network needs its activations
and some 200 MB.
"""

from upconv.converters.reference import (
    arrangement,
    conv_transpose,
    convolution,
    grid_sample,
    interpolation,
    normalization,
    pointwise,
    pooling,
    reduction,
    regions,
    selection,
    unpooling,
)
from upconv.converters.reference.call import MEANINGS, Array, Operands
from upconv.converters.reference.run import run_layer, run_model, widened

FAMILIES = (
    arrangement,
    conv_transpose,
    convolution,
    grid_sample,
    interpolation,
    normalization,
    pointwise,
    pooling,
    reduction,
    regions,
    selection,
    unpooling,
)
"""The modules that fill MEANINGS when they are imported."""

__all__ = ["FAMILIES", "MEANINGS", "Array", "Operands", "run_layer", "run_model", "widened"]
