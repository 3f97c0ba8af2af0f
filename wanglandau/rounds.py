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
    leave_places,
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


@njit(nogil=True)
def propose(pick: Any, parameters: Any, population: Populations, moves: Moves) -> None:
    """Choose a move for every walker.

    Parameters
    ----------
    pick, parameters
        Of the :class:`~wanglandau.move.Move`.
    moves : Moves
        Overwritten.
    """
    occupations, sites, records = population
    for walker in range(len(records)):
        occupied, picks, flips = occupations[walker], moves.picks[walker], moves.flips[walker]
        moves.possible[walker] = pick(parameters, occupied, sites[walker], records[walker], picks, flips)
        moves.proposed[walker] = occupied
        if moves.possible[walker]:
            for site in flips:
                moves.proposed[walker, site] = 1 - occupied[site]


@njit(nogil=True)
def settle(
    make: Any,
    keeps_composition: bool,
    population: Populations,
    histogram: Histogram,
    moves: Moves,
    energies: np.ndarray,
) -> None:
    """Decide on the proposals of a round, given their energies (Ry per cell), and record.

    Parameters
    ----------
    make, keeps_composition
        Of the :class:`~wanglandau.move.Move`.
    moves : Moves
        As :func:`propose` left them.
    energies : float64[n_walkers]
        Anything where no move is possible.
    """
    occupations, sites, records = population
    control = histogram.control[0]
    begin_round(control)
    for walker in range(len(records)):
        here, flips = records[walker], moves.flips[walker]
        if moves.possible[walker]:
            composition = composition_after(occupations[walker], here, flips, keeps_composition)
            if decide(here, histogram.bins, control, energies[walker], composition, 0.0):
                occupations[walker] = moves.proposed[walker]
                make(sites[walker], moves.picks[walker], flips)
        else:
            stay(here)
        record(here, histogram.bins, control, histogram.proposals)


@njit(cache=True, nogil=True)
def _propose_flips(population: Populations, moves: Moves) -> None:
    propose(pick_flip, (), population, moves)


@njit(cache=True, nogil=True)
def _propose_swaps(population: Populations, moves: Moves) -> None:
    propose(pick_swap, (), population, moves)


@njit(cache=True, nogil=True)
def _settle_flips(population: Populations, histogram: Histogram, moves: Moves, energies: np.ndarray) -> None:
    settle(leave_places, False, population, histogram, moves, energies)


@njit(cache=True, nogil=True)
def _settle_swaps(population: Populations, histogram: Histogram, moves: Moves, energies: np.ndarray) -> None:
    settle(swap_places, True, population, histogram, moves, energies)


_KEPT = {FLIP: (_propose_flips, _settle_flips), SWAP: (_propose_swaps, _settle_swaps)}
"""Compiled once for all processes, since no function is among their arguments."""


def batched_round(move: Move) -> tuple[Callable[..., None], Callable[..., None]]:
    """Return :func:`propose` and :func:`settle` of one move, without their first two arguments."""
    made = partial(propose, move.pick, move.parameters), partial(settle, move.make, move.keeps_composition)
    return _KEPT.get(move, made)
