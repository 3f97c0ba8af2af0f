"""A schedule of your own: ln f falls to a quarter at every flat histogram (python examples/extending/schedule.py)."""

from dataclasses import dataclass

import numpy as np

from wanglandau.exact import exact_levels
from wanglandau.lattice import Lattice
from wanglandau.pair_model import PairOracle
from wanglandau.sampling import sample_density
from wanglandau.schedule import Stage, take_found_bins
from wanglandau.settings import WangLandauSettings


@dataclass
class Quarters:
    stage: Stage  # all fields: numbers, texts, arrays, lists of such, or a Stage
    phase: int = 1

    def meet_new_bins(self, weights):
        if take_found_bins(weights):
            self.stage.begin_again(weights)

    def stage_is_over(self, weights):
        return self.stage.is_over(weights)

    def next_stage(self, weights):
        self.stage.end(weights, factor=0.25)

    def settled(self, weights):
        return self.stage.is_settled(weights)


alloy, settings = PairOracle(Lattice.cubic("fcc", ("Cu", "Au"), 7.3, (2, 2, 1)), [-1.0]), WangLandauSettings(runs=4)
density = sample_density(alloy, 8, settings, schedule=lambda stage, grid, settings: Quarters(stage)).density
error = np.abs(density.ln_g[density.visited] - np.log(exact_levels(alloy, 8).degeneracies)).max()
print(f"largest error of ln g {error:.4f}")
assert error < 0.05
