"""The table of facets: what every operator has beside its record."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from tests.converters.operator_cases import MAKERS
from upconv.converters.audit.conditions import CONDITIONS
from upconv.converters.ir import operators as ops
from upconv.converters.ir.alignment import MAPS
from upconv.converters.ir.registry import OperatorTable
from upconv.converters.ir.shapes import SHAPES
from upconv.converters.onnx_writer.emitters import EMITTERS
from upconv.converters.proof.certificates import CERTIFICATES
from upconv.converters.reference import MEANINGS

OPERATORS = get_args(ops.Operator)
FACETS: list[OperatorTable[Any]] = [SHAPES, CONDITIONS, MAPS, MEANINGS, EMITTERS, CERTIFICATES]


@pytest.mark.parametrize("record", OPERATORS, ids=lambda record: record.__name__)
@pytest.mark.parametrize("table", FACETS, ids=lambda table: table.facet)
def test_every_operator_but_unknown_has_every_facet(
    table: OperatorTable[Any], record: type
) -> None:
    assert (record in table) is (record is not ops.Unknown)


def test_every_operator_is_tried_with_random_settings() -> None:
    assert set(MAKERS) == set(OPERATORS) - {ops.Unknown}


def test_a_facet_is_given_once() -> None:
    table: OperatorTable[Any] = OperatorTable("colour")
    table.register(ops.Relu, ops.Abs)(print)
    with pytest.raises(ValueError, match="colour of Abs is given twice"):
        table.register(ops.Abs)(print)
