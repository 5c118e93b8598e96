"""The well-known nets in PyTorch, with one channel: the layers that decide sizes are theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch import nn
from torch.nn import functional


def _cut(x: Any, offset: int, like: Any) -> Any:
    """Caffe's Crop: the part of x behind an offset, as large as another image."""
    height, width = like.shape[2:]
    return x[:, :, offset : offset + height, offset : offset + width]


def _stages(count: int, pad: int) -> nn.ModuleList:
    """VGG's: the first convolution has the pad of a whole image."""
    return nn.ModuleList(nn.Conv2d(1, 1, 3, padding=1 if n else pad) for n in range(count))


def _ups(factors: tuple[int, ...], kernel: int) -> nn.ModuleList:
    """Transposed convolutions by these factors, whose kernels are so many times as large."""
    return nn.ModuleList(nn.ConvTranspose2d(1, 1, kernel * n, stride=n) for n in factors)


class Fcn(nn.Module):  # type: ignore[misc]
    """FCN-32s, FCN-16s or FCN-8s: padded by 100, skips and the score cropped."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.skips = {32: (), 16: ((3, 5),), 8: ((3, 5), (2, 9))}[stride]
        self.offset = {32: 19, 16: 27, 8: 31}[stride]
        self.stages, self.fc = _stages(5, 100), nn.Conv2d(1, 1, 7)
        self.ups, self.last = _ups((2,) * len(self.skips), 2), _ups((stride,), 2)

    def forward(self, x: Any) -> Any:
        y, pools = x, []
        for stage in self.stages:
            y = functional.max_pool2d(stage(y), 2, ceil_mode=True)
            pools.append(y)
        y = self.fc(y)
        for up, (level, offset) in zip(self.ups, self.skips, strict=True):
            y = up(y)
            y = y + _cut(pools[level], offset, y)
        return _cut(self.last[0](y), self.offset, x)


class Hed(nn.Module):  # type: ignore[misc]
    """HED: a side output of every stage, brought to the image's size and cropped."""

    def __init__(self) -> None:
        super().__init__()
        self.stages, self.ups = _stages(5, 35), _ups((2, 4, 8, 16), 2)
        self.fuse = nn.Conv2d(5, 1, 1)

    def forward(self, x: Any) -> Any:
        y, sides = x, []
        for level, stage in enumerate(self.stages):
            y = stage(functional.max_pool2d(y, 2, ceil_mode=True) if level else y)
            sides.append(_cut(self.ups[level - 1](y) if level else y, 34, x))
        return self.fuse(torch.cat(sides, 1))


class UNet(nn.Module):  # type: ignore[misc]
    """A U-Net that joins by concatenation or, repeating axes of 1, by sums."""

    def __init__(self, depth: int, ceil: bool, sums: bool = False) -> None:
        super().__init__()
        self.sums, self.ceil, self.ups = sums, ceil, _ups((2,) * depth, 1)
        self.heads = nn.ModuleList(nn.Conv2d(2, 1, 1) for _ in range(depth))

    def forward(self, x: Any) -> Any:
        skips = []
        for _ in self.ups:
            skips.append(x)
            x = functional.max_pool2d(x, 2, ceil_mode=self.ceil)
        for up, head, skip in zip(self.ups, self.heads, reversed(skips), strict=True):
            x = up(x) + skip if self.sums else head(torch.cat((up(x), skip), 1))
        return x


class PaddedUNet(nn.Module):  # type: ignore[misc]
    """PyTorch's usual U-Net: bilinear, and padded to the size of the skip, half of it before."""

    def __init__(self, depth: int = 4) -> None:
        super().__init__()
        self.depth = depth
        self.heads = nn.ModuleList(nn.Conv2d(2, 1, 3, padding=1) for _ in range(depth))

    def forward(self, x: Any) -> Any:
        skips = []
        for _ in range(self.depth):
            skips.append(x)
            x = functional.max_pool2d(x, 2)
        for head, skip in zip(self.heads, reversed(skips), strict=True):
            x = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
            high, wide = (skip.size(axis) - x.size(axis) for axis in (2, 3))
            x = functional.pad(x, [wide // 2, wide - wide // 2, high // 2, high - high // 2])
            x = head(torch.cat((skip, x), 1))
        return x


class SameUNet(nn.Module):  # type: ignore[misc]
    """Keras' usual U-Net: transposed convolutions of 3 that double, joined."""

    def __init__(self, depth: int = 4) -> None:
        super().__init__()
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1, output_padding=1) for _ in range(depth)
        )
        self.heads = nn.ModuleList(nn.Conv2d(2, 1, 3, padding=1) for _ in range(depth))

    def forward(self, x: Any) -> Any:
        skips = []
        for _ in self.ups:
            skips.append(x)
            x = functional.max_pool2d(x, 2)
        for up, head, skip in zip(self.ups, self.heads, reversed(skips), strict=True):
            x = head(torch.cat((up(x), skip), 1))
        return x


class SegNet(nn.Module):  # type: ignore[misc]
    """SegNet: unpooling by the places of the maxima, to the size that was pooled."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.back = _stages(3, 1), _stages(3, 1)

    def forward(self, x: Any) -> Any:
        pooled = []
        for stage in self.down:
            size = x.shape[2:]
            x, place = functional.max_pool2d(stage(x), 2, return_indices=True)
            pooled.append((place, size))
        for stage in self.back:
            # nn.functional's checks the size in Python, which no trace can follow
            x = stage(torch.ops.aten.max_unpool2d(x, *pooled.pop()))
        return x


class PspNet(nn.Module):  # type: ignore[misc]
    """PSPNet's head in small: poolings of fixed kernels, brought to a fixed size, joined."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.deep = nn.Conv2d(1, 1, 3, 2, 1), nn.Conv2d(1, 1, 3, 1, 1)

    def forward(self, x: Any) -> Any:
        x = functional.max_pool2d(self.first(x), 3, 2, 1)
        x = self.deep(x)
        joined = [x]
        for size in (2, 3, 6):
            low = functional.avg_pool2d(x, 18 // size)
            joined.append(functional.interpolate(low, (18, 18), None, "bilinear", True))
        x = torch.cat(joined, 1)
        return functional.interpolate(x, scale_factor=4, mode="bilinear", align_corners=True)


class DeepLab(nn.Module):  # type: ignore[misc]
    """DeepLab-LargeFOV: poolings with pads, dilated convolutions, the score beside the image."""

    def __init__(self) -> None:
        super().__init__()
        self.stages, self.fc = _stages(4, 1), nn.Conv2d(1, 1, 3, padding=12, dilation=12)

    def forward(self, x: Any) -> Any:
        y = x
        for stage, stride in zip(self.stages, (2, 2, 2, 1), strict=True):
            y = functional.max_pool2d(stage(y), 3, stride, 1)
        y = self.fc(y)
        y = functional.interpolate(y, scale_factor=8, mode="bilinear", align_corners=False)
        return torch.cat((x, y), 1)


class VNet(nn.Module):  # type: ignore[misc]
    """A V-Net: strided convolutions down, transposed ones up, in volumes."""

    def __init__(self, depth: int = 3) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Conv3d(1, 1, 2, stride=2) for _ in range(depth))
        self.up = nn.ModuleList(nn.ConvTranspose3d(1, 1, 2, stride=2) for _ in range(depth))
        self.join = nn.ModuleList(nn.Conv3d(2, 1, 3, padding=1) for _ in range(depth))

    def forward(self, x: Any) -> Any:
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(x)
        for up, join, skip in zip(self.up, self.join, reversed(skips), strict=True):
            x = join(torch.cat((up(x), skip), 1))
        return x


NETS: Final[Mapping[str, Callable[[], nn.Module]]] = {
    "FCN-32s": lambda: Fcn(32),
    "FCN-16s": lambda: Fcn(16),
    "FCN-8s": lambda: Fcn(8),
    "HED": Hed,
    "U-Net, floor": lambda: UNet(4, ceil=False),
    "U-Net, ceil": lambda: UNet(4, ceil=True),
    "SegNet": SegNet,
    "PSPNet": PspNet,
    "DeepLab": DeepLab,
    "Keras U-Net": SameUNet,
    "PyTorch U-Net": PaddedUNet,
    "V-Net": VNet,
}
