"""The models whose times are compared: what comes with the package, and what is trained or given in addition."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from surrogate.architectures import find_architecture
from surrogate.artefact import Artefact, save_artefact
from surrogate.dataset import SHIPPED, Dataset, load_dataset
from surrogate.ensemble_artefact import load_model
from surrogate.oracle import shipped_artefact
from wanglandau.errors import InputError
from wanglandau.systems import System

EPOCHS = 3
"""Of the one-task network trained only to be timed: its speed does not depend on what it has learnt."""
TREE_SUFFIXES = (".ubj", ".json")


@dataclasses.dataclass(frozen=True)
class TimedModel:
    """A model on a device.

    Attributes
    ----------
    name : str
        For people.
    specification : str
        As after ``--oracle``.
    tasks : tuple of str
        What it has learnt.
    accelerates : bool
        Whether it can be evaluated on an accelerator at all.
    device : str
        ``cpu`` or ``cuda``.
    """

    name: str
    specification: str
    tasks: tuple[str, ...]
    accelerates: bool = True
    device: str = "cpu"

    def on(self, device: str) -> TimedModel | None:
        """Return the same model on ``cpu`` or ``cuda``; None where it cannot be evaluated there."""
        if device == "cpu":
            return self
        if not self.accelerates:
            return None
        return dataclasses.replace(self, specification=f"{self.specification}@{device}", device=device)


def shipped_data(system: System) -> Dataset | None:
    """Load the data that come with the package for exactly this cell, None where there are none."""
    if system.name not in SHIPPED:
        return None
    data = load_dataset(system.name)
    return data if data.lattice.fingerprint == system.lattice.fingerprint else None


@contextmanager
def timed_models(system: System, files: Sequence[Path] | None) -> Iterator[list[TimedModel]]:
    """Collect the models of a system; those trained for the purpose are on disk until the ``with`` block ends.

    Parameters
    ----------
    system : System
    files : sequence of path, or None
        Trained models; without them a one-task network and default trees are trained on the shipped data.

    Raises
    ------
    InputError
        If a file cannot be read, or there is neither file nor shipped data.
    """
    shipped = _shipped_models(system)
    if files is not None:
        yield [*shipped, *map(_model_in_file, files)]
        return
    data = shipped_data(system)
    if data is None:
        raise InputError(f"no data set is shipped for system {system.name}; give trained models with --models FILE ...")
    with TemporaryDirectory() as folder:
        network, trees = _trained_models(data, system, Path(folder))
        yield [network, *shipped, trees]


def _shipped_models(system: System) -> list[TimedModel]:
    models = []
    for architecture in ("dense", "lattice"):
        try:
            card = shipped_artefact(system, architecture).card
            card.check_fits(system.lattice, any_cell=find_architecture(architecture).any_cell)
        except InputError:  # none is shipped for this cell
            continue
        name = f"{architecture}, {_listed(card.tasks)} (shipped)"
        models.append(TimedModel(name, f"surrogate:{architecture}", tuple(card.tasks)))
    return models


def _trained_models(data: Dataset, system: System, folder: Path) -> tuple[TimedModel, TimedModel]:
    """Train what is not shipped, the network for a few epochs, the trees in full: their shape is their speed."""
    from surrogate.fitting import fit_network
    from surrogate.recipes import resolve_settings
    from surrogate.xgboost_oracle import fit_xgboost

    network, training = resolve_settings(system.name, "dense", ("energy",))
    brief = dataclasses.replace(training, epochs=EPOCHS)
    made = fit_network(data, "dense", ("energy",), network, brief, quiet=True)
    save_artefact(folder / "dense-energy.safetensors", made.arrays, made.card)
    fit_xgboost(data).save(folder / "trees.ubj")
    return (
        TimedModel("dense, energy", f"surrogate:{folder / 'dense-energy.safetensors'}", ("energy",)),
        TimedModel("XGBoost, default settings", f"xgboost:{folder / 'trees.ubj'}", ("energy",), accelerates=False),
    )


def _model_in_file(file: Path) -> TimedModel:
    if file.suffix in TREE_SUFFIXES:
        return TimedModel(f"XGBoost ({file.name})", f"xgboost:{file}", ("energy",), accelerates=False)
    model = load_model(file)
    tasks = tuple(model.card.tasks)
    kind = model.card.architecture if isinstance(model, Artefact) else "ensemble"
    return TimedModel(
        f"{kind}, {_listed(tasks)} ({file.name})", f"surrogate:{file}", tasks, accelerates=kind != "ensemble"
    )


def _listed(tasks: Sequence[str]) -> str:
    return " + ".join(tasks)
