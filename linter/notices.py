"""Which rule tells what a reader has noticed: every kind of notice in one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from upconv.converters.ir.model import NoticeKind
from upconv.converters.ir.records import record
from upconv.linter.finding import Severity


@record(frozen=True, slots=True)
class Told:
    """The rule that tells of a kind, what to do where the reader has no better hint, and the
    severity where it is not the rule's own."""

    code: str
    help: str
    severity: Severity | None = None


_RENAME: Final = "give each blob and each layer a name of its own"

NOTICES: Final[Mapping[NoticeKind, Told]] = {
    "unreadable-part": Told("UP001", "correct it; everything else in the file was checked"),
    "unknown-layer-type": Told(
        "UP003",
        "checks go on around it; it is not converted, but from ONNX to ONNX it is copied",
    ),
    "dangling-name": Told("UP004", _RENAME),
    "name-of-other-phase": Told("UP004", _RENAME, "info"),  # the net may be for that phase alone
    "missing-name": Told("UP004", _RENAME),
    "repeated-name": Told("UP004", _RENAME),
    "repeated-layer-name": Told("UP004", _RENAME, "warning"),  # Caffe accepts it
    "foreign-weights": Told("UP004", _RENAME),
    "obsolete-format": Told("UP007", "write it in today's format"),
    "executable-code": Told("UP008", "use a format that holds weights alone"),
    "dangerous-code": Told("UP008", "use a format that holds weights alone", "error"),
    "half-given-field": Told("UP110", "give both fields"),
    "unmatched-weights": Told("UP219", "check the exported model with these weights"),
    "fork-dialect": Told("UP307", "name the fork with --dialect"),
    "unrecorded-convention": Told("UP307", "name the fork with --dialect"),
    "assumed-backend": Told("UP307", "name the backend with --keras-backend"),
    "refused-call": Told("UP325", "see the framework's documentation"),
    "fails-when-called": Told("UP330", "leave output_padding out, or take an odd kernel"),
    "whole-number-arithmetic": Told("UP351", "convert the model it was made from, in float32"),
    "training-mode": Told("UP407", "export it for inference, after model.eval()"),
    "unpool-size": Told("UP408", "give kernel_shape and strides that make the size before"),
    "noisy-scale": Told("UP404", "give sizes, or a scale that float32 has exactly"),
    "antialias-outside": Told("UP409", "write exclude_outside 1, as PyTorch and Pillow compute"),
    "declared-shape": Told("UP102", "run shape inference anew, or leave the shape out"),
    "unkept-letters": Told("UP410", "give the output's size a name of its own"),
    "impossible-output-size": Told(
        "UP332", "make the convolution of the output give the input's size back"
    ),
    "unknown-field": Told("UP002", "delete it, or check which fork of Caffe the net is for"),
    "template": Told("UP001", "fill in the template and check its result"),
    "unread-calls": Told("UP320", "check the exported model too"),
}
