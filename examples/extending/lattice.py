"""A lattice of your own: whatever periodic structure ASE can make or read, here a ring of 16 sites.

On a ring, the configurations with 2 k unlike pairs can be counted by hand: (16 / k) C(7, k - 1)^2 at 8 + 8 atoms.

Run: python examples/extending/lattice.py
"""

from math import comb, log

import numpy as np
from ase import Atoms

from wanglandau.lattice import Lattice
from wanglandau.pair_model import PairOracle
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings

chain = Atoms("Cu16", positions=[(3.0 * k, 0, 0) for k in range(16)], cell=(48.0, 60.0, 60.0), pbc=True)  # Angstrom
ring = Lattice.from_atoms(chain, ("Cu", "Au"))  # its first shell of neighbours: left and right
assert ring.shells(1)[0].coordination == 2

sampled = sample_density(PairOracle(ring, [-1.0]), 8, WangLandauSettings(runs=4, max_trials=1_000_000))
density = sampled.density
worst = 0.0
for energy, ln_g in zip(density.mean_energy[density.visited], density.ln_g[density.visited], strict=True):
    k = round(-energy / 2)
    exact = log(16 * comb(7, k - 1) ** 2 / k)
    worst = max(worst, abs(ln_g - exact))
    print(f"{2 * k:3d} unlike pairs: ln g = {ln_g:7.4f}, counted by hand {exact:7.4f}")
assert np.count_nonzero(density.visited) == 8 and worst < 0.05
print(f"largest error {worst:.4f}")
