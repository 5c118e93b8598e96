"""All benchmarks in turn: `make bench`."""

from __future__ import annotations

from benchmarks import bilinear_forms, cold_start, convert_size, parse_speed


def main() -> None:
    for benchmark in (parse_speed, cold_start, convert_size, bilinear_forms):
        benchmark.main()
        print()


if __name__ == "__main__":
    main()
