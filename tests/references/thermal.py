"""Exact canonical averages from integer tables: u, c and ln Z / N per site, and where c is highest.

Energies in J, temperatures in J / k_B. Weights are exp(ln g - E / T) with their maximum taken out, so that tables of
any size (integers beyond float64) do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import log
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq


class Averages(NamedTuple):
    """Canonical averages at one temperature.

    Attributes
    ----------
    energy : float, J per site
    heat_capacity : float, k_B per site
    ln_z : float, per site
    """

    energy: float
    heat_capacity: float
    ln_z: float


@dataclass(frozen=True, eq=False)
class Canonical:
    """Levels of one cell with their exact degeneracies.

    Attributes
    ----------
    n_sites : int
    energies : float64[n_levels], J per cell
    ln_g : float64[n_levels]
    """

    n_sites: int
    energies: np.ndarray
    ln_g: np.ndarray

    @classmethod
    def of(cls, n_sites: int, energies: Iterable[float], degeneracies: Iterable[int]) -> Canonical:
        """Take energies (J per cell) and Python integers."""
        return cls(n_sites, np.array(list(energies), dtype=np.float64), np.array([log(g) for g in degeneracies]))

    @classmethod
    def ferromagnet(cls, table: dict[int, int], n_sites: int, n_bonds: int) -> Canonical:
        """Take a table of unlike bonds with E = -J sum s s = J (2 u - number of bonds)."""
        return cls.of(n_sites, (2 * unlike - n_bonds for unlike in table), table.values())

    @classmethod
    def ordering(cls, table: dict[int, int], n_sites: int, n_bonds: int) -> Canonical:
        """Take a table of unlike bonds with E = +J sum s s = J (number of bonds - 2 u)."""
        return cls.of(n_sites, (n_bonds - 2 * unlike for unlike in table), table.values())

    def probabilities(self, temperature: float) -> np.ndarray:
        """Return the probability of each level at a temperature (J / k_B), ``float64[n_levels]``."""
        exponent = self.ln_g - self.energies / temperature
        weights = np.exp(exponent - exponent.max())
        return weights / weights.sum()

    def averages(self, temperature: float) -> Averages:
        """Return u, c and ln Z / N at a temperature (J / k_B)."""
        exponent = self.ln_g - self.energies / temperature
        ln_z = exponent.max() + log(np.exp(exponent - exponent.max()).sum())
        mean, variance, _ = self._cumulants(temperature)
        return Averages(mean / self.n_sites, variance / temperature**2 / self.n_sites, float(ln_z) / self.n_sites)

    def maximum(self, low: float, high: float) -> tuple[float, float]:
        """Find the highest heat capacity between two temperatures (J / k_B).

        The derivative of C is a combination of cumulants of the energy, dC/dT = (third / T - 2 variance) / T**3, whose
        zero is known to all digits; that of a flat maximum would not be.

        Returns
        -------
        temperature : float, J / k_B
        heat_capacity : float, k_B per site
        """
        grid = np.linspace(low, high, 201)
        highest = int(np.argmax([self.averages(temperature).heat_capacity for temperature in grid]))
        assert 0 < highest < 200, f"no maximum of the heat capacity between {low} and {high}"

        def slope(temperature: float) -> float:
            _, variance, third = self._cumulants(temperature)
            return third / temperature - 2 * variance

        found = float(brentq(slope, grid[highest - 1], grid[highest + 1], xtol=1e-12, rtol=1e-14))
        return found, self.averages(found).heat_capacity

    def _cumulants(self, temperature: float) -> tuple[float, float, float]:
        """Return mean, variance and third central moment of the energy."""
        probabilities = self.probabilities(temperature)
        mean = float(probabilities @ self.energies)
        off = self.energies - mean
        return mean, float(probabilities @ off**2), float(probabilities @ off**3)
