"""Keras draws first weights from a generator of its own, which each test starts anew."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """The same weights whatever tests ran before."""
    keras = sys.modules.get("keras")
    if keras is not None:
        keras.utils.set_random_seed(0)
