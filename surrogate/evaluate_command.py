"""``surrogate evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from surrogate.ensemble_commands import cross_validated_ensemble, ensemble_settings
from surrogate.recipes import ModelOptions
from surrogate.report_lines import report_lines
from surrogate.training_options import NO_OPTIONS, ArchitectureName, make_fit, resolved, tasks_of
from wanglandau.command_line import Report
from wanglandau.errors import InputError
from wanglandau.orderly_end import ends_in_order

if TYPE_CHECKING:
    from surrogate.dataset import Dataset
    from surrogate.fitting import Fit
    from surrogate.parity import Parity
    from wanglandau.oracle import EnergyOracle, Properties
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
    figure: Path | None = None,
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
    figure : Path
        Draw predictions and their errors against the data into this file (PNG, PDF or SVG).
    """
    from surrogate.data_source import load_any
    from surrogate.parity import Parity
    from wanglandau.commands.preparation import check_figure
    from wanglandau.systems import load_system

    check_figure(figure)
    chosen = load_system(system)
    parity = Parity()
    data = load_any(dataset, chosen)
    several = ensemble_settings(members, member_fraction, architecture)
    if cross_validate is None:
        _refuse_training_options(tasks, paper or several is not None, options)
        values = _evaluate_oracle(chosen, data, oracle, artefact, parity)
    else:
        if oracle is not None or artefact is not None:
            raise InputError("--cross-validate trains its own models; leave --oracle and --artefact out")
        folds = (cross_validate, repeats, fold_seed)
        if several is None:
            fit = make_fit(chosen, data, architecture, tasks, paper, options)
            values = _cross_validated(data, {architecture: fit}, folds, parity)
        else:
            learnt = tasks_of(tasks, data, architecture)
            settings = resolved(chosen, architecture, learnt, options, paper)
            values = cross_validated_ensemble(data, architecture, learnt, settings, several, folds, parity.keep)
    lines = report_lines(values)
    if figure is not None:
        parity.draw(figure, str(values["model"]), str(data.attributes.get("caution", "")))
        lines.append(f"written to {figure}")
    return Report("\n".join(lines), values)


def _refuse_training_options(tasks: str | None, paper: bool, options: Any) -> None:
    if tasks is not None or paper or any(value is not None for value in vars(options).values()):
        raise InputError("settings of the training matter only with --cross-validate; add it or leave them out")


def _cross_validated(
    data: Dataset, fits: dict[str, Fit], folds: tuple[int, int, int], parity: Parity
) -> dict[str, Any]:
    from tqdm import tqdm

    from surrogate.evaluation import BASELINES, cross_validate

    (name,), (n_folds, repeats, seed) = fits, folds

    def keep(model: str, pooled: Dataset, predicted: Properties) -> None:
        if model == name:
            parity.keep(pooled, predicted)

    with tqdm(total=n_folds * repeats, desc="cross-validation", unit="fold", disable=None) as bar:
        reports = cross_validate(data, fits | BASELINES, n_folds, repeats, seed, advance=bar.update, keep=keep)
    own = {"model": f"{name}, {n_folds}-fold cross-validation over orbits, repeated {repeats} times"}
    return own | reports.pop(name) | {"baselines": reports}


def _evaluate_oracle(
    system: System, data: Dataset, oracle: str | None, artefact: Path | None, parity: Parity
) -> dict[str, Any]:
    from surrogate.dataset import SHIPPED, load_dataset
    from surrogate.evaluation import evaluate_oracle

    name, found = find_oracle(system, oracle, artefact)
    shipped = load_dataset(system.name) if system.name in SHIPPED else None
    return {"model": name} | evaluate_oracle(data, found, shipped, keep=parity.keep)


def find_oracle(system: System, oracle: str | None, artefact: Path | None) -> tuple[str, EnergyOracle]:
    """Load an oracle by its name, or a file written by ``surrogate train``; return what to call it, too."""
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
