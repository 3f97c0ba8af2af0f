"""Heaps of an HDF5 file, where it keeps texts of any length, checked before the library walks through them.

HDF5 follows a damaged heap for ever: an object whose size is zero ends where it begins. The layout is that of the HDF5
File Format Specification 3.0, section III.E, "Global Heap".
"""

from __future__ import annotations

import mmap
from pathlib import Path

_SIGNATURE = b"GCOL"
MAX_TEXTS_AND_HEAPS = 2**20
"""Sanity limit: heaps may be made to seem to lie in one another."""
_HEADING, _OBJECT = 16, 16
"""Bytes before the first object of a heap, and before the content of each."""


def check_heaps(path: Path) -> None:
    """Raise ValueError if the objects of a heap do not follow one another to its end."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start, seen = content.find(_SIGNATURE), 0
        while start >= 0:
            seen += 1 + _check_heap(content, start)
            if seen > MAX_TEXTS_AND_HEAPS:
                raise ValueError(f"it holds more than {MAX_TEXTS_AND_HEAPS} texts of any length")
            start = content.find(_SIGNATURE, start + 1)


def _check_heap(content: mmap.mmap, start: int) -> int:
    """Return how many objects a heap has."""
    end = start + _number(content, start + 8)
    if end > len(content):
        raise ValueError(f"its heap at byte {start} claims to be larger than the file")
    place, seen = start + _HEADING, 0
    while place + _OBJECT <= end:
        index, size = int.from_bytes(content[place : place + 2], "little"), _number(content, place + 8)
        length = _OBJECT + (size + 7) // 8 * 8 if index else size  # object 0 is what is free, its own heading included
        if length < _OBJECT or place + length > end:
            raise ValueError(f"its heap at byte {start} has an object of an impossible size")
        place, seen = place + length, seen + 1
    return seen


def _number(content: mmap.mmap, place: int) -> int:
    return int.from_bytes(content[place : place + 8], "little")
