"""Records, frozen as a rule, without generated code.

`dataclass(frozen=True, slots=True)` compiles six functions for each class, 0.4 ms, which for the
hundred classes that a check of one net imports would take a third of its time. `record` makes the
same kind of class (fields, `replace`, `match`, equality, hash, repr, pickling) from shared
functions. To a type checker it is `dataclass` itself. Where instances are made or compared by the
hundred thousand, as in `dims`, `quick_record` generates those two functions alone, in 0.04 ms, and
is as quick as `dataclass` in what they do.

>>> from dataclasses import replace
>>> @record(frozen=True, slots=True)
... class Window:
...     kernel: int
...     stride: int = 1
>>> replace(Window(3), stride=2)
Window(kernel=3, stride=2)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["quick_record", "record"]

if TYPE_CHECKING:
    from dataclasses import dataclass as quick_record
    from dataclasses import dataclass as record
else:
    from collections.abc import Callable
    from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
    from inspect import get_annotations
    from operator import attrgetter

    def record(*, frozen: bool = False, slots: bool, eq: bool = True) -> Callable[[type], type]:
        """Decorator: the class is a slotted record, one like itself alone where it has no `eq`. One
        that changes while it is filled is not `frozen`, and has no hash unless it has no `eq`.
        `InitVar`, `init=False` and `__post_init__` are not supported."""
        assert slots, "a record has slots"
        make = _compared if eq else _record
        return make if frozen else lambda cls: _thawed(make(cls))

    def quick_record(*, frozen: bool, slots: bool) -> Callable[[type], type]:
        """Decorator: the same with a constructor and a comparison of its own. `init=False` and
        `__post_init__` are understood, factories of defaults are not."""
        assert frozen, "a record is frozen"
        assert slots, "a record has slots"
        return _quick

    @dataclass(init=False, repr=False, eq=False)
    class _Sample:
        """Without this text dataclass would write one."""

        one: int

    _SAMPLE = fields(_Sample)[0]

    def _slotted(cls: type, eq: bool) -> type:
        """The class with slots, what `dataclasses` knows its own by, and the shared functions,
        which are there as it is made: to enter them one by one takes half as long again. That
        module would look for a ClassVar in the text of each annotation, and take as long as all."""
        own, declared = dict(vars(cls)), {}  # type: dict[str, object], dict[str, Field]
        for name, annotation in get_annotations(cls).items():
            default = own.pop(name, MISSING)
            one = default if isinstance(default, Field) else field(default=default)
            one.name, one.type, one.kw_only = name, annotation, False
            one._field_type = _SAMPLE._field_type
            declared[name] = one
        for name in ("__dict__", "__weakref__"):
            own.pop(name, None)
        members = {"__repr__": _represent, **(_comparisons(declared) if eq else {}), **own}
        members |= _SHARED
        members["__slots__"] = names = tuple(declared)
        members["__match_args__"] = tuple(name for name, one in declared.items() if one.init)
        members["__dataclass_fields__"] = declared
        made = type(cls)(cls.__name__, cls.__bases__, members)
        made.__qualname__ = cls.__qualname__
        made.__doc__ = cls.__doc__ or f"{cls.__name__}({', '.join(names)})"
        return made

    def _record(cls: type, eq: bool = False) -> type:
        made = _slotted(cls, eq)
        made.__init__ = _initializer(made, tuple(made.__dataclass_fields__.values()))
        return made

    def _compared(cls: type) -> type:
        return _record(cls, eq=True)

    def _comparisons(declared: dict[str, Field]) -> dict[str, object]:
        compared = tuple(name for name, one in declared.items() if one.compare)
        values = attrgetter(*compared) if compared else lambda self: ()
        return {
            "__eq__": lambda self, other: (
                values(self) == values(other)
                if other.__class__ is self.__class__
                else NotImplemented
            ),
            "__hash__": lambda self: hash(values(self)),
        }

    def _thawed(made: type) -> type:
        made.__setattr__, made.__delattr__ = object.__setattr__, object.__delattr__
        if made.__eq__ is not object.__eq__:
            made.__hash__ = None
        return made

    def _quick(cls: type) -> type:
        """The text names fields, which are identifiers, and nothing else of the class."""
        made = _compared(cls)
        taken = [one for one in fields(made) if one.init]
        known = {f"set_{one.name}": getattr(made, one.name).__set__ for one in taken}
        known |= {f"default_{one.name}": one.default for one in taken}
        ask = "".join(
            f", {one.name}" + (f"=default_{one.name}" if one.default is not MISSING else "")
            for one in taken
        )
        lines = [f"set_{one.name}(self, {one.name})" for one in taken]
        lines += ["self.__post_init__()"] * hasattr(made, "__post_init__")
        compared = [one.name for one in fields(made) if one.compare]
        mine, others = ("".join(f"{who}.{x}, " for x in compared) for who in ("self", "other"))
        text = f"""
def __init__(self{ask}):
    {"; ".join(lines)}
def __eq__(self, other):
    if other.__class__ is not self.__class__: return NotImplemented
    return ({mine}) == ({others})
"""
        exec(text, known)
        made.__init__, made.__eq__ = known["__init__"], known["__eq__"]
        return made

    def _initializer(made: type, declared: tuple[Field, ...]) -> Callable[..., None]:
        title, count = made.__qualname__, len(declared)
        setters = tuple(getattr(made, field.name).__set__ for field in declared)
        pairs = tuple((field.name, setter) for field, setter in zip(declared, setters, strict=True))
        defaults = {f.name: f.default for f in declared if f.default is not MISSING}
        makers = {f.name: f.default_factory for f in declared if f.default_factory is not MISSING}

        def initialize(self, *args, **named):
            for enter, value in zip(setters, args):  # noqa: B905  (its keyword takes time)
                enter(self, value)
            if len(args) == count and not named:
                return
            if len(args) > count:
                raise TypeError(f"{title}() takes {count} arguments, {len(args)} were given")
            for name, enter in pairs[len(args) :]:
                if name in named:
                    enter(self, named.pop(name))
                elif name in defaults:
                    enter(self, defaults[name])
                elif name in makers:
                    enter(self, makers[name]())
                else:
                    raise TypeError(f"{title}() misses the argument '{name}'")
            if named:
                raise TypeError(f"{title}() cannot take {', '.join(map(repr, named))}")

        return initialize

    def _represent(self) -> str:
        shown = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.repr)
        return f"{type(self).__qualname__}({shown})"

    def _refuse(self, name: str, value: object = None) -> None:
        raise FrozenInstanceError(f"cannot change field '{name}'")

    def _state(self) -> list[object]:
        return [getattr(self, field.name) for field in fields(self)]

    def _restore(self, state: list[object]) -> None:
        for one, value in zip(fields(self), state, strict=True):
            object.__setattr__(self, one.name, value)

    _SHARED = {
        "__setattr__": _refuse,
        "__delattr__": _refuse,
        "__getstate__": _state,
        "__setstate__": _restore,
        "__dataclass_params__": _Sample.__dataclass_params__,
    }
