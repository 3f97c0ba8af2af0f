"""Writing files that are complete or not there."""

from __future__ import annotations

import glob
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wanglandau.errors import InputError


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
        sync_folder(path.parent)
    finally:
        with suppress(OSError):  # already renamed, or its folder is none
            temporary.unlink()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that is whole or not there.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error


def remove_leftovers(path: Path) -> None:
    """Remove temporary files that writers of ``path`` left when they were killed; none may be at work."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 16}.tmp"):
        with suppress(OSError):
            leftover.unlink()


def sync_folder(folder: Path) -> None:
    """Flush to disk which files a folder holds, so that a rename outlives a crash of the machine."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # some systems open no folders
        return
    try:
        os.fsync(descriptor)
    except OSError:  # nor do some file systems flush them
        pass
    finally:
        os.close(descriptor)
