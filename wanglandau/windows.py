"""Which bins every energy window of replica-exchange sampling holds.

A walk among the bins of one window takes a time that grows as the square of its diffusion length, the
sum over its bins of ``1 / sqrt(D)`` with the diffusivity D in bins^2 per trial. Windows of equal
diffusion length end together (run-time balance: Vogel et al., PRE 90, 023302 (2014); windows of unequal
width are the choice that matters most: arXiv:2510.11562).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from wanglandau.energy_grid import EnergyGrid
from wanglandau.errors import InputError

MIN_OVERLAP, MAX_OVERLAP = 0.05, 0.9
MIN_SHARED_BINS = 3
"""Visited bins that neighbours have to share: fewer cannot tell a difference of slope from noise."""
MIN_BINS = 5


@dataclass(frozen=True)
class WindowLayout:
    """Windows in order of energy, each an inclusive range of bins, together covering the grid.

    Attributes
    ----------
    first, last : tuple of int
        First and last bin of every window. Both grow strictly; the first window begins at bin 0, the last ends at the
        last bin of the grid, neighbours share at least one bin.
    """

    first: tuple[int, ...]
    last: tuple[int, ...]

    def __post_init__(self) -> None:
        first, last = np.array(self.first), np.array(self.last)
        if len(first) == 0 or len(first) != len(last) or first[0] != 0:
            raise InputError(f"windows from {self.first} to {self.last}: give both ends of each, beginning at bin 0")
        if (last < first).any() or (np.diff(first) < 1).any() or (np.diff(last) < 1).any():
            raise InputError(f"windows from {self.first} to {self.last} are not in order of energy")
        if (last[:-1] < first[1:]).any():
            raise InputError(f"windows from {self.first} to {self.last}: neighbours have to share a bin; widen them")

    @property
    def n_windows(self) -> int:
        """Number of windows."""
        return len(self.first)

    @property
    def n_bins(self) -> int:
        """Number of bins of the grid."""
        return self.last[-1] + 1

    @property
    def mask(self) -> np.ndarray:
        """Which bins each window holds, ``bool[n_windows, n_bins]``."""
        bins = np.arange(self.n_bins)
        return (bins >= np.array(self.first)[:, None]) & (bins <= np.array(self.last)[:, None])

    def shared(self, window: int) -> tuple[int, int]:
        """Return the first and last bin that ``window`` shares with the next one."""
        return self.first[window + 1], self.last[window]


class EnergyInterval(NamedTuple):
    """Energies from ``low`` to ``high``, both included, Ry per cell."""

    low: float
    high: float


def choose_windows(
    n_bins: int,
    n_windows: int,
    overlap: float = 0.5,
    diffusivity: np.ndarray | None = None,
    visited: np.ndarray | None = None,
    minimum_bins: int = MIN_BINS,
) -> WindowLayout:
    """Lay windows over the bins, of equal diffusion length where the diffusivity is known, else of equal width.

    Windows begin and end at visited bins, except that the outermost ones reach to the ends of the grid. Where the
    requested overlap holds fewer than three visited bins, both neighbours are widened.

    Parameters
    ----------
    n_bins : int
    n_windows : int
    overlap : float
        Part of its length that a window shares with the next one, 0.05 to 0.9. Above 0.5 windows overlap with the
        next but one too.
    diffusivity : float64[n_bins], optional
        Mean square step, bins^2 per trial; nan or 0 where unknown, which is interpolated.
    visited : bool[n_bins], optional
        Bins known to hold configurations; all by default.
    minimum_bins : int
        Visited bins that every window has to hold.

    Returns
    -------
    WindowLayout

    Raises
    ------
    InputError
        If a number is out of range or the visited bins do not suffice for so many windows.
    """
    seen = np.ones(n_bins, dtype=bool) if visited is None else np.asarray(visited, dtype=bool)
    _check_request(n_bins, n_windows, overlap, seen, minimum_bins)
    bins = np.flatnonzero(seen)
    if n_windows == 1:
        return WindowLayout((0,), (n_bins - 1,))
    ends = np.cumsum(np.concatenate([[0.0], _length_of_bins(n_bins, diffusivity)[bins[0] : bins[-1] + 1]]))
    centres = ((ends[:-1] + ends[1:]) / 2.0)[bins - bins[0]]
    stride = 1.0 - overlap
    low = ends[-1] * stride * np.arange(n_windows) / (1.0 + (n_windows - 1) * stride)
    high = ends[-1] - low[::-1]
    tolerance = 1e-9 * ends[-1]  # so that rounding does not break the symmetry between both ends
    first = np.searchsorted(centres, low - tolerance, side="left")
    last = np.searchsorted(centres, high + tolerance, side="right") - 1
    first, last = _with_enough_bins(first, last, len(bins), minimum_bins)
    return WindowLayout((0, *bins[first[1:]].tolist()), (*bins[last[:-1]].tolist(), n_bins - 1))


def energy_windows(layout: WindowLayout, grid: EnergyGrid) -> list[EnergyInterval]:
    """Return the energies of every window, such that an energy lies in it exactly if its bin does.

    Edges are the first and last floating-point numbers that ``grid.index`` puts into the window's bins, not
    ``start + b * width``, which rounding may put on the other side. The outermost ends are infinite, so that the end
    windows may grow with the grid.

    Raises
    ------
    InputError
        If layout and grid have different numbers of bins.
    """
    if layout.n_bins != grid.n_bins:
        raise InputError(f"windows over {layout.n_bins} bins, but the grid has {grid.n_bins}: lay them out anew")
    lows = [-np.inf, *(_lowest_energy(grid, first) for first in layout.first[1:])]
    highs = [*(np.nextafter(_lowest_energy(grid, last + 1), -np.inf) for last in layout.last[:-1]), np.inf]
    return [EnergyInterval(float(low), float(high)) for low, high in zip(lows, highs, strict=True)]


def _check_request(n_bins: int, n_windows: int, overlap: float, seen: np.ndarray, minimum_bins: int) -> None:
    if n_bins < 1 or n_windows < 1 or minimum_bins < 1:
        raise InputError(f"{n_windows} windows of at least {minimum_bins} bins on {n_bins} bins: at least 1 of each")
    if not MIN_OVERLAP <= overlap <= MAX_OVERLAP:
        raise InputError(f"overlap {overlap} of the windows; allowed are {MIN_OVERLAP} to {MAX_OVERLAP}")
    if seen.shape != (n_bins,):
        raise InputError(f"visited bins {seen.shape}; the grid has {n_bins}")
    possible = int(seen.sum()) - max(MIN_SHARED_BINS, minimum_bins - 1)
    if n_windows > 1 and n_windows > possible:
        raise InputError(
            f"{n_windows} windows on {int(seen.sum())} visited bins, with {minimum_bins} in each and {MIN_SHARED_BINS} "
            f"shared by neighbours: at most {max(possible, 1)} can be laid; ask for fewer windows or narrower bins"
        )


def _length_of_bins(n_bins: int, diffusivity: np.ndarray | None) -> np.ndarray:
    """Return the diffusion length of every bin, up to a factor; D is interpolated in its logarithm."""
    if diffusivity is None:
        return np.ones(n_bins)
    steps = np.asarray(diffusivity, dtype=np.float64)
    if steps.shape != (n_bins,):
        raise InputError(f"diffusivity {steps.shape}; the grid has {n_bins} bins")
    known = np.isfinite(steps) & (steps > 0.0)
    if not known.any():
        return np.ones(n_bins)
    log_steps = np.interp(np.arange(n_bins), np.flatnonzero(known), np.log(steps[known]))
    return np.exp(-(log_steps - log_steps.mean()) / 2.0)


def _with_enough_bins(
    first: np.ndarray, last: np.ndarray, n_seen: int, minimum_bins: int
) -> tuple[np.ndarray, np.ndarray]:
    """Widen windows, as ranges over the visited bins, until order, overlaps and sizes are right.

    Limits are linear in the window's number, so clipping to them keeps the order.
    """
    n_windows, number = len(first), np.arange(len(first))
    lacking = np.maximum(MIN_SHARED_BINS - (last[:-1] - first[1:] + 1), 0)
    first, last = first.copy(), last.copy()
    first[1:] -= lacking // 2
    last[:-1] += lacking - lacking // 2
    top = n_seen - n_windows + number  # the highest last bin that leaves one more to each later window
    first[0] = 0
    first = np.maximum.accumulate(np.maximum(first, 0) - number) + number
    first = np.minimum(first, top - max(MIN_SHARED_BINS, minimum_bins - 1))
    least = first + minimum_bins - 1
    least[:-1] = np.maximum(least[:-1], first[1:] + MIN_SHARED_BINS - 1)
    last = np.maximum(last, least)
    last[-1] = n_seen - 1
    return first, np.minimum(np.maximum.accumulate(last - number) + number, top)


def _lowest_energy(grid: EnergyGrid, b: int) -> float:
    """Return the smallest float64 whose bin is ``b``, by bisection down to neighbouring floats."""
    below, inside = grid.start + grid.width * (b - 0.5), grid.start + grid.width * (b + 0.5)
    while (middle := below + (inside - below) / 2.0) not in (below, inside):
        if grid.index(np.array(middle)) >= b:
            inside = middle
        else:
            below = middle
    return inside
