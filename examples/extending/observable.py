"""An observable of your own: names and ``measure``. Here the part of all atoms that have no neighbour of their kind.

Run: python examples/extending/observable.py
"""

from itertools import combinations

import numpy as np

from wanglandau.lattice import Lattice
from wanglandau.levels import BOLTZMANN
from wanglandau.metropolis import sample_metropolis
from wanglandau.metropolis_averages import average_all
from wanglandau.metropolis_settings import MetropolisSettings
from wanglandau.pair_model import PairOracle
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings
from wanglandau.temperature_curves import temperature_curves


class Lonely:
    names = ("lonely",)  # one a column

    def measure(self, occupations):  # int8[n, n_sites] to float64[n, 1]
        return (occupations[:, neighbours] != occupations[:, :, None]).all(axis=2).mean(axis=1, keepdims=True)


alloy, kelvin = PairOracle(Lattice.cubic("bcc", ("Fe", "Pt"), 5.7, (2, 2, 2)), [-0.001]), np.array([500, 600, 700])
neighbours = alloy.lattice.shells(1)[0].neighbours
flat = sample_density(alloy, 8, WangLandauSettings(max_trials=1_000_000), observables=[Lonely()])
curves = temperature_curves(flat.density, kelvin, flat.averages).columns()  # thermo --csv writes them
chains = sample_metropolis(alloy, 8, kelvin, MetropolisSettings(sweeps=10_000), observables=[Lonely()])
thermal = average_all(chains.series)["lonely"]
every = np.array([[site in chosen for site in range(16)] for chosen in combinations(range(16), 8)], dtype=np.int8)
chances = np.exp(-alloy.energies(every) / (BOLTZMANN * kelvin[:, None]))
exact = chances @ Lonely().measure(every)[:, 0] / chances.sum(axis=1)
print(f"Wang-Landau {curves['lonely'].round(4)}, Metropolis {thermal.values.round(4)}, exact {exact.round(4)}")
assert np.allclose([curves["lonely"], thermal.values], exact, atol=0.01)
