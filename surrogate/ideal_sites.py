"""Which configuration of the ideal lattice a computed structure is: relaxed, shifted, or a smaller cell of its own.

Cluster-expansion programs and databases hold structures whose atoms have moved off their sites, whose cells have
swollen with composition, and whose cells differ in size. A structure is taken back to the lattice in four steps: its
cell is brought to the lattice's volume per atom, its vectors must then combine in whole numbers to those of the
lattice's cell, what strain is left is undone, and each site takes the nearest atom, up to one shift of all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms, units

from wanglandau.errors import InputError
from wanglandau.lattice import Lattice

MAX_DISPLACEMENT = 0.2
"""How far an atom may be from its site, as a share of the distance of nearest neighbours; at 0.5 sites are confused."""
MAX_STRAIN = 0.1
"""How much the cell may be strained or turned, apart from its volume."""
SCALES = (0.8, 1.25)
"""Lengths of the structure over those of the lattice, for equal volumes per atom; beyond, it is another lattice."""


@dataclass(frozen=True, eq=False)
class Placement:
    """Where the atoms of a structure stand on the lattice.

    Attributes
    ----------
    atoms : int64[n_sites]
        The atom on each site; the same atom on several where the structure's cell is smaller than the lattice's.
    copies : int
        How often the cell of the structure fits into that of the lattice.
    scale : float
        Lengths of the structure over those of the lattice, for equal volumes per atom.
    strain : float
        Largest change of a length or a direction that is left besides.
    displacement : float, Bohr
        Largest distance of an atom from its site after that.
    """

    atoms: np.ndarray
    copies: int
    scale: float
    strain: float
    displacement: float


class IdealSites:
    """Takes structures back to the sites of one lattice.

    Parameters
    ----------
    lattice : Lattice
    max_displacement : float
        How far an atom may be from its site, as a share of the distance of nearest neighbours, below 0.5.

    Raises
    ------
    InputError
        If the limit is out of range.
    """

    def __init__(self, lattice: Lattice, max_displacement: float = MAX_DISPLACEMENT) -> None:
        if not 0 < max_displacement < 0.5:
            raise InputError(f"max_displacement is {max_displacement}; choose more than 0 and less than 0.5")
        self._lattice = lattice
        self._limit = max_displacement * float(lattice.shells(1)[0].distance)
        self._share = max_displacement

    def place(self, structure: Atoms) -> Placement:
        """Find the atom on every site.

        Parameters
        ----------
        structure : Atoms
            Lengths in Angstrom, as everywhere in ASE.

        Raises
        ------
        InputError
            If the cell does not tile that of the lattice, or an atom is too far from every site.
        """
        cell, scale = self._scaled_cell(structure)
        whole = np.round(self._lattice.cell @ np.linalg.inv(cell)).astype(np.int64)
        copies = abs(round(np.linalg.det(whole)))
        if copies * len(structure) != self._lattice.n_sites:
            raise InputError(self._no_tiling(structure))
        ideal = np.linalg.solve(whole.astype(np.float64), self._lattice.cell)
        strain = float(np.abs(np.linalg.solve(ideal, cell) - np.eye(3)).max())
        if strain > MAX_STRAIN:
            raise InputError(
                f"its cell is strained or turned by {strain:.2f} against that of the lattice (limit {MAX_STRAIN}); "
                "give a system file whose cell is an undistorted supercell of it, in the same orientation"
            )
        atoms, displacement = self._nearest_atoms(structure.cell.scaled_positions(structure.positions), ideal, copies)
        return Placement(atoms, copies, scale, strain, displacement)

    def _scaled_cell(self, structure: Atoms) -> tuple[np.ndarray, float]:
        """Return the cell (Bohr) brought to the volume per atom of the lattice, and the scale that was undone."""
        cell = structure.cell[:] / units.Bohr
        volume = abs(np.linalg.det(cell)) / max(len(structure), 1)
        scale = float(np.cbrt(volume / (abs(np.linalg.det(self._lattice.cell)) / self._lattice.n_sites)))
        if not SCALES[0] < scale < SCALES[1]:
            raise InputError(
                f"its lengths are {scale:.3f} times those of the lattice for the same volume of an atom (limits "
                f"{SCALES[0]} and {SCALES[1]}); correct lattice_constant or structure_file of the system (Angstrom)"
            )
        return cell / scale, scale

    def _no_tiling(self, structure: Atoms) -> str:
        return (
            f"its cell of {len(structure)} atoms does not fill the {self._lattice.n_sites} sites of the lattice in "
            "whole numbers; give a system file whose cell (structure, repeat) is a supercell of it"
        )

    def _nearest_atoms(self, shares: np.ndarray, ideal: np.ndarray, copies: int) -> tuple[np.ndarray, float]:
        """Return the atom on each site and the largest distance (Bohr) for the shift of all atoms that fits best."""
        positions = shares @ ideal
        atoms, displacement = self._with_shift(positions, ideal, copies)  # as it stands, if it may
        if displacement > self._limit:
            shifts = self._lattice.positions - positions[0]
            found = [self._with_shift(positions + shift, ideal, copies) for shift in shifts]
            atoms, displacement = min(found, key=lambda one: one[1])
        if displacement > self._limit:
            raise InputError(
                f"an atom is {displacement * units.Bohr:.3f} Angstrom from the site nearest to it (limit "
                f"{self._limit * units.Bohr:.3f}, {self._share:g} of the distance of neighbours) or two share one; "
                "leave out structures that relaxed to another lattice"
            )
        return atoms, displacement

    def _with_shift(self, positions: np.ndarray, ideal: np.ndarray, copies: int) -> tuple[np.ndarray, float]:
        """Give each site the nearest atom; infinitely far where atoms are not on as many sites as there are copies."""
        apart = self._lattice.positions[:, None, :] - positions[None, :, :]
        shares = apart @ np.linalg.inv(ideal)
        vectors = (shares - np.round(shares)) @ ideal
        atoms = np.linalg.norm(vectors, axis=2).argmin(axis=1)
        if (np.bincount(atoms, minlength=len(positions)) != copies).any():
            return atoms, np.inf
        off = vectors[np.arange(len(atoms)), atoms]
        return atoms, float(np.linalg.norm(off - off.mean(axis=0), axis=1).max())
