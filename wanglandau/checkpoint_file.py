"""Checkpoint files: two generations of sealed bytes, the newer of which is used if it is whole.

A file is a header of 24 bytes (magic, sequence number, length of what follows), the content, and the SHA-256 of all
that stands before it. A new one is written under another name, flushed and read again before it takes its place, and
what it replaces is kept beside it as ``NAME.prev``; whatever moment a process or its machine dies at, one whole
checkpoint is there. Which is newer, the sequence number says: clocks of a cluster do not agree.
"""

from __future__ import annotations

import hashlib
import os
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wanglandau.atomic_file import remove_leftovers, replacing, sync_folder
from wanglandau.errors import InputError

MAGIC = b"WLCKPT01"
SUFFIX = ".checkpoint"
_HEADER = struct.Struct("<8sQQ")
_DIGEST_SIZE = hashlib.sha256().digest_size
MAX_BYTES = 1 << 36
"""No checkpoint is larger; 64 GiB."""


@dataclass(frozen=True)
class Sealed:
    """The content of a checkpoint.

    Attributes
    ----------
    content : bytes
    sequence : int
        Counts the checkpoints of a run.
    warning : str
        What was wrong with the other generation, empty if nothing.
    """

    content: bytes
    sequence: int
    warning: str = ""


def checkpoint_of(result: Path) -> Path:
    """Return the checkpoint of the run that writes this result."""
    return result.with_name(f"{result.name}{SUFFIX}")


def previous_of(path: Path) -> Path:
    """Return where the last checkpoint but one is kept."""
    return path.with_name(f"{path.name}.prev")


def checkpoint_exists(path: Path) -> bool:
    """Tell whether there is a checkpoint, whole or not."""
    return path.exists() or previous_of(path).exists()


def write_checkpoint(path: Path, content: bytes, sequence: int) -> None:
    """Write a checkpoint and keep the one before.

    Parameters
    ----------
    path : Path
    content : bytes
    sequence : int
        Higher than that of any checkpoint before.

    Raises
    ------
    OSError
        If it cannot be written, or reads back otherwise than written; the checkpoints before are left as they were.
    """
    header = _HEADER.pack(MAGIC, sequence, len(content))
    digest = hashlib.sha256(header)
    digest.update(content)
    with replacing(path) as temporary:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(header)
            file.write(content)
            file.write(digest.digest())
            file.flush()
            os.fsync(file.fileno())
        try:
            _read(temporary)
        except _Damaged as error:
            raise OSError(5, f"reads back otherwise than written: {error}", str(path)) from error
        _keep_as_previous(path)


def read_checkpoint(path: Path) -> Sealed:
    """Read the newest whole checkpoint.

    Raises
    ------
    InputError
        If there is none.
    """
    whole, faults = [], []
    for place in (path, previous_of(path)):
        try:
            whole.append(_read(place))
        except FileNotFoundError:
            continue
        except _Damaged as error:
            faults.append(f"{place} {error}")
        except OSError as error:
            faults.append(f"{place} cannot be read: {error.strerror}")
    if not whole:
        told = "; ".join(faults) or f"there is no {path}"
        raise InputError(f"no checkpoint to go on from: {told}; nothing was changed, start without --resume elsewhere")
    newest = max(whole, key=lambda sealed: sealed.sequence)
    return Sealed(newest.content, newest.sequence, "; ".join(faults))


def remove_checkpoint(path: Path) -> None:
    """Remove both generations, the older one first, and what killed writers left."""
    for place in (previous_of(path), path):
        with suppress(FileNotFoundError):
            place.unlink()
        remove_leftovers(place)
    sync_folder(path.parent)


class _Damaged(Exception):
    """A file is not what was written."""


def _keep_as_previous(path: Path) -> None:
    """Give the present checkpoint its second name; it keeps the first until the new one takes it."""
    if not path.exists():
        return
    previous = previous_of(path)
    try:
        with replacing(previous) as temporary:
            os.link(path, temporary)
    except OSError:  # a file system without links: for a moment there is the previous one only
        os.replace(path, previous)


def _read(path: Path) -> Sealed:
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(_HEADER.size)
        if len(head) < _HEADER.size:
            raise _Damaged(f"ends after {size} bytes")
        magic, sequence, length = _HEADER.unpack(head)
        if magic != MAGIC:
            raise _Damaged("is no checkpoint, or one of another version of this program")
        wanted = _HEADER.size + length + _DIGEST_SIZE
        if size != wanted or size > MAX_BYTES:
            raise _Damaged(f"has {size} bytes where its header wants {wanted}")
        content = file.read(length)
        found = file.read(_DIGEST_SIZE)
    digest = hashlib.sha256(head)
    digest.update(content)
    if digest.digest() != found:
        raise _Damaged("is damaged: its checksum is another")
    return Sealed(content, sequence)
