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


@njit(cache=True, nogil=True)
def trial(tables: BondTables, occupations: np.ndarray, cache: np.ndarray, flips: np.ndarray) -> float:
    """Return the energy after flipping the sites ``flips``, Ry."""
    energy = cache[0]
    for i in range(flips.size):
        site = flips[i]
        spin = 1 - 2 * occupations[site]
        energy += spin * cache[1 + site]
        for j in range(i):
            energy -= 2 * spin * (1 - 2 * occupations[flips[j]]) * _bond(tables, site, flips[j])
    cache[-1] = energy
    return energy


@njit(cache=True, nogil=True)
def commit(tables: BondTables, occupations: np.ndarray, cache: np.ndarray, flips: np.ndarray) -> None:
    """Make the flips of the last trial."""
    for i in range(flips.size):
        site = flips[i]
        change = 2 * (2 * occupations[site] - 1)  # of the spin
        for k in range(tables.neighbours.shape[1]):
            cache[1 + tables.neighbours[site, k]] += change * tables.bonds[site, k]
        occupations[site] = 1 - occupations[site]
    cache[0] = cache[-1]


@njit(cache=True, nogil=True)
def _bond(tables: BondTables, site: int, other: int) -> float:
    """Energy of the bonds between two sites, 0 where they are no neighbours."""
    energy = 0.0
    for k in range(tables.neighbours.shape[1]):
        if tables.neighbours[site, k] == other:
            energy = tables.bonds[site, k]
    return energy
