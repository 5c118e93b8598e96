"""How the cost of a check grows with a file: CPU seconds by size, and the exponent.

Every shape of file is one that once took minutes: the exponent of cost in size is to stay near 1.
`python -m benchmarks.scaling [SIZES ...]` takes other sizes, as in `1000 10000 100000`.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

SIZES: Final = (1_000, 10_000)
LIMIT: Final = 600


def in_place(count: int) -> str:
    return _net(_layer("ReLU", f"r{i}", "data", "data") for i in range(count))


def one_name(count: int) -> str:
    return _net(_layer("ReLU", "same", f"b{i}" if i else "data", f"b{i + 1}") for i in range(count))


def unknown_types(count: int) -> str:
    return _net(
        _layer(f"Own{i}", f"u{i}", f"b{i}" if i else "data", f"b{i + 1}") for i in range(count)
    )


def unknown_fields(count: int) -> str:
    more = "relu_param {{ own{0}: {0} }} odd{0}: 1"
    return _net(
        _layer("ReLU", f"r{i}", f"b{i}" if i else "data", f"b{i + 1}", more.format(i))
        for i in range(count)
    )


def transposed(count: int) -> str:
    filler = "weight_filler { type: 'bilinear' }"
    more = f"convolution_param {{ num_output: 1 kernel_size: 3 pad: 1 {filler} }}"
    return _net(
        _layer("Deconvolution", f"d{i}", f"b{i}" if i else "data", f"b{i + 1}", more)
        for i in range(count)
    )


def wide_concat(count: int) -> str:
    """Layers side by side, which Concats of a thousand each join."""
    layers = [_layer("ReLU", f"r{i}", "data", f"b{i}") for i in range(count)]
    for first in range(0, count, 1000):
        bottoms = " ".join(f"bottom: 'b{i}'" for i in range(first, min(first + 1000, count)))
        layers.append(f"layer {{ type: 'Concat' name: 'c{first}' top: 'c{first}' {bottoms} }}\n")
    return _net(layers)


def crops(count: int) -> str:
    """Sizes that come from sizes: each layer's is an expression in the one before."""
    more = "pooling_param { kernel_size: 2 stride: 2 } "
    return _net(
        (
            _layer("Pooling", f"p{i}", f"b{i}" if i else "data", f"b{i + 1}", more)
            if i % 2
            else _layer(
                "Upsample",
                f"p{i}",
                f"b{i}" if i else "data",
                f"b{i + 1}",
                "upsample_param { scale: 2 }",
            )
        )
        for i in range(count)
    )


def _layer(kind: str, name: str, bottom: str, top: str, more: str = "") -> str:
    return f"layer {{ type: '{kind}' name: '{name}' bottom: '{bottom}' top: '{top}' {more} }}\n"


def _net(layers: Iterable[str]) -> str:
    shape = "input_param { shape { dim: 1 dim: 1 dim: 8 dim: 8 } }"
    return f"layer {{ type: 'Input' name: 'data' top: 'data' {shape} }}\n" + "".join(layers)


def keras_json(count: int) -> str:
    layers: list[dict[str, Any]] = [
        {
            "class_name": "InputLayer",
            "name": "l0",
            "config": {"name": "l0", "batch_input_shape": [None, 8, 8, 1]},
            "inbound_nodes": [],
        }
    ]
    for i in range(1, count):
        layers.append(
            {
                "class_name": "ReLU",
                "name": f"l{i}",
                "config": {"name": f"l{i}"},
                "inbound_nodes": [[[f"l{i - 1}", 0, 0, {}]]],
            }
        )
    config = {
        "name": "n",
        "layers": layers,
        "input_layers": [["l0", 0, 0]],
        "output_layers": [[f"l{count - 1}", 0, 0]],
    }
    return json.dumps({"class_name": "Functional", "config": config})


def python_source(count: int) -> str:
    body = "".join(
        f"        self.u{i} = nn.ConvTranspose2d(4, 4, 3, stride=2)\n" for i in range(count)
    )
    return f"import torch.nn as nn\nclass N(nn.Module):\n    def __init__(self):\n{body}"


def graph(count: int) -> str:
    nodes = [
        "node { name: 'b0' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } }\n"
    ]
    kind = "attr { key: 'T' value { type: DT_FLOAT } }"
    nodes += [
        f"node {{ name: 'b{i}' op: 'Relu' input: 'b{i - 1}' {kind} }}\n" for i in range(1, count)
    ]
    return "".join(nodes)


SHAPES: Final[dict[str, tuple[str, Callable[[int], str]]]] = {
    "in-place chain": ("prototxt", in_place),
    "one repeated name": ("prototxt", one_name),
    "unknown types": ("prototxt", unknown_types),
    "unknown fields": ("prototxt", unknown_fields),
    "transposed convolutions": ("prototxt", transposed),
    "wide Concats": ("prototxt", wide_concat),
    "sizes from sizes": ("prototxt", crops),
    "Keras JSON": ("json", keras_json),
    "Python source": ("py", python_source),
    "TensorFlow graph": ("pbtxt", graph),
}


def seconds(path: Path) -> float:
    """CPU seconds of one check in a process of its own, without the interpreter's start."""
    code = (
        "import sys, time; from upconv.linter.running.engine import check_path;"
        "t = time.process_time(); check_path(sys.argv[1]); print(time.process_time() - t)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=True,
    )
    return float(done.stdout)


def main() -> None:
    sizes = tuple(map(int, sys.argv[1:])) or SIZES
    print("CPU seconds of a check" + "".join(f"{size:>10}" for size in sizes) + "  exponent")
    with tempfile.TemporaryDirectory() as folder:
        for name, (suffix, make) in SHAPES.items():
            found = []
            for size in sizes:
                path = Path(folder, f"net.{suffix}")
                path.write_text(make(size), "utf-8")
                found.append(seconds(path))
            exponent = math.log(found[-1] / found[0]) / math.log(sizes[-1] / sizes[0])
            print(
                f"{name:<22}" + "".join(f"{one:>10.2f}" for one in found) + f"{exponent:>10.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
