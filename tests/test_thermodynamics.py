"""Thermodynamics against closed forms, derivatives and the exact 32-atom cell."""

import numpy as np
import pytest
from known_levels import BOND, exact_levels, noisy_density

from wanglandau.density_of_states import DensityOfStates, density_from_levels
from wanglandau.energy_grid import EnergyGrid
from wanglandau.errors import InputError
from wanglandau.levels import BOLTZMANN, Levels
from wanglandau.temperature_curves import temperature_curves
from wanglandau.thermodynamics import (
    default_temperatures,
    heat_capacity_peak,
    microcanonical_temperature,
    parse_temperatures,
    thermodynamics,
)

J = -BOND / 2


@pytest.fixture(scope="module")
def fcc() -> Levels:
    levels = exact_levels()
    return Levels.exact(32, levels.energies, levels.degeneracies)


def test_two_levels_in_closed_form() -> None:
    gap, temperatures = 0.01, np.array([1.0, 300.0, 5000.0])
    result = thermodynamics(Levels.exact(1, np.array([-1.0, -1.0 + gap]), np.array([2, 6])), temperatures)
    beta = 1 / (BOLTZMANN * temperatures)
    upper = 3 * np.exp(-beta * gap) / (1 + 3 * np.exp(-beta * gap))
    np.testing.assert_allclose(result.internal_energy, -1 + gap * upper, rtol=1e-12)
    np.testing.assert_allclose(result.heat_capacity, (beta * gap) ** 2 * upper * (1 - upper), atol=1e-12)
    np.testing.assert_allclose(result.free_energy, -1 - (np.log(2) - np.log1p(-upper)) / beta, rtol=1e-12)
    assert result.entropy[0] == pytest.approx(np.log(2), abs=1e-12)


def test_published_values_of_the_fcc_cell(fcc: Levels) -> None:
    """E = J * (192 - 2 u) in the source, J * (-2 u) here."""
    at = np.array([2.0, 4.0]) * J / BOLTZMANN
    result = thermodynamics(fcc, at)
    np.testing.assert_allclose(result.internal_energy / 32 / J + 6, [-1.75372355, -1.03390425], atol=1e-8)
    np.testing.assert_allclose(result.heat_capacity / 32, [0.70118696, 0.15907286], atol=1e-8)
    peak = heat_capacity_peak(fcc, default_temperatures(fcc))
    assert peak.inside
    assert peak.height / 32 == pytest.approx(0.724856, abs=1e-6)
    assert peak.temperature * BOLTZMANN / J == pytest.approx(2.09506, abs=1e-5)
    hot = thermodynamics(fcc, np.array([1e9]))
    assert hot.entropy[0] == pytest.approx(np.log(601080390), abs=1e-6)


def test_curves_are_derivatives_of_the_free_energy() -> None:
    """With in-bin variances too: U, C and S must be consistent with F, above and below the freezing of the bins."""
    levels = exact_levels()
    grid = EnergyGrid.covering(levels.energies.min(), levels.energies.max(), 5.3 * abs(BOND))
    density = density_from_levels(grid, 32, 16, levels.energies, levels.degeneracies)
    assert density.energy_variance.max() > 0
    for middle in (60.0, 600.0, 6000.0):
        t = middle * (1 + 1e-3 * np.array([-1, 0, 1]))
        result = thermodynamics(density, t)
        slope = (result.free_energy[2] - result.free_energy[0]) / (t[2] - t[0])
        assert result.entropy[1] == pytest.approx(-slope / BOLTZMANN, rel=1e-4, abs=1e-6)
        capacity = (result.internal_energy[2] - result.internal_energy[0]) / (t[2] - t[0]) / BOLTZMANN
        assert result.heat_capacity[1] == pytest.approx(capacity, rel=1e-3, abs=1e-6)


def test_mean_and_variance_of_a_bin_repair_wide_bins(fcc: Levels) -> None:
    levels, at = exact_levels(), np.linspace(400, 2000, 30)
    grid = EnergyGrid.covering(levels.energies.min(), levels.energies.max(), 4 * abs(BOND))
    density = density_from_levels(grid, 32, 16, levels.energies, levels.degeneracies)
    centres = Levels(32, *(a[density.visited] for a in (density.ln_g, grid.centres, 0 * grid.centres, grid.centres)))
    truth = thermodynamics(fcc, at)

    def worst(source: DensityOfStates | Levels) -> float:
        return float(np.abs(thermodynamics(source, at).internal_energy - truth.internal_energy).max())

    assert worst(density) < 0.25 * worst(centres)


def test_freezes_to_the_lowest_bin() -> None:
    result = thermodynamics(noisy_density(0.0), np.array([0.5]))
    assert result.internal_energy[0] == pytest.approx(128 * BOND)
    assert result.entropy[0] == pytest.approx(np.log(42), abs=1e-9)
    assert result.heat_capacity[0] == pytest.approx(0.0, abs=1e-12)


def test_error_bars_hold_the_truth_and_have_the_right_size(fcc: Levels) -> None:
    at = np.array([300.0, 500.0, 800.0])
    truth, deviations, errors, peaks = thermodynamics(fcc, at), [], [], []
    for seed in range(40):
        density = noisy_density(0.03, seed=seed)
        result = thermodynamics(density, at)
        assert result.standard_error is not None
        deviations.append(result.heat_capacity - truth.heat_capacity)
        errors.append(result.standard_error.heat_capacity)
        peak = heat_capacity_peak(density, np.arange(200.0, 1500.0, 20.0))
        peaks.append([peak.temperature, peak.temperature_error])
    ratio = np.sqrt(np.mean(np.square(deviations), axis=0) / np.mean(np.square(errors), axis=0))
    assert np.all((ratio > 0.65) & (ratio < 1.45)), ratio
    positions, position_errors = np.array(peaks).T
    assert 0.65 < positions.std() / np.sqrt(np.mean(position_errors**2)) < 1.45


def test_one_run_has_no_error_bar() -> None:
    density = noisy_density(0.01, n_runs=1)
    assert thermodynamics(density, np.array([500.0])).standard_error is None
    assert np.isnan(heat_capacity_peak(density, np.arange(200.0, 1500.0, 20.0)).temperature_error)


def test_maximum_at_the_edge_is_no_peak(fcc: Levels) -> None:
    assert not heat_capacity_peak(fcc, np.array([600.0, 700.0, 800.0])).inside
    with pytest.raises(InputError, match="at least 3"):
        heat_capacity_peak(fcc, np.array([600.0, 700.0]))


def test_microcanonical_temperature_of_a_straight_line() -> None:
    grid = EnergyGrid(0.0, 0.001, 12)
    ln_g = grid.centres / (BOLTZMANN * 400.0)
    ln_g[3] = -np.inf
    density = DensityOfStates(grid, 32, 16, ln_g[None], grid.centres.copy(), np.zeros(12))
    result = microcanonical_temperature(density)
    assert np.isnan(result[3])
    np.testing.assert_allclose(np.delete(result, 3), 400.0, rtol=1e-9)
    assert np.isnan(microcanonical_temperature(density, n_fit=12)).all()
    assert (microcanonical_temperature(noisy_density(0.0))[-5:] < 0).any()


@pytest.mark.parametrize(
    "text", ["", "100", "100:200", "0:10:1", "5:4:1", "1:2:0", "1:2:-1", "a:b:c", "1:inf:1", "1:2:nan", "1:1e9:1"]
)
def test_wrong_temperatures_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="temperatures"):
        parse_temperatures(text)


def test_temperatures() -> None:
    np.testing.assert_allclose(parse_temperatures("0.1:0.7:0.2"), [0.1, 0.3, 0.5, 0.7])
    assert len(parse_temperatures("5:5:1")) == 1
    with pytest.raises(InputError, match="above 0 K"):
        thermodynamics(noisy_density(0.0), np.array([0.0]))
    one_energy = Levels.exact(4, np.array([1.0]), np.array([6]))
    with pytest.raises(InputError, match="same energy"):
        default_temperatures(one_energy)


@pytest.mark.parametrize("bond", [BOND, -BOND, 1e-3 * BOND, 100 * BOND])
def test_default_temperatures_hold_the_peak_of_ordering_and_of_separating_alloys(bond: float) -> None:
    levels = exact_levels(bond)
    source = Levels.exact(32, levels.energies, levels.degeneracies)
    temperatures = default_temperatures(source)
    peak = heat_capacity_peak(source, temperatures)
    assert peak.inside and temperatures[20] < peak.temperature < temperatures[-100]
    assert 100 < len(temperatures) < 500


def test_csv_has_units_and_errors(fcc: Levels) -> None:
    lines = temperature_curves(noisy_density(0.01), np.array([300.0, 350.0, 400.0])).csv().splitlines()
    header = lines[0].split(",")
    assert header[:3] == ["temperature_K", "internal_energy_mev_per_atom", "heat_capacity_kb_per_atom"]
    assert len(header) == 9 and len(lines) == 4
    assert [line.split(",")[0] for line in lines[1:]] == ["300", "350", "400"]
    assert float(lines[1].split(",")[1]) == pytest.approx(1e3 * 13.605693 * 128 * BOND / 32, abs=5)
