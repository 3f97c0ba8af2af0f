"""Several processes of a calculation as threads of one, to show that sharing the work changes no result."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from wanglandau.ranks import Ranks

PATIENCE = 60.0
"""Seconds after which ranks that wait for others give up: a deadlock fails and does not hang."""

Result = TypeVar("Result")


class ThreadRank:
    """One of several threads that all run the same program."""

    def __init__(self, rank: int, barrier: threading.Barrier, slots: list[np.ndarray]) -> None:
        self.rank, self.size = rank, len(slots)
        self._barrier, self._slots = barrier, slots

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Put the rows of all threads one below the other; all get a copy."""
        self._slots[self.rank] = np.array(rows)
        self._barrier.wait()
        shapes = {(slot.shape[1:], slot.dtype.str) for slot in self._slots}
        assert len(shapes) == 1, f"ranks gather different things at the same time: {sorted(map(str, shapes))}"
        result = np.concatenate(self._slots)
        self._barrier.wait()
        return result


def run_on(n_ranks: int, program: Callable[[Ranks], Result]) -> list[Result]:
    """Run a program on so many ranks at once; return what each of them gives."""
    barrier, slots = threading.Barrier(n_ranks, timeout=PATIENCE), [np.empty(0)] * n_ranks

    def run(rank: int) -> Result:
        try:
            return program(ThreadRank(rank, barrier, slots))
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(n_ranks) as pool:
        return list(pool.map(run, range(n_ranks)))
