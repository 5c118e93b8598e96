"""UP330 to UP333: what Keras and TensorFlow code says of its upsampling layers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import symbol
from upconv.converters.ir.geometry import (
    effective_kernel,
    keras_transposed_size,
    tensorflow_inverts,
)
from upconv.converters.readers.python_source.call import Call, NotProvableError
from upconv.linter.facts import words
from upconv.linter.facts.calls import calls
from upconv.linter.rule import Hit, rule

if TYPE_CHECKING:
    from upconv.converters.ir.model import Layer
    from upconv.linter.context import Context

_TRANSPOSED: Final = "Transpose"


@rule("UP330", "builds-then-fails", severity="error", source="conv_grad_shape_utils.cc")
def builds_then_fails(context: Context) -> Iterator[Hit]:
    """A Keras transposed convolution that is built and fails when it is called.

    What it finds:
        Conv*DTranspose, in code and in saved models, whose output size no convolution leads back
        from: padding "same" with an even effective kernel and output_padding 0. Also output_padding
        that is not smaller than the stride, which newer versions of Keras refuse at once.

    Why it is bad:
        Keras computes the output's shape and says nothing; TensorFlow refuses it at the first call,
        in training or only in production.

    Example:
        layers.Conv2DTranspose(64, 4, strides=2, padding="same", output_padding=0)

    Use instead:
        layers.Conv2DTranspose(64, 4, strides=2, padding="same")      # output = 2 * input

    Fix safety:
        There is no fix: leaving output_padding out makes the output one pixel larger.

    References:
        keras/src/backend/common/backend_utils.py; tensorflow/core/kernels/conv_grad_shape_utils.cc
    """
    if context.net.framework == "keras":
        yield from _saved_then_fails(context)
    for layer, call in calls(context, "keras"):
        if call.name.endswith(_TRANSPOSED):
            yield from _written_then_fails(layer, call)


def _written_then_fails(layer: Layer, call: Call) -> Iterator[Hit]:
    """What is wrong along the first axis of a call that fails, where its arguments are known."""
    from upconv.converters.readers.python_source.keras_layers import padding_of, transposed_windows

    try:
        padding, windows = padding_of(call), transposed_windows(call)
    except NotProvableError:
        return
    size = symbol("n")
    for kernel, stride, dilation, extra in windows:
        out = keras_transposed_size(size, kernel, stride, dilation, padding, extra)
        if extra is not None and extra >= stride:
            yield Hit(
                f"Keras refuses output_padding {extra} with stride {stride}: it must be smaller",
                f"use at most {stride - 1}",
                layer,
                call.span_of("output_padding"),
            )
            return
        if not tensorflow_inverts(size, out, kernel, stride, dilation, padding):
            yield Hit(
                f"TensorFlow refuses to run it: padding '{padding}', an effective kernel of "
                f"{effective_kernel(kernel, dilation)}, stride {stride} and output_padding "
                f"{extra} give {_sized(str(out))} pixels, from which no convolution leads back",
                "leave output_padding out, or take an odd kernel",
                layer,
                call.span_of("output_padding", "padding"),
            )
            return


def _saved_then_fails(context: Context) -> Iterator[Hit]:
    """The layers of a saved model that its reader found not to run."""
    from upconv.converters.readers.keras.windows import FAILS_WHEN_CALLED

    for layer in context.of(ops.Unknown):
        assert isinstance(layer.operator, ops.Unknown)
        if layer.operator.reason.startswith(FAILS_WHEN_CALLED):
            yield Hit(
                layer.operator.reason,
                "leave output_padding out, or take an odd kernel",
                layer,
                words.span_of(layer, "output_padding", "padding"),
            )


def _sized(formula: str) -> str:
    return formula.replace("n", "in")


@rule("UP331", "keras-bilinear-version", severity="info", source="keras-team/keras issue 15141")
def keras_bilinear_version(context: Context) -> Iterator[Hit]:
    """What UpSampling2D's bilinear means depends on the version of TensorFlow.

    What it finds:
        UpSampling2D with interpolation="bilinear".

    Why it is bad:
        Up to TensorFlow 1.14 it took pixels at integer multiples (asymmetric); from 1.15 on it
        aligns pixel edges (half-pixel). The code is the same, the values differ by half a pixel,
        and weights trained with one fit the other badly.

    Example:
        layers.UpSampling2D(2, interpolation="bilinear")

    Use instead:
        Say which version trained the weights, and convert with --keras-bilinear.

    Fix safety:
        There is no fix: the code does not say which is meant.

    References:
        tensorflow/python/keras/backend.py (resize_images) of 1.14 and 1.15
    """
    for layer, call in calls(context, "keras"):
        if call.name == "UpSampling2D" and call.probably("interpolation") == "bilinear":
            yield Hit(
                "bilinear is half-pixel from TensorFlow 1.15 on, and was asymmetric before",
                "note the version that trained the weights",
                layer,
                call.span_of("interpolation"),
            )


@rule("UP332", "impossible-output-shape", severity="error", source="conv_grad_shape_utils.cc")
def impossible_output_shape(context: Context) -> Iterator[Hit]:
    """A declared output_shape that TensorFlow refuses.

    What it finds:
        tf.nn.conv*d_transpose with a stride over batch or channels, an output_shape of the wrong
        length, or one from which the convolution does not lead back to the input's size, where both
        are constant: with SAME, ceil(output / stride) must be the input.

    Why it is bad:
        The graph is built, and running it raises InvalidArgumentError.

    Example:
        x = tf.reshape(z, [-1, 7, 7, 128])
        y = tf.nn.conv2d_transpose(x, w, [n, 15, 15, 64], strides=[1, 2, 2, 1])

    Use instead:
        y = tf.nn.conv2d_transpose(x, w, [n, 14, 14, 64], strides=[1, 2, 2, 1])

    Fix safety:
        There is no fix: the stride may be what is wrong.

    References:
        tensorflow/core/kernels/conv_grad_shape_utils.cc
    """
    for layer, call in calls(context, "tensorflow"):
        if call.name.endswith("_transpose"):
            for message in _impossible(call):
                yield Hit(
                    message,
                    "make the convolution of the output give the input's size back",
                    layer,
                    call.span_of("output_shape"),
                )
                break


def _impossible(call: Call) -> Iterator[str]:
    from upconv.converters.readers.python_source import tensorflow_calls as tf

    axes = next(int(letter) for letter in call.name if letter.isdigit())
    strides = call.probably("strides")
    if isinstance(strides, tuple) and len(strides) == axes + 2:
        first = str(call.probably("data_format") or "NHWC").startswith("NC")
        if strides[0] != 1 or strides[1 if first else -1] != 1:
            yield f"strides {list(strides)} step over the batch or the channels"
            return
    declared = tf.partial_list(tf.tensor(call, "output_shape"), call.scope)
    if declared is not None and len(declared) not in (axes, axes + 2):
        yield f"output_shape has {len(declared)} sizes, not {axes + 2}"
        return
    try:
        sizes, steps = tf.declared_output(call, axes), tf.strides_of(call, axes)
        padding = tf.padding_of(call)
        inputs = _input_sizes(call, axes)
    except NotProvableError:
        return
    kernel = tf.filter_kernel(tf.tensor(call, "filters", "filter"), call.scope, axes)
    for index, (out, step, size) in enumerate(zip(sizes, steps, inputs, strict=True)):
        if size is None or (padding == "valid" and kernel is None):
            continue
        extent = kernel[index] if kernel is not None else 1
        if not tensorflow_inverts(size, out, extent, step, 1, padding):
            yield (
                f"an output of {out} from an input of {size} is impossible with stride {step} and "
                f"padding '{padding.upper()}': the convolution of {out} pixels gives "
                f"{tf.implied_input(out, extent, step, padding)}"
            )


def _input_sizes(call: Call, axes: int) -> tuple[int | None, ...]:
    """The spatial sizes of the input, where a tf.reshape, a placeholder or another transposed
    convolution made it; through functions of one tensor."""
    from upconv.converters.readers.python_source import tensorflow_calls as tf

    node, scope = tf.tensor(call, "input", "value"), call.scope
    for _ in range(tf.MAX_NESTING):
        if isinstance(node, ast.Name):
            found = scope.lookup(node.id)
            if found is None or len(found[1]) != 1:
                break
            scope, node = found[0], found[1][0].value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            shape = _made_shape(node, axes)
            if shape is not None:
                sizes = tf.partial_list(shape, scope) or ()
                return tf.spatial(sizes, call) if len(sizes) == axes + 2 else (None,) * axes
            node = node.args[0] if node.func.attr in _KEEPS_SIZE and node.args else None
        else:
            break
    return (None,) * axes


def _made_shape(node: ast.Call, axes: int) -> ast.expr | None:
    """The argument of a call that says its result's shape."""
    assert isinstance(node.func, ast.Attribute)
    name, at = node.func.attr, {"reshape": 1, "placeholder": 1}.get(node.func.attr)
    if name == f"conv{axes}d_transpose":
        name, at = "conv_transpose", 2
    if at is None:
        return None
    wanted = "output_shape" if name == "conv_transpose" else "shape"
    named = (keyword.value for keyword in node.keywords if keyword.arg == wanted)
    return next(named, node.args[at] if len(node.args) > at else None)


_KEEPS_SIZE: Final = frozenset(
    {"relu", "leaky_relu", "sigmoid", "tanh", "elu", "identity", "dropout", "bias_add"}
)


@rule("UP333", "legacy-resize", severity="warning", source="tensorflow/tensorflow issue 6720")
def legacy_resize(context: Context) -> Iterator[Hit]:
    """A resize of TensorFlow 1 that shifts the image.

    What it finds:
        tf.image.resize_bilinear, resize_bicubic, resize_nearest_neighbor and resize_images of
        TensorFlow 1 without align_corners and half_pixel_centers; in graphs, the linear and cubic
        ones of these operations that resize to another size.

    Why it is bad:
        Output pixel i is taken at i * in/out: the image moves to the top left by up to half an
        input pixel. tf.image.resize of TensorFlow 2, PyTorch and OpenCV align pixel edges, so that
        weights and ports do not fit each other.

    Example:
        tf.image.resize_bilinear(x, [64, 64])

    Use instead:
        tf.image.resize(x, [64, 64])      # TensorFlow 2: half-pixel centres

    Fix safety:
        There is no fix: weights may have been trained with the shift.

    References:
        tensorflow/tensorflow issue 6720; tensorflow/core/util/image_resizer_state.h
    """
    yield from _resized_by_the_corner(context)
    for layer, call in calls(context, "tensorflow"):
        if not call.name.startswith("resize_") or not call.complete:
            continue
        aligned = call.probably("align_corners", "?")
        half = call.probably("half_pixel_centers", False)
        if aligned is False and not half and "half_pixel_centers" not in _unknown(call):
            yield Hit(
                f"{call.name} takes pixel i at i * in/out: the result is shifted to the top left",
                "use tf.image.resize of TensorFlow 2, or align_corners=True; train again",
                layer,
            )


def _resized_by_the_corner(context: Context) -> Iterator[Hit]:
    """The resizes of a graph that take pixel i at i * in/out. Nearest ones repeat a pixel, which
    is right by whole factors."""
    for layer in context.of(ops.Resize):
        op = layer.operator
        assert isinstance(op, ops.Resize)
        if layer.origin.framework not in _OF_TENSORFLOW or isinstance(layer.origin.node, Call):
            continue
        before, after = context.input_shape(layer), context.output_shape(layer)
        resized = before is None or (before != after and set(before[2:]) != {1})
        if op.coordinate_mode == "asymmetric" and op.mode != "nearest" and resized:
            yield Hit(
                f"{layer.origin.type} takes pixel i at i * in/out: the result is shifted to the "
                "top left",
                "use tf.image.resize of TensorFlow 2, or align_corners=True; train again",
                layer,
            )


_OF_TENSORFLOW: Final = ("keras", "tensorflow")


def _unknown(call: Call) -> set[str]:
    return {name for name, argument in call.arguments.items() if not argument.known}
