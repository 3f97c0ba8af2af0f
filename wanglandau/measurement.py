"""What is measured in production: observables and, with an ensemble of models, the energy by each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from wanglandau.bin_averages import BinAverages
from wanglandau.end_bins import EndBin
from wanglandau.ensemble_oracle import EnsembleOracle, checked_member_energies
from wanglandau.errors import InputError
from wanglandau.ground_state import LowestStates
from wanglandau.joint_histogram import JointHistogram
from wanglandau.observables import Observable, checked_observables, column_names, measure_all, standard_observables
from wanglandau.oracle import EnergyOracle
from wanglandau.rounds import Snapshots
from wanglandau.settings import WangLandauSettings
from wanglandau.temperature_curves import MEMBER_COLUMN
from wanglandau.walk import Walk

SWEEPS_BETWEEN = 10
"""Sweeps of a walker between measurements: those of neighbouring states tell little new."""


@dataclass
class Measurement:
    """Observables and their accumulators, one for each walk of this process.

    Attributes
    ----------
    oracle : EnergyOracle
    observables : list of Observable
    members : bool
        Whether the energy by every model of an ensemble is measured.
    joint : str or None
        Column whose joint density with the energy is wanted.
    joint_bins : int
    averages : dict of int to BinAverages
        By number of the walk among those of this process, from when its weights were fixed.
    histograms : dict of int to JointHistogram
        Empty unless ``joint`` is given.
    lowest : dict of int to LowestStates
        Configurations of lowest energy met in measurements.
    counts_ends : bool
        Whether the configurations of the outermost bins are collected, to pin ln g to their number.
    ends : dict of int to dict of int to EndBin
        By walk and side.
    """

    oracle: EnergyOracle
    observables: list[Observable]
    members: bool
    joint: str | None
    joint_bins: int
    averages: dict[int, BinAverages] = field(default_factory=dict)
    histograms: dict[int, JointHistogram] = field(default_factory=dict)
    lowest: dict[int, LowestStates] = field(default_factory=dict)
    counts_ends: bool = False
    ends: dict[int, dict[int, EndBin]] = field(default_factory=dict)

    @classmethod
    def of(cls, oracle: EnergyOracle, settings: WangLandauSettings, own: Sequence[Observable] = ()) -> Measurement:
        """Choose what to measure.

        Parameters
        ----------
        own : sequence of Observable
            Added to those that the settings want.

        Raises
        ------
        InputError
            If the observable of the joint density is not among what is measured, or nothing can be.
        """
        if settings.ensemble == "semigrand" or not settings.production:
            if settings.joint is not None or own:
                what = f"the joint density with {settings.joint}" if settings.joint else "an observable"
                raise InputError(
                    f"{what} needs production runs in bins of the energy alone; take ensemble canonical or zero-field "
                    "and production above 0"
                )
            return cls(oracle, [], False, None, settings.joint_bins)
        wanted = settings.observables or settings.joint is not None
        observables = standard_observables(oracle.lattice, oracle) if wanted else []
        observables += checked_observables(own, oracle.lattice)
        names = column_names(observables)
        possible = [name for name in names if _range_of(name) is not None]
        if settings.joint is not None and settings.joint not in possible:
            raise InputError(f"observable {settings.joint!r} is not known here; choose {', '.join(possible)}")
        members, counts_ends = isinstance(oracle, EnsembleOracle), settings.pinned and oracle.invariant
        return cls(oracle, observables, members, settings.joint, settings.joint_bins, counts_ends=counts_ends)

    @property
    def wanted(self) -> bool:
        """Whether there is anything to measure."""
        return bool(self.observables) or self.members or self.counts_ends

    @property
    def every(self) -> int:
        """Rounds between measurements."""
        return SWEEPS_BETWEEN * self.oracle.lattice.n_sites

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns."""
        n_members = self.oracle.n_members if self.members and isinstance(self.oracle, EnsembleOracle) else 0
        return column_names(self.observables) + tuple(MEMBER_COLUMN.format(k) for k in range(n_members))

    @property
    def joint_start(self) -> tuple[float, float]:
        """Lower edge and width of the bins of the joint observable."""
        low, high = _range_of(self.joint or "") or (0.0, 1.0)
        width = (high - low) / (self.joint_bins - 1)
        return low - width / 2, width

    def begin(self, number: int, walk: Walk) -> None:
        """Start one walk of this process with empty accumulators."""
        self.lowest[number] = LowestStates()
        self.ends[number] = {side: EndBin(side) for side in (-1, 1)}
        self.averages[number] = BinAverages.empty(self.names, walk.grid.n_bins)
        if self.joint is not None:
            start, width = self.joint_start
            counts = np.zeros((walk.grid.n_bins, self.joint_bins), np.int64)
            self.histograms[number] = JointHistogram(self.joint, start, width, counts)

    def forget(self, number: int) -> None:
        """Drop what one walk has measured, because its weights were no good."""
        self.averages.pop(number, None)
        self.histograms.pop(number, None)
        self.lowest.pop(number, None)
        self.ends.pop(number, None)

    def add(self, number: int, walk: Walk, snapshots: Snapshots) -> None:
        """Measure the snapshots of one walk.

        Parameters
        ----------
        number : int
            Of the walk among those of this process.
        """
        occupations = snapshots.occupations.reshape(-1, snapshots.occupations.shape[-1])
        bins = snapshots.records["bin"].reshape(-1)
        values = measure_all(self.observables, occupations)  # may fail, and then nothing has been added
        if self.members and isinstance(self.oracle, EnsembleOracle):
            values = np.concatenate([values, checked_member_energies(self.oracle, occupations)], axis=1)
        self.averages[number].add(bins, values)
        self.lowest[number].look_at(snapshots.records["energy"].reshape(-1), occupations)
        if self.counts_ends:
            for end in self.ends[number].values():
                end.look_at(bins, occupations)
        if self.joint is not None:
            low, high = _range_of(self.joint) or (0.0, 1.0)
            self.histograms[number].add(bins, values[:, self.names.index(self.joint)].clip(low, high))


def _range_of(name: str) -> tuple[float, float] | None:
    """Return the range of an order parameter, None for columns that are none."""
    if name.startswith("alpha_"):
        return -1.0, 1.0
    return (0.0, 1.0) if name.startswith("lro_") else None
