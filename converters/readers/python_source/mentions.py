"""A look at a file's bytes that tells whether parsing it is worth while."""

from __future__ import annotations

import re
from typing import Final

_STEMS: Final = (
    *(b"onvTranspose", b"DTranspose", b"conv_transpose", b"d_transpose", b"interpolate"),
    *(b"psampl", b"pSampling", b"npool", b"ixelShuffle", b"pixel_shuffle", b"resize_"),
    *(b"Deconvolution", b"Interp", b"Crop"),
)
"""Every word of MENTIONS holds one. Looking for fixed bytes is ten times as fast as any pattern,
and most files have none."""

_WORDS: Final = (
    rb"ConvTranspose[123]d\b|\bconv_transpose[123]d\b|\b[Cc]onv(?:olution)?[123][dD]_?[tT]ranspose\b"
    rb"|\bUpsampl(?:e|ing\w+)\b|\binterpolate\b|(?<!self\.)\bupsample(?:_nearest|_bilinear)?\b"
    rb"|\bUpSampling[123]D\b|\bMaxUnpool|\bmax_unpool|\bPixelShuffle\b|\bpixel_shuffle\b"
    rb"|\bresize_(?:images|bilinear|bicubic|nearest)"
)
_CAFFE_WORDS: Final = rb"\b(?:Deconvolution|Unpooling|Interp|Crop)\b"

MENTIONS: Final = re.compile(_WORDS + rb"|" + _CAFFE_WORDS)
"""What a file must mention before it is parsed."""

_WITHOUT_CAFFE: Final = re.compile(_WORDS)
_FRAMEWORKS: Final = (b"torch", b"keras", b"tensorflow", b"caffe", b"mxnet")
"""Of which it must name one too: every call is found through its import."""


def mentions(data: bytes) -> bool:
    """Whether code mentions a call that is looked for, and a framework that has it."""
    if not any(name in data for name in _FRAMEWORKS):
        return False
    if not any(stem in data for stem in _STEMS):
        return False
    pattern = MENTIONS if b"caffe" in data else _WITHOUT_CAFFE
    return pattern.search(data) is not None
