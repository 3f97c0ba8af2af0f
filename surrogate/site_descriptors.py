"""What the lattice surrogate sees of a configuration: whole numbers that count neighbours and clusters.

Everything here follows from the parent lattice alone, whatever the size of the periodic cell, and is invariant
under its space group. A *star* is a cluster of a site and some of its nearest neighbours (its arms). Numpy only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, permutations

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list

from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.shells import DISTANCE_TOLERANCE

MAX_ARMS = 16
"""Stars are tabulated over all occupations of the arms, 2**arms of them."""


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """The neighbours of every site, listed in the same order of directions from each.

    Attributes
    ----------
    vectors : float64[n_neighbours, 3], Bohr
        From a site to its neighbours, nearest shell first.
    sites : int32[n_sites, n_neighbours]
        The site at each vector from each site; images of one site may stand several times.
    distances : float64[n_shells], Bohr
    shell : int64[n_neighbours]
        Which shell each vector belongs to, from 0.
    """

    vectors: np.ndarray
    sites: np.ndarray
    distances: np.ndarray
    shell: np.ndarray

    @property
    def coordination(self) -> np.ndarray:
        """Number of neighbours in each shell, ``int64[n_shells]``."""
        return np.bincount(self.shell)

    @cached_property
    def separation(self) -> np.ndarray:
        """Shell label of the distance between any two of (centre, neighbours), ``int64[1 + n, 1 + n]``.

        Equal distances have equal labels, and labels grow with distance.
        """
        points = np.vstack([np.zeros(3), self.vectors])
        distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
        ordered = np.sort(distance.ravel())
        edges = ordered[np.flatnonzero(np.diff(ordered, prepend=-np.inf) > DISTANCE_TOLERANCE)]
        return np.searchsorted(edges - DISTANCE_TOLERANCE / 2, distance) - 1


def find_neighbourhood(lattice: Lattice, n_shells: int) -> Neighbourhood:
    """List the first ``n_shells`` shells of neighbours by direction.

    Raises
    ------
    InputError
        If sites see their neighbours in different directions, so that they are not translations of one another.
    """
    distances = np.array([shell.distance for shell in lattice.shells(n_shells)])
    atoms = Atoms(f"H{lattice.n_sites}", positions=lattice.positions, cell=lattice.cell, pbc=True)
    first, second, vector = neighbor_list("ijD", atoms, distances[-1] + DISTANCE_TOLERANCE)
    counts = np.bincount(first, minlength=lattice.n_sites)
    starts = np.cumsum(counts) - counts
    order = np.argsort(first, kind="stable")
    second, vector = second[order], vector[order]
    reference = vector[: counts[0]]
    shell = np.abs(np.linalg.norm(reference, axis=1)[:, None] - distances).argmin(axis=1)
    order = np.lexsort((*np.round(reference.T, 3), shell))
    reference, shell = reference[order], shell[order]
    sites = np.empty((lattice.n_sites, len(reference)), dtype=np.int32)
    for site in range(lattice.n_sites):
        own = slice(starts[site], starts[site] + counts[site])
        sites[site] = _matched(reference, vector[own], second[own])
    return Neighbourhood(reference, sites, distances, shell)


def _matched(reference: np.ndarray, vectors: np.ndarray, sites: np.ndarray) -> np.ndarray:
    if len(vectors) == len(reference):
        distance = np.linalg.norm(reference[:, None] - vectors[None], axis=-1)
        nearest = distance.argmin(axis=1)
        if distance[np.arange(len(reference)), nearest].max() < DISTANCE_TOLERANCE:
            return sites[nearest]
    raise InputError(
        "sites of this lattice see their neighbours in different directions; the lattice surrogate needs sites "
        "that are translations of one another, such as those of fcc, bcc and sc"
    )


def cluster_types(neighbourhood: Neighbourhood, size: int, longest: int | None = None) -> list[np.ndarray]:
    """Sort the clusters of the centre and ``size - 1`` of its neighbours into classes of congruent ones.

    Parameters
    ----------
    neighbourhood : Neighbourhood
    size : int
        Number of sites, centre included.
    longest : int, optional
        Largest allowed label of :attr:`Neighbourhood.separation` between any two sites.

    Returns
    -------
    list of int64[n_clusters, size - 1]
        For each class the neighbours (positions in the list of directions); compact classes first.
    """
    separation = neighbourhood.separation
    pairs = [(a, b) for b in range(size) for a in range(b)]
    orders = list(permutations(range(size)))
    classes: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for members in combinations(range(len(neighbourhood.vectors)), size - 1):
        points = (0, *(member + 1 for member in members))
        if longest is not None and max(separation[points[a], points[b]] for a, b in pairs) > longest:
            continue
        key = min(tuple(int(separation[points[order[a]], points[order[b]]]) for a, b in pairs) for order in orders)
        classes.setdefault(key, []).append(members)
    ranked = sorted(classes, key=lambda key: (sum(key), key))
    return [np.array(classes[key], dtype=np.int64) for key in ranked]


def count_clusters(neighbourhood: Neighbourhood, types: Sequence[np.ndarray], occupations: np.ndarray) -> np.ndarray:
    """Count clusters all of whose sites hold the second species, summed over centres.

    Parameters
    ----------
    neighbourhood : Neighbourhood
    types : sequence of int64[n_clusters, size - 1]
        From :func:`cluster_types`.
    occupations : int8[n, n_sites]

    Returns
    -------
    int64[n, n_types]
        Each cluster is counted once from every one of its sites that can be its centre.
    """
    counts = np.empty((len(occupations), len(types)), dtype=np.int64)
    full = np.asarray(occupations) != 0
    for k, members in enumerate(types):
        arms = neighbourhood.sites[:, members]
        for n, row in enumerate(full):
            counts[n, k] = np.count_nonzero(row[:, None] & row[arms].all(axis=-1))
    return counts


def shell_counts(neighbourhood: Neighbourhood, occupations: np.ndarray) -> np.ndarray:
    """Count second-species neighbours in each shell, ``int64[n, n_sites, n_shells]``, images included."""
    around = np.asarray(occupations, dtype=np.int64)[:, neighbourhood.sites]
    starts = np.flatnonzero(np.diff(neighbourhood.shell, prepend=-1))
    return np.add.reduceat(around, starts, axis=-1)


def environments(coordination: np.ndarray) -> np.ndarray:
    """List all environments of a site: its species and the counts of its shells.

    Parameters
    ----------
    coordination : int64[n_shells]

    Returns
    -------
    int64[n_environments, 1 + n_shells]
        Last shell fastest: the row number is a mixed-radix number, see :func:`environment_strides`.
    """
    return np.stack(np.unravel_index(np.arange(2 * np.prod(coordination + 1)), (2, *(coordination + 1))), axis=-1)


def environment_strides(coordination: np.ndarray) -> np.ndarray:
    """Return what one unit of species and of each count adds to the environment's number, ``int64[1 + n_shells]``."""
    sizes = np.append(coordination + 1, 1)
    return np.cumprod(sizes[::-1])[::-1].astype(np.int64)


def star_types(neighbourhood: Neighbourhood, largest: int) -> list[np.ndarray]:
    """Return the classes of stars of three to ``largest`` sites, as :func:`cluster_types` does.

    Raises
    ------
    InputError
        If the neighbourhood is more than one shell or has more than ``MAX_ARMS`` neighbours.
    """
    n_arms = len(neighbourhood.vectors)
    if n_arms > MAX_ARMS or len(neighbourhood.distances) != 1:
        raise InputError(f"stars have {n_arms} arms in {len(neighbourhood.distances)} shells; one shell of at most 16")
    return [members for size in range(3, largest + 1) for members in cluster_types(neighbourhood, size)]


def count_stars(n_arms: int, types: Sequence[np.ndarray]) -> np.ndarray:
    """Count the stars of each class for every occupation of the arms.

    Returns
    -------
    int64[2**n_arms, n_types]
        Row ``mask`` has bit ``k`` set where arm ``k`` holds the second species; the centre is taken to hold it too.
    """
    masks = np.arange(2**n_arms)
    counts = np.zeros((2**n_arms, len(types)), dtype=np.int64)
    for k, members in enumerate(types):
        for member in (1 << members).sum(axis=1):
            counts[:, k] += (masks & member) == member
    return counts


def arm_masks(neighbourhood: Neighbourhood, occupations: np.ndarray) -> np.ndarray:
    """Return which arms of each site hold the second species, one bit each, ``int64[n, n_sites]``."""
    arms = np.asarray(occupations, dtype=np.int64)[:, neighbourhood.sites]
    return arms @ (1 << np.arange(neighbourhood.sites.shape[1]))
