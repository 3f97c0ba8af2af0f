"""Coexistence of compositions at one temperature, from the free energies F(N_B) of a cell.

Two constructions are given. The common tangent is an edge of the lower convex hull of F(N_B): its ends are the
compositions that coexist in a large crystal whose phases have this F. Equal weight works with the semi-grand
distribution P(N_B) ~ exp(-beta (F(N_B) - delta_mu N_B)) and asks at which delta_mu the two peaks hold the same
probability (Borgs and Kotecky, J. Stat. Phys. 61, 79 (1990)); the phases are then the means of the two peaks.

What a small cell adds: between two coexisting phases its F(N_B) holds the free energy of the two interfaces that a
periodic cell must form, so it rises above the common tangent by an amount that grows as the cross section of the cell,
while the tangent itself belongs to the bulk. The height of F above the tangent is therefore a property of the cell,
not of the crystal; where it is below about one k_B T the cell crosses it all the time and the two peaks are one phase
as far as this cell can tell. A cell also knows only its own n_sites + 1 compositions and only the ordered structures
that fit into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import brentq

MIN_HEIGHT = 1e-7
"""Heights above a tangent below this (k_B T) are rounding."""

REGION_VALUES = ("height", "tangent", "delta_mu", "x_low", "x_high")


@dataclass(frozen=True)
class TwoPhaseRegion:
    """Compositions that a large crystal would split into two phases.

    Attributes
    ----------
    low, high : int
        Numbers of second-species atoms at which the common tangent touches F(N_B).
    summit : float
        Composition in between where F is highest above the tangent, by a parabola through the highest three points;
        where several tie, their mean.
    height : float, Ry per cell
        Of F above the tangent at the summit: what the interfaces of this cell cost.
    tangent : float, Ry per exchanged atom
        delta_mu of coexistence from the slope of the common tangent.
    delta_mu : float, Ry per exchanged atom
        The same from equal weights of the two peaks of P(N_B).
    x_low, x_high : float
        Fractions of the second species in the two phases: means of the two peaks at ``delta_mu``.
    standard_error : dict of str to float, optional
        Of ``REGION_VALUES``, by name; nan with fewer than two runs.
    """

    low: int
    high: int
    summit: float
    height: float
    tangent: float
    delta_mu: float
    x_low: float
    x_high: float
    standard_error: dict[str, float] | None = None

    @property
    def values(self) -> tuple[float, ...]:
        """The numbers called ``REGION_VALUES``."""
        return tuple(float(getattr(self, name)) for name in REGION_VALUES)


def lower_hull(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Find the vertices of the lower convex hull of points (Andrew's monotone chain).

    Parameters
    ----------
    x : float64[n], ascending
    y : float64[n]

    Returns
    -------
    int64[n_vertices]
        Indices, ascending; the first and the last point are always among them, points on an edge are not.

    >>> lower_hull([0.0, 1.0, 2.0, 3.0], [0.0, 1.0, -1.0, 0.0])
    array([0, 2, 3])
    """
    hull: list[int] = []
    for point in range(len(x)):
        while len(hull) > 1:
            first, last = hull[-2], hull[-1]
            turn = (x[last] - x[first]) * (y[point] - y[first]) - (y[last] - y[first]) * (x[point] - x[first])
            if turn > 0:
                break
            hull.pop()
        hull.append(point)
    return np.array(hull, dtype=np.int64)


def two_phase_regions(
    n_sites: int, compositions: np.ndarray, free_energy: np.ndarray, thermal_energy: float, min_height: float = 0.0
) -> tuple[TwoPhaseRegion, ...]:
    """Find all two-phase regions at one temperature.

    Parameters
    ----------
    n_sites : int
    compositions : int64[n], ascending
        Numbers of second-species atoms. Where some are missing, the peaks are means over those that are there.
    free_energy : float64[n], Ry per cell
    thermal_energy : float, Ry
        k_B T.
    min_height : float, k_B T
        Regions in which F rises less than this above the tangent are taken for one phase.

    Returns
    -------
    tuple of TwoPhaseRegion
        By ascending composition.
    """
    hull = lower_hull(compositions.astype(np.float64), free_energy)
    above = free_energy - np.interp(compositions, compositions[hull], free_energy[hull])
    edges = [
        (int(first), int(last))
        for first, last in pairwise(hull)
        if above[first : last + 1].max() > thermal_energy * max(min_height, MIN_HEIGHT)
    ]
    summits = np.array([_summit(compositions[a : b + 1], above[a : b + 1], thermal_energy) for a, b in edges])
    return tuple(
        TwoPhaseRegion(
            int(compositions[first]),
            int(compositions[last]),
            float(summits[number]),
            float(above[first : last + 1].max()),
            float((free_energy[last] - free_energy[first]) / (compositions[last] - compositions[first])),
            *equal_weight(n_sites, compositions, free_energy, thermal_energy, summits, number),
        )
        for number, (first, last) in enumerate(edges)
    )


def follow_regions(
    regions: Sequence[TwoPhaseRegion],
    n_sites: int,
    compositions: np.ndarray,
    free_energy: np.ndarray,
    thermal_energy: float,
) -> np.ndarray:
    """Compute the numbers of all regions anew for slightly different free energies, such as those of fewer runs.

    Regions stay what they are, even where one of them would vanish, so that every number changes smoothly.

    Parameters
    ----------
    regions : sequence of TwoPhaseRegion
        All at this temperature.
    n_sites, compositions, free_energy, thermal_energy
        As in :func:`two_phase_regions`.

    Returns
    -------
    float64[n_regions, 5]
        ``REGION_VALUES`` of each.
    """
    hull = lower_hull(compositions.astype(np.float64), free_energy)
    at, energy = compositions[hull], free_energy[hull]
    above = free_energy - np.interp(compositions, at, energy)
    inside = [(compositions >= region.low) & (compositions <= region.high) for region in regions]
    summits = np.array([_summit(compositions[part], above[part], thermal_energy) for part in inside])
    result = np.empty((len(regions), len(REGION_VALUES)))
    for number, (summit, part) in enumerate(zip(summits, inside, strict=True)):
        place = int(np.clip(np.searchsorted(at, summit), 1, len(at) - 1))
        slope = (energy[place] - energy[place - 1]) / (at[place] - at[place - 1])
        balanced = equal_weight(n_sites, compositions, free_energy, thermal_energy, summits, number)
        result[number] = above[part].max(), slope, *balanced
    return result


def equal_weight(
    n_sites: int,
    compositions: np.ndarray,
    free_energy: np.ndarray,
    thermal_energy: float,
    summits: np.ndarray,
    number: int,
) -> tuple[float, float, float]:
    """Find where the peaks on both sides of a summit hold the same probability.

    A phase reaches from one summit to the next. Each composition stands for the unit interval about it, which a
    summit inside it divides; what is found therefore changes smoothly with the place of the summit.

    Parameters
    ----------
    n_sites, compositions, free_energy, thermal_energy
        As in :func:`two_phase_regions`.
    summits : float64[n_regions], ascending
    number : int
        Which summit.

    Returns
    -------
    delta_mu : float, Ry per exchanged atom
    x_low, x_high : float
        Mean fraction of the second species on either side.
    """
    ends = np.concatenate(([-np.inf], summits, [np.inf]))
    sides = [
        _side(compositions, ends[number], ends[number + 1]),
        _side(compositions, ends[number + 1], ends[number + 2]),
    ]
    ln_weight = -(free_energy - free_energy.min()) / thermal_energy

    def peak(side: np.ndarray, field: float) -> tuple[float, float]:
        """Return ln of the weight of one side and its mean composition; ``field`` is beta delta_mu."""
        exponent = ln_weight + field * compositions
        top = exponent[side > 0].max()
        weights = side * np.exp(np.minimum(exponent - top, 0.0))
        return top + np.log(weights.sum()), float(weights @ compositions / weights.sum())

    def imbalance(field: float) -> float:
        return peak(sides[1], field)[0] - peak(sides[0], field)[0]

    reach = 1.0
    while imbalance(-reach) > 0 or imbalance(reach) < 0:
        reach *= 2
    field = float(brentq(imbalance, -reach, reach, xtol=1e-13, rtol=1e-14))
    return field * thermal_energy, peak(sides[0], field)[1] / n_sites, peak(sides[1], field)[1] / n_sites


def _side(compositions: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return the part of each composition that belongs to the phase between two summits, ``float64[n]``."""
    return np.clip(np.minimum(compositions - low, high - compositions) + 0.5, 0.0, 1.0)


def _summit(compositions: np.ndarray, above: np.ndarray, thermal_energy: float) -> float:
    """Find where a free energy is highest above its tangent, strictly between two ends."""
    inner = above[1:-1]
    tied = 1 + np.flatnonzero(inner >= inner.max() - MIN_HEIGHT * thermal_energy)
    if len(tied) > 1:
        return float(compositions[tied].mean())
    around = slice(int(tied[0]) - 1, int(tied[0]) + 2)
    x = compositions[around].astype(np.float64)
    left, right = np.diff(above[around]) / np.diff(x)
    if left <= 0 or right >= 0:  # next to an end that itself lies higher, as happens where a run is left out
        return float(x[1])
    middles = (x[:-1] + x[1:]) / 2
    return float(middles[0] + (middles[1] - middles[0]) * left / (left - right))  # where the slope passes through 0
