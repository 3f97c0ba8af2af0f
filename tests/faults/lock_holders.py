"""Processes that hold a lock, or fight for one."""

from __future__ import annotations

import os
import time
from pathlib import Path

from wanglandau.errors import InputError
from wanglandau.run_lock import lock_file, locked


def hold(name: str) -> None:
    """Lock a file until killed."""
    lock_file(Path(name), "it")
    Path("held").touch()
    time.sleep(600)


def fight(name: str, n_turns: int) -> int:
    """Take a lock so many times; return how often somebody else held it at the same time."""
    collisions, turns, inside = 0, 0, Path("inside")
    while turns < n_turns:
        try:
            with locked(Path(name), "it"):
                turns += 1
                try:
                    os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    collisions += 1
                time.sleep(2e-4)
                inside.unlink(missing_ok=True)
        except InputError:
            continue
    return min(collisions, 99)
