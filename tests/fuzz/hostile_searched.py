"""Texts that are searched for words, comments and marks: none may be read again and again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from tests.fuzz.making import write
from tests.support import ROOT

SEARCHED: Final = 500_000
"""Characters of a text that is searched; no budget counts them, so a tenth would show nothing."""


_TRAINED: Final = ROOT / "fixtures" / "rules" / "UP208" / "bad.prototxt"


def searched(folder: Path) -> None:
    """What begins like what is looked for, again and again: each beginning is read to its end."""
    for name, text in {
        "escaped_quotes": "layer { a: : " + '\\"' * SEARCHED,
        "open_quotes": "layer { a: : " + '"\\' * SEARCHED,
        "other_quotes": "layer { a: : " + "'\\" * SEARCHED,
        "templates": "layer { a: " + "${" * SEARCHED,
        "braces": "layer { a: " + "a" * SEARCHED + "{{" * SEARCHED,
        "comments": "/*" * SEARCHED,
        "words": "layer { " + "a" * SEARCHED + " " + "-" * SEARCHED,
    }.items():
        write(folder, f"{name}.prototxt", text)
    keras = (
        "from tensorflow.keras.layers import Conv2DTranspose\nConv2DTranspose(3, 2, strides=2)\n"
    )
    for name, text in {
        "lines": "\n" * SEARCHED,
        "quoted": '"""\n' + '"\n' * SEARCHED + '"""\n',
        "ignores": "#" + " upconv: ignore[" * (SEARCHED // 10),
        "python_2": "except " + "except , a" * SEARCHED,
    }.items():
        write(folder, f"searched_{name}.py", keras + text)
    shutil.copy(_TRAINED, folder / "net.prototxt")
    write(folder, "solver.prototxt", "\n" * SEARCHED + "net: 'other.prototxt'")
    write(folder, "train.py", "import caffe\ncaffe.SGDSolver('solver.prototxt')\n")
