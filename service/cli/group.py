"""The group of commands, each of which is imported when it is used."""

from __future__ import annotations

import importlib
from typing import Final

import click

COMMANDS: Final = {
    "check": "find what breaks upsampling layers in model files",
    "convert": "write a model as ONNX and prove the two equal",
    "inspect": "show a model's layers, shapes and parameters, and what blocks its conversion",
    "verify": "prove an ONNX file equal to the model it was made from",
    "audit": "say which input sizes a model accepts, and compare two models",
    "solve": "find the layer that takes one size to another",
    "rule": "show a rule's page, or list the rules",
    "formats": "list the model formats and what is built for each",
    "format": "lay out prototxt files, comments kept",
    "probe": "ask an engine itself how it reads a model",
    "engines": "list the profiles of engines and their age",
    "serve": "serve check, convert, verify and audit over HTTP",
    "lsp": "serve an editor: findings, sizes and fixes while you type",
}
"""Command -> its line in the help; the module of that name in `commands` holds it."""


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is used, and not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"upconv.service.cli.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name not in COMMANDS and not name.startswith("-"):
            ctx.fail(f"there is no command '{name}'{_suggestion(name)}")
        return super().resolve_command(ctx, args)


def _suggestion(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, COMMANDS, 1)
    return f" (did you mean '{close[0]}'?)" if close else f" (there are: {', '.join(COMMANDS)})"


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "-V", "--version", package_name="upconv")
def cli() -> None:
    """Check, convert and prove the layers that make feature maps larger.

    \b
    Examples:
      upconv check .
      upconv convert deploy.prototxt --weights net.caffemodel -o net.onnx
      upconv verify deploy.prototxt net.onnx --weights net.caffemodel
    """
