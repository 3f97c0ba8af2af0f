"""What the console program makes of options that say how to train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from surrogate.recipes import ModelOptions
from surrogate.settings import TASKS
from wanglandau.errors import InputError

if TYPE_CHECKING:
    from surrogate.dataset import Dataset
    from wanglandau.systems import System

ArchitectureName = Literal["lattice", "dense", "xgboost"]
NO_OPTIONS = ModelOptions()


def tasks_of(tasks: str | None, data: Dataset, architecture: str) -> tuple[str, ...]:
    """Return what to learn: what was asked for, or everything that the data hold.

    Raises
    ------
    InputError
        If the architecture cannot learn it.
    """
    from surrogate.settings import check_tasks

    if architecture == "xgboost":
        if tasks not in (None, "energy"):
            raise InputError(f"tasks are {tasks}; xgboost learns the energy only")
        return ("energy",)
    if tasks is not None:
        return check_tasks(tuple(tasks.split(",")))
    present = {"energy": data.energy, "charge": data.charge, "moment": data.moment}
    return tuple(task for task in TASKS if present[task] is not None)


def resolved(system: System, architecture: str, tasks: tuple[str, ...], options: Any, paper: bool) -> tuple[Any, Any]:
    """Return the settings of network and training: recipe and what overrides it."""
    from surrogate.recipes import resolve_settings

    return resolve_settings(system.name, architecture, tasks, options, as_paper=paper)


def seed_of_trees(options: Any) -> int:
    """Return the seed of boosted trees; raise InputError if other options are given."""
    said = [name for name, value in vars(options).items() if value is not None and name != "seed"]
    if said:
        raise InputError(f"{said[0]} is no setting of xgboost, which is trained with its defaults; leave it out")
    return options.seed or 0
