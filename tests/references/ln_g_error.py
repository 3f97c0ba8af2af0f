"""How far a sampled ln g lies from an exact table, in the measures of the literature.

Absolute: root mean square of the difference of ln g, both normalised to the number of configurations. Relative: the
mean of |ln g - exact| / exact of F. Wang and D. P. Landau, Phys. Rev. Lett. 86, 2050 (2001), which depends on how ln g
is normalised and is ruled by levels whose ln g is small.
"""

from __future__ import annotations

from math import log
from typing import Literal

import numpy as np
from scipy.special import logsumexp

from references.scale import mixing_energies
from wanglandau.density_of_states import DensityOfStates
from wanglandau.energy_grid import EnergyGrid


def exact_ln_g(table: dict[int, int], energies: np.ndarray, unlike_bond: float) -> np.ndarray:
    """Look up ln g of levels by their energies.

    Parameters
    ----------
    table : dict of int to int
        Number of configurations by number of unlike bonds.
    energies : float64[n], Ry per cell
        Mixing energies, to 1e-6 of a bond.
    unlike_bond : float, Ry

    Returns
    -------
    float64[n]
        -inf where there is no level.
    """
    unlike = np.asarray(energies, dtype=np.float64) / unlike_bond
    assert np.abs(unlike - np.rint(unlike)).max(initial=0.0) < 1e-6, "energies between whole numbers of unlike bonds"
    return np.array([log(table[u]) if u in table else -np.inf for u in np.rint(unlike).astype(int).tolist()])


def binned_ln_g(grid: EnergyGrid, table: dict[int, int], unlike_bond: float) -> np.ndarray:
    """Put a table (see :func:`exact_ln_g`) on a grid: ln of the configurations in each bin, ``float64[n_bins]``.

    Levels outside the grid are left out; -inf in bins without a level.
    """
    ln_g = np.full(grid.n_bins, -np.inf)
    bins = grid.index(mixing_energies(table, unlike_bond))
    inside = (bins >= 0) & (bins < grid.n_bins)
    np.logaddexp.at(ln_g, bins[inside], np.array([log(count) for count in table.values()])[inside])
    return ln_g


def missing_levels(density: DensityOfStates, table: dict[int, int], unlike_bond: float) -> list[int]:
    """Return the levels (their unlike bonds) that lie outside the grid or in bins that no run visited."""
    bins = density.grid.index(mixing_energies(table, unlike_bond))
    inside = (bins >= 0) & (bins < density.grid.n_bins)
    seen = inside & density.visited[np.where(inside, bins, 0)]
    return [unlike for unlike, found in zip(table, seen.tolist(), strict=True) if not found]


def rms_ln_g(
    density: DensityOfStates,
    table: dict[int, int],
    unlike_bond: float,
    normalisation: Literal["total", "mean"] = "total",
) -> float:
    """Return the root mean square error of ln g over the bins of the grid that hold levels.

    Parameters
    ----------
    density : DensityOfStates
    table : dict of int to int
        Exact levels of the same cell and composition, see :func:`exact_ln_g`.
    unlike_bond : float, Ry
    normalisation : {"total", "mean"}
        "total" takes both as they are, normalised to all configurations. "mean" takes out the mean difference, for
        energy windows, whose absolute normalisation has an error of its own.

    Raises
    ------
    AssertionError
        If a bin with levels was not visited, or one without levels was.
    """
    exact = binned_ln_g(density.grid, table, unlike_bond)
    held = np.isfinite(exact)
    assert (density.visited == held).all(), f"bins that differ: {np.flatnonzero(density.visited != held).tolist()}"
    difference = density.ln_g[held] - exact[held]
    if normalisation == "mean":
        difference -= difference.mean()
    return float(np.sqrt(np.mean(difference**2)))


def mean_relative_error(
    ln_g: np.ndarray, exact: np.ndarray, normalisation: Literal["ground", "total"] = "ground"
) -> float:
    """Return the mean of |ln g - exact| / exact.

    Parameters
    ----------
    ln_g, exact : float64[n_levels]
        Of the same levels, energies ascending, without empty bins. Every exact value is above 0 (two configurations).
    normalisation : {"ground", "total"}
        Shift ln g to agree in its first level, g(E0) = 2 in the Ising model, as Wang and Landau do; or in the sum of g.
    """
    assert ln_g.shape == exact.shape and np.isfinite(ln_g).all() and (exact > 0).all()
    shift = exact[0] - ln_g[0] if normalisation == "ground" else logsumexp(exact) - logsumexp(ln_g)
    return float(np.mean(np.abs(ln_g + shift - exact) / exact))
