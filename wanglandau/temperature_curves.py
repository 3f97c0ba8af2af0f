"""All that a result file says against temperature: thermodynamics, observables, and the error of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from wanglandau.bin_averages import BinAverages, CanonicalAverages, canonical_average
from wanglandau.density_of_states import DensityOfStates
from wanglandau.levels import Source
from wanglandau.model_error import MemberMoments, ModelError, model_error
from wanglandau.thermodynamics import Peak, Thermodynamics, heat_capacity_peak, thermodynamics

MEMBER_PREFIX = "member_"
MEMBER_COLUMN = MEMBER_PREFIX + "{}_energy_ry"
"""Column of :class:`~wanglandau.bin_averages.BinAverages` that holds the energy by one model of an ensemble."""


@dataclass(frozen=True, eq=False)
class TemperatureCurves:
    """Curves against temperature.

    Attributes
    ----------
    thermal : Thermodynamics
    peak : Peak
        Of the heat capacity.
    averages : CanonicalAverages or None
        Observables; None where none were measured.
    model : ModelError or None
        Where the oracle was an ensemble of models.
    """

    thermal: Thermodynamics
    peak: Peak
    averages: CanonicalAverages | None = None
    model: ModelError | None = None

    def columns(self) -> dict[str, np.ndarray]:
        """Return every curve by name, with units in the name and errors beside: ``float64[n_temperatures]`` each."""
        columns = {"temperature_K": self.thermal.temperatures} | self.thermal.per_atom()
        if self.thermal.standard_error is not None:
            columns |= _named(self.thermal.standard_error.per_atom(), "{}_standard_error")
        if self.model is not None:
            columns |= _named(self.model.spread.per_atom(), "{}_model_error")
        if self.averages is not None:
            columns |= dict(zip(self.averages.names, self.averages.values.T, strict=True))
            if self.averages.standard_errors is not None:
                errors = dict(zip(self.averages.names, self.averages.standard_errors.T, strict=True))
                columns |= _named(errors, "{}_standard_error")
        return columns

    def csv(self) -> str:
        """Return the columns as comma-separated text."""
        columns = self.columns()
        rows = np.column_stack(list(columns.values()))
        lines = [",".join(f"{value:.10g}" for value in row) for row in rows]
        return "\n".join([",".join(columns), *lines]) + "\n"


def temperature_curves(
    source: Source, temperatures: np.ndarray, averages: Sequence[BinAverages] = ()
) -> TemperatureCurves:
    """Compute everything that a density of states and what was measured with it tell.

    Parameters
    ----------
    source : DensityOfStates or Levels
    temperatures : float64[n], K
    averages : sequence of BinAverages
        One a run of the density of states; empty where nothing was measured.

    Raises
    ------
    InputError
        If a temperature is not above 0 K or there are fewer than three.
    """
    thermal, peak = thermodynamics(source, temperatures), heat_capacity_peak(source, temperatures)
    if not averages or not isinstance(source, DensityOfStates):
        return TemperatureCurves(thermal, peak)
    observables, moments = split_members(averages)
    reweighted = canonical_average(source, observables, temperatures) if observables[0].names else None
    model = None if moments is None else model_error(source, moments, temperatures)
    return TemperatureCurves(thermal, peak, reweighted, model)


def split_members(averages: Sequence[BinAverages]) -> tuple[list[BinAverages], MemberMoments | None]:
    """Separate the energies by the models of an ensemble from the observables proper.

    Returns
    -------
    observables : list of BinAverages
        One a run, without the columns of the models.
    moments : MemberMoments or None
        Of all runs together; None where the oracle was one model.
    """
    names = averages[0].names
    members = [column for column, name in enumerate(names) if name.startswith(MEMBER_PREFIX)]
    others = [column for column in range(len(names)) if column not in members]
    observables = [_columns_of(run, others) for run in averages]
    if not members:
        return observables, None
    parts = [_columns_of(run, members) for run in averages]
    moments = [MemberMoments(run.mean.T, run.variance.T, run.count) for run in parts]
    return observables, MemberMoments.combined(moments)


def _columns_of(averages: BinAverages, columns: list[int]) -> BinAverages:
    names = tuple(averages.names[column] for column in columns)
    return replace(
        averages, names=names, total=averages.total[:, columns], total_square=averages.total_square[:, columns]
    )


def _named(columns: dict[str, np.ndarray], pattern: str) -> dict[str, np.ndarray]:
    return {pattern.format(name): values for name, values in columns.items()}
