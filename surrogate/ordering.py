"""What errors of a model do to ordering: every configuration of one composition, by the model and by the reference.

Only where the reference can be asked for any configuration, as the surrogate that labelled model data can. One
representative of every orbit is evaluated, weighted by the size of the orbit: exact for the reference and for models
that respect the symmetry of the lattice; of others it is what they make of the images that happen to stand for
their orbits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from wanglandau.exact import BATCH_SIZE, LEVEL_TOLERANCE, merge_levels
from wanglandau.levels import MEV_PER_RY, Levels
from wanglandau.oracle import EnergyOracle
from wanglandau.orbits import enumerate_orbits
from wanglandau.ordered_structures import ordered_structures
from wanglandau.thermodynamics import Peak, heat_capacity_peak

SCAN = np.geomspace(0.1, 10.0, 60)
"""Temperatures among which the peak of C is sought, in units of the natural temperature of the levels."""

Energies = Callable[[np.ndarray], np.ndarray]
"""From occupations, ``int8[n, n_sites]``, to mixing energies, ``float64[n]``, Ry per cell."""


@dataclass(frozen=True, eq=False)
class Ordering:
    """All configurations of one composition by the reference.

    Attributes
    ----------
    composition : int
    n_sites : int
    occupations : int8[n_orbits, n_sites]
        One of every orbit.
    sizes : int64[n_orbits]
        Configurations of each orbit.
    energies : float64[n_orbits], Ry per cell
    peak : Peak
        Of the heat capacity, exact.
    structures : dict of str to int8[n_sites]
        Ordered structures that fit the cell, of any composition.
    structure_energies : float64[n_structures], Ry per cell
    """

    composition: int
    n_sites: int
    occupations: np.ndarray
    sizes: np.ndarray
    energies: np.ndarray
    peak: Peak
    structures: dict[str, np.ndarray]
    structure_energies: np.ndarray

    @classmethod
    def of(cls, oracle: EnergyOracle, composition: int) -> Ordering:
        """Enumerate a composition of a lattice of at most 32 sites.

        Raises
        ------
        InputError
            If the lattice is larger.
        """
        orbits = enumerate_orbits(oracle.lattice, composition)
        occupations = orbits.occupations(0, len(orbits))
        energies = _in_batches(oracle.energies, occupations)
        structures = ordered_structures(oracle.lattice)
        ordered = np.array(list(structures.values()), dtype=np.int8).reshape(-1, oracle.lattice.n_sites)
        n_sites, sizes = oracle.lattice.n_sites, orbits.sizes.astype(np.int64)
        peak = _peak(n_sites, energies, sizes)
        return cls(composition, n_sites, occupations, sizes, energies, peak, structures, oracle.energies(ordered))

    def compare(self, energies: Energies) -> dict[str, Any]:
        """Compare a model with the reference.

        Returns
        -------
        dict
            ``peak_kelvin`` and ``peak_height_kb_per_atom`` of the model's C, and ``peak_shift_kelvin`` from the
            reference's; ``ground_state_found``: whether the configuration that the model puts lowest is among the
            lowest of the reference, and ``ground_state_above_mev_per_atom``, by how much it is not;
            ``structures_mev_per_atom``: error of each ordered structure, and ``structures_rmse_mev_per_atom``. Of a
            model that knows no order only the last two.
        """
        found = _in_batches(energies, self.occupations)
        unit = MEV_PER_RY / self.n_sites
        report: dict[str, Any] = {}
        if np.ptp(found) > LEVEL_TOLERANCE:
            peak = _peak(self.n_sites, found, self.sizes)
            above = float(self.energies[np.argmin(found)] - self.energies.min())
            report |= {
                "peak_kelvin": peak.temperature,
                "peak_shift_kelvin": peak.temperature - self.peak.temperature,
                "peak_height_kb_per_atom": peak.height / self.n_sites,
                "ground_state_found": above <= LEVEL_TOLERANCE,
                "ground_state_above_mev_per_atom": above * unit,
            }
        if self.structures:
            ordered = np.array(list(self.structures.values()), dtype=np.int8)
            errors = (energies(ordered) - self.structure_energies) * unit
            report["structures_mev_per_atom"] = dict(zip(self.structures, errors.tolist(), strict=True))
            report["structures_rmse_mev_per_atom"] = float(np.sqrt(np.mean(errors**2)))
        return report


def _in_batches(energies: Energies, occupations: np.ndarray) -> np.ndarray:
    starts = range(0, len(occupations), BATCH_SIZE)
    return np.concatenate([energies(occupations[start : start + BATCH_SIZE]) for start in starts])


def _peak(n_sites: int, energies: np.ndarray, sizes: np.ndarray) -> Peak:
    order = np.argsort(energies, kind="stable")
    levels = Levels.exact(n_sites, *merge_levels(energies[order], sizes[order]))
    return heat_capacity_peak(levels, levels.natural_temperature * SCAN)
