"""Compiled arithmetic of the pair model: plain arrays in, plain numbers out.

Every bond energy is a whole multiple of ``ENERGY_QUANTUM``, so all sums here are exact in float64 and no
result depends on the order of summation or on the moves that led to a configuration.

The cache row of a walker holds the energy, the field of every site and the energy of the last trial::

    cache[0]          energy, Ry
    cache[1 + site]   sum over neighbours of bond energy * spin of the neighbour, Ry; spin = 1 - 2 * occupation
    cache[-1]         energy after the last trial, Ry

A flip of one site turns its like bonds unlike and back: the energy changes by spin * field. Bonds between two sites
that flip together stay as they are, and each of the two fields counted them once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from wanglandau.intrinsics import borrow


class BondTables(NamedTuple):
    """The bonds of each site, all images and shells of one pair of sites added up.

    Attributes
    ----------
    neighbours : int32[n_sites, n_bonds]
        Distinct neighbour sites, filled up with the site itself.
    bonds : float64[n_sites, n_bonds], Ry
        Energy of each bond where it is unlike; 0 where filled up.
    """

    neighbours: np.ndarray
    bonds: np.ndarray


@njit(cache=True, nogil=True)
def total_energy(tables: BondTables, occupations: np.ndarray) -> float:
    """Return the energy of all unlike bonds of ``int8[n_sites]``, each bond once, Ry."""
    energy = 0.0
    for site in range(occupations.size):
        for k in range(tables.neighbours.shape[1]):
            neighbour = tables.neighbours[site, k]
            if neighbour < site and occupations[site] != occupations[neighbour]:
                energy += tables.bonds[site, k]
    return energy


@njit(cache=True, nogil=True)
def all_energies(tables: BondTables, occupations: np.ndarray) -> np.ndarray:
    """Return the energy of each row of ``int8[n, n_sites]``, ``float64[n]``, Ry."""
    energies = np.empty(occupations.shape[0])
    for row in range(occupations.shape[0]):
        energies[row] = total_energy(tables, occupations[row])
    return energies


@njit(cache=True, nogil=True)
def prepare(tables: BondTables, occupations: np.ndarray, cache: np.ndarray) -> float:
    """Fill the cache row for ``occupations`` and return the energy, Ry."""
    for site in range(occupations.size):
        field = 0.0
        for k in range(tables.neighbours.shape[1]):
            field += tables.bonds[site, k] * (1 - 2 * occupations[tables.neighbours[site, k]])
        cache[1 + site] = field
    cache[0] = total_energy(tables, occupations)
    cache[-1] = cache[0]
    return cache[0]


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy")
def trial(tables: BondTables, occupations: np.ndarray, cache: np.ndarray, flips: np.ndarray) -> float:
    """Return the energy after flipping the sites ``flips``, Ry."""
    neighbours, bonds, fields = borrow(tables.neighbours), borrow(tables.bonds), borrow(cache)[1:-1]
    energy = cache[0]
    for i in range(len(flips)):
        site = np.uint32(flips[i])
        spin = 1 - 2 * occupations[site]
        energy += spin * fields[site]
        for j in range(i):
            other = np.uint32(flips[j])
            place = _place(neighbours[site], flips[j])
            if place >= 0:
                energy -= 2 * spin * (1 - 2 * occupations[other]) * bonds[site, np.uint32(place)]
    cache[-1] = energy
    return energy


@njit(cache=True, nogil=True, forceinline=True, error_model="numpy")
def commit(tables: BondTables, occupations: np.ndarray, cache: np.ndarray, flips: np.ndarray) -> None:
    """Make the flips of the last trial."""
    neighbours, bonds, fields = borrow(tables.neighbours), borrow(tables.bonds), borrow(cache)[1:-1]
    for i in range(len(flips)):
        site = np.uint32(flips[i])
        change = np.float64(4 * occupations[site] - 2)  # of the spin
        near, strengths = neighbours[site], bonds[site]
        for k in range(len(near)):
            fields[np.uint32(near[k])] += change * strengths[k]
        occupations[site] ^= 1
    cache[0] = cache[-1]


@njit(cache=True, forceinline=True, error_model="numpy")
def _place(near: np.ndarray, site: np.int32) -> np.int32:
    """Return the place of a site in a row of neighbours, -1 where it is none; without branches, hence many at once."""
    place = np.int32(-1)
    for k in range(len(near)):
        place = max(place, np.int32(k) if near[k] == site else np.int32(-1))
    return place
