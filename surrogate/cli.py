"""The console program ``surrogate``: train models and say how good and how fast they are."""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from surrogate.data_commands import import_structures, import_text, label
from surrogate.ensemble_commands import cross_validated_ensemble, ensemble_settings, train_ensemble
from surrogate.learning_curve_command import learning_curve
from surrogate.recipes import ModelOptions
from surrogate.settings import TASKS
from surrogate.study_command import study
from surrogate.time_command import time_models
from wanglandau.command_line import Command, Report, run_program
from wanglandau.errors import InputError

if TYPE_CHECKING:
    from surrogate.dataset import Dataset
    from surrogate.fitting import Fit
    from wanglandau.oracle import EnergyOracle
    from wanglandau.systems import System

ArchitectureName = Literal["lattice", "dense", "xgboost"]

_NO_OPTIONS = ModelOptions()


def train(
    system: str,
    /,
    *,
    architecture: ArchitectureName = "lattice",
    tasks: str | None = None,
    dataset: Path | None = None,
    out: Path | None = None,
    members: int | None = None,
    member_fraction: float | None = None,
    paper: bool = False,
    options: ModelOptions = _NO_OPTIONS,
) -> Report:
    """Train a surrogate on first-principles data and write it with its card.

    Without further settings the shipped data of the system and the shipped recipe of the architecture are taken, which
    makes the shipped artefact again.

    Parameters
    ----------
    system : str
        cuau, fept or a TOML file that describes another lattice.
    architecture : str
        lattice (any cell of the lattice), dense (the networks of the paper) or xgboost.
    tasks : str
        What to learn, such as energy,charge; everything the data set has unless said otherwise.
    dataset : Path
        Data set to learn from instead of the shipped one: an HDF5 file or a folder of published text files.
    out : Path
        Artefact to write; SYSTEM-ARCHITECTURE.safetensors (.ubj for xgboost) unless said otherwise, with -ensemble
        behind the architecture where there are members.
    members : int
        Train an ensemble of so many networks, which differ by seed and by the orbits left out, instead of one; at
        least 4, and 8 is a good number.
    member_fraction : float
        Share of the orbits that each member is trained on; 0.75 unless said otherwise.
    paper : bool
        Take loss, batches and task weights of the paper instead of the recipe's training.
    options : ModelOptions
        Settings that override the recipe.
    """
    from surrogate.data_source import load_any
    from wanglandau.systems import load_system

    started = time.perf_counter()
    chosen = load_system(system)
    data = load_any(dataset, chosen)
    learnt = _tasks(tasks, data, architecture)
    suffix = "ubj" if architecture == "xgboost" else "safetensors"
    several = ensemble_settings(members, member_fraction, architecture)
    target = out or Path(f"{chosen.name}-{architecture}{'-ensemble' if several else ''}.{suffix}")
    if not target.parent.is_dir():
        raise InputError(f"folder {target.parent} does not exist; make it first")
    known: dict[str, Any] = {}
    if architecture == "xgboost":
        metrics = _train_trees(data, options, target)
    elif several is not None:
        settings = _resolved(chosen, architecture, learnt, options, paper)
        metrics, known = train_ensemble(data, architecture, learnt, settings, several, target)
    else:
        metrics = _train_network(chosen, data, architecture, learnt, options, paper, target)
    seconds = time.perf_counter() - started
    values = {
        "artefact": target,
        "system": chosen.name,
        "architecture": architecture,
        "tasks": learnt,
        "dataset_digest": data.digest,
        "seconds": seconds,
        "metrics_on_training_data": metrics,
    } | known
    kind = f"ensemble of {several.members} {architecture} surrogates" if several else f"{architecture} surrogate"
    lines = [f"wrote {target}: {kind} of {len(data)} configurations, {seconds:.0f} s", *_lines(known)]
    return Report("\n".join([*lines, "errors on the data it was trained on:", *_lines(metrics)]), values)


def evaluate(
    system: str,
    /,
    *,
    oracle: str | None = None,
    artefact: Path | None = None,
    dataset: Path | None = None,
    cross_validate: int | None = None,
    repeats: int = 1,
    fold_seed: int = 0,
    architecture: ArchitectureName = "lattice",
    tasks: str | None = None,
    members: int | None = None,
    member_fraction: float | None = None,
    paper: bool = False,
    options: ModelOptions = _NO_OPTIONS,
) -> Report:
    """Compare a surrogate, or any oracle, with first-principles data.

    With --cross-validate the model is trained anew on all but one part of the data for each part in turn; equivalent
    configurations stay together. Energies are mixing energies in meV per atom.

    Parameters
    ----------
    system : str
        cuau, fept or a TOML file that describes another lattice.
    oracle : str
        What to evaluate, as in wanglandau --oracle; the shipped surrogate unless said otherwise.
    artefact : Path
        File written by surrogate train, single or ensemble, instead of an oracle.
    dataset : Path
        Data set to compare with instead of the shipped one: an HDF5 file or a folder of published text files.
    cross_validate : int
        Number of parts; trains the architecture with its recipe instead of evaluating an oracle.
    repeats : int
        How often to cross-validate with other parts.
    fold_seed : int
        Seed of the parts.
    architecture : str
        What to cross-validate: lattice, dense or xgboost.
    tasks : str
        What to learn in cross-validation, such as energy,charge.
    members : int
        Cross-validate ensembles of so many networks, and how well their spread tells their error.
    member_fraction : float
        Share of the orbits that each member is trained on in cross-validation; 0.75 unless said otherwise.
    paper : bool
        Cross-validate with loss, batches and task weights of the paper.
    options : ModelOptions
        Settings that override the recipe in cross-validation.
    """
    from surrogate.data_source import load_any
    from wanglandau.systems import load_system

    chosen = load_system(system)
    data = load_any(dataset, chosen)
    several = ensemble_settings(members, member_fraction, architecture)
    if cross_validate is None:
        _refuse_training_options(tasks, paper or several is not None, options)
        values = _evaluate_oracle(chosen, data, oracle, artefact)
    else:
        if oracle is not None or artefact is not None:
            raise InputError("--cross-validate trains its own models; leave --oracle and --artefact out")
        folds = (cross_validate, repeats, fold_seed)
        if several is None:
            fit = _make_fit(chosen, data, architecture, tasks, paper, options)
            values = _cross_validated(data, {architecture: fit}, *folds)
        else:
            learnt = _tasks(tasks, data, architecture)
            settings = _resolved(chosen, architecture, learnt, options, paper)
            values = cross_validated_ensemble(data, architecture, learnt, settings, several, folds)
    return Report("\n".join(_lines(values)), values)


def main(arguments: list[str] | None = None) -> int:
    """Run the program and return its exit code."""
    description = "Train multitask surrogates of first-principles energies and say how good and how fast they are."
    commands: dict[str, Command] = {
        "train": train,
        "evaluate": evaluate,
        "study": study,
        "learning-curve": learning_curve,
        "time": time_models,
        "label": label,
        "import-text": import_text,
        "import-structures": import_structures,
    }
    return run_program("surrogate", description, commands, arguments)


def _tasks(tasks: str | None, data: Dataset, architecture: str) -> tuple[str, ...]:
    from surrogate.settings import check_tasks

    if architecture == "xgboost":
        if tasks not in (None, "energy"):
            raise InputError(f"tasks are {tasks}; xgboost learns the energy only")
        return ("energy",)
    if tasks is not None:
        return check_tasks(tuple(tasks.split(",")))
    present = {"energy": data.energy, "charge": data.charge, "moment": data.moment}
    return tuple(task for task in TASKS if present[task] is not None)


def _train_network(
    system: System, data: Dataset, architecture: str, tasks: tuple[str, ...], options: Any, paper: bool, target: Path
) -> dict[str, Any]:
    from surrogate.artefact import save_artefact
    from surrogate.evaluation import evaluate as compare
    from surrogate.fitting import fit_network
    from surrogate.oracle import SurrogateOracle

    network, training = _resolved(system, architecture, tasks, options, paper)
    made = fit_network(data, architecture, tasks, network, training)
    metrics = compare(data, SurrogateOracle(made, data.lattice).properties(data.occupations))
    save_artefact(target, made.arrays, dataclasses.replace(made.card, metrics=metrics))
    return metrics


def _resolved(system: System, architecture: str, tasks: tuple[str, ...], options: Any, paper: bool) -> tuple[Any, Any]:
    from surrogate.recipes import resolve_settings

    return resolve_settings(system.name, architecture, tasks, options, as_paper=paper)


def _train_trees(data: Dataset, options: Any, target: Path) -> dict[str, Any]:
    from surrogate.evaluation import evaluate as compare
    from surrogate.xgboost_oracle import fit_xgboost

    trees = fit_xgboost(data, _seed_of_trees(options))
    trees.save(target)
    return compare(data, trees.properties(data.occupations))


def _seed_of_trees(options: Any) -> int:
    said = [name for name, value in vars(options).items() if value is not None and name != "seed"]
    if said:
        raise InputError(f"{said[0]} is no setting of xgboost, which is trained with its defaults; leave it out")
    return options.seed or 0


def _make_fit(system: System, data: Dataset, architecture: str, tasks: str | None, paper: bool, options: Any) -> Fit:
    from surrogate.fitting import network_fit

    learnt = _tasks(tasks, data, architecture)
    if architecture == "xgboost":
        from surrogate.xgboost_oracle import fit_xgboost

        seed = _seed_of_trees(options)
        return lambda part: fit_xgboost(part, seed).properties
    return network_fit(architecture, learnt, *_resolved(system, architecture, learnt, options, paper))


def _refuse_training_options(tasks: str | None, paper: bool, options: Any) -> None:
    if tasks is not None or paper or any(value is not None for value in vars(options).values()):
        raise InputError("settings of the training matter only with --cross-validate; add it or leave them out")


def _cross_validated(data: Dataset, fits: dict[str, Fit], n_folds: int, repeats: int, seed: int) -> dict[str, Any]:
    from tqdm import tqdm

    from surrogate.evaluation import BASELINES, cross_validate

    (name,) = fits
    with tqdm(total=n_folds * repeats, desc="cross-validation", unit="fold", disable=None) as bar:
        reports = cross_validate(data, fits | BASELINES, n_folds, repeats, seed, advance=bar.update)
    own = {"model": f"{name}, {n_folds}-fold cross-validation over orbits, repeated {repeats} times"}
    return own | reports.pop(name) | {"baselines": reports}


def _evaluate_oracle(system: System, data: Dataset, oracle: str | None, artefact: Path | None) -> dict[str, Any]:
    from surrogate.dataset import SHIPPED, load_dataset
    from surrogate.evaluation import evaluate_oracle

    name, found = _find_oracle(system, oracle, artefact)
    shipped = load_dataset(system.name) if system.name in SHIPPED else None
    return {"model": name} | evaluate_oracle(data, found, shipped)


def _find_oracle(system: System, oracle: str | None, artefact: Path | None) -> tuple[str, EnergyOracle]:
    from surrogate.ensemble_artefact import load_model
    from surrogate.oracle import make_oracle
    from wanglandau.oracle_registry import load_oracle

    if artefact is None:
        specification = oracle or "surrogate"
        return specification, load_oracle(specification, system)
    if oracle is not None:
        raise InputError("give --oracle or --artefact, not both")
    if artefact.suffix in (".ubj", ".json"):
        return str(artefact), load_oracle(f"xgboost:{artefact}", system)
    return str(artefact), make_oracle(load_model(artefact), system.lattice)


def _lines(values: dict[str, Any]) -> list[str]:
    """Lay out a report for people: single numbers, then one line for each group."""
    lines = [f"{name:66} {_short(value)}" for name, value in values.items() if not isinstance(value, dict)]
    for name, group in values.items():
        if name == "baselines":
            key = "mixing_energy_rmse_within_composition_mev_per_atom"
            lines += [f"baseline {label + ': ' + key:57} {_short(report.get(key))}" for label, report in group.items()]
        elif isinstance(group, dict) and name != "by_composition":
            lines += [f"{name}:", *(f"  {_short_group(key, value)}" for key, value in group.items())]
    return lines


def _short_group(name: str, value: Any) -> str:
    if not isinstance(value, dict):
        return f"{name} {_short(value)}"
    return f"{name}: " + ", ".join(f"{key} {_short(item)}" for key, item in value.items() if not isinstance(item, dict))


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
