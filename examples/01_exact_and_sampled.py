"""Wang-Landau against the truth: a nearest-neighbour alloy on fcc, 16 + 16 atoms.

The 601,080,390 configurations of this cell fall into 404,582 symmetry orbits. Evaluating one of each gives the exact
density of states: 28 levels. Four independent Wang-Landau runs then have to find the same numbers by walking.

Run: python examples/01_exact_and_sampled.py [--smoke]
"""

import sys

import numpy as np

from wanglandau.density_of_states import density_from_levels
from wanglandau.exact import exact_levels
from wanglandau.pair_model import PairOracle
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings
from wanglandau.systems import load_system
from wanglandau.verdict import judge

lattice = load_system("cuau").lattice  # fcc 2x2x2
alloy = PairOracle(lattice, unlike_bond_energies=[-1.0])  # -1 Ry for every unlike bond: energy = -(unlike bonds)

levels = exact_levels(alloy, composition=16)
trials = 200_000 if "--smoke" in sys.argv else 20_000_000
sampled = sample_density(alloy, 16, WangLandauSettings(runs=4, max_trials=trials, precision=0.005))

density = sampled.density
exact = density_from_levels(density.grid, 32, 16, levels.energies, levels.degeneracies)
print("unlike bonds      exact count    ln g exact  ln g sampled +- error")
for energy, count in zip(levels.energies, levels.degeneracies, strict=True):
    (here,) = density.grid.index(np.array([energy]))
    found = f"{density.ln_g[here]:12.4f} +- {density.standard_error[here]:.4f}"
    print(f"{-energy:12.0f} {count:16,d} {exact.ln_g[here]:13.4f} {found}")

both = density.visited & exact.visited
error = density.ln_g[both] - exact.ln_g[both]
print(f"rms error of ln g: {np.sqrt(np.mean(error**2)):.4f} after {sampled.trials[0]:,.0f} trials in each run")
print(judge(sampled).summary)
