"""What the rules say of Keras layers, against what Keras does with the same text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from itertools import product

import pytest

from upconv.converters.ir.origin import Source
from upconv.linter.running.engine import check_source

CASES = [
    f"keras.layers.Conv2DTranspose(2, {kernel}, {stride}, {padding!r}, {extra})"
    for kernel, stride, padding, extra in product(
        (1, 2, 3, 4), (1, 2, 3), ("same", "valid"), (None, 0, 1, 2)
    )
]

SCRIPT = """
import json, sys
import keras, numpy
def runs(text):
    try:
        eval(text)(numpy.zeros((1, 5, 6, 3), "float32"))
    except Exception:
        return False
    return True
print(json.dumps([runs(text) for text in json.load(sys.stdin)]))
"""


@pytest.mark.skipif(
    find_spec("keras") is None or find_spec("tensorflow") is None, reason="needs TensorFlow"
)
def test_layers_that_are_called_failing_fail() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(CASES),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    runs = json.loads(done.stdout.splitlines()[-1])
    assert len(CASES) == 96
    for text, accepted in zip(CASES, runs, strict=True):
        report = check_source(Source("net.py", f"import keras\nup = {text}"))
        codes = {finding.code for finding in report.findings}
        assert ("UP330" not in codes) == accepted, text
