"""A look at a file's bytes that tells whether parsing it is worth while."""

from __future__ import annotations

import re
from typing import Final

MENTIONS: Final = re.compile(
    rb"ConvTranspose[123]d|Upsampl|interpolate|upsample|MaxUnpool|max_unpool|conv_transpose"
    rb"|PixelShuffle|pixel_shuffle|conv[123]d_transpose|Conv(?:olution)?[123]DTranspose"
    rb"|UpSampling[123]D|resize_(?:images|bilinear|bicubic|nearest)|Deconvolution|Unpooling"
    rb"|\bInterp\b|\bCrop\b"
)
"""What a file must mention before it is parsed."""

FRAMEWORKS: Final = re.compile(rb"\b(?:torch|keras|tensorflow|tf_keras|caffe)\b")
"""Of which it must name one too: every call is found through its import."""


def mentions(data: bytes) -> bool:
    """Whether code mentions a call that is looked for, and a framework that has it."""
    return FRAMEWORKS.search(data) is not None and MENTIONS.search(data) is not None
