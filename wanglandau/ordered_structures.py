"""Ordered structures by name, decorated onto any lattice that they fit.

Every structure here is a set of layerings: families of lattice planes whose layers repeat a pattern of A (first
species) and B (second species); a site is B where its layer is B in every family. One family gives the layered
structures (L1_0 is A and B in turn along [001]), L1_2 needs two. Strukturbericht names where there are any; Z, Y, V
(layers of four along [001], [011], [111]), alpha and beta (layers of three) as in Z. W. Lu et al., Phys. Rev. B 44, 512
(1991); "40" after J. Kanamori and Y. Kakehashi, J. Phys. Colloques 38, C7-274 (1977).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations, product
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list

from wanglandau.errors import InputError
from wanglandau.lattice import Lattice

TOLERANCE = 1e-3
"""Layer numbers and ratios of distances this close to the ideal value are taken for it."""


class Layering(NamedTuple):
    """Layers perpendicular to one direction with a repeating pattern of species.

    Attributes
    ----------
    direction : tuple of three int
        Miller indices (h, k, l) on the cubic axes.
    scale : int
        ``scale * (h x + k y + l z)`` numbers the layers, for a site at (x, y, z) in lattice constants.
    pattern : str
        Species of successive layers; the origin (site 0) is in the first.
    """

    direction: tuple[int, int, int]
    scale: int
    pattern: str


@dataclass(frozen=True)
class OrderedStructure:
    """What B atoms make of a parent lattice.

    Attributes
    ----------
    name : str
    layerings : tuple of Layering
    exchanged_name : str, optional
        Name of the structure with the species exchanged, where that is another one.
    """

    name: str
    layerings: tuple[Layering, ...]
    exchanged_name: str | None = None


_ALONG_001 = Layering((0, 0, 1), 2, "BA")
_ALONG_010 = Layering((0, 1, 0), 2, "BA")

STRUCTURES: Mapping[str, tuple[OrderedStructure, ...]] = {
    "fcc": (
        OrderedStructure("L1_0", (_ALONG_001,)),
        OrderedStructure("L1_1", (Layering((1, 1, 1), 1, "BA"),)),
        OrderedStructure("L1_2-A3B", (_ALONG_001, _ALONG_010), "L1_2-AB3"),
        OrderedStructure("D0_22-A3B", (Layering((2, 0, 1), 2, "BAAA"),), "D0_22-AB3"),
        OrderedStructure("40", (Layering((2, 0, 1), 2, "BBAA"),)),
        OrderedStructure("Z1-A3B", (Layering((0, 0, 1), 2, "BAAA"),), "Z3-AB3"),
        OrderedStructure("Z2", (Layering((0, 0, 1), 2, "BBAA"),)),
        OrderedStructure("Y1-A3B", (Layering((0, 1, 1), 2, "BAAA"),), "Y3-AB3"),
        OrderedStructure("Y2", (Layering((0, 1, 1), 2, "BBAA"),)),
        OrderedStructure("V1-A3B", (Layering((1, 1, 1), 1, "BAAA"),), "V3-AB3"),
        OrderedStructure("V2", (Layering((1, 1, 1), 1, "BBAA"),)),
        OrderedStructure("alpha1-A2B", (Layering((1, 1, 1), 1, "BAA"),), "alpha2-AB2"),
        OrderedStructure("beta1-A2B", (Layering((0, 0, 1), 2, "BAA"),), "beta2-AB2"),
        OrderedStructure("MoPt2-A2B", (Layering((0, 1, 1), 2, "BAA"),), "MoPt2-AB2"),
        OrderedStructure("D1_a-A4B", (Layering((2, 0, 1), 2, "BAAAA"),), "D1_a-AB4"),
        OrderedStructure("Ca7Ge-A7B", (_ALONG_001, _ALONG_010, Layering((1, 1, 1), 1, "BA")), "Ca7Ge-AB7"),
    ),
    "bcc": (
        OrderedStructure("B2", (_ALONG_001,)),
        OrderedStructure("B32", (Layering((1, 1, 1), 2, "BBAA"),)),
        OrderedStructure("B11", (Layering((0, 0, 1), 2, "BBAA"),)),
        OrderedStructure("D0_3-A3B", (Layering((1, 1, 1), 2, "BAAA"),), "D0_3-AB3"),
        OrderedStructure("C11_b-A2B", (Layering((0, 0, 1), 2, "BAA"),), "C11_b-AB2"),
    ),
}
"""The structures known on each parent lattice."""

_PARENTS = {("fcc", 12, 6): np.sqrt(2.0), ("bcc", 8, 6): 2.0 / np.sqrt(3.0)}
"""Coordination of the first two shells and ratio of their distances; the second distance is the lattice constant."""


def ordered_structures(lattice: Lattice) -> dict[str, np.ndarray]:
    """Return every known ordered structure that fits the lattice.

    A structure fits where the periodic cell holds a whole number of its cells in some orientation; the first such
    orientation in a fixed order is taken, with site 0 at the origin of the structure.

    Parameters
    ----------
    lattice : Lattice
        Any periodic cell of an undistorted fcc or bcc lattice; others have no structures here.

    Returns
    -------
    dict of str to int8[n_sites]
    """
    parent = _parent(lattice)
    if parent is None:
        return {}
    structure_name, sites, cell = parent
    found = {}
    for structure in STRUCTURES[structure_name]:
        occupations = _decorate(structure, sites, cell)
        if occupations is not None:
            found[structure.name] = occupations
            if structure.exchanged_name is not None:
                found[structure.exchanged_name] = 1 - occupations
    return found


def ordered_structure(lattice: Lattice, name: str) -> np.ndarray:
    """Return one ordered structure by name, ``int8[n_sites]``.

    Raises
    ------
    InputError
        If there is no such structure or it does not fit the lattice.
    """
    fitting = ordered_structures(lattice)
    if name not in fitting:
        choice = ", ".join(fitting) or "none (only cells of an undistorted fcc or bcc lattice have any)"
        raise InputError(f"ordered structure {name!r} does not fit lattice {lattice.name}; those that fit: {choice}")
    return fitting[name]


def _parent(lattice: Lattice) -> tuple[str, np.ndarray, np.ndarray] | None:
    """Recognise fcc and bcc; return name, sites (from site 0) and cell vectors, in lattice constants on cubic axes."""
    first, second = lattice.shells(2)
    for (name, *coordinations), ratio in _PARENTS.items():
        if [first.coordination, second.coordination] != coordinations:
            continue
        axes = _cubic_axes(lattice, second.distance)
        if axes is not None and abs(second.distance / first.distance - ratio) < TOLERANCE:
            to_cubic = axes.T / second.distance
            return name, (lattice.positions - lattice.positions[0]) @ to_cubic, lattice.cell @ to_cubic
    return None


def _cubic_axes(lattice: Lattice, constant: float) -> np.ndarray | None:
    """Find three orthogonal unit vectors (rows) along the second neighbours; x, y, z where those will do."""
    atoms = Atoms(f"H{lattice.n_sites}", positions=lattice.positions, cell=lattice.cell, pbc=True)
    first, vectors = neighbor_list("iD", atoms, constant * (1 + TOLERANCE))
    vectors = vectors[first == 0] / constant
    vectors = vectors[np.abs(np.linalg.norm(vectors, axis=1) - 1) < TOLERANCE]
    axes: list[np.ndarray] = []
    for vector in sorted(vectors.round(9).tolist(), reverse=True):
        if all(abs(np.dot(vector, axis)) < TOLERANCE for axis in axes):
            axes.append(np.array(vector))
    return np.array(axes) if len(axes) == 3 else None


def _decorate(structure: OrderedStructure, sites: np.ndarray, cell: np.ndarray) -> np.ndarray | None:
    """Return the occupations of a structure in the first orientation that fits, ``int8[n_sites]``, or None."""
    for order, signs in _orientations():
        occupations = np.ones(len(sites), dtype=np.int8)
        for layering in structure.layerings:
            normal = layering.scale * np.array(layering.direction)[list(order)] * signs
            if not _repeats(cell @ normal, len(layering.pattern)):
                break
            layers = np.round(sites @ normal).astype(np.int64) % len(layering.pattern)
            occupations &= np.array([species == "B" for species in layering.pattern], dtype=np.int8)[layers]
        else:
            return occupations
    return None


def _repeats(shifts: np.ndarray, period: int) -> bool:
    """Tell whether each cell vector moves the layers on by a whole number of periods."""
    return bool(np.abs(shifts / period - np.round(shifts / period)).max() < TOLERANCE)


def _orientations() -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
    """Yield the 48 operations of the cube as an order and the signs of its axes, the identity first."""
    for order in permutations(range(3)):
        for signs in product((1, -1), repeat=3):
            yield order, np.array(signs)
