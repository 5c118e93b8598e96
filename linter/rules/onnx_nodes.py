"""UP401, UP403: what nodes of an ONNX file leave to those who read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from upconv.converters.ir import operators as ops
from upconv.linter.rule import Hit, rule

if TYPE_CHECKING:
    from upconv.linter.context import Context

_ONNX = ("onnx",)


@rule(
    "UP401",
    "size-left-to-the-runtime",
    severity="warning",
    source="onnx/onnx ConvTranspose; measured with seven engines",
    frameworks=_ONNX,
)
def size_left_to_the_runtime(context: Context) -> Iterator[Hit]:
    """A ConvTranspose names its output's size, and leaves to the runtime where the pixels lie.

    What it finds:
        ConvTranspose nodes of ONNX files with auto_pad SAME_UPPER or SAME_LOWER, or with
        output_shape.

    Why it is bad:
        Runtimes place the odd pixel differently, or get another size. Of 17 such nodes onnxruntime
        1.32 computes all but one as the specification says, which with a kernel below the stride
        gets another size, and every other engine that was measured (OpenVINO, OpenCV, tract, MNN,
        ncnn) has some of them wrong without a word. onnxruntime exchanged SAME_UPPER and
        SAME_LOWER in 1.13.

    Example:
        ConvTranspose(x, w, auto_pad="SAME_LOWER", strides=[2, 2])

    Use instead:
        ConvTranspose(x, w, pads=[1, 1, 0, 0], strides=[2, 2])

    Fix safety:
        There is no fix in place; upconv convert model.onnx -o out.onnx writes explicit pads, and
        proves that no number moved.

    References:
        onnx/onnx #4299, microsoft/onnxruntime #9370
    """
    for layer in context.of(ops.ConvTranspose):
        op, settings = layer.operator, layer.origin.written.settings
        assert isinstance(op, ops.ConvTranspose)
        auto_pad, shape = settings.text_of("auto_pad"), settings.text_of("output_shape")
        if shape or auto_pad.startswith("SAME"):
            said = f"output_shape {shape}" if shape else f"auto_pad {auto_pad}"
            pads = ", ".join(map(str, op.pads_begin + op.pads_end))
            yield Hit(
                f"{said} leaves the pads to the runtime: by the specification they are [{pads}]",
                "write these pads, as upconv convert does",
                layer,
            )


@rule(
    "UP403",
    "operator-no-longer-there",
    severity="warning",
    source="onnx/onnx Upsample (deprecated in opset 10)",
    frameworks=_ONNX,
)
def operator_no_longer_there(context: Context) -> Iterator[Hit]:
    """Upsample, which ONNX has no more since opset 10.

    What it finds:
        Upsample nodes of ONNX files.

    Why it is bad:
        Later opsets do not have it, so that the file cannot be raised to one by changing its
        number. It says nothing of coordinates: they are i / scale, which for linear interpolation
        shifts the image by up to half a pixel against today's default, and readers that take it
        for half_pixel give other numbers.

    Example:
        Upsample(x, scales=[1, 1, 2, 2], mode="linear")

    Use instead:
        Resize(x, "", scales, mode="linear", coordinate_transformation_mode="asymmetric")

    Fix safety:
        There is no fix in place; upconv convert model.onnx -o out.onnx writes Resize.

    References:
        onnx/onnx docs/Operators.md, Upsample
    """
    for layer in context.layers.values():
        if layer.origin.type == "Upsample" and layer.origin.framework == "onnx":
            yield Hit(
                "Upsample is not in ONNX since opset 10",
                "write it as Resize with asymmetric coordinates, as upconv convert does",
                layer,
            )
