"""The options common to every command that reads a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click

from upconv.converters.readers.options import ReadOptions
from upconv.service.cli.decorating import Command, with_options
from upconv.service.work.reading import Reading, parse_inputs, read_options


def model_options(command: Command) -> Command:
    """Decorator: --weights --input --phase --dialect --keras-bilinear --keras-backend --config."""
    options = (
        click.option(
            "--weights",
            default="",
            type=click.Path(),
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
            help="Whose fork a Caffe layer type is from: segnet, yolo, tiny-dsod; crop=aligned or "
            "crop=bvlc. Several stand behind commas.",
        ),
        click.option(
            "--keras-bilinear",
            type=click.Choice(["half-pixel", "asymmetric"]),
            envvar="UPCONV_KERAS_BILINEAR",
            help="What UpSampling2D bilinear means in files of Keras 2.3 and before.",
        ),
        click.option(
            "--keras-backend",
            type=click.Choice(["tensorflow", "torch", "jax", "theano"]),
            envvar="UPCONV_KERAS_BACKEND",
            help="What computes a Keras model whose file does not record it, as .keras files.  "
            "[default: tensorflow]",
        ),
        click.option(
            "--config",
            envvar="UPCONV_CONFIG",
            type=click.Path(),
            metavar="FILE",
            help="Read this configuration, and not the closest upconv.toml or pyproject.toml.",
        ),
    )
    return with_options(command, options)


def part_options(command: Command) -> Command:
    """Decorator: --outputs --inputs."""
    options = (
        click.option(
            "--outputs",
            "part_outputs",
            default="",
            metavar="BLOB[,BLOB]",
            help="End the model at these values, and leave out what they do not need.",
        ),
        click.option(
            "--inputs",
            "part_inputs",
            default="",
            metavar="BLOB[,BLOB]",
            help="Begin the model at these values; --input gives a shape where it is not known.",
        ),
    )
    return with_options(command, options)


def fill_option(said: str) -> Callable[[Command], Command]:
    """Decorator: --fill-missing, whose kinds stand behind one or each behind one of its own."""

    def joined(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> str:
        return ",".join(given)

    return click.option(
        "--fill-missing", multiple=True, callback=joined, metavar="KINDS", help=said
    )


def reading(
    weights: str,
    inputs: Iterable[str],
    phase: str | None,
    dialect: str | None,
    keras_bilinear: str | None,
    keras_backend: str | None,
) -> Reading:
    """What the options say of a model; UsageError for an --input that cannot be understood."""
    return Reading(weights, parse_inputs(inputs), phase, dialect, keras_bilinear, keras_backend)


def options_of(config: str | None, **said: Any) -> ReadOptions:
    """The options, completed by the configuration. Raises UsageError as `read_options`."""
    return read_options(reading(**said), config)
