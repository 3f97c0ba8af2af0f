"""The compiled loops over rounds; in a round every walker makes one trial, one after the other.

Walkers see each other's updates of ln g at once. There is a fused loop for compiled energies and a pair of functions
(propose, settle) for batched ones; both make the same trials with the same random numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from wanglandau.intrinsics import borrow
from wanglandau.kernels import (
    begin_round,
    composition_after,
    decide,
    pick_flip,
    pick_swap,
    record,
    stay,
    swap_places,
)
from wanglandau.move import FLIP, SWAP, Move


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


class Moves(NamedTuple):
    """What the walkers propose in a round, evaluated together.

    Attributes
    ----------
    picks, flips : int32[n_walkers, n_flips]
        See :class:`~wanglandau.move.Move`.
    possible : bool[n_walkers]
        Where there is a move at all.
    proposed : int8[n_walkers, n_sites]
        Configurations after the move.
    """

    picks: np.ndarray
    flips: np.ndarray
    possible: np.ndarray
    proposed: np.ndarray


@njit(cache=True)
def take_snapshot(snapshots: Snapshots, population: Populations, n_rounds_done: int) -> None:
    """Keep the present states if it is time to."""
    if len(snapshots.records) and n_rounds_done % snapshots.every == 0:
        place = n_rounds_done // snapshots.every - 1
        if place < len(snapshots.records):
            snapshots.occupations[place] = population.occupations
            snapshots.records[place] = population.records


@cache
def _fused_loop(
    pick: Callable[..., bool], make: Callable[..., None], n_flips: int, keeps_composition: bool
) -> Callable[..., None]:
    """Compile the loop for one move; what stands in the head are constants, for speed."""

    @njit(nogil=True, error_model="numpy")
    def fused_rounds(
        energy: tuple,
        move: Any,
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
        picks_held, flips_held = np.zeros(n_flips, dtype=np.int32), np.zeros(n_flips, dtype=np.int32)
        picks, flips = borrow(picks_held), borrow(flips_held)
        next_snapshot = snapshots.every if len(snapshots.records) else n_rounds + 1
        for done in range(n_rounds):
            begin_round(control)
            for walker in range(len(records)):
                here = records[walker]
                occupied, places, row = occupations[walker], sites[walker], rows[walker]
                if pick(move, occupied, places, here, picks, flips):
                    proposed = trial(parameters, occupied, row, flips)
                    composition = composition_after(occupied, here, flips, keeps_composition)
                    if decide(here, bins, control, proposed, composition, 0.0):
                        commit(parameters, occupied, row, flips)
                        make(places, picks, flips)
                else:
                    stay(here)
                record(here, bins, control, proposals)
            if done + 1 == next_snapshot:
                take_snapshot(snapshots, population, next_snapshot)
                next_snapshot += snapshots.every
        picks_held[0] = flips_held[0] = 0  # used last here, so that they are not freed before

    return fused_rounds


def fused_loop(move: Move) -> Callable[..., None]:
    """Return the compiled loop of a move, which gives every walker so many trials without returning to Python.

    The same functions have the same loop, compiled once in a process for each kind of energy.

    Its parameters are

    - energy : (parameters, trial, commit) of a :class:`~wanglandau.oracle.CompiledEnergy`
    - move : the ``parameters`` of the move
    - population : Populations
    - cache : float64[n_walkers, cache_size]
    - histogram : Histogram
    - snapshots : Snapshots
    - n_rounds : int
    """
    return _fused_loop(move.pick, move.make, move.n_flips, move.keeps_composition)


@njit(nogil=True)
def prepare_all(
    parameters: Any, prepare: Any, occupations: np.ndarray, cache: np.ndarray, energies: np.ndarray
) -> None:
    """Fill cache and energies of every walker from its occupations."""
    for walker in range(len(occupations)):
        energies[walker] = prepare(parameters, occupations[walker], cache[walker])


def batched_round(move: Move) -> tuple[Callable[..., None], Callable[..., None]]:
    """Return the two compiled halves of a round of one move, between which energies are asked for.

    The first, of (population : Populations, moves : Moves), chooses a move for every walker. The second, of
    (population, histogram : Histogram, moves, energies : float64[n_walkers], Ry per cell), decides and records; it does
    not look at energies where no move is possible.
    """
    if move in (FLIP, SWAP):
        return _propose_built_in, _settle_built_in
    return partial(_propose, move.pick, move.parameters), partial(_settle, move.make, move.keeps_composition)


@njit(cache=True, forceinline=True)
def _write_down(occupations: np.ndarray, moves: Moves, walker: int, possible: bool) -> None:
    moves.possible[walker] = possible
    moves.proposed[walker] = occupations
    if possible:
        for site in moves.flips[walker]:
            moves.proposed[walker, site] = 1 - occupations[site]


@njit(cache=True, forceinline=True)
def _settle_one(
    population: Populations, histogram: Histogram, moves: Moves, energy: float, walker: int, keeps_composition: bool
) -> bool:
    """Decide, take the proposed occupations if accepted, and record; return whether it was."""
    here, control, accepted = population.records[walker], histogram.control[0], False
    if moves.possible[walker]:
        composition = composition_after(population.occupations[walker], here, moves.flips[walker], keeps_composition)
        accepted = decide(here, histogram.bins, control, energy, composition, 0.0)
    else:
        stay(here)
    if accepted:
        population.occupations[walker] = moves.proposed[walker]
    record(here, histogram.bins, control, histogram.proposals)
    return accepted


@njit(cache=True, nogil=True)
def _propose_built_in(population: Populations, moves: Moves) -> None:
    """Compiled once for all processes, since no function is among its arguments; so is its other half."""
    occupations, sites, records = population
    for walker in range(len(records)):
        occupied, picks, flips = occupations[walker], moves.picks[walker], moves.flips[walker]
        if len(flips) == 1:
            possible = pick_flip((), occupied, sites[walker], records[walker], picks, flips)
        else:
            possible = pick_swap((), occupied, sites[walker], records[walker], picks, flips)
        _write_down(occupied, moves, walker, possible)


@njit(cache=True, nogil=True)
def _settle_built_in(population: Populations, histogram: Histogram, moves: Moves, energies: np.ndarray) -> None:
    begin_round(histogram.control[0])
    for walker in range(len(population.records)):
        swapped = len(moves.flips[walker]) == 2
        if _settle_one(population, histogram, moves, energies[walker], walker, swapped) and swapped:
            swap_places(population.sites[walker], moves.picks[walker], moves.flips[walker])


@njit(nogil=True)
def _propose(pick: Any, parameters: Any, population: Populations, moves: Moves) -> None:
    occupations, sites, records = population
    for walker in range(len(records)):
        occupied, picks, flips = occupations[walker], moves.picks[walker], moves.flips[walker]
        possible = pick(parameters, occupied, sites[walker], records[walker], picks, flips)
        _write_down(occupied, moves, walker, possible)


@njit(nogil=True)
def _settle(
    make: Any, keeps: bool, population: Populations, histogram: Histogram, moves: Moves, energies: np.ndarray
) -> None:
    begin_round(histogram.control[0])
    for walker in range(len(population.records)):
        if _settle_one(population, histogram, moves, energies[walker], walker, keeps):
            make(population.sites[walker], moves.picks[walker], moves.flips[walker])
