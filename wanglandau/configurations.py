"""Random configurations: uniform at a composition, and the balanced sampling of all compositions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import comb

import numpy as np

from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.orbits import MAX_KEY_SITES, canonical_keys, count_orbits, list_orbits, occupations_from_keys

PAPER_PER_COMPOSITION = 1000
"""Configurations for each composition in the published data sets of 32-atom cells."""


def random_configurations(
    lattice: Lattice | int, composition: int | None, n: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw configurations uniformly, with repeats where chance wants them.

    Parameters
    ----------
    lattice : Lattice or int
        The lattice or its number of sites.
    composition : int or None
        Number of second-species atoms; None draws from all 2**n_sites configurations.
    n : int
    rng : numpy.random.Generator

    Returns
    -------
    int8[n, n_sites]
    """
    n_sites = lattice if isinstance(lattice, int) else lattice.n_sites
    if n < 0:
        raise InputError(f"cannot draw {n} configurations; give a number of at least 0")
    if composition is None:
        return rng.integers(0, 2, (n, n_sites), dtype=np.int8)
    _check_composition(n_sites, composition)
    ordered = np.zeros((n, n_sites), dtype=np.int8)
    ordered[:, :composition] = 1
    return rng.permuted(ordered, axis=1)


def balanced_configurations(
    n_sites: int,
    per_composition: int = PAPER_PER_COMPOSITION,
    *,
    rng: np.random.Generator,
    permutations: np.ndarray | None = None,
    compositions: Sequence[int] | None = None,
) -> np.ndarray:
    """Draw distinct configurations, equally many at each composition, or all where there are fewer.

    With the defaults and 32 sites these are 28,058 configurations: 1 + 32 + 496 at either end and 1,000 at each of the
    27 compositions between.

    Parameters
    ----------
    n_sites : int
    per_composition : int
        Largest number of configurations of one composition.
    rng : numpy.random.Generator
    permutations : int32[n_operations, n_sites], optional
        The symmetry group. Where given, no two configurations are symmetry-equivalent: one of each orbit where there
        are no more than ``per_composition`` orbits. Up to 64 sites.
    compositions : sequence of int, optional
        Default: all from 0 to ``n_sites``.

    Returns
    -------
    int8[n, n_sites]
        By composition, in the order of ``compositions``.
    """
    if per_composition < 1:
        raise InputError(f"per_composition is {per_composition}; ask for at least one configuration")
    if permutations is not None and permutations.shape[1:] != (n_sites,):
        raise InputError(f"permutations of shape {permutations.shape} do not go with {n_sites} sites")
    if permutations is not None and n_sites > MAX_KEY_SITES:
        raise InputError(f"orbit-distinct sampling is for up to {MAX_KEY_SITES} sites, not {n_sites}; do without")
    chosen = range(n_sites + 1) if compositions is None else compositions
    for composition in chosen:
        _check_composition(n_sites, composition)
    if permutations is None:
        parts = [_distinct(n_sites, composition, per_composition, rng) for composition in chosen]
    else:
        counts = count_orbits(permutations)
        parts = [_orbit_distinct(permutations, c, per_composition, counts[c], rng) for c in chosen]
    return np.concatenate([np.empty((0, n_sites), dtype=np.int8), *parts])


def _check_composition(n_sites: int, composition: int) -> None:
    if not 0 <= composition <= n_sites:
        raise InputError(f"composition {composition} is out of range; choose 0 to {n_sites}")


def _distinct(n_sites: int, composition: int, limit: int, rng: np.random.Generator) -> np.ndarray:
    """Draw up to ``limit`` distinct configurations: by enumeration where there are few, else by rejecting repeats."""
    total = comb(n_sites, composition)
    if total <= 4 * limit:
        every = _all_configurations(n_sites, composition)
        return every if total <= limit else every[np.sort(rng.choice(total, limit, replace=False))]
    found = np.empty((0, n_sites), dtype=np.int8)
    while len(found) < limit:
        drawn = random_configurations(n_sites, composition, limit - len(found), rng)
        found = _first_of_each(np.concatenate((found, drawn)), np.packbits(np.concatenate((found, drawn)), axis=1))
    return found


def _orbit_distinct(
    permutations: np.ndarray, composition: int, limit: int, n_orbits: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw up to ``limit`` configurations of different orbits; by listing all orbits where there are few."""
    n_sites = permutations.shape[1]
    if n_orbits <= 4 * limit:
        every = occupations_from_keys(list_orbits(permutations, composition)[0], n_sites)
        return every if n_orbits <= limit else every[np.sort(rng.choice(n_orbits, limit, replace=False))]
    found = np.empty((0, n_sites), dtype=np.int8)
    while len(found) < limit:
        drawn = random_configurations(n_sites, composition, limit - len(found), rng)
        found = np.concatenate((found, drawn))
        found = _first_of_each(found, canonical_keys(permutations, found)[:, None])
    return found


def _all_configurations(n_sites: int, composition: int) -> np.ndarray:
    sites = np.array(list(combinations(range(n_sites), composition)), dtype=np.int64)
    occupations = np.zeros((len(sites), n_sites), dtype=np.int8)
    np.put_along_axis(occupations, sites, 1, axis=1)
    return occupations


def _first_of_each(occupations: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Keep the first configuration of each distinct row of ``labels``, in the order drawn."""
    first = np.unique(labels, axis=0, return_index=True)[1]
    return occupations[np.sort(first)]
