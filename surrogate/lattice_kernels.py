"""Compiled arithmetic of the lattice surrogate: the energy is a sum over sites of two table look-ups.

A site's surroundings are one whole number: how many second-species atoms each of its shells holds and which of its
nearest neighbours do. A flip of a neighbour adds a constant to that number, so a trial visits the flipped sites and
their neighbours and nothing else, whatever the size of the cell. Table entries are whole multiples of
``ENERGY_QUANTUM``: sums are exact in float64 and no result depends on the moves that led to a configuration.

The cache row of a walker is::

    cache[0]      energy, Ry
    cache[1:-1]   surroundings of all sites, whole numbers of the type of ``changes``
    cache[-1]     energy after the last trial, Ry

Sites are translations of one another: what a flip adds to a neighbour depends on the direction alone, and is kept once
for all sites. What a trial reads is then small enough for the second-level cache up to many thousands of sites.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from surrogate.vector_code import address, prefetch


class LatticeTables(NamedTuple):
    """Site energies and what a flip changes.

    The surroundings of a site are ``environment + 2**bits * (arms + 2**n_arms * species)``.

    Attributes
    ----------
    touched : uint16 or uint32[n_sites, n_touched]
        Distinct sites whose surroundings change when a site flips, the site itself among them; it may come again, with
        nothing added, to make the number of the outer ones even. A column is a direction.
    changes : int32 or int64[n_touched]
        What is added to their surroundings when the site takes the second species.
    n_starred : int
        The first so many of them change species or arms, the others only counts of the outer shells.
    site_energies : float64[n_environments], Ry
        By species and shell counts.
    star_energies : float64[2 * 2**n_arms], Ry
        By species and arms, all stars around the site together.
    bits : int
        Binary digits of the environment.
    """

    touched: np.ndarray
    changes: np.ndarray
    n_starred: int
    site_energies: np.ndarray
    star_energies: np.ndarray
    bits: int


def cache_size(tables: LatticeTables) -> int:
    """Return the number of float64 in the cache row of a walker."""
    return 2 + -(-len(tables.touched) * tables.changes.itemsize // 8)


@njit(cache=True, inline="always")
def _site_energy(tables: LatticeTables, surroundings: int) -> float:
    # Unsigned indices spare the check for negative ones.
    return tables.site_energies[np.uint64(surroundings & ((1 << tables.bits) - 1))]


@njit(cache=True, inline="always")
def _star_energy(tables: LatticeTables, surroundings: int) -> float:
    return tables.star_energies[np.uint64(surroundings >> tables.bits)]


@njit(cache=True, nogil=True)
def survey(tables: LatticeTables, occupations: np.ndarray, surroundings: np.ndarray) -> None:
    """Work out the surroundings of all sites, of the type of ``changes``, of ``int8[n_sites]``."""
    surroundings[:] = 0
    for site in range(occupations.size):
        if occupations[site]:
            for k in range(tables.changes.size):
                surroundings[tables.touched[site, k]] += tables.changes[k]


@njit(cache=True, nogil=True)
def prepare(tables: LatticeTables, occupations: np.ndarray, cache: np.ndarray) -> float:
    """Fill the cache row of a walker and return the energy, Ry."""
    surroundings = cache[1:-1].view(tables.changes.dtype)
    survey(tables, occupations, surroundings)
    energy = 0.0
    for site in range(occupations.size):
        energy += _site_energy(tables, surroundings[site]) + _star_energy(tables, surroundings[site])
    cache[0] = energy
    cache[-1] = energy
    return energy


@njit(cache=True, nogil=True)
def trial(tables: LatticeTables, occupations: np.ndarray, cache: np.ndarray, flips: np.ndarray) -> float:
    """Return the energy after flipping the sites ``flips``, Ry.

    Flips are made one after the other and taken back, so that sites touched by several need no special care; the last
    one is only looked at.
    """
    surroundings = cache[1:-1].view(tables.changes.dtype)
    last = flips.size - 1
    for k in range(1, flips.size):
        _ask_for(tables, flips[k])
    energy = cache[0]
    for k in range(last):
        energy += _gain(tables, surroundings, flips[k], occupations[flips[k]])
        _change(tables, surroundings, flips[k], occupations[flips[k]])
    energy += _gain(tables, surroundings, flips[last], occupations[flips[last]])
    for k in range(last):
        _change(tables, surroundings, flips[k], 1 - occupations[flips[k]])
    cache[-1] = energy
    return energy


@njit(cache=True, nogil=True)
def commit(tables: LatticeTables, occupations: np.ndarray, cache: np.ndarray, flips: np.ndarray) -> None:
    """Make the flips of the last trial."""
    surroundings = cache[1:-1].view(tables.changes.dtype)
    for k in range(flips.size):
        _change(tables, surroundings, flips[k], occupations[flips[k]])
        occupations[flips[k]] = 1 - occupations[flips[k]]
    cache[0] = cache[-1]


@njit(cache=True, inline="always")
def _ask_for(tables: LatticeTables, site: int) -> None:
    """Have the list of what a site touches brought from wherever it is."""
    length = tables.touched.shape[1] * tables.touched.itemsize
    for start in range(0, length, 64):
        prefetch((address(tables.touched), site * length + start))


@njit(cache=True, inline="always")
def _gain(tables: LatticeTables, surroundings: np.ndarray, site: int, occupation: int) -> float:
    """What the flip of a site of this occupation adds to the energy; two sums, which need not wait for each other."""
    touched, changes, starred = tables.touched[site], tables.changes, tables.n_starred
    sign = 1 - 2 * occupation
    gain = other = 0.0
    for j in range(starred):
        before = surroundings[touched[j]]
        after = before + sign * changes[j]
        gain += _site_energy(tables, after) - _site_energy(tables, before)
        other += _star_energy(tables, after) - _star_energy(tables, before)
    for j in range(starred, changes.size, 2):
        before, next_before = surroundings[touched[j]], surroundings[touched[j + 1]]
        gain += _site_energy(tables, before + sign * changes[j]) - _site_energy(tables, before)
        other += _site_energy(tables, next_before + sign * changes[j + 1]) - _site_energy(tables, next_before)
    return gain + other


@njit(cache=True, inline="always")
def _change(tables: LatticeTables, surroundings: np.ndarray, site: int, occupation: int) -> None:
    """Flip a site of this occupation."""
    touched, changes = tables.touched[site], tables.changes
    if occupation:
        for j in range(changes.size):
            surroundings[touched[j]] -= changes[j]
    else:
        for j in range(changes.size):
            surroundings[touched[j]] += changes[j]


@njit(cache=True, nogil=True)
def all_energies(tables: LatticeTables, occupations: np.ndarray) -> np.ndarray:
    """Return the energy of each row of ``int8[n, n_sites]``, ``float64[n]``, Ry."""
    energies = np.empty(occupations.shape[0])
    cache = np.empty(3 + occupations.shape[1])
    for row in range(occupations.shape[0]):
        energies[row] = prepare(tables, occupations[row], cache)
    return energies


@njit(cache=True, nogil=True)
def all_environments(tables: LatticeTables, occupations: np.ndarray) -> np.ndarray:
    """Return the environment of every site of each row, ``int64[n, n_sites]``."""
    environments = np.empty(occupations.shape, dtype=np.int64)
    surroundings = np.empty(occupations.shape[1], dtype=tables.changes.dtype)
    for row in range(occupations.shape[0]):
        survey(tables, occupations[row], surroundings)
        for site in range(occupations.shape[1]):
            environments[row, site] = surroundings[site] & ((1 << tables.bits) - 1)
    return environments
