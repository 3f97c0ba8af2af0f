"""Calls to the operating system that fail, or never return, at a chosen moment."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

STEPS = ("open", "fdopen", "fsync", "replace", "link", "close")
"""Functions of :mod:`os` that writers call; the file that ``fdopen`` gives is written to, which may fail too."""


@dataclass
class Failing:
    """Counts calls of functions of :mod:`os`, and lets one of them fail.

    Attributes
    ----------
    at : int
        The call that fails, counted over all functions from 1; 0 for none.
    fail : callable
        What is done instead of that call.
    calls : int
    after : bool
        Whether the call is made before.
    """

    at: int
    fail: Callable[[], object]
    after: bool = False
    calls: int = 0

    def hook(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function."""

        def hooked(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.calls != self.at:
                return function(*args, **kwargs)
            if self.after:
                function(*args, **kwargs)
            self.fail()
            return function(*args, **kwargs)

        return hooked


@contextmanager
def failing_calls(failing: Failing) -> Iterator[Failing]:
    """Let calls of :data:`STEPS` fail inside the ``with`` block."""
    with pytest.MonkeyPatch.context() as patch:
        for name in STEPS:
            patch.setattr(os, name, failing.hook(getattr(os, name)))
        open_file = os.fdopen

        def half_written(*args: Any, **kwargs: Any) -> Any:
            file = open_file(*args, **kwargs)
            return _File(file, failing)

        patch.setattr(os, "fdopen", half_written)
        yield failing


class _File:
    """A file whose writes may fail after half of the bytes."""

    def __init__(self, file: Any, failing: Failing) -> None:
        self._file = file
        self._write = failing.hook(file.write)
        self._failing = failing

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, content: bytes) -> int:
        """Write all, or half and fail."""
        if self._failing.calls + 1 == self._failing.at:
            self._file.write(content[: len(content) // 2])
            self._file.flush()
        return self._write(content)


@contextmanager
def small_files_only(n_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond so many bytes, inside the ``with`` block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def small_disk(folder: Path, n_bytes: int, *, options: str = "") -> Iterator[bool]:
    """Mount a file system of so many bytes; gives False where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = shutil.which("mount")
    words = [str(mount), "-t", "tmpfs", "-o", f"size={n_bytes}{options}", "tmpfs", str(folder)]
    mounted = mount is not None and subprocess.run(words, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)
