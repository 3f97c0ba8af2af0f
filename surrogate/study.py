"""The accuracy study of the paper: many shuffled splits of one data set, many models, the same splits for all.

Every model has a file of its own with the report of each split; a study that was stopped goes on after the last
finished model, and dense networks, all splits of which are trained together, after their last checkpoint.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from surrogate.artefact import write_atomically
from surrogate.dataset import Dataset
from surrogate.dense_network import DenseNetwork
from surrogate.evaluation import evaluate, symmetry_spread
from surrogate.fitting import describe_dataset
from surrogate.stacked_network import StackedDenseNetwork
from surrogate.stacked_training import Splits, StackedTraining
from surrogate.study_models import (
    StudyModel,
    baseline_fit,
    dense_settings,
    properties_of,
    training_settings,
)
from surrogate.study_settings import StudySettings
from surrogate.study_splits import StudySplits, make_splits
from surrogate.training import make_network
from wanglandau.errors import InputError
from wanglandau.oracle import Properties

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


def run_study(
    dataset: Dataset, system: str, models: list[StudyModel], settings: StudySettings, folder: Path, quiet: bool = False
) -> list[ModelResult]:
    """Train and evaluate models, or take up what the folder holds of the same study.

    Parameters
    ----------
    dataset : Dataset
    system : str
        cuau or fept for the widths and weights of the paper.
    models : list of StudyModel
    settings : StudySettings
    folder : Path
        Made if need be.
    quiet : bool
        Show no progress.

    Raises
    ------
    InputError
        If the folder holds another study, or there is no such device.
    """
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda was asked for, but torch sees no GPU here; take --device cpu")
    folder.mkdir(parents=True, exist_ok=True)
    _claim(folder, dataset, system, settings)
    splits = make_splits(dataset, settings.splits, settings.seed, settings.by_orbit)
    results = []
    for model in tqdm(models, desc="models", unit="model", disable=True if quiet else None):
        file = folder / f"{model.slug}.json"
        if not file.is_file():
            started = time.perf_counter()
            run = _dense if model.kind == "dense" else _baseline
            reports, details = run(model, dataset, system, splits, settings, folder, quiet)
            details |= {"seconds": time.perf_counter() - started, "machine": _machine(settings.device)}
            _write_json(file, {"reports": reports, "details": details})
        values = _read_json(file)
        results.append(ModelResult(model, values["reports"], values["details"]))
    return results


def _machine(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else f"cpu, {torch.get_num_threads()} threads"


def _claim(folder: Path, dataset: Dataset, system: str, settings: StudySettings) -> None:
    """Write down what the folder is for, or make sure that it is for this."""
    data = {name: value for name, value in describe_dataset(dataset).items() if name != "orbits"}
    wanted: dict[str, Any] = {"schema": SCHEMA, "system": system, "settings": settings.of_result(), "dataset": data}
    file = folder / "study.json"
    if not file.is_file():
        _write_json(file, wanted)
        return
    found = _read_json(file)
    for part in ("settings", "dataset"):
        there = found.get(part, {})
        for name, value in dict(wanted[part]).items():
            if there.get(name) != value:
                raise InputError(
                    f"{folder} holds a study with {name} {there.get(name)!r}, not {value!r}; choose another folder"
                )


def _dense(
    model: StudyModel,
    dataset: Dataset,
    system: str,
    splits: StudySplits,
    settings: StudySettings,
    folder: Path,
    quiet: bool,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Train one dense network for every split, all together."""
    epochs = settings.paper_epochs if model.as_paper else settings.epochs
    how = training_settings(model, system, epochs, settings.patience)
    seeds = np.arange(settings.splits) + 1000 * settings.seed
    build = dense_settings(system)
    networks = [make_network(lambda: DenseNetwork(dataset.lattice, model.tasks, build), int(s)) for s in seeds]
    stack = StackedDenseNetwork(networks).to(settings.device)  # type: ignore[arg-type]
    learnt = replace(dataset, reference_energies=np.zeros(2)) if model.as_paper else dataset
    training = StackedTraining(stack, learnt, Splits(splits.training, splits.validation, seeds), how)
    _train(training, model, folder / f"{model.slug}.safetensors", quiet)
    stack = training.finish().cpu()
    reports = []
    for number, test in enumerate(splits.test):
        network = stack.network(number)
        part = dataset.select(test)
        report = evaluate(part, _predict(network, dataset, part.occupations, model.as_paper))
        if "energy" in model.tasks:
            spread = symmetry_spread(part, lambda rows, net=network: _energies(net, rows), seed=number)  # type: ignore[misc]
            report["symmetry_spread_mev_per_atom"] = spread["rms"]
        reports.append(report)
    best = training.best_epoch.double().mean()
    return reports, {"epochs": training.epoch, "best_epoch_mean": float(best), "training": _plain(asdict(how))}


def _train(training: StackedTraining, model: StudyModel, checkpoint: Path, quiet: bool) -> None:
    if checkpoint.is_file():
        training.load(load_file(checkpoint))
    written = time.monotonic()
    total = training.settings.epochs
    with tqdm(
        total=total, initial=training.epoch, desc=model.name, unit="epoch", leave=False, disable=True if quiet else None
    ) as bar:
        while not training.finished:
            training.advance(1, bar.update)
            if time.monotonic() - written > SECONDS_BETWEEN_CHECKPOINTS:
                _checkpoint(training, checkpoint)
                written = time.monotonic()
    checkpoint.unlink(missing_ok=True)


def _checkpoint(training: StackedTraining, file: Path) -> None:
    temporary = file.with_suffix(".part")
    save_file({name: value.detach().cpu().contiguous() for name, value in training.state().items()}, temporary)
    temporary.replace(file)


@torch.no_grad()
def _outputs(network: DenseNetwork, occupations: np.ndarray) -> dict[str, np.ndarray]:
    return {task: values.numpy() for task, values in network(network.inputs(occupations)).items()}


def _energies(network: DenseNetwork, occupations: np.ndarray) -> np.ndarray:
    return _outputs(network, occupations)["energy"]


def _predict(network: DenseNetwork, dataset: Dataset, occupations: np.ndarray, of_total: bool) -> Properties:
    values = _outputs(network, occupations)
    if of_total and "energy" in values:
        second = occupations.sum(axis=1, dtype=np.int64)
        first_energy, second_energy = dataset.reference_energies
        pure = (occupations.shape[1] - second) * first_energy + second * second_energy
        values["energy"] = values["energy"] - pure
    return properties_of(values, len(occupations))


def _baseline(
    model: StudyModel,
    dataset: Dataset,
    system: str,
    splits: StudySplits,
    settings: StudySettings,
    folder: Path,
    quiet: bool,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    fit = baseline_fit(model, system)
    rows = zip(splits.training, splits.test, strict=True)
    reports = []
    for training, test in tqdm(
        rows, total=settings.splits, desc=model.name, unit="split", leave=False, disable=True if quiet else None
    ):
        part = dataset.select(test)
        reports.append(evaluate(part, fit(dataset.select(training))(part.occupations)))
    return reports, {}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: dict(value) if isinstance(value, dict) else value for name, value in values.items()}


def _write_json(file: Path, values: dict[str, Any]) -> None:
    write_atomically(file, (json.dumps(values, indent=1, sort_keys=True) + "\n").encode())


def _read_json(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file} is damaged: {error}; delete it to have it made again") from error
    if not isinstance(values, dict):
        raise InputError(f"{file} is damaged: no JSON object; delete it to have it made again")
    return values
