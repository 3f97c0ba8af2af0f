"""Exact tables of the nearest-neighbour ordering alloy in small fcc and bcc cells.

Convention: E = +J sum over bonds of s s = J (number of bonds - 2 u) with u unlike bonds, so that unlike neighbours
attract. Tables count unlike bonds; :class:`JointTable` has all compositions. The oracle that belongs to them gives the
mixing energy -2 J u, in Ry: ``alloy_oracle``.

The literal tables and closed forms are independent of this package. Joint tables come from :mod:`references.layers`,
for up to 64 sites: fcc 2x2x2 to 2x2x4 and bcc 2x2x2 to 2x2x8.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from math import comb, log
from typing import NamedTuple

import numpy as np
from known_levels import UNLIKE_BONDS as FCC_16

from references.layers import JointCounts, joint_counts
from references.scale import UNLIKE_BOND
from references.thermal import Canonical
from wanglandau.exact import exact_levels
from wanglandau.lattice import Lattice
from wanglandau.pair_model import PairOracle

ORDERING_BOND = -UNLIKE_BOND
"""Energy of an unlike bond, Ry."""

Repeat = tuple[int, int, int]

FCC_8 = {
    96: 16, 90: 1536, 88: 5712, 86: 24960, 84: 131328, 82: 304128, 80: 881568, 78: 1224704, 76: 2201472,
    74: 1807104, 72: 1865632, 70: 986496, 68: 694656, 66: 231936, 64: 126540, 62: 22272, 60: 8192, 56: 48,
}  # fmt: skip
FCC_4 = {48: 1544, 46: 6144, 44: 14016, 42: 8576, 40: 4848, 38: 768, 36: 64}
BCC_16 = {
    128: 2, 114: 256, 112: 256, 104: 2112, 102: 4096, 100: 16384, 98: 7424, 96: 14072, 94: 28672, 92: 118784,
    90: 219136, 88: 484736, 86: 380928, 84: 1347584, 82: 1860608, 80: 6089984, 78: 4009984, 76: 14528512,
    74: 19805184, 72: 40436736, 70: 36888576, 68: 113426432, 66: 88626176, 64: 141071396, 62: 57396224,
    60: 41115648, 58: 11959296, 56: 13801088, 54: 2786304, 52: 2540544, 50: 1172736, 48: 536704, 46: 185344,
    44: 157696, 42: 20480, 40: 31296, 38: 3072, 36: 5120, 34: 256, 32: 552,
}  # fmt: skip

ENUMERATED = {("fcc", 16): FCC_16, ("fcc", 8): FCC_8, ("fcc", 4): FCC_4, ("bcc", 16): BCC_16}
"""Tables of fcc 2x2x2 and bcc 2x2x4 (32 atoms) by structure and number of second-species atoms, from an enumeration of
all 2**32 configurations with Gray codes by a program apart from this package."""


class SemiGrand(NamedTuple):
    """Averages where the number of second-species atoms is free, with weights exp(-(E - delta_mu N_B) / T).

    Attributes
    ----------
    energy : float, J per cell
    n_second : float
        Mean number of second-species atoms.
    energy_variance : float, J^2
    n_variance : float
    covariance : float, J
        Of energy and number of second-species atoms.
    heat_capacity : float, k_B per cell
        At constant delta_mu: variance of E - delta_mu N_B over T^2.
    ln_xi : float
        Logarithm of the partition function.
    """

    energy: float
    n_second: float
    energy_variance: float
    n_variance: float
    covariance: float
    heat_capacity: float
    ln_xi: float


@dataclass(frozen=True, eq=False)
class JointTable:
    """Number of configurations by composition and number of unlike bonds.

    Attributes
    ----------
    n_sites : int
    n_bonds : int
    counts : dict of int to dict of int to int
        ``counts[n_second][unlike_bonds]``.
    """

    n_sites: int
    n_bonds: int
    counts: JointCounts

    def at_composition(self, composition: int) -> dict[int, int]:
        """Return the table of one composition."""
        return self.counts[composition]

    def over_compositions(self) -> dict[int, int]:
        """Return the table of all compositions together (at zero field), unlike bonds ascending."""
        total: Counter[int] = Counter()
        for table in self.counts.values():
            total.update(table)
        return dict(sorted(total.items()))

    def canonical(self, composition: int | None) -> Canonical:
        """Return levels for averages at one composition, or over all of them at zero field (None)."""
        table = self.over_compositions() if composition is None else self.counts[composition]
        return Canonical.ordering(table, self.n_sites, self.n_bonds)

    def semi_grand(self, temperature: float, delta_mu: float) -> SemiGrand:
        """Average over all compositions at a temperature (J / k_B) and chemical potential difference (J)."""
        rows = [(n, self.n_bonds - 2 * u, log(g)) for n, table in self.counts.items() for u, g in table.items()]
        n_second, energies, ln_g = np.array(rows, dtype=np.float64).T
        exponent = ln_g - (energies - delta_mu * n_second) / temperature
        weights = np.exp(exponent - exponent.max())
        ln_xi = float(exponent.max()) + log(weights.sum())
        weights /= weights.sum()
        energy, number = float(weights @ energies), float(weights @ n_second)
        off_energy, off_number = energies - energy, n_second - number
        enthalpy_variance = float(weights @ (off_energy - delta_mu * off_number) ** 2)
        return SemiGrand(
            energy,
            number,
            float(weights @ off_energy**2),
            float(weights @ off_number**2),
            float(weights @ (off_energy * off_number)),
            enthalpy_variance / temperature**2,
            ln_xi,
        )


def alloy_lattice(structure: str, repeat: Repeat) -> Lattice:
    """Return a supercell of fcc (Cu, Au) or bcc (Fe, Pt) conventional cells."""
    species, constant = (("Cu", "Au"), 7.3132) if structure == "fcc" else (("Fe", "Pt"), 5.7)
    return Lattice.cubic(structure, species, constant, repeat)


def alloy_oracle(lattice: Lattice) -> PairOracle:
    """Return the ordering alloy on a lattice: an unlike bond gains ``UNLIKE_BOND`` (Ry)."""
    return PairOracle(lattice, [ORDERING_BOND])


@cache
def joint_table(structure: str, repeat: Repeat) -> JointTable:
    """Count a cell by transfer matrix; less than a second for 32 sites, some seconds for 64.

    Parameters
    ----------
    structure : {"fcc", "bcc"}
    repeat : tuple of three int
        (2, 2, n): fcc with n from 2 to 4 (64 sites), bcc with n from 2 to 8 (64 sites).
    """
    lattice = alloy_lattice(structure, repeat)
    return JointTable(lattice.n_sites, _number_of_bonds(lattice), joint_counts(lattice))


@cache
def enumerated_table(structure: str, repeat: Repeat) -> JointTable:
    """Count a cell of at most 32 sites by the package's own enumeration; seconds for 32 sites."""
    lattice = alloy_lattice(structure, repeat)
    levels = exact_levels(alloy_oracle(lattice), None, progress=False)
    counts: JointCounts = {n: {} for n in range(lattice.n_sites + 1)}
    for n, energy, count in zip(
        levels.compositions.tolist()[::-1], levels.energies[::-1], levels.degeneracies.tolist()[::-1], strict=True
    ):
        counts[n][int(unlike_bonds(energy))] = count
    return JointTable(lattice.n_sites, _number_of_bonds(lattice), counts)


def complete_bipartite_table() -> JointTable:
    """Count bcc 2x2x2 in closed form.

    Each of the 8 corner sites is a neighbour of each of the 8 centres, so that a second-species atoms on corners and b
    on centres make a (8 - b) + b (8 - a) unlike bonds in C(8, a) C(8, b) ways.
    """
    counts: JointCounts = {n: {} for n in range(17)}
    for a in range(9):
        for b in range(9):
            unlike = a * (8 - b) + b * (8 - a)
            counts[a + b][unlike] = counts[a + b].get(unlike, 0) + comb(8, a) * comb(8, b)
    return JointTable(16, 64, {n: dict(sorted(table.items())) for n, table in counts.items()})


def ordering_energy(unlike: int | np.ndarray, n_bonds: int) -> int | np.ndarray:
    """Convert numbers of unlike bonds to E = +J sum s s, in J."""
    return n_bonds - 2 * unlike


def unlike_bonds(mixing_energy: float | np.ndarray) -> np.ndarray:
    """Convert energies of :func:`alloy_oracle` (Ry per cell) to whole numbers of unlike bonds, ``int64``."""
    counts = np.rint(np.asarray(mixing_energy) / ORDERING_BOND).astype(np.int64)
    assert (counts * ORDERING_BOND == mixing_energy).all(), "not an energy of this alloy"
    return counts


def _number_of_bonds(lattice: Lattice) -> int:
    return lattice.shells(1)[0].neighbours.size // 2
