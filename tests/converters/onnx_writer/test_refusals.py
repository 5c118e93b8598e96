"""What keeps a model from being written is told once, and many missing weights are one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.converters.readers.caffe.support import DATA, layer, read
from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.onnx_writer import write_onnx

CONV = "convolution_param { num_output: 3 kernel_size: 1 %s }"


def lines(text: str, path: Path) -> list[str]:
    with pytest.raises(UnsupportedError) as caught:
        write_onnx(read(text), path / "m.onnx")
    return str(caught.value).splitlines()


def chain(count: int, words: str) -> str:
    tops = ["data", *(f"c{index}" for index in range(count))]
    return "".join(
        layer("Convolution", CONV % words, tops[index + 1], tops[index], tops[index + 1])
        for index in range(count)
    )


def test_many_missing_weights_are_one_line_with_a_count(tmp_path: Path) -> None:
    found = lines(DATA + chain(9, "bias_term: false"), tmp_path)
    assert found == [
        "net.prototxt: 9 weights of 9 layers are missing: c0, c1, c2, c3, ... (give --weights FILE)"
    ]


def test_few_are_named_one_by_one_and_ways_out_stay_apart(tmp_path: Path) -> None:
    few = lines(DATA + chain(3, "bias_term: false"), tmp_path)
    assert [one.split(": ")[1] for one in few] == ["layer 'c0'", "layer 'c1'", "layer 'c2'"]
    both = lines(DATA + chain(6, ""), tmp_path)
    assert [one.split(" ")[1] for one in both] == ["6", "6"]
    assert "--fill-missing constant" in both[1]


@pytest.mark.parametrize("value", ["0", "${N}"])
def test_a_template_is_told_once_a_layer_and_by_its_reason(value: str, tmp_path: Path) -> None:
    text = DATA + layer(
        "Convolution", f"convolution_param {{ num_output: {value} kernel_size: 3 }}"
    )
    found = lines(text, tmp_path)
    assert len(found) == 1
    assert "unknown layer type" not in found[0]
