"""The number of inequivalent configurations, by Burnside's lemma: exact, and without listing one of them."""

from __future__ import annotations

from collections import Counter

import numpy as np


def count_orbits(permutations: np.ndarray) -> list[int]:
    """Count the orbits of each composition.

    The number of orbits is the mean, over the operations of the group, of the number of configurations that an
    operation leaves as they are; those are the ones that are constant on each of its cycles.

    Parameters
    ----------
    permutations : int32[n_operations, n_sites]
        All operations of the group.

    Returns
    -------
    list of int
        Number of orbits with 0, 1, ..., n_sites second-species atoms (Python integers: they can be very large).
    """
    total = [0] * (permutations.shape[1] + 1)
    for cycle_type, n_operations in Counter(map(_cycle_type, permutations.tolist())).items():
        for composition, n_fixed in enumerate(_fixed_configurations(cycle_type)):
            total[composition] += n_operations * n_fixed
    return [n // len(permutations) for n in total]


def _cycle_type(permutation: list[int]) -> tuple[int, ...]:
    """Return the cycle lengths of a permutation in ascending order."""
    seen = [False] * len(permutation)
    lengths = []
    for start in range(len(permutation)):
        length, site = 0, start
        while not seen[site]:
            seen[site] = True
            length, site = length + 1, permutation[site]
        if length:
            lengths.append(length)
    return tuple(sorted(lengths))


def _fixed_configurations(cycle_type: tuple[int, ...]) -> list[int]:
    """Return the coefficients of the product of (1 + x**length): configurations left alone, by composition."""
    counts = [1]
    for length in cycle_type:
        shifted = [0] * length + counts
        counts = [a + b for a, b in zip(counts + [0] * length, shifted, strict=True)]
    return counts
