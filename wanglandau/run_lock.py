"""One writer to a run: a lock that ends with its process, however that ends."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wanglandau.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


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
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                raise InputError(
                    f"{what} is in use by {_owner(path)}; wait for it, end it, or choose another name"
                ) from None
            if not _is_still(path, descriptor):  # the one before has just removed it
                os.close(descriptor)
                continue
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(_myself()).encode())
        return descriptor


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
