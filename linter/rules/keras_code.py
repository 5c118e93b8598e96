"""UP330 to UP333: what Keras and TensorFlow code says of its upsampling layers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.patterns import pattern
from upconv.linter.facts.calls import calls
from upconv.linter.rule import Hit, rule

if TYPE_CHECKING:
    from upconv.converters.ir.written import Call
    from upconv.linter.context import Context

_KERAS: Final = pattern(r"""^["' \t]*+(?:import|from)[ \t]+keras\b""", re.MULTILINE)
_KERAS_3: Final = pattern(
    r"\bkeras\.(?:ops|random|saving|distribution|KerasTensor|StatelessScope|config)\b"
    r"|from keras import (?:\w+, )*(?:ops|random|saving)\b|KERAS_BACKEND"
)
_KERAS_2: Final = pattern(
    r"\bkeras\.(?:engine|legacy|objectives|wrappers|utils\.(?:np_utils|vis_utils|generic_utils"
    r"|training_utils|multi_gpu_model)|backend\.tensorflow_backend|layers\.(?:merge|core|pooling"
    r"|convolutional|normalization|advanced_activations|embeddings|recurrent|noise|local))\b"
    r"|\bkeras_contrib\b|\bfit_generator\b|\bset_session\b|\bmulti_gpu_model\b"
    r"|\btf\.(?:Session|placeholder|ConfigProto|global_variables_initializer)\b|compat\.v1"
)
"""Words of modules and functions that one version has and the other does not."""


def _is_keras_3(code: str) -> bool:
    """Whether code is of Keras 3: it says so, or imports Keras itself and shows no older one."""
    if _KERAS_3.search(code):
        return True
    return _KERAS.search(code) is not None and not _KERAS_2.search(code)


@rule(
    "UP330",
    "builds-then-fails",
    severity="error",
    source="conv_grad_shape_utils.cc",
    formats=("python",),
)
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
    yield from context.notices("UP330")


@rule(
    "UP331",
    "keras-bilinear-version",
    severity="info",
    source="keras-team/keras issue 15141",
    folds=True,
    formats=("python",),
)
def keras_bilinear_version(context: Context) -> Iterator[Hit]:
    """What UpSampling2D's bilinear means depends on the version of TensorFlow.

    What it finds:
        UpSampling2D with interpolation="bilinear" in code of tf.keras or of old Keras. Code that
        imports `keras` and nothing that only Keras 2 has is of Keras 3, which aligns edges.

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
    found = [
        (layer, call)
        for layer, call in calls(context, "keras")
        if call.name == "UpSampling2D" and call.probably("interpolation") == "bilinear"
    ]
    if found and _is_keras_3(context.source.text if context.source else ""):
        return
    for layer, call in found:
        yield Hit(
            "bilinear is half-pixel from TensorFlow 1.15 on, and was asymmetric before",
            "note the version that trained the weights",
            layer,
            call.span_of("interpolation"),
        )


@rule(
    "UP332",
    "impossible-output-shape",
    severity="error",
    source="conv_grad_shape_utils.cc",
    formats=("python",),
)
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
    yield from context.notices("UP332")


@rule(
    "UP333",
    "legacy-resize",
    severity="warning",
    source="tensorflow/tensorflow issue 6720",
    folds=True,
    formats=("python", "tensorflow"),
)
def legacy_resize(context: Context) -> Iterator[Hit]:
    """A resize of TensorFlow 1 that shifts the image.

    What it finds:
        tf.image.resize_bilinear, resize_bicubic and resize_images of TensorFlow 1, linear or cubic,
        without align_corners and half_pixel_centers; in graphs those of these operations that
        resize to another size. Nearest ones repeat pixels, which is right by whole factors, and
        area averages whole blocks.

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
        if not _interpolates(call) or not call.complete:
            continue
        aligned = call.probably("align_corners", "?")
        half = call.probably("half_pixel_centers", False)
        open_half = call.writes("half_pixel_centers") and not call.known("half_pixel_centers")
        if aligned is False and not half and not open_half:
            yield Hit(
                f"{call.name} takes pixel i at i * in/out: the result is shifted to the top left",
                "use tf.image.resize of TensorFlow 2, or align_corners=True; train again",
                layer,
            )


def _interpolates(call: Call) -> bool:
    """Whether a call of TensorFlow 1 surely resizes, and is linear or cubic."""
    if call.name != "resize_images":
        return call.name in ("resize_bilinear", "resize_bicubic")
    return call.probably("method", "?") in _INTERPOLATING


_INTERPOLATING: Final = ("bilinear", "bicubic", 0, 2)
"""The methods of resize_images, by name and by the numbers of ResizeMethodV1."""


def _resized_by_the_corner(context: Context) -> Iterator[Hit]:
    """The resizes of a graph that take pixel i at i * in/out. Nearest ones repeat a pixel, which
    is right by whole factors."""
    for layer in context.of(ops.Resize):
        op = layer.operator
        assert isinstance(op, ops.Resize)
        if layer.origin.framework not in _OF_TENSORFLOW or layer.origin.written.call is not None:
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


_OF_TENSORFLOW: Final = ("keras", "tensorflow", "tflite")
