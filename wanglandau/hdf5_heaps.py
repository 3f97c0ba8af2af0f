"""Heaps of an HDF5 file, where it keeps texts of any length, checked before the library walks through them.

HDF5 follows a damaged heap for ever: an object whose size is zero ends where it begins. The layout is that of the HDF5
File Format Specification 3.0, section III.E, "Global Heap".
"""

from __future__ import annotations

import mmap
from pathlib import Path

_SIGNATURE = b"GCOL"
_HEADING, _OBJECT = 16, 16
"""Bytes before the first object of a heap, and before the content of each."""


def check_heaps(path: Path) -> None:
    """Raise ValueError if the objects of a heap do not follow one another to its end."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.find(_SIGNATURE)
        while start >= 0:
            _check_heap(content, start)
            start = content.find(_SIGNATURE, start + 1)


def _check_heap(content: mmap.mmap, start: int) -> None:
    end = start + _number(content, start + 8)
    if end > len(content):
        raise ValueError(f"its heap at byte {start} claims to be larger than the file")
    place = start + _HEADING
    while place + _OBJECT <= end:
        index, size = int.from_bytes(content[place : place + 2], "little"), _number(content, place + 8)
        length = _OBJECT + (size + 7) // 8 * 8 if index else size  # object 0 is what is free, its own heading included
        if length < _OBJECT or place + length > end:
            raise ValueError(f"its heap at byte {start} has an object of an impossible size")
        place += length


def _number(content: mmap.mmap, place: int) -> int:
    return int.from_bytes(content[place : place + 8], "little")
