"""How a program behaves when a launcher such as mpiexec starts several of its processes.

Every process runs the same command. Only the first one prints; the others keep quiet unless they alone fail. At the
end they wait for each other, so that no launcher ends those that still write files. A process that fails while
others work on would let them wait for ever: it ends them all.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import NamedTuple

from wanglandau.errors import InputError

_VARIABLES = (
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),  # mpiexec of Open MPI
    ("PMI_SIZE", "PMI_RANK"),  # mpiexec of MPICH and its kin; srun --mpi=pmi2
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),  # srun; these are not set in the batch script around it
)
"""Environment variables in which launchers tell a process how many there are and which one it is."""

PATIENCE = 3.0
"""Seconds that a process that failed waits for the others to fail alike."""
EXIT_CRASHED = 1


class Launch(NamedTuple):
    """What the launcher says, before MPI is asked.

    Attributes
    ----------
    rank, size : int
        Number of this process and of all of them; 0 and 1 without a launcher.
    """

    rank: int
    size: int


class Ending(NamedTuple):
    """How a command ended in one process.

    Attributes
    ----------
    exit_code : int
    failed : bool
        Whether by an error, so that other processes may still be waiting for this one.
    """

    exit_code: int
    failed: bool


def launch() -> Launch:
    """Ask the environment which process of how many this is; the innermost launcher counts."""
    for size, rank in _VARIABLES:
        if os.environ.get(size, "").isdecimal():
            told = os.environ.get(rank, "")
            return Launch(int(told) if told.isdecimal() else 0, int(os.environ[size]))
    return Launch(0, 1)


def under_mpi() -> bool:
    """Tell whether a launcher of MPI started several of this process."""
    return launch().size > 1


def run_alone(run: Callable[[], Ending]) -> int:
    """Run what needs no other processes in the first one only; the exit code of the others is 0.

    The launcher passes on the exit code of the first.
    """
    return run().exit_code if launch().rank == 0 else 0


def run_after_first(run: Callable[[], Ending]) -> int:
    """Report a failure that came before MPI: in the first process at once, in the others unless they are ended by then.

    Launchers end all processes when one fails, so that a failure of all is reported once, one of any not lost.
    """
    if launch().rank:
        time.sleep(PATIENCE)
    return run().exit_code


def run_together(run: Callable[[], Ending]) -> int:
    """Run a command in all processes and return their common exit code, the largest of all.

    Does not return, and ends all processes, if this one fails and others do not within ``PATIENCE``.

    Parameters
    ----------
    run : callable
        Prints and tells how it ended. Any exception is a defect: the exit code is then ``EXIT_CRASHED``.

    Raises
    ------
    InputError
        If the processes cannot reach each other by MPI; no process prints or writes anything then.
    """
    from wanglandau.ranks import MpiRanks, default_threads, launched_ranks

    ranks = launched_ranks()
    if not isinstance(ranks, MpiRanks):
        raise InputError("no launcher of MPI started this process; start it by mpiexec")
    os.environ.setdefault("OMP_NUM_THREADS", str(default_threads(ranks)))
    # An exception in one process would put it out of step with the others.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    said = io.StringIO()
    with contextlib.ExitStack() as stack:
        if ranks.rank:
            stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
            stack.enter_context(contextlib.redirect_stderr(said))
        ending = _ending(run)
    sys.stdout.flush()
    codes = ranks.meet(ending.exit_code, PATIENCE if ending.failed else None)
    first_of_its_kind = codes is None or codes.index(ending.exit_code) == ranks.rank
    if ranks.rank and ending.failed and first_of_its_kind:
        print(f"process {ranks.rank} of {ranks.size}: {said.getvalue()}", end="", file=sys.stderr)
    sys.stderr.flush()
    if codes is None:
        ranks.abort(ending.exit_code)
    return max(codes or [ending.exit_code])


def _ending(run: Callable[[], Ending]) -> Ending:
    try:
        return run()
    except Exception:
        traceback.print_exc()
        return Ending(EXIT_CRASHED, True)
