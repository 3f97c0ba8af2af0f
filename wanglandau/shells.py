"""Shells of neighbours on a periodic lattice.

In a small cell several periodic images of one site are neighbours of another, and a site may be
its own neighbour. Every image counts: a shell of coordination number z has z entries per site,
repeated where images coincide. Counting distinct sites instead gives wrong energies in silence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list

from wanglandau.errors import InputError

DISTANCE_TOLERANCE = 1e-3
"""Neighbour distances closer than this (Bohr) belong to one shell."""
MAX_SHELLS = 50
"""Sanity limit on shells."""
MAX_CROWD = 100
"""Sanity limit on sites in one of as many equal boxes as there are sites."""


@dataclass(frozen=True, eq=False)
class Shell:
    """All neighbours at one distance.

    Attributes
    ----------
    distance : float, Bohr
    neighbours : int32[n_sites, coordination]
        Neighbour sites of each site, in ascending order; a site that is met through m images stands m times.
    """

    distance: float
    neighbours: np.ndarray

    @property
    def coordination(self) -> int:
        """Number of neighbours of a site, images included."""
        return int(self.neighbours.shape[1])

    def multiplicity(self) -> np.ndarray:
        """Count the images through which each pair of sites are neighbours, ``int32[n_sites, n_sites]``."""
        n_sites = len(self.neighbours)
        counts = np.zeros((n_sites, n_sites), dtype=np.int32)
        np.add.at(counts, (np.arange(n_sites)[:, None], self.neighbours), 1)
        return counts


def find_shells(cell: np.ndarray, positions: np.ndarray, n_shells: int) -> list[Shell]:
    """Find the first ``n_shells`` shells of neighbours of a lattice of equivalent sites.

    Parameters
    ----------
    cell : float64[3, 3], Bohr
    positions : float64[n_sites, 3], Bohr
    n_shells : int

    Raises
    ------
    InputError
        If sites differ in their neighbours, so that they are not one sublattice.
    """
    if not 1 <= n_shells <= MAX_SHELLS:
        raise InputError(f"n_shells is {n_shells}; ask for at least one shell and at most {MAX_SHELLS}")
    _check_crowding(cell, positions)
    atoms = Atoms(f"H{len(positions)}", positions=positions, cell=cell, pbc=True)
    cutoff = 1.2 * (abs(np.linalg.det(cell)) / len(positions)) ** (1 / 3)
    while True:
        first, second, distance = neighbor_list("ijd", atoms, cutoff)
        edges = _shell_distances(distance[first == 0])
        if len(edges) > n_shells:  # one more than asked for, so that the last one is complete
            break
        cutoff *= 1.25
    return [_make_shell(first, second, distance, edge, len(positions)) for edge in edges[:n_shells]]


def _check_crowding(cell: np.ndarray, positions: np.ndarray) -> None:
    """Refuse sites that crowd together, whose pairs could not be listed; equivalent sites do not."""
    lengths = np.linalg.norm(cell, axis=1)
    boxes = np.maximum(1, np.floor(lengths / lengths.prod() ** (1 / 3) * len(positions) ** (1 / 3)).astype(int))
    inside = np.minimum((positions @ np.linalg.inv(cell) % 1.0 * boxes).astype(int), boxes - 1)
    crowd = np.unique(inside, axis=0, return_counts=True)[1].max()
    if crowd > MAX_CROWD:
        raise InputError(
            f"{crowd} sites crowd together; only lattices whose sites are all equivalent (one sublattice) are supported"
        )


def _shell_distances(distances: np.ndarray) -> list[float]:
    ordered = np.sort(distances)
    groups = np.split(ordered, np.flatnonzero(np.diff(ordered) > DISTANCE_TOLERANCE) + 1)
    return [float(group.mean()) for group in groups if len(group)]


def _make_shell(first: np.ndarray, second: np.ndarray, distance: np.ndarray, edge: float, n_sites: int) -> Shell:
    inside = np.abs(distance - edge) < DISTANCE_TOLERANCE
    sites, neighbours = first[inside], second[inside]
    counts = np.bincount(sites, minlength=n_sites)
    if counts.min() != counts.max():
        raise InputError(
            f"sites have between {counts.min()} and {counts.max()} neighbours at {edge:.4f} Bohr; "
            "only lattices whose sites are all equivalent (one sublattice) are supported"
        )
    order = np.lexsort((neighbours, sites))
    return Shell(edge, neighbours[order].reshape(n_sites, -1).astype(np.int32))
