"""Long calls of compiled code in short pieces, between which work can be asked to end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from wanglandau.orderly_end import stop_if_asked

_GROWTH = 4


@dataclass
class Pace:
    """How many rounds take about half a second, learnt on the way.

    Attributes
    ----------
    seconds : float
        What a piece is to take.
    size : int
        Rounds of the next piece.
    """

    seconds: float = 0.5
    size: int = 1

    def pieces(self, n_rounds: int, unit: int = 0) -> Iterator[int]:
        """Divide rounds into pieces; the caller makes each before it asks for the next.

        Parameters
        ----------
        n_rounds : int
        unit : int
            No piece reaches over a multiple of this many rounds, unless it is of whole units; 0: no matter.

        Raises
        ------
        Interrupted
            Before a piece, if an end is asked for; see :func:`wanglandau.orderly_end.stop_if_asked`.
        """
        done = 0
        while done < n_rounds:
            stop_if_asked()
            n = min(self.size, n_rounds - done)
            if unit and done % unit:
                n = min(n, unit - done % unit)
            elif unit and n > unit:
                n -= n % unit
            started = time.perf_counter()
            yield n
            self._learn(n, time.perf_counter() - started)
            done += n

    def _learn(self, n: int, seconds: float) -> None:
        if seconds > self.seconds:
            self.size = max(1, int(n * self.seconds / seconds))
        elif seconds < self.seconds / _GROWTH and 2 * n > self.size:
            self.size *= _GROWTH
