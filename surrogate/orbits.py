"""Orbits of configurations: their labels, and splits of a data set that never cut through one."""

from __future__ import annotations

import numpy as np

from wanglandau.errors import InputError
from wanglandau.lattice import Lattice

MAX_SITES = 64
"""An orbit label holds one bit per site."""


def orbit_labels(lattice: Lattice, occupations: np.ndarray) -> np.ndarray:
    """Label each configuration by the smallest number ``sum_i occ[i] 2^i`` among its symmetry images.

    Parameters
    ----------
    lattice : Lattice
        At most 64 sites.
    occupations : int8[n, n_sites]

    Returns
    -------
    uint64[n]
    """
    if lattice.n_sites > MAX_SITES:
        raise InputError(f"a cell of {lattice.n_sites} sites is too large for a data set (limit {MAX_SITES} sites)")
    bits = np.left_shift(np.uint64(1), lattice.symmetry.astype(np.uint64))
    labels = np.empty(len(occupations), dtype=np.uint64)
    for start in range(0, len(occupations), 1024):  # bounds the memory: one number per image
        chunk = occupations[start : start + 1024].astype(np.uint64)
        labels[start : start + 1024] = (chunk @ bits.T).min(axis=1)
    return labels


def split_by_orbit(orbit: np.ndarray, fractions: tuple[float, ...], seed: int) -> list[np.ndarray]:
    """Split configurations at random so that symmetry-equivalent ones stay together.

    Parameters
    ----------
    orbit : uint64[n]
    fractions : tuple of float
        Relative sizes of the parts; met as closely as the sizes of the orbits allow.
    seed : int

    Returns
    -------
    list of int64[k]
        Ascending indices of each part.
    """
    if len(fractions) < 1 or min(fractions) < 0 or not np.isfinite(fractions).all() or sum(fractions) <= 0:
        raise InputError(f"fractions are {fractions}; expected numbers of at least 0 that are not all 0")
    labels, inverse, counts = np.unique(orbit, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(labels))
    middle = np.cumsum(counts[order]) - counts[order] / 2
    edges = np.cumsum(fractions)[:-1] / sum(fractions) * len(orbit)
    part = np.empty(len(labels), dtype=np.int64)
    part[order] = np.searchsorted(edges, middle, side="right")
    return [np.flatnonzero(part[inverse] == index) for index in range(len(fractions))]


def deal_orbits(orbit: np.ndarray, n_parts: int, n_left_out: int, seed: int) -> np.ndarray:
    """Leave every orbit out of ``n_left_out`` of ``n_parts`` parts, drawn at random.

    Unlike bootstrap samples, every configuration is unseen by equally many parts, and parts are of nearly equal size.

    Parameters
    ----------
    orbit : uint64[n]
    n_parts, n_left_out : int
    seed : int

    Returns
    -------
    bool[n_parts, n]
        Whether the part leaves the configuration out.
    """
    labels, inverse = np.unique(orbit, return_inverse=True)
    rng = np.random.default_rng(seed)
    left_out = np.zeros((n_parts, len(labels)), dtype=bool)
    hand: list[int] = []
    for label in rng.permutation(len(labels)):
        if len(hand) < n_left_out:
            hand = rng.permutation(n_parts).tolist()
        left_out[hand[:n_left_out], label] = True
        hand = hand[n_left_out:]
    return left_out[:, inverse]


def folds_by_orbit(orbit: np.ndarray, n_folds: int, seed: int, repeats: int = 1) -> list[tuple[np.ndarray, np.ndarray]]:
    """Make the (training, test) index arrays of ``repeats`` times ``n_folds``-fold cross-validation over orbits."""
    n_orbits = len(np.unique(orbit))
    if not 2 <= n_folds <= n_orbits:
        raise InputError(f"n_folds is {n_folds}; choose 2 to {n_orbits}, the number of orbits in the data set")
    everything = np.arange(len(orbit))
    return [
        (np.setdiff1d(everything, test), test)
        for repeat in range(repeats)
        for test in split_by_orbit(orbit, (1.0,) * n_folds, seed + repeat)
        if len(test)
    ]
