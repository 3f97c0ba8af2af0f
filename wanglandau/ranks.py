"""The processes of a calculation: one, or several under MPI.

All processes run the same program. Each advances the walks it owns; what the others need to know is gathered by all,
always in the same order, so that every decision is made alike everywhere and the result does not depend on the
number of processes.
"""

from __future__ import annotations

import os
from typing import Any, Protocol

import numpy as np

from wanglandau.extras import optional_packages


class Ranks(Protocol):
    """Processes that share a calculation.

    Attributes
    ----------
    rank : int
        Number of this process.
    size : int
        Number of processes.
    """

    @property
    def rank(self) -> int: ...
    @property
    def size(self) -> int: ...

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Put the rows of all processes one below the other, in the order of their ranks; all get the result."""
        ...


class OneProcess:
    """No other processes."""

    rank = 0
    size = 1

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows."""
        return rows


class MpiRanks:
    """Processes under MPI.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm
    """

    def __init__(self, communicator: Any) -> None:
        self._communicator = communicator
        self.rank: int = communicator.Get_rank()
        self.size: int = communicator.Get_size()

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Gather rows of one shape and type; a process may have none."""
        counts = np.empty(self.size, dtype=np.int64)
        self._communicator.Allgather(np.array([len(rows)], dtype=np.int64), counts)
        row_bytes = rows.dtype.itemsize * int(np.prod(rows.shape[1:], dtype=np.int64))
        result = np.empty((int(counts.sum()), *rows.shape[1:]), dtype=rows.dtype)
        sizes = (counts * row_bytes).tolist()
        sent = np.ascontiguousarray(rows).view(np.uint8).reshape(-1) if rows.size else np.empty(0, np.uint8)
        received = result.view(np.uint8).reshape(-1) if result.size else np.empty(0, np.uint8)
        self._communicator.Allgatherv(sent, [received, sizes])
        return result

    def abort(self, exit_code: int) -> None:
        """End all processes, which would wait for this one for ever."""
        self._communicator.Abort(exit_code)


_LAUNCHERS = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS")
"""Environment variables in which launchers of MPI tell their processes how many they are."""


def under_mpi() -> bool:
    """Tell whether a launcher of MPI started several of this process."""
    return any(int(os.environ.get(name, "1") or 1) > 1 for name in _LAUNCHERS)


def launched_ranks() -> Ranks:
    """Return the processes that a launcher such as mpiexec started, this one among them.

    Raises
    ------
    InputError
        If there are several but mpi4py is not installed.
    """
    if not under_mpi():
        return OneProcess()
    with optional_packages():
        from mpi4py import MPI
    return MpiRanks(MPI.COMM_WORLD)


def share_of(n_units: int, ranks: Ranks) -> range:
    """Return which of some units of work belong to this process: a block of consecutive ones."""
    edges = np.linspace(0, n_units, ranks.size + 1).round().astype(int)
    return range(int(edges[ranks.rank]), int(edges[ranks.rank + 1]))
