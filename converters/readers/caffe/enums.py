"""The enums of caffe.proto, by name and number: a file may give either."""

from __future__ import annotations

from typing import Final

ELTWISE: Final = {"PROD": 0, "SUM": 1, "MAX": 2}
REDUCTION: Final = {"SUM": 1, "ASUM": 2, "SUMSQ": 3, "MEAN": 4}
REGIONS: Final = {"ACROSS_CHANNELS": 0, "WITHIN_CHANNEL": 1}
POOLS: Final = {"MAX": 0, "AVE": 1, "STOCHASTIC": 2}
ROUNDINGS: Final = {"CEIL": 0, "FLOOR": 1}
MERGES: Final = {"STACK": 0, "ADD": 1}
RESAMPLES: Final = {"NEAREST": 1, "LINEAR": 2, "CUBIC": 3, "AREA": 4}
UNPOOLS: Final = {"MAX": 0, "AVE": 1, "TILE": 2}

VALUES: Final = {
    ("EltwiseParameter", "operation"): ELTWISE,
    ("LRNParameter", "norm_region"): REGIONS,
    ("MergeCropParameter", "operation"): MERGES,
    ("PoolingParameter", "pool"): POOLS,
    ("PoolingParameter", "round_mode"): ROUNDINGS,
    ("ReductionParameter", "operation"): REDUCTION,
    ("ResampleParameter", "type"): RESAMPLES,
    ("SPPParameter", "pool"): POOLS,
    ("UnpoolingParameter", "unpool"): UNPOOLS,
}
"""Message and field -> the enum that its values are of."""
