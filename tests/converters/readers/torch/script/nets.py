"""The whole networks of the .pt2 tests, in code that torch.jit takes, and modules of control flow.

torch 2.13 neither traces nor scripts MaxUnpool2d with an output_size, and scripts no dict of
keyword arguments: these two networks have a forward of their own here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from tests.converters.readers.torch.nets import NETS, Net, Pyramid, SegNet

F: Any = nn.functional


class UnpoolingNet(SegNet):
    def __init__(self) -> None:
        super().__init__()
        del self.unpool

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.encode1(x)
        pooled, indices1 = self.pool(first)
        second = self.encode2(pooled)
        deep, indices2 = self.pool(second)
        x = self.decode2(torch._C._nn.max_unpool2d(deep, indices2, second.shape[-2:]))
        return self.decode1(torch._C._nn.max_unpool2d(x, indices1, first.shape[-2:]))


class UnrolledPyramid(Pyramid):
    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        found: list[torch.Tensor] = []
        for level in self.levels:
            x = level(x)
            found.append(x)
        top = self.lateral[2](found[2])
        side = self.lateral[1](found[1])
        middle = side + F.interpolate(top, size=side.shape[-2:], mode="nearest")
        side = self.lateral[0](found[0])
        shape = side.shape[-2:]
        fine = side + F.interpolate(middle, size=shape, mode="bilinear", align_corners=False)
        return {"deep": top, "middle": self.smooth(middle), "fine": self.smooth(fine)}


SCRIPTABLE: dict[str, Net] = {
    **NETS,
    "segnet": replace(NETS["segnet"], make=UnpoolingNet),
    "fpn": replace(NETS["fpn"], make=UnrolledPyramid),
}
INPUTS = {"unet": "image", "dcgan": "noise", "vnet": "volume"}

KINDS: dict[str, Callable[[Any, Any], Any]] = {
    "traced": lambda module, x: torch.jit.trace(module, x, strict=False),
    "scripted": lambda module, x: torch.jit.script(module),
    "traced and frozen": lambda m, x: torch.jit.freeze(torch.jit.trace(m, x, strict=False)),
    "scripted and frozen": lambda module, x: torch.jit.freeze(torch.jit.script(module)),
}


class Loops(nn.Module):  # type: ignore[misc]
    """Loops, lists, dicts, sizes in arithmetic, an upsampling to a wanted size."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(3, 4, 3, 2, 1)
        self.count = 2

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = self.up(x, output_size=[x.size(2) * 2, x.size(3) * 2])
        for index in range(self.count):
            y = F.relu(y) + index
        named = {"a": y}
        rows, columns = y.shape[-2:]
        parts: list[torch.Tensor] = []
        while len(parts) < 2:
            parts.append(F.interpolate(named["a"], size=[rows // 2 + 1, columns]))
        z = torch.cat(parts, 1)
        return y.mean(dim=(2, 3), keepdim=True) * z[:, :4, ::2, 1:-1], z.flatten(1)


class Unused(nn.Module):  # type: ignore[misc]
    """Stored tensors of every form, and outputs that nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-1, 1, 12).reshape(3, 1, 2, 2))
        self.register_buffer("mean", torch.tensor([0.1, 0.2, 0.3]).reshape(1, 3, 1, 1))
        self.factor = 0.5

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = (x - self.mean) / 255.0
        x = F.conv_transpose2d(x, self.weight, stride=2, groups=3) * self.factor
        pooled, _ = F.max_pool2d(x, 3, 2, 1, ceil_mode=True, return_indices=True)
        best, _ = torch.max(pooled, 1)
        return best.reshape(x.size(0), -1)


class Optionals(nn.Module):  # type: ignore[misc]
    """Tensors that may be None, as decoders have them for skips."""

    def merged(self, x: torch.Tensor, skip: torch.Tensor | None = None) -> torch.Tensor:
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        if skip is not None:
            x = torch.cat([x, skip], 1)
        return x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        half = F.max_pool2d(x, 2, ceil_mode=True)
        return self.merged(half + 1, self.merged(half * 2)) - 1


class DataBranch(nn.Module):  # type: ignore[misc]
    """A branch that the data decides, with a change in place inside."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.relu()
        if bool(x.sum() > 0):
            y.add_(1)
        return F.interpolate(y, scale_factor=2.0)


class SizeBranch(nn.Module):  # type: ignore[misc]
    """A branch that the size decides: odd heights get a row more."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[2] % 2 == 1:
            x = F.pad(x, [0, 0, 0, 1])
        return F.interpolate(x, scale_factor=2.0)


class Rescaled(nn.Module):  # type: ignore[misc]
    """A size that a trace computes in float32, where the product with 1.7 is rounded."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.interpolate(x, scale_factor=1.7, mode="bilinear", recompute_scale_factor=True)


class Strict(nn.Module):  # type: ignore[misc]
    """A module that refuses what has not four axes."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.dim() != 4:
            raise ValueError("expected four axes")
        return F.interpolate(x, scale_factor=2.0)


class NoChannels(nn.Module):  # type: ignore[misc]
    """A level without channels, as encoders give it where they have none of that size: only its
    sizes count."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        level = torch.empty([x.size(0), 0, x.size(2) // 2, x.size(3) // 2])
        deep = F.interpolate(F.max_pool2d(x, 4), size=level.shape[2:], mode="nearest")
        return torch.cat([deep, level], 1) * 2
