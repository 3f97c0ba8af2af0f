"""All the ways in which one ordered structure can lie on a lattice.

The variants of a structure are its images under the translations and rotations of the undecorated parent lattice that
the periodic cell can hold. A cell that is longer one way than another holds fewer than the parent lattice allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list

from wanglandau.errors import InputError
from wanglandau.lattice import Lattice

TOLERANCE = 1e-3
"""Lengths (Bohr) and integer coordinates this close are equal."""


def structure_variants(lattice: Lattice, structures: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return every variant of some structures, each once.

    Parameters
    ----------
    lattice : Lattice
        One site in the primitive cell, as fcc, bcc and sc have.
    structures : sequence of int8[n_sites]
        Any one variant of each.

    Returns
    -------
    list of int8[n_variants, n_sites]
        One for each structure, with the variant given first.

    Raises
    ------
    InputError
        If the sites do not form a lattice with one site in its primitive cell.
    """
    sites = _IntegerSites(lattice)
    return [_variants(np.asarray(occupations, dtype=np.int8), sites) for occupations in structures]


def _variants(occupations: np.ndarray, sites: _IntegerSites) -> np.ndarray:
    found = {occupations.tobytes(): occupations}
    _add_translations(found, occupations, sites)
    for rotation in sites.rotations:
        turned = sites.rotated(occupations, rotation)
        if turned is not None and turned.tobytes() not in found:
            found[turned.tobytes()] = turned
            _add_translations(found, turned, sites)
    return np.array(list(found.values()))


def _add_translations(found: dict[bytes, np.ndarray], start: np.ndarray, sites: _IntegerSites) -> None:
    waiting = [start]
    while waiting:
        variant = waiting.pop()
        for shift in sites.shifts:
            moved = variant[shift]
            if moved.tobytes() not in found:
                found[moved.tobytes()] = moved
                waiting.append(moved)


class _IntegerSites:
    """Sites in integer coordinates on primitive vectors, and the site at any coordinates modulo the periodic cell.

    Attributes
    ----------
    coordinates : int64[n_sites, 3]
        Relative to site 0.
    cell : int64[3, 3]
        Vectors of the periodic cell, one a row.
    rotations : list of int64[3, 3]
        Point group of the parent lattice, acting on coordinates from the right.
    shifts : list of int64[n_sites]
        For each primitive vector, the site that is one vector on from each site.
    """

    def __init__(self, lattice: Lattice) -> None:
        nearest = _nearest_vectors(lattice)
        primitive = _primitive_vectors(nearest, abs(np.linalg.det(lattice.cell)) / lattice.n_sites)
        to_integers = np.linalg.inv(primitive)
        self.coordinates = _whole((lattice.positions - lattice.positions[0]) @ to_integers)
        self.cell = _whole(lattice.cell @ to_integers)
        self._from_cell = np.linalg.inv(self.cell)
        keys = self._keys(self.coordinates)
        self._order = np.argsort(keys)
        self._sorted_keys = keys[self._order]
        if (np.diff(self._sorted_keys) == 0).any():
            raise InputError(f"lattice {lattice.name} has two sites in one place")
        self.rotations = _rotations(nearest, primitive)
        self.shifts = [self.at(self.coordinates + step) for step in np.eye(3, dtype=np.int64)]

    def at(self, coordinates: np.ndarray) -> np.ndarray:
        """Return the site at each of ``int64[n, 3]``, ``int64[n]``."""
        return self._order[np.searchsorted(self._sorted_keys, self._keys(coordinates))]

    def rotated(self, occupations: np.ndarray, rotation: np.ndarray) -> np.ndarray | None:
        """Turn a structure about site 0; None where the periodic cell cannot hold the result."""
        for step in self.cell @ rotation:
            if not np.array_equal(occupations[self.at(self.coordinates + step)], occupations):
                return None
        return occupations[self.at(self.coordinates @ rotation)]

    def _keys(self, coordinates: np.ndarray) -> np.ndarray:
        """Give equal numbers to coordinates that differ by vectors of the periodic cell, ``int64[n]``."""
        size = abs(round(np.linalg.det(self.cell)))
        whole = np.round(coordinates @ self._from_cell * size).astype(np.int64) % size  # fractions of the cell, exact
        return (whole[:, 0] * size + whole[:, 1]) * size + whole[:, 2]


def _nearest_vectors(lattice: Lattice) -> np.ndarray:
    """Return the vectors from site 0 to its nearest neighbours, ``float64[n, 3]``, Bohr."""
    distance = lattice.shells(1)[0].distance
    atoms = Atoms(f"H{lattice.n_sites}", positions=lattice.positions, cell=lattice.cell, pbc=True)
    first, vectors = neighbor_list("iD", atoms, distance + TOLERANCE)
    return vectors[first == 0]


def _primitive_vectors(vectors: np.ndarray, volume: float) -> np.ndarray:
    for chosen in combinations(vectors, 3):
        if abs(abs(np.linalg.det(np.array(chosen))) / volume - 1) < TOLERANCE:
            return np.array(chosen)
    raise InputError("nearest neighbours span no primitive cell of one site; variants are for fcc, bcc and sc lattices")


def _rotations(nearest: np.ndarray, primitive: np.ndarray) -> list[np.ndarray]:
    """Find the linear maps of the lattice onto itself that keep all lengths, by where they take the primitive basis."""
    metric = primitive @ primitive.T
    overlaps = nearest @ nearest.T
    target = np.abs(overlaps - metric[0, 1]) < TOLERANCE, np.abs(overlaps - metric[1, 2]) < TOLERANCE
    third = np.abs(overlaps - metric[0, 2]) < TOLERANCE
    found = []
    for a, b, c in product(range(len(nearest)), repeat=3):
        if target[0][a, b] and target[1][b, c] and third[a, c]:
            found.append(_whole(nearest[[a, b, c]] @ np.linalg.inv(primitive)))
    return found


def _whole(values: np.ndarray) -> np.ndarray:
    rounded = np.round(values)
    if np.abs(values - rounded).max() > TOLERANCE:
        raise InputError("the sites do not form a lattice with one site in its primitive cell, as fcc, bcc and sc have")
    return rounded.astype(np.int64)
