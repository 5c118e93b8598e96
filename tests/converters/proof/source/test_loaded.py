"""What is a framework's refusal, and what is a mistake of ours."""

from __future__ import annotations

import pytest

from upconv.converters.ir.errors import UnreadableError, UnsupportedError, UsageError
from upconv.converters.proof.source.loaded import asking, by_name, in_order


@pytest.mark.parametrize("error", [AttributeError, RuntimeError, LookupError, OSError])
def test_whatever_a_framework_raises_is_its_refusal(error: type[Exception]) -> None:
    with (
        pytest.raises(
            UnreadableError, match=r"net\.pt2: PyTorch refuses it: .*the reason"
        ) as caught,
        asking("PyTorch", "net.pt2"),
    ):
        raise error("the\nreason")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("error", [UsageError("no torch"), MemoryError("1 TB")])
def test_other_errors_pass(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, asking("PyTorch", "net.pt2"):
        raise error
    assert caught.value is error


def test_inputs_that_upconv_does_not_know_are_told() -> None:
    assert in_order(["b", "a"], {"a": 1, "b": 2}) == [2, 1]
    with pytest.raises(UnsupportedError, match=r"its inputs are a, c, and upconv reads a, b"):
        in_order(["a", "c"], {"a": 1, "b": 2})


def test_outputs_of_another_number_are_told() -> None:
    assert by_name(["y"], [1], "outputs") == {"y": 1}
    with pytest.raises(UnsupportedError, match=r"it has 2 outputs, and upconv reads 1: y"):
        by_name(["y"], [1, 2], "outputs")
