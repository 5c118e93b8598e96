"""Archives that are broken or meant to break: each gives one error of one line."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.converters.readers.torch.conftest import export
from upconv.converters.ir.errors import UnreadableError, UnsupportedError, UpconvError
from upconv.converters.readers.files.torch_archive import open_archive
from upconv.converters.readers.formats import identify, open_model
from upconv.converters.readers.options import ReadOptions

CONFIG = "data/weights/model_weights_config.json"
GRAPH = "models/model.json"


@pytest.fixture
def members(exported: dict[str, Any]) -> dict[str, bytes]:
    """The members of a small exported network."""
    _, path = export(exported, "dcgan")
    with zipfile.ZipFile(path) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def rebuilt(folder: Path, members: dict[str, bytes], **options: Any) -> Path:
    path = folder / "net.pt2"
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in members.items():
            archive.writestr(f"net/{name}", data)
    return path


def changed(
    members: dict[str, bytes], name: str, change: Callable[[Any], None]
) -> dict[str, bytes]:
    data = json.loads(members[name])
    change(data)
    return members | {name: json.dumps(data).encode()}


def failure(path: Path) -> str:
    with pytest.raises(UpconvError) as caught:
        open_model(str(path), ReadOptions())
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def test_a_rebuilt_archive_is_read(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = rebuilt(tmp_path, members)
    assert identify(str(path)) == "PyTorch"
    assert len(open_model(str(path), ReadOptions()).layers) == 8


def test_every_truncation(tmp_path: Path, members: dict[str, bytes]) -> None:
    whole = rebuilt(tmp_path, members).read_bytes()
    path = tmp_path / "cut.pt2"
    for size in (4, 60, len(whole) // 3, len(whole) - 4000, len(whole) - 30, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(UnreadableError):
            open_model(str(path), ReadOptions())


def test_flipped_bytes_never_crash(tmp_path: Path, members: dict[str, bytes]) -> None:
    """In the directory, the headers and the JSON members; weights are only numbers."""
    whole = bytearray(rebuilt(tmp_path, members).read_bytes())
    path = tmp_path / "flipped.pt2"
    for place in range(0, len(whole), 211):
        broken = bytearray(whole)
        broken[place] ^= 0xFF
        path.write_bytes(broken)
        try:
            open_model(str(path), ReadOptions())
        except UpconvError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../../b", "a\\b"])
def test_names_that_climb_out(tmp_path: Path, members: dict[str, bytes], name: str) -> None:
    path = rebuilt(tmp_path, members)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, "x")
    assert "leaves the archive" in failure(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = rebuilt(tmp_path, members)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"net/{GRAPH}", "{}")
    assert "two members" in failure(path)


def test_a_zip_bomb(tmp_path: Path, members: dict[str, bytes]) -> None:
    bomb = members | {GRAPH: b" " * (1 << 29)}
    path = rebuilt(tmp_path, bomb, compression=zipfile.ZIP_DEFLATED, compresslevel=1)
    assert path.stat().st_size < 1 << 23
    assert "more than" in failure(path)


def test_a_size_that_lies(tmp_path: Path, members: dict[str, bytes]) -> None:
    """The directory says few bytes where inflation gives many."""
    path = rebuilt(
        tmp_path, members | {"code/x.py": b"a" * 10_000}, compression=zipfile.ZIP_DEFLATED
    )
    whole = path.read_bytes()
    assert whole.count((10_000).to_bytes(4, "little")) == 2
    path.write_bytes(whole.replace((10_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(UnreadableError, match="its size is another"):
        open_archive(str(path)).read("code/x.py")


def test_compressed_weights(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = rebuilt(tmp_path, members, compression=zipfile.ZIP_DEFLATED)
    assert "is compressed where it should be stored" in failure(path)


def weight_changes() -> Iterator[tuple[str, Callable[[Any], None], str]]:
    def meta(data: Any) -> Any:
        return next(iter(data["config"].values()))["tensor_meta"]

    def entry(data: Any) -> Any:
        return next(iter(data["config"].values()))

    yield "offset", lambda d: meta(d)["storage_offset"].update(as_int=5), "needs"
    yield "stride", lambda d: meta(d)["strides"][0].update(as_int=1 << 40), "needs"
    yield "negative", lambda d: meta(d)["strides"][0].update(as_int=-1), "impossible"
    yield "size", lambda d: meta(d)["sizes"][0].update(as_int=1 << 60), "impossible"
    yield "truth", lambda d: meta(d)["sizes"][0].update(as_int=True), "impossible"
    yield "symbol", lambda d: meta(d)["sizes"].__setitem__(0, {"as_expr": {}}), "wrongly"
    yield "axes", lambda d: meta(d)["sizes"].pop(), "strided"
    yield "dtype", lambda d: meta(d).update(dtype=99), "element type 99"
    yield "layout", lambda d: meta(d).update(layout=2), "strided"
    yield "pickle", lambda d: entry(d).update(use_pickle=True), "is not run"
    yield "member", lambda d: entry(d).update(path_name="weight_99"), "no member"
    yield "climbing", lambda d: entry(d).update(path_name="../../x"), "no member"
    yield "type", lambda d: d["config"].update(dict.fromkeys(d["config"], 1)), "wrongly"
    yield "no table", lambda d: d.update(config=[]), "no table"


CHANGES = {name: (change, message) for name, change, message in weight_changes()}


@pytest.mark.parametrize("name", CHANGES)
def test_weights_that_do_not_fit(tmp_path: Path, members: dict[str, bytes], name: str) -> None:
    change, message = CHANGES[name]
    assert message in failure(rebuilt(tmp_path, changed(members, CONFIG, change)))


def test_expanded_weights_are_bounded(tmp_path: Path, members: dict[str, bytes]) -> None:
    def grow(data: Any) -> None:
        meta = next(iter(data["config"].values()))["tensor_meta"]
        meta["sizes"] = [{"as_int": 1 << 20}, {"as_int": 1 << 20}]
        meta["strides"] = [{"as_int": 0}, {"as_int": 0}]

    assert "would expand" in failure(rebuilt(tmp_path, changed(members, CONFIG, grow)))


GRAPHS: dict[str, Any] = {
    "other major": (
        lambda d: d["schema_version"].update(major=9),
        "schema version 9.20; known is 8.x",
    ),
    "no version": (lambda d: d.pop("schema_version"), "no schema version"),
    "a name that is none": (
        lambda d: d["graph_module"]["graph"]["nodes"][0]["outputs"][0]["as_tensor"].update(name=[]),
        "[] is no text",
    ),
    "an integer of any size": (
        lambda d: d["graph_module"]["graph"]["nodes"][0]["inputs"].append(
            {"name": "groups", "arg": {"as_int": 1 << 63}}
        ),
        "is no integer of 64 bits",
    ),
    "too many axes": (
        lambda d: d["graph_module"]["graph"]["tensor_values"]["noise"].update(
            sizes=[{"as_int": 1}] * 65
        ),
        "a list of 65",
    ),
    "a size below 0": (
        lambda d: d["graph_module"]["graph"]["tensor_values"]["noise"].update(
            sizes=[{"as_int": -3}]
        ),
        "a tensor of the sizes (-3,)",
    ),
    "a name written twice": (
        lambda d: d["graph_module"]["graph"]["nodes"][1]["outputs"][0].update(
            as_tensor={"name": "noise"}
        ),
        "'noise' is written twice",
    ),
    "no graph": (lambda d: d.pop("graph_module"), "does not follow its schema"),
    "a list": (lambda d: d["graph_module"].update(graph=[]), "does not follow its schema"),
    "no nodes": (lambda d: d["graph_module"]["graph"].pop("nodes"), "does not follow its schema"),
    "two kinds": (
        lambda d: d["graph_module"]["graph"]["nodes"][0]["inputs"][0]["arg"].update(as_int=1),
        "does not follow its schema",
    ),
    "dangling": (
        lambda d: d["graph_module"]["graph"]["nodes"][3]["inputs"][0]["arg"].update(
            as_tensor={"name": "nowhere"}
        ),
        "nowhere",
    ),
    "dangling output": (
        lambda d: d["graph_module"]["signature"]["output_specs"][0]["user_output"]["arg"].update(
            as_tensor={"name": "nowhere"}
        ),
        "nowhere",
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_that_do_not_follow_the_schema(
    tmp_path: Path, members: dict[str, bytes], name: str
) -> None:
    change, message = GRAPHS[name]
    assert message in failure(rebuilt(tmp_path, changed(members, GRAPH, change)))


def test_a_net_of_halves_is_checked_and_not_converted(
    tmp_path: Path, members: dict[str, bytes]
) -> None:
    from upconv.converters.onnx_writer import write_onnx

    def halve(data: Any) -> None:
        data["graph_module"]["graph"]["tensor_values"]["noise"].update(dtype=6)

    model = open_model(str(rebuilt(tmp_path, changed(members, GRAPH, halve))), ReadOptions())
    assert len(model.layers) == 8
    with pytest.raises(UpconvError, match="the input 'noise' is float16"):
        write_onnx(model, tmp_path / "net.onnx")


def _first_node(
    target: str, first: str = "self", sizes: Sequence[int] = (1, 8, 1024, 1024), **arguments: Any
) -> Callable[[Any], None]:
    """The first call as another one of the input, which has these sizes."""

    def change(data: Any) -> None:
        graph = data["graph_module"]["graph"]
        node, name = graph["nodes"][0], "noise"
        graph["tensor_values"][name]["sizes"] = [{"as_int": n} for n in sizes]
        values = {first: {"as_tensor": {"name": name}}} if first else {}
        node["target"] = f"torch.ops.aten.{target}"
        given = (values | arguments).items()
        node["inputs"] = [{"name": k, "arg": v, "kind": 1} for k, v in given]

    return change


MISFITS: dict[str, Any] = {
    "it moves 1 axes to 2 places": _first_node(
        "movedim.intlist", source={"as_ints": [0]}, destination={"as_ints": [0, 1]}
    ),
    "its dims has 2 values": _first_node("permute.default", dims={"as_ints": [0, 1]}),
    "its stride is 0": _first_node(
        "max_pool2d.default", kernel_size={"as_int": 2}, stride={"as_ints": [0, 0]}
    ),
    "it makes a tensor of 90 axes": _first_node("repeat.default", repeats={"as_ints": [1] * 90}),
    "it pads 50 axes of 4": _first_node("pad.default", pad={"as_ints": [1] * 100}),
    "values would have to be made for it": _first_node(
        "im2col.default",
        kernel_size={"as_ints": [100_000, 1_000_000]},
        dilation={"as_ints": [1, 1]},
        padding={"as_ints": [1, 1]},
        stride={"as_ints": [1, 1]},
    ),
    "it joins nothing": _first_node(
        "cat.default", "", (0, 8), tensors={"as_tensors": [{"name": "noise"}]}
    ),
    "it has no dims": _first_node("permute.default"),
    "its dim0 is no int": _first_node("transpose.int", dim0={"as_float": 1.0}, dim1={"as_int": 2}),
    "its padding is no int[4]": _first_node(
        "reflection_pad2d.default", padding={"as_string": "same"}
    ),
    "it has an argument 'other', which it does not take": _first_node(
        "relu.default", other={"as_int": 2}
    ),
    "it works along axis 7 of a tensor with 4 axes": _first_node("glu.default", dim={"as_int": 7}),
}


@pytest.mark.parametrize("message", MISFITS)
def test_calls_with_misfitting_arguments(
    tmp_path: Path, members: dict[str, bytes], message: str
) -> None:
    path = rebuilt(tmp_path, changed(members, GRAPH, MISFITS[message]))
    notices = [str(one.error) for one in open_model(str(path), ReadOptions()).notices]
    assert any(message in one for one in notices), notices


EXPRESSIONS = (
    "9" * 4000,
    "Pow(Pow(Pow(Integer(999999999), Integer(8)), Integer(8)), Integer(8))",
    "*".join(["(Symbol('s0') + Symbol('s1') + Symbol('s2'))"] * 300),
    "Max(" + ",".join(f"q{i}*{i}" for i in range(900)) + ")",
    "Mod(" * 12 + "s0" + "".join(f" + 1, Integer({n}))" for n in range(5, 17)),
    "-" * 9000 + "1",
)


@pytest.mark.parametrize("text", EXPRESSIONS, ids=range(len(EXPRESSIONS)))
def test_sizes_that_grow_without_end(text: str) -> None:
    """One error, at once: an expression of a few characters can stand for any amount of work."""
    from upconv.converters.ir.dims import symbol
    from upconv.converters.readers.torch.exported.expressions import parse_size

    with pytest.raises(UnsupportedError, match="is no expression"):
        parse_size(text, symbol)


@pytest.mark.parametrize("text", ["[" * 200_000, "{", "nul", '{"a": "\\ud800'])
def test_json_that_is_none(tmp_path: Path, members: dict[str, bytes], text: str) -> None:
    failure(rebuilt(tmp_path, members | {GRAPH: text.encode()}))


def test_a_missing_weight_is_a_notice(tmp_path: Path, members: dict[str, bytes]) -> None:
    def forget(data: Any) -> None:
        data["config"].pop("main.0.weight")

    model = open_model(str(rebuilt(tmp_path, changed(members, CONFIG, forget))), ReadOptions())
    kinds = [notice.kind for notice in model.notices]
    assert kinds[0] == "unreadable-part"
    assert "no tensor 'main.0.weight'" in str(model.notices[0].error)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("data.pkl", "version"), "not a readable pickle"),
        (("version",), "holds no model of PyTorch"),
        (("code/net.py",), "a TorchScript archive without data.pkl"),
        (("serialized_exported_program.json",), "the layout of torch before 2.8"),
        (("models/a.json", "models/b.json"), "several models: a, b"),
        (("models/x.txt",), "no exported program"),
    ],
)
def test_other_archives_say_what_they_are(
    tmp_path: Path, names: tuple[str, ...], message: str
) -> None:
    path = rebuilt(tmp_path, dict.fromkeys(names, b"{}"))
    with pytest.raises((UnsupportedError, UnreadableError), match=message):
        open_model(str(path), ReadOptions())
