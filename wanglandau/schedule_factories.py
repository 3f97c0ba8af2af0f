"""How a walk comes by its schedule: the built-in ones by name, and the form in which others are added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from wanglandau.energy_grid import EnergyGrid
from wanglandau.levels import BOLTZMANN
from wanglandau.sad import StochasticApproximation
from wanglandau.schedule import Halving, OneOverT, Schedule, Stage
from wanglandau.settings import ScheduleName, WangLandauSettings


class ScheduleFactory(Protocol):
    """Makes the schedule of a walk."""

    def __call__(self, stage: Stage, grid: EnergyGrid, settings: WangLandauSettings) -> Schedule:
        """Make a schedule, of which every walk gets its own.

        Parameters
        ----------
        stage : Stage
            What ends a stage by these settings; not shared, to be kept by the schedule if it has stages.
        grid : EnergyGrid
            Bins of the walk at its beginning; their number may grow, their width stays.
        settings : WangLandauSettings
        """
        ...


def halving(stage: Stage, grid: EnergyGrid, settings: WangLandauSettings) -> Halving:
    """Halve ln f at every flat histogram."""
    return Halving(stage)


def one_over_t(stage: Stage, grid: EnergyGrid, settings: WangLandauSettings) -> OneOverT:
    """Halve ln f until it is below 1/t, then follow that."""
    return OneOverT(stage)


def sad(stage: Stage, grid: EnergyGrid, settings: WangLandauSettings) -> StochasticApproximation:
    """Follow the time when the range of interest last grew."""
    assert settings.lowest_temperature is not None  # checked with the settings
    return StochasticApproximation(grid.width / (BOLTZMANN * settings.lowest_temperature), stage)


SCHEDULES: Mapping[ScheduleName, ScheduleFactory] = {"1/t": one_over_t, "halving": halving, "sad": sad}
"""By their names in the settings."""
_NAMES: Mapping[type, ScheduleName] = {OneOverT: "1/t", Halving: "halving", StochasticApproximation: "sad"}


def schedule_name(schedule: Schedule) -> str:
    """Return the name by which the settings know a schedule, or that of its class."""
    return _NAMES.get(type(schedule), type(schedule).__name__)
