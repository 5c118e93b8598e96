"""What rules about fillers and training read in MXNet's own words."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.make_mxnet import Net
from upconv.linter.running.engine import CheckOptions, check_path


@pytest.mark.parametrize(
    ("users", "told"),
    [
        ({"__lr_mult__": "0.5"}, ["lr_mult is 0.5"]),
        ({"lr_mult": "1"}, ["lr_mult is 1"]),
        ({"__lr_mult__": "0"}, []),
        ({}, []),
        ({"__lr_mult__": "fast"}, []),
    ],
)
def test_a_bilinear_weight_that_would_train(
    users: dict[str, str], told: list[str], tmp_path: Path
) -> None:
    net = Net()
    x = net.variable("data", __shape__="(1, 4, 8, 8)")
    weight = net.variable("up_weight", __init__='["bilinear", {}]', **users)
    text = net.text(
        net.add(
            *("Deconvolution", "up", x, weight),
            kernel="(4, 4)", stride="(2, 2)", pad="(1, 1)", num_filter=4, num_group=4,
        )
    )  # fmt: skip
    path = tmp_path / "net-symbol.json"
    path.write_text(text)
    report = check_path(path, CheckOptions(root=tmp_path))
    found = [one for one in report.findings if one.code == "UP206"]
    assert [one.message.partition("trained: ")[2].partition(" (")[0] for one in found] == told
    places = [one.place.line if one.place else 0 for one in found]
    assert all("lr_mult" in text.splitlines()[line - 1] for line in places)
    assert (
        not {one.code for one in report.findings} & {"UP001", "UP006"} or "fast" in users.values()
    )
