"""The offsets that Crops take from coordinates: where pixel 0 of the reference lies in the input.

BVLC's Crop says its offset in crop_param, 0 by default. The forks it came from (those that HED,
CRF-RNN and the first FCN nets were trained with) have no crop_param, and compute the offset from
the kernels, strides and pads of both branches, as RCF's AutoCrop does. V1 syntax has a Crop in such
forks only, but ports of their nets were run with BVLC's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import AmbiguousError, UnsupportedError, UpconvError
from upconv.converters.ir.inference import infer
from upconv.converters.ir.model import Layer, Model, Notice, NoticeKind
from upconv.converters.ir.open_sizes import with_unknown_sizes
from upconv.converters.ir.places import Coordinates, CropFit
from upconv.converters.readers.caffe.dialects import dialect_for

ALWAYS_ALIGNED: Final = "AutoCrop"


def aligned_crops(model: Model, asked: str) -> Model:
    """The model with the offsets of its aligned Crops, and a notice for each that may be one.

    Such a Crop is open to both readings where alignment gives another offset than 0; where it
    gives none the forks stop, so that only BVLC's is left. One that is aligned for sure and has
    no offset becomes an Unknown.
    """
    dialect = dialect_for("Crop", asked)
    names = frozenset(layer.name for layer in model.layers if _takes_place(layer))
    if not names or (dialect == "bvlc" and not _has_auto(model)):
        return model
    places = Coordinates(model, infer(with_unknown_sizes(model)).shapes, names)
    fits = {fit.layer.name: fit for fit in places.crops}
    changed: dict[str, Layer] = {}
    notices: list[Notice] = []
    for layer in model.layers:
        if layer.name not in names:
            continue
        fit = fits.get(layer.name)
        if layer.origin.type == ALWAYS_ALIGNED or dialect == "aligned":
            changed[layer.name] = _aligned(layer, fit, notices)
        elif dialect != "bvlc" and fit is not None and any(fit.aligned or ()):
            notices.append(_notice("fork-dialect", _open(layer, fit), layer))
    return _changed(model, changed, notices)


def _has_auto(model: Model) -> bool:
    return any(layer.origin.type == ALWAYS_ALIGNED for layer in model.layers)


def _takes_place(layer: Layer) -> bool:
    """Whether a layer is a Crop whose file leaves its offset to the coordinates, or may do so."""
    kind = layer.origin.type
    if not isinstance(layer.operator, ops.Crop):
        return False
    if kind == ALWAYS_ALIGNED:
        return True
    param = layer.origin.written.block.message("crop_param")
    says_offset = param is not None and param.has("offset")
    return not says_offset if kind == "CROP" else kind == "Crop" and param is None


def _aligned(layer: Layer, fit: CropFit | None, notices: list[Notice]) -> Layer:
    offsets = fit.aligned if fit is not None else None
    operator = layer.operator
    assert isinstance(operator, ops.Crop), "only Crops are asked about"
    if offsets is not None:
        return replace(layer, operator=replace(operator, offsets=offsets))
    error = UnsupportedError(_why_none(layer, fit))
    notices.append(_notice("unknown-layer-type", error, layer))
    return replace(layer, operator=ops.Unknown(layer.origin.type, error.message))


def _why_none(layer: Layer, fit: CropFit | None) -> str:
    value, reference = layer.inputs[:2]
    if fit is None:
        return f"no offset can be computed: no layers with coordinates join {value} and {reference}"
    if not fit.same_scale:
        ratio = next(one.scale for one in fit.relative if one.scale != 1)
        return f"no offset aligns the crop: a pixel of {reference} is {ratio} of {value}"
    shifts = ", ".join(str(one.shift) for one in fit.relative)
    return f"no whole offset aligns the crop: it would be {shifts}"


def _open(layer: Layer, fit: CropFit) -> AmbiguousError:
    offsets = fit.aligned or ()
    shown = ", ".join(map(str, offsets if len(set(offsets)) > 1 else offsets[:1]))
    return AmbiguousError(
        "a Crop without an offset: BVLC's Caffe takes 0, the forks that align "
        f"(of HED, CRF-RNN, old FCN nets) take {shown}",
        hint="name the one the net is for: --dialect crop=aligned|bvlc",
    )


def _notice(kind: NoticeKind, error: UpconvError, layer: Layer) -> Notice:
    error.layer, error.path, error.where = layer.name, layer.origin.path, layer.origin.span
    return Notice(kind, error)


def _changed(model: Model, changed: Mapping[str, Layer], notices: list[Notice]) -> Model:
    layers = tuple(changed.get(layer.name, layer) for layer in model.layers)
    return replace(model, layers=layers, notices=(*model.notices, *notices))
