from __future__ import annotations

import ast
from typing import Any

import pytest

from upconv.converters.readers.python_source.scopes import Scope
from upconv.converters.readers.python_source.values import NotConstantError, evaluate
from upconv.converters.readers.python_source.walking import walk


def value(code: str) -> Any:
    """What the last expression of a piece of code is worth in the scope it stands in."""
    module = Scope("module")
    visits = list(walk(ast.parse(code), module))
    last = [
        v for v in visits if isinstance(v.node, ast.Expr) and isinstance(v.node.value, ast.expr)
    ]
    assert isinstance(last[-1].node, ast.Expr)
    return evaluate(last[-1].node.value, last[-1].scope)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("(4 - 2) // 2", 1),
        ("-3 + 2 ** 3 % 5", 0),
        ("K = 3\nK - 1", 2),
        ("A = B\nB = (2, [3, 4])\nA", (2, (3, 4))),
        ("S = [2, 4, 8]\nS[-1]", 8),
        ("(2,) * 3", (2, 2, 2)),
        ("int(7 / 2)", 3),
        ("F = True\n4 if F else 3", 4),
        ("a, (b, c) = 1, (2, 3)\nb", 2),
        ("K = 4\ndef f():\n    k = K * 2\n    def g():\n        k", 8),
        ("class C:\n    K = 4\n    K", 4),
        ("n: int = 5\nn", 5),
        ("'half' + 'way'", "halfway"),
        ("None", None),
        ("class C:\n def f(self):\n  self.k = K\n def g(self):\n  self.k + 1\nK = 4", 5),
        ("class C:\n def f(self):\n  self.k, self.n = 4, 5\n  [self.k for i in x]\n  self.n", 5),
        ("s = [1, 2]\ns.index(2)\ns[0]", 1),
    ],
)
def test_what_a_file_decides(code: str, expected: Any) -> None:
    assert value(code) == expected


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("def f(k=4):\n    k", "'k' is a parameter"),
        ("k = 3\nk = 4\nk", "'k' is bound 2 times"),
        ("k = 3\nk += 1\nk", "'k' is bound 2 times"),
        ("s = [1, 2]\ns[0] = 5\ns", "'s' is bound 2 times"),
        ("for k in (1, 2):\n    k", "'k' is a loop's variable"),
        ("[k for k in (1, 2)]\nk", "'k' is not bound"),
        ("class C:\n    K = 4\n    def f(self):\n        K", "'K' is not bound"),
        ("def f():\n    global K\n    K = 5\nK = 4\nK", "'K' is bound 2 times"),
        ("def f():\n    k = 1\n    def g():\n        nonlocal k\n        k = 2\n    k", "2 times"),
        ("self.k", "'self.k' is not constant"),
        ("class C:\n def f(self, k):\n  self.k = k\n  self.k", "'k' is a parameter"),
        ("class C:\n def f(self):\n  self.k = 4\n  self.k = 3\n  self.k", "not constant"),
        ("class C:\n def f(self):\n  self.k = 4\n  self.k += 1\n  self.k", "not constant"),
        ("class C:\n def f(self):\n  self.k = [4]\n  self.k[0] = 3\n  self.k", "not constant"),
        ("class C:\n def f(self):\n  self.k = [4]\n  self.k.pop()\n  self.k", "not constant"),
        ("class C:\n def f(self):\n  self.k = 4\n  self.k\nc.k = 5\n", "not constant"),
        ("class C:\n k = 3\n def f(self):\n  self.k = 4\n  self.k", "not constant"),
        ("class C:\n def f(self):\n  self.k = 4\nclass D:\n def f(self):\n  self.k", "not"),
        ("class C:\n def f(self):\n  for self.k in x: self.k", "not constant"),
        ("class C:\n k = 3\n def f(self):\n  self.k", "not constant"),
        ("def f(self):\n self.k = 4\n self.k", "not constant"),
        ("s = [1]\ns.append(2)\ns[-1]", "'s' is bound 2 times"),
        ("int(x)", "'x' is not bound"),
        ("int = 3\nint(4)", "not constant"),
        ("from m import k\nk", "'k' is imported"),
        ("k = k\nk", "too long"),
        ("1 / 0", "division by zero"),
        ("(1, 2)[5]", "out of range"),
        ("10 ** 100", "a large power"),
        ("'a' * 100000000", "a repetition"),
        ("(0,) * 100000000", "a repetition"),
        ("1e308 * 10", "out of range"),
        ("float('nan')", "out of range"),
        ("1j", "not constant"),
        ("lambda: 3", "not constant"),
    ],
)
def test_what_it_does_not(code: str, why: str) -> None:
    with pytest.raises(NotConstantError, match=why):
        value(code)


def test_names_that_double_at_every_step_come_to_an_end() -> None:
    doubling = "\n".join(f"a{i} = (a{i + 1}, a{i + 1})" for i in range(60))
    with pytest.raises(NotConstantError, match="too long"):
        value(f"{doubling}\na60 = 1\na0")
    sums = "\n".join(f"a{i} = a{i + 1} + a{i + 1}" for i in range(38))
    with pytest.raises(NotConstantError):
        value(f"{sums}\na38 = (1,)\na0")
