"""One piece of work that contestants do: a cell, an energy, a composition, bins and a start."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wanglandau.density_of_states import log_total_states
from wanglandau.energy_grid import EnergyGrid
from wanglandau.engine import Engine
from wanglandau.oracle import EnergyOracle
from wanglandau.range_search import make_grid, search_range
from wanglandau.walkers import Walkers, Weights, Window, flat_weights, make_walkers, walkers_at

SEARCH_TRIALS = 20_000
LN_F = 1e-3
"""Constant during a measurement: what a trial costs does not depend on it."""
N_BINS = 300
"""Where energies form a continuum; a discrete spectrum has one bin a level."""


@dataclass(frozen=True, eq=False)
class Work:
    """What to walk on.

    Attributes
    ----------
    name : str
        Of the oracle.
    oracle : EnergyOracle
    composition : int
    grid : EnergyGrid
    start : int8[n_sites]
        A configuration within the grid.
    """

    name: str
    oracle: EnergyOracle
    composition: int
    grid: EnergyGrid
    start: np.ndarray

    @property
    def n_sites(self) -> int:
        """Number of atoms."""
        return self.oracle.lattice.n_sites

    def walk(self, n_walkers: int) -> tuple[Walkers, Weights]:
        """Put walkers on the start, each with a random stream of its own, under a flat weight."""
        rows = np.tile(self.start, (n_walkers, 1))
        walkers = walkers_at(self.oracle, rows, np.random.SeedSequence(0))
        return walkers, flat_weights(self.grid, walkers, LN_F)


def plan_work(name: str, oracle: EnergyOracle, composition: int) -> Work:
    """Find the range of energies and choose bins and start as a run would."""
    engine = Engine.fastest(oracle)
    search, seed = np.random.SeedSequence(0).spawn(2)
    found = search_range(engine, composition, SEARCH_TRIALS, search)
    discrete = found.level_spacing is not None
    ln_states = log_total_states(oracle.lattice.n_sites, composition)
    grid = make_grid(found, None if discrete else N_BINS, None, Window(), ln_states)
    start = make_walkers(oracle, composition, 1, seed).occupations[0]
    return Work(name, oracle, composition, grid, start)
