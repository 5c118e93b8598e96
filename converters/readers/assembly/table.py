"""What a reader knows of each name of its format: a table that its families of functions fill."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


class Table(Generic[Function]):
    """The names of a format and the functions that make something of them.

    The functions are entered by the modules of `package` whose names begin with one of
    `families`; these are imported when the table is first asked. A name may mean several things
    (by dialect, by version): each is a variant, "" where there is but one. Entering one twice
    raises ValueError.

    >>> table: Table[Callable[[int], int]] = Table()
    >>> @table.enters("Double", "Twice")
    ... def _double(number: int) -> int:
    ...     return 2 * number
    >>> list(table), table["Twice"](4)
    (['Double', 'Twice'], 8)
    """

    def __init__(self, package: str = "", *families: str) -> None:
        self._package = package
        self._families = families
        self._loaded = not package
        self._entries: dict[str, dict[str, Function]] = {}

    def enters(self, *names: str, variant: str = "") -> Callable[[Function], Function]:
        """Decorator: the function is what these names mean."""

        def enter(function: Function) -> Function:
            for name in names:
                variants = self._entries.setdefault(name, {})
                if variant in variants:
                    shown = f"{name} ({variant})" if variant else name
                    raise ValueError(f"{shown} is entered twice")
                variants[variant] = function
            return function

        return enter

    def variants(self, name: str) -> dict[str, Function]:
        """Variant -> function of a name; KeyError where it is not known."""
        self._load()
        return self._entries[name]

    def get(self, name: str) -> Function | None:
        """The function of a name that has one meaning; None where it is not known."""
        self._load()
        return self._entries.get(name, {}).get("")

    def __getitem__(self, name: str) -> Function:
        return self.variants(name)[""]

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(self._entries)

    def __len__(self) -> int:
        self._load()
        return len(self._entries)

    def _load(self) -> None:
        """Import the families, which enter their functions."""
        if self._loaded:
            return
        from importlib import import_module

        folders = import_module(self._package).__path__
        for file in sorted(name for folder in folders for name in os.listdir(folder)):
            family, end = os.path.splitext(file)
            if family.startswith(self._families) and end == ".py":
                import_module(f"{self._package}.{family}")
        self._loaded = True
