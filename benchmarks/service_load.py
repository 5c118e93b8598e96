"""Small checks through the service: latency and throughput of 1 and of 50 clients beside the
library call, cold start, and memory.

Every job is another net, so that none is known already; each client keeps its connection and waits
for the end of its job (`?wait=`) before it asks for the next.

python -m benchmarks.service_load [SECONDS] [JOBS] [OPTIONS OF upconv serve]

SECONDS is how long each number of clients asks, JOBS how many jobs more are done, with a look at
the server's memory after each 500. At last, jobs of other kinds and sizes, with two clients.
"""

from __future__ import annotations

import http.client
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

NET = """\
layer {{ name: "data" type: "Input" top: "data"
  input_param {{ shape {{ dim: 1 dim: 3 dim: 5 dim: 7 }} }} }}
layer {{ name: "up{number}" type: "Deconvolution" bottom: "data" top: "up"
  convolution_param {{ num_output: 3 group: 3 kernel_size: 4 stride: 2 pad: 1 bias_term: false
    weight_filler {{ type: "bilinear" }} }} }}
"""
FORM = """\
--{edge}\r
Content-Disposition: form-data; name="kind"\r
\r
{kind}\r
--{edge}\r
Content-Disposition: form-data; name="options"\r
\r
{options}\r
--{edge}\r
Content-Disposition: form-data; name="files"; filename="net.prototxt"\r
\r
{text}\r
--{edge}--\r
"""
FCN8S = (Path(__file__).parents[1] / "fixtures/fcn8s/fcn8s.prototxt").read_text()
FILL = '{"fill_missing": "bilinear"}'


@dataclass(frozen=True, slots=True)
class Work:
    """What is asked for again and again: a net with a {number} in it, so that each is new."""

    kind: str = "check"
    net: str = NET
    options: str = "{}"


ROUND = 500
"""Jobs between two looks at the server's memory."""

SMALL = Work()
WIDE = NET.replace("dim: 5 dim: 7", "dim: {size} dim: {size}")
SIZES = {
    "check of 2 layers": SMALL,
    "check of FCN-8s": Work(net="# {number}\n" + FCN8S.replace("{", "{{").replace("}", "}}")),
    "audit of 2 layers": Work("audit"),
    "conversion and proof, 5x7": Work("convert", NET, FILL),
    "conversion and proof, 256x256": Work("convert", WIDE.replace("{size}", "256"), FILL),
    "conversion and proof, 1024x1024": Work("convert", WIDE.replace("{size}", "1024"), FILL),
}


@contextmanager
def server(folder: Path, *options: str) -> Iterator[tuple[psutil.Process, int, float]]:
    """A server: its process, its port, and the seconds until it listened."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "upconv", "serve", "--port", "0", "--data", str(folder)]
    process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        line = next(line for line in process.stderr if '"url"' in line)
        took = time.perf_counter() - began
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield psutil.Process(process.pid), int(json.loads(line)["url"].rpartition(":")[2]), took
    finally:
        process.terminate()
        process.wait()


def do(connection: http.client.HTTPConnection, number: int, work: Work) -> None:
    """One job on a net that nobody has sent before, to its end."""
    edge = uuid.uuid4().hex
    text = work.net.format(number=number)
    body = FORM.format(edge=edge, kind=work.kind, options=work.options, text=text)
    headers = {"Content-Type": f"multipart/form-data; boundary={edge}"}
    connection.request("POST", "/v1/jobs?wait=60", body.encode(), headers)
    answer = connection.getresponse()
    job = json.loads(answer.read())
    if answer.status != 200 or job["result"]["exit_code"] == 2:
        raise RuntimeError(f"{answer.status}: {job}")


def ask(
    port: int, clients: int, more: Callable[[], bool], numbers: Iterator[int], work: Work = SMALL
) -> list[float]:
    """The seconds of each job of so many clients, as long as there shall be more."""
    times: list[float] = []

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while more():
            began = time.perf_counter()
            do(connection, next(numbers), work)
            times.append(time.perf_counter() - began)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def library() -> list[float]:
    """The seconds of the same check as a call."""
    from upconv import check as check_

    times = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(50):
            path = Path(folder, f"{number}.prototxt")
            path.write_text(NET.format(number=number))
            began = time.perf_counter()
            check_(str(path))
            times.append(time.perf_counter() - began)
    return times


def row(name: str, times: list[float], seconds: float) -> None:
    p99 = statistics.quantiles(times, n=100)[98] if len(times) > 1 else times[0]
    print(
        f"  {name:32} p50 {1e3 * statistics.median(times):7.1f} ms  p99 {1e3 * p99:7.1f} ms"
        f"  {len(times) / seconds:6.1f} jobs/s  ({len(times)} jobs)",
        flush=True,
    )


def memory(process: psutil.Process) -> str:
    """The resident memory of a server, and of all that it has started."""
    children = sum(one.memory_info().rss for one in process.children(recursive=True))
    return f"{process.memory_info().rss / 1e6:.0f} MB, its template {children / 1e6:.0f} MB"


def settle(process: psutil.Process) -> None:
    """Wait until the template has imported what it imports."""
    before = -1.0
    while (now := sum(one.cpu_times().user for one in process.children())) > before:
        before = now
        time.sleep(1)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    jobs = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    options = sys.argv[3:]
    numbers = itertools.count()
    times = library()
    print("small checks, each of another net")
    row("library", times, sum(times))
    with (
        tempfile.TemporaryDirectory() as folder,
        server(Path(folder), *options) as (process, port, took),
    ):
        first = time.perf_counter()
        ask(port, 1, lambda: next(numbers) < 1, numbers)
        print(f"  listens after {took:.2f} s, the first job {time.perf_counter() - first:.2f} s")
        settle(process)
        print(f"  memory at first: {memory(process)}")
        for clients in (1, 50):
            began = time.perf_counter()
            end = began + seconds
            times = ask(port, clients, lambda end=end: time.perf_counter() < end, numbers)  # type: ignore[misc]
            row(f"{clients} client{'s' if clients > 1 else ''}", times, time.perf_counter() - began)
        for done in range(0, jobs, ROUND):
            left = itertools.count(done)
            began = time.perf_counter()
            most = min(done + ROUND, jobs)
            times = ask(port, 20, lambda left=left, most=most: next(left) < most, numbers)  # type: ignore[misc]
            row(f"20 clients, {most} jobs", times, time.perf_counter() - began)
            print(f"  memory: {memory(process)}", flush=True)
        print(f"  memory at the end: {memory(process)}")
        print("by size, 2 clients")
        for name, work in SIZES.items():
            began = time.perf_counter()
            end = began + seconds
            times = ask(port, 2, lambda end=end: time.perf_counter() < end, numbers, work)  # type: ignore[misc]
            row(name, times, time.perf_counter() - began)


if __name__ == "__main__":
    main()
