"""Whether a move fits what is to be walked, found out before compiled code runs it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from wanglandau.configurations import random_configurations
from wanglandau.errors import InputError
from wanglandau.kernels import WALKER
from wanglandau.move import Move
from wanglandau.walkers import site_lists

CONFIGURATIONS, TRIALS = 64, 64
"""On how many random configurations a move is tried, and how often on each."""


def check_move(move: Move, n_sites: int, composition: int | None) -> None:
    """Try a move on random configurations, lest loops without bound checks are given what is no site.

    Parameters
    ----------
    move : Move
    n_sites : int
    composition : int or None
        Number of second-species atoms; None where all compositions are walked.

    Raises
    ------
    InputError
        If the move is for one composition and all are wanted, or the other way round; if it picks a site twice or one
        that there is not, or changes a composition that it says to keep.
    """
    if move.keeps_composition != (composition is not None):
        does, wanted = (
            ("keeps", "all compositions are") if move.keeps_composition else ("changes", "one composition is")
        )
        raise InputError(f"move {move.name!r} {does} the composition, but {wanted} to be walked; take another move")
    occupations = random_configurations(n_sites, composition, CONFIGURATIONS, np.random.default_rng(1))
    flips = np.zeros((CONFIGURATIONS, TRIALS, move.n_flips), dtype=np.int32)
    possible = np.zeros((CONFIGURATIONS, TRIALS), dtype=np.bool_)
    _try(move.pick, move.parameters, occupations, site_lists(occupations), _records(occupations), flips, possible)
    found = np.sort(flips[possible], axis=1)
    if (found < 0).any() or (found >= n_sites).any() or (found[:, 1:] == found[:, :-1]).any():
        raise InputError(f"move {move.name!r} picked a site twice, or one that is none of the {n_sites}; mend its pick")
    changes = 1 - 2 * occupations[np.nonzero(possible)[0][:, None], flips[possible]]
    if move.keeps_composition and changes.sum(axis=1).any():
        raise InputError(f"move {move.name!r} changes the composition, which it says it keeps; mend its pick")


def _records(occupations: np.ndarray) -> np.ndarray:
    records = np.zeros(len(occupations), dtype=WALKER)
    records["composition"] = occupations.sum(axis=1)
    records["random_state"] = np.random.default_rng(2).integers(1, 2**63, (len(records), 4), dtype=np.uint64)
    return records


@njit
def _try(
    pick: Any,
    parameters: Any,
    occupations: np.ndarray,
    sites: np.ndarray,
    records: np.ndarray,
    flips: np.ndarray,
    possible: np.ndarray,
) -> None:
    picks = np.empty(flips.shape[2], dtype=np.int32)
    for walker in range(len(records)):
        for trial in range(flips.shape[1]):
            possible[walker, trial] = pick(
                parameters, occupations[walker], sites[walker], records[walker], picks, flips[walker, trial]
            )
