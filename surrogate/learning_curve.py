"""Error against the number of configurations learnt from, by models of one task and of several together.

Every split holds the same orbits out for the test, whatever the model and the size; smaller training parts are
contained in larger ones. So single-task and multitask models differ in nothing but what they learn together, and their
errors can be compared split by split.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from surrogate.dataset import Dataset
from surrogate.evaluation import evaluate
from surrogate.learning_curve_settings import LearningCurveSettings
from surrogate.recipes import resolve_settings
from surrogate.settings import TASKS
from wanglandau.orderly_end import stop_if_asked

FIGURES = {
    "energy": ("mixing_energy_rmse_within_composition_mev_per_atom", "meV/atom"),
    "charge": ("charge_rmse_electrons", "electrons"),
    "moment": ("moment_rmse_mu_b", "mu_b"),
}
"""Figure of :func:`surrogate.evaluation.evaluate` that is drawn for each task, and its unit."""

LEARNT = "dense-learnt"


class Division(NamedTuple):
    """One split.

    Attributes
    ----------
    training : int64[n]
        In the order in which configurations are added.
    test : int64[m]
    """

    training: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Curve:
    """Errors of one model.

    Attributes
    ----------
    architecture : {"dense", "lattice", "dense-learnt"}
    tasks : tuple of str
        Learnt together.
    errors : dict of str to float64[n_sizes, n_splits]
        By task.
    """

    architecture: str
    tasks: tuple[str, ...]
    errors: dict[str, np.ndarray]


def make_divisions(dataset: Dataset, settings: LearningCurveSettings) -> list[Division]:
    """Draw splits over orbits; every training part is cut to the size of the smallest."""
    orbits = np.unique(dataset.orbit)
    n_test = max(1, round(settings.test_share * len(orbits)))
    parts = []
    for number in range(settings.splits):
        order = np.random.default_rng([settings.seed, number]).permutation(orbits)
        place = {int(orbit): rank for rank, orbit in enumerate(order)}
        rank = np.array([place[int(orbit)] for orbit in dataset.orbit])
        rows = np.argsort(rank, kind="stable")
        cut = int((rank < n_test).sum())
        parts.append(Division(rows[cut:], rows[:cut]))
    smallest = min(len(part.training) for part in parts)
    return [Division(part.training[:smallest], part.test) for part in parts]


def models(dataset: Dataset) -> list[tuple[str, tuple[str, ...]]]:
    """List architectures with what they learn: every task that the data hold alone, and all together."""
    held = tuple(task for task in TASKS if getattr(dataset, task) is not None)
    together = [held] if len(held) > 1 else []
    every = [*((task,) for task in held), *together]
    return [*product(("lattice", "dense"), every), *product((LEARNT,), together)]


def learning_curve(
    dataset: Dataset,
    system: str,
    architecture: str,
    tasks: tuple[str, ...],
    sizes: list[int],
    settings: LearningCurveSettings,
    advance: Callable[[], Any] = lambda: None,
) -> Curve:
    """Train one model on so many configurations of every split.

    Parameters
    ----------
    dataset : Dataset
    system : str
        Whose recipe is taken.
    architecture : {"dense", "lattice", "dense-learnt"}
        The last is dense with task weights learnt in training (loss ``log``).
    tasks : tuple of str
    sizes : list of int
        Ascending, at most what :func:`make_divisions` leaves for training.
    settings : LearningCurveSettings
    advance : callable
        Called after each split of each size, for a progress bar.
    """
    divisions = make_divisions(dataset, settings)
    errors = {task: np.zeros((len(sizes), settings.splits)) for task in tasks}
    for place, size in enumerate(sizes):
        parts = [division._replace(training=division.training[:size]) for division in divisions]
        if architecture == "lattice":
            reports = _lattice(dataset, system, tasks, parts)
        else:
            reports = _dense(dataset, system, tasks, parts, settings, learnt_weights=architecture == LEARNT)
        for number, report in enumerate(reports):
            for task in tasks:
                errors[task][place, number] = report[FIGURES[task][0]]
            advance()
    return Curve(architecture, tasks, errors)


def _lattice(dataset: Dataset, system: str, tasks: tuple[str, ...], divisions: list[Division]) -> list[dict[str, Any]]:
    from surrogate.lattice_network import LatticeNetwork
    from surrogate.network_predictions import predict
    from surrogate.training import make_network, train

    build, training = resolve_settings(system, "lattice", tasks)
    reports = []
    for division in divisions:
        network = make_network(lambda: LatticeNetwork(dataset.lattice, tasks, build), training.seed)
        train(network, dataset.select(division.training), training, quiet=True)
        test = dataset.select(division.test)
        reports.append(evaluate(test, predict(network, test.occupations)))
    return reports


def _dense(
    dataset: Dataset,
    system: str,
    tasks: tuple[str, ...],
    divisions: list[Division],
    settings: LearningCurveSettings,
    learnt_weights: bool,
) -> list[dict[str, Any]]:
    """Train the networks of all splits together."""
    from surrogate.network_predictions import predict
    from surrogate.stacked_network import new_stack
    from surrogate.stacked_training import Splits, StackedTraining

    build, training = resolve_settings(system, "dense", tasks)
    seeds = np.arange(len(divisions)) + 1000 * settings.seed
    rows = np.array([division.training for division in divisions])
    splits = Splits(rows, rows[:, :0], seeds)
    stack = new_stack(dataset.lattice, tasks, build, seeds)
    loss = "log" if learnt_weights else training.loss
    run = StackedTraining(stack, dataset, splits, replace(training, epochs=settings.epochs, loss=loss))
    while not run.finished:
        stop_if_asked()
        run.advance(1)
    stack = run.finish()
    reports = []
    for number, division in enumerate(divisions):
        test = dataset.select(division.test)
        reports.append(evaluate(test, predict(stack.network(number), test.occupations)))
    return reports
