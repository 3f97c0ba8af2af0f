"""Energies with their numbers of states: all that thermodynamics needs of a density of states.

A bin is not one energy. Its weight is expanded to second order in beta about its mean energy E and variance v,
ln w = ln g - beta E + beta^2 v / 2. The mean energy of the bin then falls as E - beta v; where it would leave the bin
(kT below about a sixth of the bin width) it stays at the lower edge, and the second-order term goes on linear in beta.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from ase import units
from scipy.special import logsumexp, softmax

from wanglandau.density_of_states import DensityOfStates
from wanglandau.errors import InputError

BOLTZMANN = units.kB / units.Ry
"""Boltzmann constant, Ry/K."""
MEV_PER_RY = 1e3 * units.Ry


class Expansion(NamedTuple):
    """Canonical weight of every level at some beta, and what the energy inside it is then.

    Attributes
    ----------
    ln_weight : float64[..., n_levels]
        Not normalised.
    mean : float64[..., n_levels], Ry per cell
        From the lowest of the energies.
    variance : float64[..., n_levels], Ry^2
    """

    ln_weight: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


@dataclass(frozen=True, eq=False)
class Levels:
    """Energies and their numbers of states: all that thermodynamics needs.

    Attributes
    ----------
    n_sites : int
    ln_g : float64[n_levels]
        Absolute; finite.
    energies : float64[n_levels], Ry per cell
        Mean energy of each bin, or the energy of each exact level.
    variances : float64[n_levels], Ry^2
        Of the energy inside a bin; 0 for exact levels.
    floors : float64[n_levels], Ry per cell
        Lower edge of each bin.
    """

    n_sites: int
    ln_g: np.ndarray
    energies: np.ndarray
    variances: np.ndarray
    floors: np.ndarray

    @classmethod
    def exact(cls, n_sites: int, energies: np.ndarray, degeneracies: np.ndarray) -> Levels:
        """Take exactly known levels: ``float64[n_levels]`` (Ry per cell) and ``uint64[n_levels]``."""
        return cls(n_sites, np.log(degeneracies.astype(np.float64)), energies, np.zeros(len(energies)), energies)

    @classmethod
    def binned(cls, density: DensityOfStates) -> Levels:
        """Take the visited bins of a density of states."""
        seen = density.visited
        floors = np.minimum(density.grid.edges[:-1], density.mean_energy)
        parts = (density.ln_g, density.mean_energy, density.energy_variance, floors)
        return cls(density.n_sites, *(part[seen] for part in parts))

    @cached_property
    def natural_temperature(self) -> float:
        """Temperature near which ordering is to be expected, K.

        Where a Gaussian density of states of the same width and number of states runs out of states (the freezing
        temperature of the random-energy model, Derrida 1981): kT = sigma / sqrt(2 ln Omega).

        Raises
        ------
        InputError
            If all configurations have the same energy.
        """
        weights = softmax(self.ln_g)
        mean = np.dot(weights, self.energies)
        spread = np.sqrt(np.dot(weights, (self.energies - mean) ** 2 + self.variances))
        number = logsumexp(self.ln_g)
        if not (spread > 0 and number > 0):
            raise InputError(
                "all configurations have the same energy: there is no thermodynamics to do; choose another composition"
            )
        return float(spread / np.sqrt(2 * number) / BOLTZMANN)

    def expanded(self, beta: np.ndarray | float) -> Expansion:
        """Expand every level to second order.

        Parameters
        ----------
        beta : float64[n, 1] or float, 1/Ry
        """
        energy, variance = self.energies - self.energies.min(), self.variances
        with np.errstate(divide="ignore", invalid="ignore"):
            limit = np.where(variance > 0, (self.energies - self.floors) / variance, np.inf)
        used = np.minimum(beta, limit)  # of beta, in the second-order term
        ln_weight = self.ln_g - beta * energy + variance * used * (beta - used / 2)
        return Expansion(ln_weight, energy - used * variance, np.where(beta < limit, variance, 0.0))


Source = DensityOfStates | Levels


def levels_of(source: Source) -> Levels:
    """Return the levels of all runs together."""
    return Levels.binned(source) if isinstance(source, DensityOfStates) else source


def checked_temperatures(temperatures: np.ndarray) -> np.ndarray:
    """Return ``float64[n]``; raise InputError unless there are some and all are above 0 K."""
    values = np.atleast_1d(np.asarray(temperatures, dtype=np.float64))
    if not len(values) or not np.isfinite(values).all() or values.min() <= 0:
        raise InputError(f"temperatures must be above 0 K, but the lowest is {values.min(initial=np.inf):g}")
    return values
