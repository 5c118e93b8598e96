"""BatchNorm with its factor, the forks' BN, LRN, MVN and Normalize."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from tests.converters.readers.caffe.lowered import (
    C,
    H,
    N,
    W,
    caffe_layer,
    fillers,
    only,
    operator,
    output,
    output_shape,
    weights,
)
from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.converters.readers.caffe.assemble import lower

ENDS = 'bottom: "x" top: "y"'
BATCH_NORM = f'type: "BatchNorm" {ENDS}'
INFERENCE = f'type: "BN" {ENDS} bn_param {{ bn_mode: INFERENCE scale_filler {{ value: 1 }} }}'
SLOPED = f'type: "BN" {ENDS} bn_param {{ slope_filler {{ value: 1 }} frozen: true }}'


def test_batch_norm_divides_by_its_factor() -> None:
    made = only(BATCH_NORM, [(1, 2, 4, 4)], [[2, 4], [8, 16], [4]])
    assert made.operator == ops.BatchNorm(1e-5)
    assert weights(made) == {"mean": [0.5, 1.0], "variance": [2.0, 4.0]}


def test_batch_norm_multiplies_by_the_float32_inverse_as_caffe_does() -> None:
    mean = np.float32(1.1)
    made = only(BATCH_NORM, [(1, 1, 4, 4)], [[mean], [1], [np.float32(999.9823)]])
    expected = mean * (np.float32(1) / np.float32(999.9823))
    assert made.weights["mean"].array()[0] == expected


def test_a_factor_of_zero_gives_zeros() -> None:
    made = only(BATCH_NORM, [(1, 2, 4, 4)], [[2, 4], [8, 16], [0]])
    assert weights(made) == {"mean": [0.0, 0.0], "variance": [0.0, 0.0]}


def test_batch_norm_reads_legacy_and_odd_shapes() -> None:
    made = only(BATCH_NORM, [(1, 2, 4, 4)], [[[[[2]], [[4]]]], [[[[8]], [[16]]]], [[[[2]]]]])
    assert weights(made) == {"mean": [1.0, 2.0], "variance": [4.0, 8.0]}


@dataclass
class Watched:
    """A blob of one value that counts how often it is read."""

    shape: tuple[int, ...] = (1,)
    reads: int = 0

    def array(self) -> np.ndarray:
        self.reads += 1
        return np.ones(1, np.float32)

    def chunks(self, size: int = 1 << 20) -> Iterator[memoryview | bytes]:
        raise AssertionError("a blob that is divided cannot be streamed")


def test_nothing_is_computed_before_it_is_asked_for() -> None:
    mean, variance, factor = Watched(), Watched(), Watched()
    layer = replace(caffe_layer(BATCH_NORM, [(1, 1, 2, 2)]), blobs=(mean, variance, factor))
    (made,) = lower(layer)
    assert (mean.reads, variance.reads, factor.reads) == (0, 0, 0)
    assert made.weights["mean"].array().tolist() == [1.0]
    assert (mean.reads, variance.reads, factor.reads) == (1, 0, 1)


def test_batch_norm_without_weights_keeps_its_shape_and_has_no_filler() -> None:
    assert output_shape(BATCH_NORM, (N, 3, H, W)) == (N, 3, H, W)
    made = only(BATCH_NORM, [(N, 3, H, W)])
    assert made.weights["mean"].shape == made.weights["variance"].shape == (3,)
    assert fillers(made) == {"mean": None, "variance": None}
    assert fillers(only(BATCH_NORM, [(N, C, H, W)])) == {"mean": None, "variance": None}


def test_batch_statistics_are_refused_only_where_weights_would_be_used() -> None:
    body = f"{BATCH_NORM} batch_norm_param {{ use_global_stats: false eps: 0.001 }}"
    assert operator(body, [(1, 2, 4, 4)]) == ops.BatchNorm(0.001)
    with pytest.raises(UnsupportedError) as caught:
        only(body, [(1, 1, 4, 4)], [[1], [1], [1]])
    assert str(caught.value) == (
        "net.prototxt:2:7: layer 'it': normalises by the statistics of the batch at hand "
        "(use_global_stats: false), not by stored ones (write use_global_stats: true for inference)"
    )


@pytest.mark.parametrize(
    ("blobs", "message"),
    [
        ([[1, 2], [1, 2]], r"2 blobs for it, but it takes 3 \(mean, variance, factor\)"),
        ([[1, 2, 3], [1, 2], [1]], "its mean has 3 values in the weights file, but it takes 2"),
        ([[1, 2], [1], [1]], "its variance has 1 value in the weights file, but it takes 2"),
        ([[1, 2], [1, 2], [1, 1]], "its scale factor has 2 values .* but it takes 1"),
    ],
)
def test_batch_norm_refuses_other_blobs(blobs: list[list[float]], message: str) -> None:
    with pytest.raises(UnreadableError, match=message):
        only(BATCH_NORM, [(1, 2, 4, 4)], blobs)


def _column(*values: float) -> np.ndarray:
    return np.array(values, np.float32).reshape(1, -1, 1, 1)


def test_bn_with_two_blobs_is_a_scale() -> None:
    made = only(INFERENCE, [(1, 2, 1, 1)], [_column(2, 3), _column(4, 5)])
    assert made.operator == ops.Scale(1, "none")
    assert weights(made) == {"scale": [2.0, 3.0], "bias": [4.0, 5.0]}


def test_bn_with_four_blobs_normalises() -> None:
    blobs = [_column(2), _column(3), _column(10), _column(4)]
    made = only(SLOPED, [(1, 1, 1, 1)], blobs)
    assert made.operator == ops.BatchNorm(1e-5)
    assert weights(made) == {"scale": [2.0], "bias": [3.0], "mean": [10.0], "variance": [4.0]}
    value = output(SLOPED, [[[[14.0]]]], blobs=blobs).item()
    assert value == pytest.approx((14 - 10) / np.sqrt(4 + 1e-5) * 2 + 3)


@pytest.mark.parametrize("body", [INFERENCE, SLOPED, f'type: "BN" {ENDS}'])
def test_bn_without_weights_keeps_its_shape(body: str) -> None:
    assert output_shape(body, (N, 3, H, W)) == (N, 3, H, W)
    assert all(weight.shape == (3,) for weight in only(body, [(N, 3, H, W)]).weights.values())


def test_bn_fillers_come_from_either_forks_names() -> None:
    def found(fields: str) -> dict[str, tuple[str, float, bool] | None]:
        made = only(f'type: "BN" {ENDS} bn_param {{ {fields} }}')
        return {name: filler for name, filler in fillers(made).items() if filler is not None}

    shifted = "scale_filler { value: 1 } shift_filler { value: 0.5 }"
    assert found(shifted) == {"scale": ("constant", 1.0, True), "bias": ("constant", 0.5, True)}
    sloped = "slope_filler { value: 2 } bias_filler { value: 3 }"
    assert found(sloped) == {"scale": ("constant", 2.0, True), "bias": ("constant", 3.0, True)}


def test_bn_that_learns_with_two_blobs_is_refused() -> None:
    body = f'type: "BN" {ENDS} bn_param {{ bn_mode: LEARN }}'
    with pytest.raises(UnsupportedError, match=r"\(two blobs without bn_mode: INFERENCE\)"):
        only(body, [(1, 1, 2, 2)], [_column(1), _column(0)])


def test_bn_of_unknown_epsilon_is_refused_until_it_is_written() -> None:
    blobs = [_column(1)] * 4
    fields = "scale_filler { value: 1 }"
    with pytest.raises(UnsupportedError, match="gives no var_eps"):
        only(f'type: "BN" {ENDS} bn_param {{ {fields} }}', [(1, 1, 2, 2)], blobs)
    written = f'type: "BN" {ENDS} bn_param {{ {fields} var_eps: 1e-3 }}'
    assert only(written, [(1, 1, 2, 2)], blobs).operator == ops.BatchNorm(1e-3)


def test_lrn_defaults_and_regions() -> None:
    body = f'type: "LRN" {ENDS}'
    assert operator(body) == ops.Lrn(5, 1.0, 0.75, 1.0, "across")
    settings = "local_size: 3 alpha: 0.5 beta: 2 k: 4"
    across = f"{body} lrn_param {{ {settings} }}"
    assert operator(across) == ops.Lrn(3, 0.5, 2.0, 4.0, "across")
    for region in ("WITHIN_CHANNEL", "1"):
        within = f"{body} lrn_param {{ {settings} norm_region: {region} }}"
        assert operator(within) == ops.Lrn(3, 0.5, 2.0, 1.0, "within")
    with pytest.raises(UnreadableError, match="local_size is 4; it must be odd"):
        operator(f"{body} lrn_param {{ local_size: 4 }}")


def test_mvn_defaults_and_settings() -> None:
    body = f'type: "MVN" {ENDS}'
    assert operator(body) == ops.MeanVarianceNorm(True, False, 1e-9)
    given = f"{body} mvn_param {{ normalize_variance: false across_channels: true eps: 0.5 }}"
    assert operator(given) == ops.MeanVarianceNorm(False, True, 0.5)


def test_normalize_defaults_to_one_scale_across_space() -> None:
    body = f'type: "Normalize" {ENDS}'
    made = only(body, [(1, 3, 4, 4)])
    assert made.operator == ops.L2Normalize(True, 1e-10)
    assert made.weights["scale"].shape == (1,)
    assert fillers(made) == {"scale": ("constant", 1.0, False)}


def test_normalize_per_pixel_with_a_scale_per_channel() -> None:
    fields = "across_spatial: false channel_shared: false scale_filler { value: 20 }"
    body = f'type: "Normalize" {ENDS} norm_param {{ {fields} }}'
    assert only(body, [(1, 2, 4, 4)]).weights["scale"].shape == (2,)
    value = output(body, [[[[3.0]], [[4.0]]]], blobs=[[10, 20]])
    assert value.ravel() == pytest.approx([6.0, 16.0])
