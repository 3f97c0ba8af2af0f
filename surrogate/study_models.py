"""The models that a study compares: those of the paper as it trained them, the same trained better, baselines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from surrogate.cluster_expansion import cluster_expansion_fit
from surrogate.dataset import Dataset
from surrogate.fitting import Fit, Predictor, composition_fit
from surrogate.settings import TASKS, DenseSettings, TrainingSettings, paper_training
from surrogate.study_settings import StudySettings
from wanglandau.oracle import Properties

Kind = Literal["dense", "trees", "lattice", "clusters", "composition"]

PAPER_WIDTHS = {"cuau": 200, "fept": 300}
PAPER_EPOCHS, PAPER_LEARNING_RATE = 30_000, 1e-4
BETTER_EPOCHS = 300
"""One hundredth of the paper's."""
BETTER = TrainingSettings(learning_rate=3e-3, batch_fraction=0.01, epochs=BETTER_EPOCHS, augment=True)
"""Tenfold smaller batches, a larger step that falls along a cosine, every batch turned by random symmetry operations,
errors of each task in units of its spread, mixing instead of total energies."""
INITIALS = {"energy": "E", "charge": "C", "moment": "M"}


def letters_of(tasks: tuple[str, ...], between: str = "+") -> str:
    """Return the initials of tasks, E+C for energies and charges."""
    return between.join(INITIALS[task] for task in tasks)


def name_of_tasks(tasks: tuple[str, ...]) -> str:
    """Return what the paper calls a model of these tasks, MTL E+C for energies and charges."""
    return f"{'MTL' if len(tasks) > 1 else 'STL'} {letters_of(tasks)}"


@dataclass(frozen=True)
class StudyModel:
    """One model of a study.

    Attributes
    ----------
    kind : str
        dense: the networks of the paper; trees: XGBoost with default settings; lattice: our network; clusters: ridge
        cluster expansion; composition: a parabola in the composition.
    tasks : tuple of str
        What it learns together.
    as_paper : bool
        Trained as the paper did, on total energies. Only dense networks differ.
    learnt_weights : bool
        Our recipe with task weights that follow the errors instead of those that the spread of each task sets.
    """

    kind: Kind
    tasks: tuple[str, ...]
    as_paper: bool = False
    learnt_weights: bool = False

    @property
    def name(self) -> str:
        """What tables call it."""
        if self.kind == "dense":
            recipe = "as the paper" if self.as_paper else "our recipe"
            return f"{name_of_tasks(self.tasks)}, dense, {recipe}{', learnt weights' if self.learnt_weights else ''}"
        names = {"trees": "XGBoost", "clusters": "cluster expansion", "composition": "composition only"}
        if self.kind == "lattice":
            return f"{name_of_tasks(self.tasks)}, lattice"
        return f"{names[self.kind]} {letters_of(self.tasks)}"

    @property
    def slug(self) -> str:
        """What its files are called."""
        letters = letters_of(self.tasks, "")
        return f"{self.kind}-{letters}" + ("-paper" if self.as_paper else "-learnt" if self.learnt_weights else "")


def task_combinations(tasks: tuple[str, ...]) -> list[tuple[str, ...]]:
    """List what the paper trained: every task alone, every pair and, where there are three, all."""
    single = [(task,) for task in tasks]
    pairs = [(a, b) for place, a in enumerate(tasks) for b in tasks[place + 1 :]]
    return single + pairs + ([tasks] if len(tasks) > 2 else [])


def tasks_of(dataset: Dataset) -> tuple[str, ...]:
    """Return what a data set holds to be learnt."""
    return tuple(task for task in TASKS if getattr(dataset, task) is not None)


def study_models(tasks: tuple[str, ...]) -> list[StudyModel]:
    """List all models for data of these tasks, in the order of :data:`~surrogate.settings.TASKS`."""
    combinations = task_combinations(tasks)
    dense = [StudyModel("dense", chosen, as_paper) for as_paper in (True, False) for chosen in combinations]
    if len(tasks) > 1:
        dense.append(StudyModel("dense", tasks, learnt_weights=True))
    trees = [StudyModel("trees", (task,)) for task in tasks]
    lattice = [StudyModel("lattice", chosen) for chosen in (("energy",), tasks)]
    return [*dense, *trees, *lattice, StudyModel("clusters", ("energy",)), StudyModel("composition", ("energy",))]


def dense_settings(system: str) -> DenseSettings:
    """Return the width that the paper chose for a system; that of CuAu for others."""
    return DenseSettings(PAPER_WIDTHS.get(system, PAPER_WIDTHS["cuau"]))


def training_settings(model: StudyModel, system: str, epochs: int | None, patience: int | None) -> TrainingSettings:
    """Return how a dense network of a study is trained.

    Parameters
    ----------
    epochs, patience : int or None
        Default: those of the recipe; without patience nothing stops early.
    """
    if model.as_paper:
        chosen = replace(
            paper_training(system, model.tasks), learning_rate=PAPER_LEARNING_RATE, epochs=epochs or PAPER_EPOCHS
        )
    else:
        loss = "log" if model.learnt_weights else BETTER.loss
        chosen = replace(BETTER, epochs=epochs or BETTER_EPOCHS, loss=loss)
    return replace(chosen, patience=patience or chosen.epochs + 1)


def baseline_fit(model: StudyModel, system: str, settings: StudySettings) -> Fit:
    """Return the function that trains what is no dense network."""
    if model.kind == "composition":
        return composition_fit
    if model.kind == "clusters":
        return cluster_expansion_fit
    if model.kind == "lattice":
        return _lattice_fit(model.tasks, system, settings.lattice_configurations)
    return lambda dataset: _trees(dataset, model.tasks[0])


def _lattice_fit(tasks: tuple[str, ...], system: str, at_most: int) -> Fit:
    from surrogate.fitting import network_fit
    from surrogate.recipes import resolve_settings

    network, training = resolve_settings(system, "lattice", tasks)
    fit = network_fit("lattice", tasks, network, replace(training, epochs=0))  # ridge regression alone is as good
    return lambda dataset: fit(dataset.select(np.arange(min(at_most, len(dataset)))))


def _trees(dataset: Dataset, task: str) -> Predictor:
    """Train XGBoost with its default settings on one task; of site properties every site has trees of its own."""
    import xgboost

    from surrogate.network_predictions import properties_of
    from surrogate.training import targets_of
    from surrogate.xgboost_oracle import N_TREES

    values = targets_of(dataset, (task,))[task].numpy()
    rows = xgboost.DMatrix(dataset.occupations.astype(np.float32), label=values)
    booster = xgboost.train({"objective": "reg:squarederror", "seed": 0}, rows, num_boost_round=N_TREES)

    def predict(occupations: np.ndarray) -> Properties:
        found = np.asarray(booster.inplace_predict(occupations.astype(np.float32)), dtype=np.float64)
        return properties_of({task: found}, len(occupations))

    return predict
