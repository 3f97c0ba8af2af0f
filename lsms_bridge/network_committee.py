"""The learner of the loop that comes with the package: committees of networks, with the recipe of the system."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

from surrogate.dataset import Dataset
from surrogate.ensemble_artefact import save_ensemble
from surrogate.ensemble_fitting import fit_ensemble
from surrogate.ensemble_oracle import EnsembleSurrogateOracle
from surrogate.recipes import resolve_settings
from surrogate.settings import EnsembleSettings

ARCHITECTURE = "lattice"
"""Invariant under the space group, which the loop needs, and trained in seconds."""


class NetworkCommittee(EnsembleSurrogateOracle):
    """An ensemble of trained networks as a committee, see :class:`lsms_bridge.committee.Committee`."""

    def save(self, path: Path) -> None:
        """Write the ensemble as an artefact that ``--oracle surrogate:PATH`` reads."""
        save_ensemble(path, self.artefact)


class NetworkLearner:
    """Trains committees from scratch, charges and moments as well where the data have them.

    Parameters
    ----------
    system : str
        Whose recipe is taken; the defaults of the architecture where there is none.
    members : int
        Networks in a committee, at least 4.
    epochs : int, optional
        Instead of the recipe's.

    Raises
    ------
    InputError
        If there are too few members.
    """

    def __init__(self, system: str, members: int = 5, epochs: int | None = None) -> None:
        self._system = system
        self._members = EnsembleSettings(members)
        self._epochs = epochs
        network, training = resolve_settings(system, ARCHITECTURE, ("energy",))
        parts = [asdict(network), asdict(training), members, epochs]
        self.identity = f"{ARCHITECTURE} networks {json.dumps(parts, sort_keys=True)}"

    def fit(self, dataset: Dataset, seed: int) -> NetworkCommittee:
        """Train a committee; see :func:`surrogate.ensemble_fitting.fit_ensemble`."""
        present = {"energy": True, "charge": dataset.charge is not None, "moment": dataset.moment is not None}
        tasks = tuple(task for task, there in present.items() if there)
        network, training = resolve_settings(self._system, ARCHITECTURE, tasks)
        training = replace(training, seed=seed, epochs=training.epochs if self._epochs is None else self._epochs)
        made = fit_ensemble(dataset, ARCHITECTURE, tasks, network, training, self._members)
        return NetworkCommittee(made, dataset.lattice)
