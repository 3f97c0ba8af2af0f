"""A file of records that a run appends to at every checkpoint, so that a checkpoint need not hold all of them.

Nothing that was written is ever changed: each checkpoint says how many segments of the file belong to it, how long they
are and what their CRC-32 is. What stands behind them, half-written perhaps, was of no checkpoint and is overwritten.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from wanglandau.errors import InputError


class KeptSeries:
    """Segments of a file.

    Parameters
    ----------
    path : Path
        Made by the first segment.
    segments : sequence of (int, int)
        Length (bytes) and checksum of those that are there already.
    """

    def __init__(self, path: Path, segments: Sequence[tuple[int, int]] = ()) -> None:
        self.path = path
        self.segments = [(int(length), int(checksum)) for length, checksum in segments]

    def append(self, content: bytes) -> None:
        """Add a segment and bring it to disk.

        Raises
        ------
        OSError
            If that fails; the segments before are as they were.
        """
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.truncate(sum(length for length, _ in self.segments))
            file.seek(0, os.SEEK_END)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self.segments.append((len(content), zlib.crc32(content)))

    def read(self) -> Iterator[bytes]:
        """Yield the segments.

        Raises
        ------
        InputError
            If one is missing or damaged.
        """
        if not self.segments:
            return
        try:
            with open(self.path, "rb") as file:
                for length, checksum in self.segments:
                    content = file.read(length)
                    if len(content) < length or zlib.crc32(content) != checksum:
                        raise InputError(f"{self.path} is damaged, and the checkpoint beside it of no use; start anew")
                    yield content
        except OSError as error:
            raise InputError(
                f"{self.path} cannot be read ({error.strerror}), and the checkpoint beside it is of no use without it; "
                "start anew"
            ) from error

    def remove(self) -> None:
        """Remove the file."""
        with suppress(FileNotFoundError):
            self.path.unlink()
