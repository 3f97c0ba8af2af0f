"""How many configurations those that a walk has met stand for.

The energy is invariant under the space group of the periodic cell, so that each configuration met stands for its orbit,
and the sizes of the orbits add up.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wanglandau.lattice import Lattice
from wanglandau.symmetry import orbit

MAX_STATES = 500
"""Distinct configurations kept; more of them, met by chance alone, cannot be counted like this."""
MAX_IMAGES = 60_000_000
"""Operations times sites that are worked through for an orbit: cells of up to some 1100 sites."""
POINT_OPERATIONS = 48
"""At most, for every translation."""


class MetOrbit(NamedTuple):
    """An orbit that was met.

    Attributes
    ----------
    size : int
        Configurations.
    looks : int
        How many looks met any of them.
    """

    size: int
    looks: int


def met_orbits(lattice: Lattice, configurations: np.ndarray, looks: np.ndarray) -> list[MetOrbit] | None:
    """Return the orbits that some configurations belong to.

    Parameters
    ----------
    lattice : Lattice
    configurations : int8[n, n_sites]
        Some may be equal.
    looks : int64[n]
        How many looks met each.

    Returns
    -------
    list of MetOrbit or None
        None if that is too much work.
    """
    rest: dict[bytes, int] = {}
    for row, count in zip(configurations, looks.tolist(), strict=True):
        rest[row.tobytes()] = rest.get(row.tobytes(), 0) + count
    if len(rest) > MAX_STATES or POINT_OPERATIONS * lattice.n_sites**2 > MAX_IMAGES:
        return None
    met = []
    while rest:
        images = orbit(np.frombuffer(next(iter(rest)), dtype=np.int8), lattice.symmetry)
        met.append(MetOrbit(len(images), sum(rest.pop(image) for image in images & rest.keys())))
    return met
