"""Compiled arithmetic of the pair model in cells of up to 64 sites: a configuration is one word of 64 bits.

The unlike bonds of a site are counted by one instruction for each distinct bond energy. Every bond energy is a whole
multiple of ``ENERGY_QUANTUM``, so that all sums are exact in float64, as in :mod:`wanglandau.pair_kernels`.

The cache row of a walker::

    cache[0]   energy, Ry
    cache[1]   second-species sites, one bit each (the 64 bits of a uint64)
    cache[2]   energy after the last trial, Ry
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from wanglandau.intrinsics import borrow, count_ones

MAX_SITES = 64
CACHE_SIZE = 3


class MaskTables(NamedTuple):
    """The bonds of each site, sorted by their energy.

    Attributes
    ----------
    neighbours : uint64[n_energies, n_sites]
        Bit k is set where all bonds to site k together have this energy.
    energies : float64[n_energies], Ry
        Of an unlike pair.
    """

    neighbours: np.ndarray
    energies: np.ndarray


@njit(cache=True, nogil=True)
def prepare(tables: MaskTables, occupations: np.ndarray, cache: np.ndarray) -> float:
    """Fill the cache row for ``occupations`` and return the energy, Ry."""
    word = np.uint64(0)
    for site in range(occupations.size):
        word |= np.uint64(occupations[site]) << np.uint64(site)
    energy = 0.0
    for kind in range(len(tables.energies)):
        twice = 0
        for site in range(occupations.size):
            twice += _unlike(tables.neighbours[kind, site], word, np.uint64(site))
        energy += tables.energies[kind] * (twice // 2)
    words = cache.view(np.uint64)
    words[1] = word
    cache[0] = cache[2] = energy
    return energy


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy")
def trial(tables: MaskTables, occupations: np.ndarray, cache: np.ndarray, flips: np.ndarray) -> float:
    """Return the energy after flipping the sites ``flips``, Ry."""
    neighbours, energies, words = borrow(tables.neighbours), borrow(tables.energies), borrow(cache).view(np.uint64)
    energy = cache[0]
    for kind in range(len(energies)):
        word, change = words[1], 0
        for i in range(len(flips)):
            site = np.uint64(np.uint32(flips[i]))
            near = neighbours[np.uint64(kind), site]
            change += count_ones(near) - 2 * _unlike(near, word, site)
            word ^= np.uint64(1) << site
        energy += energies[np.uint64(kind)] * change
    cache[2] = energy
    return energy


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy")
def commit(tables: MaskTables, occupations: np.ndarray, cache: np.ndarray, flips: np.ndarray) -> None:
    """Make the flips of the last trial."""
    words = borrow(cache).view(np.uint64)
    for i in range(len(flips)):
        site = np.uint32(flips[i])
        words[1] ^= np.uint64(1) << np.uint64(site)
        occupations[site] ^= 1
    cache[0] = cache[2]


@njit(cache=True, forceinline=True, error_model="numpy")
def _unlike(near: np.uint64, word: np.uint64, site: np.uint64) -> int:
    """Count the sites in ``near`` that differ from ``site``."""
    own = ((word >> site) & np.uint64(1)) * np.uint64(0xFFFFFFFFFFFFFFFF)  # all ones or none
    return count_ones(near & (word ^ own))
