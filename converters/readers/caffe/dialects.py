"""From a layer to operators, in the words of the fork that wrote it.

Forks gave one type several meanings. What a layer has of bottoms and fields often leaves only one
of them possible; where it does not, the user names the fork with `--dialect`. For one layer type
alone that is written TYPE=NAME, several stand behind commas: `--dialect crop=aligned,yolo`.
"""

from __future__ import annotations

from typing import Final

from upconv.converters.ir.errors import AmbiguousError, UsageError
from upconv.converters.ir.records import record
from upconv.converters.readers.caffe.layers_upsampling import UPSAMPLE_FIELDS
from upconv.converters.readers.caffe.lowering import LOWERINGS, CaffeLayer


@record(frozen=True, slots=True)
class Signature:
    """What a layer of a dialect looks like: its bottoms, the fields it may and must have."""

    dialect: str
    bottoms: int
    fields: frozenset[str]
    required: frozenset[str] = frozenset()

    def fits(self, bottoms: int, present: frozenset[str]) -> bool:
        """Whether a layer with these bottoms and fields can be of this dialect."""
        return bottoms == self.bottoms and self.required <= present <= self.fields


def _signature(dialect: str, bottoms: int, fields: str, required: str = "") -> Signature:
    return Signature(dialect, bottoms, frozenset(fields.split()), frozenset(required.split()))


_UPSAMPLE: Final = (
    _signature("segnet", 2, " ".join(UPSAMPLE_FIELDS["segnet"])),
    _signature("yolo", 1, "scale", "scale"),
    _signature("tiny-dsod", 2, "mode"),
    _signature("tiny-dsod", 1, "mode height width", "height width"),
    _signature("tiny-dsod", 1, "mode height_scale width_scale", "height_scale width_scale"),
)

SIGNATURES: Final[dict[str, tuple[str, tuple[Signature, ...]]]] = {
    "Upsample": ("upsample_param", _UPSAMPLE),
    "UPSAMPLE": ("upsample_param", _UPSAMPLE),
}
"""Layer type -> its parameters' field, and what its dialects look like."""


NAMED_ALONE: Final = frozenset({"Crop"})
"""Types whose dialects are no forks' names, and are asked for with the type."""


def known_dialects() -> list[str]:
    """What can be asked for of layer types that forks disagree about, sorted."""
    return sorted(
        {
            f"{name.lower()}={fork}" if name in NAMED_ALONE else fork
            for name in LOWERINGS
            for fork in LOWERINGS.variants(name)
            if fork
        }
    )


def require_dialect(dialect: str) -> None:
    """Raise UsageError for a dialect that no layer type has; "" is always right."""
    for part in _parts(dialect):
        kind, _, fork = part.rpartition("=")
        types = [name for name in LOWERINGS if not kind or name.lower() == kind]
        if not any(fork and fork in LOWERINGS.variants(name) for name in types):
            hint = f"one of {', '.join(known_dialects())}"
            raise UsageError(f"unknown dialect '{part}'", hint=hint)


def dialect_for(layer_type: str, asked: str) -> str:
    """What is asked for of one layer type: what is said of it alone, else of all; "" for nothing.

    >>> dialect_for("Crop", "yolo,crop=aligned"), dialect_for("Upsample", "yolo,crop=aligned")
    ('aligned', 'yolo')
    """
    found = ""
    for part in _parts(asked):
        kind, _, fork = part.rpartition("=")
        if kind == layer_type.lower():
            return fork
        found = found if kind else fork
    return found


def _parts(dialect: str) -> list[str]:
    """The names, in small letters."""
    return [part.strip().lower() for part in dialect.split(",")] if dialect else []


def choose_dialect(layer: CaffeLayer, asked: str = "") -> str:
    """The dialect of a layer whose type is known; "" where all forks agree about it.

    The one the user asks for, if the type has it; else the only one that the layer's bottoms and
    present fields allow: a mask bottom with `scale` or `upsample_h` is SegNet's, one bottom with
    nothing but `scale` YOLO's, `mode`, `height` or `height_scale` Tiny-DSOD's. Two bottoms
    without a field are SegNet's or Tiny-DSOD's.

    Raises AmbiguousError where several are possible, or none.
    """
    names = tuple(LOWERINGS.variants(layer.type))
    asked = dialect_for(layer.type, asked)
    if layer.type not in SIGNATURES or asked in names:
        return asked if asked in names else ""
    field, signatures = SIGNATURES[layer.type]
    present = frozenset(entry.name for entry in layer.field(field).fields)
    fitting = {s.dialect for s in signatures if s.fits(len(layer.bottoms), present)}
    if len(fitting) == 1:
        return fitting.pop()
    verdict = "may be several of them" if fitting else "is none of those known"
    raise AmbiguousError(
        f"{layer.type} is another layer in each fork of Caffe, and "
        f"{_shown(layer, present)} {verdict}",
        where=layer.span,
        layer=layer.name,
        hint=f"name the fork with --dialect {'|'.join(names)}",
    )


def _shown(layer: CaffeLayer, present: frozenset[str]) -> str:
    bottoms = "1 bottom" if len(layer.bottoms) == 1 else f"{len(layer.bottoms)} bottoms"
    return f"one with {bottoms} and {', '.join(sorted(present)) or 'no fields'}"
