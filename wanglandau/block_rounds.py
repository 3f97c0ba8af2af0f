"""The compiled loop over rounds for energies that evaluate the trials of several walkers together.

A move is proposed from a walker's own state and random numbers alone; ln g, which walkers share, is asked only when it
is decided on. So all walkers propose, all energies are worked out at once, and then one walker after the other decides
and records: the same trials, bit for bit, as those of :mod:`wanglandau.rounds`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit

from wanglandau.kernels import (
    begin_round,
    composition_after,
    decide,
    make_move,
    pick_move,
    record,
)
from wanglandau.rounds import Histogram, Populations, Snapshots, take_snapshot


def _block_loop(n_flips: int) -> Callable[..., None]:
    """Compile the loop for moves that flip so many sites; the number is a constant, for speed."""

    @njit(nogil=True)
    def block_rounds(
        energy: tuple,
        population: Populations,
        cache: np.ndarray,
        histogram: Histogram,
        snapshots: Snapshots,
        n_rounds: int,
    ) -> None:
        parameters, trials, commit = energy
        occupations, sites, records = population
        bins, proposals = histogram.bins, histogram.proposals
        control = histogram.control[0]
        picks = np.empty((len(records), 2), dtype=np.int32)
        flips = np.empty((len(records), n_flips), dtype=np.int32)
        proposed = np.empty(len(records))
        next_snapshot = snapshots.every if len(snapshots.records) else n_rounds + 1
        for done in range(n_rounds):
            begin_round(control)
            for walker in range(len(records)):
                pick_move(sites[walker], records[walker], picks[walker], flips[walker])
            trials(parameters, occupations, cache, flips, proposed)
            for walker in range(len(records)):
                here, chosen = records[walker], flips[walker]
                composition = composition_after(occupations[walker], here, chosen)
                if decide(here, bins, control, proposed[walker], composition, 0.0):
                    commit(parameters, occupations[walker], cache[walker], chosen)
                    make_move(sites[walker], picks[walker], chosen)
                record(here, bins, control, proposals)
            if done + 1 == next_snapshot:
                take_snapshot(snapshots, population, next_snapshot)
                next_snapshot += snapshots.every

    return block_rounds


block_flips = _block_loop(1)
block_swaps = _block_loop(2)
"""Give every walker so many trials without returning to Python.

Parameters
----------
energy : (parameters, trials, commit)
    Of a :class:`~wanglandau.oracle.CompiledEnergy`.
population : Populations
cache : float64[n_walkers, cache_size]
histogram : Histogram
snapshots : Snapshots
n_rounds : int
"""
