"""Reading whole files of sane size: nothing that is no file, never more than a limit."""

from __future__ import annotations

import os
from pathlib import Path

from wanglandau.errors import InputError

MAX_TEXT = 2**24
"""Sanity limit on a text file (bytes)."""


def read_bytes(path: Path, what: str, limit: int) -> bytes:
    """Read a file.

    Parameters
    ----------
    path : Path
    what : str
        What the file is, for the message: "system file".
    limit : int, bytes

    Raises
    ------
    InputError
        If it cannot be read, is no regular file (a pipe might never end) or is larger than the limit.
    """
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"cannot read {what} {path}: it is no regular file")
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size  # memory is set aside for as much as is asked for
            content = file.read(min(size, limit) + 1)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        if isinstance(error, InputError):
            raise
        raise InputError(f"cannot read {what} {path}: {getattr(error, 'strerror', None) or error}") from error
    if len(content) > limit:
        raise InputError(f"{what} {path} is larger than the limit of {limit} bytes")
    return content


def read_text(path: Path, what: str, limit: int = MAX_TEXT, encoding: str = "utf-8") -> str:
    """Read a text file; raises as :func:`read_bytes` does, and if it is not in this encoding."""
    try:
        return read_bytes(path, what, limit).decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"cannot read {what} {path}: {error}") from error
