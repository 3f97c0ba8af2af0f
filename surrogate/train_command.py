"""``surrogate train``."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surrogate.ensemble_commands import ensemble_settings, known_of, train_ensemble
from surrogate.recipes import ModelOptions
from surrogate.report_lines import report_lines
from surrogate.training_options import NO_OPTIONS, ArchitectureName, resolved, seed_of_trees, tasks_of
from wanglandau.command_line import Report
from wanglandau.errors import InputError
from wanglandau.keeping_settings import KeepingSettings
from wanglandau.orderly_end import ends_in_order

if TYPE_CHECKING:
    from surrogate.artefact import Card
    from surrogate.dataset import Dataset
    from surrogate.ensemble_artefact import EnsembleCard
    from surrogate.model_keeping import ModelKeeper
    from surrogate.settings import EnsembleSettings, TrainingSettings
    from wanglandau.systems import System


@ends_in_order("nothing was kept yet; the same command begins anew")
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
    options: ModelOptions = NO_OPTIONS,
    figure: Path | None = None,
    keeping: KeepingSettings,
) -> Report:
    """Train a surrogate on first-principles data and write it with its card.

    Without further settings the shipped data of the system and the shipped recipe of the architecture are taken, which
    makes the shipped artefact again. Signals and --max-walltime end it with a checkpoint beside the artefact and exit
    code 75; --resume goes on, on a CPU bit for bit as if nothing had been. (Boosted trees take seconds and begin anew.)

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
    keeping : KeepingSettings
        Checkpoints.
    """
    from surrogate.artefact import Artefact, Card
    from surrogate.data_source import load_any
    from surrogate.model_keeping import ModelKeeper
    from surrogate.training_history import History
    from wanglandau.commands.preparation import check_figure
    from wanglandau.result_keeper import keeping as kept_on_disk
    from wanglandau.systems import load_system

    started = time.perf_counter()
    check_figure(figure)
    chosen = load_system(system)
    data = load_any(dataset, chosen)
    learnt = tasks_of(tasks, data, architecture)
    suffix = "ubj" if architecture == "xgboost" else "safetensors"
    several = ensemble_settings(members, member_fraction, architecture)
    target = out or Path(f"{chosen.name}-{architecture}{'-ensemble' if several else ''}.{suffix}")
    if not target.parent.is_dir():
        raise InputError(f"folder {target.parent} does not exist; make it first")
    seed = seed_of_trees(options) if architecture == "xgboost" else 0
    settings = None if architecture == "xgboost" else resolved(chosen, architecture, learnt, options, paper)
    task = _Task(chosen, data, architecture, learnt, settings, several, seed)
    with kept_on_disk(target, task.of_result(), keeping, [Artefact, Card, History]) as keeper:
        found = task.finished(target) if keeping.resume and keeper.state is None else None
        metrics, known = found or task.run(target, ModelKeeper(keeper))
        keeper.remove()
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
    done = "was finished before" if found else f"{seconds:.0f} s"
    lines = [f"wrote {target}: {kind} of {len(data)} configurations, {done}", *report_lines(known)]
    lines += ["errors on the data it was trained on:", *report_lines(metrics)]
    if figure is not None:
        _draw(figure, chosen, data, target)
        lines.append(f"written to {figure}")
    return Report("\n".join(lines), values)


def _draw(figure: Path, system: System, data: Dataset, artefact: Path) -> None:
    from surrogate.evaluate_command import find_oracle
    from surrogate.evaluation import predict
    from surrogate.parity import Parity

    parity = Parity()
    _, model = find_oracle(system, None, artefact)
    parity.keep(data, predict(model, data.occupations))
    parity.draw(figure, f"{artefact.name} on its own training data", str(data.attributes.get("caution", "")))


_Known = tuple[dict[str, Any], dict[str, Any]]
"""Metrics on the training data, and what else is known."""


@dataclass(frozen=True, eq=False)
class _Task:
    """What is to be trained."""

    system: System
    data: Dataset
    architecture: str
    tasks: tuple[str, ...]
    settings: tuple[Any, TrainingSettings] | None
    several: EnsembleSettings | None
    tree_seed: int

    def of_result(self) -> dict[str, Any]:
        """Return everything that the result depends on."""
        parts = {} if self.settings is None else {"network": self.settings[0], "training": self.settings[1]}
        parts |= {} if self.several is None else {"ensemble": self.several}
        return {
            "system": self.system.name,
            "dataset": self.data.digest,
            "architecture": self.architecture,
            "tasks": self.tasks,
            "tree_seed": self.tree_seed,
        } | {f"{part}.{name}": value for part, of in parts.items() for name, value in asdict(of).items()}

    def run(self, target: Path, keeper: ModelKeeper) -> _Known:
        """Train, from the checkpoint where there is one, and write the artefact."""
        if self.settings is None:
            return self._train_trees(target), {}
        if self.several is not None:
            return train_ensemble(self.data, self.architecture, self.tasks, self.settings, self.several, target, keeper)
        return self._train_network(*self.settings, target, keeper), {}

    def _train_network(
        self, network: Any, training: TrainingSettings, target: Path, keeper: ModelKeeper
    ) -> dict[str, Any]:
        from surrogate.artefact import save_artefact
        from surrogate.evaluation import evaluate as compare
        from surrogate.fitting import fit_network
        from surrogate.oracle import SurrogateOracle

        made = fit_network(self.data, self.architecture, self.tasks, network, training, keeper=keeper)
        metrics = compare(self.data, SurrogateOracle(made, self.data.lattice).properties(self.data.occupations))
        save_artefact(target, made.arrays, dataclasses.replace(made.card, metrics=metrics))
        return metrics

    def _train_trees(self, target: Path) -> dict[str, Any]:
        from surrogate.evaluation import evaluate as compare
        from surrogate.xgboost_oracle import fit_xgboost

        trees = fit_xgboost(self.data, self.tree_seed)
        trees.save(target)
        return compare(self.data, trees.properties(self.data.occupations))

    def finished(self, target: Path) -> _Known | None:
        """Return what is known of an artefact that is just what is to be trained, None where there is none.

        Raises
        ------
        InputError
            If another model has the name.
        """
        from surrogate.ensemble_artefact import Ensemble, load_model
        from wanglandau.run_description import refuse_different

        if self.settings is None or not target.exists():
            return None
        model = load_model(target)
        first = model.card.members[0] if isinstance(model, Ensemble) else model.card
        refuse_different(target, self._described(model.card, first), self._wanted())
        return model.card.metrics, known_of(model.card) if isinstance(model, Ensemble) else {}

    def _described(self, card: Card | EnsembleCard, first: Card) -> dict[str, Any]:
        training = {name: value for name, value in first.training.items() if name != "best_epoch"}
        found = {"dataset": card.dataset["digest"], "architecture": first.architecture, "tasks": first.tasks}
        found |= {f"network.{name}": value for name, value in first.network.items()}
        found |= {f"training.{name}": value for name, value in training.items()}
        left_out = getattr(card, "left_out", None)
        return found | {"left_out": None if left_out is None else [one["n_orbits"] for one in left_out]}

    def _wanted(self) -> dict[str, Any]:
        from surrogate.ensemble_fitting import unseen_orbits
        from surrogate.fitting import plain

        assert self.settings is not None
        network, training = (plain(asdict(part)) for part in self.settings)
        wanted = {"dataset": self.data.digest, "architecture": self.architecture, "tasks": list(self.tasks)}
        wanted |= {f"network.{name}": value for name, value in network.items()}
        wanted |= {f"training.{name}": value for name, value in training.items()}
        if self.several is None:
            return wanted | {"left_out": None}
        return wanted | {"left_out": unseen_orbits(self.data, self.several, self.settings[1].seed)}
