"""Energies from an ASE calculator: CuAu with the effective-medium potential (EMT) on the rigid fcc lattice.

Every calculator that ASE knows takes the same place as a surrogate. EMT needs a few milliseconds for an energy, a
first-principles code hours: it pays to look at ordered structures first, and to sample with a surrogate trained on
what the calculator gave.

Run: python examples/05_ase_calculator.py [--smoke]
"""

import sys

import numpy as np
from ase import units
from ase.calculators.emt import EMT

from wanglandau.ase_oracle import AseOracle
from wanglandau.configurations import random_configurations
from wanglandau.ordered_structures import ordered_structures
from wanglandau.systems import load_system

lattice = load_system("cuau").lattice
emt = AseOracle(lattice, EMT(), "emt")
to_mev = units.Ry * 1000 / lattice.n_sites

print("ordered structure   Au atoms   mixing energy (meV/atom)")
for name, occupations in ordered_structures(lattice).items():
    print(f"{name:18} {occupations.sum():9d} {emt.energies(occupations[None])[0] * to_mev:18.2f}")

n_random = 5 if "--smoke" in sys.argv else 200
random = random_configurations(lattice.n_sites, 16, n_random, np.random.default_rng(1))
energies = emt.energies(random) * to_mev
print(f"{n_random} random configurations at 16/16: {energies.mean():.2f} +- {energies.std():.2f} meV/atom")
print("density of states with the same energies: wanglandau dos cuau --oracle ase:emt --max-trials 20000")
