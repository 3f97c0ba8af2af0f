"""One writer to a run: a lock that ends with its process, however that ends."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wanglandau.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TRIES, _BETWEEN = 5, 0.05
"""How often, and after how many seconds, a lock is tried again: somebody may just be looking whether it is held."""


def lock_of(result: Path) -> Path:
    """Return the lock file of the run that writes this result."""
    return result.with_name(f"{result.name}.lock")


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold a lock inside the ``with`` block.

    The file says who holds it. It is the system that locks and unlocks: a file left by a process that was killed keeps
    nobody out. Without POSIX locks (Windows) nothing is locked.

    Parameters
    ----------
    path : Path
        The lock file.
    what : str
        What is locked, for the error.

    Raises
    ------
    InputError
        If another process holds it.
    OSError
        If the file cannot be made.
    """
    descriptor = lock_file(path, what)
    try:
        yield
    finally:
        with suppress(OSError):  # before it is let go, so that nobody locks a file without a name
            path.unlink()
        os.close(descriptor)


def lock_file(path: Path, what: str) -> int:
    """Lock a file until the descriptor that is returned is closed; raises as :func:`locked` does."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        if fcntl is not None:
            if not _take(descriptor, fcntl.LOCK_EX, _TRIES):
                os.close(descriptor)
                raise InputError(f"{what} is in use by {_owner(path)}; wait for it, end it, or choose another name")
            if not _is_still(path, descriptor):  # the one before has just removed it
                os.close(descriptor)
                continue
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(_myself()).encode())
        return descriptor


def holder_of(path: Path) -> str | None:
    """Say who holds a lock, ``process N on HOST``; None if nobody does, or nobody can tell (Windows)."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return None if _take(descriptor, fcntl.LOCK_SH, 1) else _owner(path)
    finally:
        os.close(descriptor)


def _take(descriptor: int, kind: int, tries: int) -> bool:
    for number in range(tries):
        if number:
            time.sleep(_BETWEEN)
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        return True
    return False


def _myself() -> dict[str, object]:
    boot = BOOT_ID.read_text(encoding="ascii").strip() if BOOT_ID.exists() else ""
    return {"process": os.getpid(), "host": platform.node(), "boot": boot}


def _owner(path: Path) -> str:
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
        return f"process {int(owner['process'])} on {owner['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
