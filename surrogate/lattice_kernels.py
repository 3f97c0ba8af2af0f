"""Compiled arithmetic of the lattice surrogate: the energy is a sum over sites of two table look-ups.

A site's surroundings are one whole number: how many second-species atoms each of its shells holds and which of its
nearest neighbours do. A flip of a neighbour adds a constant to that number, so a trial visits the flipped sites and
their neighbours and nothing else, whatever the size of the cell. Table entries are whole multiples of
``ENERGY_QUANTUM``: sums are exact in float64 and no result depends on the moves that led to a configuration.

The cache row of a walker is::

    cache[0]          energy, Ry
    cache[1 + site]   surroundings of the site, a whole number below 2**53
    cache[-1]         energy after the last trial, Ry
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit


class LatticeTables(NamedTuple):
    """Site energies and what a flip changes.

    The surroundings of a site are ``environment + 2**bits * (arms + 2**n_arms * species)``.

    Attributes
    ----------
    touched : int32[n_sites, n_touched]
        Distinct sites whose surroundings change when a site flips, the site itself among them.
    changes : float64[n_sites, n_touched]
        What is added to their surroundings when the site takes the second species.
    site_energies : float64[n_environments], Ry
        By species and shell counts.
    star_energies : float64[2 * 2**n_arms], Ry
        By species and arms, all stars around the site together.
    bits : int
        Binary digits of the environment.
    """

    touched: np.ndarray
    changes: np.ndarray
    site_energies: np.ndarray
    star_energies: np.ndarray
    bits: int


@njit(cache=True, inline="always")
def _energy_of_site(tables: LatticeTables, surroundings: float) -> float:
    number = np.int64(surroundings)
    # Unsigned indices spare the check for negative ones.
    environment = np.uint64(number & ((1 << tables.bits) - 1))
    return tables.site_energies[environment] + tables.star_energies[np.uint64(number >> tables.bits)]


@njit(cache=True, nogil=True)
def survey(tables: LatticeTables, occupations: np.ndarray, surroundings: np.ndarray) -> None:
    """Work out the surroundings of all sites, ``float64[n_sites]``, of ``int8[n_sites]``."""
    surroundings[:] = 0.0
    for site in range(occupations.size):
        if occupations[site]:
            for k in range(tables.touched.shape[1]):
                surroundings[tables.touched[site, k]] += tables.changes[site, k]


@njit(cache=True, nogil=True)
def prepare(tables: LatticeTables, occupations: np.ndarray, cache: np.ndarray) -> float:
    """Fill the cache row of a walker and return the energy, Ry."""
    n_sites = occupations.size
    survey(tables, occupations, cache[1 : 1 + n_sites])
    energy = 0.0
    for site in range(n_sites):
        energy += _energy_of_site(tables, cache[1 + site])
    cache[0] = energy
    cache[-1] = energy
    return energy


@njit(cache=True, nogil=True)
def trial(tables: LatticeTables, occupations: np.ndarray, cache: np.ndarray, flips: np.ndarray) -> float:
    """Return the energy after flipping the sites ``flips``, Ry.

    Flips are made one after the other and taken back, so that sites touched several times need no special care.
    """
    energy = cache[0]
    for k in range(flips.size):
        sign = 1.0 - 2.0 * occupations[flips[k]]
        touched = tables.touched[flips[k]]
        changes = tables.changes[flips[k]]
        for j in range(touched.size):
            before = cache[1 + touched[j]]
            after = before + sign * changes[j]
            cache[1 + touched[j]] = after
            energy += _energy_of_site(tables, after) - _energy_of_site(tables, before)
    for k in range(flips.size):
        _change(tables, cache, flips[k], 2.0 * occupations[flips[k]] - 1.0)
    cache[-1] = energy
    return energy


@njit(cache=True, nogil=True)
def commit(tables: LatticeTables, occupations: np.ndarray, cache: np.ndarray, flips: np.ndarray) -> None:
    """Make the flips of the last trial."""
    for k in range(flips.size):
        site = flips[k]
        _change(tables, cache, site, 1.0 - 2.0 * occupations[site])
        occupations[site] = 1 - occupations[site]
    cache[0] = cache[-1]


@njit(cache=True, inline="always")
def _change(tables: LatticeTables, cache: np.ndarray, site: int, sign: float) -> None:
    for j in range(tables.touched.shape[1]):
        cache[1 + tables.touched[site, j]] += sign * tables.changes[site, j]


@njit(cache=True, nogil=True)
def all_energies(tables: LatticeTables, occupations: np.ndarray) -> np.ndarray:
    """Return the energy of each row of ``int8[n, n_sites]``, ``float64[n]``, Ry."""
    energies = np.empty(occupations.shape[0])
    cache = np.empty(occupations.shape[1] + 2)
    for row in range(occupations.shape[0]):
        energies[row] = prepare(tables, occupations[row], cache)
    return energies


@njit(cache=True, nogil=True)
def all_environments(tables: LatticeTables, occupations: np.ndarray) -> np.ndarray:
    """Return the environment of every site of each row, ``int64[n, n_sites]``."""
    environments = np.empty(occupations.shape, dtype=np.int64)
    surroundings = np.empty(occupations.shape[1])
    for row in range(occupations.shape[0]):
        survey(tables, occupations[row], surroundings)
        for site in range(occupations.shape[1]):
            environments[row, site] = np.int64(surroundings[site]) & ((1 << tables.bits) - 1)
    return environments
