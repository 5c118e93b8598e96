"""Speed of the span-keeping text parser against protobuf's `text_format`.

    python benchmarks/parse_speed.py [--rounds N] [FILE ...]

Without files a large net is made up. Both parsers get the same decoded texts, in alternating
rounds; reported is processor time as megabytes (10^6 characters) a second, best and median
round. `text_format` fills messages of a schema built here, so that it does its real work; unknown
fields are skipped. "read" is ours including the conversion of every scalar in the tree.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from upconv.converters.readers.files.prototxt import Message, Scalar, Source, load_text, parse
from upconv.service.cli.collector import collect_seldom

# protobuf ships no types.
descriptor_pb2: Any = importlib.import_module("google.protobuf.descriptor_pb2")
descriptor_pool: Any = importlib.import_module("google.protobuf.descriptor_pool")
message_factory: Any = importlib.import_module("google.protobuf.message_factory")
text_format: Any = importlib.import_module("google.protobuf.text_format")

FIELDS = {
    "NetParameter": "name:1:string layer:100:LayerParameter*",
    "LayerParameter": (
        "name:1:string type:2:string bottom:3:string* top:4:string* param:6:ParamSpec* "
        "include:8:NetStateRule* convolution_param:106:ConvolutionParameter "
        "pooling_param:121:PoolingParameter crop_param:144:CropParameter"
    ),
    "ParamSpec": "name:1:string lr_mult:3:float decay_mult:4:float",
    "NetStateRule": "phase:1:Phase",
    "ConvolutionParameter": (
        "num_output:1:uint32 bias_term:2:bool pad:3:uint32* kernel_size:4:uint32* group:5:uint32 "
        "stride:6:uint32* weight_filler:7:FillerParameter bias_filler:8:FillerParameter"
    ),
    "FillerParameter": "type:1:string value:2:float std:6:float",
    "PoolingParameter": "pool:1:PoolMethod kernel_size:2:uint32 stride:3:uint32 pad:4:uint32",
    "CropParameter": "axis:1:int32 offset:2:uint32*",
}
"""name:number:type of the few fields needed, '*' for repeated ones."""

ENUMS = {"Phase": ("TRAIN", "TEST"), "PoolMethod": ("MAX", "AVE", "STOCHASTIC")}

BLOCK = """\
layer {{
  name: "conv{i}"
  type: "Convolution"
  bottom: "pool{i}"
  top: "conv{i}"
  param {{
    lr_mult: 1
    decay_mult: 1
  }}
  param {{ lr_mult: 2 decay_mult: 0 }}
  convolution_param {{
    num_output: {width}
    pad: 1  # keeps the size
    kernel_size: 3
    stride: 1
    weight_filler {{ type: "gaussian" std: 0.01 }}
  }}
}}
layer {{
  name: "relu{i}"
  type: "ReLU"
  bottom: "conv{i}"
  top: "conv{i}"
}}
layer {{
  name: "upscore{i}"
  type: "Deconvolution"
  bottom: "conv{i}"
  top: "upscore{i}"
  convolution_param {{ num_output: 21 bias_term: false kernel_size: 4 stride: 2 }}
}}
layer {{
  name: "pool{i}"
  type: "Pooling"
  bottom: "upscore{i}"
  top: "pool{next}"
  include {{ phase: TEST }}
  pooling_param {{
    pool: MAX
    kernel_size: 2
    stride: 2
  }}
}}
"""


def made_up_net(blocks: int = 2000) -> str:
    """A chain of `blocks` times four layers, about 1.5 MB for 2000."""
    layers = (BLOCK.format(i=i, next=i + 1, width=64 + i % 448) for i in range(blocks))
    return 'name: "made up"\n' + "".join(layers)


def net_class() -> Any:
    """The message class of the schema in `FIELDS`, built at run time."""
    file = descriptor_pb2.FileDescriptorProto(name="net.proto", package="bench", syntax="proto2")
    for name, values in ENUMS.items():
        enum = file.enum_type.add(name=name)
        for number, value in enumerate(values):
            enum.value.add(name=value, number=number)
    for name, fields in FIELDS.items():
        message = file.message_type.add(name=name)
        for text in fields.split():
            _add_field(message, *text.split(":"))
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("bench.NetParameter"))


def _add_field(message: Any, name: str, number: str, kind: str) -> None:
    proto = descriptor_pb2.FieldDescriptorProto
    field = message.field.add(name=name, number=int(number))
    field.label = proto.LABEL_REPEATED if kind.endswith("*") else proto.LABEL_OPTIONAL
    kind = kind.rstrip("*")
    if kind in FIELDS or kind in ENUMS:
        field.type = proto.TYPE_ENUM if kind in ENUMS else proto.TYPE_MESSAGE
        field.type_name = f".bench.{kind}"
    else:
        field.type = proto.Type.Value(f"TYPE_{kind.upper()}")


def read_all(root: Message) -> None:
    """Convert every scalar under `root`."""
    readers = {"string": Scalar.as_str, "number": Scalar.as_float, "identifier": Scalar.as_enum}
    waiting = [root]
    while waiting:
        for value in waiting.pop().values:
            if isinstance(value, Message):
                waiting.append(value)
            else:
                readers[value.kind](value)


def ours(texts: list[str]) -> None:
    for text in texts:
        parse(Source("", text))


def ours_read(texts: list[str]) -> None:
    for text in texts:
        read_all(parse(Source("", text)).root)


def theirs(cls: Any) -> Callable[[list[str]], None]:
    def run(texts: list[str]) -> None:
        for text in texts:
            text_format.Parse(text, cls(), allow_unknown_field=True)

    return run


def readable(texts: list[str], cls: Any) -> list[str]:
    """The texts that both parsers accept, so that neither stops early."""
    kept = []
    for text in texts:
        try:
            text_format.Parse(text, cls(), allow_unknown_field=True)
        except text_format.ParseError:
            continue
        if not parse(Source("", text)).errors:
            kept.append(text)
    return kept


def seconds(run: Callable[[list[str]], None], texts: list[str]) -> float:
    start = time.process_time()
    run(texts)
    return time.process_time() - start


def compare(title: str, texts: list[str], cls: Any, rounds: int) -> None:
    """Measure all parsers in turn, `rounds` times, and print a table."""
    texts = readable(texts, cls)
    size = sum(map(len, texts)) / 1e6
    runs = {"ours": ours, "ours, read": ours_read, "text_format": theirs(cls)}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(seconds(run, texts))
    print(f"{title}: {len(texts)} texts, {size:.2f} MB, {rounds} rounds")
    peer = times["text_format"]
    for name, taken in times.items():
        best, middle = min(taken), median(taken)
        print(
            f"  {name:12} best {size / best:6.1f} MB/s, median {size / middle:6.1f} MB/s, "
            f"{min(peer) / best:4.1f} and {median(peer) / middle:4.1f} times text_format"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="parsing speed against protobuf's text_format")
    parser.add_argument("files", nargs="*", metavar="FILE")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    collect_seldom()  # as the command does
    cls = net_class()
    compare("made-up net", [made_up_net()], cls, options.rounds)
    if options.files:
        texts = [load_text(path).text for path in options.files]
        compare("given files", texts, cls, options.rounds)


if __name__ == "__main__":
    main()
