"""Compiled counting for observables: plain arrays in, plain arrays out."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def unlike_neighbours(occupations: np.ndarray, neighbours: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Count in each shell the neighbours of second-species atoms that are of the first species.

    Parameters
    ----------
    occupations : int8[n, n_sites]
    neighbours : int32[n_sites, n_entries]
        The neighbours of each site, shell after shell, images with their multiplicity.
    offsets : int64[n_shells + 1]
        Shell ``s`` stands from ``offsets[s]`` up to but not including ``offsets[s + 1]``.

    Returns
    -------
    int64[n, n_shells]
        Every unlike bond once.
    """
    n_shells = offsets.size - 1
    counts = np.zeros((occupations.shape[0], n_shells), dtype=np.int64)
    for row in range(occupations.shape[0]):
        for site in range(occupations.shape[1]):
            if occupations[row, site] == 1:
                for shell in range(n_shells):
                    unlike = np.int64(0)
                    for entry in range(offsets[shell], offsets[shell + 1]):
                        unlike += 1 - occupations[row, neighbours[site, entry]]
                    counts[row, shell] += unlike
    return counts


@njit(cache=True, nogil=True)
def add_to_bins(
    bins: np.ndarray, values: np.ndarray, count: np.ndarray, total: np.ndarray, total_square: np.ndarray
) -> None:
    """Add ``values`` (float64[n, n_columns]) and their squares to the accumulators' rows ``bins`` (int64[n])."""
    for row in range(bins.size):
        target = bins[row]
        count[target] += 1
        for column in range(values.shape[1]):
            value = values[row, column]
            total[target, column] += value
            total_square[target, column] += value * value


@njit(cache=True, nogil=True)
def add_to_histogram(bins: np.ndarray, columns: np.ndarray, counts: np.ndarray) -> None:
    """Count each pair of ``bins`` and ``columns`` (int64[n]) in ``counts`` (int64[n_bins, n_columns])."""
    for row in range(bins.size):
        counts[bins[row], columns[row]] += 1
