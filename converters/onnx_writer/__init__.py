"""Models as ONNX files: `write_onnx` for a whole model, `write_upsampling` layer by layer.

One emitter per operator, in the modules of `emitters`; the table test fails while one is missing.
"""

from __future__ import annotations

from upconv.converters.onnx_writer.options import WriteOptions, Written
from upconv.converters.onnx_writer.save import move_model, require_place
from upconv.converters.onnx_writer.upsampling import UpsamplingFile, write_upsampling
from upconv.converters.onnx_writer.write import write_onnx

__all__ = [
    "UpsamplingFile",
    "WriteOptions",
    "Written",
    "move_model",
    "require_place",
    "write_onnx",
    "write_upsampling",
]
