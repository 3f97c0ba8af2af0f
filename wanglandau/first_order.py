"""Signs of a first-order transition in a density of states: two peaks of P(E; T), and the energy cumulant.

At equal height of its two peaks P(E) ~ g(E) exp(-beta E) has a common tangent of slope beta with ln g: the transition
is an edge of the upper hull of ln g, and the depth of ln g below that edge is ln(P_max / P_min), the interface free
energy of the cell in k_B T (Lee and Kosterlitz, Phys. Rev. Lett. 65, 137 (1990)). Equal weight of the two peaks gives
a temperature with smaller size corrections (Borgs and Kotecky, J. Stat. Phys. 61, 79 (1990)); the difference of their
mean energies there is the latent heat.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from wanglandau.coexistence import lower_hull
from wanglandau.errors import InputError
from wanglandau.jackknife import is_exact, levels_without_each_run, standard_error
from wanglandau.levels import BOLTZMANN, Levels, Source, checked_temperatures, levels_of

MIN_DEPTH = 0.5
"""Dips of P(E) shallower than this (ln of maximum over minimum) are not taken for two peaks."""
MIN_BETWEEN = 3
"""Levels that have to lie between two peaks: fewer are a gap between low levels of a small cell, not two phases."""

PEAK_VALUES = (
    "equal_weight_temperature",
    "equal_height_temperature",
    "latent_heat",
    "depth",
    "low_energy",
    "high_energy",
)


@dataclass(frozen=True)
class TwoPeaks:
    """Coexistence of two energies in one cell.

    Attributes
    ----------
    equal_weight_temperature : float, K
        Where both peaks of P(E) hold the same probability.
    equal_height_temperature : float, K
        Where they are equally high.
    latent_heat : float, Ry per cell
        Difference of the mean energies of the two peaks at equal weight.
    depth : float
        ln(P_max / P_min) at equal height.
    low_energy, high_energy : float, Ry per cell
        Positions of the two peaks at equal height.
    standard_error : dict of str to float, optional
        Jackknife errors of all six (``PEAK_VALUES``), 0 for exact levels; None with fewer than two runs.
    """

    equal_weight_temperature: float
    equal_height_temperature: float
    latent_heat: float
    depth: float
    low_energy: float
    high_energy: float
    standard_error: dict[str, float] | None = None


@dataclass(frozen=True)
class CumulantMinimum:
    """The minimum of V = 1 - <E^4> / (3 <E^2>^2) (Challa, Landau, Binder, Phys. Rev. B 34, 1841 (1986)).

    Attributes
    ----------
    temperature, temperature_error : float, K
    value, value_error : float
        2/3 where one phase is all there is; errors are nan with fewer than two runs, 0 for exact levels.
    inside : bool
        False where the minimum lies at an end of the temperatures searched.
    """

    temperature: float
    value: float
    temperature_error: float
    value_error: float
    inside: bool


def two_peaks(source: Source, *, min_depth: float = MIN_DEPTH) -> TwoPeaks | None:
    """Find the temperature at which P(E) has two equal peaks.

    Parameters
    ----------
    source : DensityOfStates or Levels
    min_depth : float
        Least ln(P_max / P_min). Levels of a small cell are not evenly filled, which makes shallow dips of no meaning;
        noise of ln g makes dips of its size.

    Returns
    -------
    TwoPeaks or None
        The deepest dip at a positive temperature; None where P(E) has one peak at all of them.

    Raises
    ------
    InputError
        If ``min_depth`` is not positive.
    """
    if not min_depth > 0:
        raise InputError(f"least depth {min_depth} must be positive; {MIN_DEPTH} is usual")
    levels = _ordered(levels_of(source))
    edge = _deepest_edge(levels, min_depth)
    if edge is None:
        return None
    first, last = edge
    split = float(levels.energies[first + int(np.argmax(_below(levels, first, last)))])
    values = _peaks(levels, split)
    if values[0] <= 0:  # the lower part holds more states than the upper one: no positive temperature balances them
        return None
    result = TwoPeaks(*values)
    if is_exact(source):
        return replace(result, standard_error=dict.fromkeys(PEAK_VALUES, 0.0))
    samples = [_peaks(_ordered(sample[0]), split) for sample in levels_without_each_run([source])]
    if not samples:
        return result
    errors = standard_error(np.array(samples)).tolist()
    return replace(result, standard_error=dict(zip(PEAK_VALUES, errors, strict=True)))


def energy_cumulant(source: Source, temperatures: np.ndarray, *, zero: float = 0.0) -> np.ndarray:
    """Return V = 1 - <E^4> / (3 <E^2>^2) at each temperature, ``float64[n]``.

    Parameters
    ----------
    source : DensityOfStates or Levels
    temperatures : float64[n], K
        Above 0.
    zero : float, Ry per cell
        Energies are measured from here. V depends on it; the usual zero is the mean energy at infinite temperature.

    Raises
    ------
    InputError
        If a temperature is not above 0 K.
    """
    grid = checked_temperatures(temperatures)
    levels = levels_of(source)
    return np.array([_cumulant(levels, float(temperature), zero) for temperature in grid])


def cumulant_minimum(source: Source, temperatures: np.ndarray, *, zero: float = 0.0) -> CumulantMinimum:
    """Find the minimum of V between the lowest and highest of some temperatures.

    Parameters
    ----------
    source, zero
        As in :func:`energy_cumulant`.
    temperatures : float64[n], K
        Ascending, at least three; the minimum is bracketed on these and refined between them.

    Raises
    ------
    InputError
        If there are fewer than three temperatures or one is not above 0 K.
    """
    grid = np.asarray(temperatures, dtype=np.float64)
    if len(grid) < 3:
        raise InputError(f"{len(grid)} temperatures bracket no minimum; give at least 3")
    place, inside = _minimum(levels_of(source), grid, zero)
    if is_exact(source):
        return CumulantMinimum(*place, 0.0, 0.0, inside)
    samples = [_minimum(sample[0], grid, zero)[0] for sample in levels_without_each_run([source])]
    temperature_error, value_error = standard_error(np.array(samples).reshape(-1, 2)).tolist()
    return CumulantMinimum(*place, temperature_error, value_error, inside)


def _ordered(levels: Levels) -> Levels:
    order = np.argsort(levels.energies, kind="stable")
    parts = (levels.ln_g, levels.energies, levels.variances, levels.floors)
    return Levels(levels.n_sites, *(part[order] for part in parts))


def _below(levels: Levels, first: int, last: int) -> np.ndarray:
    """Return how far ln g lies below the straight line between two levels, from the first to the last."""
    energy, ln_g = levels.energies[first : last + 1], levels.ln_g[first : last + 1]
    return np.interp(energy, energy[[0, -1]], ln_g[[0, -1]]) - ln_g


def _deepest_edge(levels: Levels, min_depth: float) -> tuple[int, int] | None:
    """Return the ends of the edge of the upper hull of ln g, rising with energy, below which ln g dips most."""
    hull = lower_hull(levels.energies, -levels.ln_g)
    best, deepest = None, min_depth
    for first, last in pairwise(hull.tolist()):
        depth = float(_below(levels, first, last).max())
        if last - first > MIN_BETWEEN and levels.ln_g[last] > levels.ln_g[first] and depth >= deepest:
            best, deepest = (first, last), depth
    return best


def _peaks(levels: Levels, split: float) -> tuple[float, float, float, float, float, float]:
    """Return ``PEAK_VALUES``; ``split`` parts the peaks."""
    hull = lower_hull(levels.energies, -levels.ln_g)
    place = int(np.clip(np.searchsorted(levels.energies[hull], split), 1, len(hull) - 1))
    first, last = int(hull[place - 1]), int(hull[place])
    low, high = float(levels.energies[first]), float(levels.energies[last])
    height_beta = float(levels.ln_g[last] - levels.ln_g[first]) / (high - low)
    side = np.where(levels.energies == split, 0.5, (levels.energies > split).astype(np.float64))

    def imbalance(beta: float) -> float:
        upper, lower = _side(levels, side, beta)[0], _side(levels, 1 - side, beta)[0]
        return upper - lower

    reach = height_beta
    while imbalance(height_beta - reach) < 0 or imbalance(height_beta + reach) > 0:
        reach *= 2
    beta = float(brentq(imbalance, height_beta - reach, height_beta + reach, rtol=1e-13))
    latent = _side(levels, side, beta)[1] - _side(levels, 1 - side, beta)[1]
    depth = float(_below(levels, first, last).max())
    return 1 / (BOLTZMANN * beta), 1 / (BOLTZMANN * height_beta), latent, depth, low, high


def _side(levels: Levels, part: np.ndarray, beta: float) -> tuple[float, float]:
    """Return ln of the weight and the mean energy of a part (float64[n_levels], 0 to 1) of the levels."""
    ln_weight, mean, _ = _weights(levels, beta)
    top = ln_weight[part > 0].max()
    weight = part * np.exp(np.minimum(ln_weight - top, 0.0))
    return float(top + np.log(weight.sum())), float(weight @ mean / weight.sum())


def _weights(levels: Levels, beta: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ln of the weight, mean energy (absolute) and variance of each bin."""
    ln_weight, mean, variance = levels.expanded(beta)
    return ln_weight, mean + levels.energies.min(), variance


def _cumulant(levels: Levels, temperature: float, zero: float) -> float:
    ln_weight, mean, variance = _weights(levels, 1 / (BOLTZMANN * temperature))
    weight = np.exp(ln_weight - ln_weight.max())
    weight /= weight.sum()
    energy = mean - zero
    second = weight @ (energy**2 + variance)
    fourth = weight @ (energy**4 + 6 * energy**2 * variance + 3 * variance**2)  # of a Gaussian within a bin
    return float(1 - fourth / (3 * second**2))


def _minimum(levels: Levels, grid: np.ndarray, zero: float) -> tuple[tuple[float, float], bool]:
    values = energy_cumulant(levels, grid, zero=zero)
    best = int(np.argmin(values))
    if best in (0, len(grid) - 1):
        return (float(grid[best]), float(values[best])), False
    bounds = (grid[best - 1], grid[best + 1])
    found = minimize_scalar(
        lambda temperature: _cumulant(levels, float(temperature), zero),
        bounds=bounds,
        method="bounded",
        options={"xatol": 1e-7 * grid[best]},
    )
    return (float(found.x), float(found.fun)), True
