"""An energy of your own: a lattice, two reference energies, an identity and ``energies`` are all that an oracle needs.

Here every second-species atom pays for the square of the number of its neighbours of the second species. To make it
known to the command line, put a factory into the entry points of your package: see examples/06_your_own_oracle.py.

Run: python examples/extending/oracle.py
"""

import numpy as np

from wanglandau.exact import exact_levels
from wanglandau.lattice import Lattice
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings


class Crowded:
    invariant = True  # symmetry-equivalent configurations have the same energy
    reference_energies = np.zeros(2)  # Ry/atom, of the pure species

    def __init__(self, lattice):
        self.lattice = lattice
        self.neighbours = lattice.shells(1)[0].neighbours  # int32[n_sites, coordination]
        self.identity = f"crowded-{lattice.fingerprint}"  # changes with everything that energies depend on

    def energies(self, occupations):
        near = occupations[:, self.neighbours].sum(axis=2, dtype=np.int64)
        excess = (occupations * (near**2 - self.neighbours.shape[1] ** 2)).sum(axis=1)  # the pure species have none
        return excess / 1024  # Ry per cell; one for each of int8[n, n_sites]


oracle = Crowded(Lattice.cubic("fcc", ("Cu", "Au"), 7.3, (2, 2, 1)))
density = sample_density(oracle, 6, WangLandauSettings(runs=4, walkers=256, max_trials=1_500_000)).density
levels = exact_levels(oracle, 6)  # every configuration, by symmetry
error = np.abs(density.ln_g[density.visited] - np.log(levels.degeneracies)).max()
print(f"{len(levels)} levels; largest error of ln g {error:.4f}")
assert error < 0.05
