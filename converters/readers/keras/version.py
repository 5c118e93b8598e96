"""Which Keras wrote a file, as far as the file tells."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

_NUMBERS: Final = re.compile(r"(\d{1,9})\.(\d{1,9})(?!\d)")
_LAST_UNDECIDED: Final = (2, 3)


@dataclass(frozen=True, slots=True)
class KerasVersion:
    """The text of `keras_version` and the name of the backend, "" where there is none, and the
    file's generation.

    `generation` is 3 for files in the words of Keras 3 (Keras 2.12 on can write them too).
    """

    text: str
    generation: Literal[2, 3]
    backend: str = ""

    @property
    def numbers(self) -> tuple[int, int] | None:
        found = _NUMBERS.match(self.text)
        return (int(found[1]), int(found[2])) if found else None

    @property
    def is_3(self) -> bool:
        """Whether Keras 3 wrote it, or would read it."""
        numbers = self.numbers
        return numbers[0] >= 3 if numbers else self.generation == 3

    def ignores_dilation(self, transposed_axes: int) -> bool:
        """Whether the writer's transposed convolutions have a dilation_rate that is stored and not
        computed with: those of TensorFlow up to 1.12 (keras_version 2.1.6-tf), and in three axes
        those of every Keras 2 (keras/layers/convolutional/conv3d_transpose.py)."""
        numbers = self.numbers
        if numbers is None or numbers >= (3, 0):
            return False
        early = self.text.endswith("-tf") and numbers < (2, 2)
        return transposed_axes > 1 and (early or transposed_axes == 3)

    @property
    def bilinear(self) -> Literal["half-pixel", "asymmetric", ""]:
        """What UpSampling2D("bilinear") meant to the writer, "" where the version leaves it open.

        TensorFlow up to 1.14 mapped pixels asymmetrically and 1.15 on by half pixels, but both
        wrote 2.2.4-tf; standalone Keras up to 2.3 used the TensorFlow it found.
        """
        if self.generation == 3:
            return "half-pixel"
        numbers = self.numbers
        if numbers is None or self.text.startswith("2.2.4-tf"):
            return ""
        if numbers > _LAST_UNDECIDED or self.text.endswith("-tf"):
            return "half-pixel"
        return ""
