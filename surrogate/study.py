"""The accuracy study of the paper: many shuffled splits of one data set, many models, the same splits for all.

Every model has a file of its own with the report of each split; a study that was stopped goes on after the last
finished model, and dense networks, all splits of which are trained together, after their last checkpoint.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from surrogate.dataset import Dataset
from surrogate.evaluation import evaluate, symmetry_spread
from surrogate.fitting import Predictor, describe_dataset
from surrogate.kept_results import read_json, write_json
from surrogate.machine import gpu_name, require_gpu
from surrogate.network_predictions import predict
from surrogate.ordering import Ordering
from surrogate.settings import TrainingSettings
from surrogate.stacked_network import new_stack
from surrogate.stacked_training import Splits, StackedTraining, replicas_together
from surrogate.study_models import (
    StudyModel,
    baseline_fit,
    dense_settings,
    training_settings,
)
from surrogate.study_predictions import write_predictions
from surrogate.study_settings import StudySettings
from surrogate.study_splits import StudySplits, make_splits
from wanglandau.atomic_file import replacing
from wanglandau.orderly_end import Interrupted, stop_if_asked
from wanglandau.run_description import refuse_different
from wanglandau.run_lock import locked

SECONDS_BETWEEN_CHECKPOINTS = 60.0
SCHEMA = 1


@dataclass(frozen=True)
class ModelResult:
    """What a study found of one model.

    Attributes
    ----------
    model : StudyModel
    reports : list of dict
        One a split, see :func:`surrogate.evaluation.evaluate`.
    details : dict
        How it was trained: epochs, seconds, device.
    """

    model: StudyModel
    reports: list[dict[str, Any]]
    details: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Study:
    """What all models of a study have in common.

    Attributes
    ----------
    dataset : Dataset
    system : str
        cuau or fept for the widths and weights of the paper.
    settings : StudySettings
    folder : Path
        Made if need be.
    ordering : Ordering or None
        Every configuration of one composition by what labelled the data; None where nothing can be asked.
    quiet : bool
        Show no progress.
    """

    dataset: Dataset
    system: str
    settings: StudySettings
    folder: Path
    ordering: Ordering | None = None
    quiet: bool = False

    @cached_property
    def splits(self) -> StudySplits:
        """The same for all models."""
        return make_splits(self.dataset, self.settings.splits, self.settings.seed, self.settings.by_orbit)

    def report(self, number: int, model: StudyModel, predictor: Predictor) -> dict[str, Any]:
        """Evaluate what was trained on one split; of the first, keep what was predicted."""
        part = self.dataset.select(self.splits.test[number])
        predicted = predictor(part.occupations)
        report = evaluate(part, predicted)
        if number == 0:
            write_predictions(self.folder / f"{model.slug}.h5", part, predicted, model.tasks)
        if "energy" in model.tasks:
            spread = symmetry_spread(part, lambda rows: predictor(rows).energy, seed=number)
            report["symmetry_spread_mev_per_atom"] = spread["rms"]
            if self.ordering is not None and number < self.settings.ordering_splits:
                report["ordering"] = self.ordering.compare(lambda rows: predictor(rows).energy)
        return report

    def bar(self, **settings: Any) -> tqdm:
        """Return a progress bar, silent where standard error is no terminal."""
        return tqdm(leave=False, disable=True if self.quiet else None, **settings)


def run_study(study: Study, models: list[StudyModel]) -> list[ModelResult]:
    """Train and evaluate models, or take up what the folder holds of the same study.

    Raises
    ------
    InputError
        If the folder holds another study or is in use, or there is no such device.
    """
    folder = study.folder
    if study.settings.device == "cuda":
        require_gpu()
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock", str(folder)):
        _claim(study)
        return [
            _result(study, model)
            for model in tqdm(models, desc="models", unit="model", disable=True if study.quiet else None)
        ]


def _result(study: Study, model: StudyModel) -> ModelResult:
    """Train and evaluate a model, or take up what the folder holds of it."""
    file = study.folder / f"{model.slug}.json"
    if not file.is_file():
        started = time.perf_counter()
        reports, details = _dense(model, study) if model.kind == "dense" else _baseline(model, study)
        seconds = time.perf_counter() - started
        details |= {"seconds": seconds, "machine": _machine(study.settings.device)}
        write_json(file, {"reports": reports, "details": details})
    values = read_json(file, "reports", "details")
    return ModelResult(model, values["reports"], values["details"])


def _machine(device: str) -> str:
    return str(gpu_name()) if device == "cuda" else f"cpu, {torch.get_num_threads()} threads"


def _claim(study: Study) -> None:
    """Write down what the folder is for, or make sure that it is for this."""
    data = {name: value for name, value in describe_dataset(study.dataset).items() if name != "orbits"}
    wanted: dict[str, Any] = {
        "schema": SCHEMA, "system": study.system, "settings": study.settings.of_result(), "dataset": data,
    }  # fmt: skip
    file = study.folder / "study.json"
    if not file.is_file():
        write_json(file, wanted)
        return
    found = read_json(file)
    for part in ("settings", "dataset"):
        refuse_different(study.folder, found.get(part, {}), wanted[part], "choose another folder")


def _dense(model: StudyModel, study: Study) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Train one dense network for every split, as many together as the device likes; keep those that are done."""
    settings, dataset, done = study.settings, study.dataset, study.folder / f"{model.slug}.part.json"
    how = training_settings(model, study.system, settings.epochs_of(model.as_paper), settings.patience)
    found: dict[str, Any] = (
        read_json(done, "reports", "best_epochs", "epochs")
        if done.is_file()
        else {"reports": [], "best_epochs": [], "epochs": 0}
    )
    reports, best_epochs, epochs = found["reports"], found["best_epochs"], found["epochs"]
    first, second = dataset.reference_energies.tolist()
    pure = (first, second) if model.as_paper else None
    while len(reports) < settings.splits:
        group = replicas_together(settings.splits, settings.device)
        numbers = np.arange(len(reports), min(len(reports) + group, settings.splits))
        training = _stacked(model, study, numbers, how)
        checkpoint = study.folder / f"{model.slug}.{numbers[0]}.safetensors"
        _train(training, model, study, checkpoint)
        stack = training.finish().cpu()
        for place, number in enumerate(numbers.tolist()):
            predictor = partial(predict, stack.network(place), pure_energies=pure)
            reports.append(study.report(number, model, predictor))
        best_epochs += training.best_epoch.tolist()
        epochs = max(epochs, training.epoch)
        write_json(done, {"reports": reports, "best_epochs": best_epochs, "epochs": epochs})
        checkpoint.unlink(missing_ok=True)
    done.unlink(missing_ok=True)
    best = float(np.mean(best_epochs))
    return reports, {"epochs": epochs, "best_epoch_mean": best, "training": _plain(asdict(how))}


def _stacked(model: StudyModel, study: Study, numbers: np.ndarray, how: TrainingSettings) -> StackedTraining:
    """Prepare the training of the networks of some splits."""
    settings, splits, dataset = study.settings, study.splits, study.dataset
    seeds = numbers + 1000 * settings.seed
    stack = new_stack(dataset.lattice, model.tasks, dense_settings(study.system), seeds).to(settings.device)
    learnt = replace(dataset, reference_energies=np.zeros(2)) if model.as_paper else dataset
    averaging = 0.0 if model.as_paper else settings.averaging
    rows = Splits(splits.training[numbers], splits.validation[numbers], seeds)
    return StackedTraining(stack, learnt, rows, how, averaging)


def _train(training: StackedTraining, model: StudyModel, study: Study, checkpoint: Path) -> None:
    if checkpoint.is_file():
        training.load(load_file(checkpoint))
    written = time.monotonic()
    total = training.settings.epochs
    with study.bar(total=total, initial=training.epoch, desc=model.name, unit="epoch") as bar:
        while not training.finished:
            try:
                stop_if_asked()
            except Interrupted:
                _checkpoint(training, checkpoint)
                raise
            training.advance(1, bar.update)
            if time.monotonic() - written > SECONDS_BETWEEN_CHECKPOINTS:
                _checkpoint(training, checkpoint)
                written = time.monotonic()


def _checkpoint(training: StackedTraining, file: Path) -> None:
    state = {name: value.detach().cpu().contiguous() for name, value in training.state().items()}
    with replacing(file) as temporary:
        save_file(state, temporary)


def _baseline(model: StudyModel, study: Study) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Fit what is no dense network split after split; those done are kept in a file until all are."""
    fit, done = baseline_fit(model, study.system, study.settings), study.folder / f"{model.slug}.part.json"
    reports = read_json(done, "reports")["reports"] if done.is_file() else []
    total = study.settings.splits
    for number in study.bar(
        iterable=range(len(reports), total), total=total, initial=len(reports), desc=model.name, unit="split"
    ):
        predictor = fit(study.dataset.select(study.splits.training[number]))
        reports.append(study.report(number, model, predictor))
        write_json(done, {"reports": reports})
    done.unlink(missing_ok=True)
    return reports, {}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: dict(value) if isinstance(value, dict) else value for name, value in values.items()}
