"""A file is written in whole pages, whatever its pieces are."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from upconv.converters.onnx_writer.save import PAGE, whole_pages

SIZES = st.sampled_from([0, 1, 77, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE + 5])


@given(st.lists(SIZES, max_size=12))
def test_parts_are_whole_pages_and_leave_nothing_out(sizes: list[int]) -> None:
    chunks = [os.urandom(size) for size in sizes]
    parts = [b"".join(map(bytes, part)) for part in whole_pages(map(memoryview, chunks))]
    assert b"".join(parts) == b"".join(chunks)
    assert all(len(part) % PAGE == 0 for part in parts[:-1])
    assert len(parts[-1]) < PAGE
