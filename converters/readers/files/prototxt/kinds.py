"""What a protobuf text is: a Caffe net, or one of the other things that look like one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from upconv.converters.ir.patterns import pattern
from upconv.converters.ir.source import Source
from upconv.converters.readers.files.prototxt import Message, parse

NET: Final = "net"
EMPTY: Final = "empty text"
OTHER: Final = "other text"

_SOLVER_FIELDS: Final = frozenset(
    {"net", "train_net", "test_net", "net_param", "train_net_param", "test_net_param", "base_lr"}
    | {"lr_policy", "max_iter", "snapshot", "snapshot_prefix", "solver_mode", "solver_type"}
)
_NET_FIELDS: Final = frozenset({"layer", "layers", "input", "input_dim", "input_shape"})


_FOREIGN_WORDS: Final = pattern(
    rb"^[ \t]*(?:ir_version|opset_import|graph|graph_def|node|meta_graphs)[ \t]*[:{<]", re.MULTILINE
)


def kind_of_text(path: str, head: bytes) -> str:
    """What a text is, by as much of it as was read; "" where no word of another format than
    Caffe's is."""
    if not _FOREIGN_WORDS.search(head):
        return ""
    return classify(parse(Source(path, head.decode("utf-8", "replace"))).root)


def classify(root: Message) -> str:
    """What a parsed text is.

    "net", "solver", "label map", "ONNX text", "TensorFlow graph", "TensorFlow SavedModel",
    "detection pipeline", "Triton configuration", "Caffe tool script", "Caffe2 net", "empty text",
    or "other text".
    """
    if not root.fields:
        return EMPTY
    names = {field.name for field in root.fields}
    for kind, fits in _KINDS:
        if fits(root, names):
            return kind
    return OTHER


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
    ("Triton configuration", lambda root, names: _blocks_have(root, "input", "name", "data_type")),
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
