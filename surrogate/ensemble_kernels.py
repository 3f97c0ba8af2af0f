"""Compiled arithmetic of ensembles: all members of a lattice ensemble at once, and the mean of dense networks.

The mean of lattice networks is a lattice network and needs nothing of its own. The mean of dense networks is no
dense network: all of them follow a walker, and its cache row holds::

    cache[k * size : (k + 1) * size]   the cache row of member k

Energies of members are whole multiples of ``ENERGY_QUANTUM``, their sum is exact, and their mean is rounded to such a
multiple again.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from surrogate import dense_kernels
from surrogate.dense_kernels import DenseTables
from surrogate.lattice_kernels import LatticeTables, survey
from wanglandau.oracle import ENERGY_QUANTUM

_prepare_one = dense_kernels.prepare
_trial_one = dense_kernels.trial
_follow_one = dense_kernels.follow


@njit(cache=True, nogil=True)
def lattice_member_energies(
    tables: LatticeTables, site_energies: np.ndarray, star_energies: np.ndarray, occupations: np.ndarray
) -> np.ndarray:
    """Return the energy of each row of ``int8[n, n_sites]`` by each member, ``float64[n, n_members]``, Ry.

    Surroundings are numbered as ``tables`` says; ``site_energies`` and ``star_energies`` have one column a member.
    """
    n_members = site_energies.shape[1]
    energies = np.zeros((occupations.shape[0], n_members))
    surroundings = np.empty(occupations.shape[1], dtype=tables.changes.dtype)
    for row in range(occupations.shape[0]):
        survey(tables, occupations[row], surroundings)
        for site in range(occupations.shape[1]):
            number = surroundings[site]
            environment = number & ((1 << tables.bits) - 1)
            star = number >> tables.bits
            for member in range(n_members):
                energies[row, member] += site_energies[environment, member] + star_energies[star, member]
    return energies


@njit(cache=True, nogil=True)
def prepare(members: tuple[DenseTables, ...], occupations: np.ndarray, cache: np.ndarray) -> float:
    """Fill the cache row for ``occupations`` and return the mean energy, Ry."""
    size = cache.size // len(members)
    total = 0.0
    for k in range(len(members)):
        total += _prepare_one(members[k], occupations, cache[k * size : (k + 1) * size])
    return np.rint(total / len(members) / ENERGY_QUANTUM) * ENERGY_QUANTUM


@njit(cache=True, nogil=True)
def trial(members: tuple[DenseTables, ...], occupations: np.ndarray, cache: np.ndarray, flips: np.ndarray) -> float:
    """Return the mean energy after flipping the sites ``flips``, Ry."""
    size = cache.size // len(members)
    total = 0.0
    for k in range(len(members)):
        total += _trial_one(members[k], occupations, cache[k * size : (k + 1) * size], flips)
    return np.rint(total / len(members) / ENERGY_QUANTUM) * ENERGY_QUANTUM


@njit(cache=True, nogil=True)
def commit(members: tuple[DenseTables, ...], occupations: np.ndarray, cache: np.ndarray, flips: np.ndarray) -> None:
    """Make the flips of the last trial in every member."""
    size = cache.size // len(members)
    for k in range(len(members)):
        _follow_one(members[k], occupations, cache[k * size : (k + 1) * size], flips)
    for i in range(flips.size):
        occupations[flips[i]] = 1 - occupations[flips[i]]


@njit(cache=True, nogil=True)
def fill_energies(
    members: tuple[DenseTables, ...], occupations: np.ndarray, cache: np.ndarray, energies: np.ndarray
) -> None:
    """Write the mean energy of each row of ``int8[n, n_sites]`` to ``float64[n]``, Ry; ``cache`` is one cache row."""
    for row in range(occupations.shape[0]):
        energies[row] = prepare(members, occupations[row], cache)
