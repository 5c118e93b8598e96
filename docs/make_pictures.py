"""Draw the docs' pictures into docs/pictures, by what draws the audit's report.

python docs/make_pictures.py           # write
"""

from __future__ import annotations

from pathlib import Path

from upconv.converters.audit.audited import Audit
from upconv.converters.readers.options import ReadOptions
from upconv.service.reports.html.enlarging import card
from upconv.service.reports.pictures.net_drawing import drawing
from upconv.service.reports.pictures.net_path import net_path
from upconv.service.reports.pictures.strip import strip
from upconv.service.reports.pictures.svg import standalone
from upconv.service.reports.responses import responses
from upconv.service.work.auditing import audit_model

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
NETS = {
    "u-net": "fixtures/mutations/unet.prototxt",
    "fcn-8s": "fixtures/fcn8s/fcn8s.prototxt",
}
"""Name of a picture -> the net that it shows."""

ENLARGING = "fixtures/rules/UP107/bad.prototxt"
"""A net with a checkerboard."""


def pictures() -> dict[Path, str]:
    """Each picture with what it holds."""
    found: dict[Path, str] = {}
    for name, net in NETS.items():
        audit = audit_model(str(ROOT / net), ReadOptions())
        found[PICTURES / f"{name}-path.svg"] = standalone(_path(audit))
        axis = audit.found.axes[0]
        assert axis.runs is not None
        letters = [one.axis for one in audit.found.axes]
        found[PICTURES / f"{name}-sizes.svg"] = standalone(
            strip(letters, axis.runs, axis.same_size)
        )
    first = next(responses(audit_model(str(ROOT / ENLARGING), ReadOptions())))
    overlap = next(one for one in card(first).pictures if "taps" in one.caption)
    found[PICTURES / "checkerboard.svg"] = standalone(overlap.svg)
    return found


def _path(audit: Audit) -> str:
    path = net_path(audit)
    sizes = {
        box.index: "×".join(map(str, (audit.numbers.get(box.value) or ())[2:]))
        for box in path.boxes
    }
    return drawing(path, sizes, {})


def stale() -> list[Path]:
    """The pictures that are not what would be drawn."""
    return [
        path
        for path, text in pictures().items()
        if not path.is_file() or path.read_text("utf-8") != text
    ]


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    for path, text in pictures().items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
