"""Reading the TOML files that users write."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from wanglandau.errors import InputError


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
        If it cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        remedy = "give the path of a TOML file" if isinstance(error, OSError) else "mend it, TOML is key = value"
        raise InputError(f"cannot read {what} {path}: {reason}; {remedy}") from error
