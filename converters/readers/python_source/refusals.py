"""What a framework itself refuses of a call, when it is made or when it runs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from upconv.converters.ir.dims import symbol
from upconv.converters.ir.errors import UpconvError
from upconv.converters.ir.geometry import (
    effective_kernel,
    keras_transposed_size,
    tensorflow_inverts,
)
from upconv.converters.ir.model import Notice, NoticeKind
from upconv.converters.readers.python_source import tensorflow_calls as tf
from upconv.converters.readers.python_source.call import Call, NotProvableError, RefusedError
from upconv.converters.readers.python_source.keras_layers import padding_of, transposed_windows
from upconv.converters.readers.python_source.torch_layers import MODES


def refusals(call: Call, layer: str, problem: UpconvError | None) -> Iterator[Notice]:
    """What is refused of the call that makes this layer; `problem` is why it has no operator.

    Settings that were only assumed refuse nothing: where they do not go together, others are meant.
    """
    if call.assumed:
        return
    if isinstance(problem, RefusedError):
        words = re.findall(r"\w+", problem.message)
        named = (word for word in words if word in call.arguments)
        hint = f"see the documentation of {call.path}"
        yield _notice("refused-call", problem.message, hint, call, layer, *named)
    if call.framework == "pytorch" and call.takes("mode") and call.takes("scale_factor"):
        text, *names = _interpolation_problem(call)
        if text:
            hint = "see the documentation of F.interpolate"
            yield _notice("refused-call", text, hint, call, layer, *names)
    if call.framework == "keras" and call.name.endswith("Transpose"):
        yield from _fails_when_called(call, layer)
    if call.framework == "tensorflow" and call.name.endswith("_transpose"):
        text = next(_impossible_output(call), "")
        if text:
            yield _notice("impossible-output-size", text, "", call, layer, "output_shape")


def _notice(
    kind: NoticeKind, message: str, hint: str, call: Call, layer: str, *names: str
) -> Notice:
    """A notice that points at the first of these arguments."""
    return Notice(kind, UpconvError(message, where=call.span_of(*names), layer=layer, hint=hint))


_UNALIGNABLE: Final = ("nearest", "nearest-exact", "area")
_ANTIALIASED: Final = frozenset({"bilinear", "bicubic"})


def _interpolation_problem(call: Call) -> tuple[str, ...]:
    """What F.interpolate refuses in a call, and the arguments to point at; "" where it is none."""
    mode = call.probably("mode")
    if isinstance(mode, str) and mode not in MODES and mode != "area":
        return f"there is no mode {mode!r}", "mode"
    if call.complete and _is_absent(call, "size") and _is_absent(call, "scale_factor"):
        return ("neither size nor scale_factor is given",)
    if _is_present(call, "size") and _is_present(call, "scale_factor"):
        return "size and scale_factor are both given", "scale_factor"
    if mode in _UNALIGNABLE and _is_present(call, "align_corners"):
        return f"align_corners has no meaning in mode {mode!r}", "align_corners"
    if call.probably("recompute_scale_factor") and _is_present(call, "size"):
        return "recompute_scale_factor has no meaning with a size", "recompute_scale_factor"
    if isinstance(mode, str) and mode not in _ANTIALIASED and call.probably("antialias"):
        return f"there is no antialias in mode {mode!r}", "antialias"
    return ("",)


def _is_present(call: Call, name: str) -> bool:
    """Whether an argument is surely given: a constant that is not None."""
    return call.writes(name) and call.known(name) and call.value(name) is not None


def _is_absent(call: Call, name: str) -> bool:
    """Whether an argument is surely None."""
    return call.known(name) and call.value(name) is None


def _fails_when_called(call: Call, layer: str) -> Iterator[Notice]:
    """What is wrong along the first axis of a call that fails, where its arguments are known."""
    try:
        padding, windows = padding_of(call), transposed_windows(call)
    except NotProvableError:
        return
    size = symbol("n")
    for kernel, stride, dilation, extra in windows:
        out = keras_transposed_size(size, kernel, stride, dilation, padding, extra)
        if extra is not None and extra >= stride:
            text = f"Keras refuses output_padding {extra} with stride {stride}: it must be smaller"
            hint = f"use at most {stride - 1}"
            yield _notice("fails-when-called", text, hint, call, layer, "output_padding")
            return
        if not tensorflow_inverts(size, out, kernel, stride, dilation, padding):
            text = (
                f"TensorFlow refuses to run it: padding '{padding}', an effective kernel of "
                f"{effective_kernel(kernel, dilation)}, stride {stride} and output_padding "
                f"{extra} give {_sized(str(out))} pixels, from which no convolution leads back"
            )
            yield _notice("fails-when-called", text, "", call, layer, "output_padding", "padding")
            return


def _impossible_output(call: Call) -> Iterator[str]:
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
    kernel = tf.filter_kernel(call, axes)
    if sizes is None or call.assumed:
        return
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


def _sized(formula: str) -> str:
    return formula.replace("n", "in")
