"""Loops over trials with a fault that can be switched on, to show that a test notices it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from wanglandau.kernels import begin_round, bin_of, decide, next_random, pick_swap, record, swap_places
from wanglandau.oracle import CompiledEnergy
from wanglandau.rounds import Histogram, prepare_all
from wanglandau.walkers import Walkers, Weights

HONEST, ALWAYS_ACCEPT, FORGET_REJECTED, FORGET_OUT_OF_RANGE, REVERSED = range(5)
RULES = {
    "honest": HONEST,
    "every trial is accepted": ALWAYS_ACCEPT,
    "rejected trials are not recorded": FORGET_REJECTED,
    "trials beyond the edge are not recorded": FORGET_OUT_OF_RANGE,
    "the ratio is upside down": REVERSED,
}


@njit
def _rounds(energy: Any, walkers: Any, histogram: Histogram, n_rounds: int, fault: int) -> None:
    """The fused loop of swaps with a fault."""
    parameters, trial, commit, cache = energy
    occupations, sites, records = walkers
    bins, control, proposals = histogram.bins, histogram.control[0], histogram.proposals
    picks, flips = np.empty(2, dtype=np.int32), np.empty(2, dtype=np.int32)
    for _ in range(n_rounds):
        begin_round(control)
        for walker in range(len(records)):
            here = records[walker]
            pick_swap((), occupations[walker], sites[walker], here, picks, flips)
            proposed = trial(parameters, occupations[walker], cache[walker], flips)
            target = bin_of(proposed, here.composition, control)
            ratio = 0.0
            if fault == ALWAYS_ACCEPT:
                ratio = 1e6
            if fault == REVERSED and target >= 0:
                ratio = 2.0 * (bins[target].ln_g - bins[here.bin].ln_g)
            accepted = decide(here, bins, control, proposed, here.composition, ratio)
            if accepted:
                commit(parameters, occupations[walker], cache[walker], flips)
                swap_places(sites[walker], picks, flips)
            forgotten = fault == FORGET_REJECTED or (fault == FORGET_OUT_OF_RANGE and target < 0)
            if accepted or not forgotten:
                record(here, bins, control, proposals)


@njit
def _neighbour_rounds(
    energy: Any, walkers: Any, histogram: Histogram, bonds: np.ndarray, n_rounds: int, with_ratio: bool
) -> None:
    """Swap two unlike neighbours, all such pairs alike, with the ratio of proposals or without.

    The energy has to be -1 Ry for an unlike pair, so that it tells how many there are.
    """
    parameters, trial, commit, cache = energy
    occupations, _, records = walkers
    bins, control, proposals = histogram.bins, histogram.control[0], histogram.proposals
    flips, number = np.empty(2, dtype=np.int32), np.uint64(len(bonds))
    for _ in range(n_rounds):
        for walker in range(len(records)):
            here, row = records[walker], occupations[walker]
            flips[:] = 0
            while row[flips[0]] == row[flips[1]]:
                bits = next_random(here.random_state) >> np.uint64(32)
                flips[:] = bonds[np.int64((bits * number) >> np.uint64(32))]
            proposed = trial(parameters, row, cache[walker], flips)
            ratio = np.log(here.energy / proposed) if with_ratio else 0.0
            if decide(here, bins, control, proposed, here.composition, ratio):
                commit(parameters, row, cache[walker], flips)
            record(here, bins, control, proposals)


def _prepared(compiled: CompiledEnergy, walkers: Walkers) -> tuple:
    cache = np.zeros((walkers.n_walkers, compiled.cache_size))
    prepare_all(compiled.parameters, compiled.prepare, walkers.occupations, cache, np.empty(walkers.n_walkers))
    return compiled.parameters, compiled.trial, compiled.commit, cache


def advance_faulty(compiled: CompiledEnergy, walkers: Walkers, weights: Weights, n_rounds: int, rule: str) -> None:
    """Advance swapping walkers by a rule out of :data:`RULES`."""
    _rounds(_prepared(compiled, walkers), walkers.population, weights.histogram, n_rounds, RULES[rule])


def advance_by_neighbours(
    compiled: CompiledEnergy, walkers: Walkers, weights: Weights, bonds: np.ndarray, n_rounds: int, with_ratio: bool
) -> None:
    """Advance walkers by swaps of unlike neighbours.

    Parameters
    ----------
    bonds : int32[n_bonds, 2]
        Every pair of neighbours once.
    with_ratio : bool
        Whether the acceptance makes up for the number of unlike pairs, which a swap changes.
    """
    _neighbour_rounds(_prepared(compiled, walkers), walkers.population, weights.histogram, bonds, n_rounds, with_ratio)
