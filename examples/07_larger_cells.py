"""Where does the infinite crystal order? The peak of C moves with the cell, and its law of motion tells.

Unlike atoms attract on the nearest-neighbour fcc lattice: below some 500 K they order in alternating layers (L1_0).
The transition is of first order. In a cell of L^3 atoms it is rounded, and the peak of C is shifted by a / L^3. (By
a / L^2 where the number of ordered states grows exponentially with L. It does here: layers slide past each other at no
cost. Compare both laws.) Up to 32 atoms the density of states is enumerated and exact, beyond it is sampled.

The same as one command, with files to go on from, a table and a figure (256 atoms take minutes):

    wanglandau scaling cuau --oracle pair:examples/pair_models/nearest_neighbour_fcc.toml \
        --sizes 2x2x2 2x2x4 2x4x4 4x4x4 --csv sizes.csv --figure sizes.png

Run: python examples/07_larger_cells.py [--smoke]
"""

import sys

import numpy as np

from wanglandau.exact import exact_levels
from wanglandau.finite_size import extrapolate
from wanglandau.levels import MEV_PER_RY, Levels
from wanglandau.pair_model import PairOracle
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings
from wanglandau.systems import load_system
from wanglandau.thermodynamics import default_temperatures, heat_capacity_peak
from wanglandau.verdict import judge

smoke = "--smoke" in sys.argv
sizes = [(1, 2, 2), (2, 2, 2), (2, 2, 4)] if smoke else [(2, 2, 2), (2, 2, 4), (2, 4, 4), (4, 4, 4)]
settings = WangLandauSettings(runs=4, max_trials=3_000_000 if smoke else 100_000_000)

peaks = []
for repeat in sizes:
    lattice = load_system("cuau", repeat).lattice
    alloy = PairOracle(lattice, unlike_bond_energies=[-50.0 / MEV_PER_RY])
    half = lattice.n_sites // 2
    if lattice.n_sites <= 32:
        levels = exact_levels(alloy, half)
        source, verdict = Levels.exact(lattice.n_sites, levels.energies, levels.degeneracies), "exact"
    else:
        sampled = sample_density(alloy, half, settings)
        source, verdict = sampled.density, judge(sampled).summary
    peak = heat_capacity_peak(source, default_temperatures(source))
    peaks.append((lattice.n_sites ** (1 / 3), peak.temperature))
    height, error = peak.height / lattice.n_sites, peak.height_error / lattice.n_sites
    where = f"{peak.temperature:.2f} +- {peak.temperature_error:.2f} K, {height:.3f} +- {error:.3f} k_B/atom"
    print(f"{lattice.n_sites:4d} atoms: peak of C at {where}; {verdict}")

lengths, temperatures = np.array(peaks).T
for exponent in (3.0, 2.0):
    law = extrapolate(lengths, temperatures, exponent=exponent)
    limit = f"{law.temperature:.0f} +- {law.temperature_error:.0f} K"
    print(f"T_c + a / L^{exponent:.0f}: T_c = {limit} (error from the scatter about the law)")
