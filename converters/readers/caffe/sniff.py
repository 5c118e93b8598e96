"""Refuses protobuf texts that are no Caffe net, saying what they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from upconv.converters.ir.errors import NotAModelError, UnreadableError
from upconv.converters.ir.patterns import pattern
from upconv.converters.readers.files.prototxt import Message, Scalar
from upconv.converters.readers.files.prototxt.diagnosis import is_placeholder
from upconv.converters.readers.files.prototxt.kinds import EMPTY, NET, OTHER, classify

_WEB_PAGE: Final = pattern(r"\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)


def require_net(root: Message, errors: Sequence[UnreadableError]) -> None:
    """Raise NotAModelError, saying what the text is, where it is no Caffe net."""
    if _WEB_PAGE.match(root.source.text):
        raise NotAModelError(
            "no Caffe net, but a web page",
            known=False,
            where=root.span,
            hint="save the file itself, as by the button Raw of GitHub",
        )
    kind = classify(root)
    if kind == NET:
        return
    if kind in (EMPTY, OTHER) and errors:
        first = errors[0]
        message = f"no Caffe net: {first.message}"
        if is_placeholder(first):
            raise NotAModelError(message, path=root.source.path, hint=first.hint, known=True)
        error = NotAModelError(
            message, where=first.where or root.span, hint=first.hint, known=False
        )
    else:
        hint = _hint(root) if kind == "solver" else ""
        shown = _SHOWN[kind] if root.source.text else "an empty file"
        message, known = f"no Caffe net, but {shown}", kind not in (EMPTY, OTHER)
        error = NotAModelError(message, path=root.source.path, hint=hint, known=known)
    raise error


_SHOWN: Final = {
    "solver": "a solver",
    "label map": "a label map",
    "ONNX text": "an ONNX model as text",
    "TensorFlow graph": "a TensorFlow graph as text",
    "TensorFlow SavedModel": "a TensorFlow SavedModel as text",
    "detection pipeline": "the configuration of a detection pipeline",
    "Triton configuration": "the configuration of a model in Triton Inference Server",
    "Caffe tool script": "the script of a Caffe tool",
    "Caffe2 net": "a Caffe2 net",
    EMPTY: "a text without content",
    OTHER: "some other text",
}


def _hint(root: Message) -> str:
    """Where a solver's net is."""
    for name in ("net", "test_net", "train_net"):
        value = root.get(name)
        if isinstance(value, Scalar):
            return f"its net is {value.text}"
    return ""
