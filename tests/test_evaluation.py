"""The figures of merit, against made-up errors of known size, and cross-validation over orbits."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ase import units

from surrogate.cluster_expansion import cluster_expansion_fit
from surrogate.dataset import Dataset, load_dataset
from surrogate.evaluation import cross_validate, evaluate, evaluate_oracle, symmetry_spread
from surrogate.fitting import Predictor, composition_fit
from wanglandau.oracle import Properties
from wanglandau.oracle_registry import load_oracle
from wanglandau.systems import System

MEV_PER_ATOM = 32 / (1000 * units.Ry)
"""Ry per cell of 32 atoms."""
WITHIN = "mixing_energy_rmse_within_composition_mev_per_atom"
MEAN_REMOVED = "mixing_energy_rmse_within_composition_mean_removed_mev_per_atom"


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load_dataset("fept")


def shifted(data: Dataset, error: np.ndarray) -> Properties:
    """Return predictions whose energy errors are ``error``, in meV/atom."""
    return Properties(data.mixing_energy + error * MEV_PER_ATOM, data.charge, data.moment)


def test_perfect_predictions(data: Dataset) -> None:
    report = evaluate(data, shifted(data, np.zeros(len(data))))
    assert report[WITHIN] == report[MEAN_REMOVED] == report["lowest_decile"]["rmse"] == 0.0
    for name in (
        "mixing_energy_r2",
        "mixing_energy_r2_within_composition",
        "charge_r2",
        "moment_r2",
        "total_energy_r2",
    ):
        assert report[name] == 1.0
    json.dumps(report, allow_nan=False)


def test_an_offset_by_composition_is_not_forgiven(data: Dataset) -> None:
    offset = 0.5 * (-1.0) ** data.composition
    report = evaluate(data, shifted(data, offset))
    assert report[WITHIN] == pytest.approx(0.5, rel=1e-9)
    assert report[MEAN_REMOVED] == pytest.approx(0.0, abs=1e-9)
    assert all(group["rmse"] == pytest.approx(0.5) for group in report["by_composition"].values())


def test_mean_removed_error_estimates_the_scatter_without_bias() -> None:
    data = load_dataset("cuau")
    rng = np.random.default_rng(0)
    reports = [evaluate(data, shifted(data, rng.normal(scale=2.0, size=len(data)))) for _ in range(30)]
    assert np.mean([report[MEAN_REMOVED] ** 2 for report in reports]) == pytest.approx(4.0, rel=0.06)
    assert np.mean([report[WITHIN] ** 2 for report in reports]) == pytest.approx(4.0, rel=0.06)


def test_r2_of_total_energies_hides_useless_models() -> None:
    data = load_dataset("cuau")
    report = evaluate(data, composition_fit(data)(data.occupations))
    assert report["total_energy_r2"] > 1 - 1e-9
    assert report[WITHIN] > 3.0
    assert report["mixing_energy_r2_within_composition"] < 0.3


def test_site_figures(data: Dataset) -> None:
    assert data.charge is not None and data.moment is not None
    species_mean = np.where(
        data.occupations == 1, data.charge[data.occupations == 1].mean(), data.charge[data.occupations == 0].mean()
    )
    report = evaluate(data, Properties(data.mixing_energy, species_mean, data.moment + 0.1))
    assert report["charge_r2_within_species"] == pytest.approx(0.0, abs=1e-9)
    assert 0.0 < report["charge_r2"] < 1.0
    assert report["moment_rmse_mu_b"] == pytest.approx(0.1)
    assert report["moment_r2"] == pytest.approx(1 - 0.01 / data.moment.var())


def test_groups_cover_everything_once(data: Dataset) -> None:
    report = evaluate(data, shifted(data, np.arange(len(data)) / 10))
    for group in ("by_composition", "by_source"):
        assert sum(part["n"] for part in report[group].values()) == len(data)
    reversed_energies = evaluate(data, Properties(-data.mixing_energy, None, None))
    assert "charge_r2" not in reversed_energies


def test_lowest_decile_ranks_against_the_composition() -> None:
    data = load_dataset("cuau")
    lowest = evaluate(data, shifted(data, np.zeros(len(data))))["lowest_decile"]
    compositions = np.bincount(data.composition)[data.composition]
    assert lowest["n"] == (compositions > 1).sum() // 10
    assert lowest["spearman"] == pytest.approx(1.0)
    means = (np.bincount(data.composition, data.mixing_energy) / np.maximum(np.bincount(data.composition), 1))[
        data.composition
    ]
    assert evaluate(data, Properties(2 * means - data.mixing_energy, None, None))["lowest_decile"]["spearman"] < -0.99


def test_symmetry_spread_is_zero_only_for_invariant_energies(data: Dataset) -> None:
    assert symmetry_spread(data, lambda rows: rows.sum(axis=1) * 0.1)["max"] < 1e-9
    uneven = symmetry_spread(data, lambda rows: rows[:, 0] * MEV_PER_ATOM)
    assert 0.1 < uneven["rms"] <= uneven["max"] <= 0.51


def test_cross_validation_never_shows_a_model_what_it_is_tested_on(data: Dataset) -> None:
    tested: list[np.ndarray] = []

    def fit(part: Dataset) -> Predictor:
        def predict(occupations: np.ndarray) -> Properties:
            rows = {row.tobytes() for row in part.occupations}
            assert not any(row.tobytes() in rows for row in occupations)
            tested.append(occupations)
            return composition_fit(part)(occupations)

        return predict

    steps: list[int] = []
    reports = cross_validate(data, {"watched": fit}, 4, 2, seed=0, advance=lambda: steps.append(1))
    assert len(steps) == 8
    assert sum(map(len, tested)) == reports["watched"]["n_configurations"] == 2 * len(data)
    assert reports["watched"]["n_orbits"] == len(np.unique(data.orbit))


def test_baselines_rank_as_they_should() -> None:
    fits = {"composition": composition_fit, "expansion": cluster_expansion_fit}
    reports = cross_validate(load_dataset("cuau"), fits, 5, 1, seed=0, advance=lambda: None)
    assert reports["expansion"][WITHIN] < 0.1 * reports["composition"][WITHIN]


def test_overlap_with_training_is_reported(cuau: System) -> None:
    data = load_dataset("cuau")
    report = evaluate_oracle(data, load_oracle("surrogate", cuau), data)
    assert report["n_orbits_seen_in_training"] == report["n_orbits"]
    assert "unseen" not in report
    assert report["symmetry_spread_mev_per_atom"]["max"] == 0.0
    assert report["baselines"]["cluster_expansion"][WITHIN] > report[WITHIN]
    oracle = load_oracle("surrogate", cuau)
    orbits = oracle.artefact.card.dataset["orbits"]
    oracle.artefact.card.dataset["orbits"] = orbits[:-10]
    partly = evaluate_oracle(data, oracle)
    assert partly["n_orbits_seen_in_training"] == len(orbits) - 10
    assert partly["unseen"]["n_orbits"] == 10


def test_oracles_without_properties_are_evaluated_too(cuau: System) -> None:
    class Zero:
        lattice, reference_energies, identity, invariant = cuau.lattice, np.zeros(2), "zero", True

        def energies(self, occupations: np.ndarray) -> np.ndarray:
            return np.zeros(len(occupations))

    report = evaluate_oracle(load_dataset("cuau"), Zero())
    assert "charge_r2" not in report and "n_orbits_seen_in_training" not in report
    assert report["mixing_energy_r2"] < 0
