"""The checkpoint of a density of states: what is in it.

It is packed state (see :mod:`wanglandau.state_tree`) of one dict::

    header      what was calculated, see :mod:`wanglandau.run_header`; besides: command (str), finished (bool)
    history     continuations (list of dict), duration_s
    progress    what :mod:`wanglandau.checkpoint_inspection` shows
    common      bytes, and
    shares      list of bytes: see :mod:`wanglandau.run_state`; bytes are kept as uint8 arrays
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wanglandau.checkpoint_file import read_checkpoint
from wanglandau.errors import InputError
from wanglandau.state_tree import pack, unpack

SCHEMA = 1
KIND = "dos"
MORE_TRIALS = 4
"""How many times as many trials to propose where those allowed were not enough."""
MORE_PRECISE = 2
SPENT = 0.999
"""Part of the trials allowed from which on they are spent: whole rounds do not fill them up."""


@dataclass(frozen=True)
class PackedState:
    """The state of a calculation.

    Attributes
    ----------
    common : bytes
        What all processes know.
    shares : list of bytes
        Walks, a consecutive block of them in each.
    """

    common: bytes
    shares: list[bytes]


@dataclass(frozen=True)
class Kept:
    """A checkpoint that was read.

    Attributes
    ----------
    header, history, progress : dict
    state : PackedState
    sequence : int
    """

    header: dict[str, Any]
    history: dict[str, Any]
    progress: dict[str, Any]
    state: PackedState
    sequence: int


def read_kept(path: Path) -> Kept:
    """Read the newest whole checkpoint; say on standard error if the newest is damaged.

    Raises
    ------
    InputError
        If there is none, or it is of another version.
    """
    sealed = read_checkpoint(path)
    if sealed.warning:
        print(f"warning: {sealed.warning}; using the other of the two checkpoints", file=sys.stderr)
    try:
        kept = unpack_kept(sealed.content)
        if kept.header["schema"] != SCHEMA:
            raise InputError(
                f"{path} has schema {kept.header['schema']}, this version goes on from {SCHEMA}: finish it with "
                f"version {kept.header['version']}, or delete it to begin anew"
            )
        if kept.header["kind"] != KIND:
            raise InputError(f"{path} is a checkpoint of {kept.header['kind']}, not of {KIND}; choose another --out")
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is no checkpoint of a density of states ({error!r})") from error
    return kept


def pack_kept(kept: Kept) -> bytes:
    """Pack a checkpoint."""
    return pack(
        {
            "header": kept.header,
            "history": kept.history,
            "progress": kept.progress,
            "sequence": kept.sequence,
            "common": np.frombuffer(kept.state.common, dtype=np.uint8),
            "shares": [np.frombuffer(share, dtype=np.uint8) for share in kept.state.shares],
        }
    )


def unpack_kept(content: bytes) -> Kept:
    """Unpack what :func:`pack_kept` packed."""
    found = unpack(content, ())
    state = PackedState(found["common"].tobytes(), [share.tobytes() for share in found["shares"]])
    return Kept(found["header"], found["history"], found["progress"], state, found["sequence"])


def command_after(kept: Kept) -> str:
    """Return the command that goes on with a calculation; with a larger budget where it has spent its own."""
    command, settings = str(kept.header["command"]), kept.header["settings"]
    if not kept.header["finished"]:
        return command
    if kept.progress["trials"] >= SPENT * kept.progress["max_trials"]:
        return with_option(command, "--max-trials", str(MORE_TRIALS * settings["max_trials"]))
    return with_option(command, "--precision", f"{settings['precision'] / MORE_PRECISE:g}")


def with_option(command: str, flag: str, value: str) -> str:
    """Return a command line with another value of an option."""
    words = shlex.split(command)
    if flag in words:
        words[words.index(flag) + 1] = value
    else:
        words += [flag, value]
    return shlex.join(words)
