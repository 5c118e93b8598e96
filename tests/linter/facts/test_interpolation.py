"""Where a bilinear kernel places its result: its pad at the begin alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.readers.keras.handmade import entry, layer, model, write_h5
from upconv.linter.running.engine import check_path


def bilinear(factor: int, channels: int) -> Any:
    """(k, k, C, C), from the definition: the product of two triangles on the diagonal."""
    size = 2 * factor - factor % 2
    row = 1 - np.abs(np.arange(size) - (size - 1) / 2) / factor
    kernel = np.outer(row, row)[:, :, None, None] * np.eye(channels)
    return kernel.astype(np.float32)


@pytest.mark.parametrize(
    ("factor", "settings", "fits"),
    [
        (2, {"padding": "same"}, True),
        (2, {"padding": "same", "output_padding": [1, 1]}, True),
        (3, {"padding": "same", "output_padding": [0, 0]}, False),
        (3, {"padding": "same", "output_padding": [1, 1]}, True),
        (3, {"padding": "same", "output_padding": [2, 2]}, True),
        (2, {"padding": "valid"}, False),
    ],
)
def test_the_pad_at_the_end_moves_nothing(
    factor: int, settings: dict[str, Any], fits: bool, tmp_path: Path
) -> None:
    kernel = bilinear(factor, 3)
    words = {"filters": 3, "kernel_size": [len(kernel)] * 2, "strides": [factor] * 2, **settings}
    net = model(entry("x", 6, 7, 3), layer("Conv2DTranspose", "up", "x", use_bias=False, **words))
    path = write_h5(tmp_path / "m.h5", net, {"kernel": kernel})
    found = [one.code for one in check_path(str(path)).findings]
    assert ("UP202" not in found, "UP006" in found) == (fits, False)
