"""From a keystroke to findings and hints, in CPU time of the server: small and large nets, a cold
start, and memory over ten thousand edits.

Run it by itself: python -m benchmarks.lsp_latency [--layers N] [--edits N]. The pause that waits
for the next keystroke is no CPU and is not counted; neither is the editor's side.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from lsprotocol import types

from tests.service.lsp import editor as sides
from tests.service.lsp.editor import Editor, editor
from tests.support import ROOT

FCN = ROOT / "fixtures" / "fcn8s" / "fcn8s.prototxt"


def chain(layers: int) -> str:
    """Convolutions, each with its ReLU, as a deep net is written."""
    text = ['name: "chain"\ninput: "data"\ninput_shape { dim: 1 dim: 3 dim: 512 dim: 512 }\n']
    before = "data"
    for at in range(0, layers, 2):
        text.append(
            f'layer {{\n  name: "conv{at}"\n  type: "Convolution"\n  bottom: "{before}"\n'
            f'  top: "conv{at}"\n  convolution_param {{\n    num_output: 16\n    pad: 1\n'
            f'    kernel_size: 3\n    weight_filler {{ type: "xavier" }}\n  }}\n}}\n'
            f'layer {{\n  name: "relu{at}"\n  type: "ReLU"\n  bottom: "conv{at}"\n'
            f'  top: "conv{at}"\n}}\n'
        )
        before = f"conv{at}"
    return "".join(text)


@contextmanager
def server(folder: Path) -> Iterator[tuple[Editor, psutil.Process]]:
    with editor(folder) as session:
        process = session.client._server
        assert process is not None
        yield session, psutil.Process(process.pid)


def cpu(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


class Typist:
    """Types a character somewhere in a text, and takes it out again with the next keystroke: a
    digit, a letter, a quote or a brace, or nothing in place of one that is there. So one keystroke
    in a dozen leaves a block open, or closes one too early, until the next."""

    def __init__(self, session: Editor, uri: str, text: str, seed: int) -> None:
        self.session, self.uri, self.dice = session, uri, random.Random(seed)
        self.lines = text.split("\n")
        self.back: types.TextDocumentContentChangePartial | None = None
        self.line = 0

    def keystroke(self) -> int:
        """The line that it was made in."""
        change, self.back = (self.back, None) if self.back else self._typed()
        self.session.change(self.uri, [change])
        return self.line

    def _typed(self) -> tuple[types.TextDocumentContentChangePartial, Any]:
        self.line = line = self.dice.randrange(len(self.lines) - 1)
        at = self.dice.randrange(len(self.lines[line]) + 1)
        new = self.dice.choice(("1", "x", " ", '"', "}", ""))
        old = "" if new else self.lines[line][at : at + 1]

        def change(out: str, put: str) -> types.TextDocumentContentChangePartial:
            ends = types.Position(line, at), types.Position(line, at + len(out))
            return types.TextDocumentContentChangePartial(types.Range(*ends), put)

        return change(old, new), change(new, old)


def answers(session: Editor, uri: str, line: int) -> None:
    """Findings of the whole text, and hints of what a window shows."""
    session.findings(uri)
    around = types.Range(types.Position(max(line - 40, 0), 0), types.Position(line + 40, 0))
    params = types.InlayHintParams(types.TextDocumentIdentifier(uri), around)
    session.ask(types.TEXT_DOCUMENT_INLAY_HINT, params)


def latency(text: str, rounds: int) -> tuple[float, float, float]:
    """(p50, p95 of the server's CPU, p95 of the clock) in ms of one keystroke."""
    with tempfile.TemporaryDirectory() as name, server(Path(name).resolve()) as (session, process):
        uri = session.open(Path(name).resolve() / "net.prototxt", text)
        answers(session, uri, 0)
        typist = Typist(session, uri, text, 1)
        used, waited = [], []
        for _ in range(rounds):
            before, clock = cpu(process), time.perf_counter()
            answers(session, uri, typist.keystroke())
            used.append(1000 * (cpu(process) - before))
            waited.append(1000 * (time.perf_counter() - clock))
    used.sort()
    waited.sort()
    at = int(0.95 * (rounds - 1))
    return used[rounds // 2], used[at], waited[at]


def cold_start() -> float:
    """CPU seconds from nothing to the first findings of FCN-8s."""
    with tempfile.TemporaryDirectory() as name, server(Path(name).resolve()) as (session, process):
        session.pushed(session.open(Path(name).resolve() / "net.prototxt", FCN.read_text()), 1)
        return cpu(process)


def memory(edits: int) -> list[float]:
    """MB in use after each tenth of so many edits, each with its findings."""
    text = FCN.read_text()
    with tempfile.TemporaryDirectory() as name, server(Path(name).resolve()) as (session, process):
        uri = session.open(Path(name).resolve() / "net.prototxt", text)
        found, typist = [], Typist(session, uri, text, 2)
        for at in range(1, edits + 1):
            typist.keystroke()
            if at % 3 == 0:
                session.findings(uri)
            if at % max(edits // 10, 1) == 0:
                answers(session, uri, 0)
                found.append(process.memory_info().rss / 1e6)
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=5000)
    parser.add_argument("--edits", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=60)
    given = parser.parse_args()
    sides.PATIENCE = 600.0
    cold_start()  # writes what Python caches of its modules
    starts = sorted(cold_start() for _ in range(9))
    print(f"cold start to the first findings: {starts[4]:.2f} s of CPU (median of 9)")
    for name, text in (
        ("FCN-8s", FCN.read_text()),
        (f"{given.layers} layers", chain(given.layers)),
    ):
        middle, most, clock = latency(text, given.rounds)
        print(f"{name}: p50 {middle:.0f} ms, p95 {most:.0f} ms of CPU, p95 {clock:.0f} ms waited")
    if given.edits:
        used = memory(given.edits)
        print(f"memory over {given.edits} edits: {' '.join(f'{one:.0f}' for one in used)} MB")


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    main()
