"""Your own energy in fifteen lines: anything with a lattice and an ``energies`` method is an oracle.

Here: atoms of the second species repel each other at nearest neighbours, more so the more of them there are
(a many-body term that no pair model has).

To make it available as ``--oracle crowded``, put the factory into the entry points of your package:

    [options.entry_points]
    wanglandau.oracles =
        crowded = your_package.your_module:from_argument

Run: python examples/06_your_own_oracle.py [--smoke]
"""

import sys

import numpy as np

from wanglandau.oracle import EnergyOracle
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings
from wanglandau.systems import System, load_system
from wanglandau.verdict import judge


class CrowdedOracle:
    """Energy 1 mRy times (neighbours of the second species)^2, summed over atoms of the second species."""

    invariant = True  # symmetry-equivalent configurations have the same energy
    reference_energies = np.zeros(2)  # Ry/atom

    def __init__(self, lattice) -> None:
        self.lattice = lattice
        self.identity = f"crowded-1-{lattice.fingerprint}"
        self.neighbours = lattice.shells(1)[0].neighbours

    def energies(self, occupations):
        """Give the mixing energy of each row of int8[n, n_sites], Ry per cell; the pure species have none."""
        crowd = occupations[:, self.neighbours].sum(axis=2, dtype=np.int64)
        own = (occupations * crowd**2).sum(axis=1)
        pure = self.neighbours.shape[1] ** 2 * occupations.sum(axis=1, dtype=np.int64)
        return 1e-3 * (own - pure)


def from_argument(argument: str, system: System) -> EnergyOracle:
    return CrowdedOracle(system.lattice)


oracle = from_argument("", load_system("cuau"))
assert isinstance(oracle, EnergyOracle)
trials = 20_000 if "--smoke" in sys.argv else 2_000_000
sampled = sample_density(oracle, 8, WangLandauSettings(runs=4, max_trials=trials))
density = sampled.density
for energy, ln_g in zip(density.mean_energy[density.visited], density.ln_g[density.visited], strict=True):
    print(f"{energy:10.4f} Ry   ln g = {ln_g:8.4f}")
print(judge(sampled).summary)
