"""Down to which temperature a density of states holds that was cut off at low energies."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from wanglandau.density_of_states import DensityOfStates
from wanglandau.levels import BOLTZMANN, Levels

EDGE_SHARE = 0.01
"""Part of the energy range, at its lower end, that has to hold next to nothing."""
MAX_EDGE_WEIGHT = 1e-3
"""Canonical weight of that part up to which the energies left out below it do not matter."""


def valid_above(density: DensityOfStates, energy_range: tuple[float, float] | None) -> float:
    """Return the temperature above which energies left out below do not matter, K; 0 where none were left out.

    Parameters
    ----------
    density : DensityOfStates
    energy_range : tuple of two float, or None, meV/atom
        As asked for; None: nothing was left out.
    """
    if energy_range is None or not density.visited.any():
        return 0.0
    levels = Levels.binned(density)
    edge = levels.energies <= levels.energies.min() + EDGE_SHARE * np.ptp(levels.energies)
    temperatures = levels.natural_temperature * np.geomspace(0.01, 100.0, 400)
    ln_weights = levels.ln_g - levels.energies / (BOLTZMANN * temperatures[:, None])
    share = logsumexp(ln_weights[:, edge], axis=1) - logsumexp(ln_weights, axis=1)
    fine = share <= np.log(MAX_EDGE_WEIGHT)
    return float(temperatures[fine][0]) if fine.any() else float("inf")


def where_it_holds(lowest: float) -> str:
    """Say where a density of states holds that was cut off, given what :func:`valid_above` returns."""
    return f"it holds above {lowest:.0f} K" if np.isfinite(lowest) else "they matter at every temperature"
