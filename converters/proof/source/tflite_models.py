"""TensorFlow Lite's files in its interpreter: LiteRT's where it is installed, else TensorFlow's."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from upconv.converters.ir.errors import UnsupportedError
from upconv.converters.ir.model import Model
from upconv.converters.proof.source.loaded import Feeds, Loaded, asking, by_name, importing
from upconv.converters.readers.files.flatbuffer import FlatBuffer
from upconv.converters.readers.files.wire import map_file
from upconv.converters.readers.options import ReadOptions
from upconv.converters.readers.tflite.schema import QUANTIZED, read_model


def load(model: Model, options: ReadOptions) -> Loaded:
    """The model as the interpreter loads it, without delegates.

    Raises UnreadableError where the interpreter refuses it, and UnsupportedError for weights of 8
    bits, beside which it makes activations whole numbers too.
    """
    weight = _quantized_weight(model.path)
    if weight:
        raise UnsupportedError(
            f"its weight '{weight:.100}' has 8 bits, and beside such the interpreter rounds "
            "activations to 8 bits too: it computes other numbers than the file says",
            path=model.path,
            hint="use --against reference",
        )
    package, version = _interpreter()
    title = f"{package.__name__.partition('.')[0]} {version}"
    plain = package.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    with asking(title, model.path), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = package.Interpreter(model_path=model.path, experimental_op_resolver_type=plain)
    inputs = by_name([one.name for one in model.inputs], made.get_input_details(), "inputs")

    def run(feeds: Feeds) -> Mapping[str, Any]:
        with asking(title, model.path):
            for name, about in inputs.items():
                made.resize_tensor_input(about["index"], feeds[name].shape)
            made.allocate_tensors()
            for name, about in inputs.items():
                made.set_tensor(about["index"], feeds[name])
            made.invoke()
            outputs = [made.get_tensor(about["index"]) for about in made.get_output_details()]
        return by_name(list(model.outputs), outputs, "outputs")

    types = {name: about["dtype"].__name__ for name, about in inputs.items()}
    return Loaded("TensorFlow Lite", version, run, types)


def _quantized_weight(path: str) -> str:
    """The name of a stored tensor of whole numbers that stand for real ones; "" where there is
    none."""
    tensors = read_model(FlatBuffer(map_file(path, "TensorFlow Lite model"), path)).tensors
    found = (one for one in tensors if one.span and one.type in QUANTIZED and one.quantization)
    return next((one.name for one in found), "")


def _interpreter() -> tuple[Any, str]:
    """The module that has an Interpreter, and its version."""
    try:
        import ai_edge_litert
        from ai_edge_litert import interpreter
    except ImportError:
        with importing("TensorFlow Lite", "tflite"):
            import tensorflow
            from tensorflow.lite.python import interpreter
        return interpreter, str(tensorflow.__version__)
    return interpreter, str(getattr(ai_edge_litert, "__version__", ""))
