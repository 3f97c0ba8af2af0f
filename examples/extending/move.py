"""A move of your own: two compiled functions at most. Here only neighbours swap, as diffusing atoms do.

A site and one of its neighbours are drawn uniformly; if they are alike, nothing happens. That is symmetric. To draw
among the unlike pairs would not be: their number differs from configuration to configuration.

Run: python examples/extending/move.py
"""

import numpy as np
from numba import njit

from wanglandau.exact import exact_levels
from wanglandau.kernels import random_below
from wanglandau.lattice import Lattice
from wanglandau.move import Move
from wanglandau.pair_model import PairOracle
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings
from wanglandau.stationarity import check_stationarity


@njit
def pick(neighbours, occupations, sites, walker, picks, flips):
    flips[0] = random_below(walker.random_state, len(occupations))
    flips[1] = neighbours[flips[0], random_below(walker.random_state, neighbours.shape[1])]
    return occupations[flips[0]] != occupations[flips[1]]


alloy = PairOracle(Lattice.cubic("fcc", ("Cu", "Au"), 7.3, (2, 2, 1)), [-1.0])
neighbours = np.array(alloy.lattice.shells(1)[0].neighbours)
move = Move("neighbours", n_flips=2, keeps_composition=True, pick=pick, parameters=neighbours)
print(check := check_stationarity(alloy, 8, move))
density = sample_density(alloy, 8, WangLandauSettings(runs=4, max_trials=1_000_000), move=move).density
levels = exact_levels(alloy, 8)
error = np.abs(density.ln_g[density.visited] - np.log(levels.degeneracies)).max()
print(f"{len(levels)} levels; largest error of ln g {error:.4f}")
assert check.holds and error < 0.05
