"""Settings that stand in defaults, in this file's calls and in literal dictionaries."""

from __future__ import annotations

import pytest

from tests.converters.readers.python_source.support import read
from upconv.converters.ir import operators as ops
from upconv.converters.ir.origin import Source
from upconv.linter.running.engine import check_source

TORCH = "import torch.nn as nn\n"


def kernels(code: str) -> list[tuple[tuple[int, ...], str]]:
    """(kernel, what it was taken from) of the transposed convolutions that were read."""
    found = []
    for layer in read(code).layers:
        if isinstance(layer.operator, ops.ConvTranspose):
            call = layer.origin.written.call
            found.append((layer.operator.kernel, call.assumed if call is not None else ""))
    return found


FUNCTION = TORCH + "def up(c, k{}):\n    return nn.ConvTranspose1d(c, c, k, 2)\n"
CLASS = TORCH + (
    "class Up(nn.Module):\n"
    "    def __init__(self, c, k{}):\n"
    "        self.k = k + 1\n"
    "        self.up = nn.ConvTranspose1d(c, c, self.k, 2)\n"
)


@pytest.mark.parametrize(
    ("code", "kernel", "how"),
    [
        (FUNCTION.format("=3"), 3, "'k' is 3 by default"),
        (FUNCTION.format("") + "up(8, 5)", 5, "'k' is 5 where it is called"),
        (FUNCTION.format("=3") + "up(8, 5)\nup(4, k=5)", 5, "'k' is 5 where it is called"),
        (FUNCTION.format("=3") + "up(8)\nup(4, c)", 3, "'k' is 3 by default"),
        (FUNCTION.format("") + "K = 7\nup(8, **{'k': K})", 7, "'k' is 7 where it is called"),
        (CLASS.format("=2"), 3, "'k' is 2 by default"),
        (CLASS.format("") + "Up(8, k=4)", 5, "'k' is 4 where it is called"),
        (CLASS.format("=9") + "def f(n=3):\n    Up(8, n)", 4, "'n' is 3 by default"),
    ],
)
def test_a_parameter_is_worth_what_the_file_gives_it(code: str, kernel: int, how: str) -> None:
    (found,) = kernels(code)
    assert found[0] == (kernel,)
    assert how in found[1]


METHOD = TORCH + (
    "class Net(nn.Module):\n"
    "    def __init__(self):\n"
    "        self.a = self.block(8, 3)\n"
    "    def block(self, c, k):\n"
    "        return nn.ConvTranspose2d(c, c, k, 2)\n"
)


def test_a_method_is_called_on_self() -> None:
    assert kernels(METHOD) == [((3, 3), "'k' is 3 where it is called")]


@pytest.mark.parametrize(
    "code",
    [
        FUNCTION.format(""),  # nothing says it
        FUNCTION.format("=3") + "up(8, 4)\nup(8, 5)",  # they do not agree
        FUNCTION.format("=3") + "up(8)\nup(8, 5)",
        FUNCTION.format("") + "def g(k):\n    up(8, k)\ndef h(k):\n    g(k)",
        FUNCTION.format("")
        .replace("up(c, k)", "up(c, k=3)")
        .replace("    return", "    k = 1\n    return"),
        TORCH + "def f(n, k):\n    f(n, k)\n    nn.ConvTranspose1d(n, n, k)",  # calls itself
        TORCH + "def f(*k):\n    nn.ConvTranspose1d(1, 1, k)\nf(3)",
    ],
)
def test_what_nothing_settles_is_not_read(code: str) -> None:
    assert kernels(code) == []


OPTIONS = TORCH + "def up(c, **options):\n    return nn.ConvTranspose2d(c, c, **options)\n"
LITERAL = TORCH + "given = {}\nup = nn.ConvTranspose2d(8, 8, **given)\n"


@pytest.mark.parametrize(
    ("code", "kernel", "assumed"),
    [
        (LITERAL.format("{'kernel_size': 3, 'stride': 2}"), 3, ""),
        (LITERAL.format("dict(kernel_size=5, stride=2)"), 5, ""),
        (OPTIONS + "up(8, kernel_size=3)", 3, "'options' as it is called in line 4"),
        (OPTIONS + "s = dict(kernel_size=4)\nup(8, **s)", 4, "'options' as it is called in line 5"),
    ],
)
def test_options_are_what_is_in_them(code: str, kernel: int, assumed: str) -> None:
    assert kernels(code) == [((kernel, kernel), assumed)]


@pytest.mark.parametrize(
    "code",
    [
        OPTIONS,
        OPTIONS + "up(8, kernel_size=3)\nup(8, kernel_size=3, stride=2)",
        OPTIONS + "def g(**more):\n    up(8, **more)\ndef h(**more):\n    g(**more)",
        LITERAL.format("{'kernel_size': 3}").replace("up =", "given['stride'] = 2\nup ="),
        LITERAL.format("{'kernel_size': 3}").replace("up =", "given.update(stride=2)\nup ="),
        LITERAL.format("{**other, 'kernel_size': 3}"),
        LITERAL.format("load()"),
    ],
)
def test_options_that_nothing_settles_are_not_read(code: str) -> None:
    assert kernels(code) == []


TF = (
    "import tensorflow as tf\n"
    "def deconv(x, out, {}):\n"
    "    {}\n"
    "    return tf.nn.conv2d_transpose(x, w, out, [1, s, s, 1])\n"
)


@pytest.mark.parametrize(
    ("parameters", "body", "kernel"),
    [
        ("k=5, s=2", "w = tf.get_variable('w', [k, k, 8, 8])", (5, 5)),
        ("w, size=5, s=2", "pass", (5, 5)),
        ("w, size=5, s=2", "print(size)", None),  # it says something else
        ("w, depth=5, s=2", "pass", None),
        ("w, s=2", "pass", None),
    ],
)
def test_filters_of_tensorflow(parameters: str, body: str, kernel: tuple[int, ...] | None) -> None:
    found = kernels(TF.format(parameters, body))
    assert [one for one, _ in found] == ([kernel] if kernel else [])


def test_a_default_makes_no_error() -> None:
    """Whoever calls it may give others: torch refuses the default, and nothing is said of it."""
    code = TORCH + "def f(o=2):\n    return nn.ConvTranspose2d(1, 1, 2, 2, 0, o)\n"
    assert {f.severity for f in check_source(Source("a.py", code)).findings} <= {"warning", "info"}
    mode = "import torch.nn.functional as F\ndef f(x, mode='nearest'):\n"
    mode += "    return F.interpolate(x, scale_factor=2, mode=mode, align_corners=True)\n"
    assert [f.code for f in check_source(Source("a.py", mode)).findings] == []
