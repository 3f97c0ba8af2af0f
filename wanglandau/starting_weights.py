"""A first estimate of ln g, from the energies met while walkers were annealed.

The search for the ends of the energy range cools many walkers from infinite temperature down to where they freeze, and
heats others through negative temperatures to the highest energies. The energies on the way give ln g by
multiple-histogram reweighting (A. M. Ferrenberg and R. H. Swendsen, Phys. Rev. Lett. 63, 1195 (1989)). Below the
temperature at which walkers freeze it is no more than a guess; as no level has less than one configuration, the guess
is kept from falling below that. A walk that begins with such weights need not dig its way into the lowest energies with
a large ln f, which leaves errors there that it then takes far longer to repair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.integrate import cumulative_trapezoid
from scipy.special import logsumexp

from wanglandau.energy_grid import EnergyGrid

MAX_ITERATIONS = 200
CONVERGED = 1e-3
"""Change of ln Z in an iteration."""


@dataclass(frozen=True, eq=False)
class ThermalSample:
    """Energies of configurations met at several temperatures.

    Attributes
    ----------
    betas : float64[n_temperatures], 1/Ry
        Ascending; 0 and below too.
    energies : list of float64[n], Ry per cell
        By temperature.
    """

    betas: np.ndarray
    energies: list[np.ndarray]

    def expected_weights(self, grid: EnergyGrid, ln_states: float, trials_worth: int) -> ExpectedWeights:
        """Estimate ln g on a grid.

        Parameters
        ----------
        grid : EnergyGrid
        ln_states : float
            ln of the number of all configurations, on and off the grid.

        trials_worth : int
            See :class:`ExpectedWeights`.
        """
        wide = _wide_grid(grid, min(e.min() for e in self.energies), max(e.max() for e in self.energies))
        counts = np.array([np.bincount(wide.index(e), minlength=wide.n_bins) for e in self.energies], dtype=np.float64)
        met = counts.sum(axis=0) > 0
        ln_g = _reweighted(counts[:, met], self.betas, wide.centres[met], self._ln_z())
        ln_g = np.maximum(ln_g - logsumexp(ln_g) + ln_states, 0.0)
        place = np.rint((wide.centres[met] - grid.centres[0]) / grid.width).astype(int)
        everywhere = np.interp(np.arange(grid.n_bins), place, ln_g, left=np.nan, right=np.nan)
        return ExpectedWeights(everywhere, np.isin(np.arange(grid.n_bins), place), trials_worth)

    def _ln_z(self) -> np.ndarray:
        """Return ln Z of every temperature by thermodynamic integration, up to a constant."""
        means = np.array([energies.mean() for energies in self.energies])
        return np.asarray(cumulative_trapezoid(-means, self.betas, initial=0.0))


@dataclass(frozen=True, eq=False)
class ExpectedWeights:
    """ln g of some bins before a walk begins.

    Attributes
    ----------
    ln_g : float64[n_bins]
        At least 0, interpolated between bins in which energies were met, nan beyond the outermost of them.
    met : bool[n_bins]
        Bins in which energies were met: they do hold configurations.
    trials_worth : int
        Of a walk that would have found out as much; 0 where nothing is known at all.
    """

    ln_g: np.ndarray
    met: np.ndarray
    trials_worth: int

    @classmethod
    def none(cls, n_bins: int) -> ExpectedWeights:
        """Know nothing."""
        return cls(np.full(n_bins, np.nan), np.zeros(n_bins, dtype=bool), 0)

    def part(self, first: int, last: int) -> ExpectedWeights:
        """Return the bins of a window, ends included."""
        return ExpectedWeights(self.ln_g[first : last + 1], self.met[first : last + 1], self.trials_worth)


def _wide_grid(grid: EnergyGrid, low: float, high: float) -> EnergyGrid:
    """Return a grid in register with another that holds two energies."""
    first, last = (int(index) for index in grid.index(np.array([low, high])))
    first, last = min(first, 0), max(last, grid.n_bins - 1)
    return EnergyGrid(grid.start + first * grid.width, grid.width, last - first + 1)


def _reweighted(counts: np.ndarray, betas: np.ndarray, centres: np.ndarray, ln_z: np.ndarray) -> np.ndarray:
    """Solve the equations of multiple-histogram reweighting, ``float64[n_bins]``, from a first guess of ln Z."""
    total, exponents = np.log(counts.sum(axis=0)), -betas[:, None] * centres
    weights = np.log(counts.sum(axis=1))[:, None] + exponents
    for _ in range(MAX_ITERATIONS):
        ln_g = total - logsumexp(weights - ln_z[:, None], axis=0)
        renewed = logsumexp(ln_g + exponents, axis=1)
        change = renewed - ln_z
        ln_z = renewed
        if np.ptp(change) < CONVERGED:
            break
    return np.asarray(ln_g)
