"""What a TensorFlow model may not bring along: TensorFlow runs parts of it as soon as it loads it.

tf.saved_model.load calls the functions that set up a SavedModel's resources (lookup tables and the
like), and a graph's operators may reach files, processes and Python
(tensorflow/python/saved_model/load.py of TensorFlow 2.21). Networks need none of them; that they
save and restore their own variables (SaveV2, RestoreV2) is part of every SavedModel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from upconv.converters.ir.errors import UnsupportedError

_OUTSIDE: Final = re.compile(
    r"\w*(File|Reader|Dataset|PyFunc|Summary|Rpc)\w*|Debug\w*|Save|SaveSlices|Restore|RestoreSlice|"
    r"PrintV2|DistributedSave|_Send|_Recv|_Host(Send|Recv)"
)
"""Operators that reach files, other processes or Python; PrintV2 may print into a file."""

_NAMING: Final = frozenset({"ShardedFilename", "ShardedFilespec"})
"""They only make texts."""


def require_inert_saved_model(saved: Any, path: str) -> None:
    """Raise UnsupportedError where loading a SavedModel message would run more than its network."""
    for meta in saved.meta_graphs:
        require_inert_graph(meta.graph_def, path)
        if any(node.WhichOneof("kind") == "resource" for node in meta.object_graph_def.nodes):
            raise _refused(path, "it has a resource, for which TensorFlow runs code as it loads it")


def require_inert_graph(graph: Any, path: str) -> None:
    """Raise UnsupportedError where a GraphDef has an operator that reaches out of it."""
    for node in _nodes(graph):
        if _OUTSIDE.fullmatch(node.op) and node.op not in _NAMING:
            raise _refused(path, f"its node '{node.name[:100]}' is a {node.op}")


def _nodes(graph: Any) -> Iterator[Any]:
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def _refused(path: str, reason: str) -> UnsupportedError:
    return UnsupportedError(
        f"it is not given to TensorFlow: {reason}", path=path, hint="use --against reference"
    )
