"""Finite-size laws against the exact 2-D Ising model and against distributions whose transition is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from known_levels import exact_levels

from wanglandau.density_of_states import DensityOfStates
from wanglandau.energy_grid import EnergyGrid
from wanglandau.errors import InputError
from wanglandau.finite_size import binder_cumulant, cumulant_crossing, extrapolate, scaling_exponent
from wanglandau.first_order import cumulant_minimum, energy_cumulant, two_peaks
from wanglandau.levels import BOLTZMANN, Levels
from wanglandau.thermodynamics import Peak, Thermodynamics

ISING_SIZES = np.array([4.0, 8.0, 16.0, 32.0])
ISING_PEAKS = np.array([2.438950314, 2.361979627, 2.317506581, 2.293929640])
"""Peak positions of the heat capacity of the 2-D Ising model, from exact densities of states (Beale, 1996)."""
ISING_HEIGHTS = np.array([0.8164611614, 1.191838820, 1.552204360, 1.904506078])
ONSAGER = 2 / np.log(1 + np.sqrt(2))

T0, LATENT, WIDTH = 500.0, 0.30, 0.02
"""A cell with two phases: temperature (K) of equal weight, distance and width of its two Gaussians (Ry)."""


def two_gaussians(width: float = WIDTH, ratio: float = 1.0, latent: float = LATENT) -> Levels:
    """ln g such that P(E; T0) is the sum of two Gaussians of the same weight about 0 and ``latent``."""
    energy = np.linspace(-0.2, latent + 0.25, 2000)
    lower = np.exp(-(energy**2) / (2 * width**2)) / width
    upper = np.exp(-((energy - latent) ** 2) / (2 * (ratio * width) ** 2)) / (ratio * width)
    ln_g = np.log(lower + upper + 1e-300) + energy / (BOLTZMANN * T0) + 200
    return Levels(1, ln_g, energy, np.zeros(len(energy)), energy)


def noisy_runs(noise: float, seed: int) -> DensityOfStates:
    """Eight runs about two broad Gaussians, in 60 bins."""
    grid = EnergyGrid(-0.06, 0.42 / 60, 60)
    energy = grid.centres
    ln_p = np.logaddexp(-(energy**2) / (2 * 0.05**2), -((energy - LATENT) ** 2) / (2 * 0.05**2))
    ln_g = ln_p + energy / (BOLTZMANN * T0)
    runs = ln_g + noise * np.random.default_rng(seed).normal(size=(8, 60))
    return DensityOfStates(grid, 32, 16, runs, energy.copy(), np.zeros(60))


def test_ising_peaks_extrapolate_to_onsager() -> None:
    fit = extrapolate(ISING_SIZES, ISING_PEAKS, exponent=1.0)
    assert fit.temperature == pytest.approx(ONSAGER, rel=0.005)
    assert fit.amplitude > 0 and fit.degrees_of_freedom == 2 and np.isnan(fit.chi_squared)
    assert fit.exponent_error == 0
    last = extrapolate(ISING_SIZES[1:], ISING_PEAKS[1:], exponent=1.0)
    assert abs(last.temperature - ONSAGER) < abs(fit.temperature - ONSAGER)
    wrong = extrapolate(ISING_SIZES, ISING_PEAKS, exponent=3.0)  # control: the first-order law does not fit
    assert abs(wrong.temperature / ONSAGER - 1) > 0.005
    assert np.allclose(fit.at(np.array([np.inf])), fit.temperature)


def test_free_exponent_of_the_ising_peaks_is_near_one() -> None:
    fit = extrapolate(ISING_SIZES, ISING_PEAKS, exponent=None)
    assert 0.7 < fit.exponent < 1.0  # the leading law holds for large L only
    assert fit.temperature == pytest.approx(ONSAGER, rel=0.005) and fit.degrees_of_freedom == 1


def test_exact_law_comes_back() -> None:
    sizes = np.array([2.0, 3.0, 4.0, 6.0, 8.0])
    fit = extrapolate(sizes, 700 - 300 * sizes**-2.0, np.full(5, 0.1), exponent=None)
    assert fit.temperature == pytest.approx(700, rel=1e-7) and fit.amplitude == pytest.approx(-300, rel=1e-5)
    assert fit.exponent == pytest.approx(2, rel=1e-6) and fit.chi_squared < 1e-8


@pytest.mark.parametrize("exponent", [2.0, None])
def test_errors_of_the_fit_are_those_of_repeated_fits(exponent: float | None) -> None:
    sizes, errors = np.array([2.0, 3.0, 4.0, 5.0, 6.0, 8.0]), np.array([2.0, 1.0, 1.0, 0.5, 0.5, 0.5])
    truth, rng = 700 - 300 * sizes**-2.0, np.random.default_rng(2)
    fits = [extrapolate(sizes, truth + errors * rng.normal(size=6), errors, exponent=exponent) for _ in range(300)]
    found = np.array([[fit.temperature, fit.amplitude, fit.chi_squared] for fit in fits])
    assert found[:, 0].std() == pytest.approx(fits[0].temperature_error, rel=0.2)
    assert found[:, 1].std() == pytest.approx(np.median([fit.amplitude_error for fit in fits]), rel=0.3)
    assert found[:, 2].mean() == pytest.approx(fits[0].degrees_of_freedom, rel=0.15)
    assert abs(found[:, 0].mean() - 700) < 5 * fits[0].temperature_error / np.sqrt(300)
    bad = extrapolate(sizes, truth + 20 * np.array([1, -1, 1, -1, 1, -1]), errors, exponent=exponent)
    assert bad.chi_squared > 100  # control: points off the law by far more than their errors


def test_unweighted_errors_come_from_the_scatter() -> None:
    sizes, rng = np.array([2.0, 3.0, 4.0, 5.0, 6.0, 8.0]), np.random.default_rng(4)
    fits = [extrapolate(sizes, 700 + 80 / sizes + rng.normal(size=6), np.zeros(6), exponent=1.0) for _ in range(300)]
    stated = np.sqrt(np.mean([fit.temperature_error**2 for fit in fits]))
    assert np.std([fit.temperature for fit in fits]) == pytest.approx(stated, rel=0.2)
    assert np.isnan(extrapolate(sizes[:2], 700 + 80 / sizes[:2], exponent=1.0).temperature_error)


def test_power_law_of_peak_heights() -> None:
    sizes = np.array([2.0, 4.0, 6.0, 8.0])
    law = scaling_exponent(sizes, 0.3 * sizes**3, 0.01 * sizes**3)
    assert law.exponent == pytest.approx(3) and law.prefactor == pytest.approx(0.3) and law.chi_squared < 1e-12
    assert law.exponent_error == pytest.approx(
        (0.01 / 0.3) / np.sqrt(((np.log(sizes) - np.log(sizes).mean()) ** 2).sum()), rel=1e-9
    )
    ising = scaling_exponent(ISING_SIZES[1:], ISING_HEIGHTS[1:])
    assert 0.2 < ising.exponent < 0.5  # logarithmic growth: alpha = 0


def test_cumulant_of_known_distributions() -> None:
    assert binder_cumulant(1.0, 3.0) == pytest.approx(0)  # Gaussian
    assert binder_cumulant(1.0, 1.0) == pytest.approx(2 / 3)  # m = +-1
    assert binder_cumulant(1 / 3, 1 / 5) == pytest.approx(0.4)  # uniform on [-1, 1]


def cumulant_curve(size: float, temperatures: np.ndarray) -> np.ndarray:
    """Two Gaussians of width 1 at +-d, with moments d^2 + 1 and d^4 + 6 d^2 + 3; d^2 = exp(-(T - 600) size / 50)."""
    square = np.exp(-(temperatures - 600) * size / 50)
    return binder_cumulant(square + 1, square**2 + 6 * square + 3)


def test_binder_crossing_of_known_distributions() -> None:
    grid = np.linspace(560, 640, 17) + 1.3
    crossing = cumulant_crossing(grid, cumulant_curve(2, grid), cumulant_curve(4, grid))
    assert crossing is not None
    assert crossing.temperature == pytest.approx(600, abs=0.02)
    assert crossing.cumulant == pytest.approx(1 - 10 / 12, abs=1e-3) and np.isnan(crossing.temperature_error)
    on_a_point = cumulant_crossing(grid - 1.3, cumulant_curve(2, grid - 1.3), cumulant_curve(4, grid - 1.3))
    assert on_a_point is not None and on_a_point.temperature == pytest.approx(600, abs=1e-6)
    assert cumulant_crossing(grid, cumulant_curve(2, grid), cumulant_curve(2, grid) + 0.1) is None


def test_error_of_the_crossing_is_that_of_repetitions() -> None:
    grid, rng = np.linspace(560, 640, 9), np.random.default_rng(6)
    basis = np.array([np.ones(9), (grid - 600) / 40])  # runs differ by smooth curves
    found, stated = [], []
    for _ in range(100):
        runs = [cumulant_curve(size, grid) + 0.02 * rng.normal(size=(10, 2)) @ basis for size in (2, 4)]
        left = [np.array([np.delete(run, r, axis=0).mean(axis=0) for r in range(10)]) for run in runs]
        crossing = cumulant_crossing(grid, runs[0].mean(axis=0), runs[1].mean(axis=0), *left)
        assert crossing is not None
        found.append([crossing.temperature, crossing.cumulant])
        stated.append([crossing.temperature_error, crossing.cumulant_error])
    ratio = np.std(found, axis=0) / np.sqrt(np.mean(np.square(stated), axis=0))
    assert ((ratio > 0.75) & (ratio < 1.35)).all(), ratio
    again = cumulant_crossing(grid, runs[0].mean(axis=0), runs[1].mean(axis=0), *left, bootstrap=True)
    assert again is not None and again.temperature_error < 0.5 * stated[-1][0]  # control: the wrong rule differs


def test_two_equal_gaussians() -> None:
    peaks = two_peaks(two_gaussians())
    assert peaks is not None
    assert peaks.equal_weight_temperature == pytest.approx(T0, rel=1e-6)
    assert peaks.equal_height_temperature == pytest.approx(T0, rel=1e-6)
    assert peaks.latent_heat == pytest.approx(LATENT, rel=1e-6)
    assert peaks.high_energy - peaks.low_energy == pytest.approx(LATENT, abs=1e-3)
    assert peaks.depth == pytest.approx(LATENT**2 / (8 * WIDTH**2) - np.log(2), rel=1e-4)
    assert peaks.standard_error is not None and peaks.standard_error["latent_heat"] == 0


def test_equal_weight_is_not_equal_height() -> None:
    """A wide upper peak of equal weight is lower: equal height needs a higher temperature."""
    peaks = two_peaks(two_gaussians(ratio=3.0))
    assert peaks is not None
    assert peaks.equal_weight_temperature == pytest.approx(T0, rel=1e-5)
    assert peaks.latent_heat == pytest.approx(LATENT, rel=1e-4)
    shift = peaks.equal_height_temperature - T0
    assert shift == pytest.approx(BOLTZMANN * T0**2 * np.log(3) / LATENT, rel=0.2)


def test_one_peak_is_no_first_order_transition() -> None:
    assert two_peaks(two_gaussians(width=0.2)) is None
    levels = exact_levels()
    assert two_peaks(Levels.exact(32, levels.energies, levels.degeneracies)) is None
    with pytest.raises(InputError, match="positive"):
        two_peaks(two_gaussians(), min_depth=0.0)


def test_errors_of_two_peaks_are_those_of_repetitions() -> None:
    found, stated = [], []
    for seed in range(60):
        peaks = two_peaks(noisy_runs(0.05, seed))
        assert peaks is not None and peaks.standard_error is not None
        found.append([peaks.equal_weight_temperature, peaks.latent_heat])
        stated.append([peaks.standard_error[name] for name in ("equal_weight_temperature", "latent_heat")])
    ratio = np.std(found, axis=0) / np.sqrt(np.mean(np.square(stated), axis=0))
    assert ((ratio > 0.7) & (ratio < 1.4)).all(), ratio
    single = noisy_runs(0.05, 1)
    one = DensityOfStates(single.grid, 32, 16, single.run_ln_g[:1], single.mean_energy, single.energy_variance)
    alone = two_peaks(one, min_depth=0.3)
    assert alone is not None and alone.standard_error is None


def test_energy_cumulant_of_sharp_and_of_split_energies() -> None:
    """Two sharp energies a and b of equal weight: V = 1 - 2 (a^4 + b^4) / (3 (a^2 + b^2)^2)."""
    a, b = 1.0, 1.0 + LATENT
    levels = Levels(1, np.array([0.0, LATENT / (BOLTZMANN * T0)]), np.array([a, b]), np.zeros(2), np.array([a, b]))
    exact = 1 - 2 * (a**4 + b**4) / (3 * (a**2 + b**2) ** 2)
    assert energy_cumulant(levels, np.array([T0]))[0] == pytest.approx(exact, rel=1e-12)
    assert energy_cumulant(levels, np.array([1.0]))[0] == pytest.approx(2 / 3, rel=1e-12)
    minimum = cumulant_minimum(levels, np.linspace(300, 800, 51))
    ratio = b**2 / a**2  # the minimum: weights of a and b in the ratio b^2 : a^2, V = 2/3 - (r - 1)^2 / (12 r)
    assert minimum.inside and minimum.value == pytest.approx(2 / 3 - (ratio - 1) ** 2 / (12 * ratio), rel=1e-9)
    beta = (LATENT / (BOLTZMANN * T0) + np.log(ratio)) / LATENT
    assert minimum.temperature == pytest.approx(1 / (BOLTZMANN * beta), rel=1e-5)
    assert minimum.value < exact and minimum.temperature_error == 0
    assert not cumulant_minimum(levels, np.array([100.0, 110.0, 120.0])).inside
    shifted = Levels(1, levels.ln_g, levels.energies - 5, levels.variances, levels.floors - 5)
    assert energy_cumulant(shifted, np.array([T0]), zero=-5.0)[0] == pytest.approx(exact, rel=1e-10)


def test_energy_cumulant_of_one_gaussian_bin() -> None:
    """A bin of mean m and variance v at infinite temperature: <E^2> = m^2 + v, <E^4> = m^4 + 6 m^2 v + 3 v^2."""
    m, v = 0.5, 0.01
    levels = Levels(1, np.zeros(1), np.array([m]), np.array([v]), np.array([m - 1]))
    exact = 1 - (m**4 + 6 * m**2 * v + 3 * v**2) / (3 * (m**2 + v) ** 2)
    assert energy_cumulant(levels, np.array([1e12]))[0] == pytest.approx(exact, rel=1e-6)


def test_sampled_cumulant_has_errors() -> None:
    minimum = cumulant_minimum(noisy_runs(0.05, 1), np.linspace(300, 800, 41), zero=1.0)
    assert minimum.inside and minimum.temperature_error > 0 and 0 < minimum.value_error < 0.01


def scaling_cells() -> list[tuple[int, Thermodynamics, Peak]]:
    """Make cells whose heat capacity per atom has a peak of height L at 600 - 400 / L^2."""
    temperatures, cells = np.linspace(400, 700, 61), []
    for size in (3, 2, 4):
        sites, place = size**3, 600 - 400 / size**2
        capacity = size * sites / (1 + ((temperatures - place) / 20) ** 2)
        zero, error = np.zeros(61), 0.03 * capacity
        errors = Thermodynamics(sites, temperatures, zero, error, zero, zero)
        curves = Thermodynamics(sites, temperatures, zero, capacity, zero, zero, errors)
        cells.append((sites, curves, Peak(place, float(size * sites), 1.0, 0.1, True)))
    return cells


def test_figure_of_scaling_holds_the_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    from wanglandau import scaling_figure

    cells, drawn = scaling_cells(), []
    sizes = np.array([sites for sites, _, _ in cells]) ** (1 / 3)
    places = np.array([peak.temperature for _, _, peak in cells])
    fit = extrapolate(sizes, places, np.ones(3), exponent=2.0)
    scaling_figure.scaling_figure(tmp_path / "scaling.svg", cells, fit, note="a note")
    assert "<svg" in (tmp_path / "scaling.svg").read_text()
    monkeypatch.setattr(scaling_figure, "save_figure", lambda figure, path, note: drawn.append(figure))
    scaling_figure.scaling_figure("unused.png", cells, fit)
    capacity, law = drawn[0].axes
    assert [text.get_text() for text in capacity.get_legend().get_texts()] == ["8 atoms", "27 atoms", "64 atoms"]
    assert [max(line.get_ydata()) for line in capacity.lines[::2]] == pytest.approx([2, 3, 4], rel=0.02)
    x = sizes**-2  # error of the intercept of a straight line through points of error 1
    error = np.sqrt(1 / 3 + x.mean() ** 2 / ((x - x.mean()) ** 2).sum())
    assert law.texts[0].get_text() == rf"$T_\mathrm{{c}}$ = 600.0 ± {error:.1f} K"
    np.testing.assert_allclose(law.lines[0].get_ydata()[0], 600, atol=1e-9)
    with pytest.raises(InputError, match="at least one cell"):
        scaling_figure.scaling_figure("unused.png", [], fit)


def test_bad_input_is_refused() -> None:
    sizes, values = np.array([2.0, 3.0, 4.0]), np.array([1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="at least 4"):
        extrapolate(sizes, values, exponent=None)
    with pytest.raises(InputError, match="at least 2"):
        extrapolate(sizes[:1], values[:1], exponent=1.0)
    with pytest.raises(InputError, match="must be positive"):
        extrapolate(sizes, values, exponent=-1.0)
    with pytest.raises(InputError, match="errors are 0"):
        extrapolate(sizes, values, np.array([0.0, 1.0, 1.0]), exponent=1.0)
    with pytest.raises(InputError, match="finite"):
        extrapolate(sizes, values, np.array([np.nan, 1.0, 1.0]), exponent=1.0)
    with pytest.raises(InputError, match="3 sizes, 2 values"):
        extrapolate(sizes, values[:2], exponent=1.0)
    with pytest.raises(InputError, match="positive"):
        extrapolate(-sizes, values, exponent=1.0)
    with pytest.raises(InputError, match="give the exponent"):
        extrapolate(np.arange(2.0, 8.0), np.exp(-(np.arange(2.0, 8.0) ** 3)), exponent=None)
    with pytest.raises(InputError, match="height"):
        scaling_exponent(sizes, values - 2)
    with pytest.raises(InputError, match="at least 2"):
        scaling_exponent(sizes[:1], values[:1])
    with pytest.raises(InputError, match="ascending"):
        cumulant_crossing(sizes, values, values)
    grid = np.arange(5.0)
    with pytest.raises(InputError, match="one size only"):
        cumulant_crossing(grid, grid, grid, np.zeros((3, 5)))
    with pytest.raises(InputError, match="at least 3"):
        cumulant_minimum(two_gaussians(), np.array([300.0, 400.0]))
    with pytest.raises(InputError, match="above 0 K"):
        energy_cumulant(two_gaussians(), np.array([0.0]))
