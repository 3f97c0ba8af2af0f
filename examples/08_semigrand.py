"""All compositions in one walk: free energy of mixing and phases, beside the exact ones.

Flips instead of swaps let the composition vary; with bins for composition and energy together one run gives
g(N_B, E), hence F(N_B, T) at every temperature. Where F is not convex the crystal splits into two phases, whose
compositions the common tangent gives. Here unlike neighbours repel each other on fcc: the alloy separates when cold.

In a small cell F between the two phases also holds what their interfaces cost: that is the height of F above the
tangent, which falls to nothing where the phases become one.

Run: python examples/08_semigrand.py [--smoke]
"""

import sys

import numpy as np

from wanglandau.exact import exact_levels
from wanglandau.levels import BOLTZMANN, MEV_PER_RY, Levels
from wanglandau.mixing import mixing_at
from wanglandau.pair_model import PairOracle
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings
from wanglandau.systems import load_system
from wanglandau.verdict import judge

lattice = load_system("cuau", (1, 2, 2)).lattice  # 16 atoms: every configuration can be counted
alloy = PairOracle(lattice, unlike_bond_energies=[50.0 / MEV_PER_RY])
atoms = lattice.n_sites

trials = 1_000_000 if "--smoke" in sys.argv else 20_000_000
settings = WangLandauSettings(runs=4, ensemble="semigrand", max_trials=trials, observables=False)
sampled = sample_density(alloy, None, settings)
walked = {n: density for n, density in sampled.densities.items() if n is not None}

everything = exact_levels(alloy, None)
counted = {}
for n in range(1, atoms):
    levels = everything.at_composition(n)
    counted[n] = Levels.exact(atoms, levels.energies, levels.degeneracies)

for temperature in (600.0, 1000.0, 2500.0):
    ours, exact = (mixing_at(sources, atoms, temperature, min_height=0.0) for sources in (walked, counted))
    off = np.abs(ours.free_energy - exact.free_energy).max() * MEV_PER_RY
    middle = ours.free_energy[atoms // 2] * MEV_PER_RY
    print(f"{temperature:.0f} K: F(1/2) = {middle:.3f} meV/atom; largest deviation from exact {off:.4f} meV/atom")
    for name, mixing in (("sampled", ours), ("exact", exact)):
        for region in mixing.regions:
            height = region.height / (BOLTZMANN * temperature)
            phases = f"x = {region.x_low:.4f} and {region.x_high:.4f}"
            print(f"    {name:8} {phases} coexist, F rises {height:.2f} kT between them")
print(judge(sampled).summary)
