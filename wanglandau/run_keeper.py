"""Keeps the checkpoint of a density of states: when it is written, and how a calculation goes on from it."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from wanglandau.calculation import Calculation, plan
from wanglandau.checkpoint_file import checkpoint_exists, remove_checkpoint, write_checkpoint
from wanglandau.engine import Engine
from wanglandau.errors import InputError
from wanglandau.extensions import Extensions
from wanglandau.interruption import Interruption
from wanglandau.provenance import versions
from wanglandau.ranks import Ranks
from wanglandau.result_parts import now
from wanglandau.run_checkpoint import Kept, PackedState, command_after, pack_kept, read_kept, unpack_kept
from wanglandau.run_description import refuse_found
from wanglandau.run_header import describe_run, unlike
from wanglandau.run_progress import gather_progress
from wanglandau.run_state import gather_state, restore
from wanglandau.settings import WangLandauSettings

SLOW_CHECK = 0.5
"""Seconds between two looks at the histograms from which on processes agree on pauses more often than then."""
MOST_OF_THE_TIME = 0.05
"""Part of the time that may go into checkpoints."""
REMEDY = "give the same options as before, or another --out, or delete it to begin anew"


@dataclass
class RunKeeper:
    """Keeps one calculation; see :class:`wanglandau.sampling.Keeper`.

    Attributes
    ----------
    path : Path
        The checkpoint.
    names : (str, str)
        Of the system and of the oracle, as they were given.
    command : str
        With which to go on.
    interruption : Interruption
    interval : float
        Seconds between checkpoints.
    resume : bool
        Whether to go on from a checkpoint.
    end_at_once : callable
        Prints a message and ends the process, whatever it is doing.
    history : dict
        Continuations and duration before this process.
    """

    path: Path
    names: tuple[str, str]
    command: str
    interruption: Interruption
    interval: float = 60.0
    resume: bool = False
    end_at_once: Callable[[str], object] = print
    history: dict[str, Any] = field(default_factory=lambda: {"continuations": [], "duration_s": 0.0})
    _header: dict[str, Any] = field(default_factory=dict)
    _sequence: int = 0
    _written: bool = False
    _began: float = field(default_factory=lambda: time.monotonic())
    _costs: deque[float] = field(default_factory=lambda: deque(maxlen=3))  # one that was held up counts for nothing
    _due: float = field(default_factory=lambda: time.monotonic())
    _check_began: float = field(default_factory=lambda: time.monotonic())
    _watchful: bool = True
    _busy: Lock = field(default_factory=Lock)
    _resting: tuple[PackedState, dict[str, Any]] | None = None
    _calculation: Calculation | None = None
    _pausing: bool = False

    def __post_init__(self) -> None:
        self.interruption.rescue = self._rescue

    def calculation(
        self, engine: Engine, composition: int | None, settings: WangLandauSettings, ranks: Ranks, own: Extensions
    ) -> Calculation:
        """Go on with what was kept, or plan a calculation.

        Raises
        ------
        InputError
            If what was kept belongs to another calculation, and as :func:`wanglandau.calculation.plan`.
        KeyboardInterrupt
            If the planning, of which nothing can be kept, was interrupted.
        """
        self._header = describe_run(*self.names, engine, composition, settings, own) | {
            "command": self.command,
            "finished": False,
        }
        kept = self._read(ranks) if self.resume else None
        if kept is None:
            engine.on_trials = self._end_planning
            calculation = plan(engine, composition, settings, ranks, own)
            if ranks.rank == 0:
                remove_checkpoint(self.path)
        else:
            refuse_found(self.path, unlike(kept.header, self._header), REMEDY)
            calculation = restore(kept.state, engine, settings, ranks, own)
            self._take_history(kept)
        self._calculation = calculation
        self._due = self._check_began = time.monotonic()
        self._due += self.interval
        self._busy.acquire()
        engine.outside = self._outside
        engine.pause_if(self.pausing)
        return calculation

    def pausing(self) -> bool:
        """Tell whether there is something to do that wants all walks at rest."""
        return self.interruption.due() or time.monotonic() >= self._due

    def attend(self, calculation: Calculation, at_check: bool) -> None:
        """Write a checkpoint if it is time to; end the calculation if that was asked for.

        Raises
        ------
        KeyboardInterrupt
            Saying where the checkpoint is and how to go on.
        """
        ranks = calculation.ranks
        if ranks.size == 1:
            if self.pausing():
                self._pause(calculation, self.interruption.due())
            return
        if not (self._watchful or at_check):
            return
        seconds = time.monotonic() - self._check_began
        own = [self.interruption.due(), time.monotonic() >= self._due, seconds > SLOW_CHECK]
        asked, due, slow = ranks.gather(np.array([own], dtype=np.int64)).max(axis=0)
        if at_check:
            self._watchful, self._check_began = bool(slow), time.monotonic()
            calculation.engine.pause_if(self.pausing if slow else None)
        if asked or due:
            self._pause(calculation, bool(asked))

    def rest(self, calculation: Calculation) -> None:
        """Remember the state, from which to go on if the budget of trials grows."""
        self._resting = gather_state(calculation), gather_progress(calculation)

    def fail(self, calculation: Calculation) -> None:
        """Write a checkpoint because an energy could not be had; where there is one process only."""
        if calculation.ranks.size == 1 and self._write(calculation):
            print(f"checkpoint in {self.path}; to go on: {self.command}", file=sys.stderr)

    def conclude(self, trusted: bool) -> str:
        """After the result is written: remove the checkpoint, or keep the state from which a larger budget goes on.

        Returns
        -------
        str
            The command that goes on with a larger budget; empty where there is no need or no way.
        """
        if trusted or self._resting is None:
            remove_checkpoint(self.path)
            return ""
        state, progress = self._resting
        try:
            return command_after(self._write_state(state, progress, finished=True))
        except OSError as error:
            print(f"warning: {self.path} cannot be written: {error.strerror}", file=sys.stderr)
            return ""

    @property
    def duration_s(self) -> float:
        """Seconds spent so far, those of earlier processes included."""
        return float(self.history["duration_s"]) + time.monotonic() - self._began

    def _read(self, ranks: Ranks) -> Kept | None:
        """Read the checkpoint, if there is one; only the first process looks, for all."""
        content = np.zeros(0, dtype=np.uint8)
        failure: InputError | None = None
        if ranks.rank == 0 and checkpoint_exists(self.path):
            try:
                kept = read_kept(self.path)
                content = np.frombuffer(pack_kept(kept), dtype=np.uint8)
            except InputError as error:
                failure = error
        if ranks.gather(np.array([failure is not None])).any():
            raise failure or InputError(f"the first process cannot read {self.path}")
        everywhere = ranks.gather(content)
        return unpack_kept(everywhere.tobytes()) if len(everywhere) else None

    def _take_history(self, kept: Kept) -> None:
        self._sequence, self._written = kept.sequence, True
        free = {
            name: [kept.header["settings"].get(name), value]
            for name, value in self._header["settings"].items()
            if kept.header["settings"].get(name) != value
        }
        record = {
            "at": now(),
            "trials": kept.progress["trials"],
            "changed": free,
            "versions": versions(),
            "oracle": self.names[1],
        }
        before = kept.history
        self.history = {"continuations": [*before["continuations"], record], "duration_s": before["duration_s"]}

    def _end_planning(self, _n_trials: int) -> None:
        if self.interruption.due():
            raise KeyboardInterrupt(self._nothing_kept())

    def _nothing_kept(self) -> str:
        return (
            f"interrupted ({self.interruption.reason}) before the first trial of the walks; what was done to prepare "
            f"them is not kept, the same command begins anew: {self.command}"
        )

    def _pause(self, calculation: Calculation, ending: bool) -> None:
        self._pausing = True
        written = self._write(calculation)
        self._pausing = False
        self._costs.append(self.interruption.checkpoint_time)
        self._due = time.monotonic() + max(self.interval, min(self._costs) / MOST_OF_THE_TIME)
        if ending:
            raise KeyboardInterrupt(self._ended(written))

    def _ended(self, written: bool) -> str:
        reason = self.interruption.reason or "another process was asked to end"
        if written:
            return f"interrupted ({reason}); checkpoint in {self.path}; to go on: {self.command}"
        if self._written:
            return f"interrupted ({reason}); the checkpoint before stands in {self.path}; to go on: {self.command}"
        return f"interrupted ({reason}); no checkpoint could be written, the same command begins anew: {self.command}"

    def _write(self, calculation: Calculation) -> bool:
        """Write a checkpoint of all processes; tell whether that could be done, and say it on standard error if not."""
        began = time.monotonic()
        state, progress = gather_state(calculation), gather_progress(calculation)
        failed = False
        if calculation.ranks.rank == 0:
            try:
                self._write_state(state, progress)
            except OSError as error:
                failed = True
                print(f"warning: no checkpoint at {self.path}: {error.strerror}; tried again later", file=sys.stderr)
        failed = bool(calculation.ranks.gather(np.array([failed])).any())
        self._written = self._written or not failed
        self.interruption.checkpoint_time = time.monotonic() - began
        return not failed

    def _write_state(self, state: PackedState, progress: dict[str, Any], finished: bool = False) -> Kept:
        header = self._header | {"finished": finished}
        history = self.history | {"duration_s": self.duration_s}
        kept = Kept(header, history, progress, state, self._sequence + 1)
        write_checkpoint(self.path, pack_kept(kept), self._sequence + 1)
        self._sequence += 1
        return kept

    def _rescue(self) -> None:
        """End the process where the oracle takes longer than that may take; walkers are at rest meanwhile."""
        if self._pausing or not self._busy.acquire(blocking=False):
            return  # soon at rest, or about to end
        if self._calculation is None:
            self.end_at_once(self._nothing_kept())
        else:
            alone = self._calculation.ranks.size == 1
            self.end_at_once(self._ended(alone and self._write(self._calculation)))

    @contextmanager
    def _outside(self) -> Iterator[None]:
        self._busy.release()
        try:
            yield
        finally:
            self._busy.acquire()
