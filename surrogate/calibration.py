"""Whether the spread of an ensemble is as large as its error."""

from __future__ import annotations

from typing import Any

import numpy as np

ENERGY_BINS = 5


def spread_scale(error: np.ndarray, spread: np.ndarray, n_members: int) -> float:
    """Find the factor by which the spread of members has to grow to explain errors of their mean.

    If truth and members scatter about a common mean, the truth with ``scale`` times the standard deviation of the
    members, the mean squared error of the mean of m members is (scale^2 + 1 / m) times their variance. Ratios are taken
    of sums over configurations, not configuration by configuration as Imbalzano et al. (J. Chem. Phys. 154, 074102,
    2021) do, because two or three members give no usable spread at a single one.

    Parameters
    ----------
    error : float64[n]
        Of the mean of members that have not seen the configuration.
    spread : float64[n]
        Standard deviation of those members, with one degree of freedom lost.
    n_members : int
        How many there were at each configuration.

    Returns
    -------
    float
        At least 0; 1 where nothing spreads.
    """
    variance = np.mean(spread**2)
    if not variance > 0:
        return 1.0
    return float(np.sqrt(max(np.mean(error**2) / variance - 1 / n_members, 0.0)))


def calibration(error: np.ndarray, spread: np.ndarray, excess: np.ndarray | None = None) -> dict[str, Any]:
    """Compare errors with the spread that was predicted for them.

    Configurations without spread, such as the pure species, whose energy is known, are left out.

    Parameters
    ----------
    error, spread : float64[n], meV/atom
    excess : float64[n], optional
        Energy against the mean of the composition, any unit: the same again for fifths of the configurations from the
        lowest to the highest, as ``by_energy``.

    Returns
    -------
    dict
        ``rms_error_mev_per_atom`` and ``rms_spread_mev_per_atom``; ``z_rms`` and ``z_median``, the root mean square and
        the median size of error over spread (1 and 0.67 for a normal distribution); ``coverage_1`` and ``coverage_2``,
        the share of errors within one and two spreads (0.68 and 0.95).
    """
    some = spread > 0
    if not some.any():
        return {"n": 0}
    error, spread = error[some], spread[some]
    report = _agreement(error, spread)
    if excess is not None and len(error) >= ENERGY_BINS:
        fifths = np.array_split(np.argsort(excess[some], kind="stable"), ENERGY_BINS)
        report["by_energy"] = [_agreement(error[part], spread[part]) for part in fifths]
    return report


def _agreement(error: np.ndarray, spread: np.ndarray) -> dict[str, Any]:
    size = np.abs(error) / spread
    return {
        "n": len(error),
        "rms_error_mev_per_atom": float(np.sqrt(np.mean(error**2))),
        "rms_spread_mev_per_atom": float(np.sqrt(np.mean(spread**2))),
        "z_rms": float(np.sqrt(np.mean(size**2))),
        "z_median": float(np.median(size)),
        "coverage_1": float(np.mean(size <= 1)),
        "coverage_2": float(np.mean(size <= 2)),
    }
