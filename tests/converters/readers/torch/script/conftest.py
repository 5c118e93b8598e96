"""These tests make their files with PyTorch."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
