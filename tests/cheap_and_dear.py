"""A dear oracle and a cheap one that is wrong by a realistic amount, with the exact levels of both."""

from __future__ import annotations

from functools import cache

import numpy as np
from ase import units

from wanglandau.density_of_states import DensityOfStates, density_from_levels
from wanglandau.energy_grid import EnergyGrid
from wanglandau.errors import OracleError
from wanglandau.exact import ExactLevels, exact_levels
from wanglandau.lattice import Lattice
from wanglandau.levels import Levels
from wanglandau.oracle import EnergyOracle
from wanglandau.pair_model import PairOracle

MEV = 1e-3 / units.Ry
FCC = Lattice.cubic("fcc", ("Cu", "Au"), 7.3132, (2, 2, 2))
BCC = Lattice.cubic("bcc", ("Fe", "Pt"), 5.4, (2, 2, 2))
DEAR = PairOracle(FCC, [-50 * MEV, 8 * MEV, 3 * MEV])
CHEAP = PairOracle(FCC, [-57 * MEV, 10 * MEV])
"""14 and 25 % off, and nothing of the third shell: its heat capacity peaks at 909 K, that of the dear one at 748 K."""
DEAR_BCC = PairOracle(BCC, [-50 * MEV, 8 * MEV])
CHEAP_BCC = PairOracle(BCC, [-58 * MEV, 6 * MEV])


class Watched:
    """An oracle without a compiled form that keeps every batch it was asked for, and may fail."""

    def __init__(self, oracle: EnergyOracle, fail_at: int | None = None) -> None:
        self.lattice, self.reference_energies = oracle.lattice, oracle.reference_energies
        self.identity, self.invariant = oracle.identity, oracle.invariant
        self._oracle, self._fail_at = oracle, fail_at
        self.batches: list[np.ndarray] = []

    @property
    def asked(self) -> int:
        return sum(len(batch) for batch in self.batches)

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        if self._fail_at is not None and len(self.batches) >= self._fail_at:
            raise OracleError("the machine is down")
        self.batches.append(occupations.copy())
        return self._oracle.energies(occupations)


@cache
def exact_of(oracle: PairOracle, composition: int) -> ExactLevels:
    return exact_levels(oracle, composition, progress=False)


def levels_of(oracle: PairOracle, composition: int) -> Levels:
    found = exact_of(oracle, composition)
    return Levels.exact(found.n_sites, found.energies, found.degeneracies)


@cache
def density_of(oracle: PairOracle, composition: int, n_bins: int) -> DensityOfStates:
    found = exact_of(oracle, composition)
    low, high = float(found.energies[0]), float(found.energies[-1])
    grid = EnergyGrid.covering(low, high, (high - low) / n_bins)
    return density_from_levels(grid, found.n_sites, composition, found.energies, found.degeneracies)


def exact_ln_g(oracle: PairOracle, composition: int, grid: EnergyGrid) -> np.ndarray:
    """Return ln of the configurations of each bin, levels beyond the grid left out; -inf in empty bins."""
    found = exact_of(oracle, composition)
    bins = grid.index(found.energies)
    inside = (bins >= 0) & (bins < grid.n_bins)
    count = np.bincount(bins[inside], found.degeneracies[inside].astype(np.float64), grid.n_bins)
    with np.errstate(divide="ignore"):
        return np.log(count)
