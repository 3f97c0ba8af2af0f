"""The checkpoint of one run: where it lies, what it is of, when it is written."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wanglandau.checkpoint_file import (
    checkpoint_exists,
    checkpoint_of,
    read_checkpoint,
    remove_checkpoint,
    write_checkpoint,
)
from wanglandau.errors import InputError
from wanglandau.interruption import Interruption
from wanglandau.keeping_settings import KeepingSettings
from wanglandau.orderly_end import ending_in_order, undisturbed
from wanglandau.run_description import refuse_different
from wanglandau.run_lock import lock_of, locked
from wanglandau.state_tree import pack, unpack

FORM = 1
"""Raised when state of an older form cannot be gone on from."""


class ResultKeeper:
    """Writes checkpoints of a run, and finds the one to go on from.

    Parameters
    ----------
    result : Path
        What the run writes at its end; the checkpoint lies beside it.
    of : mapping of str to plain values
        Everything that the result depends on.
    settings : KeepingSettings
    classes : iterable of type
        Those that the state may hold, see :func:`wanglandau.state_tree.unpack`.

    Attributes
    ----------
    state
        To go on from; None for a new run.
    written : bool
        Whether there is a checkpoint on disk.
    interruption : Interruption or None
        Told how long checkpoints take.

    Raises
    ------
    InputError
        If there is a checkpoint that nobody asked to go on from, one of another calculation, or a damaged one.
    """

    def __init__(
        self,
        result: Path,
        of: Mapping[str, Any],
        settings: KeepingSettings,
        classes: Iterable[type] = (),
    ) -> None:
        self.result, self.path = result, checkpoint_of(result)
        self._of = {"form": FORM} | dict(of)
        self._interval = settings.checkpoint_interval
        self.interruption: Interruption | None = None
        self._sequence = 0
        self._start = self._last = time.monotonic()
        self._seconds_before = 0.0
        self.written = checkpoint_exists(self.path)
        self.state: Any = None
        if self.written:
            self.state = self._read(settings.resume, classes)

    def _read(self, wanted: bool, classes: Iterable[type]) -> Any:
        if not wanted:
            raise InputError(
                f"{self.path} is the checkpoint of a run that was not finished; go on from it with --resume, choose "
                "another name with --out, or delete it to start anew"
            )
        sealed = read_checkpoint(self.path)
        if sealed.warning:
            print(f"{sealed.warning}; the checkpoint before it is used", file=sys.stderr)
        held = unpack(sealed.content, classes)
        refuse_different(self.path, held["of"], self._of)
        self._sequence, self._seconds_before = sealed.sequence, held["seconds"]
        return held["state"]

    def offer(self, make: Callable[[], Any]) -> None:
        """Write a checkpoint if it is time for one; ``make`` gives the state.

        One that cannot be written, on a full disk say, is told as a warning: the run goes on, and the checkpoint before
        is as it was.
        """
        if time.monotonic() - self._last < self._interval:
            return
        try:
            self.keep(make)
        except OSError as error:
            warnings.warn(f"{self.path} cannot be written ({error.strerror}); going on", RuntimeWarning, stacklevel=2)
            self._last = time.monotonic()

    def keep(self, make: Callable[[], Any]) -> None:
        """Write a checkpoint now.

        Raises
        ------
        OSError
            If it cannot be written; the one before is as it was.
        """
        started = time.monotonic()
        with undisturbed():
            content = pack({"of": self._of, "seconds": self.seconds, "state": make()})
            write_checkpoint(self.path, content, self._sequence + 1)
            self._sequence += 1
            self.written = True
        self._last = time.monotonic()
        if self.interruption is not None:
            self.interruption.checkpoint_time = self._last - started

    @property
    def seconds(self) -> float:
        """Wall time of the run so far, that before the checkpoint included."""
        return self._seconds_before + time.monotonic() - self._start

    def remove(self) -> None:
        """Remove the checkpoint of a run that has written its result."""
        remove_checkpoint(self.path)
        self.written = False

    def how_to_go_on(self) -> str:
        """Say what is on disk and how to go on, for the message of an early end."""
        if not self.written:
            return "nothing was kept yet; the same command begins anew"
        return f"kept in {self.path}; the same command with --resume goes on"


@contextmanager
def keeping(
    result: Path, of: Mapping[str, Any], settings: KeepingSettings, classes: Iterable[type] = ()
) -> Iterator[ResultKeeper]:
    """Keep others from the result, find the checkpoint to go on from, and let the ``with`` block be ended early.

    Parameters are those of :class:`ResultKeeper`.

    Raises
    ------
    InputError
        If another process makes this result, or as :class:`ResultKeeper` does.
    KeyboardInterrupt
        If the block was ended early, saying how to go on.
    """
    with locked(lock_of(result), str(result)):
        keeper = ResultKeeper(result, of, settings, classes)
        with ending_in_order(keeper.how_to_go_on, settings.max_walltime) as keeper.interruption:
            yield keeper
