"""A transposed convolution in the words of Caffe, PyTorch, Keras and ONNX.

Each says the whole layer as one can paste it, for images of two axes with the same settings. Where
a framework has no word for a cut, what it cannot cut is cropped behind the layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal, get_args

from upconv.converters.audit.solve import Answer, Padding, keras_cuts

Framework = Literal["caffe", "torch", "keras", "onnx"]


def caffe(answer: Answer, channels: int = 21) -> str:
    """Deconvolution has one pad for both ends and no output_padding; a Crop takes the rest.

    >>> print(caffe(Answer(16, 4, 2, 1, 1, 1)))
    layer {
      name: "up" type: "Deconvolution" bottom: "x" top: "up"
      convolution_param { num_output: 21 kernel_size: 4 stride: 2 pad: 1 }
    }
    """
    pad = max(min(answer.begin, answer.end), 0)
    words = f"num_output: {channels} kernel_size: {answer.kernel} stride: {answer.stride}"
    words += f" pad: {pad}" if pad else ""
    words += f" dilation: {answer.dilation}" if answer.dilation > 1 else ""
    text = 'layer {\n  name: "up" type: "Deconvolution" bottom: "x" top: "up"\n'
    text += f"  convolution_param {{ {words} }}\n}}"
    if answer.end < 0:
        return f"{text}\n# Caffe cannot add the last {_rows(-answer.end)}: use another answer"
    if answer.begin == answer.end:
        return text
    crop = 'layer {\n  name: "crop" type: "Crop" bottom: "up" bottom: "like" top: "crop"\n'
    crop += f"  crop_param {{ axis: 2 offset: {answer.begin - pad} }}\n}}"
    return f"{text}\n{crop}  # like: a blob of {answer.output}x{answer.output}"


def torch(answer: Answer, channels: int = 21) -> str:
    """ConvTranspose2d has one padding for both ends; output_padding gives pixels back at the end.

    >>> torch(Answer(16, 3, 2, 1, 1, 0))
    'nn.ConvTranspose2d(21, 21, 3, stride=2, padding=1, output_padding=1)'
    """
    pad = max(answer.begin, answer.end, 0)
    extra = pad - answer.end if answer.begin == pad else 0
    crop = ""
    if answer.begin != pad:  # it cuts more at the end: pad less, and slice
        pad, extra = answer.begin, max(answer.begin - answer.end, 0)
        crop = f"[..., :{answer.output}, :{answer.output}]"
    words = [str(channels), str(channels), str(answer.kernel)]
    for name, value in (("stride", answer.stride), ("padding", pad), ("output_padding", extra)):
        words += [f"{name}={value}"] if value != (1 if name == "stride" else 0) else []
    words += [f"dilation={answer.dilation}"] if answer.dilation > 1 else []
    made = f"nn.ConvTranspose2d({', '.join(words)})"
    return f"{made}(x){crop}" if crop else made


def keras(answer: Answer, channels: int = 21) -> str:
    """Conv2DTranspose has `same` and `valid`, whose cuts follow from kernel and stride; of `valid`
    any cut can be cropped.

    >>> keras(Answer(16, 4, 2, 1, 1, 1))
    'Conv2DTranspose(21, 4, strides=2, padding="same")'
    """
    words = f"{channels}, {answer.kernel}, strides={answer.stride}"
    words += f", dilation_rate={answer.dilation}" if answer.dilation > 1 else ""
    settings = (answer.size, answer.kernel, answer.stride, answer.dilation)
    for padding in get_args(Padding):
        if keras_cuts(*settings, padding) == (answer.begin, answer.end):
            return f'Conv2DTranspose({words}, padding="{padding}")'
    begin, end = answer.begin, answer.end - keras_cuts(*settings, "valid")[1]
    if end < 0:
        words += f', padding="valid", output_padding={-answer.end}'
        end = 0
    else:
        words += ', padding="valid"'
    cropped = f"Cropping2D((({begin}, {end}), ({begin}, {end})))"
    return f"Conv2DTranspose({words})" + (f", then {cropped}" if begin or end else "")


def onnx(answer: Answer, channels: int = 21) -> str:
    """ConvTranspose has pads for each end; output_padding must be less than the stride.

    >>> onnx(Answer(16, 2, 2, 1, 0, 0))
    'ConvTranspose(kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0])'
    """
    begin, end, extra = answer.begin, max(answer.end, 0), max(-answer.end, 0)
    words = {
        "kernel_shape": [answer.kernel] * 2,
        "strides": [answer.stride] * 2,
        "pads": [begin, begin, end, end],
    }
    if answer.dilation > 1:
        words["dilations"] = [answer.dilation] * 2
    if extra:
        words["output_padding"] = [extra] * 2
    return f"ConvTranspose({', '.join(f'{name}={value}' for name, value in words.items())})"


def _rows(count: int) -> str:
    return "row and column" if count == 1 else f"{count} rows and columns"


WORDS: Final[Mapping[Framework, Callable[[Answer, int], str]]] = {
    "caffe": caffe,
    "torch": torch,
    "keras": keras,
    "onnx": onnx,
}
"""A framework -> what says a layer in its words."""
