"""The seal of a file: a digest of its content inside the file itself, so that a flipped bit is found when it is read.

A sealed file holds, wherever its format keeps a text (an attribute of HDF5, the metadata of safetensors, an attribute
of an XGBoost model, a key of JSON), the words ``alloy-wanglandau seal sha256:`` and 64 hexadecimal digits: the SHA-256
of all bytes of the file with zeros in the place of these digits. Other programs read such a file as any other.
"""

from __future__ import annotations

import hashlib
import mmap
from pathlib import Path

from wanglandau.errors import InputError

KEY = "seal"
"""Name of the attribute or key that holds the seal."""
_WORDS = b"alloy-wanglandau seal sha256:"
_BLANK = b"0" * 64
UNSEALED = (_WORDS + _BLANK).decode()
"""What to write in the place of the seal before the file is sealed."""

Content = bytes | bytearray | mmap.mmap


def sealed(content: bytes) -> bytes:
    """Return content with its seal, which must have been written as :data:`UNSEALED`.

    >>> is_sealed(sealed(f"value = 1 # {UNSEALED}".encode()))
    True

    Raises
    ------
    ValueError
        If there is no place for it.
    """
    place = _place(content)
    if place is None:
        raise ValueError("the content has no place for a seal")
    return content[: place.start] + _digest(content, place) + content[place.stop :]


def is_sealed(content: Content) -> bool:
    """Tell whether content has a seal.

    Raises
    ------
    InputError
        If it has one of another content.
    """
    place = _place(content)
    if place is None:
        return False
    if content[place] != _digest(content, place):
        raise InputError("it is damaged: its content is not what was sealed; take a whole copy of it or make it anew")
    return True


def is_sealed_file(path: Path) -> bool:
    """Tell whether a file has a seal; raises as :func:`is_sealed` does, and OSError if it cannot be read."""
    with open(path, "rb") as file:
        if not file.seek(0, 2):
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return is_sealed(content)


def _place(content: Content) -> slice | None:
    """Return where the digits of the seal stand."""
    start = content.find(_WORDS) + len(_WORDS)
    return slice(start, start + len(_BLANK)) if start >= len(_WORDS) else None


def _digest(content: Content, place: slice) -> bytes:
    digest = hashlib.sha256()
    with memoryview(content) as view:
        for part in (view[: place.start], _BLANK, view[place.stop :]):
            digest.update(part)
            if isinstance(part, memoryview):
                part.release()
    return digest.hexdigest().encode()
