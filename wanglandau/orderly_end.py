"""Early ends of long commands: work asks between two small pieces whether it is to go on.

A command opens :func:`ending_in_order`; loops anywhere below it, in any thread, call :func:`stop_if_asked`, which
raises where a signal or the limit of wall time asks for an end. Work that nobody can ask about, such as a fit by a
library, is left by an alarm, if it has not ended by itself within ``PATIENCE`` seconds. Where even that does not help,
because compiled code does not return, a console program is ended after ``LAST_PATIENCE`` seconds: what is on disk is
whole at any moment.
"""

from __future__ import annotations

import functools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import ParamSpec, TypeVar

from wanglandau.ending_settings import EndingSettings
from wanglandau.interruption import GRACE, Interruption, interruptible

PATIENCE = 3.0
"""Seconds from the request to the alarm."""
LAST_PATIENCE = 4.5
"""Seconds from the request to the end of the process."""

leave_at_once: Callable[[str], object] | None = None
"""Says a message and ends the process; set by console programs only."""

Words = ParamSpec("Words")
Result = TypeVar("Result")

_running: list[Interruption] = []
_undisturbed = 0


class Interrupted(KeyboardInterrupt):
    """An end was asked for, and the piece of work under way was left."""


def stop_if_asked() -> None:
    """Raise if work has to end; to be called about once a second at least.

    Raises
    ------
    Interrupted
        Outside :func:`ending_in_order` never.
    """
    for interruption in _running:
        if interruption.due():
            _set_alarm(0.0)
            raise Interrupted(interruption.reason)


def end_asked_for() -> bool:
    """Tell whether :func:`stop_if_asked` would raise."""
    return any(interruption.due() for interruption in _running)


def time_left() -> float | None:
    """Return the seconds until the limit of wall time makes the running command end, None where there is no limit."""
    left = [
        remaining - interruption.least_margin
        for interruption in _running
        if (remaining := interruption.remaining()) is not None
    ]
    return min(left, default=None)


class _Rescue:
    """Ends the process where nothing else has done so; called every so often once an end was asked for."""

    def __init__(self, message: Callable[[], str]) -> None:
        self._message = message
        self._since = 0.0

    def __call__(self) -> None:
        self._since = self._since or time.monotonic() - GRACE
        if leave_at_once is not None and not _undisturbed and time.monotonic() - self._since >= LAST_PATIENCE:
            leave_at_once(self._message())


@contextmanager
def ending_in_order(how_to_go_on: str | Callable[[], str], max_walltime: float | None = None) -> Iterator[Interruption]:
    """Let signals and a limit of wall time end the ``with`` block.

    Parameters
    ----------
    how_to_go_on : str or callable
        What was kept and how to go on, for the message; a callable is asked when it is needed.
    max_walltime : float, optional, s

    Raises
    ------
    KeyboardInterrupt
        With that message, where the block was ended early.
    """

    def message(end: object = "") -> str:
        told = how_to_go_on if isinstance(how_to_go_on, str) else how_to_go_on()
        return f"ended early ({interruption.reason or end}): {told}"

    with interruptible(max_walltime) as interruption, _insisting(interruption):
        interruption.rescue = _Rescue(message)
        _running.append(interruption)
        try:
            yield interruption
        except Interrupted as end:
            raise KeyboardInterrupt(message(end)) from end
        finally:
            _running.remove(interruption)


def ends_in_order(how_to_go_on: str) -> Callable[[Callable[Words, Result]], Callable[Words, Result]]:
    """Decorate a command: all of it may be ended early, by signals and by its ``EndingSettings`` if it has any.

    Parameters
    ----------
    how_to_go_on : str
        See :func:`ending_in_order`.
    """

    def decorate(command: Callable[Words, Result]) -> Callable[Words, Result]:
        @functools.wraps(command)
        def run(*words: Words.args, **named: Words.kwargs) -> Result:
            limits = [value.max_walltime for value in named.values() if isinstance(value, EndingSettings)]
            with ending_in_order(how_to_go_on, limits[0] if limits else None):
                return command(*words, **named)

        return run

    return decorate


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep the alarm away from the ``with`` block, which must be short: for what must not be left half done."""
    global _undisturbed
    _undisturbed += 1
    try:
        yield
    finally:
        _undisturbed -= 1


@contextmanager
def _insisting(interruption: Interruption) -> Iterator[None]:
    """Interrupt the main thread where it has not asked for a while whether to end."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def alarm(_number: int, _frame: FrameType | None) -> None:
        if interruption.asked.is_set() and not _undisturbed:
            raise Interrupted(interruption.reason)
        if interruption.asked.is_set() or not interruption.due():  # else it sets the next alarm
            _set_alarm(1.0)

    before = signal.signal(signal.SIGALRM, alarm)
    interruption.on_request.append(lambda: _set_alarm(PATIENCE))
    if interruption.max_walltime is not None:
        _set_alarm(max(interruption.max_walltime - interruption.least_margin, 1e-3))
    try:
        yield
    finally:
        _set_alarm(0.0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL if before is None else before)


def _set_alarm(seconds: float) -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)
