"""UP3xx: what a port to another tool stumbles over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from linter.rule import Hit, rule

if TYPE_CHECKING:
    from linter.context import Context


@rule("UP307", "ambiguous-dialect", severity="warning", source="TimoSaemann/ENet, BVLC/caffe forks")
def ambiguous_dialect(context: Context) -> Iterator[Hit]:
    """A layer type that several forks of Caffe use for different things.

    What it finds:
        Layers whose type and fields fit more than one fork, where these compute different numbers.

    Why it is bad:
        Nothing behind the layer is checked, and the net cannot be converted: a guess would be right
        for one fork and silently wrong for the others.

    Example:
        layer { name: "up" type: "Upsample" bottom: "x" top: "up" upsample_param { scale: 2 } }

    Use instead:
        Name the fork the net was trained with: upconv check --dialect NAME

    Fix safety:
        There is no fix: the file does not say which fork is meant.

    References:
        TimoSaemann/ENet caffe-enet; alexgkendall/caffe-segnet; the forks `upconv formats` lists
    """
    yield from context.notices("UP307", "name the fork with --dialect")
