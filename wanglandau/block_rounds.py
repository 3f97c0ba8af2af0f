"""The compiled loop over rounds for energies that evaluate the trials of several walkers together.

A move is proposed from a walker's own state and random numbers alone; ln g, which walkers share, is asked only when it
is decided on. So all walkers propose, all energies are worked out at once, and then one walker after the other decides
and records: the same trials, bit for bit, as those of :mod:`wanglandau.rounds`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import njit

from wanglandau.kernels import (
    begin_round,
    composition_after,
    decide,
    record,
    stay,
)
from wanglandau.move import Move
from wanglandau.rounds import Histogram, Populations, Snapshots, take_snapshot


@cache
def _block_loop(
    pick: Callable[..., bool], make: Callable[..., None], n_flips: int, keeps_composition: bool
) -> Callable[..., None]:
    """Compile the loop for one move; what stands in the head are constants, for speed."""

    @njit(nogil=True)
    def block_rounds(
        energy: tuple,
        move: Any,
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
        picks = np.zeros((len(records), n_flips), dtype=np.int32)
        flips = np.zeros((len(records), n_flips), dtype=np.int32)
        possible = np.empty(len(records), dtype=np.bool_)
        proposed = np.empty(len(records))
        next_snapshot = snapshots.every if len(snapshots.records) else n_rounds + 1
        for done in range(n_rounds):
            begin_round(control)
            for walker in range(len(records)):
                chosen, state = flips[walker], records[walker]
                possible[walker] = pick(move, occupations[walker], sites[walker], state, picks[walker], chosen)
                if not possible[walker]:  # evaluated all the same, hence has to be something with an energy
                    for place in range(n_flips):
                        chosen[place] = place
            trials(parameters, occupations, cache, flips, proposed)
            for walker in range(len(records)):
                here, chosen = records[walker], flips[walker]
                if possible[walker]:
                    composition = composition_after(occupations[walker], here, chosen, keeps_composition)
                    if decide(here, bins, control, proposed[walker], composition, 0.0):
                        commit(parameters, occupations[walker], cache[walker], chosen)
                        make(sites[walker], picks[walker], chosen)
                else:
                    stay(here)
                record(here, bins, control, proposals)
            if done + 1 == next_snapshot:
                take_snapshot(snapshots, population, next_snapshot)
                next_snapshot += snapshots.every

    return block_rounds


def block_loop(move: Move) -> Callable[..., None]:
    """Return the compiled loop of a move, as :func:`wanglandau.rounds.fused_loop` does.

    Its parameters are the same, but for energy : (parameters, trials, commit).
    """
    return _block_loop(move.pick, move.make, move.n_flips, move.keeps_composition)
