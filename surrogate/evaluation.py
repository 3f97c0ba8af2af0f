"""How good a surrogate is: errors on a data set in the units in which they matter.

R^2 on total energies cannot tell a usable model from a useless one, because composition moves total energies by
10^4 Ry and ordering by 0.1 Ry. What counts are errors of the mixing energy in meV/atom at given composition.

Definitions
-----------
``mixing_energy_rmse_within_composition_mev_per_atom``
    Root of the mean over compositions, weighted by their numbers of configurations, of the squared RMSE of the mixing
    energy at that composition. No offset is forgiven, so it equals the RMSE over all configurations.
``mixing_energy_rmse_within_composition_mean_removed_mev_per_atom``
    The same after taking the mean error of each composition away, with one degree of freedom lost per composition: the
    error of energy differences at one composition, which is all that a canonical sampler sees. Null
    where every composition has one configuration.
``mixing_energy_r2_within_composition``
    One minus the sum of squared errors over the sum of squared deviations from the mean of the same composition.
``lowest_decile``
    The tenth of the configurations that lies lowest against the mean of their composition, among compositions
    with at least two; rank correlation of those energies.
``symmetry_spread_mev_per_atom``
    Standard deviation of the predicted energy over random symmetry images of a configuration, root mean square and
    maximum over configurations; zero for an invariant surrogate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ase import units
from scipy.stats import rankdata

from surrogate.artefact import Card
from surrogate.calibration import calibration
from surrogate.cluster_expansion import cluster_expansion_fit
from surrogate.dataset import Dataset, folds_by_orbit
from surrogate.ensemble_artefact import EnsembleCard
from surrogate.fitting import Fit, composition_fit
from surrogate.group_means import without_group_means
from wanglandau.ensemble_oracle import EnsembleOracle
from wanglandau.oracle import EnergyOracle, Properties, PropertyOracle

BASELINES: dict[str, Fit] = {"composition": composition_fit, "cluster_expansion": cluster_expansion_fit}
"""What every model is measured against in cross-validation."""


def evaluate(dataset: Dataset, predicted: Properties) -> dict[str, Any]:
    """Compare predictions with a data set.

    Parameters
    ----------
    dataset : Dataset
    predicted : Properties
        For its configurations, in its order; energies may be NaN where nothing predicts them.

    Returns
    -------
    dict
        Numbers under the keys that the module's docstring defines; what cannot be had is left out.
    """
    report: dict[str, Any] = {"n_configurations": len(dataset), "n_orbits": len(np.unique(dataset.orbit))}
    if np.isfinite(predicted.energy).all():
        report |= _energy_report(dataset, predicted.energy)
    for name, unit in (("charge", "electrons"), ("moment", "mu_b")):
        reference, found = getattr(dataset, name), getattr(predicted, name)
        if reference is not None and found is not None:
            report |= _site_report(name, unit, reference, found, dataset.occupations)
    return report


Keep = Callable[[Dataset, Properties], Any]
"""Takes in predictions for the configurations of a data set, say for a figure."""


def evaluate_oracle(
    dataset: Dataset, oracle: EnergyOracle, shipped: Dataset | None = None, *, keep: Keep | None = None
) -> dict[str, Any]:
    """Compare an oracle with a data set, and say how much of it the oracle's training has seen.

    Parameters
    ----------
    dataset : Dataset
    oracle : EnergyOracle
    shipped : Dataset, optional
        The shipped data of the system. If the oracle was trained on just these, ``baselines`` are fitted to them too.
    keep : callable, optional
        Called with the data set and what was predicted.

    Returns
    -------
    dict
        As of :func:`evaluate`, with ``symmetry_spread_mev_per_atom``; for ensembles also ``ensemble``, the calibration
        of the spread on these data and on what members had not seen in training; for trained models also
        ``n_orbits_seen_in_training`` and, where only some were seen, the report on the others as ``unseen``.
    """
    predicted = predict(oracle, dataset.occupations)
    if keep is not None:
        keep(dataset, predicted)
    report = evaluate(dataset, predicted)
    if np.isfinite(predicted.energy).all():
        report["symmetry_spread_mev_per_atom"] = symmetry_spread(dataset, oracle.energies)
    if isinstance(oracle, EnsembleOracle):
        report["ensemble"] = _ensemble_report(dataset, oracle, predicted.energy)
    card = _card_of(oracle)
    if card is None:
        return report
    seen = np.isin(dataset.orbit, np.array(card.dataset.get("orbits", []), dtype=np.uint64))
    report["n_orbits_seen_in_training"] = len(np.unique(dataset.orbit[seen]))
    if 0 < seen.sum() < len(dataset):
        rest = np.flatnonzero(~seen)
        report["unseen"] = evaluate(dataset.select(rest), predict(oracle, dataset.occupations[rest]))
    if shipped is not None and shipped.digest == card.dataset.get("digest"):
        fitted = {name: fit(shipped) for name, fit in BASELINES.items()}
        report["baselines"] = {name: evaluate(dataset, find(dataset.occupations)) for name, find in fitted.items()}
    return report


def cross_validate(
    dataset: Dataset,
    fits: dict[str, Fit],
    n_folds: int,
    repeats: int,
    seed: int,
    *,
    advance: Callable[[], Any],
    keep: Callable[[str, Dataset, Properties], Any] | None = None,
) -> dict[str, dict[str, Any]]:
    """Evaluate models on configurations that their training has not seen, fold by fold over orbits.

    Parameters
    ----------
    dataset : Dataset
    fits : dict of str to Fit
        Models by name; all meet the same folds.
    n_folds, repeats, seed : int
        See :func:`surrogate.orbits.folds_by_orbit`.
    advance : callable
        Called after each fold, for a progress bar.
    keep : callable, optional
        Called for each model with its name, the test configurations of all folds and what was predicted for them.

    Returns
    -------
    dict of str to dict
        Report of each model over the out-of-fold predictions of all folds and repeats.
    """
    folds = folds_by_orbit(dataset.orbit, n_folds, seed, repeats)
    predictions: dict[str, list[Properties]] = {name: [] for name in fits}
    for training, test in folds:
        for name, fit in fits.items():
            predictions[name].append(fit(dataset.select(training))(dataset.occupations[test]))
        advance()
    pooled = dataset.select(np.concatenate([test for _, test in folds]))
    joined = {name: _joined(parts) for name, parts in predictions.items()}
    for name, predicted in joined.items():
        if keep is not None:
            keep(name, pooled, predicted)
    return {name: evaluate(pooled, predicted) for name, predicted in joined.items()}


def symmetry_spread(
    dataset: Dataset, energies: Callable[[np.ndarray], np.ndarray], seed: int = 0, n_images: int = 32
) -> dict[str, float]:
    """Measure how much the predicted energy depends on which symmetry image of a configuration is asked for.

    Parameters
    ----------
    dataset : Dataset
        At most 200 of its configurations are taken.
    energies : callable
        From ``int8[n, n_sites]`` to ``float64[n]``, Ry.
    seed, n_images : int
    """
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(dataset))[:200]
    operations = dataset.lattice.symmetry[rng.integers(len(dataset.lattice.symmetry), size=(len(chosen), n_images))]
    images = np.take_along_axis(dataset.occupations[chosen][:, None, :], operations, axis=2)
    predicted = energies(images.reshape(-1, dataset.lattice.n_sites)).reshape(len(chosen), n_images)
    spread = predicted.std(axis=1) * _mev_per_atom(dataset)
    return {"rms": float(np.sqrt(np.mean(spread**2))), "max": float(spread.max())}


def predict(oracle: EnergyOracle, occupations: np.ndarray) -> Properties:
    """Ask an oracle for all it predicts, energies at least."""
    if isinstance(oracle, PropertyOracle):
        return oracle.properties(occupations)
    return Properties(oracle.energies(occupations), None, None)


def _card_of(oracle: EnergyOracle) -> Card | EnsembleCard | None:
    holder = getattr(oracle, "artefact", oracle)
    card = getattr(holder, "card", None)
    return card if isinstance(card, Card | EnsembleCard) else None


def _ensemble_report(dataset: Dataset, oracle: EnsembleOracle, energy: np.ndarray) -> dict[str, Any]:
    spread = oracle.member_energies(dataset.occupations).std(axis=1, ddof=1)
    unit = _mev_per_atom(dataset)
    card = _card_of(oracle)
    report = {"n_members": oracle.n_members, "spread_scale": getattr(card, "spread_scale", None)}
    excess = without_group_means(dataset.mixing_energy, dataset.composition)
    report["calibration"] = calibration((energy - dataset.mixing_energy) * unit, spread * unit, excess)
    report["held_out_in_training"] = getattr(card, "held_out", None)
    return report


def _mev_per_atom(dataset: Dataset) -> float:
    return 1000.0 * units.Ry / dataset.lattice.n_sites


def _joined(parts: list[Properties]) -> Properties:
    def join(name: str) -> Any:
        values = [getattr(part, name) for part in parts]
        return None if any(value is None for value in values) else np.concatenate(values)

    return Properties(join("energy"), join("charge"), join("moment"))


def _energy_report(dataset: Dataset, predicted: np.ndarray) -> dict[str, Any]:
    energy, composition = dataset.mixing_energy, dataset.composition
    error = (predicted - energy) * _mev_per_atom(dataset)
    removed = without_group_means(error, composition)
    freedom = len(error) - len(np.unique(composition))
    excess = without_group_means(energy, composition)
    overall = _errors(error)
    report = {f"mixing_energy_{name}_mev_per_atom": value for name, value in overall.items() if name != "n"}
    report["mixing_energy_rmse_within_composition_mev_per_atom"] = _rmse_by_group(error, composition)
    report["mixing_energy_rmse_within_composition_mean_removed_mev_per_atom"] = (
        float(np.sqrt((removed**2).sum() / freedom)) if freedom else None
    )
    report["mixing_energy_r2"] = _r2(predicted - energy, energy)
    report["mixing_energy_r2_within_composition"] = _ratio(predicted - energy, excess)
    report["total_energy_r2"] = _r2(predicted - energy, dataset.energy)
    report["by_composition"] = {str(n): _errors(error[composition == n]) for n in np.unique(composition)}
    if dataset.source is not None:
        report["by_source"] = {str(name): _errors(error[dataset.source == name]) for name in np.unique(dataset.source)}
    report["lowest_decile"] = _lowest_decile(error, excess, predicted - (energy - excess), composition)
    return report


def _lowest_decile(
    error: np.ndarray, excess: np.ndarray, predicted_excess: np.ndarray, composition: np.ndarray
) -> dict[str, Any] | None:
    compared = np.flatnonzero(np.bincount(composition)[composition] > 1)
    lowest = compared[np.argsort(excess[compared], kind="stable")][: max(1, len(compared) // 10)]
    if not len(lowest):
        return None
    return _errors(error[lowest]) | {"spearman": _spearman(excess[lowest], predicted_excess[lowest])}


def _site_report(
    name: str, unit: str, reference: np.ndarray, predicted: np.ndarray, occupations: np.ndarray
) -> dict[str, Any]:
    error = predicted - reference
    report = {f"{name}_{kind}_{unit}": value for kind, value in _errors(error).items() if kind != "n"}
    report[f"{name}_r2"] = _r2(error, reference)
    deviation = without_group_means(reference.ravel(), occupations.ravel())
    report[f"{name}_r2_within_species"] = _ratio(error.ravel(), deviation)
    return report


def _errors(error: np.ndarray) -> dict[str, Any]:
    size = np.abs(error)
    return {
        "n": len(error),
        "mae": float(size.mean()),
        "rmse": float(np.sqrt((size**2).mean())),
        "max_error": float(size.max()),
    }


def _rmse_by_group(error: np.ndarray, group: np.ndarray) -> float:
    squares = [(error[group == label] ** 2).mean() * (group == label).sum() for label in np.unique(group)]
    return float(np.sqrt(sum(squares) / len(error)))


def _r2(error: np.ndarray, reference: np.ndarray) -> float | None:
    return _ratio(error, reference - reference.mean())


def _ratio(error: np.ndarray, deviation: np.ndarray) -> float | None:
    """One minus squared error over squared deviation, None where nothing deviates."""
    total = float((deviation**2).sum())
    return 1.0 - float((error**2).sum()) / total if total > 0 else None


def _spearman(first: np.ndarray, second: np.ndarray) -> float | None:
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])
