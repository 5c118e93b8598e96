"""How the cost of a check grows with a file: CPU seconds and memory by size, and the exponent.

Every shape of file is one that once took minutes: the exponent of cost in size is to stay near 1.
Growth is measured with the budgets of files lifted; beside it, what the largest costs within them.
`python -m benchmarks.scaling [SIZES ...] [--shapes NAME]` takes other sizes, as in `1000 10000
100000`, and the shapes whose names hold NAME.
"""

from __future__ import annotations

import argparse
import json
import math
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SIZES: Final = (1_000, 10_000)
LIMIT: Final = 600
"""CPU seconds after which a check is given up."""


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


_CODE: Final = """
import resource, sys, time
from upconv.converters.readers.files.budgets import Meter
from upconv.linter.running.engine import check_path
from upconv.service.cli.collector import collect_seldom
collect_seldom()
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[3]),) * 2)
if sys.argv[2] == "lifted":
    Meter.spend = lambda self, steps=1: None
began = time.process_time()
status = check_path(sys.argv[1]).status
seconds = time.process_time() - began
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, status == "unreadable")
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of one check, without the interpreter's start, its peak in MB, and whether the
    file is larger than what is read."""

    seconds: float
    megabytes: float
    refused: bool

    def __str__(self) -> str:
        return f"{self.seconds:8.2f}{'*' if self.refused else ' '}{self.megabytes:6.0f}"


def cost(path: Path, budgets: str) -> Cost:
    """The cost of a check in a process of its own, with its budgets "kept" or "lifted"."""
    done = subprocess.run(
        [sys.executable, "-c", _CODE, str(path), budgets, str(LIMIT)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return Cost(math.inf, math.nan, refused=False)
    seconds, megabytes, refused = done.stdout.split()
    return Cost(float(seconds), float(megabytes), refused == "True")


def exponent(found: Mapping[int, Cost]) -> str:
    """By the smallest and the largest that were checked."""
    sizes = [size for size, cost in found.items() if not cost.refused]
    if len(sizes) < 2:
        return "-"
    first, last = sizes[0], sizes[-1]
    growth = math.log(found[last].seconds / found[first].seconds)
    return f"{growth / math.log(last / first):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES)
    parser.add_argument("--shapes", default="")
    asked = parser.parse_args()
    sizes, shapes = asked.sizes, [one for one in SHAPES.items() if asked.shapes in one[0]]
    print("CPU seconds and MB of a check, * refused as larger than any real file; exponent;")
    print("then what the largest costs as it is checked, within the budgets")
    print(" " * 24 + "".join(f"{size:>15}" for size in sizes) + "  exp" + "   in budgets")
    with tempfile.TemporaryDirectory() as folder:
        for name, (suffix, make) in shapes:
            path = Path(folder, f"net.{suffix}")
            found = {}
            for size in sizes:
                path.write_text(make(size), "utf-8")
                found[size] = cost(path, "lifted")
            told = "".join(map(str, found.values()))
            print(f"{name:<24}{told}{exponent(found):>6}{cost(path, 'kept')}", flush=True)


if __name__ == "__main__":
    main()
