"""Compiled loop over all configurations of one composition, with energies that are followed from swap to swap.

The order is the revolving door: each configuration comes from the one before by exchanging one atom of either species.
Energies are counted as whole multiples of ``ENERGY_QUANTUM``, so that every number here is an integer, and no result
depends on how the work was divided.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from wanglandau.oracle import ENERGY_QUANTUM

LEVEL_BITS = 20
"""Energies that agree but for this many bits, counted in energy quanta, are one level."""
MAX_LEVELS = 2**24
"""Levels from the lowest to the highest energy of a composition, whether there are such energies or not."""
MAX_KEPT = 4096
"""Configurations of lowest energy that are remembered."""
MAX_ENERGY = 2.0**12
"""Largest energy (Ry per cell) that can be counted in quanta."""

DONE, NOT_AN_ENERGY, TOO_MANY_LEVELS = range(3)
"""How a call ended."""


@njit(cache=True, nogil=True)
def next_swap(chosen: np.ndarray, swap: np.ndarray) -> bool:
    """Step to the next combination in revolving-door order; return False after the last.

    Algorithm R of D. E. Knuth, The Art of Computer Programming 4A, section 7.2.1.3, after W. H. Payne and F. M. Ives,
    ACM Trans. Math. Softw. 5, 163 (1979).

    Parameters
    ----------
    chosen : int64[n_chosen + 1]
        The elements of the combination, ascending, and behind them the number of elements to choose from. Begins as
        0, 1, 2 ...
    swap : int32[2]
        Receives the element that leaves and the one that comes.
    """
    n_chosen = len(chosen) - 1
    if n_chosen == 0:
        return False
    rising = n_chosen % 2 == 1
    if rising and chosen[0] + 1 < chosen[1]:
        swap[0], swap[1] = chosen[0], chosen[0] + 1
        chosen[0] += 1
        return True
    if not rising and chosen[0] > 0:
        swap[0], swap[1] = chosen[0], chosen[0] - 1
        chosen[0] -= 1
        return True
    falling = rising
    for place in range(1, n_chosen):
        if falling and chosen[place] > place:
            swap[0], swap[1] = chosen[place], place - 1
            chosen[place], chosen[place - 1] = chosen[place - 1], place - 1
            return True
        if not falling and chosen[place] + 1 < chosen[place + 1]:
            swap[0], swap[1] = chosen[place - 1], chosen[place] + 1
            chosen[place - 1], chosen[place] = chosen[place], chosen[place] + 1
            return True
        falling = not falling
    return False


@njit(cache=True, nogil=True)
def _with_room(tally: np.ndarray, first: int, level: int) -> tuple[np.ndarray, int]:
    """Return a longer tally that holds ``level`` and its first level; the old one where it would be too long."""
    low = min(first, level) if len(tally) else level
    high = max(first + len(tally), level + 1) if len(tally) else level + 1
    if high - low > MAX_LEVELS:
        return tally, first
    room = 512 + (high - low) // 4
    low -= room
    longer = np.zeros((high - low + room, 2), np.int64)
    if len(tally):
        longer[first - low : first - low + len(tally)] = tally
    return longer, low


@njit(cache=True, nogil=True)
def _key(occupations: np.ndarray) -> np.uint64:
    key = np.uint64(0)
    for site in range(len(occupations)):
        key |= np.uint64(occupations[site]) << np.uint64(site)
    return key


@njit(nogil=True)
def count_configurations(
    energy: tuple,
    occupations: np.ndarray,
    cache: np.ndarray,
    chosen: np.ndarray,
    tally: np.ndarray,
    first: int,
    kept: np.ndarray,
    limit: int,
) -> tuple[np.ndarray, int, int, int, int]:
    """Count the energies of all configurations that differ on the lowest sites alone.

    Parameters
    ----------
    energy : (parameters, prepare, trial, commit)
        Of a :class:`~wanglandau.oracle.CompiledEnergy`.
    occupations : int8[n_sites]
        The first configuration: second-species atoms on the sites ``chosen``, and any on sites above the free ones.
    cache : float64[cache_size]
    chosen : int64[n_second + 1]
        See :func:`next_swap`; elements are sites.
    tally : int64[n_levels, 2]
        Configurations of each level, and the sum of their energies from its lower edge, in quanta; added to.
    first : int
        Level of ``tally[0]``.
    kept : uint64[MAX_KEPT]
        Receives the keys of the configurations of lowest energy, the first of them where there are more.
    limit : int
        Stop after so many configurations.

    Returns
    -------
    tally, first
        As given, or longer where energies called for it.
    lowest : int
        Lowest energy, in quanta.
    n_kept : int
    ending : int
        ``DONE``, ``NOT_AN_ENERGY`` or ``TOO_MANY_LEVELS``; other results are of no use unless ``DONE``.
    """
    parameters, prepare, trial, commit = energy
    flips = np.empty(2, np.int32)
    lowest, n_kept = 2**62, 0
    value = prepare(parameters, occupations, cache)
    for _ in range(limit):
        if not abs(value) < MAX_ENERGY:
            return tally, first, lowest, n_kept, NOT_AN_ENERGY
        quanta = int(np.rint(value / ENERGY_QUANTUM))
        level = quanta >> LEVEL_BITS
        place = level - first
        if place < 0 or place >= len(tally):
            tally, first = _with_room(tally, first, level)
            place = level - first
            if place < 0 or place >= len(tally):
                return tally, first, lowest, n_kept, TOO_MANY_LEVELS
        tally[place, 0] += 1
        tally[place, 1] += quanta - (level << LEVEL_BITS)
        if quanta <= lowest:
            if quanta < lowest:
                lowest, n_kept = quanta, 0
            if n_kept < len(kept):
                kept[n_kept] = _key(occupations)
                n_kept += 1
        if not next_swap(chosen, flips):
            break
        value = trial(parameters, occupations, cache, flips)
        commit(parameters, occupations, cache, flips)
    return tally, first, lowest, n_kept, DONE
