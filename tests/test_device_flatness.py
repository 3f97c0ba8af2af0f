"""A crowd on an accelerator, here on tensors of the processor, visits bins evenly under exact weights."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pytest
from exact_weights import WIDTH, fcc_oracle, fcc_walkers, fcc_weights, freeze, worst_deviation
from tensor_crowds import crowd_of

from surrogate.dense_energy import DenseEnergy
from surrogate.settings import DenseSettings
from wanglandau.energy_grid import EnergyGrid
from wanglandau.lattice import Lattice
from wanglandau.oracle import EnergyOracle
from wanglandau.walkers import flat_weights, walkers_at

MIDDLE = EnergyGrid.covering(-106.0, -94.0, WIDTH)


@pytest.mark.compiled
def test_flat_on_levels_of_a_pair_model() -> None:
    walkers = fcc_walkers(512, 5, MIDDLE)
    weights = fcc_weights(walkers, MIDDLE)
    crowd_of(fcc_oracle()).advance(walkers, weights, 2000, 200)
    assert weights.control["trials"] == weights.bins["visits"].sum() == 512 * 2000
    assert worst_deviation(weights) < 0.02  # scatter 0.5 %


@dataclass
class Network:
    """A dense network as an oracle."""

    lattice: Lattice
    network: DenseEnergy
    identity: str = "random dense network"
    invariant: bool = False

    @property
    def reference_energies(self) -> np.ndarray:
        return np.zeros(2)

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        return self.network.energies(occupations)


def _dense_network() -> EnergyOracle:
    """Return a dense network with random weights, whose energy is another for every configuration."""
    rng = np.random.default_rng(8)
    shapes = {"first": (12, 16), "second": (12, 12), "head.energy": (1, 12)}
    arrays = {f"{name}.weight": rng.normal(size=shape) for name, shape in shapes.items()}
    arrays |= {f"{name}.bias": rng.normal(size=shape[:1]) for name, shape in shapes.items()}
    arrays |= {"energy_shift": np.array(-0.1), "energy_scale": np.array(0.01)}
    lattice = Lattice.cubic("bcc", ("Cu", "Zn"), 5.6, (2, 2, 2))
    network = DenseEnergy(lattice, DenseSettings(12), arrays)

    return Network(lattice, network)


@pytest.mark.compiled
@pytest.mark.parametrize("spoilt", [False, True])
def test_flat_on_every_configuration_of_a_dense_network(spoilt: bool) -> None:
    oracle = _dense_network()
    rows = np.zeros((12870, 16), dtype=np.int8)
    np.put_along_axis(rows, np.array(list(combinations(range(16), 8))), 1, axis=1)
    energies = oracle.energies(rows)
    grid = EnergyGrid(float(energies.min()), float(np.ptp(energies)) * 1.0001 / 10, 10)
    exact = np.log(np.bincount(grid.index(energies), minlength=grid.n_bins))
    exact[4] += 0.1 * spoilt
    starts = np.random.default_rng(1).choice(len(rows), 1024)
    walkers = walkers_at(oracle, rows[starts], np.random.SeedSequence(2))
    weights = freeze(flat_weights(grid, walkers, 0.0), exact)
    crowd_of(oracle).advance(walkers, weights, 500, 100)  # away from the energies of random starts
    weights.bins["histogram"] = 0
    crowd_of(oracle).advance(walkers, weights, 3000, 200)
    deviation = worst_deviation(weights)
    assert deviation > 0.06 if spoilt else deviation < 0.03
    assert grid.n_bins == np.isfinite(exact).sum()
