"""Ending long work early and in good order: signals and a limit of wall time set a flag, which loops look at.

SIGTERM and SIGUSR1 are what batch systems send before the time of a job is over, SIGINT is Ctrl-C. The first of them
asks for an end; what handled signals before does so again from then on, so that a second Ctrl-C ends at once. A thread
takes notice of signals too, as the main one may be busy outside Python for long; where work does not end within some
seconds, that thread does what was arranged for this case.
"""

from __future__ import annotations

import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name))
MARGIN_SHARE, MARGIN_MOST = 0.1, 60.0
"""What is kept of the wall time for the end of the work: this part of it, no more than so many seconds."""
MARGIN_CHECKPOINTS = 3.0
"""And at least so many times what the last checkpoint took."""
GRACE = 3.0
"""Seconds that work is given to end by itself."""
WATCH_INTERVAL = 0.2


@dataclass
class Interruption:
    """Whether work has to end, and why.

    Attributes
    ----------
    asked : Event
        Set once it has to.
    reason : str
        For people; empty as long as it has not.
    max_walltime : float or None, s
        Of the process, from when this was made.
    checkpoint_time : float, s
        What the last checkpoint took to write.
    on_request : list of callable
        Called once, when the end is asked for; in signal handlers, so they must not block.
    rescue : callable or None
        Called, again and again, by the thread that watches over signals once work was asked to end ``GRACE`` seconds
        ago and has not; may end the process.
    """

    max_walltime: float | None = None
    asked: threading.Event = field(default_factory=threading.Event)
    reason: str = ""
    checkpoint_time: float = 0.0
    on_request: list[Callable[[], object]] = field(default_factory=list)
    rescue: Callable[[], object] | None = None
    _start: float = field(default_factory=lambda: time.monotonic())
    _once: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, reason: str) -> None:
        """Ask for the end; later reasons do not count."""
        if self._once.acquire(blocking=False):
            self.reason = reason
            self.asked.set()
            for call in self.on_request:
                call()

    def due(self) -> bool:
        """Tell whether work has to end now; to be asked at least once a second."""
        if self.max_walltime is not None and not self.asked.is_set():
            margin = max(self.least_margin, MARGIN_CHECKPOINTS * self.checkpoint_time)
            if time.monotonic() - self._start >= self.max_walltime - margin:
                self.ask(f"the wall time of {self.max_walltime:g} s is nearly over")
        return self.asked.is_set()

    @property
    def least_margin(self) -> float:
        """Seconds before the limit at which work has to end, however short checkpoints take; 0 without a limit."""
        return min(MARGIN_SHARE * (self.max_walltime or 0.0), MARGIN_MOST)

    def remaining(self) -> float | None:
        """Return the seconds until the limit of wall time, None without one."""
        return None if self.max_walltime is None else self.max_walltime - (time.monotonic() - self._start)


@contextmanager
def interruptible(max_walltime: float | None = None) -> Iterator[Interruption]:
    """Turn signals into a request to end, inside the ``with`` block.

    Only the main thread can do so; elsewhere, as in some notebooks, signals stay as they are and the limit of wall time
    alone counts.
    """
    interruption = Interruption(max_walltime)
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    before: dict[int, Any] = {number: signal.getsignal(number) for number in SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def handle(number: int, _frame: FrameType | None) -> None:
        restore()
        interruption.ask(f"signal {signal.Signals(number).name}")

    with _watched(interruption):
        for number in SIGNALS:
            if before[number] != signal.SIG_IGN:  # whoever started this process wants it ignored
                signal.signal(number, handle)
        try:
            yield interruption
        finally:
            restore()


@contextmanager
def _watched(interruption: Interruption) -> Iterator[None]:
    """Watch over signals and wall time from another thread inside the ``with`` block."""
    here, there = socket.socketpair()
    over = threading.Event()
    here.setblocking(False)
    there.setblocking(False)
    earlier = signal.set_wakeup_fd(here.fileno(), warn_on_full_buffer=False)
    thread = threading.Thread(target=_watch, args=(interruption, there, over), name="interruptions", daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(earlier)
        over.set()
        here.send(b"\0")
        thread.join()
        here.close()
        there.close()


def _watch(interruption: Interruption, signals: socket.socket, over: threading.Event) -> None:
    since = None
    while True:
        ready = select.select([signals], [], [], WATCH_INTERVAL)[0]
        if over.is_set():
            return
        for number in signals.recv(64) if ready else b"":
            if number in SIGNALS:
                interruption.ask(f"signal {signal.Signals(number).name}")
        if interruption.due():
            since = since or time.monotonic()
            if interruption.rescue is not None and time.monotonic() - since >= GRACE:
                interruption.rescue()
