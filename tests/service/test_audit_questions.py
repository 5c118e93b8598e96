"""Questions that users asked in public, each answered in a line by the output of a command.

The comments name where they were asked. The nets are small ones with the sizes of those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import helper

from tests.converters.audit.nets import HEAD, NETS, deconv, pool, u_net
from tests.converters.readers.keras import handmade
from tests.converters.readers.onnx.support import proto
from upconv.service.cli.group import cli


def run(*arguments: str | Path) -> tuple[int, list[str]]:
    """The exit code and the lines of a command."""
    done = CliRunner().invoke(cli, [str(one) for one in arguments], standalone_mode=False)
    assert done.exception is None, done.exception
    return done.return_value, done.output.splitlines()


def line(lines: Sequence[str], *words: str) -> str:
    """The one line that has all of these words."""
    found = [one for one in lines if all(word in one for word in words)]
    assert len(found) == 1, (words, lines)
    return found[0]


def caffe(folder: Path, text: str) -> Path:
    path = folder / "net.prototxt"
    path.write_text(text)
    return path


def node(kind: str, reads: str, writes: str, **settings: Any) -> Any:
    return helper.make_node(kind, reads.split(), [writes], writes, **settings)


def saved(
    path: Path,
    nodes: Sequence[Any],
    shape: Sequence[int | str],
    stored: Mapping[str, Any] | None = None,
) -> Path:
    path.write_bytes(proto(nodes, {"x": shape}, stored).SerializeToString())
    return path


def levels(depth: int, axes: int = 2) -> list[Any]:
    """Poolings by 2, and as many resizes by 2, each joined with what was pooled."""
    nodes, value = [], "x"
    two = {"kernel_shape": [2] * axes, "strides": [2] * axes}
    for level in range(depth):
        nodes.append(node("MaxPool", value, f"pool{level}", **two))
        value = f"pool{level}"
    for level in reversed(range(depth)):
        skip = "x" if level == 0 else f"pool{level - 1}"
        nodes.append(node("Resize", f"{value}  twice", f"up{level}", mode="nearest"))
        nodes[-1].input[:] = [value, "", "twice"]
        value = "y" if level == 0 else f"join{level}"
        nodes.append(node("Concat", f"up{level} {skip}", value, axis=1))
    return nodes


def twice(axes: int = 2) -> dict[str, Any]:
    return {"twice": np.array([1, 1] + [2] * axes, np.float32)}


@pytest.fixture
def five(tmp_path: Path) -> Path:
    """A U-Net of five levels."""
    return caffe(tmp_path, u_net(5, "FLOOR"))


def test_certain_sizes_work_and_certain_do_not(five: Path) -> None:
    """qubvel/segmentation_models.pytorch 57: 640x960 works, 160x240 does not."""
    code, lines = run("audit", five)
    assert code == 0
    assert line(lines, "must be").startswith("H and W must be multiples of 32")
    assert run("audit", five, "--sizes", "640x960")[0] == 0
    code, lines = run("audit", five, "--sizes", "160x240")
    assert code == 1
    assert "does not run: 'join4': width differs" in line(lines, "160x240  ")


def test_a_formula_for_the_output(tmp_path: Path) -> None:
    """qubvel/segmentation_models.pytorch 421: where does the rounding happen, by which formula?"""
    text = HEAD + pool("down", "data") + deconv("up", "down", "kernel_size: 2 stride: 2")
    _, lines = run("audit", caffe(tmp_path, text))
    assert "up is 1x2x(2*ceil(H/2))x(2*ceil(W/2))" in line(lines, "  output  ")
    assert "'down' rounded" in line(lines, "  lost by  ")


def test_what_runs_and_what_is_as_large_are_two_sets(tmp_path: Path) -> None:
    """qubvel/segmentation_models.pytorch 545: 127 runs and returns 128; 129 throws."""
    net = caffe(tmp_path, NETS["SegNet"]())
    code, lines = run("audit", net, "--sizes", "127x127")
    assert code == 0
    assert "runs: back0 is 1x2x128x128" in line(lines, "127x127  ")
    assert "H % 8 in {0, 7}" in line(lines, "  runs  ")
    assert "H % 8 == 0" in line(lines, "  as large  ")
    assert run("audit", net, "--sizes", "129x129")[0] == 1


def test_why_sizes_have_to_divide(five: Path) -> None:
    """ljanyst/image-segmentation-fcn 6: why do height and width have to be divisible by 32?"""
    why = line(run("audit", five)[1], "  why  ")
    assert "divide the size by 32, and the merges want back what is rounded there" in why


def test_which_pooling_lost_the_pixel(five: Path) -> None:
    """qubvel/segmentation_models 552: 272x256 fails, (16, 18) against (16, 17)."""
    told = line(run("audit", five, "--sizes", "272x256")[1], "272x256  ")
    assert "'down4' is 1x2x17x16, 'up4' is 1x2x16x16" in told
    assert "'pool4' rounded 8.5 down to 8" in told


def test_the_nearest_sizes_of_a_keras_model(tmp_path: Path) -> None:
    """keras-team/keras 19964: 358x358 gives a Concatenate of 88 and 89."""
    two = {"pool_size": [2, 2], "strides": [2, 2], "padding": "valid"}
    up = {"filters": 1, "kernel_size": [2, 2], "strides": [2, 2], "padding": "same"}
    layers = [
        handmade.layer("MaxPooling2D", f"pool{i}", f"pool{i - 1}" if i else "x", **two)
        for i in range(3)
    ]
    for i, (below, skip) in reversed(
        list(enumerate(zip(("join1", "join2", "pool2"), ("x", "pool0", "pool1"), strict=True)))
    ):
        layers.append(handmade.layer("Conv2DTranspose", f"up{i}", below, **up))
        joined = handmade.layer("Concatenate", f"join{i}", axis=-1)
        layers.append({**joined, "inbound_nodes": [[[skip, 0, 0, {}], [f"up{i}", 0, 0, {}]]]})
    net = handmade.model(handmade.entry("x", None, None, 1), *layers)
    path = handmade.write_json(tmp_path / "net.json", net)
    code, lines = run("audit", path, "--sizes", "358x358")
    assert code == 1
    told = line(lines, "358x358  ")
    assert "'join2'" in told
    assert "89" in told
    assert "88" in told
    assert "pad to 360x360" in line(lines, "pad to")
    assert "crop to 352x352" in line(lines, "crop to")


def test_the_same_of_an_onnx_file_alone(tmp_path: Path) -> None:
    """chaiNNer-org/chaiNNer 2939: ONNX runs 640x480 and fails at 2048x1362, 680 against 681."""
    net = saved(tmp_path / "net.onnx", levels(2), ["unk__14", 3, "unk__15", "unk__16"], twice())
    assert run("audit", net, "--sizes", "640x480")[0] == 0
    code, lines = run("audit", net, "--sizes", "2048x1362")
    assert code == 1
    told = line(lines, "2048x1362  ")
    assert "680" in told
    assert "681" in told
    assert "H and W must be multiples of 4" in line(lines, "must be")


def test_an_onnx_file_with_channels_last(tmp_path: Path) -> None:
    """The letters stand for the axes of the image, wherever these are."""
    nodes = [
        node("Transpose", "x", "image", perm=[0, 3, 1, 2]),
        node("MaxPool", "image", "half", kernel_shape=[2, 2], strides=[2, 2]),
        node("Resize", "half", "up", mode="nearest"),
        node("Add", "up image", "sum"),
        node("Transpose", "sum", "y", perm=[0, 2, 3, 1]),
    ]
    nodes[2].input[:] = ["half", "", "twice"]
    net = saved(tmp_path / "net.onnx", nodes, ["batch", "rows", "columns", 3], twice())
    _, lines = run("audit", net)
    assert line(lines, "x is Nx3xHxW")
    assert line(lines, "must be").startswith("H and W must be multiples of 2")


def test_squares_only_is_a_condition_on_both_axes(tmp_path: Path) -> None:
    """onnx/onnx 5134: a dynamic ONNX file works only for squares."""
    turned = [node("Transpose", "x", "turned", perm=[0, 1, 3, 2]), node("Add", "x turned", "y")]
    net = saved(tmp_path / "net.onnx", turned, [1, 3, "h", "w"])
    tied = line(run("audit", net)[1], "tied axes")
    assert "H == W" in tied
    assert "'y' asks for it" in tied
    assert run("audit", net, "--sizes", "224x224")[0] == 0
    assert run("audit", net, "--sizes", "224x320")[0] == 1


def patches(folder: Path, name: str, tokens: int | None) -> Path:
    """Patches of 14 pixels, which are put back; where `tokens` is given, something of that many
    patches was baked in."""
    cut = {"kernel_shape": [14, 14], "strides": [14, 14]}
    stored: dict[str, Any] = {
        "k": np.ones((4, 3, 14, 14), np.float32),
        "back": np.ones((4, 3, 14, 14), np.float32),
        "pos": np.ones((1, 4, tokens or 1, tokens or 1), np.float32),
    }
    nodes = [
        node("Conv", "x k", "cut", **cut),
        node("Add", "cut pos", "placed"),
        node("ConvTranspose", "placed back", "whole", **cut),
        node("Add", "whole x", "y"),
    ]
    return saved(folder / name, nodes, [1, 3, "h", "w"], stored)


def test_a_baked_size_is_named(tmp_path: Path) -> None:
    """fabio-sim/Depth-Anything-ONNX 14: multiples of 14 in PyTorch, only 518 in the ONNX file."""
    free, baked = patches(tmp_path, "free.onnx", None), patches(tmp_path, "baked.onnx", 37)
    code, lines = run("audit", free, "--against", baked)
    assert code == 1
    told = line(lines, "valid sizes: H % 14 == 0 in A")
    assert "H == 518 in B" in told
    assert "placed" in told


def test_which_axis_is_frozen_where(tmp_path: Path) -> None:
    """comfyanonymous/ComfyUI_TensorRT 80: only one shape of a dynamic profile works, 102 and 96."""
    nodes = [
        node("MaxPool", "x", "down", kernel_shape=[8, 8], strides=[8, 8]),
        node("Add", "down row", "y"),
    ]
    stored = {"row": np.ones((1, 1, 1, 96), np.float32)}
    net = saved(tmp_path / "net.onnx", nodes, [1, 4, "height", "width"], stored)
    _, lines = run("audit", net, "--sizes", "768x816")
    assert "'y'" in line(lines, "768x816  ")
    assert "96" in line(lines, "768x816  ")
    assert line(lines, "  runs  ", "8 <= W <= 15 or 768 <= W <= 775")


def test_what_the_file_declares_and_what_is_fixed_inside(tmp_path: Path) -> None:
    """jamjamjon/usls 180: the profile says 1920, a tensor is fixed to 1008."""
    net = patches(tmp_path, "net.onnx", 72)
    declared = onnx.load(net)
    for axis in (2, 3):
        declared.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = 1920
    net.write_bytes(declared.SerializeToString())
    code, lines = run("audit", net, "--sizes", "1920x1920")
    assert code == 1
    assert line(lines, "1x3x1920x1920 in the file")
    assert "H and W must be 1008" in line(lines, "must be")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small residual U-Net as torch.export writes it, with open sizes."""
    import torch
    from torch import nn

    class Net(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 2, 3, stride=2, padding=1)
            self.down = nn.Conv2d(2, 2, 3, stride=2, padding=1)
            self.skip = nn.Conv2d(2, 2, 1, stride=2)
            self.up = nn.ConvTranspose2d(2, 2, 4, stride=4)

        def forward(self, x: Any) -> Any:
            first = self.stem(x)
            return self.up(self.down(first) + self.skip(first)) + x[:, :2]

    path = tmp_path_factory.mktemp("exported") / "net.pt2"
    height, width = (torch.export.Dim(name, min=4, max=256) for name in "hw")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONWARNINGS", "ignore")
        shapes = {"x": {2: 4 * height, 3: 4 * width}}
        program = torch.export.export(
            Net().eval(), (torch.zeros(1, 3, 64, 32),), dynamic_shapes=shapes
        )
        torch.export.save(program, path)
    return path


@pytest.mark.filterwarnings("ignore")
def test_a_readable_answer_in_place_of_guards(exported: Path) -> None:
    """pytorch/pytorch 124507: "not all values satisfy Ne(Mod((h-1)//2, 2), 0)"."""
    code, lines = run("audit", exported)
    assert code == 0
    assert line(lines, "must be").startswith("H and W must be multiples of 4")


@pytest.mark.filterwarnings("ignore")
def test_how_one_knows_what_the_model_expects(exported: Path) -> None:
    """pytorch/pytorch 144852: "how did you figure out the model expects divisible by 16?\""""
    _, lines = run("audit", exported)
    assert "divide the size by 4" in line(lines, "  why  ")
    assert line(lines, "lost by", "rounded")


def test_two_floors_that_must_match(tmp_path: Path) -> None:
    """pytorch/TensorRT 2617: 2*(s0//8) must match s0//4."""
    nodes = [
        node("MaxPool", "x", "quarter", kernel_shape=[4, 4], strides=[4, 4]),
        node("MaxPool", "x", "eighth", kernel_shape=[8, 8], strides=[8, 8]),
        node("Resize", "eighth", "up", mode="nearest"),
        node("Add", "up quarter", "y"),
    ]
    nodes[2].input[:] = ["eighth", "", "twice"]
    net = saved(tmp_path / "net.onnx", nodes, [1, 2, "s0", "s1"], twice())
    runs = line(run("audit", net)[1], "  runs  ")
    assert "H >= 8 and H % 8 <= 3" in runs


def test_a_page_of_expressions_in_a_line(tmp_path: Path) -> None:
    """open-mmlab/mmdeploy 1645: TensorRT prints a page of ONNX_RESIZE and BROADCAST_SIZE."""
    nodes, value = [], "x"
    for level in range(5):
        half = {"kernel_shape": [2, 2], "strides": [2, 2]}
        nodes.append(node("MaxPool", value, f"c{level}", **half))
        value = f"c{level}"
    for level in reversed(range(4)):
        nodes.append(node("Resize", value, f"up{level}", mode="nearest"))
        nodes[-1].input[:] = [value, "", "twice"]
        value = f"p{level}" if level else "y"
        nodes.append(node("Add", f"up{level} c{level}", value))
    net = saved(tmp_path / "net.onnx", nodes, [1, 2, "h", "w"], twice())
    _, lines = run("audit", net)
    assert "H >= 32 and H % 32 in {0, 1}" in line(lines, "  runs  ")


def test_the_cost_of_the_nearest_sizes(five: Path) -> None:
    """tenstorrent/tt-forge-models 133: 1213x1546, "consider padding to (1216, 1568)"."""
    code, lines = run("audit", five, "--sizes", "1213x1546")
    assert code == 1
    assert "pad to 1216x1568 (+31390 pixels, 1.7%)" in line(lines, "pad to")
    assert "crop to 1184x1536 (-56674 pixels, 3.0%)" in line(lines, "crop to")
    assert line(lines, "resize to 1216x1568")


def test_volumes_have_a_rule_for_each_axis(tmp_path: Path) -> None:
    """KumaTea/Registration-AAN 3: volumes of 256x256x150."""
    net = saved(tmp_path / "net.onnx", levels(4, 3), [1, 1, "a", "b", "c"], twice(3))
    code, lines = run("audit", net, "--sizes", "256x256x150")
    assert code == 1
    assert "D, H and W must be multiples of 16" in line(lines, "must be")
    assert "pad to 256x256x160" in line(lines, "pad to")


def test_an_engine_that_reads_a_layer_otherwise(tmp_path: Path) -> None:
    """microsoft/onnxruntime 23403: Add fails on WebGPU, sizes one off, fine on the processor."""
    nodes = [
        node("MaxPool", "x", "half", kernel_shape=[2], strides=[2]),
        node(
            "ConvTranspose",
            "half k",
            "pool",
            kernel_shape=[3],
            strides=[2],
            pads=[1, 1],
            output_padding=[1],
        ),
        node("Add", "pool x", "y"),
    ]
    stored = {"k": np.ones((2, 2, 3), np.float32)}
    net = saved(tmp_path / "net.onnx", nodes, [1, 2, "t"], stored)
    told = line(run("audit", net)[1], "engines")
    assert "drops output_padding" in told
    assert "'pool' smaller, and 'y' fails" in told
