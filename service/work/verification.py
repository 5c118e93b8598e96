"""Verifications on the command line: run in a child, told in a few lines."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from upconv.service.cli.progress import progress_line
from upconv.service.work.child import run_in_child
from upconv.service.work.prove import ProofRequest, prove, prove_against, run_framework

if TYPE_CHECKING:
    from upconv.converters.proof.verify import LayerCertificate, OutputCertificate, Verification

ONE_THREAD = ("OPENBLAS_NUM_THREADS", "1")
"""For the child's NumPy: the reference shares its blocks out among threads itself, and the matrix
products' own threads beside them would only wait for each other, which takes half as long again."""

UPSAMPLING = ("ConvTranspose", "Resize", "Unpool", "WindowUnpool", "DepthToSpace")


def certify(request: ProofRequest) -> Verification:
    """The verification of a request, computed in a child process.

    Raises UpconvError with the child's message.
    """
    from upconv.converters.proof.runtime import remove_copies

    os.environ.setdefault(*ONE_THREAD)
    with progress_line() as progress:
        return run_in_child(prove, request, progress, partial(remove_copies, request.onnx))


def certify_against_source(request: ProofRequest) -> Verification:
    """The comparison with the source framework, which runs in a child process of its own.

    Raises UpconvError with the message of the child that fails.
    """
    from upconv.converters.proof.runtime import remove_copies

    with progress_line() as progress:
        source = run_in_child(run_framework, request, progress, what="the source framework")
        clean = partial(remove_copies, request.onnx)
        return run_in_child(prove_against, (request, source), progress, clean)


def summary(verification: Verification) -> str:
    """The verdict in a few lines: upsampling layers one by one, the rest counted, outputs."""
    shown = [
        one for one in verification.layers if one.operator in UPSAMPLING or one.verdict != "pass"
    ]
    others = [one for one in verification.layers if one not in shown]
    lines = [f"{verification.onnx}: {verification.verdict}, opset {verification.opset}"]
    if verification.source is not None:
        source = verification.source
        lines.append(f"  against {source.framework} {source.version}")
    lines += [_layer_line(one) for one in shown]
    if others:
        worst = max((one.ratio or 0.0 for one in others), default=0.0)
        lines.append(f"  {len(others)} other layers pass, at most {worst:.2f} of their bounds")
    lines += [_output_line(one) for one in verification.outputs]
    lines += [f"  incomplete: {reason}" for reason in verification.reasons]
    return "\n".join(lines)


def _layer_line(one: LayerCertificate) -> str:
    form = f" ({one.form})" if one.form not in ("", one.operator) else ""
    head = f"  {one.verdict:4} {one.layer} {one.operator}{form}"
    if one.reason:
        return f"{head}: {one.reason}"
    return f"{head}: error {_number(one.max_abs_error)}, {one.kind} {_number(one.bound)}"


def _output_line(one: OutputCertificate) -> str:
    shape = "x".join(map(str, one.shape))
    head = f"  {one.verdict:4} output {one.name} {shape}"
    if one.reason:
        return f"{head}: {one.reason}"
    return f"{head}: end-to-end error {_number(one.max_abs_error)}, tolerance {one.tolerance:.3g}"


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.3g}"
