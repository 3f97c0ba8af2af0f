"""Every configuration of a 16-atom bcc cell with its energy and order parameters, and densities of states of them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np

from wanglandau.density_of_states import DensityOfStates, density_from_levels, normalised
from wanglandau.energy_grid import EnergyGrid
from wanglandau.joint_histogram import JointHistogram
from wanglandau.lattice import Lattice
from wanglandau.observables import (
    LongRangeOrder,
    Observable,
    ShortRangeOrder,
    SublatticeOrder,
    column_names,
    measure_all,
)
from wanglandau.pair_model import PairOracle

TEMPERATURES = np.array([80.0, 200.0, 500.0, 2000.0])


class Everything(NamedTuple):
    """All configurations of one composition, or of all."""

    energies: np.ndarray
    values: np.ndarray
    signed: np.ndarray
    names: tuple[str, ...]


@cache
def enumerated(composition: int | None) -> Everything:
    lattice = Lattice.cubic("bcc", ("Fe", "Pt"), 5.4, (2, 2, 2))
    rows = ((np.arange(2**16)[:, None] >> np.arange(16)) & 1).astype(np.int8)
    if composition is not None:
        rows = rows[rows.sum(axis=1) == composition]
    observables: list[Observable] = [ShortRangeOrder(lattice, 2), LongRangeOrder(lattice)]
    energies = PairOracle(lattice, [-0.0011, 0.0003]).energies(rows)
    signed = SublatticeOrder(lattice, "B2").measure(rows)[:, 0]
    return Everything(energies, measure_all(observables, rows), signed, column_names(observables))


def density_of(everything: Everything, composition: int | None, width: float) -> DensityOfStates:
    levels, counts = np.unique(everything.energies, return_counts=True)
    grid = EnergyGrid.covering(levels[0], levels[-1], width)
    return density_from_levels(grid, 16, composition, levels, counts.astype(np.uint64))


def noisy_runs(density: DensityOfStates, n_runs: int, noise: float, seed: int) -> DensityOfStates:
    scatter = noise * np.random.default_rng(seed).normal(size=(n_runs, density.grid.n_bins))
    return replace(density, run_ln_g=normalised(density.run_ln_g + scatter, 16, density.composition), exact=False)


def joint_of(everything: Everything, density: DensityOfStates) -> JointHistogram:
    joint = JointHistogram.covering("order_B2", density.grid.n_bins, -1.0, 1.0, 0.125)
    joint.add(density.grid.index(everything.energies), everything.signed)
    return joint
