"""The processes of a calculation: one, or several under MPI.

All processes run the same program. Each advances the walks it owns; what the others need to know is gathered by all,
always in the same order, so that every decision is made alike everywhere and the result does not depend on the
number of processes.
"""

from __future__ import annotations

import functools
import os
import time
from typing import Any, Protocol

import numpy as np

from wanglandau.errors import InputError
from wanglandau.extras import optional_packages
from wanglandau.launcher import launch, under_mpi

POLL_INTERVAL = 0.01
"""Seconds between two looks whether the other processes are here."""


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

    Attributes
    ----------
    rank, size : int
    cores : int
        Cores for this process: those it may use, each divided by the number of processes that may use it.
    """

    def __init__(self, communicator: Any) -> None:
        self._communicator = communicator
        self._ends = communicator.Dup()  # apart from what is gathered, so that the two cannot be mistaken
        self.rank: int = communicator.Get_rank()
        self.size: int = communicator.Get_size()
        self.cores = _share_of_cores(communicator)

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Gather rows of one shape and type; a process may have none.

        Parameters
        ----------
        rows : array
            Of any type of fixed size, fields of several types included.

        Raises
        ------
        ValueError
            In all processes, if the rows of some differ in size from those of others: they are out of step.
        """
        from mpi4py import MPI

        row_bytes = rows.dtype.itemsize * int(np.prod(rows.shape[1:], dtype=np.int64))
        table = np.empty((self.size, 2), dtype=np.int64)
        self._communicator.Allgather(np.array([len(rows), row_bytes], dtype=np.int64), table)
        counts = table[:, 0]
        if len(np.unique(table[counts > 0, 1])) > 1:
            raise ValueError(f"processes gather rows of different sizes: {table[:, 1].tolist()} bytes")
        result = np.empty((int(counts.sum()), *rows.shape[1:]), dtype=rows.dtype)
        if result.nbytes == 0:
            return result
        row = MPI.BYTE.Create_contiguous(row_bytes).Commit()  # counts of bytes would soon pass 2^31
        try:
            sent, received = np.ascontiguousarray(rows), result
            self._communicator.Allgatherv(
                [_bytes_of(sent), len(rows), row], [_bytes_of(received), counts.tolist(), row]
            )
        finally:
            row.Free()
        return result

    def meet(self, number: int, patience: float | None = None) -> list[int] | None:
        """Wait, without use of the processor, until all processes are here.

        Parameters
        ----------
        number : int
            What the others get to know.
        patience : float, optional
            Longest wait, s; default: for ever.

        Returns
        -------
        list of int or None
            The numbers of all processes; None if some did not come in time.
        """
        numbers = np.empty(self.size, dtype=np.int64)
        own = np.array([number], dtype=np.int64)
        request = self._ends.Iallgather(own, numbers)
        end = time.monotonic() + (float("inf") if patience is None else patience)
        while not request.Test():
            if time.monotonic() > end:
                return None
            time.sleep(POLL_INTERVAL)
        return numbers.tolist()

    def abort(self, exit_code: int) -> None:
        """End all processes, which would wait for this one for ever."""
        self._communicator.Abort(exit_code)


def _bytes_of(rows: np.ndarray) -> np.ndarray:
    return rows.reshape(-1).view(np.uint8) if rows.size else np.empty(0, dtype=np.uint8)


def _share_of_cores(communicator: Any) -> int:
    """Divide the cores of a machine among the processes on it, which may be bound to different ones."""
    from mpi4py import MPI

    node = communicator.Split_type(MPI.COMM_TYPE_SHARED)
    cores = _own_cores()
    highest = np.empty(node.Get_size(), dtype=np.int64)
    node.Allgather(np.array([max(cores)], dtype=np.int64), highest)
    own = np.zeros(int(highest.max()) + 1, dtype=np.int64)
    own[list(cores)] = 1
    everyone = np.empty((node.Get_size(), len(own)), dtype=np.int64)
    node.Allgather(own, everyone)
    node.Free()
    used = own > 0
    return max(1, int(np.sum(1.0 / everyone.sum(axis=0)[used]) + 1e-6))


def _own_cores() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return set(os.sched_getaffinity(0))
    return set(range(os.cpu_count() or 1))


def default_threads(ranks: Ranks) -> int:
    """Return how many threads this process should use: its share of the cores that it may use."""
    return ranks.cores if isinstance(ranks, MpiRanks) else len(_own_cores())


def launched_ranks() -> Ranks:
    """Return the processes that a launcher such as mpiexec started, this one among them.

    The first call has to be made by all processes.

    Raises
    ------
    InputError
        If there are several but mpi4py or an MPI library is not installed, or not the one of the launcher.
    """
    return _world() if under_mpi() else OneProcess()


@functools.cache
def _world() -> MpiRanks:
    with optional_packages():
        try:
            from mpi4py import MPI
        except RuntimeError as error:  # how mpi4py says that it finds no library
            remedy = "pip install 'alloy-wanglandau[mpi]', or load the MPI of this machine"
            raise InputError(f"mpi4py finds no MPI library ({error}); run: {remedy}") from error
    started, met = launch().size, MPI.COMM_WORLD.Get_size()
    if met != started:
        library = MPI.Get_library_version().splitlines()[0].partition(",")[0]
        raise InputError(
            f"the launcher started {started} processes but {library} knows of {met}; start them by the mpiexec of "
            "that library, or by srun --mpi=pmix"
        )
    return MpiRanks(MPI.COMM_WORLD)


def share_of(n_units: int, ranks: Ranks) -> range:
    """Return which of some units of work belong to this process: a block of consecutive ones."""
    return range(n_units * ranks.rank // ranks.size, n_units * (ranks.rank + 1) // ranks.size)
