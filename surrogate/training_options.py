"""What the console program makes of options that say how to train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from surrogate.recipes import ModelOptions
from surrogate.settings import TASKS
from wanglandau.errors import InputError

if TYPE_CHECKING:
    from surrogate.dataset import Dataset
    from surrogate.fitting import Fit
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


def make_fit(system: System, data: Dataset, architecture: str, tasks: str | None, paper: bool, options: Any) -> Fit:
    """Return how a model is trained on a part of the data.

    Raises
    ------
    InputError
        If the options do not go together.
    """
    from surrogate.fitting import network_fit

    learnt = tasks_of(tasks, data, architecture)
    if architecture == "xgboost":
        from surrogate.xgboost_oracle import fit_xgboost

        seed = seed_of_trees(options)
        return lambda part: fit_xgboost(part, seed).properties
    return network_fit(architecture, learnt, *resolved(system, architecture, learnt, options, paper))
