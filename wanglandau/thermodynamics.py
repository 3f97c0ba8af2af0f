"""Everything thermodynamic that follows from a density of states.

With Z = sum over bins of g exp(-E / kT) come U = -d ln Z / d beta, C = k beta^2 d^2 ln Z / d beta^2, F = -kT ln Z and
S = (U - F) / T; g is absolute, hence F and S are. All sums are taken as log-sum-exp.

A bin is not one energy. Its weight is expanded to second order in beta about its mean energy E and variance v,
ln w = ln g - beta E + beta^2 v / 2, and U and C are the exact derivatives of that. The mean energy of the bin then
falls as E - beta v; where it would leave the bin (kT below about a sixth of the bin width) it stays at the lower edge.

Errors are jackknife standard errors over the independent runs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from ase import units
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, softmax

from wanglandau.density_of_states import DensityOfStates
from wanglandau.errors import InputError

BOLTZMANN = units.kB / units.Ry
"""Boltzmann constant, Ry/K."""
MEV_PER_RY = 1e3 * units.Ry
MAX_TEMPERATURES = 100_000
_CHUNK = 2_000_000


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
            raise InputError("all configurations have the same energy: there is no thermodynamics to do")
        return float(spread / np.sqrt(2 * number) / BOLTZMANN)


Source = DensityOfStates | Levels


@dataclass(frozen=True, eq=False)
class Thermodynamics:
    """Canonical averages against temperature, or their standard errors.

    Attributes
    ----------
    n_sites : int
    temperatures : float64[n], K
    internal_energy : float64[n], Ry per cell
        Mixing energy.
    heat_capacity : float64[n], k_B per cell
    free_energy : float64[n], Ry per cell
    entropy : float64[n], k_B per cell
        Absolute: ln of the number of configurations at infinite temperature.
    standard_error : Thermodynamics or None
        Jackknife errors of all four; None where there are fewer than two runs.
    """

    n_sites: int
    temperatures: np.ndarray
    internal_energy: np.ndarray
    heat_capacity: np.ndarray
    free_energy: np.ndarray
    entropy: np.ndarray
    standard_error: Thermodynamics | None = None

    def per_atom(self) -> dict[str, np.ndarray]:
        """Return the four curves in the units people read: meV/atom and k_B/atom, in the order U, C, F, S."""
        energy = MEV_PER_RY / self.n_sites
        return {
            "internal_energy_mev_per_atom": self.internal_energy * energy,
            "heat_capacity_kb_per_atom": self.heat_capacity / self.n_sites,
            "free_energy_mev_per_atom": self.free_energy * energy,
            "entropy_kb_per_atom": self.entropy / self.n_sites,
        }


@dataclass(frozen=True)
class Peak:
    """The maximum of the heat capacity.

    Attributes
    ----------
    temperature : float, K
    height : float, k_B per cell
    temperature_error, height_error : float
        Jackknife standard errors; nan with fewer than two runs, 0 for exact levels.
    inside : bool
        False where the maximum lies at an end of the temperatures searched, and so is no peak.
    """

    temperature: float
    height: float
    temperature_error: float
    height_error: float
    inside: bool


def thermodynamics(source: Source, temperatures: np.ndarray) -> Thermodynamics:
    """Compute U, C, F and S.

    Parameters
    ----------
    source : DensityOfStates or Levels
    temperatures : float64[n], K
        Above 0.

    Raises
    ------
    InputError
        If a temperature is not above 0 K.
    """
    checked = _checked(temperatures)
    levels, samples = _with_samples(source)
    values = _curves(levels, checked)
    if isinstance(source, Levels) or source.exact:
        error: np.ndarray | None = np.zeros_like(values)
    else:
        error = _jackknife_error([_curves(sample, checked) for sample in samples])
    result = Thermodynamics(levels.n_sites, checked, *values)
    return result if error is None else replace(result, standard_error=Thermodynamics(levels.n_sites, checked, *error))


def heat_capacity_peak(source: Source, temperatures: np.ndarray) -> Peak:
    """Find the highest maximum of the heat capacity between the lowest and highest of some temperatures.

    Parameters
    ----------
    source : DensityOfStates or Levels
    temperatures : float64[n], K
        Ascending, at least three; the maximum is bracketed on these and refined between them.

    Raises
    ------
    InputError
        If there are fewer than three temperatures or one is not above 0 K.
    """
    checked = _checked(temperatures)
    if len(checked) < 3:
        raise InputError(f"{len(checked)} temperatures bracket no peak; give at least 3")
    levels, samples = _with_samples(source)
    values, inside = _maximum(levels, checked)
    if isinstance(source, Levels) or source.exact:
        return Peak(*values, 0.0, 0.0, inside)
    error = _jackknife_error([_maximum(sample, checked)[0] for sample in samples])
    temperature_error, height_error = (np.nan, np.nan) if error is None else error
    return Peak(*values, float(temperature_error), float(height_error), inside)


def microcanonical_temperature(density: DensityOfStates, n_fit: int = 5) -> np.ndarray:
    """Return 1 / (k d ln g / dE) by straight lines through neighbouring visited bins.

    Parameters
    ----------
    density : DensityOfStates
    n_fit : int
        Bins on each line; at the ends of the range the outermost ones.

    Returns
    -------
    float64[n_bins], K
        Negative where ln g falls; nan in bins not visited and where fewer than ``n_fit`` are.
    """
    result = np.full(density.grid.n_bins, np.nan)
    bins = np.flatnonzero(density.visited)
    if len(bins) < n_fit:
        return result
    first = np.clip(np.arange(len(bins)) - n_fit // 2, 0, len(bins) - n_fit)
    lines = bins[first[:, None] + np.arange(n_fit)]
    energy = density.mean_energy[lines]
    energy -= energy.mean(axis=1, keepdims=True)
    slope = (energy * density.ln_g[lines]).sum(axis=1) / (energy**2).sum(axis=1)
    with np.errstate(divide="ignore"):
        result[bins] = 1 / (BOLTZMANN * slope)
    return result


def parse_temperatures(text: str) -> np.ndarray:
    """Read ``LO:HI:STEP`` (K), both ends included, for example ``50:1000:5``.

    >>> parse_temperatures("100:110:5")
    array([100., 105., 110.])

    Raises
    ------
    InputError
        If it is something else, goes to 0 K or is empty.
    """
    try:
        low, high, step = (float(part) for part in text.split(":"))
    except ValueError:
        raise InputError(f"temperatures {text!r} are not LO:HI:STEP in kelvin; write for example 50:1000:5") from None
    if not (0 < low <= high < np.inf and 0 < step < np.inf):
        raise InputError(f"temperatures {text!r} need 0 < LO <= HI and STEP > 0 (kelvin); write for example 50:1000:5")
    count = np.floor((high - low) / step + 1e-9) + 1
    if count > MAX_TEMPERATURES:
        raise InputError(f"temperatures {text!r} are {count:.0f}; the limit is {MAX_TEMPERATURES}: take a wider STEP")
    return low + step * np.arange(int(count))


def default_temperatures(source: Source) -> np.ndarray:
    """Choose some 250 round temperatures (K) from a fifth of where the heat capacity is highest to three times that.

    Raises
    ------
    InputError
        If all configurations have the same energy.
    """
    levels = Levels.binned(source) if isinstance(source, DensityOfStates) else source
    scan = levels.natural_temperature * np.geomspace(0.05, 20, 150)
    middle = float(scan[np.argmax(_curves(levels, scan)[1])])
    rough = 2.8 * middle / 250
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * min((1, 2, 5, 10), key=lambda factor: abs(np.log(factor * power / rough)))
    return step * np.arange(max(1, round(0.2 * middle / step)), round(3 * middle / step) + 1)


def _checked(temperatures: np.ndarray) -> np.ndarray:
    values = np.atleast_1d(np.asarray(temperatures, dtype=np.float64))
    if not len(values) or not np.isfinite(values).all() or values.min() <= 0:
        raise InputError(f"temperatures must be above 0 K, but the lowest is {values.min(initial=np.inf):g}")
    return values


def _with_samples(source: Source) -> tuple[Levels, list[Levels]]:
    """Return the levels of all runs together and, where there are several runs, those with each run left out."""
    if isinstance(source, Levels):
        return source, []
    every = Levels.binned(source)
    if source.n_runs < 2:
        return every, []
    left = [replace(source, run_ln_g=np.delete(source.run_ln_g, run, axis=0)) for run in range(source.n_runs)]
    return every, [Levels.binned(density) for density in left]


def _jackknife_error(samples: list) -> np.ndarray | None:
    """Standard error from results that each left one run out; None without any."""
    if not samples:
        return None
    values = np.array(samples)
    return np.sqrt((len(values) - 1) * np.mean((values - values.mean(axis=0)) ** 2, axis=0))


def _curves(levels: Levels, temperatures: np.ndarray) -> np.ndarray:
    """Return U, C, F and S as rows, ``float64[4, n]``."""
    n_chunks = max(1, len(temperatures) * len(levels.energies) // _CHUNK)
    parts = [_curves_at(levels, chunk) for chunk in np.array_split(temperatures, n_chunks)]
    return np.concatenate(parts, axis=1)


def _curves_at(levels: Levels, temperatures: np.ndarray) -> np.ndarray:
    beta = 1 / (BOLTZMANN * temperatures[:, None])
    ground = levels.energies.min()
    energy, variance = levels.energies - ground, levels.variances
    with np.errstate(divide="ignore", invalid="ignore"):
        limit = np.where(variance > 0, (levels.energies - levels.floors) / variance, np.inf)
    used = np.minimum(beta, limit)  # of beta, in the second-order term
    ln_weight = levels.ln_g - beta * energy + variance * used * (beta - used / 2)
    ln_z = logsumexp(ln_weight, axis=1)
    weight = np.exp(ln_weight - ln_z[:, None])
    mean = energy - used * variance
    internal = (weight * mean).sum(axis=1)
    spread = (weight * ((mean - internal[:, None]) ** 2 + np.where(beta < limit, variance, 0.0))).sum(axis=1)
    free = -ln_z / beta[:, 0]
    entropy = beta[:, 0] * internal + ln_z
    return np.array([internal + ground, beta[:, 0] ** 2 * spread, free + ground, entropy])


def _maximum(levels: Levels, temperatures: np.ndarray) -> tuple[tuple[float, float], bool]:
    """Return temperature and height of the highest heat capacity, and whether it is inside the range."""
    grid = _curves(levels, temperatures)[1]
    best = int(np.argmax(grid))
    if best in (0, len(grid) - 1):
        return (float(temperatures[best]), float(grid[best])), False

    def negative(temperature: float) -> float:
        return -float(_curves_at(levels, np.array([temperature]))[1, 0])

    bounds = (temperatures[best - 1], temperatures[best + 1])
    found = minimize_scalar(negative, bounds=bounds, method="bounded", options={"xatol": 1e-7 * temperatures[best]})
    return (float(found.x), -float(found.fun)), True
