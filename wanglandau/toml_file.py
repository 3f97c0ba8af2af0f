"""Reading the TOML files that users write."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from wanglandau.bounded_file import read_text
from wanglandau.errors import InputError

MAX_TOML = 2**18
"""Sanity limit on a TOML file (bytes)."""
MAX_PARTS = 16
"""Sanity limit on the parts of a dotted key: the parser needs memory that grows with their square."""

_PART = r"""(?:(?<![\w-])[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*"""
_LONG_KEY = re.compile(rf"(?:{_PART}\.[ \t]*){{{MAX_PARTS}}}")


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Read a TOML file.

    Parameters
    ----------
    path : Path
    what : str
        What the file is, for the message: "system file".

    Raises
    ------
    InputError
        If it cannot be read, is too large or is not TOML.
    """
    text = read_text(path, what, MAX_TOML)
    if found := _LONG_KEY.search(text):
        place = text.count("\n", 0, found.start()) + 1
        raise InputError(f"cannot read {what} {path}: line {place} has a key of more than {MAX_PARTS} parts")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError also for whole numbers of thousands of digits
        raise InputError(f"cannot read {what} {path}: {error}; mend it, TOML is key = value") from error
