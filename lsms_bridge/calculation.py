"""One configuration, from its deck to a result that counts or to the list of what was tried.

Runs in a worker: a thread, or a process of another machine that shares the file system. A calculation has a folder
named after its content and in it one folder for each attempt. Nothing in here decides what is computed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lsms_bridge.configuration import Effort
from lsms_bridge.deck import DECK_NAME, write_deck
from lsms_bridge.failures import Failure, LsmsError, Remedy
from lsms_bridge.guard import EXIT_FILE
from lsms_bridge.ladder import Rung, rungs
from lsms_bridge.launcher import GuardedRuns, Launcher
from lsms_bridge.parameters import LsmsParameters
from lsms_bridge.result import Result, Tolerances, explain_exit, read_result
from wanglandau.bounded_file import read_text
from wanglandau.json_text import parse_json
from wanglandau.lattice import Lattice

MAX_ATTEMPT_FOLDERS = 10_000
MAX_STATUS = 10_000
"""Sanity limit on the file in which the guard of a run leaves its exit status (bytes)."""


@dataclass(frozen=True, eq=False)
class Task:
    """What a worker needs to compute one configuration.

    Attributes
    ----------
    lattice : Lattice
    occupations : int8[n_sites]
    parameters : LsmsParameters
    launcher : Launcher
    effort : Effort
    folder : Path
        Of this calculation, see :func:`folder_name`.
    potentials : (list of Path, tuple of int) or None
        Starting potentials: distinct files, and which of them each site takes.
    reference_energies : float64[2], Ry/atom, or None
        Of the pure species, where known.
    """

    lattice: Lattice
    occupations: np.ndarray
    parameters: LsmsParameters
    launcher: Launcher
    effort: Effort
    folder: Path
    potentials: tuple[list[Path], tuple[int, ...]] | None = None
    reference_energies: np.ndarray | None = None


@dataclass(frozen=True)
class Attempt:
    """What became of one run.

    Attributes
    ----------
    rung : str
        Name of the way that was tried.
    failure : str
        Name of a :class:`~lsms_bridge.failures.Failure`; empty for a result that counts.
    message : str
    seconds : float
        Wall time.
    """

    rung: str
    failure: str
    message: str
    seconds: float


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a worker found.

    Attributes
    ----------
    result : Result or None
        None: the configuration is given up.
    attempts : tuple of Attempt
        In the order made; empty where a finished run was found.
    folder : Path
        Of the last attempt.
    hopeless : bool
        Whether every other configuration would fail in the same way.
    """

    result: Result | None
    attempts: tuple[Attempt, ...]
    folder: Path
    hopeless: bool = False


def folder_name(lattice: Lattice, occupations: np.ndarray, parameters: LsmsParameters) -> str:
    """Return the name of a calculation's folder: a digest of what its result depends on."""
    text = f"{lattice.fingerprint} {parameters.physics_digest} {occupations.tolist()}"
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def compute(task: Task, runs: GuardedRuns | None = None) -> Outcome:
    """Compute one configuration; climb the ladder until a run converges.

    Parameters
    ----------
    task : Task
    runs : GuardedRuns, optional
        Through which runs can be ended from another thread.

    Returns
    -------
    Outcome
        Failures of LSMS are in it, never raised.

    Raises
    ------
    InputError
        If the executable does not exist or a deck cannot be written.
    """
    found = _finished_before(task)
    if found is not None:
        return found
    attempts: list[Attempt] = []
    folder, retries = task.folder, task.effort.retries
    running = runs or GuardedRuns()
    for rung in rungs(task.parameters.n_spin)[: task.effort.rungs]:
        while True:
            previous, folder = folder, _new_folder(task.folder)
            started = time.monotonic()
            try:
                result = _attempt(task, rung, folder, previous, running)
            except LsmsError as error:
                attempts.append(Attempt(rung.name, error.failure.name, str(error), time.monotonic() - started))
                remedy = error.failure.remedy
            else:
                attempts.append(Attempt(rung.name, "", "", time.monotonic() - started))
                return Outcome(result, tuple(attempts), folder)
            if remedy is Remedy.STOP:
                return Outcome(None, tuple(attempts), folder, hopeless=True)
            if remedy is Remedy.LADDER:
                break
            if retries == 0:
                return Outcome(None, tuple(attempts), folder)
            time.sleep(task.effort.pause * 2.0 ** (task.effort.retries - retries))
            retries -= 1
    return Outcome(None, tuple(attempts), folder)


def _attempt(task: Task, rung: Rung, folder: Path, previous: Path, runs: GuardedRuns) -> Result:
    try:
        files = _lay_out_potentials(task, rung, folder, previous)
        start = rung.start(task.parameters, files)
        deck = write_deck(task.lattice, task.occupations, task.parameters, start)
        (folder / DECK_NAME).write_text(deck, encoding="ascii")
    except OSError as error:
        raise LsmsError(Failure.DISK, f"{error.filename}: {error.strerror}") from error
    # Muffin tins from generated potentials crash under more than one process.
    serial = task.parameters.program == "mt" and not files
    outcome = runs.run(task.launcher, folder, serial=serial)
    return _judge(task, folder, outcome["returncode"])


def _judge(task: Task, folder: Path, returncode: int) -> Result:
    if returncode != 0:
        raise explain_exit(returncode, folder)
    return read_result(folder, task.lattice, _tolerances(task.parameters), task.occupations, task.reference_energies)


def _tolerances(parameters: LsmsParameters) -> Tolerances:
    return Tolerances(
        parameters.program,
        parameters.n_spin,
        parameters.charge_tolerance,
        parameters.energy_tolerance,
        parameters.potential_tolerance,
    )


def _lay_out_potentials(task: Task, rung: Rung, folder: Path, previous: Path) -> tuple[int, ...]:
    """Copy starting potentials to ``v.<k>``; return which of them each site takes, empty where there are none."""
    if rung.source == "library" and task.potentials is not None:
        files, chosen = task.potentials
    elif rung.source == "own":
        files = [previous / f"w.{site}" for site in range(task.lattice.n_sites)]
        chosen = tuple(range(len(files)))
        if not all(file.is_file() for file in files):
            return ()
    else:
        return ()
    for number, file in enumerate(files):
        shutil.copyfile(file, folder / f"v.{number}")
    return chosen


def _new_folder(parent: Path) -> Path:
    """Make the folder of the next attempt."""
    for number in range(1, MAX_ATTEMPT_FOLDERS):
        folder = parent / f"attempt-{number}"
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            continue
    raise LsmsError(Failure.DISK, f"{parent} holds {MAX_ATTEMPT_FOLDERS} attempts already; delete it")


def attempt_folders(parent: Path) -> Iterator[Path]:
    """Yield the folders of the attempts that were made, the first first."""
    numbers = [int(path.name[8:]) for path in parent.glob("attempt-*") if path.name[8:].isdigit()]
    yield from (parent / f"attempt-{number}" for number in sorted(numbers))


def _finished_before(task: Task) -> Outcome | None:
    """Find a run that counts and was not reported, because what waited for it was killed."""
    for folder in attempt_folders(task.folder):
        try:
            ended = parse_json(read_text(folder / EXIT_FILE, "exit status", MAX_STATUS))
            return Outcome(_judge(task, folder, int(ended["returncode"])), (), folder)
        except (OSError, ValueError, KeyError, TypeError, LsmsError):
            continue
    return None


def tidy(outcome: Outcome, calculation: Path, keep: str) -> None:
    """Delete what is no longer needed of a calculation whose result has been stored.

    Parameters
    ----------
    outcome : Outcome
    calculation : Path
        Folder of the calculation.
    keep : {"nothing", "outputs", "everything"}
    """
    if keep == "nothing" and outcome.result is not None:
        shutil.rmtree(calculation, ignore_errors=True)
    if keep != "outputs":
        return
    for folder in attempt_folders(calculation):
        for name in os.listdir(folder):
            if name.startswith(("v.", "w.", "i_lsms_restart", "i_lsms.restart")):
                (folder / name).unlink(missing_ok=True)
