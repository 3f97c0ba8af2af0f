"""Curves against temperature: observables and model errors beside thermodynamics."""

from __future__ import annotations

import numpy as np
import pytest
from known_levels import noisy_density

from wanglandau.bin_averages import BinAverages
from wanglandau.density_of_states import DensityOfStates
from wanglandau.temperature_curves import MEMBER_COLUMN, split_members, temperature_curves
from wanglandau.thermodynamics import default_temperatures, heat_capacity_peak

FACTORS = (0.98, 1.0, 1.02)
"""Members whose energies are those of the sampled model times a number, so that all temperatures scale by it."""


@pytest.fixture(scope="module")
def density() -> DensityOfStates:
    return noisy_density(0.002)


def averages_of(density: DensityOfStates) -> list[BinAverages]:
    """One observable, the bin energy itself, and the energies by the members; ten measurements in every bin."""
    names = ("energy_copy", *(MEMBER_COLUMN.format(k) for k in range(len(FACTORS))))
    bins = np.repeat(np.flatnonzero(density.visited), 10)
    energy = density.mean_energy[bins]
    values = np.column_stack([energy, *(factor * energy for factor in FACTORS)])
    runs = []
    for _ in range(density.n_runs):
        run = BinAverages.empty(names, density.grid.n_bins)
        run.add(bins, values)
        runs.append(run)
    return runs


def test_members_are_separated_from_observables(density: DensityOfStates) -> None:
    observables, moments = split_members(averages_of(density))
    assert all(run.names == ("energy_copy",) for run in observables)
    assert moments is not None and moments.n_members == len(FACTORS)
    seen = density.visited
    assert np.allclose(moments.mean[:, seen], np.outer(FACTORS, density.mean_energy[seen]))
    assert np.array_equal(moments.count[seen], np.full(seen.sum(), 10 * density.n_runs))


def test_observable_is_reweighted_like_the_energy(density: DensityOfStates) -> None:
    curves = temperature_curves(density, np.array([250.0, 400.0, 900.0]), averages_of(density))
    assert curves.averages is not None
    assert np.allclose(curves.averages.values[:, 0], curves.thermal.internal_energy, rtol=1e-9)


def test_model_error_is_the_spread_of_scaled_energies(density: DensityOfStates) -> None:
    temperatures = default_temperatures(density)
    curves = temperature_curves(density, temperatures, averages_of(density))
    peak = heat_capacity_peak(density, temperatures)
    assert curves.model is not None
    assert curves.model.peak_temperature_error == pytest.approx(0.02 * peak.temperature, rel=1e-3)
    assert curves.model.peak_height_error < 1e-4 * peak.height
    assert "free_energy_mev_per_atom_model_error" in curves.columns()


def test_one_model_has_no_model_error(density: DensityOfStates) -> None:
    observables, _ = split_members(averages_of(density))
    curves = temperature_curves(density, np.array([250.0, 400.0, 900.0]), observables)
    assert curves.model is None
    assert not any("model_error" in name for name in curves.columns())


def test_csv_has_one_row_a_temperature_and_every_column(density: DensityOfStates) -> None:
    curves = temperature_curves(density, np.array([250.0, 400.0, 900.0]), averages_of(density))
    header, *rows = curves.csv().splitlines()
    assert header.split(",") == list(curves.columns())
    assert len(rows) == 3
    assert float(rows[1].split(",")[0]) == 400.0
