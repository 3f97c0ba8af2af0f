"""Limits that the core sets to trials per second, measured here and now; no program can pass the lowest of them.

Arithmetic: multiply-adds per second over those of a trial. Rows: bytes per second, read in order from rows of the same
size in all (so from the cache that holds them), over those of a trial. Bare trials: random numbers, two sites, as many
look-ups in a table that the nearest cache holds, and a bin, with all sums, decisions and the records of the walker for
free. All are the best of several tries, of one thread. What a trial needs is in
:class:`wanglandau.trial_cost.TrialCost`; a program that computes an energy in another way, with less work, may pass
the limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from wanglandau.benchmarking import roofline_kernels as kernels
from wanglandau.benchmarking.work import Work
from wanglandau.configurations import random_configurations
from wanglandau.oracle import EnergyOracle
from wanglandau.pair_model import PairOracle
from wanglandau.trial_cost import CostedOracle, TrialCost

TRIES = 5
SECONDS = 0.03
"""Of one try."""
TABLE_LENGTH = 1024
"""Entries of 8 bytes in the table of bare trials: little enough for the nearest cache of any processor."""
N_CONFIGURATIONS = 256
"""Over which the cost of a trial is averaged."""


@dataclass(frozen=True)
class Roofline:
    """Limits for one oracle in one cell.

    Attributes
    ----------
    oracle : str
    n_sites : int
    cost : TrialCost
    limits : dict
        Trials/s of one core, by what limits them: ``multiply-adds``, ``rows``, ``bare trials``.
    """

    oracle: str
    n_sites: int
    cost: TrialCost
    limits: dict[str, float]

    @property
    def lowest(self) -> float:
        """The limit that counts, trials/s."""
        return min(self.limits.values())


def roofline_of(work: Work) -> Roofline | None:
    """Measure the limits of some work; None where nobody knows what a trial costs."""
    rng = np.random.default_rng(0)
    rows = random_configurations(work.oracle.lattice, work.composition, N_CONFIGURATIONS, rng)
    cost = cost_of(work.oracle, rows)
    if cost is None:
        return None
    bare = bare_trials_per_second(work.n_sites, work.grid.n_bins, round(cost.look_ups))
    limits = {"bare trials": bare}
    if cost.multiply_adds:
        limits["multiply-adds"] = multiply_adds_per_second() / cost.multiply_adds
    if cost.row_bytes:
        limits["rows"] = bytes_per_second(cost.rows_size) / cost.row_bytes
    return Roofline(work.name, work.n_sites, cost, limits)


def cost_of(oracle: EnergyOracle, occupations: np.ndarray) -> TrialCost | None:
    """Count the work of a swap, the mean over ``int8[n, n_sites]``; None where the oracle does not tell."""
    if isinstance(oracle, PairOracle):
        counted = "2 look-ups: the field of either site; its update after an accepted swap is for free"
        return TrialCost(look_ups=2.0, counted=counted)
    return oracle.trial_cost(occupations) if isinstance(oracle, CostedOracle) else None


@cache
def multiply_adds_per_second() -> float:
    """Measure float32 multiply-adds per second of this core, with the best length of vectors."""
    return max(
        lanes * kernels.ACCUMULATORS * _calls_per_second(run, 100_000) for lanes, run in kernels.PEAK_LOOPS.items()
    )


@cache
def bytes_per_second(size: int) -> float:
    """Measure how fast ``size`` bytes are read over and over, bytes/s."""
    values = np.ones((8, max(1, size // 32)), dtype=np.float32)
    passes = max(1, 2**22 // values.nbytes)
    return values.nbytes * _calls_per_second(lambda n: kernels.read_rows(values, n), passes)


def bare_trials_per_second(n_sites: int, n_bins: int, look_ups: int) -> float:
    """Measure trials per second without energies; see :func:`wanglandau.benchmarking.roofline_kernels.bare_trials`."""
    state = np.random.default_rng(0).integers(1, 2**63, 4).astype(np.uint64)
    sites = np.arange(n_sites, dtype=np.int32)
    bins, table = np.zeros(n_bins), np.zeros(TABLE_LENGTH, dtype=np.int64)
    return _calls_per_second(lambda n: kernels.bare_trials(state, sites, bins, table, look_ups, n), 100_000)


def _calls_per_second(run: Callable[[int], object], n: int) -> float:
    """Return repetitions per second, the best of several tries."""
    run(2)
    best = 0.0
    for _ in range(TRIES):
        done, begin = 0, time.perf_counter()
        while time.perf_counter() - begin < SECONDS:
            run(n)
            done += n
        best = max(best, done / (time.perf_counter() - begin))
    return best
