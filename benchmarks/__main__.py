"""All benchmarks in turn, each in a process of its own: `make bench`."""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = (
    "parse_speed",
    "cold_start",
    "check_speed",
    "scaling",
    "convert_size",
    "bilinear_forms",
    "rule_recall",
    "caffe_goldens",
    "torch_convert",
    "tensorflow_convert",
)


def main() -> None:
    for name in BENCHMARKS:
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)
        print(flush=True)


if __name__ == "__main__":
    main()
