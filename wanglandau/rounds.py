"""The compiled loops over rounds; in a round every walker makes one trial, one after the other.

Walkers see each other's updates of ln g at once. There is a fused loop for compiled energies and a pair of functions
(propose, settle) for batched ones; both make the same trials with the same random numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from wanglandau.intrinsics import borrow
from wanglandau.kernels import (
    begin_round,
    composition_after,
    decide,
    make_move,
    pick_move,
    record,
)


class Populations(NamedTuple):
    """The walkers of a walk; the leading axis is the walker.

    Attributes
    ----------
    occupations : int8[n_walkers, n_sites]
    sites : int32[n_walkers, n_sites]
        All sites, those of the second species first; swaps pick from it, flips do not use it.
    records : WALKER[n_walkers]
    """

    occupations: np.ndarray
    sites: np.ndarray
    records: np.ndarray


class Histogram(NamedTuple):
    """What the walkers of a walk share.

    Attributes
    ----------
    bins : BIN[n_bins]
    control : CONTROL[1]
    proposals : int64[n_bins, n_bins + 1]
        See :func:`wanglandau.kernels.record`.
    """

    bins: np.ndarray
    control: np.ndarray
    proposals: np.ndarray


class Snapshots(NamedTuple):
    """States kept on the way; the leading axes are snapshot and walker.

    Attributes
    ----------
    every : int
        Rounds from one snapshot to the next.
    occupations : int8[n_snapshots, n_walkers, n_sites]
    records : WALKER[n_snapshots, n_walkers]
    """

    every: int
    occupations: np.ndarray
    records: np.ndarray


@njit(cache=True)
def take_snapshot(snapshots: Snapshots, population: Populations, n_rounds_done: int) -> None:
    """Keep the present states if it is time to."""
    if len(snapshots.records) and n_rounds_done % snapshots.every == 0:
        place = n_rounds_done // snapshots.every - 1
        if place < len(snapshots.records):
            snapshots.occupations[place] = population.occupations
            snapshots.records[place] = population.records


def _fused_loop(n_flips: int) -> Callable[..., None]:
    """Compile the loop for moves that flip so many sites; the number is a constant, for speed."""

    @njit(nogil=True, error_model="numpy")
    def fused_rounds(
        energy: tuple,
        population: Populations,
        cache: np.ndarray,
        histogram: Histogram,
        snapshots: Snapshots,
        n_rounds: int,
    ) -> None:
        parameters, trial, commit = energy
        occupations, sites = borrow(population.occupations), borrow(population.sites)
        records, rows = borrow(population.records), borrow(cache)
        bins, proposals = borrow(histogram.bins), borrow(histogram.proposals)
        control = histogram.control[0]
        picks_held, flips_held = np.empty(2, dtype=np.int32), np.empty(n_flips, dtype=np.int32)
        picks, flips = borrow(picks_held), borrow(flips_held)
        next_snapshot = snapshots.every if len(snapshots.records) else n_rounds + 1
        for done in range(n_rounds):
            begin_round(control)
            for walker in range(len(records)):
                here = records[walker]
                occupied, places, row = occupations[walker], sites[walker], rows[walker]
                pick_move(places, here, picks, flips)
                proposed = trial(parameters, occupied, row, flips)
                composition = composition_after(occupied, here, flips)
                if decide(here, bins, control, proposed, composition, 0.0):
                    commit(parameters, occupied, row, flips)
                    make_move(places, picks, flips)
                record(here, bins, control, proposals)
            if done + 1 == next_snapshot:
                take_snapshot(snapshots, population, next_snapshot)
                next_snapshot += snapshots.every
        picks_held[0] = flips_held[0] = 0  # used last here, so that they are not freed before

    return fused_rounds


fused_flips = _fused_loop(1)
fused_swaps = _fused_loop(2)
"""Give every walker so many trials without returning to Python.

Parameters
----------
energy : (parameters, trial, commit)
    Of a :class:`~wanglandau.oracle.CompiledEnergy`.
population : Populations
cache : float64[n_walkers, cache_size]
histogram : Histogram
snapshots : Snapshots
n_rounds : int
"""


@njit(nogil=True)
def prepare_all(
    parameters: Any, prepare: Any, occupations: np.ndarray, cache: np.ndarray, energies: np.ndarray
) -> None:
    """Fill cache and energies of every walker from its occupations."""
    for walker in range(len(occupations)):
        energies[walker] = prepare(parameters, occupations[walker], cache[walker])


@njit(cache=True, nogil=True)
def propose(population: Populations, picks: np.ndarray, flips: np.ndarray, proposed: np.ndarray) -> None:
    """Write one configuration after a move per walker into ``proposed``, ``int8[n_walkers, n_sites]``.

    Parameters
    ----------
    picks : int32[n_walkers, 2]
    flips : int32[n_walkers, 1 or 2]
        One place: flip a site; two: swap.
    """
    occupations, sites, records = population
    for walker in range(len(records)):
        pick_move(sites[walker], records[walker], picks[walker], flips[walker])
        proposed[walker] = occupations[walker]
        for site in flips[walker]:
            proposed[walker, site] = 1 - occupations[walker, site]


@njit(cache=True, nogil=True)
def settle(population: Populations, histogram: Histogram, moves: tuple, energies: np.ndarray) -> None:
    """Decide on the proposals of a round, given their energies (Ry per cell), and record.

    Parameters
    ----------
    moves : (picks, flips, proposed)
        As :func:`propose` left them.
    """
    occupations, sites, records = population
    picks, flips, proposed = moves
    control = histogram.control[0]
    begin_round(control)
    for walker in range(len(records)):
        here = records[walker]
        composition = composition_after(occupations[walker], here, flips[walker])
        if decide(here, histogram.bins, control, energies[walker], composition, 0.0):
            occupations[walker] = proposed[walker]
            make_move(sites[walker], picks[walker], flips[walker])
        record(here, histogram.bins, control, histogram.proposals)
