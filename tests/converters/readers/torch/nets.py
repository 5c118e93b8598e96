"""Whole networks, and where their exported files are kept while the tests run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

F: Any = nn.functional


def block(inner: int, outer: int) -> Any:
    return nn.Sequential(
        nn.Conv2d(inner, outer, 3, padding=1, bias=False), nn.BatchNorm2d(outer), nn.ReLU(True)
    )


class UNet(nn.Module):  # type: ignore[misc]
    """Upsampling by transposed convolutions, padded to the skip's size where that was odd."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2, self.bottom = block(3, 8), block(8, 16), block(16, 24)
        self.up2, self.up1 = nn.ConvTranspose2d(24, 16, 2, 2), nn.ConvTranspose2d(16, 8, 2, 2)
        self.merge2, self.merge1 = block(32, 16), block(16, 8)
        self.head = nn.Conv2d(8, 2, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        first = self.down1(image)
        second = self.down2(F.max_pool2d(first, 2))
        deep = self.bottom(F.max_pool2d(second, 2))
        x = self.merge2(torch.cat([second, fitted(self.up2(deep), second)], 1))
        x = self.merge1(torch.cat([first, fitted(self.up1(x), first)], 1))
        return self.head(x)


def fitted(x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
    rows, columns = skip.size(2) - x.size(2), skip.size(3) - x.size(3)
    return F.pad(x, [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2])


class Generator(nn.Module):  # type: ignore[misc]
    """DCGAN's: from a vector of noise to an image, tanh at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(10, 32, 4, 1, 0, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(True),
            nn.ConvTranspose2d(32, 16, 4, 2, 1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(True),
            nn.ConvTranspose2d(16, 3, 5, 2, 2, output_padding=1),
            nn.Tanh(),
        )

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        return self.main(noise)


class SegNet(nn.Module):  # type: ignore[misc]
    """Unpooling by the indices of the pooling, to the very size that was pooled."""

    def __init__(self) -> None:
        super().__init__()
        self.encode1, self.encode2 = block(3, 8), block(8, 12)
        self.decode2, self.decode1 = block(12, 8), block(8, 5)
        self.pool = nn.MaxPool2d(2, 2, return_indices=True)
        self.unpool = nn.MaxUnpool2d(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.encode1(x)
        pooled, indices1 = self.pool(first)
        second = self.encode2(pooled)
        deep, indices2 = self.pool(second)
        x = self.decode2(self.unpool(deep, indices2, output_size=second.shape[-2:]))
        return self.decode1(self.unpool(x, indices1, output_size=first.shape[-2:]))


class Espcn(nn.Module):  # type: ignore[misc]
    """Super-resolution by sub-pixels, beside a bicubic enlargement of the input."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 5, padding=2), nn.Tanh(), nn.Conv2d(16, 9, 3, 1, 1)
        )
        self.shuffle = nn.PixelShuffle(3)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.shuffle(self.body(x)), F.interpolate(x, scale_factor=3.0, mode="bicubic")


class Pyramid(nn.Module):  # type: ignore[misc]
    """A feature pyramid: each level enlarged to the one before it, whatever its size."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (8, 12, 16)
        self.levels = nn.ModuleList(
            nn.Sequential(nn.Conv2d(i, o, 3, 2, 1), nn.GroupNorm(4, o), nn.SiLU())
            for i, o in zip((3, *sizes), sizes, strict=False)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(size, 8, 1) for size in sizes)
        self.smooth = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: Any) -> Any:
        found = []
        for level in self.levels:
            x = level(x)
            found.append(x)
        top = self.lateral[2](found[2])
        results = [top]
        for index in (1, 0):
            side = self.lateral[index](found[index])
            mode = {"mode": "nearest"} if index else {"mode": "bilinear", "align_corners": False}
            top = side + F.interpolate(top, size=side.shape[-2:], **mode)
            results.append(self.smooth(top))
        return {"deep": results[0], "middle": results[1], "fine": results[2]}


class VNet(nn.Module):  # type: ignore[misc]
    """Three dimensions, residual sums, PReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv3d(1, 6, 5, padding=2)
        self.act = nn.PReLU(6)
        self.down = nn.Conv3d(6, 12, 2, 2)
        self.deep = nn.Sequential(nn.Conv3d(12, 12, 3, padding=1), nn.InstanceNorm3d(12), nn.ELU())
        self.up = nn.ConvTranspose3d(12, 6, 2, 2)
        self.out = nn.Conv3d(12, 2, 1)

    def forward(self, volume: torch.Tensor) -> torch.Tensor:
        first = self.act(self.enter(volume)) + volume
        deep = self.down(first)
        deep = deep + self.deep(deep)
        merged = torch.cat([self.up(deep), first], 1)
        return F.log_softmax(self.out(merged), dim=1)


AUTO = torch.export.Dim.AUTO


@dataclass(frozen=True)
class Net:
    """A network: how it is made, its example's shape, the axes that stay open, other sizes."""

    make: Callable[[], Any]
    example: tuple[int, ...]
    dynamic: dict[str, Any] = field(default_factory=dict)
    others: tuple[tuple[int, ...], ...] = ()


IMAGE = {0: AUTO, 2: AUTO, 3: AUTO}
NETS = {
    "unet": Net(UNet, (2, 3, 37, 45), {"image": IMAGE}, ((1, 3, 40, 64), (3, 3, 31, 22))),
    "dcgan": Net(Generator, (3, 10, 1, 1), {"noise": {0: AUTO}}, ((1, 10, 1, 1), (5, 10, 1, 1))),
    "segnet": Net(SegNet, (2, 3, 37, 46), {"x": IMAGE}, ((1, 3, 24, 40), (2, 3, 33, 35))),
    "espcn": Net(Espcn, (2, 1, 11, 14), {"x": IMAGE}, ((1, 1, 20, 7),)),
    "fpn": Net(Pyramid, (2, 3, 37, 53), {"x": IMAGE}, ((1, 3, 64, 96), (2, 3, 45, 70))),
    "vnet": Net(VNet, (2, 1, 8, 10, 12)),
}


def initialised(net: Net) -> Any:
    """The network in evaluation, with statistics that are not those of an untrained one."""
    torch.manual_seed(1)
    module = net.make().eval()
    for name, buffer in module.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.3)
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    return module
