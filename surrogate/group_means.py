"""Values against the mean of their group: energies of one composition, properties of one species."""

from __future__ import annotations

import numpy as np


def without_group_means(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return values less the mean of those with the same label, ``float64[n]`` for labels ``int[n]``."""
    labels, inverse = np.unique(group, return_inverse=True)
    means = np.bincount(inverse, weights=values) / np.bincount(inverse, minlength=len(labels))
    return np.asarray(values - means[inverse])
