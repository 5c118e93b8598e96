"""Files that are made to keep a check busy, to fill memory, or to end it: one maker a kind.

A maker writes its files into a folder; every format that can hold the kind has one.
`python -m tests.fuzz.hostile KIND FOLDER` writes those of a kind, in full size with
UPCONV_HOSTILE=full.
"""

from __future__ import annotations

import json
import os
import pickle
import struct
import sys
import zipfile
from pathlib import Path
from typing import Final

from tests.fuzz.hostile_numbers import numbers_in_binaries, numbers_in_texts
from tests.fuzz.hostile_searched import SEARCHED, searched
from tests.fuzz.making import COUNT, WEIGHTS, Maker, deflated, many, members_of, write
from tests.fuzz.seeds import CODE, field, seeds, zipped

# Texts of JSON, in everything that holds one.

_JSON: Final[dict[str, bytes]] = {
    "deep_list": b"[" * many(200_000),
    "deep_object": b'{"a":' * many(200_000) + b"1" + b"}" * many(200_000),
    "empty_lists": b"[" + b"[]," * many(1_600_000) + b"1]",
    "empty_objects": b"[" + b"{}," * many(1_600_000) + b"1]",
    "pairs": b"[" + b'{"a":{}},' * many(700_000) + b"1]",
    "names": b"{" + b",".join(b'"%d":1' % n for n in range(many(800_000))) + b"}",
    "digits": b"[" + b"9" * many(100_000) + b"]",
    "exponent": b"[1e999999999]",
    "halves": b'["' + b"\\ud800" * many(200_000) + b'"]',
    "spaces": b"[" + b" " * many(5_000_000) + b"]",
    "open_text": b'"' + b"a" * many(5_000_000),
    "escapes": b'["' + b"\\" * many(2_000_001) + b'"]',
    "nothing": b"",
}


def _wrapped(text: bytes, name: str) -> bytes:
    """The text as a member of what a Keras model is."""
    return (
        b'{"class_name": "Functional", "config": {"layers": '
        + text
        + b'}, "%s": 1}' % name.encode()
    )


def json_in_keras(folder: Path) -> None:
    for name, text in _JSON.items():
        config = _wrapped(text, name)
        write(folder, f"{name}.json", config)
        write(folder, f"{name}.keras", deflated({"metadata.json": b"{}", "config.json": config}))
        about = {"metadata.json": text, "config.json": seeds("keras_json")[0]}
        write(folder, f"{name}_about.keras", deflated(about))


def json_in_notebooks(folder: Path) -> None:
    for name, text in _JSON.items():
        write(folder, f"{name}.ipynb", b'{"cells": ' + text + b', "x": "nn.Upsample torch"}')


def json_in_programs(folder: Path) -> None:
    members = members_of("pt2")
    for name, text in _JSON.items():
        for member in members:
            if member.endswith(".json") and "sample" not in member:
                stem = member.rpartition("/")[2].removesuffix(".json")
                write(folder, f"{name}_{stem}.pt2", deflated(members | {member: text}))


def json_in_safetensors(folder: Path) -> None:
    write(folder, WEIGHTS[".safetensors"], CODE)
    for name, text in _JSON.items():
        write(folder, f"{name}.safetensors", struct.pack("<Q", len(text)) + text)
    large = b'{"' + b"a" * (90 << 20) + b'": 1}'
    write(folder, "large.safetensors", struct.pack("<Q", len(large)) + large)


# Archives.


def archives(folder: Path) -> None:
    for target, suffix in (("keras", "keras"), ("pt2", "pt2"), ("torchscript", "pt"), ("checkpoint", "pth")):  # fmt: skip
        members = members_of(target)
        for how, name in ((zipfile.ZIP_LZMA, "lzma"), (zipfile.ZIP_BZIP2, "bzip2")):
            write(folder, f"{name}.{suffix}", deflated(members, how))
        plain = zipped(members)
        begin = plain.index(b"PK\x01\x02")
        for offset, size in ((8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (42, 4)):
            for value in (0, 1, 8, 14, (1 << 8 * size) - 1):
                data = bytearray(plain)
                data[begin + offset : begin + offset + size] = value.to_bytes(size, "little")
                write(folder, f"entry{offset}_{value}.{suffix}", bytes(data))
        packed = bytearray(deflated(members))
        for at in range(40, min(len(packed), 4000), 97):
            packed[at] ^= 0xFF
        write(folder, f"broken.{suffix}", bytes(packed))
        first = next(name for name in members if name.endswith((".json", ".pkl")))
        write(folder, f"bomb.{suffix}", deflated(members | {first: bytes(1 << 27)}))
    entries = b"".join(
        struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0)
        + b"%05d" % (number % 100_000)
        for number in range(many(300_000))
    )
    end = struct.pack("<4s4HLLH", b"PK\x05\x06", 0, 0, 0, 0, len(entries), 14, 0)
    for suffix in ("keras", "pt2", "pt", "pth"):
        head = b"PK\x03\x04 metadata.json" if suffix == "keras" else b"PK\x03\x04/data.pkl /version"
        write(folder, f"many.{suffix}", head[:14].ljust(14) + entries + end + head)


# Pickles.


def _long(value: int) -> bytes:
    data = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8b" + struct.pack("<i", len(data)) + data


def _text(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text)) + text.encode()


_TENSOR: Final = b"ctorch._utils\n_rebuild_tensor_v2\n"
_STORAGE: Final = _text("storage") + b"ctorch\nFloatStorage\n"


def _tensor(key: bytes) -> bytes:
    """A tensor whose storage is called what `key` makes."""
    return (
        _TENSOR
        + b"(("
        + _STORAGE
        + key
        + _text("cpu")
        + b"K\x04tQK\x00(K\x02t(K\x01t\x89Ntr\x00\x00\x01\x00R"
    )


_DOUBLED: Final = b"".join(b"(h%ch%ct\x940" % (i, i) for i in range(200))

PICKLES: Final[dict[str, bytes]] = {
    "deep_list": b"\x80\x04" + b"]" * many(100_000) + b"a" * many(99_999) + b".",
    "deep_tuple": b"\x80\x04N" + b"\x85" * many(500_000) + b".",
    "deep_call": b"\x80\x04N" + b"\x85c__builtin__\nset\nq\x00h\x00" * 0 + b"\x85" * 10 + b".",
    "deep_key": b"\x80\x04}" + _text("w") + _tensor(b"N" + b"\x85" * 5000) + b"s.",
    "deep_calls": b"\x80\x04(" + b"c__builtin__\nlist\n" * many(20_000) + b"N" + b"\x85R" * many(20_000) + b"t.",
    "doubling": b"\x80\x04N\x94" + b"0" + b"".join(b"h%ch%c\x86\x940" % (i, i) for i in range(100)) + b"h\x63.",
    "doubled_key": b"\x80\x04}" + _text("w") + _tensor(b"N\x940" + b"".join(b"h%ch%c\x86\x940" % (i, i) for i in range(100)) + b"h\x63") + b"s.",
    "huge_int": b"\x80\x04" + _long(1 << 4_000_000) + b".",
    "huge_int_key": b"\x80\x04}" + _long(1 << 200_000) + b"Ns.",
    "huge_int_text": b"L" + b"9" * many(50_000) + b"L\n.",
    "huge_storage": b"\x80\x04}" + _text("w") + _tensor(_long(1 << 60_000)) + b"s.",
    "colliding_keys": b"\x80\x04}(" + b"".join(_long(n * ((1 << 61) - 1)) + b"N" for n in range(1, many(60_000))) + b"u.",
    "colliding_places": b"\x80\x04" + b"".join(b"Np%d\n0" % (n * ((1 << 61) - 1)) for n in range(1, many(60_000))) + b"N.",
    "long_paths": b"\x80\x04}(" + _text("a" * many(60_000)) + b"](" + b"N" * many(1_500_000) + b"eu.",
    "shared_paths": b"\x80\x04" + b"}\x94" + b"".join(b"(" + _text("k" * 900) + b"h\x00" + b"u0}\x94" for _ in range(5000)) + b".",
    "many_marks": b"\x80\x04" + b"(" * many(1_000_000) + b"t" * many(1_000_000) + b".",
    "many_nones": b"\x80\x04(" + b"N" * many(6_000_000) + b"t.",
    "many_globals": b"\x80\x04(" + b"".join(b"cm\nn%d\n" % n for n in range(many(50_000))) + b"t.",
    "long_text": b"\x80\x04X" + struct.pack("<I", (1 << 32) - 1) + b"a" * 100,
    "bytes_of_nothing": b"\x80\x04\x8e" + struct.pack("<Q", (1 << 63) - 1),
    "cut": b"\x80\x04}(X\x05",
    "dup": b"\x80\x04](" + b"N" + b"2" * many(3_000_000) + b"e.",
}  # fmt: skip


def pickles(folder: Path) -> None:
    for name, data in PICKLES.items():
        write(folder, f"{name}.pth", data if data[:1] == b"\x80" else b"\x80\x02" + data)
        members = {"a/data.pkl": data, "a/version": b"3\n", "a/byteorder": b"little"}
        write(folder, f"{name}_zip.pth", deflated(members))
        script = members_of("torchscript")
        for member in script:
            if member.endswith(("data.pkl", "constants.pkl")):
                stem = member.rpartition("/")[2].removesuffix(".pkl")
                write(folder, f"{name}_{stem}.pt", deflated(script | {member: data}))
    legacy = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
    for name in ("many_nones", "deep_tuple", "shared_paths"):
        write(folder, f"{name}_old.pth", legacy + PICKLES[name] * 4)


# Code.

_VALUES: Final[dict[str, str]] = {
    "deep_parentheses": "(" * 90 + "3" + ")" * 90,
    "deeper_parentheses": "(" * 5000 + "3" + ")" * 5000,
    "sum": "+".join("1" for _ in range(30_000)),
    "minus": "-" * 30_000 + "1",
    "nots": "not " * 30_000 + "1",
    "attributes": "a" + ".a" * 30_000,
    "calls": "a" + "()" * 30_000,
    "items": "a" + "[0]" * 30_000,
    "lists": "[" * 90 + "]" * 90,
    "power": "10**10**10",
    "powers": "9**9**9**9",
    "shift": "1 << (1 << 40)",
    "repeat": "'a' * 10**10",
    "repeat_list": "[0] * 10**10",
    "product": "*".join("99999999999999" for _ in range(2000)),
    "digits": "9" * 5000,
    "hexadecimal": "0x" + "f" * 100_000,
    "range": "list(range(10**10))",
    "conditions": "1 if a else " * 10_000 + "2",
    "lambdas": "lambda: " * 10_000 + "2",
    "format": "f'{" * 90 + "1" + "}'" * 90,
    "text": "'" + "a" * 1_000_000 + "'",
    "comprehension": "[" + "x for x in " * 5000 + "y]",
}


def code(folder: Path) -> None:
    for name, value in _VALUES.items():
        text = f"import torch.nn as nn\nk = {value}\nup = nn.ConvTranspose2d(4, 2, {value}, stride=k)\n"
        write(folder, f"{name}.py", text)
        cell = {"cell_type": "code", "source": [text], "outputs": []}
        write(folder, f"{name}.ipynb", json.dumps({"cells": [cell], "nbformat": 4}))
    cell = {"cell_type": "code", "source": "import torch.nn as nn; nn.Upsample(2)"}
    cells = {"cells": [cell | {"outputs": []}] * many(15_000), "nbformat": 4}
    write(folder, "cells.ipynb", json.dumps(cells))
    head = "import torch.nn as nn\nnn.Upsample(2)\n"
    deep = "".join(f"{' ' * n}if a:\n" for n in range(99)) + " " * 99 + "pass\n"
    for name, text in {
        "elifs": "if a: pass\n" + "elif a: pass\n" * many(30_000),
        "lines": "a = 1\n" * many(400_000),
        "blocks": deep,
        "functions": "".join(f"def f{n}(x): return f{n + 1}(x)\n" for n in range(many(20_000))),
        "names": "".join(f"a{n + 1} = a{n} + 1\n" for n in range(many(20_000))),
        "doubled": "a0 = (1,)\n" + "".join(f"a{n + 1} = a{n} + a{n}\n" for n in range(60)),
        "modules": "".join(f"c{n} = nn.Upsample(scale_factor=a{n})\n" for n in range(many(20_000))),
        "nul": "a = 1\0\n",
        "bom": "\ufeff\ufeffa",
    }.items():
        write(folder, f"whole_{name}.py", head + text)


# Nets.


def _layer(kind: str, name: str, bottom: str, top: str, more: str = "") -> str:
    return f"layer {{ type: '{kind}' name: '{name}' bottom: '{bottom}' top: '{top}' {more} }}\n"


def nets(folder: Path) -> None:
    head = (
        "layer { type: 'Input' name: 'b0' top: 'b0' "
        "input_param { shape { dim: 1 dim: 3 dim: 32 dim: 32 } } }\n"
    )
    chain = [(f"b{n}", f"b{n + 1}") for n in range(COUNT)]
    large = "convolution_param { num_output: 3 kernel_size: 2147483647 stride: 2147483647 }"
    for name, text in {
        "dangling": "".join(_layer("ReLU", f"r{n}", f"x{n}", f"y{n}") for n in range(COUNT)),
        "repeated_tops": "".join(_layer("ReLU", f"r{n}", "b0", "y") for n in range(COUNT)),
        "types": "".join(_layer(f"Convolutoin{n}", f"r{n}", *b) for n, b in enumerate(chain)),
        "long_type": _layer("C" * many(3_000_000), "x", "b0", "b1"),
        "fields": _layer("ReLU", "x", "b0", "b1", " ".join(f"a{n}: 1" for n in range(COUNT))),
        "sizes": "".join(_layer("Deconvolution", f"d{n}", *b, large) for n, b in enumerate(chain[:600])),
        "wide": f"layer {{ type: 'Concat' name: 'c' top: 'c' {' '.join(['bottom: ' + repr('b0')] * COUNT)} }}\n",
        "splits": f"layer {{ type: 'Split' name: 'c' bottom: 'b0' {' '.join(f'top: {chr(39)}t{n}{chr(39)}' for n in range(COUNT))} }}\n",
        "unwritten": "layer { type: 'Eltwise' name: 'c' top: 'c' "
        + "".join(f"bottom: 'x{n}' " for n in range(many(140_000)))
        + "}\n",
        "eltwise": "".join(
            f"layer {{ type: 'Eltwise' name: 'e{n}' bottom: '{a}' bottom: '{a}' top: '{b}' }}\n"
            for n, (a, b) in enumerate(chain)
        ),
        "dims": "layer { type: 'Reshape' name: 'x' bottom: 'b0' top: 'x' reshape_param { shape { "
        + "dim: 2 " * many(200_000) + "} } }\n",
        "one_name": "".join(_layer("ReLU", "same", *b) for b in chain),
        "misspelt": _layer("Convolution", "x", "b0", "b1", f"convolution_param {{ {'ride: 2 ' * COUNT} }}"),
        "many_layers": "layer {} " * many(600_000),
        "long_name": "layer { " + "p" * 100_000 + ": 1 }",
        "ignores": "".join(f"# upconv: ignore[UP{n}] x\n" for n in range(COUNT)),
    }.items():  # fmt: skip
        write(folder, f"{name}.prototxt", head + text)
    for name, text in {
        "deep": "a{" * many(500_000),
        "deep_list": "a: [" * many(200_000),
        "errors": "a: : " * many(1_000_000),
        "texts": "a: " + "'b' " * many(1_000_000),
        "line": "a: 1 " * many(500_000),
        "quote": "name: '" + "a" * many(5_000_000),
        "comments": "#\n" * many(1_000_000),
        "conflicts": "<<<<<<< a\n=======\n>>>>>>> b\n" * many(200_000),
        "digits": "layer { type: 'ReLU' name: 'a' top: 'a' bottom: " + "9" * many(100_000) + " }",
        "dims": "input: 'a' " + "input_dim: 4000000000 " * many(100_000),
    }.items():
        write(folder, f"text_{name}.prototxt", text)
        write(folder, f"text_{name}.pbtxt", "node { name: 'a' op: 'NoOp' }\n" + text)


def graphs(folder: Path) -> None:
    """GraphDefs: long chains, deep groups, constants of many values that are not there."""

    def node(name: str, op: str, *inputs: str, more: bytes = b"") -> bytes:
        reads = b"".join(field(3, one.encode()) for one in inputs)
        return field(1, field(1, name.encode()) + field(2, op.encode()) + reads + more)

    def attribute(name: str, value: bytes) -> bytes:
        return field(5, field(1, name.encode()) + field(2, value))

    kind = attribute("T", field(6, 1)) + attribute("dtype", field(6, 1))
    head = node("b0", "Placeholder", more=kind)
    chain = b"".join(node(f"b{n + 1}", "Relu", f"b{n}", more=kind) for n in range(COUNT))
    adds = b"".join(node(f"b{n + 1}", "AddV2", f"b{n}", f"b{n}", more=kind) for n in range(COUNT))
    write(folder, "chain.pb", head + chain)
    write(folder, "adds.pb", head + adds)
    write(
        folder,
        "itself.pb",
        node("a", "Relu", "a") + node("b", "Relu", "c") + node("c", "Relu", "b"),
    )
    write(folder, "groups.pb", head + b"\x0b" * many(300_000))
    for size in (1 << 20, 1 << 31, 4 * 10**9, (1 << 63) - 1, (1 << 64) - 1):
        shape = field(2, field(2, field(1, size)) * 2)
        value = attribute("value", field(8, field(1, 3) + shape + field(7, 5)))
        const = node("s", "Const", more=attribute("dtype", field(6, 3)) + value)
        for op in ("Fill", "Range", "Tile", "ResizeBilinear", "Reshape", "BroadcastTo", "Pad"):
            uses = node("y", op, "s", "s", "s", more=attribute("T", field(6, 3)))
            write(folder, f"{op}_{size}.pb", head + const + uses)


def mxnet(folder: Path) -> None:
    """Symbols: every text of JSON as attributes and as nodes, long tuples, long chains."""

    def symbol(*more: str) -> str:
        nodes = ['{"op": "null", "name": "b0", "inputs": []}', *more]
        return f'{{"nodes": [{",".join(nodes)}], "heads": [[{len(nodes) - 1}, 0, 0]]}}'

    def node(name: str, op: str, attrs: str, *inputs: int) -> str:
        reads = ",".join(f"[{one}, 0, 0]" for one in inputs)
        return f'{{"op": "{op}", "name": "{name}", "attrs": {attrs}, "inputs": [{reads}]}}'

    for name, text in _JSON.items():
        write(folder, f"{name}_attrs.json", symbol(node("a", "Activation", text.decode(), 0)))
        write(folder, f"{name}_nodes.json", symbol(text.decode()))
    for name, setting in {
        "long": "(" + "1," * many(500_000) + ")",
        "deep": "(" * many(500_000),
        "spaces": "(1" + " " * SEARCHED + ",",
        "digits": "9" * many(500_000),
        "large": "(4000000000, 4000000000)",
    }.items():
        for key in ("kernel", "stride", "num_filter", "target_shape", "scale"):
            attrs = json.dumps({"kernel": "(3, 3)", "num_filter": "2", key: setting})
            layer = node("a", "UpSampling" if key == "scale" else "Deconvolution", attrs, 0)
            write(folder, f"{name}_{key}.json", symbol(layer))
    chain = [node(f"b{n + 1}", "relu", "{}", n) for n in range(COUNT)]
    write(folder, "chain.json", symbol(*chain))
    write(folder, "itself.json", symbol(node("a", "relu", "{}", 1), node("b", "relu", "{}", 9)))


KINDS: Final[dict[str, Maker]] = {
    "JSON in Keras files": json_in_keras,
    "JSON in notebooks": json_in_notebooks,
    "JSON in exported programs": json_in_programs,
    "JSON in safetensors": json_in_safetensors,
    "archives": archives,
    "pickles": pickles,
    "code": code,
    "nets": nets,
    "graphs": graphs,
    "MXNet symbols": mxnet,
    "texts that are searched": searched,
    "numbers in texts": numbers_in_texts,
    "numbers in binary files": numbers_in_binaries,
}


def made(kind: str, folder: Path) -> list[Path]:
    """The files of a kind, without the nets that they are weights of."""
    KINDS[kind](folder)
    return sorted(path for path in folder.iterdir() if path.name not in WEIGHTS.values())


def special_files(folder: Path) -> None:
    """What is no file, under every name that a search looks at."""
    from upconv.converters.readers.formats import FORMATS

    ends = {f".{end}" for entry in FORMATS for end in entry.searched}
    for suffix in sorted(ends | {".py", ".ipynb", ".caffemodel"}):
        os.mkfifo(folder / f"pipe{suffix}")
        (folder / f"zero{suffix}").symlink_to("/dev/zero")
        (folder / f"itself{suffix}").symlink_to(f"itself{suffix}")
        (folder / f"nothing{suffix}").symlink_to("nowhere")
        (folder / f"folder{suffix}").mkdir()


if __name__ == "__main__":
    made(sys.argv[1], Path(sys.argv[2]))
