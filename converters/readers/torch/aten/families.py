"""All families of ATen operators: importing this module fills the table of lowerings."""

from __future__ import annotations

from upconv.converters.readers.torch.aten import (
    activations as aten_activations,
)
from upconv.converters.readers.torch.aten import (
    arithmetic as aten_arithmetic,
)
from upconv.converters.readers.torch.aten import (
    boxes as aten_boxes,
)
from upconv.converters.readers.torch.aten import (
    convolution as aten_convolution,
)
from upconv.converters.readers.torch.aten import (
    counting as aten_counting,
)
from upconv.converters.readers.torch.aten import (
    einsum as aten_einsum,
)
from upconv.converters.readers.torch.aten import (
    normalization as aten_normalization,
)
from upconv.converters.readers.torch.aten import (
    padding as aten_padding,
)
from upconv.converters.readers.torch.aten import (
    pooling as aten_pooling,
)
from upconv.converters.readers.torch.aten import (
    products as aten_matrix,
)
from upconv.converters.readers.torch.aten import (
    reductions as aten_reductions,
)
from upconv.converters.readers.torch.aten import (
    resize as aten_resize,
)
from upconv.converters.readers.torch.aten import (
    sampling as aten_sampling,
)
from upconv.converters.readers.torch.aten import (
    selection as aten_selection,
)
from upconv.converters.readers.torch.aten import (
    shape as aten_shape,
)
from upconv.converters.readers.torch.aten import (
    truth as aten_truth,
)
from upconv.converters.readers.torch.aten.lowering import LOWERINGS

__all__ = ["LOWERINGS"]

_FAMILIES = (
    aten_activations,
    aten_arithmetic,
    aten_convolution,
    aten_matrix,
    aten_normalization,
    aten_pooling,
    aten_resize,
    aten_shape,
    aten_reductions,
    aten_padding,
    aten_boxes,
    aten_selection,
    aten_counting,
    aten_einsum,
    aten_sampling,
    aten_truth,
)
"""Named, so that nobody takes the imports for unused."""
