"""Walks under exact, fixed weights, which any correct loop has to visit evenly."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from known_levels import UNLIKE_BONDS
from references.alloys import JointTable, complete_bipartite_table

from wanglandau.energy_grid import EnergyGrid
from wanglandau.engine import Engine
from wanglandau.lattice import Lattice
from wanglandau.oracle import EnergyOracle
from wanglandau.pair_model import PairOracle
from wanglandau.starting import drive_into
from wanglandau.walk import Walk
from wanglandau.walkers import Walkers, Weights, Window, flat_weights, make_walkers

WIDTH = 2.0
"""Of a bin: unlike bonds come in even numbers in these cells."""
FULL = EnergyGrid.covering(-128.0, -64.0, WIDTH)
"""All levels of fcc 2x2x2 at 16/16 with -1 Ry for an unlike bond."""
PART = EnergyGrid.covering(-116.0, -96.0, WIDTH)
"""Eleven levels of it, all of them occupied."""
BCC = EnergyGrid.covering(-64.0, 0.0, WIDTH)
"""All levels of bcc 2x2x2."""


class Uncompiled:
    """The same energies as another oracle without its compiled form."""

    def __init__(self, oracle: EnergyOracle) -> None:
        self.lattice, self.reference_energies = oracle.lattice, oracle.reference_energies
        self.identity, self.invariant, self.energies = oracle.identity, oracle.invariant, oracle.energies


def fcc_oracle() -> PairOracle:
    """Return fcc 2x2x2, 32 atoms; exact levels at 16/16 in :data:`known_levels.UNLIKE_BONDS`."""
    return PairOracle(Lattice.cubic("fcc", ("Cu", "Au"), 7.3132, (2, 2, 2)), [-1.0])


def bcc_oracle() -> PairOracle:
    """Return bcc 2x2x2, 16 atoms, all compositions known in closed form: :func:`bcc_table`."""
    return PairOracle(Lattice.cubic("bcc", ("Fe", "Pt"), 5.7, (2, 2, 2)), [-1.0])


def bcc_table() -> JointTable:
    """Return the number of configurations of :func:`bcc_oracle` by composition and number of unlike bonds."""
    return complete_bipartite_table()


def binned(table: Mapping[int, int], grid: EnergyGrid) -> np.ndarray:
    """Return ln of the configurations of each bin, ``float64[n_bins]``; -inf in empty ones."""
    ln_g = np.full(grid.n_bins, -np.inf)
    for unlike, count in table.items():
        place = int(grid.index(np.array(-float(unlike))))
        if 0 <= place < grid.n_bins:
            ln_g[place] = np.logaddexp(ln_g[place], np.log(float(count)))
    return ln_g


def rows_of(table: JointTable, grid: EnergyGrid) -> np.ndarray:
    """Return ln of the configurations of each bin of each composition, ``float64[n_sites + 1, n_bins]``."""
    return np.array([binned(table.at_composition(n), grid) for n in range(table.n_sites + 1)])


def freeze(weights: Weights, ln_g: np.ndarray) -> Weights:
    """Fix weights at a known ln g."""
    known = np.isfinite(ln_g.ravel())
    weights.bins["ln_g"] = np.where(known, ln_g.ravel(), 0.0)
    weights.bins["seen"], weights.control["ln_f"] = known, 0.0
    weights.control["bins_seen"] = known.sum()
    return weights


def fcc_walkers(n_walkers: int, seed: int, grid: EnergyGrid = FULL) -> Walkers:
    """Put walkers at 16/16 inside a grid."""
    engine = Engine.fastest(fcc_oracle())
    walkers = make_walkers(engine.oracle, 16, n_walkers, np.random.SeedSequence(seed))
    drive_into(engine, walkers, Window(grid.start, grid.start + grid.width * grid.n_bins), FULL)
    return walkers


def fcc_weights(walkers: Walkers, grid: EnergyGrid) -> Weights:
    """Return the exact weights at 16/16."""
    return freeze(flat_weights(grid, walkers, 0.0), binned(UNLIKE_BONDS, grid))


def worst_deviation(weights: Weights, where: np.ndarray | None = None) -> float:
    """Return how far the least even bin with states is from the mean, as a part of it."""
    counts = weights.bins["histogram"][weights.bins["seen"] == 1 if where is None else where]
    return float(np.abs(counts / counts.mean() - 1.0).max())


def exact_fcc_error(energies: np.ndarray, ln_g: np.ndarray) -> float:
    """Return the root mean square error of a ln g at 16/16, given energies of its bins."""
    exact = np.log([float(UNLIKE_BONDS[round(-energy)]) for energy in energies])
    difference = ln_g - exact
    return float(np.sqrt(np.mean((difference - difference.mean()) ** 2)))


def walk_error(walk: Walk) -> float:
    """Return the root mean square error of the estimate of a walk at 16/16, up to its constant; inf if incomplete."""
    seen = walk.weights.bins["seen"] == 1
    if seen.sum() != len(UNLIKE_BONDS):
        return float("inf")
    return exact_fcc_error(walk.grid.centres[seen], walk.estimate()[seen])
