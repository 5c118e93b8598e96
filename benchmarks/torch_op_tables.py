"""Which of torch's operators are sampled, in two groups, and which of their tensors are inputs."""

from __future__ import annotations

from typing import Final

UPSAMPLING: Final = (
    "nn.functional.conv_transpose1d",
    "nn.functional.conv_transpose2d",
    "nn.functional.conv_transpose3d",
    "nn.functional.interpolate",
    "nn.functional.upsample_bilinear",
    "nn.functional.upsample_nearest",
    "_upsample_bilinear2d_aa",
    "nn.functional.max_unpool1d",
    "nn.functional.max_unpool2d",
    "nn.functional.max_unpool3d",
    "nn.functional.pixel_shuffle",
    "nn.functional.pixel_unshuffle",
)

_FUNCTIONAL: Final = (
    "conv1d conv2d conv3d linear bilinear "
    "avg_pool1d avg_pool2d avg_pool3d max_pool1d max_pool2d max_pool3d "
    "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d "
    "adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d "
    "batch_norm instance_norm layer_norm group_norm rms_norm local_response_norm normalize "
    "pad grid_sample unfold channel_shuffle dropout dropout2d dropout3d "
    "scaled_dot_product_attention cosine_similarity "
    "relu relu6 elu celu selu leaky_relu prelu gelu silu mish glu softplus softsign softmin "
    "hardtanh hardsigmoid hardswish hardshrink softshrink tanhshrink threshold logsigmoid"
)
_TENSORS: Final = (
    "add sub rsub mul div true_divide pow maximum minimum fmax fmin __radd__ __rsub__ __rmul__ "
    "__rdiv__ __rpow__ addcmul addcdiv lerp clamp clamp_min clamp_max where masked_fill "
    "abs neg sqrt rsqrt square reciprocal exp exp2 expm1 log log2 log10 log1p sin cos tan erf "
    "sigmoid tanh atan sign floor ceil round trunc positive sinh cosh hypot "
    "eq ne lt le gt ge "
    "softmax log_softmax logsumexp sum mean amax amin max min argmax argmin var std var_mean "
    "linalg.vector_norm linalg.norm norm prod cumsum topk "
    "cat stack hstack vstack dstack column_stack split split_with_sizes chunk tensor_split unbind "
    "narrow select slice __getitem__ index_select flip roll unfold movedim meshgrid gather "
    "permute transpose t T mT reshape reshape_as view view_as flatten unflatten ravel "
    "squeeze unsqueeze expand expand_as broadcast_to repeat tile repeat_interleave "
    "contiguous clone atleast_1d atleast_2d atleast_3d zeros_like ones_like full_like "
    "mm bmm matmul mv addmm baddbmm einsum inner outer tensordot constant_pad_nd diff"
)
LAYERS: Final = (*(f"nn.functional.{name}" for name in _FUNCTIONAL.split()), *_TENSORS.split())
"""What stands around upsampling in networks."""

GROUPS: Final = {"upsampling": UPSAMPLING, "layers": LAYERS}

STORED: Final = (
    "conv",
    "linear",
    "bilinear",
    "norm",
    "prelu",
    "_upsample",
)
"""Words in the names of operators whose tensors but the first are a module's own weights; those of
other operators are inputs."""

WIDENED: Final = (
    *(name for name in UPSAMPLING if "unpool" not in name),
    *(name for name in LAYERS if "conv" in name or "pool" in name),
)
"""Operators whose square images are tried with more columns too (not with indices of their own)."""
