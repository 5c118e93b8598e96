"""Layers of every type with parameters and bottoms that do not fit them: each net is read, checked
and written, or refused with one UpconvError."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from upconv.converters.ir.errors import UpconvError
from upconv.converters.onnx_writer import write_onnx
from upconv.converters.readers.caffe.layer_types import LAYER_TYPES
from upconv.converters.readers.caffe.reader import read_caffe
from upconv.converters.readers.caffe.schema import OPEN, fields_of
from upconv.converters.readers.options import ReadOptions
from upconv.linter.running.engine import check_path

SEEDS: Final = 3
NETS: Final = 4
"""For each type."""

VALUES: Final = {
    "int": ("0", "1", "2", "3", "4", "-1", "-3", "7", "4294967295", "9" * 20, "0x10", "1.5"),
    "float": ("0", "1", "0.5", "-2", "nan", "inf", "-inf", "1e40", "1e-45"),
    "bool": ("true", "false", "1", "t", "2"),
    "text": ('"bilinear"', '"constant"', '"xavier"', '""', r'"\xff"'),
    "enum": ("MAX", "AVE", "SUM", "PROD", "WITHIN_CHANNEL", "NEAREST", "LINEAR", "CEIL", "0", "9"),
    OPEN: ("{ a: 1 }",),
}
SMALL: Final = ("1", "2", "3", "4")
INPUTS: Final = {
    "image": (1, 3, 6, 7),
    "same": (1, 3, 6, 7),
    "batch": (2, 4, 5, 5),
    "pixel": (1, 1, 1, 1),
    "volume": (1, 2, 3, 4, 5),
    "line": (1, 2, 3),
    "row": (1, 8),
    "vector": (4,),
    "scalar": (),
}
PARAMETERS: Final = {
    name: kind for name, kind in fields_of("LayerParameter").items() if name.endswith("_param")
}
SHARED: Final = {
    "Deconvolution": "convolution_param",
    "DepthwiseConvolution": "convolution_param",
    "ConvolutionDepthwise": "convolution_param",
    "DeconvolutionDepthwise": "convolution_param",
    "ConvolutionSK": "convolution_param",
    "PoolingSK": "pooling_param",
    "Normalize": "norm_param",
}


def _parameter_of(kind: str) -> str | None:
    plain = {name.removesuffix("_param").replace("_", ""): name for name in PARAMETERS}
    return SHARED.get(kind) or plain.get(kind.lower())


def _message(kind: str, rng: random.Random, depth: int = 0) -> str:
    fields = fields_of(kind)
    lines = []
    for name in rng.sample(sorted(fields), min(len(fields), rng.randrange(6))) if depth < 3 else ():
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            lines.append(_field(name, fields[name], rng, depth))
    return " ".join(lines)


def _field(name: str, kind: str, rng: random.Random, depth: int) -> str:
    if kind == OPEN or kind not in VALUES:
        inner = _message(kind, rng, depth + 1) if kind not in VALUES else "a: 1"
        return f"{name} {{ {inner} }}"
    usual = SMALL if kind == "int" and rng.random() < 0.7 else VALUES[kind]
    return f"{name}: {rng.choice(usual)}"


def _layer(kind: str, place: int, bottoms: Sequence[str], rng: random.Random) -> str:
    parameter = _parameter_of(kind)
    body = [f'bottom: "{name}"' for name in bottoms]
    tops = rng.choice((max(LAYER_TYPES[kind].tops[0], 1),) * 4 + (0, 2))
    body += [f'top: "top{place}_{index}"' for index in range(tops)]
    if parameter is not None and rng.random() < 0.9:
        usual = "num_output: 4 kernel_size: 2" if parameter == "convolution_param" else ""
        body.append(f"{parameter} {{ {_message(PARAMETERS[parameter], rng)} {usual} }}")
    return f'layer {{ name: "layer{place}" type: "{kind}" {" ".join(body)} }}'


def _nets(kind: str, rng: random.Random) -> Iterator[str]:
    """One to three layers, the first of this type, on inputs of any rank."""
    lines = [
        f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param '
        f"{{ shape {{ {' '.join(f'dim: {size}' for size in shape)} }} }} }}"
        for name, shape in INPUTS.items()
    ]
    for _ in range(NETS):
        net, blobs, current = list(lines), list(INPUTS), kind
        for place in range(rng.choice((1, 1, 2, 3))):
            least = LAYER_TYPES[current].bottoms[0]
            count = rng.choice((least,) * 5 + (0, 1, 2, 3))
            net.append(_layer(current, place, [rng.choice(blobs) for _ in range(count)], rng))
            blobs += [f"top{place}_0"] * 3
            current = rng.choice(sorted(LAYER_TYPES))
        yield "\n".join(net)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_misfit_layers(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    path, out = tmp_path / "net.prototxt", tmp_path / "net.onnx"
    read = written = nets = 0
    for kind in sorted(LAYER_TYPES):
        for text in _nets(kind, rng):
            path.write_text(text)
            nets += 1
            report = check_path(path)
            assert not report.crashed, [one.message for one in report.findings]
            read += report.status == "ok"
            try:
                write_onnx(read_caffe(str(path), ReadOptions()), out)
                written += 1
            except UpconvError as error:
                assert str(error)
    assert read > 0.5 * nets, f"{read} of {nets} are read"
    assert written > 0.02 * nets, f"{written} of {nets} are written"
