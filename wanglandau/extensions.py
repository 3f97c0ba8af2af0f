"""What a caller adds to a density of states beside its oracle: observables and a schedule of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wanglandau.energy_grid import EnergyGrid
from wanglandau.observables import Observable, column_names
from wanglandau.schedule import Stage
from wanglandau.schedule_factories import ScheduleFactory
from wanglandau.settings import WangLandauSettings


@dataclass(frozen=True)
class Extensions:
    """Observables and a schedule of one's own.

    Attributes
    ----------
    observables : sequence of Observable
        Measured in production beside the standard ones.
    schedule : ScheduleFactory or None
        Instead of the one that the settings name.
    """

    observables: Sequence[Observable] = ()
    schedule: ScheduleFactory | None = None

    def state_classes(self, settings: WangLandauSettings) -> tuple[type, ...]:
        """Return the class of the schedule, so that a checkpoint may hold it; one is made to learn of it."""
        if self.schedule is None:
            return ()
        stage = Stage.for_walkers(1, settings.flatness, settings.minimum_count)
        return (type(self.schedule(stage, EnergyGrid(0.0, 1.0, 2), settings)),)

    def describe(self, settings: WangLandauSettings) -> dict[str, Any]:
        """Return names, ready for JSON, which have to be the same where a calculation goes on."""
        schedules = [kind.__name__ for kind in self.state_classes(settings)]
        return {"own observables": list(column_names(list(self.observables))), "own schedule": schedules}


NONE = Extensions()
