"""The configurations of the outermost bins, counted by symmetry.

Inside a bin every configuration is equally likely, so that a bin with few of them soon shows all. Each that was met
stands for its orbit under the space group of the periodic cell, and the sizes of the orbits add up to the number
that ln g of the bin has to agree with.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from wanglandau.lattice import Lattice
from wanglandau.orbit_counting import MAX_STATES, met_orbits

LOOKS_PER_ORBIT = 5
"""Looks that have to meet every orbit found: one met but once or twice would not be the last."""


@dataclass
class EndBin:
    """The configurations of the outermost bin among those looked at.

    Attributes
    ----------
    side : int
        -1 for the lowest bin, +1 for the highest.
    place : int or None
        The bin, on the grid of its walk.
    looks : dict of bytes to int
        How many looks met each configuration; no more than ``MAX_STATES`` + 1 configurations.
    """

    side: int
    place: int | None = None
    looks: dict[bytes, int] = field(default_factory=dict)

    def look_at(self, bins: np.ndarray, occupations: np.ndarray) -> None:
        """Look at configurations, their bins ``int64[n]`` and occupations ``int8[n, n_sites]``."""
        if not len(bins):
            return
        outermost = self.side * int((self.side * bins).max())
        if self.place is None or self.side * outermost > self.side * self.place:
            self.place, self.looks = outermost, {}
        for row in np.flatnonzero(bins == self.place):
            configuration = occupations[row].tobytes()
            if configuration in self.looks or len(self.looks) <= MAX_STATES:
                self.looks[configuration] = self.looks.get(configuration, 0) + 1


def count_configurations(lattice: Lattice, occupations: np.ndarray, looks: np.ndarray) -> int | None:
    """Count the configurations of a bin by the orbits of those met.

    Parameters
    ----------
    lattice : Lattice
        Energies have to be invariant under its symmetry.
    occupations : int8[n, n_sites]
    looks : int64[n]
        How often each row was met.

    Returns
    -------
    int or None
        None where there are too many, or an orbit was met too rarely to believe that none is missing.
    """
    met = met_orbits(lattice, occupations, looks)
    if not met or min(orbit.looks for orbit in met) < LOOKS_PER_ORBIT:
        return None
    return sum(orbit.size for orbit in met)
