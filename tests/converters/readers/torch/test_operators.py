"""Each family of operators against PyTorch, with open sizes and at other sizes than exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.converters.readers.torch.support import AUTO, Function, compare, model_of, values

F: Any = nn.functional

OPEN = ({0: AUTO, 2: AUTO, 3: AUTO},)
IMAGE = (values(2, 6, 9, 11),)
OTHERS = ((values(3, 6, 8, 14, seed=1),), (values(1, 6, 13, 10, seed=2),))

ACTIVATIONS: dict[str, Any] = {
    "relu": F.relu,
    "relu in place": lambda x: F.relu_(x + 1) * 2,
    "bytes": lambda x: (x.clamp(0, 1).mul_(255).round_().byte() / 255.0) * 2,
    "rounded in place": lambda x: (x * 7).round_().sin_() + x.exp().log1p_().square_().rsqrt_(),
    "relu6": F.relu6,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu tanh": lambda x: F.gelu(x, approximate="tanh"),
    "hardtanh": lambda x: F.hardtanh(x, -0.5, 0.7),
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "mish": F.mish,
    "softplus": F.softplus,
    "softplus beta": lambda x: F.softplus(x, beta=2.0),
    "logsigmoid": F.logsigmoid,
    "elu": lambda x: F.elu(x, 0.7),
    "selu": F.selu,
    "celu": lambda x: F.celu(x, 1.5),
    "clamp": lambda x: x.clamp(-0.3, 0.4),
    "clamp below": lambda x: x.clamp(min=0.1),
    "clip": lambda x: torch.clip(x, -0.2, 0.3) + x.clip_(-1, 1),
    "glu": lambda x: F.glu(x, 1),
    "exp log": lambda x: (x.abs() + 1).log() + x.exp(),
    "powers": lambda x: x**2 + x.abs().sqrt() + (x.abs() + 1).rsqrt(),
    "softmax": lambda x: x.softmax(1),
    "log_softmax of large values": lambda x: (200 * x).log_softmax(1),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str, tmp_path: Path) -> None:
    function = ACTIVATIONS[name]
    compare(Function(lambda m, x: function(x)), IMAGE, tmp_path, OPEN, OTHERS)


ARITHMETIC: dict[str, Any] = {
    "numbers": lambda m, x: (2 * x + 1) / 3 - 0.5,
    "number first": lambda m, x: 1 - x + 2 / (x * x + 1),
    "alpha": lambda m, x: torch.add(x, x.abs(), alpha=0.3) + torch.sub(x, m.channel, alpha=2),
    "alpha last": lambda m, x: torch.add(m.channel, x, alpha=3) + torch.sub(m.scalar, x, alpha=2),
    "turned round": lambda m, x: torch.rsub(x, m.channel, alpha=3) + torch.rsub(x, 2, alpha=3),
    "of one tensor": lambda m, x: x * x + (x - x),
    "in place": lambda m, x: torch.zeros_like(m.channel) + (x + 1).mul_(3).add_(x),
    "channels": lambda m, x: (x - m.channel) / m.positive,
    "channels first": lambda m, x: m.channel - x,
    "one number": lambda m, x: x * m.scalar,
    "broadcast": lambda m, x: x * x.mean((2, 3), keepdim=True) + x.mean(1, keepdim=True),
    "broadcast axes": lambda m, x: x + x.mean((0, 2), keepdim=True) - x[0],
    "extremes": lambda m, x: torch.maximum(x, -x) + torch.minimum(x, x * 2),
}


@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic(name: str, tmp_path: Path) -> None:
    parts = {
        "channel": values(6, 1, 1, seed=5),
        "positive": values(1, 6, 1, 1, seed=6).abs() + 0.5,
        "scalar": torch.tensor(1.7),
    }
    compare(Function(ARITHMETIC[name], **parts), IMAGE, tmp_path, OPEN, OTHERS)


SHAPES: dict[str, Any] = {
    "flatten": lambda x: x.flatten(1) * 2,
    "flatten middle": lambda x: x.flatten(2, 3).transpose(1, 2),
    "view groups": lambda x: x.view(x.shape[0], 2, 3, x.shape[2], x.shape[3]).mean(2),
    "shuffle": lambda x: x.view(x.shape[0], 2, 3, *x.shape[2:]).transpose(1, 2).reshape(x.shape),
    "permute": lambda x: x.permute(0, 2, 3, 1) + 1,
    "unsqueeze": lambda x: x.unsqueeze(1).unsqueeze(-1).squeeze(1).squeeze(-1) + 1,
    "movedim": lambda x: x.movedim((0, 2), (3, 0)) + 1,
    "like another": lambda x: x.mT.reshape_as(x) + x.ravel().view_as(x),
    "roll": lambda x: x.roll((2, -3), (2, 3)) + x.roll(1, 1),
    "tile": lambda x: x.tile(2, 1, 3) + 0,
    "expand": lambda x: x[:, :1].expand(-1, 4, -1, -1) + 1,
    "expand open": lambda x: x.mean((2, 3), keepdim=True).expand_as(x) * 1,
    "repeat": lambda x: x.repeat(1, 2, 1, 3),
    "slice": lambda x: x[:, 1:4, 2:, :-3] * 1,
    "slice steps": lambda x: torch.cat([x[..., ::2, ::2], x[..., 1:-1:2, ::2][:, :, :1]], 2),
    "select": lambda x: x[:, 2] + x[:, -1],
    "narrow": lambda x: x.narrow(2, 1, 4) * 1,
    "chunk": lambda x: sum(x.chunk(3, 1)) * 1,
    "split": lambda x: torch.cat(x.split([1, 2, 3], 1)[::-1], 1),
    "unbind": lambda x: torch.stack(x.unbind(1)[::-1], 2),
    "pixel shuffle": lambda x: F.pixel_unshuffle(F.pixel_shuffle(x[:, :4], 2), 2) * 1,
    "channel shuffle": lambda x: F.channel_shuffle(x, 3) * 1,
    "constant pad": lambda x: F.pad(x, (1, 2, 3, 0), value=0.5),
    "negative pad": lambda x: F.pad(x, (-1, 2, 3, -2)),
    "reflect": lambda x: F.pad(x, (1, 2, 3, 0), mode="reflect"),
    "replicate": lambda x: F.pad(x, (1, 2, 3, 0), mode="replicate"),
    "circular": lambda x: F.pad(x, (1, 2, 3, 0), mode="circular"),
    "pad to eights": lambda x: F.pad(x, (0, -x.shape[3] % 8, 0, -x.shape[2] % 8)),
    "mean": lambda x: x.mean((2, 3)) + x.mean((0, 2, 3)),
    "mean of all": lambda x: x.mean() + x.sum(),
    "sums": lambda x: x.sum(1, keepdim=True) + x.sum((1, 3), keepdim=True),
    "spread": lambda x: x.std(1, keepdim=True) + x.var((0, 2, 3), unbiased=False)[:1],
    "norms": lambda x: F.normalize(x, dim=1) + x.norm(1, 1, True) + x.norm(torch.inf, 3, True),
    "linalg norms": lambda x: (
        torch.linalg.norm(x, dim=1, keepdim=True) / torch.linalg.norm(x)
        + torch.linalg.norm(x, 1, dim=1, keepdim=True)
    ),
    "logsumexp": lambda x: (30 * x).logsumexp((1, 2), True) + (x - 9).logsumexp(3)[..., None],
    "extremes": lambda x: torch.cat([x.amax(1, True), x.amin(1, True), x.max(1, True)[0]], 1),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str, tmp_path: Path) -> None:
    function = SHAPES[name]
    compare(Function(lambda m, x: function(x)), IMAGE, tmp_path, OPEN, OTHERS)


RESIZES: dict[str, Any] = {
    "to a skip": lambda x: F.interpolate(x[..., ::2, ::2], size=x.shape[2:], mode="bilinear"),
    "nearest to a skip": lambda x: F.interpolate(F.max_pool2d(x, 2), size=x.shape[2:]),
    "corners": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True),
    "factor": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "fraction": lambda x: F.interpolate(x, scale_factor=1.7, mode="bilinear"),
    "small fraction": lambda x: F.interpolate(x, scale_factor=0.3, mode="bilinear"),
    "cubic fraction": lambda x: F.interpolate(x, scale_factor=(1.5, 0.6), mode="bicubic"),
    "nearest fraction": lambda x: F.interpolate(x, scale_factor=(1.7, 0.6)),
    "exact fraction": lambda x: F.interpolate(x, scale_factor=1.2, mode="nearest-exact"),
    "recomputed": lambda x: F.interpolate(
        x, scale_factor=0.6, mode="bilinear", recompute_scale_factor=True
    ),
    "antialias": lambda x: F.interpolate(x, size=(5, 4), mode="bilinear", antialias=True),
    "antialias cubic": lambda x: F.interpolate(x, size=(5, 4), mode="bicubic", antialias=True),
    "sums of sizes": lambda x: F.interpolate(x, size=(x.shape[2] + x.shape[3], 3 * x.shape[3])),
}


def test_a_scale_that_rounds_inexactly_is_refused_for_open_sizes() -> None:
    """int(90 * 0.7) is 62, int(10 * 0.7) is 7: no integer expression is both."""
    module = Function(lambda m, x: F.interpolate(x, scale_factor=0.7, mode="bilinear"))
    model = model_of(module, IMAGE, OPEN)
    (notice,) = model.notices
    assert notice.kind == "unknown-layer-type"
    assert "its scale factor 0.7 makes sizes that no integers say" in notice.error.message


def test_a_scale_near_one_is_refused_for_open_sizes() -> None:
    module = Function(lambda m, x: F.interpolate(x, scale_factor=1.1, mode="bilinear"))
    (notice,) = model_of(module, IMAGE, OPEN).notices
    assert "torch interpolates short axes as if it were 1" in notice.error.message


@pytest.mark.parametrize("name", RESIZES)
def test_interpolation(name: str, tmp_path: Path) -> None:
    function = RESIZES[name]
    compare(Function(lambda m, x: function(x)), IMAGE, tmp_path, OPEN, OTHERS)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic"])
@pytest.mark.parametrize("scale", [1.1, 2.01, 0.84])
@pytest.mark.parametrize("size", [7, 100, 150])
def test_scales_that_float32_misses(mode: str, scale: float, size: int, tmp_path: Path) -> None:
    """floor(size * scale) in float32 is not torch's size, or the sizes are equal."""
    module = Function(lambda m, x: F.interpolate(x, scale_factor=(scale, scale), mode=mode))
    compare(module, (values(1, 2, size, 7),), tmp_path, tolerance=3e-5)


CONVOLUTIONS: dict[str, Any] = {
    "plain": nn.Conv2d(6, 4, 3),
    "all settings": nn.Conv2d(6, 4, (3, 2), (2, 1), (1, 2), (1, 2), 2),
    "same": nn.Conv2d(6, 4, (3, 4), padding="same", dilation=(2, 1)),
    "reflected": nn.Conv2d(6, 4, 3, padding=1, padding_mode="reflect"),
    "circular": nn.Conv2d(6, 4, 3, padding=1, padding_mode="circular"),
    "transposed": nn.ConvTranspose2d(6, 4, 3, 2, 1, 1, groups=2, dilation=2),
    "large output padding": nn.ConvTranspose2d(6, 4, 3, 2, (1, 0), (2, 1), dilation=3),
    "output padding as stride": nn.ConvTranspose2d(6, 3, 2, 1, 0, 1, dilation=2),
    "weight norm": nn.utils.parametrizations.weight_norm(nn.Conv2d(6, 4, 3)),
    "spectral norm": nn.utils.parametrizations.spectral_norm(nn.Conv2d(6, 4, 3)),
}


@pytest.mark.filterwarnings("ignore:Using padding=:UserWarning")
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name: str, tmp_path: Path) -> None:
    module = Function(lambda m, x: m.part(x), part=CONVOLUTIONS[name])
    compare(module, IMAGE, tmp_path, OPEN, OTHERS)


def test_an_output_size_that_follows_a_skip(tmp_path: Path) -> None:
    def up(m: Any, x: Any, skip: Any) -> Any:
        return m.part(x, output_size=skip.shape[2:])

    module = Function(up, part=nn.ConvTranspose2d(6, 3, 3, 2, 1))
    parity = Function(
        lambda m, x: F.conv_transpose2d(
            x, m.weight, stride=2, output_padding=(x.shape[2] % 2, x.shape[3] % 2)
        ),
        weight=values(6, 2, 3, 3),
    )
    compare(parity, IMAGE, tmp_path, OPEN, OTHERS)
    compare(module, (*IMAGE, values(2, 6, 18, 21)), tmp_path)


WINDOWS: dict[str, Any] = {
    "max": lambda x: F.max_pool2d(x, 3, 2, 1),
    "max ceil": lambda x: F.max_pool2d(x, (3, 2), 2, (1, 0), ceil_mode=True),
    "max dilated": lambda x: F.max_pool2d(x, 2, 1, 0, 2),
    "average": lambda x: F.avg_pool2d(x, 3, 2, 1),
    "average ceil": lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True),
    "average inside": lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    "divisor": lambda x: F.avg_pool2d(x, 3, 2, 1, divisor_override=5),
    "global": lambda x: F.adaptive_avg_pool2d(x, 1) + F.adaptive_max_pool2d(x, 1),
    "unpool": lambda x: F.max_unpool2d(
        *F.max_pool2d(F.pad(x, (0, -x.shape[3] % 2, 0, -x.shape[2] % 2)), 2, return_indices=True), 2
    ),
    "unpool to size": lambda x: F.max_unpool2d(
        *F.max_pool2d(x, 3, 2, 1, return_indices=True), 3, 2, 1, output_size=x.shape[2:]
    ),
    "unpool a line": lambda x: F.max_unpool1d(
        *F.max_pool1d(x.flatten(2), 2, return_indices=True), 2
    ),
    "windows that follow": lambda x: torch.cat(
        [F.interpolate(F.adaptive_avg_pool2d(x, n), (9, 11)) for n in (2, (3, 4), (None, 1))], 1
    ),
    "maxima that follow": lambda x: F.adaptive_max_pool2d(x, (3, 2)),
    "lp pool": lambda x: F.lp_pool2d(x, 2, 2),
    "local response": lambda x: F.local_response_norm(x, 3),
    "l2": lambda x: x / x.square().sum(1, True).sqrt(),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_windows(name: str, tmp_path: Path) -> None:
    function = WINDOWS[name]
    compare(Function(lambda m, x: function(x)), IMAGE, tmp_path, OPEN, OTHERS)


@pytest.mark.parametrize("size", [(3, 11), (4, 5), (1, 7), (12, 20)])
def test_adaptive_pooling_at_fixed_sizes(size: Any, tmp_path: Path) -> None:
    def both(m: Any, x: Any) -> Any:
        return F.adaptive_avg_pool2d(x, size), F.adaptive_max_pool2d(x, size)

    compare(Function(both), IMAGE, tmp_path)
    compare(Function(both), (values(6, 9, 11),), tmp_path)


NORMS: dict[str, Any] = {
    "batch": nn.BatchNorm2d(6),
    "batch without weights": nn.BatchNorm2d(6, affine=False),
    "group": nn.GroupNorm(3, 6),
    "group without weights": nn.GroupNorm(2, 6, affine=False),
    "instance": nn.InstanceNorm2d(6, affine=True),
    "instance without weights": nn.InstanceNorm2d(6),
    "rms": nn.RMSNorm((6, 9, 11)),
    "dropout": nn.Dropout2d(inplace=True),
    "prelu": nn.PReLU(6),
    "prelu of one": nn.PReLU(),
}


@pytest.mark.parametrize("name", NORMS)
def test_normalisations(name: str, tmp_path: Path) -> None:
    part = NORMS[name]
    torch.manual_seed(3)
    for tensor in (*part.parameters(), *part.buffers()):
        if tensor.is_floating_point():
            torch.nn.init.uniform_(tensor, 0.5, 2)
    module = Function(lambda m, x: m.part(x), part=part)
    dynamic = None if name == "rms" else OPEN
    compare(module, IMAGE, tmp_path, dynamic, OTHERS if dynamic else (), tolerance=2e-5)


LINEARS: dict[str, Any] = {
    "rows": (lambda m, x: m.part(x.mean((2, 3))), nn.Linear(6, 4)),
    "last axis": (lambda m, x: m.part(x.permute(0, 2, 3, 1)), nn.Linear(6, 4, bias=False)),
    "layer norm": (lambda m, x: m.part(x.permute(0, 2, 3, 1)), nn.LayerNorm(6)),
    "matmul": (lambda m, x: x.permute(0, 2, 3, 1) @ m.part.weight.t(), nn.Linear(6, 4)),
}


@pytest.mark.parametrize("name", LINEARS)
def test_linear_layers(name: str, tmp_path: Path) -> None:
    function, part = LINEARS[name]
    compare(Function(function, part=part), IMAGE, tmp_path, OPEN, OTHERS)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_decomposed_program(tmp_path: Path) -> None:
    """torch.export's core operators, in which convolutions and norms have other names."""
    from tests.converters.readers.torch.support import run
    from upconv.converters.onnx_writer import write_onnx
    from upconv.converters.readers.formats import open_model
    from upconv.converters.readers.options import ReadOptions

    part = nn.Sequential(
        nn.Conv2d(6, 4, 3), nn.BatchNorm2d(4), nn.ReLU(True), nn.ConvTranspose2d(4, 4, 2, 2),
        nn.Upsample(scale_factor=2, mode="bilinear"), nn.GroupNorm(2, 4), nn.Flatten(),
        nn.Linear(3584, 3),
    )  # fmt: skip
    module = Function(lambda m, x: m.part(x), part=part).eval()
    x = values(2, 6, 9, 10)
    program = torch.export.export(module, (x,)).run_decompositions()
    torch.export.save(program, tmp_path / "net.pt2")
    model = open_model(str(tmp_path / "net.pt2"), ReadOptions())
    assert not model.notices, [str(notice.error) for notice in model.notices]
    write_onnx(model, tmp_path / "net.onnx")
    (found,) = run(tmp_path / "net.onnx", (x,))
    wanted = module(x).detach()
    assert float((torch.from_numpy(found) - wanted).abs().max()) <= 1e-5 * float(wanted.abs().max())
