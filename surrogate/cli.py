"""The console program ``surrogate``: train models and say how good and how fast they are."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surrogate.data_commands import import_structures, import_text, label
from surrogate.ensemble_commands import cross_validated_ensemble, ensemble_settings
from surrogate.learning_curve_command import learning_curve
from surrogate.recipes import ModelOptions
from surrogate.report_lines import lines_of
from surrogate.study_command import study
from surrogate.time_command import time_models
from surrogate.train_command import train
from surrogate.training_options import NO_OPTIONS, ArchitectureName, resolved, seed_of_trees, tasks_of
from wanglandau.command_line import Command, Report, run_program
from wanglandau.errors import InputError
from wanglandau.orderly_end import ends_in_order

if TYPE_CHECKING:
    from surrogate.dataset import Dataset
    from surrogate.fitting import Fit
    from wanglandau.oracle import EnergyOracle
    from wanglandau.systems import System


@ends_in_order("nothing was written; the same command begins anew")
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
    options: ModelOptions = NO_OPTIONS,
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
            learnt = tasks_of(tasks, data, architecture)
            settings = resolved(chosen, architecture, learnt, options, paper)
            values = cross_validated_ensemble(data, architecture, learnt, settings, several, folds)
    return Report("\n".join(lines_of(values)), values)


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


def _make_fit(system: System, data: Dataset, architecture: str, tasks: str | None, paper: bool, options: Any) -> Fit:
    from surrogate.fitting import network_fit

    learnt = tasks_of(tasks, data, architecture)
    if architecture == "xgboost":
        from surrogate.xgboost_oracle import fit_xgboost

        seed = seed_of_trees(options)
        return lambda part: fit_xgboost(part, seed).properties
    return network_fit(architecture, learnt, *resolved(system, architecture, learnt, options, paper))


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


if __name__ == "__main__":
    sys.exit(main())
