"""Node data for the viewer Model Explorer: how many pixels of the input a pixel is, at each tensor,
with merges that are off and the layer that loses the pixel in colours of their own.

The format is `GraphNodeData` of google-ai-edge/model-explorer (node_data_builder.py); the viewer
finds a node by the name of a tensor that it writes.
"""

from __future__ import annotations

from typing import Any, Final

from upconv.converters.audit.audited import Audit
from upconv.linter.reports.wording import json_text
from upconv.service.reports.result import AuditResult

OFF: Final = {"bgColor": "#c62828", "textColor": "#ffffff"}
LOSES: Final = {"bgColor": "#ef6c00", "textColor": "#ffffff"}
GRADIENT: Final = ((0.0, "#eef4fb"), (1.0, "#7aa6d6"))


def model_explorer(result: AuditResult) -> str:
    """The node data of a model's one graph."""
    gradient = [{"stop": stop, "bgColor": colour} for stop, colour in GRADIENT]
    return json_text({"results": _results(result.audit), "gradient": gradient})


def _results(audit: Audit) -> dict[str, dict[str, Any]]:
    off = {one.layer.name for one in audit.misaligned}
    losing = {axis.lost_by.step.layer.name for axis in audit.axes if axis.lost_by is not None}
    found: dict[str, dict[str, Any]] = {}
    for place in audit.places:
        name = place.layer.name
        colours = OFF if name in off else LOSES if name in losing else {}
        found[place.value] = {"value": float(place.maps[0].scale), **colours}
    return found
