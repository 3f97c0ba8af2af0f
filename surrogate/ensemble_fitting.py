"""From a data set to an ensemble: members differ by seed and by the orbits that they have not seen.

Orbits are dealt at random so that each is left out by equally many members. Members of bootstrap samples would see
63 % of the orbits only, and by chance a different number of them would have left a configuration out; with orbits left
out without replacement members stay nearly as good as a network trained on everything. What the spread then lacks is
measured on the configurations that members have not seen, and made up for by one factor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from ase import units

from surrogate.architectures import make_evaluator
from surrogate.artefact import Artefact
from surrogate.calibration import calibration, spread_scale
from surrogate.dataset import Dataset, folds_by_orbit
from surrogate.ensemble_artefact import Ensemble, EnsembleCard
from surrogate.ensemble_oracle import EnsembleSurrogateOracle
from surrogate.evaluation import Keep, evaluate
from surrogate.fitting import describe_dataset, fit_network
from surrogate.group_means import without_group_means
from surrogate.model_keeping import ModelKeeper
from surrogate.orbits import deal_orbits
from surrogate.settings import EnsembleSettings, TrainingSettings
from wanglandau.errors import InputError
from wanglandau.oracle import Properties

EnsembleFit = Callable[[Dataset], Ensemble]
"""From the data that training may see to an ensemble."""


def fit_ensemble(
    dataset: Dataset,
    architecture: str,
    tasks: tuple[str, ...],
    network: Any,
    training: TrainingSettings,
    ensemble: EnsembleSettings,
    *,
    quiet: bool = False,
    keeper: ModelKeeper | None = None,
) -> Ensemble:
    """Train an ensemble and calibrate its spread on what members have not seen.

    Parameters
    ----------
    dataset : Dataset
        Everything training may see.
    architecture : str
    tasks : tuple of str
        Energy among them.
    network : dataclass
        Settings of the architecture.
    training : TrainingSettings
        Of each member; member k has seed ``training.seed + k``.
    ensemble : EnsembleSettings
    quiet : bool
        Show no progress bars.
    keeper : ModelKeeper, optional
        Keeps finished members and the training of the next.

    Raises
    ------
    InputError
        If no energy is to be learnt, or there are fewer orbits than members.
    """
    if "energy" not in tasks:
        raise InputError(f"tasks are {','.join(tasks)}; an ensemble is made for its energies: add energy")
    n_orbits = len(np.unique(dataset.orbit))
    if n_orbits < ensemble.members:
        raise InputError(f"{n_orbits} orbits are too few for {ensemble.members} members; take fewer members")
    unseen = _unseen(dataset, ensemble, training.seed)
    members = [] if keeper is None else list(keeper.members)
    for number in range(len(members), len(unseen)):
        seen = dataset.select(np.flatnonzero(~unseen[number]))
        own = replace(training, seed=training.seed + number)
        members.append(fit_network(seen, architecture, tasks, network, own, quiet=quiet, keeper=keeper))
        if keeper is not None:
            keeper.add(members[-1])
    return _calibrated(dataset, tuple(members), unseen)


def _unseen(dataset: Dataset, ensemble: EnsembleSettings, seed: int) -> np.ndarray:
    return deal_orbits(dataset.orbit, ensemble.members, ensemble.n_left_out, seed)


def unseen_orbits(dataset: Dataset, ensemble: EnsembleSettings, seed: int) -> list[int]:
    """Return how many orbits each member does not see."""
    return [len(np.unique(dataset.orbit[left_out])) for left_out in _unseen(dataset, ensemble, seed)]


def cross_validate_ensemble(
    dataset: Dataset,
    fit: EnsembleFit,
    n_folds: int,
    repeats: int,
    seed: int,
    *,
    advance: Callable[[], Any],
    keep: Keep | None = None,
) -> dict[str, Any]:
    """Evaluate ensembles on configurations that none of their members has seen, fold by fold over orbits.

    Parameters
    ----------
    dataset : Dataset
    fit : EnsembleFit
    n_folds, repeats, seed : int
        See :func:`surrogate.orbits.folds_by_orbit`.
    advance : callable
        Called after each fold, for a progress bar.
    keep : callable, optional
        Called with the test configurations of all folds and what was predicted for them.

    Returns
    -------
    dict
        As of :func:`surrogate.evaluation.evaluate` for the mean of the members, with ``spread_scale`` (mean over the
        ensembles) and ``calibration``.
    """
    folds = folds_by_orbit(dataset.orbit, n_folds, seed, repeats)
    energies, spreads, scales = [], [], []
    for training, test in folds:
        ensemble = fit(dataset.select(training))
        oracle = EnsembleSurrogateOracle(ensemble, dataset.lattice)
        energies.append(oracle.energies(dataset.occupations[test]))
        spreads.append(oracle.member_energies(dataset.occupations[test]).std(axis=1, ddof=1))
        scales.append(ensemble.card.spread_scale)
        advance()
    pooled = dataset.select(np.concatenate([test for _, test in folds]))
    energy, spread = np.concatenate(energies), np.concatenate(spreads)
    unit = _mev_per_atom(dataset)
    predicted = Properties(energy, None, None)
    if keep is not None:
        keep(pooled, predicted)
    report = evaluate(pooled, predicted)
    report["spread_scale"] = float(np.mean(scales))
    excess = without_group_means(pooled.mixing_energy, pooled.composition)
    report["calibration"] = calibration((energy - pooled.mixing_energy) * unit, spread * unit, excess)
    return report


def _calibrated(dataset: Dataset, members: tuple[Artefact, ...], unseen: np.ndarray) -> Ensemble:
    """Put members and their card together; ``unseen`` is ``bool[n_members, n]``."""
    energies = np.array([make_evaluator(one, dataset.lattice).energies(dataset.occupations) for one in members])
    number = unseen.sum(axis=0)
    mean = np.where(unseen, energies, 0.0).sum(axis=0) / number
    spread = np.sqrt(np.where(unseen, (energies - mean) ** 2, 0.0).sum(axis=0) / (number - 1))
    unit = _mev_per_atom(dataset)
    error, spread = (mean - dataset.mixing_energy) * unit, spread * unit
    scale = spread_scale(error, spread, int(number[0]))
    left_out = [_left_out(dataset, *parts, unit) for parts in zip(unseen, energies, strict=True)]
    card = EnsembleCard(
        [one.card for one in members],
        [one.digest() for one in members],
        left_out,
        scale,
        describe_dataset(dataset),
        _held_out(error, scale * spread, int(number[0])),
    )
    mean_of_all = EnsembleSurrogateOracle(Ensemble(members, card), dataset.lattice).properties(dataset.occupations)
    return Ensemble(members, replace(card, metrics=evaluate(dataset, mean_of_all)))


def _held_out(error: np.ndarray, spread: np.ndarray, n_members: int) -> dict[str, Any]:
    """Sum up errors and spreads; so few members say nothing about single configurations, hence no z-scores."""
    found = calibration(error, spread)
    kept = ("n", "rms_error_mev_per_atom", "rms_spread_mev_per_atom")
    return {"n_members_each": n_members} | {name: found[name] for name in kept if name in found}


def _left_out(dataset: Dataset, unseen: np.ndarray, energies: np.ndarray, unit: float) -> dict[str, Any]:
    orbits = sorted({int(label) for label in dataset.orbit[unseen]})
    error = (energies - dataset.mixing_energy)[unseen] * unit
    return {
        "n_orbits": len(orbits),
        "orbits": orbits,
        "digest": hashlib.sha256(",".join(map(str, orbits)).encode()).hexdigest(),
        "rmse_mev_per_atom": float(np.sqrt(np.mean(error**2))),
    }


def _mev_per_atom(dataset: Dataset) -> float:
    return 1000.0 * units.Ry / dataset.lattice.n_sites
