"""What strangers may send, at length: each is answered, the server's memory is flat, and the like
of it that means no harm passes.

python -m tests.service.http.hostility [MUTATED] [SEED]

MUTATED files of every format are sent as jobs of their own at last. Prints a row for each kind:
how many were refused (4xx), failed (no result, with a reason), found unreadable or otherwise
wanting (exit code 1), or sound; the longest time of one; the server's memory.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from fixtures.make_safetensors import write_safetensors
from tests.fuzz import hostile
from tests.fuzz.mutations import mutated
from tests.fuzz.seeds import CODE, NET, mxnet_net, seeds
from tests.service.http.server import Server, form, serving
from tests.service.http.test_hostile import ARCHIVES, NAMES, raw, zipped
from tests.service.http.test_jobs import SMALL

Files = dict[str, bytes]
LIMIT = 180.0
"""Seconds in which each is over, on a machine that others use too."""

WEIGHTS = (".safetensors", ".caffemodel", ".params")
GROWTH = 80_000_000
"""Bytes by which a server may grow over all of it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Uploads that mean harm, and one alike that means none, each with what is asked of it."""

    hostile: Callable[[Path], Iterator[Files]]
    benign: Files
    kind: str = "check"
    sound: bool = False
    """Whether some may be sound without being what was meant: what is only large."""


def _bombs(_: Path) -> Iterator[Files]:
    yield {"net.zip": zipped({f"{n}.bin": bytes(30_000_000) for n in range(8)})}
    yield {"net.zip": zipped({"a.prototxt": bytes(250_000_000)})}
    yield {"net.zip": zipped({"deep.zip": zipped({"a.bin": bytes(250_000_000)})}) * 2}
    yield {"net.zip": ARCHIVES["claims 4 GB"][0]}


def _broken(_: Path) -> Iterator[Files]:
    for data, _status in ARCHIVES.values():
        yield {"net.zip": data}
    whole = zipped({"a.prototxt": SMALL, "b.prototxt": SMALL})
    for at in range(0, len(whole) - 22, 7):
        yield {"net.zip": whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]}


def _made(maker: Callable[[Path], None], *suffixes: str) -> Callable[[Path], Iterator[Files]]:
    """The files of a maker, each with the model that it belongs to."""

    def files(folder: Path) -> Iterator[Files]:
        maker(folder)
        beside = {"net.py": CODE.encode()} if (folder / "net.py").exists() else {}
        for path in sorted(folder.iterdir()):
            if path.name != "net.py" and path.name.endswith(suffixes or ("",)):
                yield {**beside, path.name: path.read_bytes()}

    return files


def _links(folder: Path) -> Iterator[Files]:
    """HDF5 files whose weights lie in other files."""
    import h5py

    for where in ("/etc/passwd", "../../../../etc/passwd", "other.h5"):
        for name, link in (
            ("link", h5py.ExternalLink(where, "/model_weights")),
            ("soft", h5py.SoftLink("/nowhere")),
        ):
            path = folder / f"{name}.h5"
            path.write_bytes(seeds("hdf5")[0])
            with h5py.File(path, "r+") as file:
                target = "model_weights" if "model_weights" in file else next(iter(file))
                del file[target]
                file[target] = link
            yield {"a.h5": path.read_bytes()}
        path = folder / "raw.h5"
        path.write_bytes(seeds("hdf5")[0])
        with h5py.File(path, "r+") as file:
            group = file.get("model_weights", file)
            found: list[str] = []
            group.visititems(
                lambda name, one, found=found: (
                    found.append(name) if isinstance(one, h5py.Dataset) else None
                )
            )
            shape = group[found[0]].shape
            del group[found[0]]
            group.create_dataset(
                found[0], shape, np.float32, external=[(where, 0, h5py.h5f.UNLIMITED)]
            )
        yield {"a.h5": path.read_bytes()}


def _claims(folder: Path) -> Iterator[Files]:
    """Small files that say they hold 2 GiB and more."""
    for size in ((1 << 31) - 1, 1 << 31, 1 << 33, (1 << 64) - 1):
        varint = b"".join(
            bytes([(size >> at) & 0x7F | (0x80 if size >> at + 7 else 0)])
            for at in range(0, 70, 7)
            if size >> at or not at
        )
        yield {"a.prototxt": NET.encode(), "a.caffemodel": b"\xa2\x06" + varint + b"abc"}
        yield {"a.onnx": b"\x08\x08\x3a" + varint + b"abc"}
        yield {"a.pb": b"\x0a" + varint + b"abc"}
        if size < 1 << 32:
            yield {"net.py": CODE.encode(), "a.safetensors": size.to_bytes(8, "little") + b"{}"}
        path = folder / "a.safetensors"

        write_safetensors(path, {"up.weight": np.ones((4, 2, 3, 3), np.float32)})
        data = path.read_bytes().replace(b"[4,2,3,3]", b"[%d,2]" % size)
        yield {"net.py": CODE.encode(), "a.safetensors": data}
    yield {"net.zip": ARCHIVES["claims 4 GB"][0]}


def _layers(_: Path) -> Iterator[Files]:
    yield {"a.prototxt": chain(100_000)}


def chain(count: int) -> bytes:
    """A net of so many layers, one behind the other."""
    head = 'layer { name: "b0" type: "Input" top: "b0" input_param { shape { dim: 1 dim: 3 } } }\n'
    rows = (
        f'layer {{ name: "r{n}" type: "ReLU" bottom: "b{n}" top: "b{n + 1}" }}\n'
        for n in range(count)
    )
    return (head + "".join(rows)).encode()


def _nested(folder: Path) -> Iterator[Files]:
    yield from _made(hostile.json_in_keras, "deep_list.json", "deep_object.json", ".keras")(folder)
    for name, text in (("a", b"a{" * 500_000), ("b", b"a: [" * 200_000)):
        yield {f"{name}.prototxt": text}
    for depth in (50, 5000, 100_000):
        yield {"a.json": b'{"class_name": "Functional", "config": ' + b"[" * depth + b"]" * depth}


def _outside(_: Path) -> Iterator[Files]:
    for where in ("/etc/passwd", "../../../../../etc/passwd", "../in.onnx", "/dev/zero", "a\0b"):
        yield {"m.onnx": with_external(where)}


def with_external(where: str) -> bytes:
    """An ONNX model whose weight of three floats lies elsewhere."""
    from onnx import TensorProto, helper

    weight = TensorProto(name="w", data_type=1, dims=[3], data_location=TensorProto.EXTERNAL)
    for key, said in (("location", where), ("length", "12")):
        weight.external_data.add(key=key, value=said)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])], "g",
        [value("x", 1, [1, 3])], [value("y", 1, [1, 3])], [weight],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    return bytes(model.SerializeToString())


def _names(_: Path) -> Iterator[Files]:
    for name in NAMES:
        yield {"net.zip": zipped({name: SMALL})}


GOOD = {"a.prototxt": SMALL}
KINDS: Mapping[str, Kind] = {
    "zip bombs": Kind(_bombs, {"net.zip": zipped({"a.prototxt": SMALL, "b.bin": bytes(10**7)})}),
    "path traversal": Kind(_names, {"net.zip": zipped({"a/b.prototxt": SMALL})}),
    "duplicate and broken members": Kind(_broken, {"net.zip": zipped(GOOD)}),
    "broken members of model archives": Kind(
        _made(hostile.archives), {"a.keras": seeds("keras")[0]}, sound=True
    ),
    "pickles": Kind(_made(hostile.pickles), {"a.pth": seeds("checkpoint")[0]}, sound=True),
    "HDF5 links to other files": Kind(_links, {"a.h5": seeds("hdf5")[0]}, "convert"),
    "2 GiB claims in small files": Kind(_claims, {"a.onnx": seeds("onnx_model")[0]}),
    "a net of 100,000 layers": Kind(_layers, {"a.prototxt": chain(1000)}, sound=True),
    "deep nesting": Kind(_nested, {"a.json": seeds("keras_json")[0]}, sound=True),
    "other hostile nets": Kind(_made(hostile.nets), GOOD, sound=True),
    "other hostile graphs": Kind(_made(hostile.graphs), {"a.pb": seeds("graphdef")[0]}, sound=True),
    "ONNX data outside": Kind(
        _outside, {"m.onnx": with_external("w.bin"), "w.bin": bytes(12)}, "convert"
    ),
}
FORMATS: Mapping[str, tuple[str, Files]] = {
    "prototxt": ("a.prototxt", {}),
    "caffemodel": ("a.caffemodel", {"a.prototxt": NET.encode()}),
    "python": ("a.py", {}),
    "notebook": ("a.ipynb", {}),
    "keras_json": ("a.json", {}),
    "hdf5": ("a.h5", {}),
    "keras": ("a.keras", {}),
    "graphdef": ("a.pb", {}),
    "pbtxt": ("a.pbtxt", {}),
    "pt2": ("a.pt2", {}),
    "torchscript": ("a.pt", {}),
    "checkpoint": ("a.pth", {}),
    "pickle": ("b.pth", {}),
    "safetensors": ("a.safetensors", {"a.py": CODE.encode()}),
    "tflite": ("a.tflite", {}),
    "mxnet": ("a.json", {}),
    "mxnet_params": ("a.params", {"a.json": mxnet_net().encode()}),
    "onnx_model": ("a.onnx", {}),
}
"""Seeds -> the name of a file of their format, and what is sent with it."""


@dataclass(slots=True)
class Seen:
    """What became of the uploads of a kind."""

    ends: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    sound: list[Any] = field(default_factory=list)
    """The jobs that found nothing wrong."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, server: Server, files: Files, kind: Kind) -> Any:
        """Raises AssertionError where the end is none of those that there may be, or comes late."""
        began = time.monotonic()
        weights = [name for name in files if name.endswith(WEIGHTS) and len(files) > 1]
        options = {"reading": {"weights": weights[0]}} if weights else {}
        answer = server.send(files, kind.kind, options, wait=60)
        while answer.status == 202 and time.monotonic() - began < LIMIT:
            answer = server.get(f"/v1/jobs/{answer.json['id']}?wait=60")
        took = time.monotonic() - began
        end = self._end(answer.status, answer.json)
        with self._lock:
            self.ends[end] += 1
            self.longest = max(self.longest, took)
            if end == "sound":
                self.sound.append(answer.json)
        assert took < LIMIT, (took, list(files))
        assert "root:" not in json.dumps(answer.json)  # as /etc/passwd begins
        return answer.json

    def _end(self, status: int, said: Any) -> str:
        if 400 <= status < 500:
            return "4xx"
        assert status == 200, (status, said)
        if said["state"] == "failed":
            assert "please report it" not in said["result"]["reason"], said
            return "failed"
        return {0: "sound", 1: "wanting", 2: "not done"}[said["result"]["exit_code"]]


def try_kind(server: Server, name: str, folder: Path) -> Seen:
    """Send a kind's uploads, and its benign twin. Raises AssertionError."""
    kind, seen = KINDS[name], Seen()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda files: seen.send(server, files, kind), kind.hostile(folder)))
    twin = Seen()
    said = twin.send(server, kind.benign, kind)
    meant = {file["sha256"] for file in said["files"]}
    for job in () if kind.sound else seen.sound:
        assert {file["sha256"] for file in job["files"]} <= meant or _unreadable(server, job), job
    assert twin.ends["sound"] or (twin.ends["wanting"] and not _unreadable(server, said)), said
    assert server.get("/health").status == 200
    return seen


def _unreadable(server: Server, job: Any) -> list[Any]:
    """The files of a check that could not be read."""
    report = json.loads(server.artefact(job, "report.json"))
    return [file for file in report["files"] if file["status"] != "ok"]


def try_mutations(server: Server, count: int, seed: int) -> Seen:
    """Send mutated files of every format, a job for each. Raises AssertionError."""
    seen = Seen()
    begin = {target: seeds(target) for target in FORMATS}  # some are made by what has no threads

    def one(number: int) -> None:
        rng = random.Random(f"{seed}-{number}")
        target = list(FORMATS)[number % len(FORMATS)]
        name, beside = FORMATS[target]
        data = mutated(rng.choice(begin[target]), rng)
        seen.send(server, {**beside, name: data}, Kind(_layers, {}))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(count)))
    return seen


def go_away(server: Server, times: int) -> Seen:
    """Clients that go in the middle of an upload, of a wait, and of a stream."""
    seen = Seen()
    body, type_ = form({"kind": "convert"}, {"a.prototxt": SMALL})
    head = f"Host: 127.0.0.1\r\nContent-Type: {type_}\r\nContent-Length: {len(body)}\r\n\r\n"
    job = server.send(GOOD).json["id"]
    for number in range(times):
        for path, sent in (
            ("POST /v1/jobs", body[: len(body) // 2]),
            ("POST /v1/jobs?wait=60", body.replace(b"up", b"u%d" % number)),
            (f"GET /v1/jobs/{job}/events", b""),
        ):
            with raw(server) as connection:
                connection.sendall(f"{path} HTTP/1.1\r\n{head}".encode() + sent)
            seen.ends["gone"] += 1
    assert server.send(GOOD).status == 200
    return seen


def send_slowly(server: Server) -> Seen:
    """A body of which a byte comes every two seconds, and one that stops."""
    seen = Seen()
    began = time.monotonic()
    with raw(server) as connection:
        connection.sendall(
            b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x"
        )
        connection.settimeout(LIMIT)
        answer = connection.recv(1 << 16)
    assert b" 408 " in answer, answer
    seen.ends["4xx"] += 1
    seen.longest = time.monotonic() - began
    return seen


def resident(server: Server) -> float:
    """Bytes of the server's memory."""
    return float(psutil.Process(server.process.pid).memory_info().rss)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    with tempfile.TemporaryDirectory() as folder:
        options = ("--upload", "0.2", "--memory", "2", "--timeout", "50")
        with serving(Path(folder, "serve"), *options) as server:
            server.send(GOOD)
            first = resident(server)
            for name in KINDS:
                made = Path(folder, name.replace(" ", "_"))
                made.mkdir()
                _row(name, try_kind(server, name, made), server)
            _row("a client that goes away", go_away(server, 20), server)
            _row("a slow upload", send_slowly(server), server)
            _row(f"{count} mutated files", try_mutations(server, count, seed), server)
            grown = resident(server) - first
            sys.stdout.write(f"the server grew by {grown / 1e6:.0f} MB\n")
            assert grown < GROWTH
            errors = [line for line in server.records() if line["level"] == "ERROR"]
            assert errors == []


def _row(name: str, seen: Seen, server: Server) -> None:
    ends = ", ".join(f"{count} {end}" for end, count in sorted(seen.ends.items()))
    sys.stdout.write(
        f"| {name} | {ends} | {seen.longest:.1f} s | {resident(server) / 1e6:.0f} MB |\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
