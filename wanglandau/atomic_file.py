"""Writing files that are complete or not there."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a new name beside ``path`` to write to; at the end it is flushed to disk and renamed to ``path``.

    If the ``with`` block fails, what was at ``path`` stays and nothing else is left behind.

    Raises
    ------
    OSError
        If the file cannot be flushed or renamed, and whatever the ``with`` block raises.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        with suppress(OSError):  # already renamed, or its folder is none
            temporary.unlink()
