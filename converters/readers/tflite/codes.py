"""BuiltinOperator of the schema: the numbers of the operators, and of those that TensorFlow has
with the same inputs its operation, its attributes and what they are among the options."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

CUSTOM: Final = 32

_LISTED: Final = """
    ADD=0:AddV2!0 AVERAGE_POOL_2D=1 CONCATENATION=2 CONV_2D=3 DEPTHWISE_CONV_2D=4
    DEPTH_TO_SPACE=5:DepthToSpace(block_size=0i) DEQUANTIZE=6 FLOOR=8:Floor FULLY_CONNECTED=9
    L2_NORMALIZATION=11 L2_POOL_2D=12
    LOCAL_RESPONSE_NORMALIZATION=13:LRN(depth_radius=0i,bias=1f,alpha=2f,beta=3f)
    LOGISTIC=14:Sigmoid LSTM=16 MAX_POOL_2D=17 MUL=18:Mul!0 RELU=19:Relu RELU_N1_TO_1=20
    RELU6=21:Relu6 RESHAPE=22
    RESIZE_BILINEAR=23:ResizeBilinear(align_corners=2b,half_pixel_centers=3b) RNN=24 SOFTMAX=25
    SPACE_TO_DEPTH=26:SpaceToDepth(block_size=0i) TANH=28:Tanh PAD=34:Pad
    UNIDIRECTIONAL_SEQUENCE_RNN=35 GATHER=36 BATCH_TO_SPACE_ND=37
    SPACE_TO_BATCH_ND=38:SpaceToBatchND TRANSPOSE=39:Transpose MEAN=40:Mean(keep_dims=0b)
    SUB=41:Sub!0 DIV=42 SQUEEZE=43 UNIDIRECTIONAL_SEQUENCE_LSTM=44 STRIDED_SLICE=45 EXP=47:Exp
    TOPK_V2=48 SPLIT=49 LOG_SOFTMAX=50:LogSoftmax CAST=53 PRELU=54 MAXIMUM=55:Maximum
    ARG_MAX=56:ArgMax MINIMUM=57:Minimum LESS=58:Less NEG=59:Neg PADV2=60:PadV2 GREATER=61:Greater
    GREATER_EQUAL=62:GreaterEqual LESS_EQUAL=63:LessEqual SELECT=64:Select SLICE=65:Slice
    SIN=66:Sin TRANSPOSE_CONV=67 TILE=69:Tile EXPAND_DIMS=70:ExpandDims EQUAL=71:Equal
    NOT_EQUAL=72:NotEqual LOG=73:Log SUM=74:Sum(keep_dims=0b) SQRT=75:Sqrt RSQRT=76:Rsqrt
    SHAPE=77:Shape POW=78:Pow ARG_MIN=79:ArgMin REDUCE_PROD=81:Prod(keep_dims=0b)
    REDUCE_MAX=82:Max(keep_dims=0b) PACK=83:Pack(axis=1i) LOGICAL_OR=84:LogicalOr ONE_HOT=85
    LOGICAL_AND=86:LogicalAnd LOGICAL_NOT=87:LogicalNot UNPACK=88:Unpack(axis=1i)
    REDUCE_MIN=89:Min(keep_dims=0b) FLOOR_DIV=90:FloorDiv REDUCE_ANY=91:Any(keep_dims=0b)
    SQUARE=92:Square ZEROS_LIKE=93:ZerosLike FILL=94:Fill FLOOR_MOD=95:FloorMod RANGE=96:Range
    RESIZE_NEAREST_NEIGHBOR=97:ResizeNearestNeighbor(align_corners=0b,half_pixel_centers=1b)
    LEAKY_RELU=98:LeakyRelu(alpha=0f) SQUARED_DIFFERENCE=99:SquaredDifference MIRROR_PAD=100
    ABS=101:Abs SPLIT_V=102:SplitV CEIL=104:Ceil REVERSE_V2=105:ReverseV2 ADD_N=106:AddN
    GATHER_ND=107 COS=108:Cos RANK=110:Rank ELU=111:Elu QUANTIZE=114 ROUND=116:Round
    HARD_SWISH=117 IF=118 WHILE=119 SCATTER_ND=122 SELECT_V2=123:SelectV2
    BATCH_MATMUL=126:BatchMatMulV2(adj_x=0b,adj_y=1b) CUMSUM=128:Cumsum(exclusive=0b,reverse=1b)
    CALL_ONCE=129 BROADCAST_TO=130:BroadcastTo CONV_3D=132 CONV_3D_TRANSPOSE=141 VAR_HANDLE=142
    READ_VARIABLE=143 ASSIGN_VARIABLE=144 GELU=150 SIGN=158:Sign
    EMBEDDING_LOOKUP=7 HASHTABLE_LOOKUP=10 LSH_PROJECTION=15 SVDF=27 CONCAT_EMBEDDINGS=29
    SKIP_GRAM=30 CALL=31 EMBEDDING_LOOKUP_SPARSE=33 BIDIRECTIONAL_SEQUENCE_RNN=46 DELEGATE=51
    BIDIRECTIONAL_SEQUENCE_LSTM=52 SPARSE_TO_DENSE=68 FAKE_QUANT=80 UNIQUE=103 WHERE=109
    REVERSE_SEQUENCE=112 MATRIX_DIAG=113 MATRIX_SET_DIAG=115 NON_MAX_SUPPRESSION_V4=120
    NON_MAX_SUPPRESSION_V5=121 DENSIFY=124 SEGMENT_SUM=125 RFFT2D=131 IMAG=133 REAL=134
    COMPLEX_ABS=135 HASHTABLE=136 HASHTABLE_FIND=137 HASHTABLE_IMPORT=138 HASHTABLE_SIZE=139
    REDUCE_ALL=140 BROADCAST_ARGS=145 RANDOM_STANDARD_NORMAL=146 BUCKETIZE=147
    RANDOM_UNIFORM=148 MULTINOMIAL=149 DYNAMIC_UPDATE_SLICE=151 RELU_0_TO_1=152
    UNSORTED_SEGMENT_PROD=153 UNSORTED_SEGMENT_MAX=154 UNSORTED_SEGMENT_SUM=155 ATAN2=156
    UNSORTED_SEGMENT_MIN=157 BITCAST=159 BITWISE_XOR=160 RIGHT_SHIFT=161 STABLEHLO_LOGISTIC=162
    STABLEHLO_ADD=163 STABLEHLO_DIVIDE=164 STABLEHLO_MULTIPLY=165 STABLEHLO_MAXIMUM=166
    STABLEHLO_RESHAPE=167 STABLEHLO_CLAMP=168 STABLEHLO_CONCATENATE=169
    STABLEHLO_BROADCAST_IN_DIM=170 STABLEHLO_CONVOLUTION=171 STABLEHLO_SLICE=172
    STABLEHLO_CUSTOM_CALL=173 STABLEHLO_REDUCE=174 STABLEHLO_ABS=175 STABLEHLO_AND=176
    STABLEHLO_COSINE=177 STABLEHLO_EXPONENTIAL=178 STABLEHLO_FLOOR=179 STABLEHLO_LOG=180
    STABLEHLO_MINIMUM=181 STABLEHLO_NEGATE=182 STABLEHLO_OR=183 STABLEHLO_POWER=184
    STABLEHLO_REMAINDER=185 STABLEHLO_RSQRT=186 STABLEHLO_SELECT=187 STABLEHLO_SUBTRACT=188
    STABLEHLO_TANH=189 STABLEHLO_SCATTER=190 STABLEHLO_COMPARE=191 STABLEHLO_CONVERT=192
    STABLEHLO_DYNAMIC_SLICE=193 STABLEHLO_DYNAMIC_UPDATE_SLICE=194 STABLEHLO_PAD=195
    STABLEHLO_IOTA=196 STABLEHLO_DOT_GENERAL=197 STABLEHLO_REDUCE_WINDOW=198 STABLEHLO_SORT=199
    STABLEHLO_WHILE=200 STABLEHLO_GATHER=201 STABLEHLO_TRANSPOSE=202 DILATE=203
    STABLEHLO_RNG_BIT_GENERATOR=204 REDUCE_WINDOW=205 STABLEHLO_COMPOSITE=206
    STABLEHLO_SHIFT_LEFT=207 STABLEHLO_CBRT=208 STABLEHLO_CASE=209
"""
"""NAME=number:Operation(attribute=option,...)!activation. Behind the number of an option stands
what it is: a truth (b), a whole number (i), a real one (f). Those at the end are only named."""


@dataclass(frozen=True, slots=True)
class Same:
    """An operation of TensorFlow with an operator's inputs: attribute -> option and its kind, and
    which option is the fused activation."""

    op: str
    attributes: tuple[tuple[str, int, str], ...]
    activation: int | None


_ENTRY: Final = re.compile(r"(\w+)=(\d+)(?::(\w+)(?:\((\S*)\))?(?:!(\d))?)?")
_ATTRIBUTE: Final = re.compile(r"(\w+)=(\d+)(\w)")


def _table() -> tuple[dict[int, str], dict[str, Same]]:
    names: dict[int, str] = {}
    same: dict[str, Same] = {}
    for name, number, op, attributes, fused in _ENTRY.findall(_LISTED):
        names[int(number)] = name
        found = _ATTRIBUTE.findall(attributes)
        if op:
            triples = tuple((key, int(option), kind) for key, option, kind in found)
            same[name] = Same(op, triples, int(fused) if fused else None)
    return names, same


NAMES, SAME = _table()


def name_of(code: int) -> str:
    """What the schema calls an operator.

    >>> name_of(67), name_of(999)
    ('TRANSPOSE_CONV', 'builtin operator 999')
    """
    return NAMES.get(code, f"builtin operator {code}")
