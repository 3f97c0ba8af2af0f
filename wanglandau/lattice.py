"""The rigid lattice on which two species are distributed.

Owns the geometry: cell, site positions, species, the shells of neighbours and the symmetry of
the periodic cell (both worked out when first asked for). Knows nothing of energies.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.data import atomic_numbers

from wanglandau.errors import InputError
from wanglandau.shells import Shell, find_shells
from wanglandau.symmetry import site_permutations

MAX_SITES = 1_000_000
"""Sanity limit on the number of sites of a periodic cell."""
MAX_LENGTH = 1e7
"""Sanity limit on components of lattice vectors and positions, Bohr."""
MAX_FLATNESS = 20.0
"""Sanity limit on the distance between sites over the distance between opposite faces of the cell."""


@dataclass(frozen=True, eq=False)
class Lattice:
    """A periodic cell of equivalent sites, each of which holds one of two species.

    Parameters
    ----------
    species : tuple of two str
        Chemical symbols; occupation 0 is the first, 1 the second.
    cell : float64[3, 3], Bohr
        Lattice vectors of the periodic cell, one a row.
    positions : float64[n_sites, 3], Bohr
        Cartesian positions of the sites; their order is the order of occupations.
    name : str
        What people call it, for messages and figures only.

    Raises
    ------
    InputError
        If shapes, species or the cell volume make no sense.
    """

    species: tuple[str, str]
    cell: np.ndarray
    positions: np.ndarray
    name: str = "lattice"

    def __post_init__(self) -> None:
        cell = np.array(self.cell, dtype=np.float64)
        positions = np.array(self.positions, dtype=np.float64)
        if len(self.species) != 2 or self.species[0] == self.species[1]:
            raise InputError(f"species are {self.species!r}; a binary alloy needs two different chemical symbols")
        for symbol in self.species:
            if atomic_numbers.get(symbol, 0) == 0:
                raise InputError(f"species {symbol!r} is not a chemical symbol; use for example 'Cu'")
        if cell.shape != (3, 3) or not (abs(cell) < MAX_LENGTH).all() or abs(np.linalg.det(cell)) < 1e-6:
            raise InputError("the cell needs three linearly independent lattice vectors (3 x 3 numbers, in Bohr)")
        if positions.ndim != 2 or positions.shape[1] != 3 or not 1 <= len(positions) <= MAX_SITES:
            raise InputError(
                f"positions have shape {positions.shape}; expected (n_sites, 3), at most {MAX_SITES} sites"
            )
        if not (abs(positions) < MAX_LENGTH).all():
            raise InputError(f"positions must be numbers below {MAX_LENGTH:g} Bohr")
        _check_flatness(cell, len(positions))
        cell.setflags(write=False)
        positions.setflags(write=False)
        object.__setattr__(self, "cell", cell)
        object.__setattr__(self, "positions", positions)
        object.__setattr__(self, "species", (str(self.species[0]), str(self.species[1])))

    @classmethod
    def cubic(
        cls, structure: str, species: tuple[str, str], lattice_constant: float, repeat: tuple[int, int, int]
    ) -> Lattice:
        """Build a supercell of conventional cubic cells.

        Parameters
        ----------
        structure : {"fcc", "bcc", "sc"}
        species : tuple of two str
        lattice_constant : float, Bohr
        repeat : tuple of three int
            Number of conventional cells along each axis.
        """
        if structure not in ("fcc", "bcc", "sc"):
            raise InputError(f"structure {structure!r} is not known; choose fcc, bcc or sc, or give a structure file")
        if not (np.isfinite(lattice_constant) and 0.1 < lattice_constant < 1e4):
            raise InputError(f"lattice constant {lattice_constant} Bohr is out of range; choose 0.1 to 10000")
        conventional = bulk(species[0], structure, a=lattice_constant, cubic=True)
        parent = cls(species, conventional.cell[:], conventional.positions, structure)
        return parent.repeat(repeat)

    @classmethod
    def from_atoms(cls, atoms: Atoms, species: tuple[str, str]) -> Lattice:
        """Take cell and sites from an ASE structure (in Angstrom); which atoms sit where does not matter."""
        if not all(atoms.pbc):
            raise InputError("the structure must be periodic in all three directions")
        name = atoms.get_chemical_formula()
        return cls(species, atoms.cell[:] / units.Bohr, atoms.positions / units.Bohr, name)

    def repeat(self, repeat: tuple[int, int, int]) -> Lattice:
        """Repeat the cell along its three axes (site order: last axis fastest, as in ASE)."""
        if len(repeat) != 3 or any(not 1 <= n <= MAX_SITES or int(n) != n for n in repeat):
            raise InputError(f"repeat is {tuple(repeat)}; expected three whole numbers of at least 1")
        if len(self.positions) * math.prod(int(n) for n in repeat) > MAX_SITES:
            raise InputError(f"repeat {tuple(repeat)} gives more than the limit of {MAX_SITES} sites")
        shifts = np.array(list(np.ndindex(*(int(n) for n in repeat)))) @ self.cell
        positions = (shifts[:, None, :] + self.positions[None, :, :]).reshape(-1, 3)
        cell = self.cell * np.array(repeat, dtype=np.float64)[:, None]
        name = self.name if tuple(repeat) == (1, 1, 1) else f"{self.name} {'x'.join(str(n) for n in repeat)}"
        return Lattice(self.species, cell, positions, name)

    def to_atoms(self, occupations: np.ndarray) -> Atoms:
        """Make an ASE structure (Angstrom) of one configuration.

        Parameters
        ----------
        occupations : int8[n_sites]
        """
        numbers = np.array([atomic_numbers[symbol] for symbol in self.species])[np.asarray(occupations)]
        return Atoms(numbers, positions=self.positions * units.Bohr, cell=self.cell * units.Bohr, pbc=True)

    @property
    def n_sites(self) -> int:
        """Number of sites in the periodic cell."""
        return len(self.positions)

    @cached_property
    def symmetry(self) -> np.ndarray:
        """Space group of the periodic cell as site permutations, ``int32[n_operations, n_sites]``."""
        return site_permutations(self.cell, self.positions)

    def shells(self, n_shells: int) -> list[Shell]:
        """Return the first shells of neighbours, images counted with their multiplicity."""
        found = self._shells
        if len(found) < n_shells or n_shells < 1:
            found[:] = find_shells(self.cell, self.positions, n_shells)
        return found[:n_shells]

    @cached_property
    def _shells(self) -> list[Shell]:
        """Shells found so far: those of large cells take seconds."""
        return []

    @cached_property
    def fingerprint(self) -> str:
        """Digest of species, cell and site positions (rounded to 1e-6 Bohr)."""
        digest = hashlib.sha256("/".join(self.species).encode())
        digest.update(np.round(self.cell * 1e6).astype(np.int64).tobytes())
        digest.update(np.round(self.positions * 1e6).astype(np.int64).tobytes())
        return digest.hexdigest()


def _check_flatness(cell: np.ndarray, n_sites: int) -> None:
    """Refuse a cell so flat that each site has countless images of others as neighbours."""
    faces = np.linalg.norm(np.linalg.inv(cell), axis=0)  # one over the distances between opposite faces
    flatness = faces.max() * (abs(np.linalg.det(cell)) / n_sites) ** (1 / 3)
    if not flatness <= MAX_FLATNESS:
        raise InputError(
            f"the cell is too flat: opposite faces are {flatness:.3g} times closer than sites "
            f"(limit {MAX_FLATNESS:g}); take shorter lattice vectors of the same lattice"
        )
