"""PriorBox against its loops as SSD's source has them, and what is refused by name."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from tests.converters.readers.caffe.lowered import only
from upconv.converters.ir import operators as ops
from upconv.converters.ir.errors import UnreadableError, UnsupportedError
from upconv.service.python.calls import convert

HEAD = 'type: "PriorBox" bottom: "x" bottom: "data" top: "y" prior_box_param'
SHAPES = [(2, 8, 3, 5), (2, 3, 31, 47)]


def loops(
    small: list[int],
    large: list[int],
    ratios: list[float],
    flip: bool,
    step: tuple[float, float] | None,
    clip: bool,
    variance: list[float],
) -> np.ndarray:
    """prior_box_layer.cpp, line by line, in float64."""
    (height, width), (rows, columns) = SHAPES[0][2:], SHAPES[1][2:]
    step_h, step_w = step or (rows / height, columns / width)
    every = [1.0]
    for ratio in ratios:
        if any(abs(ratio - one) < 1e-6 for one in every):
            continue
        every.append(ratio)
        if flip:
            every.append(1 / ratio)
    found = []
    for h, w in itertools.product(range(height), range(width)):
        x, y = (w + 0.5) * step_w, (h + 0.5) * step_h
        for index, size in enumerate(small):
            boxes: list[tuple[float, float]] = [(size, size)]
            if large:
                boxes.append((math.sqrt(size * large[index]),) * 2)
            boxes += [
                (size * math.sqrt(ratio), size / math.sqrt(ratio))
                for ratio in every
                if abs(ratio - 1) >= 1e-6
            ]
            for wide, high in boxes:
                found += [
                    (x - wide / 2) / columns,
                    (y - high / 2) / rows,
                    (x + wide / 2) / columns,
                    (y + high / 2) / rows,
                ]
    boxes_ = np.array(found)
    if clip:
        boxes_ = np.clip(boxes_, 0, 1)
    four = variance * 4 if len(variance) == 1 else variance
    return np.stack([boxes_, np.tile(four, len(found) // 4)])[None]


@pytest.mark.parametrize("flip", [True, False])
@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("step", [None, (8.0, 8.0), (7.0, 9.5)])
@pytest.mark.parametrize(
    ("small", "large", "ratios", "variance"),
    [
        ([6], [], [], [0.1]),
        ([6], [13], [2.0], [0.1, 0.1, 0.2, 0.2]),
        ([6, 11], [13, 20], [2.0, 3.0, 2.0, 1.0], [0.1, 0.2, 0.3, 0.4]),
    ],
)
def test_the_boxes_are_those_of_ssd(
    small: list[int],
    large: list[int],
    ratios: list[float],
    variance: list[float],
    flip: bool,
    clip: bool,
    step: tuple[float, float] | None,
) -> None:
    words = [f"min_size: {one}" for one in small] + [f"max_size: {one}" for one in large]
    words += [f"aspect_ratio: {one}" for one in ratios] + [f"variance: {one}" for one in variance]
    words += [f"flip: {str(flip).lower()} clip: {str(clip).lower()}"]
    if step is not None:
        same = step[0] == step[1]
        words.append(f"step: {step[0]}" if same else f"step_h: {step[0]} step_w: {step[1]}")
    made = only(f"{HEAD} {{ {' '.join(words)} }}", SHAPES)
    right = loops(small, large, ratios, flip, step, clip, variance)
    assert made.operator == ops.Constant(right.shape)
    assert made.inputs == ()
    np.testing.assert_array_equal(made.weights["value"].array(), right.astype(np.float32))


def test_the_image_may_be_given() -> None:
    made = only(f"{HEAD} {{ min_size: 4 img_h: 31 img_w: 47 }}", [(1, 1, 3, 5), None])
    other = only(f"{HEAD} {{ min_size: 4 }}", SHAPES)
    np.testing.assert_array_equal(made.weights["value"].array(), other.weights["value"].array())


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        ("", UnreadableError, "0 min_size"),
        ("min_size: 3 max_size: 2", UnreadableError, "must be larger"),
        ("min_size: 3 min_size: 4 max_size: 9", UnreadableError, "2 min_size and 1 max_size"),
        ("min_size: 3.5", UnsupportedError, "some forks round down"),
        ("min_size: 0", UnreadableError, "must be positive"),
        ("min_size: 3 aspect_ratio: 0", UnreadableError, "must be positive"),
        ("min_size: 3 variance: 1 variance: 2", UnreadableError, "once or four times"),
    ],
)
def test_what_it_refuses(words: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        only(f"{HEAD} {{ {words} }}", SHAPES)


def test_it_needs_sizes_and_has_a_bound() -> None:
    with pytest.raises(UnsupportedError, match="not known numbers"):
        only(f"{HEAD} {{ min_size: 3 }}", [None, None])
    with pytest.raises(UnsupportedError, match="more than 256 times"):
        only(f"{HEAD} {{ min_size: 3 {'aspect_ratio: 2 ' * 300} }}", SHAPES)
    with pytest.raises(UnsupportedError, match="at most"):
        only(f"{HEAD} {{ min_size: 3 }}", [(1, 1, 1 << 20, 1 << 20), (1, 3, 9, 9)])


@pytest.mark.parametrize("kind", ["PSROIPooling", "ROIAlign"])
def test_layers_of_regions_are_refused_by_what_they_are(kind: str) -> None:
    with pytest.raises(UnsupportedError, match=f"{kind} .*regions"):
        only(f'type: "{kind}" bottom: "x" bottom: "rois" top: "y"')


SSD = """
input: "data" input_shape { dim: 1 dim: 3 dim: 30 dim: 40 }
layer { name: "pool" type: "Pooling" bottom: "data" top: "pool"
  pooling_param { kernel_size: 3 stride: 3 } }
layer { name: "prior1" type: "PriorBox" bottom: "pool" bottom: "data" top: "prior1"
  prior_box_param { min_size: 10 max_size: 20 aspect_ratio: 2 variance: 0.1 } }
layer { name: "prior2" type: "PriorBox" bottom: "data" bottom: "data" top: "prior2"
  prior_box_param { min_size: 5 clip: true } }
layer { name: "priors" type: "Concat" bottom: "prior1" bottom: "prior2" top: "priors"
  concat_param { axis: 2 } }
layer { name: "flat" type: "Flatten" bottom: "pool" top: "flat" }
"""


def test_a_net_with_boxes_converts_and_is_proven(tmp_path: Path) -> None:
    file = tmp_path / "ssd.prototxt"
    file.write_text(SSD, "utf-8")
    assert convert(file, tmp_path / "m.onnx").verdict == "pass"
    file.write_text(
        SSD + 'layer { name: "out" type: "DetectionOutput" bottom: "flat" bottom: "priors" '
        'top: "out" }',
        "utf-8",
    )
    with pytest.raises(
        UnsupportedError, match=r"DetectionOutput decodes(.|\n)*--outputs flat,priors"
    ):
        convert(file, tmp_path / "m.onnx")
    assert convert(file, tmp_path / "m.onnx", outputs="flat,priors").verdict == "pass"
