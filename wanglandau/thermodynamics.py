"""Everything thermodynamic that follows from a density of states.

With Z = sum over bins of g exp(-E / kT) come U = -d ln Z / d beta, C = k beta^2 d^2 ln Z / d beta^2, F = -kT ln Z and
S = (U - F) / T; g is absolute, hence F and S are. All sums are taken as log-sum-exp.

A bin is not one energy; how its weight is expanded is said in :mod:`wanglandau.levels`. U and C are the exact
derivatives of that.

Errors are jackknife standard errors over the independent runs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from wanglandau.density_of_states import DensityOfStates
from wanglandau.errors import InputError
from wanglandau.jackknife import is_exact, levels_without_each_run, standard_error
from wanglandau.levels import BOLTZMANN, MEV_PER_RY, Levels, Source, checked_temperatures, levels_of

MAX_TEMPERATURES = 100_000
_CHUNK = 2_000_000


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
    checked = checked_temperatures(temperatures)
    levels = levels_of(source)
    values = _curves(levels, checked)
    result = Thermodynamics(levels.n_sites, checked, *values)
    if is_exact(source):
        return replace(result, standard_error=Thermodynamics(levels.n_sites, checked, *np.zeros_like(values)))
    samples = [_curves(one, checked) for (one,) in levels_without_each_run([source])]
    if not samples:
        return result
    return replace(result, standard_error=Thermodynamics(levels.n_sites, checked, *standard_error(np.array(samples))))


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
    checked = checked_temperatures(temperatures)
    if len(checked) < 3:
        raise InputError(f"{len(checked)} temperatures bracket no peak; give at least 3")
    values, inside = _maximum(levels_of(source), checked)
    if is_exact(source):
        return Peak(*values, 0.0, 0.0, inside)
    samples = [_maximum(one, checked)[0] for (one,) in levels_without_each_run([source])]
    temperature_error, height_error = standard_error(np.array(samples).reshape(-1, 2))
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
    levels = levels_of(source)
    scan = levels.natural_temperature * np.geomspace(0.05, 20, 150)
    middle = float(scan[np.argmax(_curves(levels, scan)[1])])
    rough = 2.8 * middle / 250
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * min((1, 2, 5, 10), key=lambda factor: abs(np.log(factor * power / rough)))
    return step * np.arange(max(1, round(0.2 * middle / step)), round(3 * middle / step) + 1)


def _curves(levels: Levels, temperatures: np.ndarray) -> np.ndarray:
    """Return U, C, F and S as rows, ``float64[4, n]``."""
    n_chunks = max(1, len(temperatures) * len(levels.energies) // _CHUNK)
    parts = [_curves_at(levels, chunk) for chunk in np.array_split(temperatures, n_chunks)]
    return np.concatenate(parts, axis=1)


def _curves_at(levels: Levels, temperatures: np.ndarray) -> np.ndarray:
    beta = 1 / (BOLTZMANN * temperatures[:, None])
    ground = levels.energies.min()
    ln_weight, mean, variance = levels.expanded(beta)
    ln_z = logsumexp(ln_weight, axis=1)
    weight = np.exp(ln_weight - ln_z[:, None])
    internal = (weight * mean).sum(axis=1)
    spread = (weight * ((mean - internal[:, None]) ** 2 + variance)).sum(axis=1)
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
