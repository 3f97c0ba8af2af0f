"""Many calculations over an executor, each orbit once, every result on disk before it is used.

The campaign alone decides what is computed and writes the log; workers (threads, processes, nodes) compute. Whatever
ends it, what finished is in the log, and the next campaign on the same folder goes on from there.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from lsms_bridge.calculation import Outcome, Task, compute, folder_name, tidy
from lsms_bridge.canonical import as_text, mapping_from, representatives
from lsms_bridge.configuration import BridgeConfiguration
from lsms_bridge.launcher import GuardedRuns
from lsms_bridge.potential_library import PotentialLibrary
from lsms_bridge.recording import make_record
from lsms_bridge.result_log import Record, ResultLog
from surrogate.dataset import Dataset
from wanglandau.errors import InputError, OracleError
from wanglandau.lattice import Lattice
from wanglandau.orderly_end import stop_if_asked

PURE = "pure"
"""Source of the two configurations of one species that give the reference energies."""
RUNS_FOLDER = "runs"
POTENTIALS_FOLDER = "potentials"
LOOK_EVERY = 0.2
"""Seconds between looks whether to end early."""
USAGE_NAME = "usage.log"
"""File in the folder of results to which every campaign that ran LSMS adds a line when it ends."""


@dataclass
class Usage:
    """What was asked of LSMS since the campaign was opened.

    Attributes
    ----------
    asked : int
        Configurations asked for.
    computed : int
        Orbits computed by runs.
    known : int
        Answers that came from the log or from symmetry.
    given_up : int
    runs : int
        Runs of LSMS, failed ones included.
    failures : Counter
        By kind.
    iterations : int
        Of the runs that count.
    seconds : float
        Wall time of all runs, added up.
    """

    asked: int = 0
    computed: int = 0
    known: int = 0
    given_up: int = 0
    runs: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    iterations: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        failed = ", ".join(f"{kind.lower()} {count}" for kind, count in sorted(self.failures.items())) or "none"
        return (
            f"LSMS: {self.asked} energies asked, {self.computed} computed by {self.runs} runs, {self.known} known or "
            f"equivalent by symmetry, {self.given_up} given up; failed runs: {failed}; {self.seconds:.0f} s of runs"
        )


class _Flight(NamedTuple):
    """A calculation under way: what it is of, and how often its worker was lost."""

    row: np.ndarray
    origin: str
    task: Task
    n_lost: int


class Campaign:
    """Energies by LSMS, computed when asked for and kept. A context manager.

    Parameters
    ----------
    lattice : Lattice
    configuration : BridgeConfiguration
    executor : concurrent.futures.Executor, optional
        Where calculations run; threads, ``configuration.workers`` of them, unless given. A given executor is not shut
        down, and must see the same file system.
    known : Dataset, optional
        Results of the same physics that need no computing.

    Raises
    ------
    InputError
        If the folder is in use or holds results of another lattice or physics.
    """

    def __init__(
        self,
        lattice: Lattice,
        configuration: BridgeConfiguration,
        executor: Executor | None = None,
        known: Dataset | None = None,
    ) -> None:
        self.lattice = lattice
        self.configuration = configuration
        self.usage = Usage()
        self.log = ResultLog(configuration.folder, lattice, configuration.parameters.physics())
        self._library = PotentialLibrary(configuration.folder / POTENTIALS_FOLDER, lattice)
        self._known = {} if known is None else _known_records(lattice, known)
        self._own_executor = executor is None
        self._executor = executor or ThreadPoolExecutor(configuration.workers, thread_name_prefix="lsms")
        self._runs = GuardedRuns()

    def __enter__(self) -> Campaign:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all runs and let other processes use the folder; again does nothing."""
        if self.log.closed:
            return
        self._runs.end_all()
        if self._own_executor:
            self._executor.shutdown(wait=True, cancel_futures=True)
        if self.usage.runs:
            with open(self.configuration.folder / USAGE_NAME, "a", encoding="utf-8") as file:
                file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {self.usage}\n")
        self.log.close()

    def find(self, occupations: np.ndarray) -> Record | None:
        """Return what is known of a representative, ``int8[n_sites]``."""
        return self._find(as_text(occupations))

    def _find(self, text: str) -> Record | None:
        return self._known.get(text) or self.log.get(text)

    def pure_records(self) -> list[Record]:
        """Return what is known of the two pure species, computed if need be.

        Raises
        ------
        OracleError
            As :meth:`compute`.
        """
        return self.compute(self.pure, PURE, describe="pure species")

    def compute(
        self, occupations: np.ndarray, source: str | Sequence[str], *, again: bool = False, describe: str = "LSMS"
    ) -> list[Record]:
        """Have configurations computed that are not known, and return what is known of each.

        Parameters
        ----------
        occupations : int8[n, n_sites]
        source : str or n of them
            How they were chosen, for the log.
        again : bool
            Try those anew that were given up.
        describe : str
            Before the progress bar.

        Returns
        -------
        list of Record
            In the order asked for; equivalent configurations share one. Records without a result are those given up.

        Raises
        ------
        OracleError
            If every run would fail, or more were given up than the configuration allows.
        """
        rows = representatives(self.lattice, np.asarray(occupations, dtype=np.int8))
        sources = [source] * len(rows) if isinstance(source, str) else list(source)
        texts = [as_text(row) for row in rows]
        wanted: dict[str, tuple[np.ndarray, str]] = {}
        for text, row, origin in zip(texts, rows, sources, strict=True):
            found = self._find(text)
            if found is None or (again and not found.done):
                wanted.setdefault(text, (row, origin))
        self.usage.asked += len(rows)
        self.usage.known += len(rows) - len(wanted)
        self._compute_all(list(wanted.values()), describe)
        records = [self._find(text) for text in texts]
        assert all(records), "every configuration that was asked for ends in the log"
        return [record for record in records if record is not None]

    @property
    def pure(self) -> np.ndarray:
        """The two configurations of one species, ``int8[2, n_sites]``."""
        return np.repeat(np.array([[0], [1]], dtype=np.int8), self.lattice.n_sites, axis=1)

    def _compute_all(self, wanted: list[tuple[np.ndarray, str]], describe: str) -> None:
        waiting = list(reversed(wanted))
        flying: dict[Future[Outcome], _Flight] = {}
        given_up = 0
        try:
            with tqdm(total=len(wanted), desc=describe, unit="run", disable=None if wanted else True) as bar:
                while waiting or flying:
                    while waiting and len(flying) < self.configuration.workers:
                        self._submit(flying, *waiting.pop())
                    stop_if_asked()
                    for future in wait(flying, LOOK_EVERY, return_when=FIRST_COMPLETED).done:
                        flight = flying.pop(future)
                        outcome = self._outcome(future, flight.n_lost)
                        if outcome is None:
                            self._submit(flying, flight.row, flight.origin, flight.n_lost + 1)
                            continue
                        record = self._store(flight, outcome)
                        bar.update()
                        given_up += not record.done
                        self._check_worth_going_on(outcome, record, given_up)
        except BaseException:
            for future in flying:
                future.cancel()
            self._runs.end_all()
            raise

    def _submit(self, flying: dict[Future[Outcome], _Flight], row: np.ndarray, origin: str, n_lost: int = 0) -> None:
        task = self._task(row)
        own = (self._runs,) if isinstance(self._executor, ThreadPoolExecutor) else ()
        try:
            future = self._executor.submit(compute, task, *own)
        except RuntimeError as error:  # a pool of which a process was killed
            raise OracleError(
                f"the executor takes no more work ({type(error).__name__}: {error}); look after the executor and start "
                "again: what was computed is kept"
            ) from error
        flying[future] = _Flight(row, origin, task, n_lost)

    def known_references(self) -> np.ndarray | None:
        """Return the energies of the pure species where both are known, ``float64[2]``, Ry per atom."""
        records = [self.find(row) for row in self.pure]
        known = [record.energy / self.lattice.n_sites for record in records if record is not None and record.done]
        return np.array(known) if len(known) == len(records) else None

    def _task(self, row: np.ndarray) -> Task:
        c = self.configuration
        return Task(
            self.lattice,
            row,
            c.parameters,
            c.launcher,
            c.effort,
            c.folder / RUNS_FOLDER / folder_name(self.lattice, row, c.parameters),
            self._library.choose(row),
            self.known_references(),
        )

    def _outcome(self, future: Future[Outcome], n_lost: int) -> Outcome | None:
        """Return what a worker found; None where the worker itself was lost and may be tried again."""
        try:
            return future.result()
        except (InputError, KeyboardInterrupt):
            raise
        except Exception as error:  # a worker that dies raises whatever its executor raises
            if n_lost >= self.configuration.effort.retries:
                raise OracleError(
                    f"a worker was lost {n_lost + 1} times ({type(error).__name__}: {error}); look after the executor"
                ) from error
            return None

    def _store(self, flight: _Flight, outcome: Outcome) -> Record:
        folder = self.configuration.folder
        record = self.log.add(_make_record(self.lattice, flight.row, flight.origin, outcome, folder))
        usage = self.usage
        usage.runs += len(outcome.attempts)
        usage.failures.update(attempt.failure for attempt in outcome.attempts if attempt.failure)
        usage.seconds += sum(attempt.seconds for attempt in outcome.attempts)
        if record.done:
            usage.computed += 1
            usage.iterations += record.iterations
            self._library.file_away(flight.row, outcome.folder)
        else:
            usage.given_up += 1
        tidy(outcome, flight.task.folder, self.configuration.effort.keep)
        return record

    def _check_worth_going_on(self, outcome: Outcome, record: Record, given_up: int) -> None:
        last = outcome.attempts[-1].message if outcome.attempts else ""
        where = self.configuration.folder / record.folder
        if outcome.hopeless:
            raise OracleError(f"every run would fail like this one ({where}): {last}")
        if given_up > self.configuration.effort.max_given_up:
            raise OracleError(
                f"{given_up} configurations were given up, more than max_given_up; the last ({where}): {last}"
            )


def _make_record(lattice: Lattice, row: np.ndarray, origin: str, outcome: Outcome, folder: Path) -> Record:
    attempts: tuple[dict[str, Any], ...] = tuple(dataclasses.asdict(attempt) for attempt in outcome.attempts)
    place = str(outcome.folder.relative_to(folder))
    if outcome.result is None:
        return Record.given_up(as_text(row), origin, attempts, place)
    seconds = outcome.attempts[-1].seconds if outcome.attempts else 0.0
    return make_record(lattice, outcome.result, origin, place, seconds, attempts)


def _known_records(lattice: Lattice, data: Dataset) -> dict[str, Record]:
    """Turn a data set into records of representatives; of equivalent configurations the first counts."""
    if data.lattice.fingerprint != lattice.fingerprint:
        raise InputError("the known data set is of another lattice; take its system, or leave known out")
    nan = float("nan")
    found: dict[str, Record] = {}
    for place, row in enumerate(representatives(lattice, data.occupations)):
        text = as_text(row)
        if text in found:
            continue
        order = mapping_from(lattice, data.occupations[place], row)
        charge = data.charge[place][order] if data.charge is not None else np.full(lattice.n_sites, nan)
        moment = data.moment[place][order] if data.moment is not None else np.zeros(lattice.n_sites)
        origin = "known" if data.source is None else str(data.source[place])
        energy = float(data.energy[place])
        found[text] = Record(
            text, energy, nan, nan, tuple(charge.tolist()), tuple(moment.tolist()), 0, nan, nan, nan, 0.0, origin
        )
    return found
