"""UP501 to UP504: what engines that a model is to run in refuse, or read otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from upconv.linter.rule import Hit, rule

if TYPE_CHECKING:
    from upconv.linter.context import Context
    from upconv.linter.engines.facts import Seen
    from upconv.linter.engines.profile import Certainty, Effect, Entry, Target
    from upconv.linter.finding import Severity

_SEVERITIES: Final[Mapping[Certainty, Severity]] = {
    "measured": "error",
    "read in source": "warning",
    "reported": "info",
}
"""Certainty of a profile's entry -> how bad it is that it holds."""


@rule(
    "UP501",
    "refused-by-target",
    severity="error",
    source="docs/engines: engines run on models of one node, their sources, their issues",
    folds=True,
)
def refused_by_target(context: Context) -> Iterator[Hit]:
    """An engine that the model is to run in refuses a layer of it.

    What it finds:
        Layers whose ONNX node a named target (--target, or target in the configuration) refuses to
        read or to run. An ONNX file's nodes are judged as they are written, other files by what
        upconv convert would write. An error where it was measured, a warning where it was read in
        the engine's source, an info where it is reported only.

    Why it is bad:
        The model does not run there, which shows when it is deployed.

    Example:
        upconv check net.onnx --target openvino-2026

    Use instead:
        upconv convert net.onnx -o out.onnx --target openvino-2026

    Fix safety:
        There is no fix in place: upconv convert --target writes forms that the targets read alike,
        and proves that no number moved.

    References:
        docs/engines has every profile, with its source and its date
    """
    yield from _hits(context, "refuses")


@rule(
    "UP502",
    "misread-by-target",
    severity="error",
    source="docs/engines: engines run on models of one node, their sources, their issues",
    folds=True,
)
def misread_by_target(context: Context) -> Iterator[Hit]:
    """An engine that the model is to run in computes something else for a layer, silently.

    What it finds:
        Layers whose ONNX node a named target (--target, or target in the configuration) reads
        otherwise than ONNX says: other pixels, or another size. An ONNX file's nodes are judged as
        they are written, other files by what upconv convert would write. An error where it was
        measured, a warning where it was read in the engine's source, an info where it is reported
        only.

    Why it is bad:
        Nothing fails: the results are worse than those of training, and nobody knows why. Of 225
        models of one node, engines that were measured compute up to 73 wrongly without a word.

    Example:
        upconv check net.onnx --target mnn

    Use instead:
        upconv convert net.onnx -o out.onnx --target mnn

    Fix safety:
        There is no fix in place: upconv convert --target writes forms that the targets read alike,
        and proves that no number moved.

    References:
        docs/engines has every profile, with its source and its date; upconv probe asks the engine
        itself
    """
    yield from _hits(context, "misreads")


@rule(
    "UP503",
    "target-dies-of-it",
    severity="error",
    source="docs/engines: engines run on models of one node",
    folds=True,
)
def target_dies_of_it(context: Context) -> Iterator[Hit]:
    """An engine that the model is to run in ends its own process on a layer of it.

    What it finds:
        Layers whose ONNX node makes a named target abort, or write where it may not.

    Why it is bad:
        No error can be caught: the program that uses the engine is gone.

    Example:
        upconv check net.onnx --target tract

    Use instead:
        upconv convert net.onnx -o out.onnx --target tract

    Fix safety:
        There is no fix in place: upconv convert --target writes forms that the targets read alike,
        and proves that no number moved.

    References:
        docs/engines has every profile, with its source and its date
    """
    yield from _hits(context, "dies")


@rule(
    "UP504",
    "slow-in-target",
    severity="info",
    source="docs/engines: issues of the engines",
    folds=True,
)
def slow_in_target(context: Context) -> Iterator[Hit]:
    """An engine that the model is to run in is much slower on a layer than it need be.

    What it finds:
        Layers whose ONNX node is known to be slow in a named target.

    Why it is bad:
        Another form of the same layer runs several times as fast there.

    Example:
        upconv check net.onnx --target onnxruntime-webgpu

    Use instead:
        the form that the finding names

    Fix safety:
        There is no fix in place.

    References:
        docs/engines has every profile, with its source and its date
    """
    yield from _hits(context, "slow")


def _hits(context: Context, effect: Effect) -> Iterator[Hit]:
    for target, seen, entry in context.portability:
        if entry.effect == effect:
            yield _hit(target, seen, entry)


def _hit(target: Target, seen: Seen, entry: Entry) -> Hit:
    from upconv.linter.engines.profile import EFFECTS

    said = f"{target.name} {EFFECTS[entry.effect]}: {entry.says} ({seen.node.operator})"
    how = f"{entry.certainty}, {_of(target, entry)}as of {entry.as_of}; {entry.source}"
    severity = "info" if entry.effect == "slow" else _SEVERITIES[entry.certainty]
    return Hit(
        f"{said}; {how}",
        f"write {entry.instead}",
        seen.layer,
        severity=severity,
        kind=f"{target.name}: {entry.says}",
    )


def _of(target: Target, entry: Entry) -> str:
    """The version that was run."""
    ran = target.profile.measured
    return f"version {ran[-1]}, " if entry.certainty == "measured" and ran else ""
