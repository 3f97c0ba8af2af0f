"""What an HDF5 file may hold, checked before anything is read from it.

HDF5 lets a file name other files (external and virtual data, links), declare arrays of any size without storing them,
and pack a small file so that it unpacks to terabytes. None of that is written here, and none of it is read: groups and
arrays of numbers and texts by hard links only, and sizes that the bytes of the file can account for.
"""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np

MAX_OBJECTS = 100_000
"""Sanity limit on groups and arrays in a file."""
MAX_DEPTH = 8
"""Sanity limit on groups in groups."""
MAX_CHUNK = 2**21
"""Sanity limit on the chunk that a compressed array is stored in (bytes)."""
MAX_CONTENT = 2**33
"""Sanity limit on all arrays of a file together (bytes)."""
MAX_ATTRIBUTE = 2**24
"""Sanity limit on an attribute (bytes)."""
MAX_TEXTS = 64
"""Sanity limit on the texts of any length in one array or attribute: all of them may be the same long one."""

_PACKING = 1100
"""Deflate makes nothing smaller than by this factor."""
_SPARE = 4096
"""Bytes by which what cannot be compressed may grow, or that are allowed whatever is stored."""
_FILTERS = {1, 2, 3, 32_000}
"""Deflate, shuffle, checksum, LZF."""
_AXES = ("DIMENSION_LIST", "REFERENCE_LIST")
"""Attributes by which HDF5 itself ties arrays to the values along their axes; no reader looks at them."""


def check_content(file: h5py.File) -> int:
    """Return the bytes of all arrays of a file; raise ValueError if it holds what must not be read."""
    seen: set[Any] = set()
    total = _check_group(file, 0, seen)
    if total > MAX_CONTENT:
        raise ValueError(f"its arrays have {total} bytes, more than the limit of {MAX_CONTENT}")
    return total


def _check_group(group: h5py.Group, depth: int, seen: set[Any]) -> int:
    """Return the bytes of all arrays below."""
    if depth > MAX_DEPTH:
        raise ValueError(f"groups are more than {MAX_DEPTH} deep")
    _check_attributes(group)
    total = 0
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{group.name}/{name} is a link to elsewhere")
        item = group[name]
        token = h5py.h5o.get_info(item.id).addr
        if token in seen or len(seen) >= MAX_OBJECTS:
            raise ValueError(f"{item.name} is there twice, or there are more than {MAX_OBJECTS} parts")
        seen.add(token)
        if isinstance(item, h5py.Group):
            total += _check_group(item, depth + 1, seen)
        elif isinstance(item, h5py.Dataset):
            _check_attributes(item)
            total += _check_array(item)
        else:
            raise ValueError(f"{item.name} is neither a group nor an array")
    return total


def _check_array(array: h5py.Dataset) -> int:
    if array.is_virtual or array.external is not None:
        raise ValueError(f"{array.name} lies in other files")
    _check_kind(array.name, array.dtype, array.shape)
    properties = array.id.get_create_plist()
    filters = {properties.get_filter(place)[0] for place in range(properties.get_nfilters())}
    if filters - _FILTERS:
        raise ValueError(f"{array.name} is packed in an unknown way")
    if array.nbytes > _PACKING * (array.id.get_storage_size() + _SPARE):
        raise ValueError(f"{array.name} claims {array.nbytes} bytes, of which the file holds next to nothing")
    if array.chunks is not None:
        _check_chunks(array)
    return int(array.nbytes)


def _check_chunks(array: h5py.Dataset) -> None:
    size = int(np.prod(array.chunks, dtype=object)) * array.dtype.itemsize
    if size > MAX_CHUNK:
        raise ValueError(f"{array.name} is stored in chunks of {size} bytes, more than the limit of {MAX_CHUNK}")

    def check(chunk: Any) -> None:
        if chunk.size > size + size // 8 + _SPARE:
            raise ValueError(f"{array.name} has a chunk that unpacks to more than it should")

    array.id.chunk_iter(check)


def _check_attributes(item: h5py.Group | h5py.Dataset) -> None:
    for name in item.attrs:
        attribute = item.attrs.get_id(name)
        where = f"attribute {name!r} of {item.name}"
        if name not in _AXES:
            _check_kind(where, attribute.dtype, attribute.shape)
        if attribute.dtype.itemsize * int(np.prod(attribute.shape, dtype=object)) > MAX_ATTRIBUTE:
            raise ValueError(f"{where} is larger than the limit of {MAX_ATTRIBUTE} bytes")


def _check_kind(where: str, kind: np.dtype, shape: tuple[int, ...] | None) -> None:
    """Refuse what is neither numbers nor texts."""
    text = h5py.check_string_dtype(kind)
    if shape is None or (kind.kind not in "biufS" and text is None) or kind.subdtype is not None:
        raise ValueError(f"{where} holds neither numbers nor texts")
    if kind.kind == "O" and int(np.prod(shape, dtype=object)) > MAX_TEXTS:
        raise ValueError(f"{where} holds more than {MAX_TEXTS} texts of any length")
