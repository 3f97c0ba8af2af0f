"""The console program ``surrogate``: train models and say how good and how fast they are."""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surrogate.chosen_training import ArchitectureName, resolved, seed_of_trees, tasks_to_learn
from surrogate.data_commands import import_text, label
from surrogate.ensemble_commands import ensemble_settings, train_ensemble
from surrogate.evaluate_command import evaluate, find_oracle
from surrogate.learning_curve_command import learning_curve
from surrogate.recipes import ModelOptions
from surrogate.report_lines import report_lines
from surrogate.study_command import study
from surrogate.time_command import time_models
from wanglandau.command_line import Command, Report, run_program

if TYPE_CHECKING:
    from surrogate.dataset import Dataset
    from wanglandau.systems import System

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
    figure: Path | None = None,
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
    figure : Path
        Draw predictions and their errors against the training data into this file (PNG, PDF or SVG); for errors on
        other data see evaluate.
    """
    from surrogate.data_source import load_any
    from wanglandau.commands.preparation import check_figure, check_writable
    from wanglandau.systems import load_system

    started = time.perf_counter()
    check_figure(figure)
    chosen = load_system(system)
    data = load_any(dataset, chosen)
    learnt = tasks_to_learn(tasks, data, architecture)
    suffix = "ubj" if architecture == "xgboost" else "safetensors"
    several = ensemble_settings(members, member_fraction, architecture)
    target = out or Path(f"{chosen.name}-{architecture}{'-ensemble' if several else ''}.{suffix}")
    check_writable(target)
    known: dict[str, Any] = {}
    if architecture == "xgboost":
        metrics = _train_trees(data, options, target)
    elif several is not None:
        settings = resolved(chosen, architecture, learnt, options, paper)
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
    lines = [f"wrote {target}: {kind} of {len(data)} configurations, {seconds:.0f} s", *report_lines(known)]
    lines += ["errors on the data it was trained on:", *report_lines(metrics)]
    if figure is not None:
        _draw(figure, chosen, data, target)
        lines.append(f"written to {figure}")
    return Report("\n".join(lines), values)


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
    }
    return run_program("surrogate", description, commands, arguments)


def _draw(figure: Path, system: System, data: Dataset, artefact: Path) -> None:
    from surrogate.evaluation import predict
    from surrogate.parity import Parity

    parity = Parity()
    _, model = find_oracle(system, None, artefact)
    parity.keep(data, predict(model, data.occupations))
    parity.draw(figure, f"{artefact.name} on its own training data", str(data.attributes.get("caution", "")))


def _train_network(
    system: System, data: Dataset, architecture: str, tasks: tuple[str, ...], options: Any, paper: bool, target: Path
) -> dict[str, Any]:
    from surrogate.artefact import save_artefact
    from surrogate.evaluation import evaluate as compare
    from surrogate.fitting import fit_network
    from surrogate.oracle import SurrogateOracle

    network, training = resolved(system, architecture, tasks, options, paper)
    made = fit_network(data, architecture, tasks, network, training)
    metrics = compare(data, SurrogateOracle(made, data.lattice).properties(data.occupations))
    save_artefact(target, made.arrays, dataclasses.replace(made.card, metrics=metrics))
    return metrics


def _train_trees(data: Dataset, options: Any, target: Path) -> dict[str, Any]:
    from surrogate.evaluation import evaluate as compare
    from surrogate.xgboost_oracle import fit_xgboost

    trees = fit_xgboost(data, seed_of_trees(options))
    trees.save(target)
    return compare(data, trees.properties(data.occupations))


if __name__ == "__main__":
    sys.exit(main())
