"""The density of states: the product of every sampler here, and of exact enumeration.

ln g is kept as it is and never exponentiated; it is normalised absolutely, so that the number of
states it counts is the number of configurations there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import gammaln, logsumexp

from wanglandau.energy_grid import EnergyGrid


def log_total_states(n_sites: int, composition: int | None) -> float:
    """Return ln C(n_sites, composition), or ln 2**n_sites where the composition is free (None)."""
    if composition is None:
        return n_sites * float(np.log(2.0))
    return float(gammaln(n_sites + 1) - gammaln(composition + 1) - gammaln(n_sites - composition + 1))


@dataclass(frozen=True, eq=False)
class DensityOfStates:
    """Number of configurations per energy bin, from several independent runs or from enumeration.

    Attributes
    ----------
    grid : EnergyGrid
    n_sites : int
    composition : int or None
        Number of second-species atoms; None where it is free.
    run_ln_g : float64[n_runs, n_bins]
        ln g of every run, each normalised to ln C(n_sites, composition); -inf in bins the run never visited. One row
        for an exact density of states.
    mean_energy : float64[n_bins], Ry per cell
        Mean energy of the configurations of a bin (all runs together); the bin centre where there are none.
    energy_variance : float64[n_bins], Ry^2
        Variance of the energy inside a bin.
    exact : bool
        Whether it comes from enumeration.
    coverage : float
        Part of all configurations that the grid was allowed to hold; below 1 where an energy window was asked for.
    """

    grid: EnergyGrid
    n_sites: int
    composition: int | None
    run_ln_g: np.ndarray
    mean_energy: np.ndarray
    energy_variance: np.ndarray
    exact: bool = False
    coverage: float = 1.0

    @property
    def n_runs(self) -> int:
        """Number of independent runs."""
        return len(self.run_ln_g)

    @cached_property
    def ln_g(self) -> np.ndarray:
        """Mean over the runs, ``float64[n_bins]``; -inf in bins that no run visited; normalised."""
        visited = np.isfinite(self.run_ln_g)
        total = np.where(visited, self.run_ln_g, 0.0).sum(axis=0)
        seen = visited.sum(axis=0)
        mean = np.where(seen > 0, total / np.maximum(seen, 1), -np.inf)
        return normalised(mean, self.n_sites, self.composition, self.coverage)

    @cached_property
    def standard_error(self) -> np.ndarray:
        """Standard error of the mean over the runs, ``float64[n_bins]``; nan with fewer than two runs."""
        values = np.where(np.isfinite(self.run_ln_g), self.run_ln_g, np.nan)
        seen = np.isfinite(values).sum(axis=0)
        error = np.full(len(seen), np.nan)
        enough = seen > 1
        error[enough] = np.nanstd(values[:, enough], axis=0, ddof=1) / np.sqrt(seen[enough])
        return np.zeros_like(error) if self.exact else error

    @property
    def visited(self) -> np.ndarray:
        """Which bins any run visited, ``bool[n_bins]``."""
        return np.isfinite(self.ln_g)


def normalised(ln_g: np.ndarray, n_sites: int, composition: int | None, coverage: float = 1.0) -> np.ndarray:
    """Shift ln g (last axis: bins) so that it counts every configuration (the part ``coverage`` of them) once."""
    total = logsumexp(ln_g, axis=-1, keepdims=True)
    return ln_g - total + log_total_states(n_sites, composition) + float(np.log(coverage))


def density_from_levels(
    grid: EnergyGrid, n_sites: int, composition: int | None, energies: np.ndarray, degeneracies: np.ndarray
) -> DensityOfStates:
    """Bin exactly known levels.

    Parameters
    ----------
    energies : float64[n_levels], Ry per cell
    degeneracies : uint64[n_levels]

    Raises
    ------
    ValueError
        If a level lies outside the grid.
    """
    bins = grid.index(energies)
    if len(bins) and (bins.min() < 0 or bins.max() >= grid.n_bins):
        raise ValueError("the grid does not cover all levels")
    weights = degeneracies.astype(np.float64)
    count = np.bincount(bins, weights, grid.n_bins)
    inside = np.maximum(count, 1.0)
    mean = np.where(count > 0, np.bincount(bins, weights * energies, grid.n_bins) / inside, grid.centres)
    variance = np.bincount(bins, weights * (energies - mean[bins]) ** 2, grid.n_bins) / inside
    with np.errstate(divide="ignore"):
        ln_g = normalised(np.log(count), n_sites, composition)
    return DensityOfStates(grid, n_sites, composition, ln_g[None, :], mean, variance, exact=True)
