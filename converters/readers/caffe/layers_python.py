"""Python layers whose code is published: what that code computes, told by its module and class.

Nothing of the net is run: `param_str`, which that code takes for Python, is read as a literal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NoReturn

from upconv.converters.ir import operators as ops
from upconv.converters.readers.caffe.layers_detection import regions_as_input
from upconv.converters.readers.caffe.lowering import CaffeLayer, Lowered, Lowering, lowers

LONGEST_PARAMETERS: Final = 10_000


@lowers("Python")
def _python(layer: CaffeLayer) -> Lowered | tuple[Lowered, ...]:
    code = layer.field("python_param")
    name = f"{code.str('module', '?')}.{code.str('layer', '?')}"
    if name not in PUBLISHED:
        raise layer.unsupported(f"a Python layer computes what its code says ({name})")
    return PUBLISHED[name](layer)


def _spatial_dropout(layer: CaffeLayer) -> Lowered:
    """ENet's, whose maps are scaled by 1 / (1 - p) at inference too
    (TimoSaemann/caffe-enet, spatial_dropout.py)."""
    given = _parameters(layer)
    if given.get("phase") == "TRAIN":
        hint = "write 'phase': 'TEST' in its param_str"
        raise layer.unsupported("drops maps at random: its param_str says TRAIN", hint)
    rate = _number(given.get("p"))
    if not 0 < rate < 1:
        raise layer.invalid("its param_str gives no p between 0 and 1")
    return Lowered(ops.Power(scale=1 / (1 - rate)))


def _proposal(layer: CaffeLayer) -> NoReturn:
    """rbgirshick/py-faster-rcnn, lib/rpn/proposal_layer.py."""
    what = "a Python layer that turns an RPN's scores into regions, as many as it keeps"
    raise layer.unsupported(what, regions_as_input(layer))


def _parameters(layer: CaffeLayer) -> Mapping[str, Any]:
    """What `param_str` says, where it is a dict."""
    import ast

    text = layer.field("python_param").str("param_str", "")
    try:
        found = ast.literal_eval(text) if len(text) <= LONGEST_PARAMETERS else None
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        found = None
    if not isinstance(found, dict):
        raise layer.unsupported("its param_str is no dict of plain values")
    return found


def _number(value: object) -> float:
    """As `float` reads it, 0 where it does not."""
    try:
        return float(value) if isinstance(value, str | int | float) else 0.0
    except (ValueError, OverflowError):
        return 0.0


PUBLISHED: Final[Mapping[str, Lowering]] = {
    "rpn.proposal_layer.ProposalLayer": _proposal,
    "spatial_dropout.SpatialDropoutLayer": _spatial_dropout,
}
"""module.class -> what its code computes."""
