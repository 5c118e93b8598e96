"""The fields of TensorFlow's messages that are read, by number (wire) and by name (text).

From tensorflow/core/framework/{graph,node_def,attr_value,tensor,function}.proto and
tensorflow/core/protobuf/{saved_model,meta_graph,saver,tensor_bundle}.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from upconv.converters.readers.assembly.element_types import DType

Kind: TypeAlias = Literal["text", "bytes", "int", "float", "double", "bool", "enum", "record"]


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field: its number, what it holds, and for a message which."""

    number: int
    kind: Kind
    record: str = ""


Schema: TypeAlias = Mapping[str, FieldSpec]


def _schema(text: str) -> Schema:
    """Fields written as `name=number:kind`, a message's kind being its name."""
    found: dict[str, FieldSpec] = {}
    for item in text.split():
        name, _, rest = item.partition("=")
        number, _, kind = rest.partition(":")
        plain = kind in _KINDS
        found[name] = FieldSpec(int(number), kind if plain else "record", "" if plain else kind)  # type: ignore[arg-type]
    return found


_KINDS: Final = frozenset({"text", "bytes", "int", "float", "double", "bool", "enum"})

SCHEMAS: Final[Mapping[str, Schema]] = {
    name: _schema(text)
    for name, text in {
        "SavedModel": "saved_model_schema_version=1:int meta_graphs=2:MetaGraphDef",
        "MetaGraphDef": "meta_info_def=1:MetaInfoDef graph_def=2:GraphDef saver_def=3:SaverDef "
        "signature_def=5:SignatureEntry object_graph_def=7:SavedObjectGraph",
        "SavedObjectGraph": "concrete_functions=2:ConcreteFunctionEntry",
        "ConcreteFunctionEntry": "key=1:text value=2:SavedConcreteFunction",
        "SavedConcreteFunction": "bound_inputs=2:int",
        "TrackableObjectGraph": "nodes=1:TrackableObject",
        "TrackableObject": "attributes=2:SerializedTensor",
        "SerializedTensor": "name=1:text full_name=2:text checkpoint_key=3:text",
        "MetaInfoDef": "tags=4:text tensorflow_version=5:text",
        "SaverDef": "filename_tensor_name=1:text save_tensor_name=2:text restore_op_name=3:text "
        "version=7:enum",
        "SignatureEntry": "key=1:text value=2:SignatureDef",
        "SignatureDef": "inputs=1:TensorInfoEntry outputs=2:TensorInfoEntry method_name=3:text",
        "TensorInfoEntry": "key=1:text value=2:TensorInfo",
        "TensorInfo": "name=1:text dtype=2:enum tensor_shape=3:TensorShapeProto",
        "GraphDef": "node=1:NodeDef library=2:FunctionDefLibrary",
        "FunctionDefLibrary": "function=1:FunctionDef",
        "FunctionDef": "signature=1:OpDef node_def=3:NodeDef ret=4:TextEntry",
        "OpDef": "name=1:text input_arg=2:ArgDef output_arg=3:ArgDef",
        "ArgDef": "name=1:text type=3:enum",
        "TextEntry": "key=1:text value=2:text",
        "NodeDef": "name=1:text op=2:text input=3:text device=4:text attr=5:AttrEntry",
        "AttrEntry": "key=1:text value=2:AttrValue",
        "AttrValue": "list=1:ListValue s=2:bytes i=3:int f=4:float b=5:bool type=6:enum "
        "shape=7:TensorShapeProto tensor=8:TensorProto func=10:NameAttrList",
        "ListValue": "s=2:bytes i=3:int f=4:float b=5:bool type=6:enum shape=7:TensorShapeProto",
        "NameAttrList": "name=1:text",
        "TensorShapeProto": "dim=2:Dim unknown_rank=3:bool",
        "Dim": "size=1:int",
        "TensorProto": "dtype=1:enum tensor_shape=2:TensorShapeProto tensor_content=4:bytes "
        "float_val=5:float double_val=6:double int_val=7:int string_val=8:bytes int64_val=10:int "
        "bool_val=11:bool half_val=13:int uint32_val=16:int uint64_val=17:int",
        "BundleHeaderProto": "num_shards=1:int endianness=2:enum",
        "BundleEntryProto": "dtype=1:enum shape=2:TensorShapeProto shard_id=3:int offset=4:int "
        "size=5:int crc32c=6:int slices=7:TensorSliceProto",
        "TensorSliceProto": "",
    }.items()
}


DTYPES: Final[Mapping[int, DType]] = {
    1: DType("float", "<f4", "float_val"),
    2: DType("double", "<f8", "double_val"),
    3: DType("int32", "<i4", "int_val"),
    4: DType("uint8", "<u1", "int_val"),
    5: DType("int16", "<i2", "int_val"),
    6: DType("int8", "<i1", "int_val"),
    7: DType("string", "", "string_val"),
    9: DType("int64", "<i8", "int64_val"),
    10: DType("bool", "<b1", "bool_val"),
    14: DType("bfloat16", "<u2", "half_val"),
    17: DType("uint16", "<u2", "int_val"),
    19: DType("half", "<f2", "half_val"),
    20: DType("resource"),
    21: DType("variant"),
    22: DType("uint32", "<u4", "uint32_val"),
    23: DType("uint64", "<u8", "uint64_val"),
}
"""DataType's numbers; a reference type is 100 more."""

DTYPE_NUMBERS: Final[Mapping[str, int]] = {
    f"DT_{dtype.name.upper()}": number for number, dtype in DTYPES.items()
}
"""The names that text files have."""

ENUMS: Final[Mapping[str, int]] = {
    **DTYPE_NUMBERS,
    **{f"{name}_REF": number + 100 for name, number in DTYPE_NUMBERS.items()},
    **{"LEGACY": 0, "V1": 1, "V2": 2, "LITTLE": 0, "BIG": 1},
}


def dtype_of(number: int) -> DType:
    """The element type of a number; one that is not read has no `numpy`.

    >>> dtype_of(101).name, dtype_of(8).name
    ('float', 'DataType(8)')
    """
    return DTYPES.get(number % 100, DType(f"DataType({number})"))
