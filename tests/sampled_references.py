"""Sampled densities of states beside the exact tables of the same cells, and what is asked of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from references.alloys import ORDERING_BOND, Repeat, alloy_lattice, alloy_oracle, joint_table
from references.ising import density_of_states, ising_oracle
from references.ln_g_error import binned_ln_g, mean_relative_error, rms_ln_g
from references.scale import RY_PER_J, UNLIKE_BOND, kelvin
from references.thermal import Averages, Canonical

from wanglandau.density_of_states import DensityOfStates, normalised
from wanglandau.pair_model import PairOracle
from wanglandau.sampled_density import SampledDensity
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings
from wanglandau.thermodynamics import heat_capacity_peak, thermodynamics

CRITICAL = 2 / np.log(1 + np.sqrt(2))
"""Onsager's critical temperature of the square lattice, J / k_B."""
FCC, BCC, SMALL_BCC, LONG_FCC = ("fcc", (2, 2, 2)), ("bcc", (2, 2, 4)), ("bcc", (2, 2, 2)), ("fcc", (2, 2, 4))
MAXIMUM_POINTS = 80

Cell = tuple[str, Repeat]


@dataclass(frozen=True, eq=False)
class Reference:
    """A cell with its exact density of states.

    Attributes
    ----------
    oracle : PairOracle
    composition : int or None
        None: all compositions, by flips at zero field.
    table : dict of int to int
        Number of configurations by number of unlike bonds.
    unlike_bond : float, Ry
    canonical : Canonical
    """

    oracle: PairOracle
    composition: int | None
    table: dict[int, int]
    unlike_bond: float
    canonical: Canonical

    @property
    def shift(self) -> float:
        """E = sum of J s s (J per cell) of the configuration without unlike bonds, which has mixing energy 0."""
        bonds = self.oracle.lattice.shells(1)[0].neighbours.size // 2
        return -np.sign(self.unlike_bond) * bonds

    def sample(self, trials: int, **settings: Any) -> SampledDensity:
        """Sample with so many trials a run, to the last one, on one thread."""
        fixed = {"precision": 1e-9, "final_ln_f": 1e-15, "observables": False, "threads": 1}
        fixed |= {"windows": 1, "negative_temperatures": True}  # all levels, whatever the size of the cell
        ensemble = "zero-field" if self.composition is None else "canonical"
        chosen = WangLandauSettings(**{**fixed, "ensemble": ensemble, "max_trials": trials, **settings})
        return sample_density(self.oracle, self.composition, chosen, progress=False)

    def rms(self, density: DensityOfStates) -> float:
        """Return the error of ln g, rms over the levels; every level, and nothing else, has to have been visited."""
        return rms_ln_g(density, self.table, self.unlike_bond)

    def rms_of_runs(self, density: DensityOfStates, run_ln_g: np.ndarray | None = None) -> np.ndarray:
        """Return the error of every run (of another ``float64[n_runs, n_bins]`` if given), ``float64[n_runs]``."""
        rows = density.run_ln_g if run_ln_g is None else run_ln_g
        return np.array([self.rms(replace(density, run_ln_g=row[None, :])) for row in rows])

    def relative_errors(self, density: DensityOfStates, run_ln_g: np.ndarray | None = None) -> np.ndarray:
        """Return the mean relative error of ln g of every run with the lowest level as known, ``float64[n_runs]``."""
        exact = binned_ln_g(density.grid, self.table, self.unlike_bond)
        held = np.isfinite(exact)
        rows = density.run_ln_g if run_ln_g is None else run_ln_g
        return np.array([mean_relative_error(row[held], exact[held]) for row in rows])

    def averages(self, density: DensityOfStates, temperature: float) -> Averages:
        """Return u, c and ln Z / N of a density of states in the units of the exact averages."""
        found = thermodynamics(density, np.array([kelvin(temperature)]))
        n_sites = density.n_sites
        energy, free = found.internal_energy[0] / RY_PER_J + self.shift, found.free_energy[0] / RY_PER_J + self.shift
        return Averages(
            float(energy) / n_sites, float(found.heat_capacity[0]) / n_sites, -float(free) / temperature / n_sites
        )

    def maximum(self, density: DensityOfStates, low: float, high: float) -> tuple[float, float]:
        """Return where the heat capacity is highest (J / k_B) and how high (k_B per site)."""
        peak = heat_capacity_peak(density, np.asarray(kelvin(np.linspace(low, high, MAXIMUM_POINTS))))
        assert peak.inside
        return float(peak.temperature / kelvin(1.0)), peak.height / density.n_sites


def ising(length: int) -> Reference:
    """Return the square lattice with all compositions."""
    table = density_of_states(length)
    canonical = Canonical.ferromagnet(table, length**2, 2 * length**2)
    return Reference(ising_oracle(length), None, table, UNLIKE_BOND, canonical)


def alloy(cell: Cell, composition: int | None) -> Reference:
    """Return an ordering alloy at one composition, or at all (None)."""
    joint = joint_table(*cell)
    table = joint.over_compositions() if composition is None else joint.at_composition(composition)
    oracle = alloy_oracle(alloy_lattice(*cell))
    return Reference(oracle, composition, table, ORDERING_BOND, joint.canonical(composition))


def raised(density: DensityOfStates, bins: slice, by: float) -> DensityOfStates:
    """Return a density of states with ln g of some of its visited bins wrong by a constant, in all runs alike."""
    wrong = density.run_ln_g.copy()
    wrong[:, np.flatnonzero(density.visited)[bins]] += by
    return replace(density, run_ln_g=normalised(wrong, density.n_sites, density.composition, density.coverage))


def check_critical(reference: Reference, density: DensityOfStates) -> None:
    """Hold u, ln Z / N and c at Onsager's temperature and the maximum of C against the exact ones."""
    found, exact = (source(CRITICAL) for source in (_averages(reference, density), reference.canonical.averages))
    assert found.energy == pytest.approx(exact.energy, abs=1e-3)
    assert found.ln_z == pytest.approx(exact.ln_z, abs=1e-3)
    assert found.heat_capacity == pytest.approx(exact.heat_capacity, rel=0.01)
    check_maximum(reference, density, 2.1, 2.8)


def check_maximum(reference: Reference, density: DensityOfStates, low: float, high: float) -> None:
    """Hold the maximum of the heat capacity against the exact one: 1 %."""
    assert reference.maximum(density, low, high) == pytest.approx(reference.canonical.maximum(low, high), rel=0.01)


def check_averages(reference: Reference, density: DensityOfStates, temperature: float) -> None:
    """Hold u and c at a temperature (J / k_B) against the exact ones, u to 0.01 J per site and c to 3 %."""
    found, exact = reference.averages(density, temperature), reference.canonical.averages(temperature)
    assert found.energy == pytest.approx(exact.energy, abs=0.01)
    assert found.heat_capacity == pytest.approx(exact.heat_capacity, rel=0.03)


def _averages(reference: Reference, density: DensityOfStates) -> Callable[[float], Averages]:
    return lambda temperature: reference.averages(density, temperature)
