"""The options common to every command that reads a model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from upconv.converters.ir.dims import Size, symbol
from upconv.converters.ir.errors import UsageError
from upconv.converters.readers.options import ReadOptions

if TYPE_CHECKING:
    from upconv.linter.settings.config import Config

Command = TypeVar("Command", bound=Callable[..., Any])


def model_options(command: Command) -> Command:
    """Decorator: --weights --input --phase --dialect --keras-bilinear --config."""
    options = (
        click.option(
            "--weights",
            default="",
            metavar="FILE",
            help="Trained weights: .caffemodel, .weights.h5, a checkpoint of TensorFlow's; "
            ".safetensors or .pth for PyTorch's programs and code.",
        ),
        click.option(
            "--input",
            "inputs",
            multiple=True,
            metavar="NAME=1x3x500x500",
            help="Shape of an input; letters, as in 1x3xHxW, are dynamic. May be repeated.",
        ),
        click.option(
            "--phase",
            type=click.Choice(["TEST", "TRAIN"], case_sensitive=False),
            envvar="UPCONV_PHASE",
            help="Caffe's phase: which layers are in the net.  [default: TEST]",
        ),
        click.option(
            "--dialect",
            envvar="UPCONV_DIALECT",
            metavar="NAME",
            help="Whose fork a Caffe layer type is from.",
        ),
        click.option(
            "--keras-bilinear",
            type=click.Choice(["half-pixel", "asymmetric"]),
            envvar="UPCONV_KERAS_BILINEAR",
            help="What UpSampling2D bilinear means in files of Keras 2.3 and before.",
        ),
        click.option(
            "--config",
            envvar="UPCONV_CONFIG",
            metavar="FILE",
            help="Read this configuration, and not the closest upconv.toml or pyproject.toml.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def read_options(
    weights: str,
    inputs: Iterable[str],
    phase: str | None,
    dialect: str | None,
    keras_bilinear: str | None,
    config: str | Config | None = None,
) -> ReadOptions:
    """The options as readers take them: the command line's, else those of a configuration, which
    is given, or in the file that is named, or in the closest one.

    Raises UsageError for an --input or a configuration that cannot be understood.
    """
    from upconv.linter.settings.config import closest_config, read_config

    if config is None:
        config = closest_config(Path())
    elif isinstance(config, str):
        config = read_config(config)
    chosen: Any = (
        (phase or config.phase or "TEST").upper(),
        dialect or config.dialect or "",
        keras_bilinear or config.keras_bilinear or "",
    )
    return ReadOptions(weights, parse_inputs(inputs), *chosen)


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
    parts = re.split(r"[x,]", shape)
    if not separator or not name:
        raise _wrong_input(text, "it has no NAME=")
    for part in parts:
        if not re.fullmatch(r"\d+|[A-Za-wyz]\w*", part):
            raise _wrong_input(text, f"'{part}' is neither a number nor a letter")
        if part.isdigit() and not 0 < int(part) < 2**31:
            raise _wrong_input(text, f"a size of {part} is out of range")
    return name, tuple(int(part) if part.isdigit() else symbol(part) for part in parts)


def _wrong_input(text: str, reason: str) -> UsageError:
    hint = "write it as --input data=1x3x500x500, or 1x3xHxW for a dynamic height and width"
    return UsageError(f"--input {text}: {reason}", hint=hint)
