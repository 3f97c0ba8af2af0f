"""Starting LSMS: an argument list, a process group of its own, a time limit, and no way to be left behind."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsms_bridge import guard
from lsms_bridge.deck import DECK_NAME
from lsms_bridge.failures import Failure, LsmsError
from wanglandau.errors import InputError

PASSED_ON = (
    "PATH",
    "HOME",
    "USER",
    "TMPDIR",
    "LANG",
    "LC_*",
    "LD_LIBRARY_PATH",
    "OMPI_*",
    "OPAL_*",
    "PRTE_*",
    "PMIX_*",
    "PMI_*",
    "MPICH_*",
    "I_MPI_*",
    "FI_*",
    "UCX_*",
    "SLURM_*",
)
"""Variables of the environment that a program needs to find its libraries, MPI and the batch system."""

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_MAX_SECONDS = 30 * 24 * 3600.0


@dataclass(frozen=True)
class Launcher:
    """How the program is started.

    Attributes
    ----------
    executable : str
        Name on the search path, or a path.
    arguments : tuple of str
        Between the executable and the name of the deck.
    mpi : tuple of str
        What stands before the executable, such as ("mpirun", "-np", "4"); empty runs one process.
    threads : int
        OpenMP and BLAS threads of each process.
    environment : tuple of str
        Further variables to pass on, with ``*`` for any ending; those of :data:`PASSED_ON` always are.
    time_limit : float, s
        After which a run is ended.
    grace : float, s
        Between being asked to end and being killed.
    max_file_size : int, bytes
        Largest file, printed output included, that the program may write.

    Raises
    ------
    InputError
        Naming the setting, its value and the limit.
    """

    executable: str
    arguments: tuple[str, ...] = ()
    mpi: tuple[str, ...] = ()
    threads: int = 1
    environment: tuple[str, ...] = ()
    time_limit: float = 3600.0
    grace: float = 10.0
    max_file_size: int = 2**28

    def __post_init__(self) -> None:
        for word in (self.executable, *self.arguments, *self.mpi):
            if not isinstance(word, str) or not word or "\0" in word:
                raise InputError(f"launcher: {word!r} cannot be a word of a command; give a text that is not empty")
        for pattern in self.environment:
            if not isinstance(pattern, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*\*?", pattern):
                raise InputError(f"launcher: environment names {pattern!r}; give names of variables, with * at the end")
        limits = {"threads": (1, 1024), "time_limit": (0.01, _MAX_SECONDS), "grace": (0.0, 600.0)}
        for name, (low, high) in (limits | {"max_file_size": (2**10, 2**40)}).items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise InputError(f"launcher: {name} is {value!r}; give a number from {low:g} to {high:g}")

    def command(self, *, serial: bool = False) -> list[str]:
        """Return the words of the command, found on the search path.

        Parameters
        ----------
        serial : bool
            Leave MPI out.

        Raises
        ------
        InputError
            If a program does not exist or may not be executed.
        """
        front = [] if serial or not self.mpi else [_find_program(self.mpi[0]), *self.mpi[1:]]
        return [*front, _find_program(self.executable), *self.arguments, DECK_NAME]

    def variables(self) -> dict[str, str]:
        """Return the environment of the program: allowed variables of this process, and the number of threads."""
        allowed = (*PASSED_ON, *self.environment)
        kept = {
            name: value
            for name, value in os.environ.items()
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in allowed)
        }
        return kept | dict.fromkeys(_THREAD_VARIABLES, str(self.threads))


def _find_program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise InputError(
            f"program {name!r} was not found or may not be executed; give its path as executable in [launcher]"
        )
    return os.path.abspath(found)


class GuardedRuns:
    """Runs in flight; all of them can be ended at once, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._ended = False

    def run(self, launcher: Launcher, folder: Path, *, serial: bool = False) -> Mapping[str, Any]:
        """Run the program in a folder that holds a deck and wait for it.

        Returns
        -------
        mapping
            ``returncode`` (int, negative for a signal) and ``seconds``.

        Raises
        ------
        LsmsError
            If it ran out of time or could not be started.
        InputError
            If there is no such program.
        """
        arguments = launcher.command(serial=serial)
        task = {
            "arguments": arguments,
            "folder": str(folder.resolve()),
            "environment": launcher.variables(),
            "time_limit": launcher.time_limit,
            "grace": launcher.grace,
            "max_file_bytes": launcher.max_file_size,
        }
        outcome = self._guarded(task)
        if outcome.get("error"):
            raise LsmsError(Failure.CRASHED, f"{arguments[0]} cannot be started: {outcome['error']}")
        if outcome["timed_out"]:
            raise LsmsError(Failure.TIMED_OUT, f"LSMS was ended after the time limit of {launcher.time_limit:g} s")
        if outcome["abandoned"]:
            raise KeyboardInterrupt("the run was ended with the program that started it")
        return outcome

    def _guarded(self, task: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            if self._ended:
                raise KeyboardInterrupt("no run is started any more")
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", guard.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,  # Ctrl-C goes to the owner alone
            )
            self._running.add(process)
        try:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(json.dumps(task) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()  # standard input stays open: its end would end the run
        except OSError:  # the guard was killed
            answer = ""
        finally:
            self._forget(process)
        if not answer:
            raise LsmsError(Failure.CRASHED, "the program that watches over LSMS was killed")
        outcome: dict[str, Any] = json.loads(answer)
        return outcome

    def _forget(self, process: subprocess.Popen[str]) -> None:
        with self._lock:
            self._running.discard(process)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what was not read by a guard that is gone
                    pass
        process.wait()

    def end_all(self) -> None:
        """End all runs and start no more."""
        with self._lock:
            self._ended = True
            running = list(self._running)
        for process in running:
            if process.stdin is not None:
                process.stdin.close()  # the guard sees its owner gone and ends the whole group
