"""What Metropolis sampling records, and how much of its beginning is equilibration."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from wanglandau.time_series import effective_sample_size

CANDIDATES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
"""Parts of the records that may be taken for equilibration."""


@dataclass(frozen=True, eq=False)
class ThermalSeries:
    """What was recorded; the leading axes of all arrays are temperature, chain and record.

    Attributes
    ----------
    temperatures : float64[n_temperatures], K
    n_sites : int
    composition : int or None
        Number of second-species atoms; None where it is free.
    delta_mu : float, Ry
    energies : float64[n_temperatures, n_chains, n_records], Ry per cell
        Mixing energies.
    compositions : float64[n_temperatures, n_chains, n_records]
        Number of second-species atoms.
    names : tuple of str
        Of the observables.
    observables : float64[n_temperatures, n_chains, n_measured, n_names]
    interval : int
        Sweeps between records.
    measured_every : int
        Records between measurements of the observables.
    """

    temperatures: np.ndarray
    n_sites: int
    composition: int | None
    delta_mu: float
    energies: np.ndarray
    compositions: np.ndarray
    names: tuple[str, ...]
    observables: np.ndarray
    interval: int
    measured_every: int

    @property
    def n_records(self) -> int:
        """Number of records of each chain."""
        return int(self.energies.shape[2])

    def after(self, n_left_out: int) -> ThermalSeries:
        """Return what was recorded after the first ``n_left_out`` records."""
        first = -(-n_left_out // self.measured_every)
        return replace(
            self,
            energies=self.energies[:, :, n_left_out:],
            compositions=self.compositions[:, :, n_left_out:],
            observables=self.observables[:, :, first:],
        )


def equilibration(series: ThermalSeries) -> int:
    """Choose the number of records to leave out at the start: what leaves the most independent records of the energy.

    J. D. Chodera, J. Chem. Theory Comput. 12, 1799 (2016), with the chains of a temperature taken together. The largest
    number any temperature asks for; a twentieth of the records at least.
    """
    n_records = series.n_records
    places = [int(np.ceil(part * n_records)) for part in CANDIDATES]
    best = [
        max(places, key=lambda place: effective_sample_size(chains[:, place:]))
        for quantity in (series.energies, series.compositions)
        for chains in quantity
    ]
    return max(best)
