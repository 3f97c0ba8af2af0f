"""Mixing free energies, coexistence and semi-grand averages against closed forms and exact small cells."""

from __future__ import annotations

from collections.abc import Mapping
from math import comb, log

import numpy as np
import pytest

from wanglandau.coexistence import lower_hull, two_phase_regions
from wanglandau.density_of_states import DensityOfStates, density_from_levels, normalised
from wanglandau.energy_grid import EnergyGrid
from wanglandau.errors import InputError
from wanglandau.exact import exact_levels
from wanglandau.jackknife import levels_without_each_run, standard_error
from wanglandau.lattice import Lattice
from wanglandau.levels import BOLTZMANN, Levels, Source
from wanglandau.mixing import mixing_at, phase_diagram, semigrand_averages, semigrand_distribution, tabulate
from wanglandau.pair_model import PairOracle

BOND = 0.002


def bcc_levels(bond: float) -> dict[int, Levels]:
    """bcc 2x2x2: the neighbour graph is K(8, 8), so a and b second-species atoms on its halves are all that matters."""
    found: dict[int, Levels] = {}
    for composition in range(17):
        counts: dict[int, int] = {}
        for a in range(max(0, composition - 8), min(8, composition) + 1):
            b = composition - a
            unlike = a * (8 - b) + b * (8 - a)
            counts[unlike] = counts.get(unlike, 0) + comb(8, a) * comb(8, b)
        energies = bond * np.array(list(counts), dtype=np.float64)
        found[composition] = Levels.exact(16, energies, np.array(list(counts.values()), dtype=np.uint64))
    return found


def fcc_levels() -> dict[int, Levels]:
    """fcc 2x2x1: unlike nearest and like second neighbours attract, so L1_2 and L1_0 are stable compounds."""
    lattice = Lattice.cubic("fcc", ("Cu", "Au"), 7.0, (2, 2, 1))
    levels = exact_levels(PairOracle(lattice, [-BOND, 0.3 * BOND]), None, progress=False)
    parts = {composition: levels.at_composition(composition) for composition in range(17)}
    return {composition: Levels.exact(16, part.energies, part.degeneracies) for composition, part in parts.items()}


def noisy(sources: Mapping[int, Levels], noise: float, seed: int, n_runs: int = 8) -> dict[int, Source]:
    """Make runs whose ln g scatters about the exact one; each level in a bin of its own."""
    rng = np.random.default_rng(seed)
    result: dict[int, Source] = {}
    for composition, levels in sources.items():
        grid = EnergyGrid.covering(levels.energies.min(), levels.energies.max(), BOND)
        weights = np.exp(levels.ln_g).round().astype(np.uint64)
        exact = density_from_levels(grid, 16, composition, levels.energies, weights)
        runs = normalised(exact.run_ln_g + noise * rng.normal(size=(n_runs, grid.n_bins)), 16, composition)
        result[composition] = DensityOfStates(grid, 16, composition, runs, exact.mean_energy, exact.energy_variance)
    return result


def at(reduced: float) -> float:
    """Temperature (K) at which k_B T is so many bond energies."""
    return reduced * BOND / BOLTZMANN


def brute_force(sources: Mapping[int, Levels], temperature: float, delta_mu: float) -> dict[str, float]:
    """Sum over all levels of all compositions at once."""
    beta = 1 / (BOLTZMANN * temperature)
    energy = np.concatenate([levels.energies for levels in sources.values()])
    number = np.concatenate([np.full(len(levels.energies), n) for n, levels in sources.items()])
    weight = np.exp(np.concatenate([levels.ln_g for levels in sources.values()]) - beta * (energy - delta_mu * number))
    total = weight.sum()
    weight = weight / total
    enthalpy = energy - delta_mu * number
    return {
        "fraction": weight @ number / 16,
        "internal_energy": weight @ energy,
        "heat_capacity": beta**2 * (weight @ enthalpy**2 - (weight @ enthalpy) ** 2),
        "susceptibility": (weight @ number**2 - (weight @ number) ** 2) / 16,
        "grand_potential": -np.log(total) / beta,
    }


def test_ideal_solution_has_the_entropy_of_counting() -> None:
    sources = {n: Levels.exact(32, np.zeros(1), np.array([comb(32, n)], dtype=np.uint64)) for n in range(1, 32)}
    mixing = mixing_at(sources, 32, 700.0)
    exact = np.array([log(comb(32, n)) for n in range(33)])
    np.testing.assert_allclose(mixing.entropy * 32, exact, rtol=0, atol=1e-12)
    np.testing.assert_allclose(mixing.free_energy, -BOLTZMANN * 700.0 * exact / 32, rtol=0, atol=1e-15)
    assert mixing.vertices == tuple(range(33)) and mixing.regions == () and mixing.ordered_points == ()
    np.testing.assert_allclose(mixing.delta_mu, -BOLTZMANN * 700.0 * np.diff(exact), atol=1e-15)
    assert (mixing.free_energy_error == 0).all() and mixing.fractions[8] == 0.25
    assert mixing.midpoints[0] == 1 / 64
    averages = semigrand_averages(sources, 32, 700.0, np.array([0.001]))
    activity = np.exp(0.001 / (BOLTZMANN * 700.0))
    assert averages.fraction[0] == pytest.approx(activity / (1 + activity), rel=1e-12)
    assert averages.grand_potential[0] == pytest.approx(-32 * BOLTZMANN * 700.0 * np.log1p(activity), rel=1e-12)


def test_miscibility_gap_is_symmetric_and_closes() -> None:
    diagram = phase_diagram(bcc_levels(BOND), 16, np.array([at(t) for t in (0.2, 1.0, 2.0, 3.0, 4.0, 5.0)]))
    widths = []
    for mixing in diagram[:-1]:
        (region,) = mixing.regions
        assert region.low + region.high == 16 and region.summit == 8
        assert abs(region.delta_mu) < 1e-12 * BOND and abs(region.tangent) < 1e-12 * BOND
        assert region.x_low + region.x_high == pytest.approx(1, abs=1e-12)
        assert region.standard_error == dict.fromkeys(region.standard_error or {}, 0.0)
        widths.append(region.x_high - region.x_low)
    assert widths[0] == pytest.approx(1, abs=1e-12) and (np.diff(widths) < 0).all()
    assert diagram[-1].regions == ()
    np.testing.assert_allclose(diagram[0].hull, 0, atol=1e-12)


def test_gap_by_brute_force() -> None:
    """Equal weights at delta_mu = 0: the low phase is the half of P(N_B) below 8, which counts half."""
    sources, temperature = bcc_levels(BOND), at(3.0)
    (region,) = mixing_at(sources, 16, temperature).regions
    beta = 1 / (BOLTZMANN * temperature)
    z = np.array([np.exp(levels.ln_g - beta * levels.energies).sum() for levels in sources.values()])
    half = z[:9] * np.where(np.arange(9) == 8, 0.5, 1.0)
    assert region.x_low == pytest.approx(half @ np.arange(9) / half.sum() / 16, rel=1e-12)
    assert region.height / (BOLTZMANN * temperature) == pytest.approx(np.log(z.max() / z[8]), rel=1e-10)


def test_minimum_height_merges_phases() -> None:
    sources = bcc_levels(BOND)
    assert len(mixing_at(sources, 16, at(4.0)).regions) == 1  # rises 0.109 k_B T
    assert len(mixing_at(sources, 16, at(4.0), min_height=0.2).regions) == 0


def test_asymmetric_gap_balances_both_peaks() -> None:
    sources, temperature = bcc_levels(BOND), at(2.5)
    tilted = {
        n: Levels.exact(16, levels.energies + 1e-4 * n**2 / 16, np.exp(levels.ln_g)) for n, levels in sources.items()
    }
    table = tabulate(tilted, 16, np.array([temperature]))
    (region,) = mixing_at(tilted, 16, temperature).regions
    weight = semigrand_distribution(table, 0, region.delta_mu)
    assert weight.sum() == pytest.approx(1)
    number = np.arange(17)
    low = np.clip(region.summit - number + 0.5, 0, 1)
    assert weight @ low == pytest.approx(0.5, abs=1e-10)
    assert region.x_high == pytest.approx(weight @ ((1 - low) * number) / 0.5 / 16, rel=1e-9)
    assert region.delta_mu > 1e-5
    off = semigrand_distribution(table, 0, region.delta_mu + 0.05 * BOND)  # control: elsewhere they do not balance
    assert abs(off @ low - 0.5) > 0.01


def test_ordering_alloy_has_compounds_at_low_temperature() -> None:
    """Energies per cell of 16: L1_2 has 48 unlike bonds and L1_0 has 64, hence kinks at 12, 4, -4, -12 bonds."""
    sources = fcc_levels()
    mixing = mixing_at(sources, 16, at(0.01))
    assert mixing.vertices == (0, 4, 8, 12, 16) and mixing.ordered_points == (4, 8, 12)
    ground = [float(sources[n].energies.min()) for n in (0, 4, 8, 12, 16)]
    np.testing.assert_allclose(np.array(ground) / BOND, [0, -48, -64, -48, 0], atol=1e-5)
    tangents = [region.tangent / BOND for region in mixing.regions]
    np.testing.assert_allclose(tangents, [-12, -4, 4, 12], atol=0.01)
    np.testing.assert_allclose([region.delta_mu / BOND for region in mixing.regions], tangents, atol=1e-3)
    assert [round(16 * region.x_high, 6) for region in mixing.regions] == [4, 8, 12, 16]
    hot = mixing_at(sources, 16, at(3.0))
    assert hot.regions == () and len(hot.vertices) == 17
    separating = mixing_at(bcc_levels(BOND), 16, at(0.01))  # control: no compound where like atoms attract
    assert separating.ordered_points == () and separating.vertices == (0, 16)


@pytest.mark.parametrize("delta_mu", [0.0, 0.7 * BOND, -11 * BOND])
def test_semigrand_averages_by_brute_force(delta_mu: float) -> None:
    sources = fcc_levels()
    averages = semigrand_averages(sources, 16, at(1.3), np.array([delta_mu]))
    for name, value in brute_force(sources, at(1.3), delta_mu).items():
        assert getattr(averages, name)[0] == pytest.approx(value, rel=1e-9, abs=1e-12), name
    assert averages.standard_error is not None and averages.standard_error.fraction[0] == 0


def test_semigrand_heat_capacity_is_a_derivative() -> None:
    """dU/dT - delta_mu dN/dT at fixed delta_mu; and the susceptibility is k_B T dx/d(delta_mu)."""
    sources, middle, field = fcc_levels(), at(1.3), np.array([-6.0]) * BOND
    cold, mid, hot = (semigrand_averages(sources, 16, middle * factor, field) for factor in (1 - 1e-4, 1, 1 + 1e-4))
    enthalpy = [a.internal_energy[0] - field[0] * 16 * a.fraction[0] for a in (cold, hot)]
    slope = (enthalpy[1] - enthalpy[0]) / (2e-4 * middle) / BOLTZMANN
    assert mid.heat_capacity[0] == pytest.approx(slope, rel=1e-6)
    near = semigrand_averages(sources, 16, middle, field + 1e-5 * BOND * np.array([-1, 1]))
    assert mid.susceptibility[0] == pytest.approx(
        BOLTZMANN * middle * np.diff(near.fraction)[0] / (2e-5 * BOND), rel=1e-6
    )


def test_common_tangent_of_a_double_well() -> None:
    """F = a (n - 5)^2 (n - 25)^2 + b n touches its tangent at 5 and 25, whose slope is b."""
    n = np.arange(33)
    free = 1e-6 * (n - 5.0) ** 2 * (n - 25.0) ** 2 + 0.003 * n
    (region,) = two_phase_regions(32, n, free, 1e-3)
    assert (region.low, region.high, region.summit) == (5, 25, 15)
    assert region.tangent == pytest.approx(0.003, rel=1e-12)
    assert region.height == pytest.approx(1e-6 * 1e4, rel=1e-9)
    assert region.delta_mu == pytest.approx(0.003, rel=1e-9)


def test_balance_moves_smoothly_with_the_summit() -> None:
    """While the highest composition changes from 8 to 9, delta_mu and the phases must not jump."""
    n, found = np.arange(17.0), []
    for tilt in np.linspace(0, 0.02, 41):
        free = 0.4 * np.exp(-((n - 8.5 - 10 * (tilt - 0.01)) ** 2) / 8) + 0.01 * (n - 8) ** 2
        (region,) = two_phase_regions(16, n.astype(np.int64), free, 1.0)
        found.append([region.summit, region.delta_mu, region.x_low, region.x_high])
    steps = np.abs(np.diff(found, axis=0))
    assert found[0][0] < 8.5 < found[-1][0]
    assert (steps.max(axis=0) < 5 * np.median(steps, axis=0)).all(), steps.max(axis=0) / np.median(steps, axis=0)


def test_weak_noisy_regions_do_not_fail() -> None:
    """Noise as large as the features: regions come and go between samples, and every number stays finite."""
    for seed in range(12):
        for mixing in phase_diagram(noisy(fcc_levels(), 0.8, seed), 16, np.array([at(0.4), at(0.8), at(2.0)])):
            summits = [region.summit for region in mixing.regions]
            assert (np.diff(summits) > 0).all()
            for region in mixing.regions:
                assert region.low / 16 <= region.summit / 16 <= region.high / 16
                assert np.isfinite([*region.values, *(region.standard_error or {}).values()]).all()
                assert 0 <= region.x_low < region.x_high <= 1


def test_hull_of_a_line_has_two_ends() -> None:
    assert lower_hull(np.arange(5.0), np.zeros(5)).tolist() == [0, 4]
    assert lower_hull(np.arange(3.0), np.array([0.0, -1.0, 0.0])).tolist() == [0, 1, 2]
    assert two_phase_regions(4, np.arange(5), np.zeros(5), 1.0) == ()


def test_missing_ends_are_one_state_each() -> None:
    sources = bcc_levels(BOND)
    inner = {n: levels for n, levels in sources.items() if 0 < n < 16}
    whole, partial = mixing_at(sources, 16, at(2.0)), mixing_at(inner, 16, at(2.0))
    np.testing.assert_array_equal(whole.free_energy, partial.free_energy)
    assert whole.free_energy[0] == whole.free_energy[-1] == 0


def test_error_bars_have_the_right_size() -> None:
    """Scatter over repetitions of the whole calculation against the mean stated error, and against the truth."""
    exact, temperature = bcc_levels(BOND), at(3.5)
    true_mixing = mixing_at(exact, 16, temperature)
    (truth,) = true_mixing.regions
    values, errors, free, free_errors = [], [], [], []
    for seed in range(40):
        mixing = mixing_at(noisy(exact, 0.05, seed), 16, temperature)
        (region,) = mixing.regions
        assert region.standard_error is not None
        values.append(region.values)
        errors.append(list(region.standard_error.values()))
        free.append(mixing.free_energy[5])
        free_errors.append(mixing.free_energy_error[5])
    deviation = np.array(values) - truth.values
    ratio = np.sqrt((deviation**2).mean(axis=0) / (np.array(errors) ** 2).mean(axis=0))
    assert ((ratio > 0.65) & (ratio < 1.45)).all(), ratio
    assert 0.65 < np.std(free) / np.sqrt(np.mean(np.square(free_errors))) < 1.45
    assert np.array(errors).min() > 0


def test_runs_are_left_out_of_all_compositions_together() -> None:
    """Noise common to all compositions of a run cancels in differences, which only joint resampling can see."""
    n_runs, common = 8, 0.2 * np.random.default_rng(3).normal(size=8)
    grid = EnergyGrid(-BOND / 2, BOND, 2)
    sources = {}
    for n in (1, 2, 3):
        ln_g = normalised(np.column_stack([np.zeros(n_runs), common]), 4, n)
        sources[n] = DensityOfStates(grid, 4, n, ln_g, grid.centres, np.zeros(2))
    mixing = mixing_at(sources, 4, at(1.0))
    assert mixing.delta_mu_error[1] < 1e-6 * mixing.free_energy_error[1] * 4
    shuffled = sources | {2: DensityOfStates(grid, 4, 2, sources[2].run_ln_g[::-1], grid.centres, np.zeros(2))}
    assert mixing_at(shuffled, 4, at(1.0)).delta_mu_error[1] > mixing.free_energy_error[1]  # control


def test_different_numbers_of_runs_and_one_run() -> None:
    sources = noisy(bcc_levels(BOND), 0.05, 1)
    fewer = sources | {5: noisy(bcc_levels(BOND), 0.05, 2, n_runs=3)[5]}
    assert len(levels_without_each_run(list(fewer.values()))) == 3
    assert mixing_at(fewer, 16, at(2.0)).free_energy_error[8] > 0
    single = mixing_at(noisy(bcc_levels(BOND), 0.05, 1, n_runs=1), 16, at(2.0))
    assert np.isnan(single.free_energy_error).all()
    assert np.isnan(list((single.regions[0].standard_error or {}).values())).all()
    assert semigrand_averages(noisy(bcc_levels(BOND), 0.1, 1, 1), 16, at(2.0), np.zeros(1)).standard_error is None
    error = semigrand_averages(sources, 16, at(4.0), np.array([1e-4])).standard_error
    assert error is not None and 0 < error.fraction[0] < 0.1


def test_jackknife_of_a_mean_is_the_error_of_the_mean() -> None:
    values = np.random.default_rng(5).normal(size=12)
    left = np.array([np.delete(values, run).mean() for run in range(12)])
    assert standard_error(left) == pytest.approx(values.std(ddof=1) / np.sqrt(12), rel=1e-12)
    assert np.isnan(standard_error(left[:1]))


def test_bad_input_is_refused() -> None:
    sources = bcc_levels(BOND)
    with pytest.raises(InputError, match="out of range"):
        mixing_at({20: sources[3]}, 16, 300.0)
    with pytest.raises(InputError, match="16 sites"):
        mixing_at(sources, 32, 300.0)
    with pytest.raises(InputError, match="above 0 K"):
        mixing_at(sources, 16, 0.0)
    with pytest.raises(InputError, match="the first is 4"):
        semigrand_averages({n: sources[n] for n in sources if n != 4}, 16, 300.0, np.zeros(1))
    with pytest.raises(InputError, match="finite"):
        semigrand_averages(sources, 16, 300.0, np.array([np.nan]))
