"""The cards of layers that enlarge: words, remarks and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from upconv.converters.audit.positions import Interpolation
from upconv.converters.ir import operators as ops
from upconv.converters.ir.alignment import AxisMap, Maps
from upconv.converters.ir.records import record
from upconv.service.reports.pictures.heatmap import heatmap
from upconv.service.reports.pictures.profile import profile
from upconv.service.reports.responses import Response
from upconv.service.reports.words import named

if TYPE_CHECKING:
    from numpy.typing import NDArray

TINY: Final = 1e-6


@record(frozen=True, slots=True)
class Picture:
    """A drawing and what it says."""

    svg: str
    caption: str


@record(frozen=True, slots=True)
class Card:
    """A kind of layers that enlarge; notes are (tone, words)."""

    names: str
    words: str
    notes: tuple[tuple[str, str], ...]
    pictures: tuple[Picture, ...]


def card(found: Response) -> Card:
    """What there is to say and to see of it."""
    return Card(named(found.layers), _words(found), tuple(_notes(found)), tuple(_pictures(found)))


def _words(found: Response) -> str:
    op = found.operator
    if isinstance(op, ops.ConvTranspose):
        words = f"transposed convolution, kernel {_sizes(op.kernel)}, stride {_sizes(op.stride)}"
        words += f", pads {_sizes(op.pads_begin)}" if any(op.pads_begin) else ""
        words += f" and {_sizes(op.pads_end)}" if op.pads_end != op.pads_begin else ""
        words += f", output padding {_sizes(op.output_padding)}" if any(op.output_padding) else ""
        words += f", dilation {_sizes(op.dilation)}" if max(op.dilation) > 1 else ""
        return f"{words}; {_SOURCES[found.source]}"
    factor = "×".join(dict.fromkeys(map(str, found.factor)))
    return f"{op.mode} interpolation by {factor}, {op.coordinate_mode.replace('_', ' ')}"


_SOURCES: Final = {
    "stored": "its stored weights are bilinear",
    "filler": "its filler would make it bilinear",
    "mean": "the mean magnitude of its stored weights is drawn",
    "none": "its weights are not in the file",
}


def _sizes(values: tuple[int, ...]) -> str:
    return str(values[0]) if len(set(values)) == 1 else "×".join(map(str, values))


def _notes(found: Response) -> Iterator[tuple[str, str]]:
    counts = _middle(found.overlap, found)
    if counts is not None and found.source in ("none", "mean") and counts.max() > counts.min():
        low, high = int(counts.min()), int(counts.max())
        yield (
            "warn",
            f"{low} to {high} taps meet at a pixel: learned, it begins with a checkerboard",
        )
    sums = _middle(found.constant, found)
    if sums is not None and found.source in ("stored", "filler", "fixed"):
        if abs(sums - 1).max() <= 1e-3:
            yield "good", "keeps a constant inside the image"
        else:
            told = f"{sums.min():.4g} to {sums.max():.4g}"
            yield "bad", f"does not keep a constant: its phases sum to {told}"


def _middle(table: NDArray[Any] | None, found: Response) -> NDArray[Any] | None:
    """One period of the phases, as far from the border as there is."""
    if table is None:
        return None
    rows, columns = (max(int(one), 1) for one in found.factor)
    y, x = ((size - period) // 2 for size, period in zip(table.shape, (rows, columns), strict=True))
    inside: NDArray[Any] = table[max(y, 0) : max(y, 0) + rows, max(x, 0) : max(x, 0) + columns]
    return inside


def _pictures(found: Response) -> Iterator[Picture]:
    tables = [one for one in (found.kernel, found.ideal) if one is not None]
    most = max((float(abs(one).max()) for one in tables), default=None)
    if found.kernel is not None:
        own = None if found.source == "mean" else most
        yield Picture(heatmap(found.kernel, "its kernel", most=own), _kernel_caption(found))
    if found.ideal is not None:
        caption = f"the bilinear kernel of its factor, {_table(found.ideal)}"
        yield Picture(heatmap(found.ideal, "the bilinear kernel", most=most), caption)
    if found.overlap is not None:
        low, high = int(found.overlap.min()), int(found.overlap.max())
        caption = f"taps that meet at each output pixel, {low} to {high}"
        yield Picture(heatmap(found.overlap, caption), caption)
    if found.constant is not None:
        yield _constant(found, found.constant)


def _kernel_caption(found: Response) -> str:
    assert found.kernel is not None
    told = f"its kernel, {_table(found.kernel)}"
    if found.source == "mean":
        return f"{told}, mean magnitude"
    if found.ideal is not None and found.ideal.shape == found.kernel.shape:
        apart = float(abs(found.kernel - found.ideal).max())
        told += ", the same" if apart <= TINY else f", at most {apart:.3g} apart"
    return told


def _table(table: NDArray[Any]) -> str:
    return "×".join(map(str, table.shape))


def _constant(found: Response, table: NDArray[Any]) -> Picture:
    """Along the middle row: the border's effect, and the phases' sums behind it."""
    row = table[table.shape[0] // 2]
    scale = 1.0
    if found.source == "mean":  # magnitudes have no scale of their own
        scale = float(row[len(row) // 2]) or 1.0
    values = [float(one) / scale for one in row[: max(len(row) // 2, 1)]]
    caption = f"an image of ones from the border on: {values[0]:.3g} at the first pixel"
    return Picture(profile(values, caption), caption)


def interpolation_row(one: Interpolation) -> dict[str, str]:
    """An interpolation beside both conventions."""
    off = [abs(shift) for shift in one.off_half_pixel]
    own = one.own == one.half_pixel
    return {
        "layer": one.layer.name,
        "own": maps_text(one.own),
        "half": "the same" if own else maps_text(one.half_pixel),
        "corners": _corners(one),
        "off": "nothing" if own else f"{_fraction(max(off))} px at the first pixel",
        "tone": "good" if own else "warn",
    }


def _corners(one: Interpolation) -> str:
    if one.align_corners is None:
        return "?"
    return "the same" if one.own == one.align_corners else maps_text(one.align_corners)


def maps_text(maps: Maps) -> str:
    """`i/2 - 1/4`, one for all axes where they agree."""
    texts = list(dict.fromkeys(map(map_text, maps)))
    return ", ".join(texts)


def map_text(one: AxisMap) -> str:
    """`2i + 1/2`.

    >>> map_text(AxisMap(Fraction(1, 2), Fraction(-1, 4))), map_text(AxisMap(Fraction(2)))
    ('i/2 - 1/4', '2i')
    """
    scale, shift = one.scale, one.shift
    told = "i" if scale == 1 else f"i/{scale.denominator}" if scale.numerator == 1 else ""
    told = told or (f"{scale}i" if scale.denominator == 1 else f"({_fraction(scale)})i")
    return told if not shift else f"{told} {'-' if shift < 0 else '+'} {_fraction(abs(shift))}"


def _fraction(value: Fraction) -> str:
    return str(value) if value.denominator < 1000 else f"{float(value):.4g}"
