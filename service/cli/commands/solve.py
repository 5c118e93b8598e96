"""`upconv solve`: the layer that takes one size to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from upconv.converters.audit.solve_words import Framework


@click.command()
@click.option("--input", "size", type=int, required=True, metavar="SIZE", help="The size before.")
@click.option("--output", type=int, required=True, metavar="SIZE", help="The size behind.")
@click.option("--kernel", type=int, metavar="K", help="This kernel only.")
@click.option("--stride", type=int, metavar="S", help="This stride only.")
@click.option("--dilation", type=int, metavar="D", help="This dilation.  [default: 1]")
@click.option("--pad", type=int, metavar="P", help="This pad only, the same at both ends.")
@click.option("--output-padding", type=int, metavar="P", help="This output_padding only.")
@click.option("--caffe", is_flag=True, help="In Caffe's words.")
@click.option("--torch", is_flag=True, help="In PyTorch's words.")
@click.option("--keras", is_flag=True, help="In Keras' words.")
@click.option("--onnx", is_flag=True, help="In ONNX' words.")
@click.option("--channels", type=click.IntRange(1), default=21, show_default=True, metavar="N",
              help="Channels of the layers that are written out.")  # fmt: skip
@click.option("--all", "every", is_flag=True, help="All answers, not the simplest ones.")
def command(
    size: int,
    output: int,
    kernel: int | None,
    stride: int | None,
    dilation: int | None,
    pad: int | None,
    output_padding: int | None,
    channels: int,
    every: bool,
    **words: bool,
) -> int:
    """List the transposed convolutions that take a size to another, simplest first, in the words
    of Caffe, PyTorch, Keras and ONNX.

    \b
    Examples:
      upconv solve --input 16 --output 32 --torch
      upconv solve --input 16 --output 33 --kernel 3 --stride 2
    """
    from upconv.converters.audit.solve import Wanted
    from upconv.service.work.solving import SolveRequest, solved

    frameworks: tuple[Framework, ...] = ("caffe", "torch", "keras", "onnx")
    chosen = tuple(name for name in frameworks if words[name])
    wanted = Wanted(kernel, stride, dilation, pad, output_padding)
    click.echo(str(solved(SolveRequest(size, output, wanted, chosen, channels, every))))
    return 0
