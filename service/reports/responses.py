"""What an upsampling layer does to one pixel and to a constant image, by the float64 reference.

One channel is drawn: of weights that are not bilinear, the mean of their magnitudes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from upconv.converters.audit.audited import Audit
from upconv.converters.ir import operators as ops
from upconv.converters.ir.model import Layer
from upconv.converters.ir.records import record

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_WEIGHTS: Final = 1 << 24
"""Of a layer whose weights are looked at."""

LARGEST_KERNEL: Final = 128

AROUND: Final = 5
"""Pixels of the image that is enlarged, along each axis; more where a kernel reaches further."""


@record(frozen=True, slots=True)
class Response:
    """Layers that enlarge alike. Tables are (rows, columns).

    `kernel` is what one pixel becomes, `ideal` what it becomes in the bilinear layer of the same
    factor; `overlap` how many taps meet at each output pixel, None where the layer has none;
    `constant` what an image of ones becomes. `source` says whose kernel it is: "stored", "filler",
    "mean" (of magnitudes), "fixed" (an interpolation), or "none" where weights are missing.
    """

    layers: tuple[str, ...]
    operator: ops.ConvTranspose | ops.Resize
    source: str
    factor: tuple[Fraction, ...]
    kernel: NDArray[Any] | None
    ideal: NDArray[Any] | None
    overlap: NDArray[Any] | None
    constant: NDArray[Any] | None


def responses(audit: Audit) -> Iterator[Response]:
    """Every transposed convolution and interpolation of images that enlarges, those that are alike
    together, in the order of the first of each."""
    groups: dict[object, list[Layer]] = {}
    for layer in audit.model.layers:
        if isinstance(layer.operator, ops.ConvTranspose | ops.Resize):
            factor = _factor(layer, audit)
            if factor is not None and len(factor) == 2 and max(factor) > 1:
                groups.setdefault(_alike(layer, factor), []).append(layer)
    for layers in groups.values():
        found = _response(layers[0], _factor(layers[0], audit) or ())
        yield replace(found, layers=tuple(layer.name for layer in layers))


def _alike(layer: Layer, factor: tuple[Fraction, ...]) -> object:
    """Layers of one key have the same pictures: learned weights each have their own."""
    op = layer.operator
    if isinstance(op, ops.Resize):
        words = (op.mode, op.coordinate_mode, op.nearest_mode, op.antialias)
        return ("resize", *words, factor)
    assert isinstance(op, ops.ConvTranspose)
    weight = layer.weights.get("weight")
    stored = weight is not None and weight.present
    own = layer.name if stored and not _is_bilinear(layer) else ""
    filler = weight.filler.type if weight is not None and weight.filler is not None else ""
    spatial = (op.kernel, op.stride, op.dilation, op.pads_begin, op.pads_end, op.output_padding)
    return ("transposed", *spatial, own, stored, filler)


def _factor(layer: Layer, audit: Audit) -> tuple[Fraction, ...] | None:
    op = layer.operator
    if isinstance(op, ops.ConvTranspose):
        return tuple(map(Fraction, op.stride))
    if isinstance(op, ops.Resize) and op.factor is not None:
        return tuple(map(Fraction, op.factor))
    before, after = audit.numbers.get(layer.inputs[0]), audit.numbers.get(layer.outputs[0])
    pairs = list(zip((before or ())[2:], (after or ())[2:], strict=False))
    if not pairs or not all(isinstance(b, int) and isinstance(a, int) and b > 0 for b, a in pairs):
        return None
    return tuple(Fraction(int(str(after)), int(str(before))) for before, after in pairs)


def _is_bilinear(layer: Layer) -> bool:
    from upconv.converters.ir.kernels import bilinear_form

    op, weight = layer.operator, layer.weights.get("weight")
    if not isinstance(op, ops.ConvTranspose) or weight is None or not weight.present:
        return False
    return weight.size <= MOST_WEIGHTS and bool(bilinear_form(weight.array(), op.groups))


def _response(layer: Layer, factor: tuple[Fraction, ...]) -> Response:
    op = layer.operator
    if isinstance(op, ops.ConvTranspose):
        return _of_transposed(layer, op, factor)
    assert isinstance(op, ops.Resize)
    return _of_resize(op, factor)


def _of_transposed(layer: Layer, op: ops.ConvTranspose, factor: tuple[Fraction, ...]) -> Response:
    import numpy as np

    if max(op.kernel) > LARGEST_KERNEL or max(op.stride) > LARGEST_KERNEL // 2:
        return Response((), op, "none", factor, None, None, None, None)
    kernel, source = _kernel(layer, op)
    one = _one_channel(op)
    overlap = _run(one, np.ones(op.kernel), np.ones(_image(op)))
    constant = None if kernel is None else _run(one, kernel, np.ones(_image(op)))
    return Response((), op, source, factor, kernel, _ideal(factor), overlap, constant)


def _kernel(layer: Layer, op: ops.ConvTranspose) -> tuple[NDArray[Any] | None, str]:
    import numpy as np

    from upconv.converters.ir.kernels import bilinear_kernel

    weight = layer.weights.get("weight")
    if weight is None or weight.size > MOST_WEIGHTS:
        return None, "none"
    if not weight.present:
        square = len(set(op.kernel)) == 1
        if weight.filler is not None and weight.filler.type == "bilinear" and square:
            return bilinear_kernel(op.kernel[0]).astype(np.float64), "filler"
        return None, "none"
    values = weight.array()
    if _is_bilinear(layer):
        return values[0, 0].astype(np.float64), "stored"
    with np.errstate(all="ignore"):
        return np.abs(values).mean((0, 1), dtype=np.float64), "mean"


def _one_channel(op: ops.ConvTranspose) -> ops.ConvTranspose:
    """The layer with one channel, and its size by its own arithmetic."""
    return replace(op, out_channels=1, groups=1, target=None)


def _image(op: ops.ConvTranspose) -> tuple[int, ...]:
    reach = (-(-k * d // s) for k, d, s in zip(op.kernel, op.dilation, op.stride, strict=True))
    pads = zip(op.pads_begin, op.pads_end, op.stride, strict=True)
    cut = max((begin + end) // stride for begin, end, stride in pads)
    return tuple(min(max(AROUND, 2 * one + cut), 24) for one in reach)


def _run(op: ops.Operator, kernel: Any, image: Any) -> NDArray[Any] | None:
    """What the reference makes of an image (rows, columns) in one channel; None where it has no
    pixel."""
    from upconv.converters.ir.errors import UpconvError
    from upconv.converters.ir.inference import infer
    from upconv.converters.ir.model import Model, ModelInput
    from upconv.converters.ir.tensors import weight_of
    from upconv.converters.reference import run_model

    weights = {} if kernel is None else {"weight": weight_of(kernel[None, None].astype("float32"))}
    layer = Layer("up", op, ("x",), ("y",), weights)
    entry = ModelInput("x", (1, 1, *image.shape))
    model = Model("up", "", "", (entry,), ("y",), (layer,))
    if infer(model).errors:
        return None
    try:
        found: NDArray[Any] = run_model(model, {"x": image[None, None]})["y"][0, 0]
    except UpconvError:
        return None
    return found


def _of_resize(op: ops.Resize, factor: tuple[Fraction, ...]) -> Response:
    kernel = constant = None
    if max(factor) <= LARGEST_KERNEL // 4:
        import numpy as np

        size = tuple(max(int(AROUND * one), 1) for one in factor)
        plain = replace(op, size=size, factor=None, scale=None)
        image = np.zeros((AROUND, AROUND))
        image[AROUND // 2, AROUND // 2] = 1
        made = _run(plain, None, image)
        kernel = None if made is None else _trimmed(made)
        constant = _run(plain, None, np.ones((AROUND, AROUND)))
    return Response((), op, "fixed", factor, kernel, _ideal(factor), None, constant)


def _ideal(factor: tuple[Fraction, ...]) -> NDArray[Any] | None:
    """The bilinear kernel of these factors, where they are whole."""
    import numpy as np

    from upconv.converters.audit.solve import bilinear_layer

    if any(one.denominator > 1 or one > LARGEST_KERNEL // 2 for one in factor):
        return None
    layers = [bilinear_layer(int(one)) for one in factor]
    rows = [np.array(one.taps, np.float64) / one.denominator for one in layers]
    made: NDArray[Any] = np.outer(rows[0], rows[1])
    return made


def _trimmed(table: NDArray[Any]) -> NDArray[Any]:
    """Without the rows and columns at the rim that are all zero."""
    rows, columns = (abs(table).max(axis) > 1e-12 for axis in (1, 0))
    if not rows.any():
        return table
    first, last = rows.argmax(), len(rows) - rows[::-1].argmax()
    left, right = columns.argmax(), len(columns) - columns[::-1].argmax()
    return table[first:last, left:right]
