"""Tables of lowerings: names entered once, families that are imported when they are asked for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from upconv.converters.readers.assembly.table import Table
from upconv.converters.readers.caffe.lowering import LOWERINGS


def _one() -> int:
    return 1


def test_a_name_entered_twice_raises() -> None:
    table: Table[Callable[[], int]] = Table()
    table.enters("Resize", "Upsample")(_one)
    table.enters("Upsample", variant="9")(_one)
    with pytest.raises(ValueError, match="Resize is entered twice"):
        table.enters("Resize")(_one)
    with pytest.raises(ValueError, match=r"Upsample \(9\) is entered twice"):
        table.enters("Upsample", variant="9")(_one)
    assert list(table) == ["Resize", "Upsample"]
    assert table.variants("Upsample").keys() == {"", "9"}


def test_what_is_not_known() -> None:
    table: Table[Callable[[], int]] = Table()
    table.enters("Upsample", variant="9")(_one)
    assert "Resize" not in table
    assert table.get("Resize") is None
    assert table.get("Upsample") is None
    with pytest.raises(KeyError):
        table["Resize"]


def test_families_are_imported_when_they_are_asked_for() -> None:
    program = """if True:
        import sys
        from upconv.converters.readers.caffe.lowering import LOWERINGS
        family = "upconv.converters.readers.caffe.layers_core"
        assert family not in sys.modules
        assert "Crop" in LOWERINGS
        assert family in sys.modules
    """
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    assert {"", "segnet"} & LOWERINGS.variants("Upsample").keys() == {"segnet"}
