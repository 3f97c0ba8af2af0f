"""The pair model behind the stand-in for LSMS: energies, charges and moments of a deck's cell. Standard library only.

The energy of a cell is the sum of ``SPECIES_ENERGIES`` over its atoms plus, for every bond between unlike
neighbours of the first and second shell (each bond once, periodic images with their multiplicity), the coupling
of that pair of species. The couplings are whole multiples of 2**-40 Ry, so that the model of the package has
exactly the same mixing energies::

    PairOracle(lattice, COUPLINGS["Au", "Cu"], [SPECIES_ENERGIES["Cu"], SPECIES_ENERGIES["Au"]])

with a lattice of the species ("Cu", "Au"); ``couplings`` takes the two symbols in any order. A deck whose sites are
``lattice.positions`` then has the energy ``oracle.energies(row[None])[0] + sum of SPECIES_ENERGIES``. As a
pair-model file: ``unlike_bond_energies`` is the pair of couplings, in Ry.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import dist, fsum, sqrt
from typing import NamedTuple

Vector = tuple[float, float, float]

SPECIES_ENERGIES = {"Cu": -3304.85173579, "Au": -38074.5796582, "Fe": -2541.08541275, "Pt": -36872.63852744}
"""Ry per atom of the pure elements, about what LSMS gives."""

COUPLINGS = {("Au", "Cu"): (-33 * 2.0**-14, 2.0**-11), ("Fe", "Pt"): (-25 * 2.0**-14, -(2.0**-12))}
"""Ry per unlike bond of the first and second shell; symbols in alphabetical order."""

OTHER_COUPLINGS = (-(2.0**-9), 2.0**-12)
"""Couplings of two species that have none of their own."""

CHARGE_PER_BOND = (0.011, 0.003)
"""Electrons that the heavier atom of an unlike bond gives to the lighter one, by shell."""

MOMENTS = {"Fe": (2.78, 0.0281), "Pt": (0.04, 0.0163)}
"""Moment (mu_B) with like neighbours, and what each unlike nearest neighbour adds; others have none."""

REACH = 1.7
"""Bonds are looked for up to this many edges of an atom's share of the volume: two shells of fcc, bcc and sc."""


class Answer(NamedTuple):
    """What the model says about a cell; charges are electrons gained by each atom."""

    energy: float
    charges: list[float]
    moments: list[float]


def couplings(first: str, second: str) -> tuple[float, float]:
    """Give the energies of an unlike bond (Ry) in the first and the second shell."""
    low, high = sorted((first, second))
    return COUPLINGS.get((low, high), OTHER_COUPLINGS)


def species_energy(symbol: str, number: int) -> float:
    """Give the energy (Ry) of an atom among its like; elements without one of their own scale with Z."""
    return SPECIES_ENERGIES.get(symbol, -0.55 * float(number) ** 2.5)


def solve(
    symbols: Sequence[str], numbers: Sequence[int], positions: Sequence[Vector], cell: Sequence[Vector]
) -> Answer:
    """Answer a cell of atoms; lengths in Bohr.

    Energies come from counted bonds, so that equivalent cells have the same energy to the last bit.
    """
    shells = bonds(positions, cell)
    counts: dict[tuple[str, str, int], int] = {}
    charges = [0.0] * len(symbols)
    unlike_neighbours = [0] * len(symbols)
    for shell, pairs in enumerate(shells):
        for i, j in pairs:
            if symbols[i] != symbols[j]:
                low, high = sorted((symbols[i], symbols[j]))
                counts[low, high, shell] = counts.get((low, high, shell), 0) + 1
                light, heavy = (i, j) if numbers[i] < numbers[j] else (j, i)
                charges[light] += CHARGE_PER_BOND[shell]
                charges[heavy] -= CHARGE_PER_BOND[shell]
                unlike_neighbours[i] += shell == 0
                unlike_neighbours[j] += shell == 0
    terms = [n * couplings(low, high)[shell] for (low, high, shell), n in counts.items()]
    terms += [species_energy(symbol, number) for symbol, number in zip(symbols, numbers, strict=True)]
    moments = [moment(symbol, n) for symbol, n in zip(symbols, unlike_neighbours, strict=True)]
    return Answer(fsum(terms), [round(charge, 6) for charge in charges], moments)


def moment(symbol: str, unlike: int) -> float:
    """Give the moment (mu_B) of an atom with so many unlike nearest neighbours."""
    alone, each = MOMENTS.get(symbol, (0.0, 0.0))
    return alone + each * unlike


def bonds(positions: Sequence[Vector], cell: Sequence[Vector]) -> list[list[tuple[int, int]]]:
    """List the bonds of the first two shells, each once per image; an atom and its own image count half, so not."""
    found: dict[int, list[tuple[int, int]]] = {}
    reach = REACH * (volume(cell) / len(positions)) ** (1 / 3)
    inverse = _inverse(cell)
    images = _images(cell, reach)
    for i, here in enumerate(positions):
        for j in range(i, len(positions)):
            x, y, z = _nearest(here, positions[j], cell, inverse)
            for a, b, c in images:
                square = (x + a) ** 2 + (y + b) ** 2 + (z + c) ** 2
                if 1e-6 < square < reach * reach:
                    found.setdefault(round(1000 * sqrt(square)), []).append((i, j))
    return [[pair for pair in pairs if pair[0] != pair[1]] for pairs in _merged(found)[:2]]


def volume(cell: Sequence[Vector]) -> float:
    """Give the volume of a cell (Bohr cubed)."""
    return abs(sum(x * y for x, y in zip(cell[0], _cross(cell[1], cell[2]), strict=True)))


def _merged(found: dict[int, list[tuple[int, int]]]) -> list[list[tuple[int, int]]]:
    """Order shells by distance; those that rounding has split (less than 0.01 Bohr apart) are one."""
    shells: list[list[tuple[int, int]]] = []
    last = -100
    for distance in sorted(found):
        if distance - last > 10:
            shells.append([])
        shells[-1] += found[distance]
        last = distance
    return shells


def _images(cell: Sequence[Vector], reach: float) -> list[Vector]:
    """List the lattice vectors that bring a wrapped difference (within half a cell) inside the reach."""
    size = volume(cell)
    origin = (0.0, 0.0, 0.0)
    faces = [dist(_cross(cell[(k + 1) % 3], cell[(k + 2) % 3]), origin) for k in range(3)]
    most = [int(reach * face / size + 0.5) for face in faces]
    return [_combined(steps, cell) for steps in product(*(range(-n, n + 1) for n in most))]


def _nearest(here: Vector, there: Vector, cell: Sequence[Vector], inverse: Sequence[Vector]) -> Vector:
    """Wrap the vector between two sites into the cell around the origin."""
    x, y, z = (b - a for a, b in zip(here, there, strict=True))
    p, q, r = (-round(x * row[0] + y * row[1] + z * row[2]) for row in inverse)
    a, b, c = _combined((p, q, r), cell)
    return (x + a, y + b, z + c)


def _combined(steps: Sequence[int], cell: Sequence[Vector]) -> Vector:
    a, b, c = (sum(n * vector[k] for n, vector in zip(steps, cell, strict=True)) for k in range(3))
    return (a, b, c)


def _inverse(cell: Sequence[Vector]) -> list[Vector]:
    """Give the reciprocal vectors; their products with a position are its fractional coordinates."""
    normals = [_cross(cell[(k + 1) % 3], cell[(k + 2) % 3]) for k in range(3)]
    size = sum(x * y for x, y in zip(cell[0], normals[0], strict=True))
    return [(x / size, y / size, z / size) for x, y, z in normals]


def _cross(a: Vector, b: Vector) -> Vector:
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
