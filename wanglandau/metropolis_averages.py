"""Averages of Metropolis sampling with error bars that know of autocorrelation.

Means carry the error of :func:`wanglandau.time_series.mean_with_error`, fluctuations a jackknife error over blocks of
several autocorrelation times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from wanglandau.errors import InputError
from wanglandau.levels import BOLTZMANN
from wanglandau.thermal_series import ThermalSeries
from wanglandau.time_series import MIN_LENGTH, JackknifeEstimate, jackknife, mean_with_error, r_hat

ENERGY = "energy"
HEAT_CAPACITY = "heat_capacity"
COMPOSITION = "composition"
COMPOSITION_VARIANCE = "composition_variance"


@dataclass(frozen=True, eq=False)
class ThermalAverage:
    """One quantity against temperature; all arrays are ``[n_temperatures]``.

    Attributes
    ----------
    values, errors : float64
        Mean and standard error; an error is infinite where there were too few records for one.
    taus : float64
        Integrated autocorrelation time, sweeps; for a fluctuation that of the quantity that fluctuates.
    effective_samples : float64
        Independent records, all chains together.
    r_hats : float64
        Agreement of the chains, see :func:`wanglandau.time_series.r_hat`.
    reliable : bool
        Whether every chain is at least 50 tau long; for a fluctuation whether there are 20 blocks of 5 tau.
    """

    values: np.ndarray
    errors: np.ndarray
    taus: np.ndarray
    effective_samples: np.ndarray
    r_hats: np.ndarray
    reliable: np.ndarray


Averages = Mapping[str, ThermalAverage]
"""By name of the quantity: energy (Ry per cell), heat_capacity (k_B per cell), composition (second-species atoms),
composition_variance, then the observables."""


class _Row(NamedTuple):
    value: float
    error: float
    tau: float
    effective_samples: float
    r_hat: float
    reliable: bool


def average_all(series: ThermalSeries) -> dict[str, ThermalAverage]:
    """Average everything that was recorded.

    The heat capacity is that at constant composition or, where the composition is free, at constant difference of
    chemical potentials: the variance of E - delta_mu N_B over k_B T^2 (in k_B). The composition variance over k_B T is
    the susceptibility d<N_B> / d(delta_mu).

    Parameters
    ----------
    series : ThermalSeries
        Without its equilibration.
    """
    enthalpies = series.energies - series.delta_mu * series.compositions
    thermal = BOLTZMANN * series.temperatures
    found = {
        ENERGY: _collect(_mean(chains, series.interval) for chains in series.energies),
        HEAT_CAPACITY: _collect(
            _variance(chains, 1 / scale**2, series.interval) for chains, scale in zip(enthalpies, thermal, strict=True)
        ),
    }
    counts = series.compositions
    if series.composition is None:
        found[COMPOSITION] = _collect(_mean(chains, series.interval) for chains in counts)
        found[COMPOSITION_VARIANCE] = _collect(_variance(chains, 1.0, series.interval) for chains in counts)
    sparse = series.interval * series.measured_every
    for column, name in enumerate(series.names):
        found[name] = _collect(_mean(chains[..., column], sparse) for chains in series.observables)
    return found


def susceptibility(averages: Averages, temperatures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return d<N_B> / d(delta_mu) and its standard error by temperature, ``float64[n_temperatures]`` each, 1/Ry."""
    variance = averages[COMPOSITION_VARIANCE]
    return variance.values / (BOLTZMANN * temperatures), variance.errors / (BOLTZMANN * temperatures)


def _mean(chains: np.ndarray, interval: int) -> _Row:
    if chains.shape[1] < MIN_LENGTH:
        mean = float(chains.mean()) if chains.size else 0.0
        return _Row(mean, np.inf, np.inf, 0.0, np.inf, False)
    estimate = mean_with_error(chains)
    tau = estimate.tau * interval
    return _Row(estimate.mean, estimate.error, tau, estimate.effective_samples, r_hat(chains), estimate.reliable)


def _variance(chains: np.ndarray, scale: float, interval: int) -> _Row:
    mean = _mean(chains, interval)
    above = chains - mean.value  # else the difference of two large squares
    try:
        estimate = jackknife(lambda means: scale * (means[1] - means[0] ** 2), [above, above**2])
    except InputError:  # too few records for two blocks
        estimate = JackknifeEstimate(scale * float(chains.var()), np.inf, 0.0, 0, 0, False)
    return mean._replace(value=estimate.value, error=estimate.error, reliable=estimate.reliable)


def _collect(rows: Iterable[_Row]) -> ThermalAverage:
    every = list(rows)
    values, errors, taus, effective, r_hats = np.array([row[:5] for row in every], dtype=np.float64).T
    return ThermalAverage(values, errors, taus, effective, r_hats, np.array([row.reliable for row in every]))
