"""How a model is to be read: what the user says, completed by the configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upconv.converters.ir.dims import Size, symbol
from upconv.converters.ir.errors import UsageError
from upconv.converters.ir.records import record
from upconv.converters.readers.options import ReadOptions
from upconv.linter.settings.config import Config, closest_config, read_config

if TYPE_CHECKING:
    from upconv.converters.passes.cut import Cut


@record(frozen=True, slots=True)
class Reading:
    """What the user says of a model; "" and None where he leaves it to the configuration.

    `inputs` maps an input's name to its shape, in the model's own layout.
    """

    weights: str = ""
    inputs: Mapping[str, tuple[Size, ...]] = field(default_factory=dict)
    phase: str | None = None
    dialect: str | None = None
    keras_bilinear: str | None = None
    keras_backend: str | None = None


def read_options(said: Reading, config: Config | str | None = None) -> ReadOptions:
    """The options as readers take them: the user's, else those of a configuration, which is
    given, or in the file that is named, or in the closest one to the current folder.

    Raises UsageError for a configuration that cannot be understood, and for weights that are not
    there.
    """
    _require_weights(said.weights)
    if config is None:
        config = closest_config(Path())
    elif isinstance(config, str):
        config = read_config(config)
    chosen: Any = (
        (said.phase or config.phase or "TEST").upper(),
        said.dialect or config.dialect or "",
        said.keras_bilinear or config.keras_bilinear or "",
        said.keras_backend or config.keras_backend or "",
    )
    return ReadOptions(said.weights, said.inputs, *chosen)


def _require_weights(path: str) -> None:
    """A checkpoint of TensorFlow's is named by what its files begin with."""
    if path and not any(Path(f"{path}{end}").exists() for end in ("", ".index")):
        raise UsageError(f"--weights {path}: no such file", hint="check the path")


def read_part(outputs: str, inputs: str, options: ReadOptions) -> tuple[Cut, ReadOptions]:
    """The part of a model that --outputs and --inputs name, and the options for the whole of it:
    a shape given for a value from inside is the part's.
    """
    from upconv.converters.passes.cut import Cut

    ends, starts = _names("--outputs", outputs), _names("--inputs", inputs)
    shapes = {name: shape for name, shape in options.inputs.items() if name in starts}
    rest = {name: shape for name, shape in options.inputs.items() if name not in shapes}
    return Cut(ends, starts, shapes), replace(options, inputs=rest)


def _names(option: str, text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",")) if text else ()
    if "" in names:
        raise UsageError(f"{option} {text}: a name is empty", hint="as in conv5,fc7")
    return names


def parse_inputs(inputs: Iterable[str]) -> dict[str, tuple[Size, ...]]:
    """Name -> shape of all --input options; raises UsageError where one is wrong or repeated."""
    shapes: dict[str, tuple[Size, ...]] = {}
    for text in inputs:
        name, shape = parse_input(text)
        if name in shapes:
            raise UsageError(f"--input {name} is given twice")
        shapes[name] = shape
    return shapes


def parse_input(text: str) -> tuple[str, tuple[Size, ...]]:
    """Name and shape of an --input.

    >>> name, shape = parse_input("data=1x3xHxW")
    >>> name, [str(size) for size in shape]
    ('data', ['1', '3', 'H', 'W'])

    Raises UsageError with an example where the text is no such thing.
    """
    name, separator, shape = text.rpartition("=")
    if not separator or not name:
        raise _wrong_input(text, "it has no NAME=")
    return name.strip(), parse_shape(text, shape)


def parse_shape(text: str, shape: str) -> tuple[Size, ...]:
    """The sizes of a shape, which stands in an --input `text`; raises as `parse_input`."""
    bare = re.sub(r"\s", "", shape)
    inside = re.fullmatch(r"\((.*)\)|\[(.*)\]", bare)  # as Python prints a shape
    parts = re.split(r"[x,]", (inside[1] or inside[2] or "") if inside else bare)
    for part in parts:
        if not re.fullmatch(r"\d+|[A-Za-wyz]\w*", part):
            raise _wrong_input(text, f"'{part}' is neither a number nor a letter")
        if part.isdecimal() and (len(part) > 10 or not 0 < int(part) < 2**31):
            raise _wrong_input(text, f"a size of {part[:20]} is out of range")
    return tuple(int(part) if part.isdecimal() else symbol(part) for part in parts)


def _wrong_input(text: str, reason: str) -> UsageError:
    hint = "write it as --input data=1x3x500x500, or 1x3xHxW for a dynamic height and width"
    return UsageError(f"--input {text}: {reason}", hint=hint)
