"""Shuffled splits of a data set into training, validation and test, of the same sizes in every split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surrogate.dataset import Dataset, split_by_orbit
from wanglandau.errors import InputError

FRACTIONS = (0.7, 0.15, 0.15)
"""Training, validation, test."""


@dataclass(frozen=True, eq=False)
class StudySplits:
    """Which configurations belong to which part, one row a split.

    Attributes
    ----------
    training, validation, test : int64[n_splits, n]
    """

    training: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def make_splits(dataset: Dataset, n_splits: int, seed: int, by_orbit: bool) -> StudySplits:
    """Draw splits.

    Parameters
    ----------
    dataset : Dataset
    n_splits : int
    seed : int
    by_orbit : bool
        Whether symmetry-equivalent configurations always stand on the same side. Parts then differ a little in size,
        and some configurations are left out to make them equal.

    Raises
    ------
    InputError
        If there are too few configurations.
    """
    if n_splits < 1:
        raise InputError(f"splits is {n_splits}; ask for at least one")
    parts = []
    for number in range(n_splits):
        rng = np.random.default_rng([seed, number])
        if by_orbit:
            pieces = split_by_orbit(dataset.orbit, FRACTIONS, int(rng.integers(2**31)))
            parts.append([rng.permutation(piece) for piece in pieces])
        else:
            ends = np.cumsum([round(share * len(dataset)) for share in FRACTIONS[:2]])
            parts.append(np.split(rng.permutation(len(dataset)), ends))
    sizes = [min(len(part[place]) for part in parts) for place in range(3)]
    if min(sizes) < 1:
        raise InputError(f"{len(dataset)} configurations are too few for training, validation and test; add some")
    rows = [np.array([part[place][:size] for part in parts]) for place, size in enumerate(sizes)]
    return StudySplits(*rows)
