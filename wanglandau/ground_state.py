"""The degeneracy of the ground state as a check that costs nothing.

ln g is normalised to the number of all configurations. How many of them have the lowest energy is known
independently: every configuration that a walker found there stands for its whole orbit under the space group of the
periodic cell, and the sizes of the orbits add up. The difference from the sampled ln g tells how well the walk joins
the top of the spectrum to its bottom.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from wanglandau.density_of_states import DensityOfStates
from wanglandau.lattice import Lattice
from wanglandau.orbit_counting import MAX_STATES, met_orbits

if TYPE_CHECKING:
    from wanglandau.ranks import Ranks

LEVEL_TOLERANCE = 1e-9
"""Energies closer than this (Ry) are one level."""
MIN_COUNT = 20
"""Looks that have to meet the lowest energy. A level met once by chance is one of many, and says nothing."""


@dataclass
class LowestStates:
    """The configurations of lowest energy among those looked at.

    Attributes
    ----------
    energy : float, Ry per cell
    count : int
        How many looks met it.
    occupations : dict of bytes to None
        The distinct configurations, in the order in which they were met; no more than ``MAX_STATES`` + 1.
    """

    energy: float = np.inf
    count: int = 0
    occupations: dict[bytes, None] = field(default_factory=dict)

    def look_at(self, energies: np.ndarray, occupations: np.ndarray) -> None:
        """Look at configurations, ``float64[n]`` and ``int8[n, n_sites]``."""
        lowest = float(energies.min(initial=np.inf))
        if lowest < self.energy - LEVEL_TOLERANCE:
            self.energy, self.count, self.occupations = lowest, 0, {}
        there = np.flatnonzero(energies <= self.energy + LEVEL_TOLERANCE)
        self.count += len(there)
        for row in there:
            if len(self.occupations) > MAX_STATES:
                return
            self.occupations[occupations[row].tobytes()] = None


@dataclass(frozen=True)
class GroundState:
    """Number of configurations of the lowest energy, counted and sampled.

    Attributes
    ----------
    energy : float, Ry per cell
    orbits : int
        Inequivalent configurations found.
    configurations : int
        All their images; a lower bound where not all orbits were found.
    sampled_ln_g : float
        ln of the number of configurations at that energy by sampling.
    standard_error : float
        Of that.
    """

    energy: float
    orbits: int
    configurations: int
    sampled_ln_g: float
    standard_error: float

    @property
    def residual(self) -> float:
        """Sampled less counted ln of the number of configurations."""
        return self.sampled_ln_g - float(np.log(self.configurations))


def count_ground_states(
    lattice: Lattice, density: DensityOfStates, looks_in_bins: np.ndarray, found: list[LowestStates], ranks: Ranks
) -> GroundState | None:
    """Count the configurations of lowest energy that the walks of all processes met, and compare with ln g.

    Parameters
    ----------
    lattice : Lattice
        The energy has to be invariant under its symmetry.
    density : DensityOfStates
    looks_in_bins : int64[n_bins]
        Looks at each bin, of all processes.
    found : list of LowestStates
        By the walks of this process.
    ranks : Ranks

    Returns
    -------
    GroundState or None
        None where there are too many configurations to count, or too few were looked at.
    """
    energies = ranks.gather(np.array([states.energy for states in found], dtype=np.float64))
    lowest = float(energies.min(initial=np.inf))
    mine = [states for states in found if states.energy <= lowest + LEVEL_TOLERANCE]
    count = int(ranks.gather(np.array([sum(states.count for states in mine)], dtype=np.int64)).sum())
    rows = [np.frombuffer(state, dtype=np.int8) for states in mine for state in states.occupations]
    configurations = ranks.gather(np.array(rows, dtype=np.int8).reshape(len(rows), lattice.n_sites))
    where = int(density.grid.index(np.array([lowest]))[0]) if np.isfinite(lowest) else -1
    if count < MIN_COUNT or not 0 <= where < density.grid.n_bins or not looks_in_bins[where]:
        return None
    met = met_orbits(lattice, configurations, np.ones(len(configurations), dtype=np.int64))
    if met is None:
        return None
    share = count / int(looks_in_bins[where])  # of the lowest bin: inside a bin all configurations are equally likely
    error = np.hypot(density.standard_error[where], np.sqrt((1.0 - share) / count))
    total = sum(orbit.size for orbit in met)
    return GroundState(lowest, len(met), total, float(density.ln_g[where] + np.log(share)), float(error))
