"""UP401, 403, 406, 407, 409, 411, 412: nodes of an ONNX file that are read in more than one way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.linter.facts.stored import is_zero
from upconv.linter.finding import Fix, NodeEdit
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
        Safe: --fix writes these pads into a copy, model.fixed.onnx, or with --in-place into the
        file. Where ONNX can say the size by a further Pad only, and with --input, there is none:
        upconv convert model.onnx -o out.onnx writes that, and proves that no number moved.

    References:
        onnx/onnx #4299, microsoft/onnxruntime #9370
    """
    for layer in context.of(ops.ConvTranspose):
        op = layer.operator
        assert isinstance(op, ops.ConvTranspose)
        if said := _leaves_pads_open(layer):
            pads = ", ".join(map(str, op.pads_begin + op.pads_end))
            yield Hit(
                f"{said} leaves the pads to the runtime: by the specification they are [{pads}]",
                "write these pads, as upconv convert does",
                layer,
                fix=_with_pads(layer, op),
            )


def _with_pads(layer: Layer, op: ops.ConvTranspose) -> Fix | None:
    """Explicit pads in the place of what stands for them; None where ONNX cannot say them so, or
    the layer is not the whole node."""
    pads = op.pads_begin + op.pads_end
    if min(pads) < 0 or any(a >= s for a, s in zip(op.output_padding, op.stride, strict=True)):
        return None
    edit = NodeEdit(layer.outputs[0], ("auto_pad", "output_shape"), (("pads", pads),))
    return Fix("safe", nodes=(edit,))


def _leaves_pads_open(layer: Layer) -> str:
    """The words of a node that stand for its pads, which then do not count; "" where none do."""
    settings = layer.origin.written.settings
    auto_pad, shape = settings.text_of("auto_pad"), settings.text_of("output_shape")
    if shape:
        return f"output_shape {shape}"
    return f"auto_pad {auto_pad}" if auto_pad.startswith("SAME") else ""


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
    for layer in context.those(_is_upsample):
        yield Hit(
            "Upsample is not in ONNX since opset 10",
            "write it as Resize with asymmetric coordinates, as upconv convert does",
            layer,
        )


def _is_upsample(layer: Layer) -> bool:
    return layer.origin.type == "Upsample" and layer.origin.framework == "onnx"


@rule(
    "UP406",
    "word-that-changed",
    severity="warning",
    source="onnx/onnx GridSample (opset 20), Resize (opset 11); measured with seven engines",
    frameworks=_ONNX,
)
def word_that_changed(context: Context) -> Iterator[Hit]:
    """A mode whose word, or whose meaning without a word, changed between opsets.

    What it finds:
        GridSample of opset 20 and later with the mode cubic, and Resize of opset 10 with the mode
        linear. A word that the file's opset does not know at all is UP001's.

    Why it is bad:
        GridSample's bicubic is called cubic since opset 20: OpenCV 5 and ncnn take the new word for
        linear, without a word of their own. Resize of opset 10 means the coordinates i / scale,
        today's default is half_pixel, and OpenCV and MNN read it so, which moves the image by up to
        half a pixel.

    Example:
        GridSample(x, grid, mode="cubic")      # opset 20

    Use instead:
        GridSample(x, grid, mode="bicubic") in a file of opset 16 to 19, and Resize of opset 11 with
        coordinate_transformation_mode="asymmetric"

    Fix safety:
        There is no fix in place; `upconv convert model.onnx -o out.onnx --opset 18` writes either.

    References:
        onnx/onnx docs/Changelog.md, GridSample-20 and Resize-11
    """
    for layer in context.of(ops.GridSample, ops.Resize):
        settings = layer.origin.written.settings
        if isinstance(layer.operator, ops.GridSample):
            if settings.text_of("mode") == "cubic":
                yield Hit(
                    "the mode cubic was called bicubic before opset 20: OpenCV 5 and ncnn read "
                    "linear",
                    "write a file of opset 16 to 19 for these engines: upconv convert --opset 18",
                    layer,
                )
        elif _is_old_linear(layer):
            yield Hit(
                "linear Resize of opset 10 has the coordinates i / scale, which OpenCV and MNN "
                "read as half_pixel",
                "write the coordinates, asymmetric, in opset 11 or later, as upconv convert does",
                layer,
            )


def _is_old_linear(layer: Layer) -> bool:
    """Whether a Resize has the coordinates that only opset 10 has without saying so."""
    op, settings = layer.operator, layer.origin.written.settings
    assert isinstance(op, ops.Resize)
    is_linear = layer.origin.type == "Resize" and op.mode == "linear"
    unsaid = not settings.text_of("coordinate_transformation_mode")
    return is_linear and unsaid and op.coordinate_mode == "asymmetric"


@rule(
    "UP407",
    "training-mode",
    severity="warning",
    source="onnx/onnx BatchNormalization, Dropout",
    frameworks=_ONNX,
    folds=True,
)
def training_mode(context: Context) -> Iterator[Hit]:
    """A BatchNormalization or a Dropout computes what training computes.

    What it finds:
        BatchNormalization with training_mode (before opset 14: with the outputs of training), and
        Dropout whose training_mode is true.

    Why it is bad:
        The result of an image depends on the others in its batch, or on chance. The model was
        exported while it trained.

    Example:
        torch.onnx.export(model, x, "net.onnx", training=torch.onnx.TrainingMode.TRAINING)

    Use instead:
        model.eval(), and export it again

    Fix safety:
        There is no fix: the numbers change.

    References:
        onnx/onnx docs/Operators.md, BatchNormalization, Dropout
    """
    yield from context.notices("UP407")


@rule(
    "UP409",
    "antialias-unlike-its-source",
    severity="warning",
    source="pytorch/pytorch issue 177138",
    frameworks=_ONNX,
    folds=True,
)
def antialias_unlike_its_source(context: Context) -> Iterator[Hit]:
    """An antialiased Resize that is not what PyTorch or Pillow computes.

    What it finds:
        Resize with antialias that makes an axis shorter, where the mode is cubic and its
        coefficient -0.75, or where exclude_outside is 0.

    Why it is bad:
        PyTorch and Pillow use -0.5 there and leave out what lies beyond the image; torch.onnx
        writes -0.75 all the same. The image is a little too sharp, and its border differs.

    Example:
        Resize(x, "", "", sizes, mode="cubic", antialias=1, exclude_outside=1)

    Use instead:
        Resize(x, "", "", sizes, mode="cubic", antialias=1, exclude_outside=1, cubic_coeff_a=-0.5)

    Fix safety:
        There is no fix: the numbers change.

    References:
        pytorch/pytorch issues 177138 and 157220
    """
    yield from context.notices("UP409")
    for layer in context.of(ops.Resize):
        op = layer.operator
        assert isinstance(op, ops.Resize)
        if op.antialias and op.mode == "cubic" and op.cubic_a == -0.75:
            yield Hit(
                "antialiased cubic with the coefficient -0.75: PyTorch and Pillow use -0.5",
                "write cubic_coeff_a -0.5 where the model comes from one of them",
                layer,
            )


@rule(
    "UP411",
    "negative-pads",
    severity="error",
    source="onnx/onnx ConvTranspose, Conv, pooling (pads >= 0)",
    frameworks=_ONNX,
)
def negative_pads(context: Context) -> Iterator[Hit]:
    """A convolution or a pooling has negative pads.

    What it finds:
        Conv, ConvTranspose and pooling nodes with a pad below 0.

    Why it is bad:
        ONNX does not allow it; onnxruntime and other runtimes refuse the file, which onnx.checker
        passes. tf2onnx writes it for transposed convolutions whose output is larger than the
        smallest.

    Example:
        ConvTranspose(x, w, pads=[-1, -1, 0, 0], strides=[3, 3])

    Use instead:
        output_padding where it is smaller than the stride, or a Pad behind the node: upconv convert
        writes these.

    Fix safety:
        There is no fix in place; `upconv convert model.onnx -o out.onnx` mends it.

    References:
        onnx/onnx docs/Operators.md, ConvTranspose
    """
    yield from context.in_each(_padded_by_less, ops.Conv, ops.ConvTranspose, ops.Pool)


def _padded_by_less(layer: Layer) -> Iterator[Hit]:
    pads = layer.origin.written.settings.text_of("pads")
    if "-" in pads and not _leaves_pads_open(layer):
        yield Hit(
            f"its pads are {pads.replace('x', ', ')}",
            "write an output_padding, or a Pad behind it, as upconv convert does",
            layer,
        )


@rule(
    "UP412",
    "bias-before-padding",
    severity="warning",
    source="tf2onnx 1.17, measured",
    frameworks=_ONNX,
)
def bias_before_padding(context: Context) -> Iterator[Hit]:
    """A transposed convolution of tf2onnx adds its bias before its output is padded with zeros.

    What it finds:
        In files that tf2onnx wrote: ConvTranspose with a bias, directly in front of a Pad by zeros.

    Why it is bad:
        TensorFlow adds the bias to every pixel. tf2onnx pads the output where TensorFlow's is
        larger than the smallest, and puts the bias into the node before: the last rows and columns
        lose it.

    Example:
        ConvTranspose(x, w, bias), Pad(end 1)

    Use instead:
        ConvTranspose(x, w), Pad(end 1), Add(bias): upconv convert writes the TensorFlow model so.

    Fix safety:
        There is no fix: a Pad of the model's own looks alike.

    References:
        onnx/tensorflow-onnx tf2onnx/onnx_opset/nn.py, ConvTranspose
    """
    if context.net.origin.written.settings.text_of("producer_name") != "tf2onnx":
        return
    for layer in context.of(ops.ConvTranspose):
        bias, readers = layer.weights.get("bias"), context.consumers.get(layer.outputs[0], [])
        if bias is None or is_zero(bias) or len(readers) != 1:
            continue
        pad = readers[0].operator
        if isinstance(pad, ops.Pad) and (pad.mode, pad.value) == ("constant", 0.0):
            yield Hit(
                f"its bias is added before '{readers[0].name}' pads the output by zeros",
                "convert the TensorFlow model with upconv, or move the bias behind the Pad",
                layer,
            )
