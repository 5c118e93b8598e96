"""UP3xx: layers that other tools read differently, or do not have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from upconv.converters.ir import operators as ops
from upconv.converters.ir.shapes import Shape
from upconv.linter.facts import words
from upconv.linter.facts.interpolation import interpolators
from upconv.linter.rule import Hit, rule

if TYPE_CHECKING:
    from upconv.linter.context import Context


@rule(
    "UP301",
    "align-corners",
    severity="info",
    source="kazuto1011/deeplab-pytorch issue 37",
    folds=True,
)
def align_corners(context: Context) -> Iterator[Hit]:
    """A resize puts corners on corners, where most frameworks align pixel edges.

    What it finds:
        Caffe's Interp layers (DeepLab, PSPNet, ICNet), resizes of TensorFlow and of exported
        PyTorch programs with align_corners, and others that resize with aligned corners to another
        size. In PyTorch code align_corners=True, and UpsamplingBilinear2d and upsample_bilinear,
        which always align.

    Why it is bad:
        PyTorch's interpolate, Keras and TensorFlow 2 align edges (half pixel) unless they are told
        otherwise. Ported without align_corners=True everything is off by up to half an input pixel
        towards the borders, and a net trained with it loses accuracy in silence.

    Example:
        layer { name: "up" type: "Interp" bottom: "x" top: "up" interp_param { zoom_factor: 8 } }

    Use instead:
        interpolate(x, size=..., mode="bilinear", align_corners=True); ONNX Resize with
        coordinate_transformation_mode align_corners

    Fix safety:
        There is no fix: the file is right for its framework.

    References:
        kazuto1011/deeplab-pytorch issue 37; DeepLab's interp_layer.cpp
    """
    for layer in context.of(ops.Resize):
        op = layer.operator
        assert isinstance(op, ops.Resize)
        before, after = context.input_shape(layer), context.output_shape(layer)
        call, framework = layer.origin.written.call, layer.origin.framework
        asked = call is not None and framework != "pytorch"  # TensorFlow's default is worse (UP333)
        if op.coordinate_mode != "align_corners" or asked or _same_anyhow(before, after):
            continue
        sizes = ""
        if before is not None and after is not None and call is None:
            sizes = f" ({_spatial(before)} to {_spatial(after)})"
        what = "it" if call is not None else layer.origin.type  # one remark on all the code
        yield Hit(
            f"{what} resizes with aligned corners{sizes}: "
            "frameworks that align pixel edges give other numbers",
            "port it with align_corners=True",
            layer,
            kind=what,
        )


def _same_anyhow(before: Shape | None, after: Shape | None) -> bool:
    """Whether nothing is resized, or one pixel is spread out: all conventions agree."""
    return before is not None and (before == after or set(before[2:]) == {1})


def _spatial(shape: Shape) -> str:
    return "x".join(map(str, shape[2:]))


@rule(
    "UP302",
    "zero-border",
    severity="info",
    source="BVLC/caffe deconv_layer.cpp",
    frameworks=("caffe",),
    folds=True,
)
def zero_border(context: Context) -> Iterator[Hit]:
    """Bilinear Deconvolution and a framework's bilinear resize differ at the border.

    What it finds:
        Deconvolutions of the interpolation convention.

    Why it is bad:
        Outside of its input a Deconvolution sees zeros, a resize repeats the border. Inside both
        are equal (half pixel), but the outermost floor(f/2) rows and columns are darker: by 0.75 at
        f = 2, by 0.5625 in the corner. A port that replaces the layer changes these.

    Example:
        convolution_param { num_output: 8 group: 8 bias_term: false kernel_size: 4 stride: 2 pad: 1
          weight_filler { type: "bilinear" } }

    Use instead:
        Keep it a transposed convolution (`upconv convert` does), or accept the border.

    Fix safety:
        There is no fix: the file is right for Caffe.

    References:
        BVLC/caffe src/caffe/layers/deconv_layer.cpp; ONNX Resize
    """
    correct = (one for one in interpolators(context) if one.kernel_fits and one.pad_fits)
    for one in correct:
        if one.factor > 1:
            rows = one.factor // 2
            plural = "" if rows == 1 else "s"
            yield Hit(
                f"the outermost {rows} row{plural} and column{plural} fade towards zeros, where a "
                f"resize would repeat the border ({one.intent.assumed})",
                "keep it a transposed convolution when porting, or check the border",
                one.layer,
                kind="border",
            )


_UPSAMPLES = {
    "Unpool": "SegNet's: unpooling by a mask",
    "nearest": "the YOLO ports': each pixel repeated",
    "linear": "Tiny-DSOD's: bilinear with aligned corners",
}


@rule(
    "UP303",
    "upsample-means-several",
    severity="info",
    source="Tencent/ncnn issue 1133",
    frameworks=("caffe",),
    folds=True,
)
def upsample_means_several(context: Context) -> Iterator[Hit]:
    """A layer of the type Upsample, which is another layer in another fork.

    What it finds:
        Upsample layers whose bottoms and fields leave one meaning only; the finding says which.
        Where several are left it is UP307.

    Why it is bad:
        Forks unpool, repeat pixels or interpolate under this name. A tool that knows one of them
        reads the others wrongly, and few say so.

    Example:
        layer { name: "up" type: "Upsample" bottom: "x" top: "up" upsample_param { scale: 2 } }

    Use instead:
        Say in the port which one is meant; a Deconvolution with fixed weights is the same in all.

    Fix safety:
        There is no fix: the file is right for its fork.

    References:
        Tencent/ncnn issue 1133; alexgkendall/caffe-segnet; TimoSaemann/ENet
    """
    for layer in context.of(ops.Unpool, ops.Resize):
        if layer.origin.type.upper() == "UPSAMPLE":
            op = layer.operator
            meaning = op.mode if isinstance(op, ops.Resize) else "Unpool"
            yield Hit(
                f"Upsample is taken for {_UPSAMPLES[meaning]}; other forks mean something else "
                "by it",
                "check that the tool you port to knows this one",
                layer,
            )


@rule(
    "UP304",
    "unpool-indices",
    severity="info",
    source="onnx/onnx MaxUnpool",
    frameworks=("caffe",),
    folds=True,
)
def unpool_indices(context: Context) -> Iterator[Hit]:
    """Unpooling by Caffe's masks, whose indices other frameworks count differently.

    What it finds:
        Layers that scatter by the mask of a pooling.

    Why it is bad:
        Caffe counts row*width + column within each channel of each image. ONNX counts through the
        whole tensor (N, C, H, W), so that a mask handed on as it is lands in the wrong channels;
        PyTorch counts like Caffe.

    Example:
        layer { name: "up" type: "Upsample" bottom: "x" bottom: "pool_mask" top: "up" }

    Use instead:
        Add n*C*H*W + c*H*W to each index for ONNX's MaxUnpool, as `upconv convert` does.

    Fix safety:
        There is no fix: the file is right for Caffe.

    References:
        ONNX MaxUnpool; alexgkendall/caffe-segnet pooling_layer.cpp
    """
    for layer in context.of(ops.Unpool):
        yield Hit(
            f"the mask '{layer.inputs[1]}' counts within one channel; ONNX counts through the "
            "whole tensor",
            "add each channel's offset when porting to ONNX's MaxUnpool",
            layer,
            kind="mask",
        )


@rule(
    "UP307",
    "ambiguous-dialect",
    severity="warning",
    source="TimoSaemann/ENet, BVLC/caffe forks",
    folds=True,
)
def ambiguous_dialect(context: Context) -> Iterator[Hit]:
    """A layer that computes one thing in one fork or version, and another in the next.

    What it finds:
        Layers of Caffe whose type and fields fit more than one fork, where these compute different
        numbers, among them a Crop without crop_param whose aligned offset is not 0: BVLC's takes 0,
        the forks of HED, CRF-RNN and old FCN nets compute it. Keras's UpSampling2D with
        interpolation "bilinear" in files of the versions that do not tell TensorFlow 1.15 and later
        (half pixels) from what came before (asymmetric): keras_version 2.2.4-tf, and standalone
        Keras up to 2.3. Files of Keras 3 that do not record their backend (every .keras) and hold a
        layer whose numbers depend on it: transposed convolutions with padding "same" before 3.15
        and average poolings whose "same" is uneven (torch's differ), bicubic upsampling; once a
        file.

    Why it is bad:
        The net cannot be converted: a guess would be right for one reading and silently wrong for
        the others. Nothing behind a layer of an unknown fork is checked; Keras's is checked as
        today's Keras reads it. A model whose backend is not recorded is read as TensorFlow's.

    Example:
        layer { name: "up" type: "Upsample" bottom: "data" top: "up" }

    Use instead:
        Name the fork the net was trained with: upconv check --dialect NAME, for a Crop
        --dialect crop=aligned or crop=bvlc; or `dialect` in the configuration. For Keras say which
        version trained it: --keras-bilinear half-pixel (TensorFlow 1.15 and later) or asymmetric,
        and what computes it: --keras-backend tensorflow, torch, jax or theano.

    Fix safety:
        There is no fix: the file does not say which is meant.

    References:
        TimoSaemann/ENet caffe-enet; alexgkendall/caffe-segnet;
        tensorflow/python/keras/backend.py (resize_images) of 1.14 and 1.15;
        keras/src/backend/torch/nn.py of 3.14 and 3.15
    """
    notices = context.model.notices if context.model else ()
    assumed = [one.error.layer for one in notices if one.kind == "assumed-backend"]
    for hit in context.notices("UP307"):
        if hit.layer_name not in assumed:
            yield hit
        elif hit.layer_name == assumed[0]:
            count = f" ({len(assumed)} layers of this kind)" if len(assumed) > 1 else ""
            yield replace(hit, message=f"{hit.message}{count}")


@rule(
    "UP311",
    "fork-only-layer",
    severity="info",
    source="BVLC/caffe layer_factory.cpp",
    frameworks=("caffe",),
    folds=True,
)
def fork_only_layer(context: Context) -> Iterator[Hit]:
    """The net needs a fork of Caffe.

    What it finds:
        Layer types that are known from forks, but that BVLC's Caffe does not have. Where the layer
        is not supported either, UP003 tells it.

    Why it is bad:
        BVLC's Caffe and the tools made for it stop at "Unknown layer type". Whoever runs or ports
        the net must find the fork first.

    Example:
        layer { name: "up" type: "Interp" bottom: "x" top: "up" interp_param { zoom_factor: 8 } }

    Use instead:
        Layers that BVLC's Caffe has, where they compute the same; or a note which fork it is.

    Fix safety:
        There is no fix.

    References:
        BVLC/caffe src/caffe/layer_factory.cpp
    """
    for layer in context.net.layers:
        if layer.origin.written.fork_type and not isinstance(layer.operator, ops.Unknown):
            yield Hit(
                f"BVLC's Caffe has no layer type {layer.origin.written.fork_type}",
                "name the fork in the net's documentation, or replace the layer",
                layer,
            )


@rule(
    "UP313",
    "batch-statistics",
    severity="warning",
    source="BVLC/caffe batch_norm_layer.cpp",
    frameworks=("caffe",),
    folds=True,
)
def batch_statistics(context: Context) -> Iterator[Hit]:
    """A deploy net normalises by the batch at hand.

    What it finds:
        BatchNorm layers with use_global_stats: false in nets without a loss.

    Why it is bad:
        The result of an image depends on the others in its batch, and of a batch of one only on
        itself. Other tools use the stored mean and variance whatever is written.

    Example:
        batch_norm_param { use_global_stats: false }

    Use instead:
        batch_norm_param { use_global_stats: true }

    Fix safety:
        There is no fix: the numbers change.

    References:
        BVLC/caffe src/caffe/layers/batch_norm_layer.cpp
    """
    if context.training.trains:
        return
    for layer in context.of(ops.BatchNorm):
        param = words.node_of(layer).message("batch_norm_param")
        if param is not None and not param.bool("use_global_stats", True):
            yield Hit(
                "use_global_stats is false: the net normalises by the batch at hand, "
                f"and {context.training.reason}",
                "write use_global_stats: true for inference",
                layer,
                param.span_of("use_global_stats"),
            )
