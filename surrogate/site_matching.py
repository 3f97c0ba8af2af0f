"""Which site of a lattice an atom of a file sits on, modulo the periodic cell."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import pdist, squareform

from wanglandau.errors import InputError
from wanglandau.lattice import Lattice

TOLERANCE = 1e-3
"""How far an atom may be from its site, as a share of the distance of nearest neighbours.

Far above rounding in files, and tight enough that another lattice constant (3.88 for 3.87 Angstrom) does not pass.
"""

MAX_IMAGES = 1000
"""How many cells away an atom may be; much farther out, positions cannot tell one site from another."""

_ANGSTROM = (0.5, 0.56)
"""Scales that suggest positions in Angstrom where Bohr (1 Bohr = 0.529 Angstrom) were expected."""


class SiteMatcher:
    """Finds the site of each atom of a configuration.

    Parameters
    ----------
    lattice : Lattice
    """

    def __init__(self, lattice: Lattice) -> None:
        self._lattice = lattice
        self._inverse = np.linalg.inv(lattice.cell)
        self._neighbours = float(lattice.shells(1)[0].distance)
        self._tolerance = TOLERANCE * self._neighbours

    def sites(self, positions: np.ndarray) -> np.ndarray:
        """Return the site of each atom; atoms may come in any order and any periodic image.

        Parameters
        ----------
        positions : float64[n_sites, 3], Bohr

        Returns
        -------
        int64[n_sites]
            A permutation.

        Raises
        ------
        InputError
            Naming the line of the atom (the first stands on line 2) that is on no site or on one that is taken.
        """
        found, away = self._nearest_sites(positions)
        if away.max() > self._tolerance:
            atom = int(np.argmax(away > self._tolerance))
            raise InputError(self._no_site(positions, atom, int(found[atom]), float(away[atom])))
        _refuse_shared(found)
        return found

    def _nearest_sites(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the site nearest to each atom (int64[n]) and the distance from it (float64[n], Bohr)."""
        shares = (positions[:, None, :] - self._lattice.positions[None, :, :]) @ self._inverse
        far = np.flatnonzero(~(abs(shares) <= MAX_IMAGES).all(axis=(1, 2)))
        if len(far):
            raise InputError(f"line {far[0] + 2}: the atom at {_text(positions[far[0]])} is far outside the cell")
        # Rounding finds the nearest image for atoms near a site, which are the only ones that count.
        distances = np.linalg.norm((shares - np.round(shares)) @ self._lattice.cell, axis=2)
        found = distances.argmin(axis=1)
        return found, distances[np.arange(len(found)), found]

    def _no_site(self, positions: np.ndarray, atom: int, site: int, away: float) -> str:
        return (
            f"line {atom + 2}: the atom at {_text(positions[atom])} is {away:.4f} Bohr from site {site}, the nearest "
            f"of the lattice (tolerance {self._tolerance:.4f}); {self._remedy(positions)}"
        )

    def _remedy(self, positions: np.ndarray) -> str:
        """Say what may be wrong; most often it is another lattice constant or another unit."""
        scale = self._scale(positions)
        if not 0.1 < scale < 10 or self._nearest_sites(positions / scale)[1].max() > self._tolerance:
            return "give a system file whose structure, repeat or structure_file is the cell of the calculations"
        longer = f"all positions are {scale:.5f} times those of the lattice"
        if _ANGSTROM[0] < scale < _ANGSTROM[1]:
            return f"{longer}: they must be in Bohr"
        return f"{longer}: give a system file whose lattice_constant is that of the calculations"

    def _scale(self, positions: np.ndarray) -> float:
        """Compare the distance of nearest neighbours in the file with that of the lattice; 0 for a single atom."""
        if len(positions) == 1:
            return 0.0
        distances = squareform(pdist(positions))
        np.fill_diagonal(distances, np.inf)
        return float(np.median(distances.min(axis=1))) / self._neighbours


def _refuse_shared(found: np.ndarray) -> None:
    taken: dict[int, int] = {}
    for atom, site in enumerate(found.tolist()):
        if site in taken:
            raise InputError(
                f"lines {taken[site] + 2} and {atom + 2}: both atoms sit on site {site}; every site needs one"
            )
        taken[site] = atom


def _text(position: np.ndarray) -> str:
    return " ".join(f"{value:.6g}" for value in position) + " Bohr"
