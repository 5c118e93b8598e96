"""A right net that is broken in a bilinear layer or a Crop, and fixed, computes what it did."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tests.linter.mutants import NETS, TRAINED, Mutant, mutants, net_text, weights_path
from upconv.converters.ir.origin import Source
from upconv.converters.passes.fill import fill_missing
from upconv.converters.readers.formats import open_text
from upconv.converters.readers.options import ReadOptions
from upconv.converters.reference.run import run_model
from upconv.linter.finding import FileReport
from upconv.linter.fixing.fix import Fixed, decoded, fix_text
from upconv.linter.running.engine import CheckOptions, check_source

CASES = [
    mutant
    for net in NETS
    for mutant in mutants(net)
    if ("bilinear" in mutant.family or mutant.family == "Crop") and mutant.kind != "bottom"
]
ALWAYS = {"kernel", "pad", "stride", "group", "bias", "offset", "lr_mult", "no filler"}
"""What is fixed wherever a rule sees it."""

UNCLEAR = {
    # Kernel and stride each stand for a factor, and nothing is merged with the layer.
    "bilinear-up3-kernel_size_5_to_4",
    "bilinear-up3-stride_3_to_2",
    # A kernel of 2f - 1 interpolates as well, half a pixel off; then several Crops are off.
    "fcn8s-upscore2-kernel_size_4_to_3",
    "fcn8s-upscore_pool4-kernel_size_4_to_3",
    "fcn8s-upscore8-kernel_size_16_to_15",
    # One pad puts several Crops off.
    "fcn8s-upscore2-pad_to_1",
    "fcn8s-upscore_pool4-pad_to_1",
}
"""What the net does not decide: fixes are shown, and not applied."""


def options_of(mutant: Mutant) -> CheckOptions:
    weights = "" if mutant.kind in TRAINED else weights_path(mutant.net)
    return CheckOptions(ReadOptions(weights=weights))


@cache
def fixed(mutant: Mutant) -> Fixed:
    options = options_of(mutant)

    def check(source: Source) -> FileReport:
        return check_source(source, options)

    text = decoded(mutant.net, mutant.text.encode())
    return fix_text(text, check(text.source), ("safe", "unsafe"), check)


@cache
def outputs(net: str, text: str) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """Every output in float64, from noise: stored weights for what learns, else fillers."""
    model = open_text(Source(net, text), ReadOptions(weights=weights_path(net)))
    model = fill_missing(model, ("bilinear", "constant"))
    shape = tuple(int(str(size)) for size in model.inputs[0].shape or ())
    feeds = {model.inputs[0].name: np.random.default_rng(2).standard_normal(shape)}
    return {name: np.asarray(y) for name, y in run_model(model, feeds, keep=model.outputs).items()}


@pytest.mark.parametrize("mutant", CASES, ids=lambda mutant: mutant.id)
def test_fixed_mutant_computes_what_the_original_does(mutant: Mutant) -> None:
    result = fixed(mutant)
    if not result.count:
        pytest.skip("no fix is offered")
    mended = outputs(mutant.net, result.text.source.text)
    original = outputs(mutant.net, net_text(mutant.net))
    for name in original:
        np.testing.assert_array_equal(mended[name], original[name])


def test_most_mutants_are_fixed() -> None:
    """A test of fixes that offers none proves nothing."""
    left = [m for m in CASES if m.kind in ALWAYS and not fixed(m).count]
    shown = {f.fix.safety for m in left for f in fixed(m).report.findings if f.fix is not None}
    assert {m.id for m in left} == UNCLEAR
    assert shown == {"display"}
