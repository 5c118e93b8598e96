"""Operators of tf.nn.conv*d_transpose and of TensorFlow 1's resize functions.

TensorFlow takes the output's size, and from it follows the input's: the convolution from the
output must lead back to it (tensorflow/core/kernels/conv_grad_shape_utils.cc).
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, Final

from upconv.converters.ir import geometry
from upconv.converters.ir import operators as ops
from upconv.converters.ir.dims import Size, symbol
from upconv.converters.readers.python_source.call import OPEN_SIZE, Call
from upconv.converters.readers.python_source.made import (
    AXES,
    Made,
    Place,
    open_shape,
    unknown_weights,
)
from upconv.converters.readers.python_source.scopes import PARAMETER, Scope
from upconv.converters.readers.python_source.torch_layers import Maker
from upconv.converters.readers.python_source.values import NotConstantError, evaluate

MAX_NESTING: Final = 6
_LISTS: Final = frozenset({"stack", "pack", "constant", "TensorShape"})
Sizes = tuple[int | None, ...]


Evaluate = Callable[[ast.expr, Scope], Any]
"""An expression's value; raises NotConstantError where there is none."""


def partial_list(
    node: ast.expr | None,
    scope: Scope,
    budget: int = MAX_NESTING,
    value: Evaluate = evaluate,
) -> Sizes | None:
    """The whole numbers of a list as far as they are constant; None where it is no list.

    Sees through names that are bound once, tf.stack, tf.pack and tf.constant.
    """
    if node is None or not budget:
        return None
    if isinstance(node, ast.List | ast.Tuple):
        return tuple(_whole(one, scope, value) for one in node.elts)
    if isinstance(node, ast.Name):
        found = scope.lookup(node.id)
        if found is not None and len(found[1]) == 1:
            return partial_list(found[1][0].value, found[0], budget - 1, value)
    match node:
        case ast.Call(func=ast.Attribute(attr=name), args=[first, *_]) if name in _LISTS:
            return partial_list(first, scope, budget - 1, value)
    return None


def _whole(node: ast.expr, scope: Scope, evaluate: Evaluate) -> int | None:
    try:
        value = evaluate(node, scope)
    except NotConstantError:
        return None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def filter_kernel(call: Call, axes: int) -> ops.Ints | None:
    """The spatial sizes of a filter, (k..., out, in), from the first list of its length in what
    makes it: `tf.get_variable("w", [5, 5, 64, 128])`. Of one that is a parameter, what the function
    calls its size."""
    assumptions = call.assumptions
    assert assumptions is not None, "source code has them"
    node, scope = tensor(call, "filters", "filter"), call.scope
    waiting: list[tuple[ast.expr | None, Scope, int]] = [(node, scope, MAX_NESTING)]
    while waiting:
        one, where, budget = waiting.pop(0)
        if one is None or not budget:
            continue
        if isinstance(one, ast.Name):
            found = where.lookup(one.id)
            if found is not None and len(found[1]) == 1:
                if found[1][0].what == PARAMETER:
                    size = assumptions.filter_size(found[0])
                    return (size,) * axes if size else None
                waiting.append((found[1][0].value, found[0], budget - 1))
        elif isinstance(one, ast.List | ast.Tuple):
            sizes = tuple(_whole(item, where, assumptions.value) for item in one.elts)
            kernel = tuple(size for size in sizes[:axes] if size)
            if len(sizes) == axes + 2 and len(kernel) == axes:
                return kernel
        elif isinstance(one, ast.Call):
            inner = [*one.args, *(keyword.value for keyword in one.keywords)]
            waiting += [(argument, where, budget - 1) for argument in inner[:8]]
    return None


def tensor(call: Call, *names: str) -> ast.expr | None:
    """The expression given for the first of these arguments."""
    found = (call.arguments[name].node for name in names if name in call.arguments)
    return next(found, None)


def spatial(sizes: Sizes, call: Call) -> Sizes:
    """The spatial ones of sizes in the call's data_format."""
    first = str(call.value("data_format") or "NHWC").startswith("NC")
    return sizes[2:] if first else sizes[1:-1]


def strides_of(call: Call, axes: int) -> ops.Ints:
    """The stride of each spatial axis; given once, for these, or for all axes."""
    value = call.value("strides")
    items = value if isinstance(value, tuple) else (value,)
    if len(items) == axes + 2:
        items = spatial(items, call)
    good = all(isinstance(n, int) and n > 0 for n in items)
    if not good or len(items) not in (1, axes):
        raise call.not_provable(f"strides is {value!r}")
    return tuple(items) if len(items) == axes else (items[0],) * axes


def declared_output(call: Call, axes: int) -> ops.Ints | None:
    """The spatial sizes of output_shape, None where they are not constant."""
    sizes = partial_list(tensor(call, "output_shape"), call.scope)
    if sizes is None or len(sizes) != axes + 2:
        return None
    inner = tuple(size for size in spatial(sizes, call) if size is not None and size > 0)
    return inner if len(inner) == axes else None


def padding_of(call: Call) -> Any:
    """`same` or `valid`, in small letters."""
    padding = str(call.value("padding")).lower()
    if padding not in ("same", "valid"):
        raise call.not_provable(f"padding is {padding!r}")
    return padding


def conv_transpose(call: Call, place: Place) -> Made:
    """tf.nn.conv*d_transpose, whose output_shape decides the padding. Where that is computed, the
    kernel and the stride are known all the same, and the size is open."""
    axes = next(int(letter) for letter in call.name if letter.isdigit())
    strides, padding = strides_of(call, axes), padding_of(call)
    sizes = declared_output(call, axes)
    kernel = filter_kernel(call, axes)
    if kernel is None:
        raise call.not_provable("the filter's size is not constant")
    if call.value("dilations") not in (None, 1, (1,) * axes, (1,) * (axes + 2)):
        raise call.not_provable("dilations are given")
    if sizes is None:
        none = (0,) * axes
        target = tuple(symbol(f"target_{name}") for name in AXES[axes])
        operator = ops.ConvTranspose(
            1, kernel, strides, (1,) * axes, none, none, none, target=target
        )
        return Made(operator, unknown_weights(None, False, 0), open_shape(None, axes), final=True)
    rows: list[tuple[int, int, int, int]] = []
    for out, size, stride in zip(sizes, kernel, strides, strict=True):
        n = implied_input(out, size, stride, padding)
        if n < 1:
            raise call.not_provable(f"no input gives an output of {out}")
        full = geometry.full_size(n, size, stride, 1)
        rows.append((*geometry.target_pads(full, out, padding), n))
    begins, ends, extras, inputs = zip(*rows, strict=True)
    operator = ops.ConvTranspose(1, kernel, strides, (1,) * axes, begins, ends, extras)
    shape: tuple[Size, ...] = (symbol("N"), symbol("C"), *inputs)
    return Made(operator, unknown_weights(None, False, 0), shape)


def implied_input(out: int, kernel: int, stride: int, padding: str) -> int:
    """The one input size for which TensorFlow accepts an output size.

    >>> implied_input(14, 5, 2, "same"), implied_input(15, 5, 2, "valid")
    (7, 6)
    """
    if padding == "same":
        return -(-out // stride)
    return int(geometry.conv_size(out, kernel, stride, 1, 0, 0))


def resize(call: Call, place: Place) -> Made:
    """Resizing of images, NHWC, to a size: asymmetric where nothing else is asked for."""
    method = _method(call)
    aligned = bool(call.value("align_corners"))
    half = "half_pixel_centers" in call.defaults and bool(call.value("half_pixel_centers"))
    sizes = partial_list(tensor(call, "size"), call.scope)
    target = tuple(size for size in sizes or () if size)
    if len(target) != 2:
        raise call.no_operator(OPEN_SIZE)
    mode: Any = "align_corners" if aligned else "half_pixel" if half else "asymmetric"
    rounding: Any = "round_prefer_ceil" if aligned else "floor"
    kind: Any = method
    return Made(ops.Resize(kind, mode, size=target, nearest_mode=rounding))


def _method(call: Call) -> str:
    methods = {"bilinear": "linear", "nearest": "nearest", "bicubic": "cubic"}
    if "method" not in call.defaults:
        return methods[call.name.removeprefix("resize_").removesuffix("_neighbor")]
    value = call.value("method")
    found = methods.get(value) or {0: "linear", 1: "nearest", 2: "cubic"}.get(value)
    if found is None:
        raise call.not_provable(f"method is {value!r}")
    return found


TENSORFLOW_MAKERS: Final[dict[str, Maker]] = {
    **{f"conv{n}d_transpose": conv_transpose for n in (1, 2, 3)},
    **{f"resize_{kind}": resize for kind in ("bilinear", "nearest_neighbor", "bicubic", "images")},
}
