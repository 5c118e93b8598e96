"""What a protobuf text is: a Caffe net, or one of the other things that bear its extension."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from upconv.converters.ir.errors import UnreadableError
from upconv.converters.readers.files.prototxt import Message, Scalar

NET: Final = "net"
EMPTY: Final = "empty text"
OTHER: Final = "other text"

_SOLVER_FIELDS: Final = frozenset(
    {"net", "train_net", "test_net", "net_param", "train_net_param", "test_net_param", "base_lr"}
    | {"lr_policy", "max_iter", "snapshot", "snapshot_prefix", "solver_mode", "solver_type"}
)
_NET_FIELDS: Final = frozenset({"layer", "layers", "input", "input_dim", "input_shape"})


_WEB_PAGE: Final = re.compile(r"\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)


class NotANetError(UnreadableError):
    """The text is something other than a Caffe net; `kind` is what `classify` calls it."""

    kind: str = OTHER


def classify(root: Message) -> str:
    """What a parsed text is.

    "net", "solver", "label map", "ONNX text", "TensorFlow graph", "TensorFlow SavedModel",
    "detection pipeline", "Caffe tool script", "Caffe2 net", "empty text", or "other text".
    """
    if not root.fields:
        return EMPTY
    names = {field.name for field in root.fields}
    for kind, fits in _KINDS:
        if fits(root, names):
            return kind
    return OTHER


def require_net(root: Message, errors: Sequence[UnreadableError]) -> None:
    """Raise NotANetError, saying what the text is, where it is no Caffe net."""
    if _WEB_PAGE.match(root.source.text):
        error = NotANetError(
            "no Caffe net, but a web page",
            where=root.span,
            hint="save the file itself, as by the button Raw of GitHub",
        )
        raise error
    kind = classify(root)
    if kind == NET:
        return
    if kind in (EMPTY, OTHER) and errors:
        first = errors[0]
        message = f"no Caffe net: {first.message}"
        error = NotANetError(message, where=first.where or root.span, hint=first.hint)
    else:
        hint = _hint(root) if kind == "solver" else ""
        error = NotANetError(f"no Caffe net, but {_SHOWN[kind]}", path=root.source.path, hint=hint)
    error.kind = kind
    raise error


_SHOWN: Final = {
    "solver": "a solver",
    "label map": "a label map",
    "ONNX text": "an ONNX model as text",
    "TensorFlow graph": "a TensorFlow graph as text",
    "TensorFlow SavedModel": "a TensorFlow SavedModel as text",
    "detection pipeline": "the configuration of a detection pipeline",
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


def _is_net(root: Message, names: set[str]) -> bool:
    return bool(names & _NET_FIELDS)


def _is_solver(root: Message, names: set[str]) -> bool:
    return bool(names & _SOLVER_FIELDS)


def _blocks_have(root: Message, block: str, *fields: str) -> bool:
    blocks = [value for value in root.all(block) if isinstance(value, Message)]
    return any(message.has(field) for message in blocks for field in fields)


_KINDS: Final[tuple[tuple[str, Callable[[Message, set[str]], bool]], ...]] = (
    ("ONNX text", lambda root, names: "ir_version" in names or "opset_import" in names),
    ("ONNX text", lambda root, names: _blocks_have(root, "graph", "initializer", "output")),
    ("Caffe2 net", lambda root, names: _blocks_have(root, "op", "type", "output")),
    (NET, _is_net),
    ("solver", _is_solver),
    ("label map", lambda root, names: names == {"item"}),
    ("TensorFlow SavedModel", lambda root, names: "meta_graphs" in names),
    ("TensorFlow graph", lambda root, names: _blocks_have(root, "node", "op")),
    ("TensorFlow graph", lambda root, names: _blocks_have(root, "graph_def", "node")),
    (
        "detection pipeline",
        lambda root, names: len(names & {"train_config", "eval_config", "model"}) > 1,
    ),
    ("Caffe tool script", lambda root, names: bool(names) and names <= {"train", "process",
                                                                      "benchmark"}),
    (NET, lambda root, names: names <= {"name", "force_backward", "state"} and "name" in names),
)  # fmt: skip
"""Kinds in the order in which they are tried, and what tells them."""
