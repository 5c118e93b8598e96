"""What a verdict on an engine's run says of an entry of a profile."""

from __future__ import annotations

from typing import Final

RIGHT: Final = ("ok", "tie")
EFFECTS: Final = {
    "WRONG": "misreads",
    "WRONG-SHAPE": "misreads",
    "refused": "refuses",
    "CRASH": "dies",
    "unstable": "dies",
}
FAILS: Final = {"refuses", "dies"}
"""A heap that is written over shows in either way."""


def shows(effect: str, verdict: str) -> bool:
    """Whether a run shows the effect that an entry says."""
    got = EFFECTS.get(verdict)
    return got == effect or (got in FAILS and effect in FAILS)
