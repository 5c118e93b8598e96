"""The words of Caffe's text files: the fields of every message, BVLC's and its forks'.

Each message is one line of sections, `kind name name ...`, where a kind is int, float, bool, text,
enum or another message's name. "open" is a message of a fork whose fields are not listed here.
Fields that BVLC's Caffe does not have stand in FORK_FIELDS and FORK_MESSAGES. The layer types are
in `layer_types`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Final

from upconv.converters.ir.kept import those
from upconv.converters.ir.similar import similar
from upconv.converters.readers.files.prototxt import Field, Message, Scalar, ValueList

OPEN: Final = "open"
_SCALARS: Final = frozenset({"int", "float", "bool", "text", "enum"})

# fmt: off
BVLC_MESSAGES: Final[Mapping[str, str]] = {
    "NetParameter": (
        "text name input | int input_dim | BlobShape input_shape | bool force_backward debug_info"
        " | NetState state | LayerParameter layer | V1LayerParameter layers"
    ),
    "LayerParameter": (
        "text name type bottom top | enum phase | float loss_weight | ParamSpec param"
        " | BlobProto blobs | bool propagate_down | NetStateRule include exclude"
        " | TransformationParameter transform_param | LossParameter loss_param"
        " | AccuracyParameter accuracy_param | ArgMaxParameter argmax_param"
        " | BatchNormParameter batch_norm_param | BiasParameter bias_param"
        " | ClipParameter clip_param | ConcatParameter concat_param"
        " | ContrastiveLossParameter contrastive_loss_param"
        " | ConvolutionParameter convolution_param | CropParameter crop_param"
        " | DataParameter data_param | DropoutParameter dropout_param"
        " | DummyDataParameter dummy_data_param | EltwiseParameter eltwise_param"
        " | ELUParameter elu_param | EmbedParameter embed_param | ExpParameter exp_param"
        " | FlattenParameter flatten_param | HDF5DataParameter hdf5_data_param"
        " | HDF5OutputParameter hdf5_output_param | HingeLossParameter hinge_loss_param"
        " | ImageDataParameter image_data_param | InfogainLossParameter infogain_loss_param"
        " | InnerProductParameter inner_product_param | InputParameter input_param"
        " | LogParameter log_param | LRNParameter lrn_param"
        " | MemoryDataParameter memory_data_param | MVNParameter mvn_param"
        " | ParameterParameter parameter_param | PoolingParameter pooling_param"
        " | PowerParameter power_param | PReLUParameter prelu_param"
        " | PythonParameter python_param | RecurrentParameter recurrent_param"
        " | ReductionParameter reduction_param | ReLUParameter relu_param"
        " | ReshapeParameter reshape_param | ScaleParameter scale_param"
        " | SigmoidParameter sigmoid_param | SoftmaxParameter softmax_param"
        " | SPPParameter spp_param | SliceParameter slice_param | SwishParameter swish_param"
        " | TanHParameter tanh_param | ThresholdParameter threshold_param"
        " | TileParameter tile_param | WindowDataParameter window_data_param"
    ),
    "V1LayerParameter": (
        "text name bottom top param | enum type blob_share_mode | BlobProto blobs"
        " | float blobs_lr weight_decay loss_weight | NetStateRule include exclude"
        " | V0LayerParameter layer | TransformationParameter transform_param"
        " | LossParameter loss_param | AccuracyParameter accuracy_param"
        " | ArgMaxParameter argmax_param | ConcatParameter concat_param"
        " | ContrastiveLossParameter contrastive_loss_param"
        " | ConvolutionParameter convolution_param | DataParameter data_param"
        " | DropoutParameter dropout_param | DummyDataParameter dummy_data_param"
        " | EltwiseParameter eltwise_param | ExpParameter exp_param"
        " | HDF5DataParameter hdf5_data_param | HDF5OutputParameter hdf5_output_param"
        " | HingeLossParameter hinge_loss_param | ImageDataParameter image_data_param"
        " | InfogainLossParameter infogain_loss_param | InnerProductParameter inner_product_param"
        " | LRNParameter lrn_param | MemoryDataParameter memory_data_param"
        " | MVNParameter mvn_param | PoolingParameter pooling_param | PowerParameter power_param"
        " | ReLUParameter relu_param | SigmoidParameter sigmoid_param"
        " | SoftmaxParameter softmax_param | SliceParameter slice_param"
        " | TanHParameter tanh_param | ThresholdParameter threshold_param"
        " | WindowDataParameter window_data_param"
    ),
    "V0LayerParameter": (
        "text name type source meanfile det_crop_mode"
        " | int num_output pad kernelsize group stride local_size batchsize cropsize rand_skip"
        " det_context_pad new_num new_channels new_height new_width concat_dim"
        " | bool biasterm mirror shuffle_images | enum pool | BlobProto blobs"
        " | float dropout_ratio alpha beta k scale blobs_lr weight_decay det_fg_threshold"
        " det_bg_threshold det_fg_fraction | FillerParameter weight_filler bias_filler"
        " | HDF5OutputParameter hdf5_output_param"
    ),
    "BlobShape": "int dim",
    "BlobProto": "BlobShape shape | float data diff double_data double_diff"
                 " | int num channels height width",
    "FillerParameter": "text type | float value min max mean std | int sparse | enum variance_norm",
    "NetState": "enum phase | int level | text stage",
    "NetStateRule": "enum phase | int min_level max_level | text stage not_stage",
    "ParamSpec": "text name | enum share_mode | float lr_mult decay_mult",
    "TransformationParameter": (
        "float scale mean_value | bool mirror force_color force_gray | int crop_size"
        " | text mean_file"
    ),
    "LossParameter": "int ignore_label | enum normalization | bool normalize",
    "AccuracyParameter": "int top_k axis ignore_label",
    "ArgMaxParameter": "bool out_max_val | int top_k axis",
    "BatchNormParameter": "bool use_global_stats | float moving_average_fraction eps",
    "BiasParameter": "int axis num_axes | FillerParameter filler",
    "ClipParameter": "float min max",
    "ConcatParameter": "int axis concat_dim",
    "ContrastiveLossParameter": "float margin | bool legacy_version",
    "ConvolutionParameter": (
        "int num_output pad kernel_size stride dilation pad_h pad_w kernel_h kernel_w stride_h"
        " stride_w group axis | bool bias_term force_nd_im2col | enum engine"
        " | FillerParameter weight_filler bias_filler"
    ),
    "CropParameter": "int axis offset",
    "DataParameter": (
        "text source mean_file | int batch_size rand_skip crop_size prefetch | enum backend"
        " | float scale | bool mirror force_encoded_color"
    ),
    "DropoutParameter": "float dropout_ratio",
    "DummyDataParameter": "FillerParameter data_filler | BlobShape shape"
                          " | int num channels height width",
    "EltwiseParameter": "enum operation | float coeff | bool stable_prod_grad",
    "ELUParameter": "float alpha",
    "EmbedParameter": "int num_output input_dim | bool bias_term"
                      " | FillerParameter weight_filler bias_filler",
    "ExpParameter": "float base scale shift",
    "FlattenParameter": "int axis end_axis",
    "HDF5DataParameter": "text source | int batch_size | bool shuffle",
    "HDF5OutputParameter": "text file_name",
    "HingeLossParameter": "enum norm",
    "ImageDataParameter": (
        "text source mean_file root_folder | int batch_size rand_skip new_height new_width"
        " crop_size | bool shuffle is_color mirror | float scale"
    ),
    "InfogainLossParameter": "text source | int axis",
    "InnerProductParameter": "int num_output axis | bool bias_term transpose"
                             " | FillerParameter weight_filler bias_filler",
    "InputParameter": "BlobShape shape",
    "LogParameter": "float base scale shift",
    "LRNParameter": "int local_size | float alpha beta k | enum norm_region engine",
    "MemoryDataParameter": "int batch_size channels height width",
    "MVNParameter": "bool normalize_variance across_channels | float eps",
    "ParameterParameter": "BlobShape shape",
    "PoolingParameter": (
        "enum pool engine round_mode | int pad pad_h pad_w kernel_size kernel_h kernel_w stride"
        " stride_h stride_w | bool global_pooling"
    ),
    "PowerParameter": "float power scale shift",
    "PReLUParameter": "FillerParameter filler | bool channel_shared",
    "PythonParameter": "text module layer param_str | bool share_in_parallel",
    "RecurrentParameter": "int num_output | bool debug_info expose_hidden"
                          " | FillerParameter weight_filler bias_filler",
    "ReductionParameter": "enum operation | int axis | float coeff",
    "ReLUParameter": "float negative_slope | enum engine",
    "ReshapeParameter": "BlobShape shape | int axis num_axes",
    "ScaleParameter": "int axis num_axes | bool bias_term | FillerParameter filler bias_filler",
    "SigmoidParameter": "enum engine",
    "SliceParameter": "int axis slice_point slice_dim",
    "SoftmaxParameter": "enum engine | int axis",
    "SPPParameter": "int pyramid_height | enum pool engine",
    "SwishParameter": "float beta",
    "TanHParameter": "enum engine",
    "ThresholdParameter": "float threshold",
    "TileParameter": "int axis tiles",
    "WindowDataParameter": (
        "text source mean_file crop_mode root_folder | float scale fg_threshold bg_threshold"
        " fg_fraction | int batch_size crop_size context_pad | bool mirror cache_images"
    ),
}

_FORK_PARAMETERS: Final = (
    "InterpParameter interp_param | UpsampleParameter upsample_param"
    " | UnpoolingParameter unpooling_param | ResampleParameter resample_param"
    " | ReorgParameter reorg_param | PermuteParameter permute_param"
    " | NormalizeParameter norm_param | ShuffleChannelParameter shuffle_channel_param"
    " | BNParameter bn_param | ROIPoolingParameter roi_pooling_param"
    " | MergeCropParameter mergecrop_param | PriorBoxParameter prior_box_param"
    " | DenseImageDataParameter dense_image_data_param | ReLU6Parameter relu6_param"
    " | open affinity_param annotated_data_param augmentation_param bias_channel_param"
    " black_augment_param box_annotator_ohem_param center_loss_param coeff_schedule_param"
    " correlation_param cpm_transform_param custom_data_param data_augmentation_param"
    " dense_crf_param detection_evaluate_param detection_output_param dice_loss_param"
    " eltwise_accuracy_param flow_warp_param focal_loss_param imresize_param"
    " l1_loss_param lpq_loss_param malis_param mat_read_param mat_write_param mean_param"
    " multi_stage_meanfield_param multibox_loss_param nms_param normalize_bbox_param"
    " pixel_shuffle_param proposal_param psroi_pooling_param random_generator_param"
    " region_loss_param resize_param roi_align_param roi_mask_pooling_param seg_accuracy_param"
    " smooth_l1_loss_param softmaxloss_param st_param triplet_loss_param unpool_param"
    " video_data_param warp_param yolo_param"
)

FORK_FIELDS: Final[Mapping[str, str]] = {
    "NetParameter": "enum default_forward_type default_backward_type default_forward_math"
                    " default_backward_math | int default_cudnn_math_override"
                    " global_grad_scale | text engine | open compile_net_state",
    "LayerParameter": (
        "bool force_backward debug | enum forward_type backward_type forward_math backward_math"
        " | int cudnn_math_override | text engine"
        " | open quantization_param multinode mn_activation_param mn_grad_compress_param"
        f" split_param spatial_dropout_param continuation_indicator_param | {_FORK_PARAMETERS}"
    ),
    "V1LayerParameter": (
        "bool strict_dim | CropParameter crop_param | ReshapeParameter reshape_param"
        f" | FlattenParameter flatten_param | {_FORK_PARAMETERS}"
    ),
    "ConvolutionParameter": (
        "int hole hole_h hole_w kstride kstride_h kstride_w pad_type pad_l pad_r pad_t pad_b"
        " | text conv_algorithm cudnn_convolution_algo_seeker | bool relu | float negative_slope"
    ),
    "BatchNormParameter": (
        "bool scale_bias use_weight_bias bias_term relu | enum engine | int stats_batch_size"
        " | FillerParameter scale_filler filler bias_filler"
    ),
    "ConcatParameter": "enum engine | bool per_fla_fuse",
    "EltwiseParameter": "enum engine",
    "InnerProductParameter": "enum engine",
    "ReLUParameter": "bool relu6 fuse",
    "DropoutParameter": "bool scale_train",
    "PoolingParameter": (
        "int dilation kstride kstride_h kstride_w hole hole_h hole_w pad_type pad_l pad_r pad_t"
        " pad_b | bool ceil_mode"
    ),
    "LossParameter": "float class_weighting | bool weight_by_label_freqs | text class_weight_file",
    "MemoryDataParameter": "int dim",
    "ImageDataParameter": "bool has_label label | enum label_type",
    "WindowDataParameter": "enum label_type",
    "TransformationParameter": (
        "int crop_h crop_w min_side max_side | open resize_param noise_param distort_param"
        " expand_param emit_constraint"
    ),
}

FORK_MESSAGES: Final[Mapping[str, str]] = {
    "InterpParameter": "int height width zoom_factor shrink_factor pad_beg pad_end",
    "UpsampleParameter": (
        "int scale scale_h scale_w upsample_h upsample_w stride | bool pad_out_h pad_out_w"
        " | float height_scale width_scale | enum mode"
    ),
    "UnpoolingParameter": (
        "enum unpool engine | int pad pad_h pad_w kernel_size kernel_h kernel_w stride stride_h"
        " stride_w unpool_size unpool_h unpool_w out_kernel_size out_stride out_pad"
    ),
    "ResampleParameter": "bool antialias | int width height | enum type | float factor",
    "ReorgParameter": "int stride | bool reverse",
    "PermuteParameter": "int order",
    "NormalizeParameter": "bool across_spatial channel_shared fix_scale | float eps"
                          " | FillerParameter scale_filler",
    "ShuffleChannelParameter": "int group",
    "BNParameter": (
        "FillerParameter scale_filler shift_filler slope_filler bias_filler"
        " | enum bn_mode engine | float var_eps eps momentum | bool frozen"
    ),
    "ROIPoolingParameter": "int pooled_h pooled_w | float spatial_scale",
    "MergeCropParameter": "int forward backward | enum operation",
    "ReLU6Parameter": "float negative_slope threshold",
    "DenseImageDataParameter": (
        "text source root_folder | int batch_size new_height new_width rand_skip"
        " label_divide_factor | bool shuffle is_color"
    ),
    "PriorBoxParameter": (
        "float min_size max_size aspect_ratio variance step step_h step_w offset | bool flip clip"
        " | int img_size img_h img_w | enum code_type"
    ),
}
# fmt: on


@cache
def fields_of(message: str) -> Mapping[str, str]:
    """Field name -> kind, of BVLC's message and of the forks' additions to it.

    >>> fields_of("CropParameter")
    {'axis': 'int', 'offset': 'int'}
    """
    spelled = (BVLC_MESSAGES, FORK_MESSAGES, FORK_FIELDS)
    return {
        name: kind
        for table in spelled
        for section in table.get(message, "").split("|")
        for kind, *names in [section.split() or [""]]
        for name in names
    }


def is_fork_field(message: str, field: str) -> bool:
    """Whether a field is known, but not to BVLC's Caffe."""
    mine = f" {BVLC_MESSAGES.get(message, '')} "
    return field in fields_of(message) and f" {field} " not in mine


def unknown_fields(root: Message) -> Iterator[tuple[Field, str, tuple[str, ...]]]:
    """Every field of a net that neither BVLC's Caffe nor a known fork has.

    Yields the field, the name of the message type it stands in, and suggestions: names spelled
    alike, and the sub-messages where a field of this name belongs. What is inside an unknown or
    an open message is not judged.
    """
    anew = [entry for entry in root.entries if entry.source.kept is None]
    pieces = [entry for entry in root.entries if entry.source.kept is not None]
    for entry in (*anew, *those(root.source.pieces, _has_unknown, pieces)):
        yield from _unknown_in(Field(entry), "NetParameter")


def _has_unknown(entry: Message | Scalar | ValueList) -> bool:
    return any(True for _ in _unknown_in(Field(entry), "NetParameter"))


def _unknown(message: Message, type_name: str) -> Iterator[tuple[Field, str, tuple[str, ...]]]:
    for field in fields_within(message):
        yield from _unknown_in(field, type_name)


def fields_within(block: Message) -> Iterator[Field]:
    """The fields of a block of a layer. Layers that stand in it do so for a brace that is missing:
    the first stands for all, which may be thousands."""
    swallowed = False
    for field in block.fields:
        if field.name == "layer" and isinstance(field.value, Message):
            if swallowed:
                continue
            swallowed = True
        yield field


def _unknown_in(field: Field, type_name: str) -> Iterator[tuple[Field, str, tuple[str, ...]]]:
    kind = fields_of(type_name).get(field.name)
    if kind is None:
        yield field, type_name, suggestions(field.name, type_name)
    elif kind not in _SCALARS and kind != OPEN:
        for value in field.values:
            if isinstance(value, Message):
                yield from _unknown(value, kind)


_UNREAD: Final = frozenset(
    {"BlobProto", "FillerParameter", "LossParameter", "NetStateRule", "ParamSpec"}
    | {"TransformationParameter"}
)
"""What says nothing of what a layer computes when its weights are given."""


def unknown_of_layer(block: Message) -> Iterator[tuple[Field, str, tuple[str, ...]]]:
    """The unknown fields, as `unknown_fields` gives them, that may change what a layer computes.

    Those of its parameters; at the layer itself sub-messages, and fields that belong into a
    parameter. Of V0 layers those that mean nothing to their type are left at the layer.
    """
    known = {**fields_of("LayerParameter"), **fields_of("V1LayerParameter")}
    kind_of_type = block.get("type")
    if (
        block.name == "layers"
        and isinstance(kind_of_type, Scalar)
        and kind_of_type.kind == "string"
    ):
        known |= fields_of("V0LayerParameter")
    if block.name == "layer":
        known.pop("layer")  # V0's, inside of a V1 layer
    for field in fields_within(block):
        kind = known.get(field.name)
        if kind is None:
            belongs_deeper = field.name in _holders("LayerParameter")
            if belongs_deeper or any(isinstance(value, Message) for value in field.values):
                yield field, "LayerParameter", suggestions(field.name, "LayerParameter")
        elif kind not in _SCALARS and kind != OPEN and kind not in _UNREAD:
            for value in field.values:
                if isinstance(value, Message):
                    yield from (one for one in _unknown(value, kind) if one[1] not in _UNREAD)


@lru_cache(4096)
def suggestions(field: str, type_name: str) -> tuple[str, ...]:
    """What a field unknown to a message may have been meant to be.

    >>> suggestions("kernal_size", "ConvolutionParameter")
    ('kernel_size',)
    >>> suggestions("num_output", "LayerParameter")[0]
    'convolution_param.num_output'
    """
    # The ending that nearly all sub-messages share would make any two of them look alike.
    ending = "_param" if field.endswith("_param") else ""
    stems = _stems(type_name, ending)
    close = similar(field.removesuffix(ending), stems, 3, 0.75)
    alike = [stems[stem] for stem in close]
    return (*alike, *(f"{name}.{field}" for name in _holders(type_name).get(field, ())[:3]))


@cache
def _stems(type_name: str, ending: str) -> Mapping[str, str]:
    """The fields of a message that end so, by what stands before the ending."""
    return {
        name.removesuffix(ending): name for name in fields_of(type_name) if name.endswith(ending)
    }


@cache
def _holders(type_name: str) -> Mapping[str, tuple[str, ...]]:
    """Field -> the sub-messages of a message that have it."""
    found: dict[str, tuple[str, ...]] = {}
    for name, kind in fields_of(type_name).items():
        for field in () if kind in _SCALARS else fields_of(kind):
            found[field] = (*found.get(field, ()), name)
    return found
