"""The exact levels of the nearest-neighbour pair model on fcc 2x2x2 at 16/16, and noisy runs made from them."""

import numpy as np

from wanglandau.density_of_states import DensityOfStates, density_from_levels, normalised
from wanglandau.energy_grid import EnergyGrid
from wanglandau.exact import ExactLevels
from wanglandau.lattice import Lattice
from wanglandau.run_file import RunRecord, describe_system

UNLIKE_BONDS = {
    128: 42, 122: 5376, 120: 22080, 118: 140544, 116: 783360, 114: 2098176, 112: 6896256, 110: 11555328,
    108: 27473792, 106: 34705152, 104: 64888032, 102: 65777920, 100: 97310976, 98: 74947584, 96: 82506384,
    94: 48317952, 92: 40973568, 90: 19130112, 88: 13602624, 86: 5231616, 84: 3174912, 82: 955392, 80: 472896,
    78: 78336, 76: 28800, 74: 768, 72: 2400, 64: 12,
}  # fmt: skip
BOND = -0.003
"""Ry per unlike bond; J = 0.0015 Ry."""


def exact_levels(bond: float = BOND) -> ExactLevels:
    energies = bond * np.array(list(UNLIKE_BONDS), dtype=float)
    degeneracies = np.array(list(UNLIKE_BONDS.values()), dtype=np.uint64)
    keys = {16: np.array([3], dtype=np.uint32)}
    return ExactLevels(32, 16, np.full(len(energies), 16, dtype=np.int16), energies, degeneracies, keys)


def noisy_density(noise: float, n_runs: int = 8, seed: int = 1, width: float = 0.003) -> DensityOfStates:
    levels = exact_levels()
    grid = EnergyGrid.covering(levels.energies.min(), levels.energies.max(), width)
    exact = density_from_levels(grid, 32, 16, levels.energies, levels.degeneracies)
    scatter = noise * np.random.default_rng(seed).normal(size=(n_runs, grid.n_bins))
    runs = normalised(exact.run_ln_g + scatter, 32, 16)
    return DensityOfStates(grid, 32, 16, runs, exact.mean_energy, exact.energy_variance)


def description() -> dict:
    lattice = Lattice.cubic("fcc", ("Cu", "Au"), 7.3132, (2, 2, 2))
    oracle = {"name": "pair:nn.toml", "identity": "abc123", "invariant": True, "reference_energies": [-1.5, 2.25]}
    return {"system": describe_system("cuau", lattice), "oracle": oracle}


def noisy_record(noise: float = 0.01, seed: int = 1) -> RunRecord:
    density = noisy_density(noise, seed=seed)
    return RunRecord(
        density=density,
        settings={"runs": 8, "max_trials": 10**7, "schedule": "1/t"},
        versions={"wanglandau": "0.1.0"},
        seeds=[2**63 + 1, 7],
        diagnostics={
            "walkers": 2,
            "trials": [10**7] * 8,
            "acceptance": [0.4] * 8,
            "round_trips": [[40, 60]] * 8,
            "ln_f": [2e-6] * 8,
            "phase": [2] * 8,
            "histogram": np.full((8, density.grid.n_bins), 10**5, dtype=np.int64),
        },
        verdict={"trusted": True, "reasons": [], "summary": "Trust this density of states."},
        duration_s=12.5,
        **description(),
    )
