"""Models of one operator as settings: what each may be, the usual one first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations, product
from typing import Any, Final, TypeAlias

import numpy as np
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper

Settings: TypeAlias = Mapping[str, Any]
Made: TypeAlias = tuple[list[Any], dict[str, Any], tuple[Any, ...]]
"""Nodes, initializers, and the shape of the input x."""

SIZES: Final = (5, 7, 3)
UP: Final = (8, 11, 5)
RESIZED: Final[Mapping[str, Callable[[int], int]]] = {
    "up": lambda axis: UP[axis],
    "x2": lambda axis: 2 * SIZES[axis],
    "down": lambda axis: SIZES[axis] - 2,
    "one": lambda axis: 1,
    "from one": lambda axis: UP[axis],
    "mixed": lambda axis: (3, 11, 5)[axis],
}
UNSAID: Final[Mapping[str, Any]] = {
    "cubic_coeff_a": -0.75,
    "keep_aspect_ratio_policy": "stretch",
    "antialias": 0,
    "exclude_outside": 0,
}
"""What a Resize means where it does not say it: then it is not written."""
MOST_CHANGES: Final = 3


def _conv_transpose(said: Settings, rng: Any) -> Made:
    axes, groups, kernel = said["axes"], said["group"], said["kernel"]
    sizes = SIZES[:axes]
    attributes: dict[str, Any] = {
        "kernel_shape": [kernel] * axes,
        "strides": [said["stride"]] * axes,
        "dilations": [said["dilation"]] * axes,
        "group": groups,
    }
    if said["auto_pad"] != "NOTSET":
        attributes["auto_pad"] = said["auto_pad"]
    elif said["output_shape"] == "none":
        begin, end = said["pads"]
        attributes["pads"] = [begin] * axes + [end] * axes
    if said["output_padding"]:
        attributes["output_padding"] = [said["output_padding"]] * axes
    if said["output_shape"] != "none":
        asked = [said["stride"] * n for n in sizes]
        full = said["output_shape"] == "full"
        attributes["output_shape"] = [said["batch"], 4, *asked] if full else asked
    stored = {"w": _random(rng, (4, 4 // groups, *[kernel] * axes))}
    if said["bias"]:
        stored["b"] = _random(rng, (4,))
    shape = (said["batch"], 4, *sizes)
    if not said["normalised"]:
        return (
            [helper.make_node("ConvTranspose", ["x", *stored], ["y"], **attributes)],
            stored,
            shape,
        )
    node = helper.make_node("ConvTranspose", ["x", *stored], ["c"], **attributes)
    norm = {name: np.abs(_random(rng, (4,))) + np.float32(0.2) for name in ("s", "o", "m", "v")}
    behind = helper.make_node("BatchNormalization", ["c", *norm], ["y"])
    return [node, behind], {**stored, **norm}, shape


def _resize(said: Settings, rng: Any) -> Made:
    axes, old = said["axes"], said["opset"] < 11
    if old and said["mode"] == "cubic":
        raise checker.ValidationError("Resize of opset 10 has no cubic mode")
    silent = old or (said["coordinates"] == "half_pixel" and not said["says_coordinates"])
    sizes = (1,) * axes if said["to"] == "from one" else SIZES[:axes]
    out = tuple(RESIZED[said["to"]](axis) for axis in range(axes))
    lead = () if said["names_axes"] else (1, 2)
    ratios = np.array([*[1] * len(lead), *(m / n for n, m in zip(sizes, out, strict=True))])
    attributes = {
        **{"mode": said["mode"], "cubic_coeff_a": said["cubic_a"]},
        "coordinate_transformation_mode": None if silent else said["coordinates"],
        **{name: said[name] for name in ("nearest_mode", "antialias", "exclude_outside")},
        "keep_aspect_ratio_policy": said["keep_aspect"],
        "axes": list(range(2, axes + 2)) if said["names_axes"] else None,
    }
    kept = {name: value for name, value in attributes.items() if value != UNSAID.get(name)}
    scales = ratios if said["by"] == "scales" else np.where(ratios == 1, 1, 1.7)
    by_sizes = said["by"] == "sizes" and not old
    stored = {"t": np.array([*lead, *out], np.int64) if by_sizes else scales.astype(np.float32)}
    if said["coordinates"] == "tf_crop_and_resize":
        stored["roi"] = np.array([0] * len(ratios) + [1] * len(ratios), np.float32)
    if said["by"] == "skip":
        return _to_skip(axes, sizes, kept)
    roi = "roi" if "roi" in stored else ""
    inputs = ["x", "t"] if old else ["x", roi, "", "t"] if by_sizes else ["x", roi, "t"]
    return [helper.make_node("Resize", inputs, ["y"], **kept)], stored, (1, 2, *sizes)


def _to_skip(axes: int, sizes: tuple[int, ...], said: Settings) -> Made:
    """Pooled by two, and back to the size that x has."""
    words: dict[str, Any] = {"kernel_shape": [2] * axes, "strides": [2] * axes}
    stored = {"two": np.array([2], np.int64), "end": np.array([axes + 2], np.int64)}
    stored["lead"] = np.array([1, 2], np.int64)
    nodes = [
        helper.make_node("AveragePool", ["x"], ["p"], **words),
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Slice", ["shape", "two", "end"], ["spatial"]),
        helper.make_node("Concat", ["lead", "spatial"], ["t"], axis=0),
        helper.make_node("Resize", ["p", "", "", "t"], ["y"], **said),
    ]
    return nodes, stored, (1, 2, *sizes)


def _upsample(said: Settings, rng: Any) -> Made:
    stored = {"t": np.array([1, 1, 2, 3], np.float32)}
    return (
        [helper.make_node("Upsample", ["x", "t"], ["y"], mode=said["mode"])],
        stored,
        (1, 2, 5, 7),
    )


def _blocks(operator: str, deep: int, sizes: tuple[int, int]) -> Callable[[Settings, Any], Made]:
    def made(said: Settings, rng: Any) -> Made:
        words = {"mode": said["mode"]} if "mode" in said else {}
        node = helper.make_node(operator, ["x"], ["y"], blocksize=2, **words)
        return [node], {}, (1, deep, *sizes)

    return made


def _max_unpool(said: Settings, rng: Any) -> Made:
    words: dict[str, Any] = {"kernel_shape": [2, 2], "strides": [2, 2]}
    sized = said["names_size"]
    stored = {"o": np.array([1, said["channels"], 4, 6], np.int64)} if sized else {}
    pool = helper.make_node("MaxPool", ["x"], ["p", "i"], **words)
    unpool = helper.make_node("MaxUnpool", ["p", "i", *stored], ["y"], **words)
    return [pool, unpool], stored, (1, said["channels"], 4, 6)


def _grid_sample(said: Settings, rng: Any) -> Made:
    axes = said["axes"]
    old = {"linear": "bilinear", "cubic": "bicubic"} if said["opset"] < 20 else {}
    mode = old.get(said["mode"], said["mode"])
    if axes > 2 and said["mode"] == "cubic":
        raise checker.ValidationError("cubic sampling is of two axes")
    corners = int(said["align_corners"])
    words = {"mode": mode, "padding_mode": said["padding_mode"], "align_corners": corners}
    stored = {"g": rng.uniform(-1.3, 1.3, (1, *UP[:axes], axes)).astype(np.float32)}
    node = helper.make_node("GridSample", ["x", "g"], ["y"], **words)
    return [node], stored, (1, 2, *SIZES[:axes])


def _center_crop_pad(said: Settings, rng: Any) -> Made:
    stored = {"s": np.array(said["to"], np.int64)}
    node = helper.make_node("CenterCropPad", ["x", "s"], ["y"], axes=[2, 3])
    return [node], stored, (1, 2, 7, 8)


def _col2im(said: Settings, rng: Any) -> Made:
    stored = {"im": np.array([5, 7], np.int64), "bk": np.array([2, 2], np.int64)}
    strides = [said["stride"]] * 2
    columns = ((5 - 2) // strides[0] + 1) * ((7 - 2) // strides[1] + 1)
    node = helper.make_node("Col2Im", ["x", "im", "bk"], ["y"], strides=strides)
    return [node], stored, (1, 8, columns)


MAKERS: Final[Mapping[str, Callable[[Settings, Any], Made]]] = {
    "ConvTranspose": _conv_transpose,
    "Resize": _resize,
    "Upsample": _upsample,
    "DepthToSpace": _blocks("DepthToSpace", 12, (3, 4)),
    "SpaceToDepth": _blocks("SpaceToDepth", 3, (4, 6)),
    "MaxUnpool": _max_unpool,
    "GridSample": _grid_sample,
    "CenterCropPad": _center_crop_pad,
    "Col2Im": _col2im,
}
SETTINGS: Final[Mapping[str, Mapping[str, tuple[Any, ...]]]] = {
    "ConvTranspose": {
        "stride": (2, 3, 1),
        "kernel": (3, 4, 2, 1),
        "bias": (False, True),
        "pads": ((1, 1), (0, 0), (0, 1), (1, 0), (-1, 0), (0, -1)),
        "output_padding": (0, 1, 2),
        "dilation": (1, 2),
        "group": (1, 2, 4),
        "axes": (2, 1, 3),
        "auto_pad": ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"),
        "output_shape": ("none", "spatial", "full"),
        "open": (False, True),
        "stored": (False, True),
        "batch": (1, 2),
        "normalised": (False, True),
        "opset": (18,),
    },
    "Resize": {
        "to": tuple(RESIZED),
        "mode": ("linear", "nearest", "cubic"),
        "coordinates": ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel",
                        "half_pixel_symmetric", "tf_crop_and_resize"),
        "says_coordinates": (True, False),
        "nearest_mode": (None, "floor", "ceil", "round_prefer_floor", "round_prefer_ceil"),
        "by": ("sizes", "scales", "scales of 1.7", "skip"),
        "cubic_a": (-0.75, -0.5),
        "antialias": (0, 1),
        "exclude_outside": (0, 1),
        "keep_aspect": ("stretch", "not_larger", "not_smaller"),
        "names_axes": (False, True),
        "axes": (2, 1, 3),
        "open": (False, True),
        "stored": (False, True),
        "opset": (18, 11, 10),
    },
    "Upsample": {"mode": ("nearest", "linear"), "open": (False, True), "opset": (9,)},
    "DepthToSpace": {
        "mode": ("DCR", "CRD"),
        "open": (False, True),
        "stored": (False, True),
        "opset": (18,),
    },
    "SpaceToDepth": {"open": (False, True), "stored": (False, True), "opset": (18,)},
    "MaxUnpool": {"names_size": (False, True), "channels": (2, 1), "opset": (18,)},
    "GridSample": {
        "mode": ("linear", "nearest", "cubic"),
        "padding_mode": ("zeros", "border", "reflection"),
        "align_corners": (False, True),
        "axes": (2, 3),
        "opset": (20, 16),
    },
    "CenterCropPad": {"to": ((4, 5), (9, 11)), "opset": (18,)},
    "Col2Im": {"stride": (1, 2), "opset": (18,)},
}  # fmt: skip


def usual(operator: str) -> dict[str, Any]:
    return {name: values[0] for name, values in SETTINGS[operator].items()}


def near(operator: str, centre: Settings, most: int = MOST_CHANGES) -> Iterator[dict[str, Any]]:
    """All settings that differ from `centre` in at most so many places, the nearest first."""
    table = SETTINGS[operator]
    for count in range(most + 1):
        for names in combinations(table, count):
            others = ([v for v in table[name] if v != centre[name]] for name in names)
            for values in product(*others):
                yield {**centre, **dict(zip(names, values, strict=True))}


def name_of(operator: str, said: Settings) -> str:
    """What is said otherwise than usual, as a file's name."""
    plain = usual(operator)
    words = [f"{name}={_word(v)}" for name, v in said.items() if v != plain[name]]
    return ",".join([operator, *words])


def _word(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value).replace(" ", "-")


def made_of(operator: str, said: Settings) -> tuple[ModelProto, Any]:
    """(the model, its input). Raises ValidationError for settings that are no model."""
    rng = np.random.default_rng(7)
    nodes, stored, shape = MAKERS[operator](said, rng)
    x = _random(rng, shape)
    told = (*shape[:2], *"HWD"[: len(shape) - 2]) if said.get("open") else shape
    entry = helper.make_tensor_value_info("x", TensorProto.FLOAT, told)
    rank = max(len(shape), 4) if operator == "Col2Im" else len(shape)
    end = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * rank)
    held = [numpy_helper.from_array(array, name) for name, array in stored.items()]
    stored_shapes = []
    if said.get("stored"):
        nodes.append(helper.make_node("Relu", ["y"], ["z"]))
        letters = [f"{letter}y" for letter in "NCHWD"[:rank]]
        stored_shapes = [helper.make_tensor_value_info("y", TensorProto.FLOAT, letters)]
        end = helper.make_tensor_value_info("z", TensorProto.FLOAT, [None] * rank)
    graph = helper.make_graph(nodes, "one", [entry], [end], held, value_info=stored_shapes)
    opsets = [helper.make_opsetid("", said["opset"])]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    checker.check_model(model)
    return model, x


def _random(rng: Any, shape: tuple[int, ...]) -> Any:
    return rng.standard_normal(shape).astype(np.float32)
