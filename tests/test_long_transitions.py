"""Order-disorder transitions of large cells by Metropolis sampling against published temperatures.

Temperatures in J / k_B of E = +J sum over nearest-neighbour bonds of s s.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from references.alloys import alloy_lattice

from wanglandau.engine import Engine
from wanglandau.finite_size import binder_cumulant, cumulant_crossing
from wanglandau.lattice import Lattice
from wanglandau.observables import SublatticeOrder
from wanglandau.ordered_structures import ordered_structure
from wanglandau.pair_model import PairOracle
from wanglandau.walkers import boltzmann_weights, make_snapshots, walkers_at

pytestmark = pytest.mark.long

J = 2.0**-14
"""Ry; small enough for the energies of all cells here to be exact."""
FCC_LENGTH = 12
SEEDS = 4


def oracle_of(lattice: Lattice) -> PairOracle:
    return PairOracle(lattice, [-2 * J])


class TestB2:
    """bcc at zero field is the Ising model: K_c = 0.15737 (P. Butera and M. Comi, Phys. Rev. B 62, 14837 (2000))."""

    TEMPERATURES = np.array([6.29, 6.32, 6.35, 6.38, 6.41])
    CHAINS, SWEEPS_BETWEEN = 16, 10

    def moments(self, length: int, n_snapshots: int) -> tuple[np.ndarray, np.ndarray]:
        """Return <m^2> and <m^4> of every chain, ``float64[n_chains, n_temperatures]``."""
        lattice = alloy_lattice("bcc", (length, length, length))
        oracle, order = oracle_of(lattice), SublatticeOrder(lattice, "B2")
        rng = np.random.default_rng(length)
        shape = (self.CHAINS, len(self.TEMPERATURES))
        starts = rng.integers(0, 2, (shape[0] * shape[1], lattice.n_sites), dtype=np.int8)
        walkers = walkers_at(oracle, starts, np.random.SeedSequence(length), flipping=True)
        beta = np.tile(1 / (J * self.TEMPERATURES), self.CHAINS)
        weights, engine = boltzmann_weights(walkers, beta), Engine.fastest(oracle)
        every = self.SWEEPS_BETWEEN * lattice.n_sites
        engine.advance(walkers, weights, 5 * length**2 * lattice.n_sites)
        snapshots = make_snapshots(walkers, n_snapshots, every)
        engine.advance(walkers, weights, n_snapshots * every, snapshots)
        square = order.measure(snapshots.occupations.reshape(-1, lattice.n_sites)).reshape(n_snapshots, *shape) ** 2
        return square.mean(axis=0), (square**2).mean(axis=0)

    def cumulants(self, length: int, n_snapshots: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the cumulant over the temperatures, smoothed by a cubic, and the same with each chain left out."""
        second, fourth = self.moments(length, n_snapshots)
        chosen = [np.arange(self.CHAINS) != left for left in (-1, *range(self.CHAINS))]
        curves = [binder_cumulant(second[use].mean(axis=0), fourth[use].mean(axis=0)) for use in chosen]
        around = self.TEMPERATURES - self.TEMPERATURES.mean()
        smooth = np.array([np.polyval(np.polyfit(around, curve, 3), around) for curve in curves])
        return smooth[0], smooth[1:]

    def test_critical_temperature(self) -> None:
        small, small_samples = self.cumulants(6, 600)
        large, large_samples = self.cumulants(10, 400)
        found = cumulant_crossing(self.TEMPERATURES, small, large, small_samples, large_samples)
        assert found is not None
        print(f"B2: Binder crossing of L = 6 and 10 at {found.temperature:.4f} +- {found.temperature_error:.4f}")
        assert found.temperature_error < 0.02
        assert found.temperature == pytest.approx(1 / 0.15737, rel=0.005)


class TestHalfOrdered:
    """fcc, 6,912 sites, half of the cell ordered and half random: below the transition order wins, above disorder."""

    def final_energies(self, structure: str, temperature: float, flipping: bool, start: str) -> np.ndarray:
        """Return the energy per site (J) of several walkers, mean over the last fifth of 3000 sweeps."""
        lattice = alloy_lattice("fcc", (FCC_LENGTH,) * 3)
        oracle, n_sites = oracle_of(lattice), lattice.n_sites
        starts = np.array(list(_starts(lattice, structure, start)))
        walkers = walkers_at(oracle, starts, np.random.SeedSequence(7), flipping=flipping)
        weights, engine = boltzmann_weights(walkers, 1 / (J * temperature)), Engine.fastest(oracle)
        engine.advance(walkers, weights, 2400 * n_sites)
        snapshots = make_snapshots(walkers, 60, 10 * n_sites)
        engine.advance(walkers, weights, 600 * n_sites, snapshots)
        energies = snapshots.records["energy"].mean(axis=0) / J / n_sites + 6
        print(f"{structure}, {start} start, T = {temperature}: {np.round(energies, 3).tolist()} J per site")
        return energies

    def test_l1_0_at_zero_field(self) -> None:
        """1.75 +- 0.01: literature 1.722 to 1.736 for infinite cells, which shift with 1 / L^2 (arXiv:1410.7928)."""
        between = -1.55
        assert (self.final_energies("L1_0", 1.74, True, "half") < between).mean() > 0.5
        assert (self.final_energies("L1_0", 1.76, True, "half") > between).mean() > 0.5

    def test_l1_2_at_fixed_composition(self) -> None:
        """c = 1/4: 1.80 +- 0.02."""
        between = 0.42
        assert (self.final_energies("L1_2-A3B", 1.78, False, "half") < between).mean() > 0.5
        assert (self.final_energies("L1_2-A3B", 1.82, False, "half") > between).mean() > 0.5

    def test_both_phases_hold_near_the_transition(self) -> None:
        """Of first order: started in either phase, a crystal stays there at the transition."""
        assert (self.final_energies("L1_2-A3B", 1.81, False, "ordered") < 0.42).mean() > 0.5
        assert (self.final_energies("L1_2-A3B", 1.81, False, "random") > 0.42).mean() > 0.5


def _starts(lattice: Lattice, structure: str, start: str) -> Iterator[np.ndarray]:
    """Yield a configuration for each seed; every layered half has the composition of the structure."""
    perfect = ordered_structure(lattice, structure)
    middle = lattice.positions[:, 2].min() + np.ptp(lattice.positions[:, 2]) / 2
    mixed = {"ordered": np.zeros(lattice.n_sites, bool), "random": np.ones(lattice.n_sites, bool)}
    mixed["half"] = lattice.positions[:, 2] > middle
    for seed in range(SEEDS):
        occupations = perfect.copy()
        occupations[mixed[start]] = np.random.default_rng(seed).permutation(occupations[mixed[start]])
        yield occupations
