"""From a data set to a trained model with its card, for every architecture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from surrogate.architectures import make_evaluator, make_network
from surrogate.artefact import Artefact, Card, describe_lattice, package_versions
from surrogate.dataset import Dataset
from surrogate.settings import TrainingSettings, check_tasks
from wanglandau.oracle import Properties

if TYPE_CHECKING:
    from surrogate.training import TrainingKeeper

Predictor = Callable[[np.ndarray], Properties]
"""From occupations, ``int8[n, n_sites]``, to predictions."""

Fit = Callable[[Dataset], Predictor]
"""From the data that training may see to a predictor."""


def fit_network(
    dataset: Dataset,
    architecture: str,
    tasks: tuple[str, ...],
    network: Any,
    training: TrainingSettings,
    *,
    quiet: bool = False,
    keeper: TrainingKeeper | None = None,
) -> Artefact:
    """Train a network.

    Parameters
    ----------
    dataset : Dataset
        Everything training may see.
    architecture : str
        A name in ``surrogate.architectures.ARCHITECTURES``.
    tasks : tuple of str
    network : dataclass
        Settings of that architecture.
    training : TrainingSettings
    quiet : bool
        Show no progress bar.
    keeper : TrainingKeeper, optional
        See :func:`surrogate.training.train`.

    Returns
    -------
    Artefact
        Without metrics.
    """
    from surrogate.training import make_network as seeded  # torch only where a network is trained
    from surrogate.training import train

    ordered = check_tasks(tasks)
    model = seeded(lambda: make_network(architecture, dataset.lattice, ordered, network), training.seed)
    history = train(model, dataset, training, quiet=quiet, keeper=keeper)
    arrays = {name: value.detach().cpu().numpy() for name, value in model.state_dict().items()}
    details = asdict(training) | {"best_epoch": history.best_epoch}
    return Artefact(arrays, make_card(dataset, architecture, ordered, asdict(network), details, "torch"))


def network_fit(architecture: str, tasks: tuple[str, ...], network: Any, training: TrainingSettings) -> Fit:
    """Return the function that trains a network on a data set and gives its predictor, without progress bar."""

    def fit(dataset: Dataset) -> Predictor:
        artefact = fit_network(dataset, architecture, tasks, network, training, quiet=True)
        return make_evaluator(artefact, dataset.lattice).properties

    return fit


def composition_fit(dataset: Dataset) -> Predictor:
    """Fit the mixing energy by a parabola in the composition that vanishes for the pure species.

    The baseline that knows nothing of order: any model has to beat it.
    """
    n_sites = dataset.lattice.n_sites
    energy = dataset.mixing_energy
    shape = dataset.composition * (n_sites - dataset.composition) / n_sites**2
    strength = float(shape @ energy / (shape @ shape)) if shape.any() else 0.0

    def predict(occupations: np.ndarray) -> Properties:
        second = occupations.sum(axis=1, dtype=np.int64)
        return Properties(strength * second * (n_sites - second) / n_sites**2, None, None)

    return predict


def make_card(
    dataset: Dataset,
    architecture: str,
    tasks: tuple[str, ...],
    network: dict[str, Any],
    training: dict[str, Any],
    *packages: str,
) -> Card:
    """Describe a model trained on ``dataset``; ``packages`` are those it was trained with beside NumPy."""
    return Card(
        architecture=architecture,
        tasks=list(tasks),
        network=plain(network),
        species=list(dataset.lattice.species),
        lattice=describe_lattice(dataset.lattice),
        reference_energies=[float(energy) for energy in dataset.reference_energies],
        dataset=describe_dataset(dataset),
        training=plain(training),
        versions=package_versions("numpy", *packages),
    )


def describe_dataset(dataset: Dataset) -> dict[str, Any]:
    """Describe what was learnt from for a card."""
    return {
        "digest": dataset.digest,
        "n_configurations": len(dataset),
        "orbits": sorted({int(label) for label in dataset.orbit}),
        "caution": str(dataset.attributes.get("caution", "")),
    }


def plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Turn tuples into lists, as JSON will, so that a card equals the one read back."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()}
