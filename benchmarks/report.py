"""What upconv costs, as Markdown and JSON: `make bench`, `QUICK=1 make bench`.

    python -m benchmarks.report OUT.md OUT.json [--quick] [--only parsing,forms,...]
    python -m benchmarks.report --compare BASE.json NEW.json

Every figure is processor time, the least of alternating rounds, and a ratio to a contender that ran
between them; the spread is how far the median lies above the least. Walls say little on a machine
that others use.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks import convert_size, parse_speed, peers
from benchmarks.bilinear_forms import CASES, forms_of
from benchmarks.peers import FCN, UPCONV
from benchmarks.rows import Row, growth_of, rows_of
from benchmarks.scaling import in_place
from benchmarks.timing import children_seconds, command, machine, race
from upconv.service.cli.collector import collect_seldom

NETS: Final = 1000


def parsing(quick: bool) -> Iterator[Row]:
    """As in a command, where the collector runs seldom, for both."""
    collect_seldom()
    texts, cls = [parse_speed.made_up_net(500 if quick else 2000)], parse_speed.net_class()
    contenders: dict[str, Callable[[], Any]] = {
        "text_format": partial(parse_speed.theirs(cls), texts),
        "tree with spans": partial(parse_speed.ours, texts),
        "tree, every value read": partial(parse_speed.ours_read, texts),
    }
    yield from rows_of("parsing prototxt", race(contenders, 3 if quick else 7), "text_format")


def cold(quick: bool) -> Iterator[Row]:
    contenders = {
        "python -c pass": command(sys.executable, "-c", "pass"),
        "upconv check, one FCN-8s": command(*UPCONV, "check", str(FCN)),
    }
    times = race(contenders, 5 if quick else 15, children_seconds)
    yield from rows_of("a cold check", times, "python -c pass")


def folder_of_nets(quick: bool) -> Iterator[Row]:
    """A folder of nets: nothing remembered, all remembered, and all but one."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, cache = Path(scratch, "nets"), Path(scratch, "cache")
        folder.mkdir()
        text = FCN.read_text("utf-8")
        count = NETS // 10 if quick else NETS
        for index in range(count):
            (folder / f"net{index}.prototxt").write_text(f"# {index}\n{text}", "utf-8")
        words = (*UPCONV, "check", str(folder), "--jobs", "1", "--cache-dir", str(cache))
        check = command(*words, "--format", "concise")

        def forgotten() -> None:
            shutil.rmtree(cache, ignore_errors=True)
            check()

        changes = iter(range(10**6))

        def one_changed() -> None:
            (folder / "net0.prototxt").write_text(f"# changed {next(changes)}\n{text}", "utf-8")
            check()

        contenders = {"cold": forgotten, "warm": check, "one changed": one_changed}
        times = race(contenders, 2 if quick else 5, children_seconds)
        yield from rows_of(f"checking {count} nets", times, "cold")


def conversion(quick: bool) -> Iterator[Row]:
    """A large caffemodel, without its proof, beside copying it."""
    with tempfile.TemporaryDirectory(prefix="upconv-bench-") as name:
        net, weights = convert_size.made_net(Path(name))
        size = f"{weights.stat().st_size / 1e6:.0f} MB"
        out = str(Path(name, "out.onnx"))
        words = (*UPCONV, "convert", str(net), "--weights", str(weights), "-o", out)
        peaks: list[float] = []
        contenders = {
            "cp": command("cp", str(weights), str(Path(name, "copy"))),
            "upconv convert": command(*words, "--proof", "none", peak=peaks),
        }
        times = race(contenders, 2 if quick else 5, children_seconds)
        for row in rows_of(f"converting {size}", times, "cp"):
            is_ours = row.what != "cp"
            yield Row(**{**asdict(row), "peak": max(peaks) if is_ours else None})


def forms(quick: bool) -> Iterator[Row]:
    """Forms of a bilinear layer in onnxruntime, beside other libraries and a copy of its output."""
    for threads in (1,) if quick else (1, 2):
        clock = time.process_time if threads == 1 else time.perf_counter
        for channels, factor, size in CASES:
            with tempfile.TemporaryDirectory() as folder:
                contenders = forms_of(channels, factor, size, Path(folder), threads)
                times = race(contenders, 7 if quick else 25, clock)
            group = f"bilinear C{channels} f{factor} {size}x{size}"
            yield from rows_of(group + (", 2 threads, wall" if threads > 1 else ""), times, "copy")


def proof(quick: bool) -> Iterator[Row]:
    """The proof of a small FCN-8s, in this process, beside one inference of it."""
    import numpy as np
    import onnxruntime as ort

    from upconv.converters.onnx_writer import write_onnx
    from upconv.converters.proof.verify import verify
    from upconv.converters.readers.formats import open_model
    from upconv.converters.readers.options import ReadOptions

    with tempfile.TemporaryDirectory() as folder:
        weights, out = peers.made_fcn(Path(folder)), Path(folder, "net.onnx")
        model = open_model(str(FCN), ReadOptions(weights=str(weights)))
        write_onnx(model, out)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        session = ort.InferenceSession(str(out), options, providers=["CPUExecutionProvider"])
        entry = session.get_inputs()[0]
        x = np.random.default_rng(0).standard_normal(entry.shape, dtype=np.float32)
        contenders: dict[str, Callable[[], Any]] = {
            "one inference": lambda: session.run(None, {entry.name: x}),
            "proof, full": lambda: verify(model, str(out)),
            "proof, sampled": lambda: verify(model, str(out), extent="sampled"),
        }
        times = race(contenders, 2 if quick else 5)
        yield from rows_of("FCN-8s, small", times, "one inference")


def _grows(
    group: str, contenders: Mapping[float, Callable[[], Any]], unit: str, quick: bool
) -> Iterator[Row]:
    bare = command(sys.executable, "-c", "import upconv")
    all_ = {"": bare} | {f"{size}": contender for size, contender in contenders.items()}
    times = race(all_, 2 if quick else 3, children_seconds, warm=not quick)
    yield from growth_of(group, {size: times[f"{size}"] for size in contenders}, unit, times[""])


def growth(quick: bool) -> Iterator[Row]:
    """A check of nets of more and more layers."""
    with tempfile.TemporaryDirectory() as folder:
        contenders: dict[float, Callable[[], Any]] = {}
        for size in (100, 1000) if quick else (10, 100, 1000, 10_000):
            path = Path(folder, f"{size}.prototxt")
            path.write_text(in_place(size), "utf-8")
            words = (*UPCONV, "check", str(path), "--no-cache", "--format", "concise")
            contenders[size] = command(*words)
        yield from _grows("growth with layers", contenders, "layers", quick)


def growth_of_weights(quick: bool) -> Iterator[Row]:
    """A conversion of larger and larger weights, without its proof."""
    with tempfile.TemporaryDirectory(prefix="upconv-bench-") as name:
        contenders: dict[float, Callable[[], Any]] = {}
        for size in (67, 268) if quick else (1, 67, 537, 2400):
            folder = Path(name, f"{size}")
            folder.mkdir()
            net, weights = convert_size.made_net(folder, size)
            words = (*UPCONV, "convert", str(net), "--weights", str(weights), "--proof", "none")
            contenders[size] = command(*words, "-o", str(folder / "out.onnx"))
        yield from _grows("growth with weights", contenders, "MB", quick)


def growth_of_folders(quick: bool) -> Iterator[Row]:
    """A check of more and more files, one job, nothing remembered."""
    with tempfile.TemporaryDirectory() as name:
        contenders: dict[float, Callable[[], Any]] = {}
        text = FCN.read_text("utf-8")
        for count in (10, 100) if quick else (1, 100, 1000, 5000):
            folder = Path(name, f"{count}")
            folder.mkdir()
            for index in range(count):
                (folder / f"net{index}.prototxt").write_text(f"# {index}\n{text}", "utf-8")
            words = (*UPCONV, "check", str(folder), "--jobs", "1", "--no-cache")
            contenders[count] = command(*words, "--format", "concise")
        yield from _grows("growth with files", contenders, "files", quick)


GROUPS: Final = (
    parsing, cold, *peers.GROUPS, folder_of_nets, conversion, forms, proof,
    growth, growth_of_weights, growth_of_folders,
)  # fmt: skip


def markdown(rows: list[Row], about: Mapping[str, Any]) -> str:
    lines = [
        "Processor time, the least of alternating rounds. Ratios are within one run. The spread is",
        "how far the median lies above the least.",
        "",
        *(f"- {name}: {value}" for name, value in about.items()),
    ]
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            lines += ["", f"## {group}", "", "| What | ms | ratio to | | spread | peak MiB |"]
            lines += ["| --- | --- | --- | --- | --- | --- |"]
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        peak = "" if row.peak is None else f"{row.peak:.0f}"
        lines.append(
            f"| {row.what} | {1e3 * row.seconds:.2f} | {row.beside} | {ratio} | "
            f"{100 * row.spread:.0f} % | {peak} |"
        )
    return "\n".join(lines) + "\n"


def compared(base: list[Row], new: list[Row]) -> str:
    """Each ratio that both have, and how much the new one is of the old."""
    old = {(row.group, row.what): row for row in base}
    lines = ["| What | before | after | after/before |", "| --- | --- | --- | --- |"]
    changes = []
    for row in new:
        before = old.get((row.group, row.what))
        if before is None or not before.ratio or not row.ratio or row.what == row.beside:
            continue
        changes.append(row.ratio / before.ratio)
        figures = f"{before.ratio:.2f} | {row.ratio:.2f} | {changes[-1]:.2f}"
        lines.append(f"| {row.group}: {row.what} | {figures} |")
    middle = statistics.median(changes) if changes else 1.0
    return "\n".join([*lines, "", f"Median of after/before: {middle:.2f}"])


def loaded(path: str) -> list[Row]:
    return [Row(**row) for row in json.loads(Path(path).read_text("utf-8"))["rows"]]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("outputs", nargs=2, metavar="FILE")
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="", metavar="GROUPS")
    return parser.parse_args()


def main() -> None:
    asked = options()
    if asked.compare:
        print(compared(*map(loaded, asked.outputs)))
        return
    text_path, json_path = map(Path, asked.outputs)
    about = machine() | {"quick": asked.quick}
    rows: list[Row] = []
    only = asked.only.split(",") if asked.only else []
    for group in (one for one in GROUPS if not only or one.__name__ in only):
        for row in group(asked.quick):
            rows.append(row)
            print(f"{row.group}: {row.what} {1e3 * row.seconds:.2f} ms", flush=True)
    for path in (text_path, json_path):
        path.parent.mkdir(parents=True, exist_ok=True)
    text_path.write_text(markdown(rows, about), "utf-8")
    json_path.write_text(
        json.dumps({"machine": about, "rows": [asdict(r) for r in rows]}, indent=2)
    )


if __name__ == "__main__":
    main()
