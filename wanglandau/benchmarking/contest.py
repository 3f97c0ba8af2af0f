"""Timing that a noisy machine cannot fool: contestants take short turns, A B C A B C; ratios are taken turn by turn.

Whatever slows the machine for longer than a turn slows neighbours alike and drops out of their ratio; whatever is
shorter is cut off by the median over turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from wanglandau.benchmarking.spread import Spread
from wanglandau.errors import InputError
from wanglandau.orderly_end import stop_if_asked

Advance = Callable[[int], float]
"""Does so many units of work and returns the seconds they took."""
Key = TypeVar("Key", bound=Hashable)
WARM_UP = 10
"""Units before anything counts: kernels are compiled and caches are filled then."""
GROWTH = 4


def clocked(work: Callable[[int], object]) -> Advance:
    """Put a clock around work that has none."""

    def advance(n: int) -> float:
        begin = time.perf_counter()
        work(n)
        return time.perf_counter() - begin

    return advance


def take_turns(contestants: Mapping[Key, Advance], seconds: float, turns: int) -> dict[Key, np.ndarray]:
    """Let all contestants work in turn.

    Parameters
    ----------
    contestants : mapping
        From any key to the work.
    seconds : float
        Time for each contestant in all, about.
    turns : int

    Returns
    -------
    dict of float64[turns], units of work/s

    Raises
    ------
    InputError
        If a turn took no time, which differences of two runs can do.
    """
    total = (1 + turns) * len(contestants)
    with tqdm(total=total, desc="warm-up", unit="turn", leave=False, disable=None) as bar:
        sizes = {}
        for key, advance in contestants.items():
            sizes[key] = _units_of_a_turn(advance, seconds / turns)
            bar.update()
        bar.set_description("turns")
        rates = {key: np.empty(turns) for key in contestants}
        for turn in range(turns):
            for key, advance in contestants.items():
                stop_if_asked()
                rates[key][turn] = sizes[key] / _positive(advance(sizes[key]), key)
                bar.update()
    return rates


def _positive(seconds: float, key: Hashable) -> float:
    if not seconds > 0:
        raise InputError(f"a turn of {key} is too short to be told from its start-up; raise --seconds")
    return seconds


def quotient(rates: Sequence[float] | np.ndarray, others: Sequence[float] | np.ndarray) -> Spread:
    """Return the quotient of the rates of two contestants, turn by turn.

    >>> quotient([2.0, 4.0, 30.0], [1.0, 2.0, 10.0])
    Spread(median=2.0, lower=2.0, upper=2.5, n=3)
    """
    return Spread.of(np.asarray(rates) / np.asarray(others))


def _units_of_a_turn(advance: Advance, seconds: float) -> int:
    """Find how many units fill a turn; the search is the warm-up."""
    advance(WARM_UP)
    n, spent = WARM_UP, advance(WARM_UP)
    while spent < seconds / 8:
        n *= GROWTH
        spent = advance(n)
    return max(1, round(n * seconds / spent))
