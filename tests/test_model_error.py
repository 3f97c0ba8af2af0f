"""Thermodynamics of members by reweighting, against exact enumeration of every member."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from wanglandau.density_of_states import DensityOfStates, density_from_levels
from wanglandau.energy_grid import EnergyGrid
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.levels import BOLTZMANN, Levels
from wanglandau.model_error import MemberMoments, ModelError, member_levels, model_error
from wanglandau.orbits import enumerate_orbits
from wanglandau.thermodynamics import heat_capacity_peak, thermodynamics

N_SITES, COMPOSITION, N_BINS = 32, 8, 300
TEMPERATURES = np.arange(60.0, 600.0, 10.0)


class Enumerated:
    """Every orbit of 8 in 32 sites of fcc with its energy by a pair model and by six that differ a little from it."""

    def __init__(self) -> None:
        lattice = Lattice.cubic("fcc", ("Cu", "Au"), 7.3, (2, 2, 2))
        orbits = enumerate_orbits(lattice, COMPOSITION)
        spins = 1.0 - 2.0 * orbits.occupations(0, len(orbits))
        pairs = np.array([(spins[:, s.neighbours].sum(axis=2) * spins).sum(axis=1) / 2 for s in lattice.shells(3)]).T
        rng = np.random.default_rng(3)
        changes = rng.normal(scale=[4e-6, 4e-6, 4e-6], size=(6, 3))
        changes -= changes.mean(axis=0)
        couplings = np.array([1.5e-4, -6e-5, 2e-5])
        # Something that no pair model has, so that members disagree within a bin of one energy of pairs.
        own = rng.normal(scale=2e-4, size=(len(orbits), 6))
        self.weights = orbits.sizes
        self.energies = pairs @ couplings
        self.members = pairs @ (couplings + changes).T + own

    def density(self, n_bins: int = N_BINS) -> DensityOfStates:
        low, high = self.energies.min(), self.energies.max()
        grid = EnergyGrid.covering(low, high, (high - low) / n_bins)
        return density_from_levels(grid, N_SITES, COMPOSITION, self.energies, self.weights)

    def moments(self, density: DensityOfStates) -> MemberMoments:
        return MemberMoments.measured(density.grid, self.energies, self.members, self.weights)


@pytest.fixture(scope="module")
def system() -> Enumerated:
    return Enumerated()


@pytest.fixture(scope="module")
def density(system: Enumerated) -> DensityOfStates:
    return system.density()


@pytest.fixture(scope="module")
def found(system: Enumerated, density: DensityOfStates) -> ModelError:
    return model_error(density, system.moments(density), TEMPERATURES)


@pytest.fixture(scope="module")
def exact(system: Enumerated) -> list[Levels]:
    return [Levels.exact(N_SITES, energies, system.weights) for energies in system.members.T]


@pytest.mark.compiled
def test_peaks_of_members_are_those_of_their_enumeration(found: ModelError, exact: list[Levels]) -> None:
    peaks = [heat_capacity_peak(levels, TEMPERATURES) for levels in exact]
    temperature = np.array([peak.temperature for peak in peaks])
    height = np.array([peak.height for peak in peaks])
    assert found.peaks_inside and all(peak.inside for peak in peaks)
    spread = temperature.std(ddof=1)
    assert spread > 0.5  # K: there is something to find
    assert_allclose([peak.temperature for peak in found.member_peaks], temperature, rtol=0, atol=0.05 * spread)
    assert_allclose([peak.height for peak in found.member_peaks], height, rtol=0, atol=0.05 * height.std(ddof=1))
    assert found.peak_temperature_error == pytest.approx(spread, rel=0.02)
    assert found.peak_height_error == pytest.approx(height.std(ddof=1), rel=0.02)


@pytest.mark.compiled
def test_curves_of_members_are_those_of_their_enumeration(found: ModelError, exact: list[Levels]) -> None:
    for name in ("internal_energy", "heat_capacity", "free_energy", "entropy"):
        wanted = np.array([getattr(thermodynamics(levels, TEMPERATURES), name) for levels in exact])
        got = np.array([getattr(member, name) for member in found.members])
        spread = wanted.std(axis=0, ddof=1)
        assert np.abs(got - wanted).max() < 0.05 * spread.max()
        assert_allclose(getattr(found.spread, name), spread, rtol=0, atol=0.02 * spread.max())
        assert_allclose(getattr(found.mean, name), wanted.mean(axis=0), rtol=0, atol=0.02 * spread.max())


@pytest.mark.compiled
def test_without_the_variance_members_come_out_wrong(
    system: Enumerated, density: DensityOfStates, found: ModelError, exact: list[Levels]
) -> None:
    """The control: the second order is needed, and the comparison above would notice its absence."""
    moments = system.moments(density)
    first = model_error(density, MemberMoments(moments.mean, 0 * moments.variance, moments.count), TEMPERATURES)
    wanted = np.array([thermodynamics(levels, TEMPERATURES).free_energy for levels in exact])
    errors = [
        np.abs(np.array([member.free_energy for member in result.members]) - wanted).max() for result in (found, first)
    ]
    assert errors[1] > 10 * errors[0]


@pytest.mark.compiled
def test_moments_of_the_wrong_bins_are_noticed(
    system: Enumerated, density: DensityOfStates, exact: list[Levels]
) -> None:
    moments = system.moments(density)
    shifted = MemberMoments(np.roll(moments.mean, 5, axis=1), moments.variance, moments.count)
    temperatures = [peak.temperature for peak in model_error(density, shifted, TEMPERATURES).member_peaks]
    wanted = [heat_capacity_peak(levels, TEMPERATURES).temperature for levels in exact]
    assert np.abs(np.subtract(temperatures, wanted)).max() > 0.05 * np.std(wanted, ddof=1)


@pytest.mark.compiled
def test_members_equal_to_the_sampled_model_have_no_error(system: Enumerated, density: DensityOfStates) -> None:
    same = np.repeat(system.energies[:, None], 3, axis=1)
    result = model_error(
        density, MemberMoments.measured(density.grid, system.energies, same, system.weights), TEMPERATURES
    )
    assert_allclose(result.spread.heat_capacity, 0, atol=1e-12)
    assert result.peak_temperature_error == pytest.approx(0, abs=1e-9)
    assert_allclose(result.mean.free_energy, result.sampled.free_energy, rtol=0, atol=1e-12)
    assert result.member_peaks[0].temperature == pytest.approx(result.peak.temperature, abs=1e-4)


@pytest.mark.compiled
def test_a_constant_moves_free_energies_and_nothing_else(system: Enumerated, density: DensityOfStates) -> None:
    """Members that differ by constants have a model error of F and U known on paper, and none of C and S."""
    constants = np.array([-2e-3, 0.0, 2e-3])
    members = system.energies[:, None] + constants
    moments = MemberMoments.measured(density.grid, system.energies, members, system.weights)
    result = model_error(density, moments, TEMPERATURES)
    assert_allclose(result.spread.free_energy, 2e-3, rtol=1e-9)
    assert_allclose(result.spread.internal_energy, 2e-3, rtol=1e-6)
    assert_allclose(result.spread.heat_capacity, 0, atol=1e-6)


@pytest.mark.compiled
def test_bins_without_samples_fall_back_and_are_reported(system: Enumerated, density: DensityOfStates) -> None:
    moments = system.moments(density)
    bins = np.flatnonzero(density.visited)
    lost = bins[len(bins) // 3 : len(bins) // 2]
    count = moments.count.copy()
    count[lost] = 0
    mean, variance = moments.mean.copy(), moments.variance.copy()
    mean[:, lost] = variance[:, lost] = np.nan
    partly = MemberMoments(mean, variance, count)
    levels = member_levels(density, partly)[2]
    gone = np.isin(bins, lost)
    assert_allclose(levels.energies[gone], density.mean_energy[lost])
    assert_allclose(levels.variances[gone], density.energy_variance[lost])
    result = model_error(density, partly, TEMPERATURES)
    own = Levels.binned(density)
    for temperature, share in zip(TEMPERATURES, result.unsampled_weight, strict=True):
        ln_weight = own.ln_g - own.energies / (BOLTZMANN * temperature)
        weight = np.exp(ln_weight - ln_weight.max())
        assert share == pytest.approx(weight[gone].sum() / weight.sum(), rel=1e-9)
    assert result.unsampled_weight.max() > 0.1
    assert np.isfinite(result.spread.heat_capacity).all()
    none = model_error(density, MemberMoments(mean, variance, np.zeros_like(count)), TEMPERATURES)
    assert_allclose(none.unsampled_weight, 1.0)
    assert none.peak_temperature_error == 0.0


@pytest.mark.compiled
def test_cut_weight_tells_where_the_expansion_ends(system: Enumerated, density: DensityOfStates) -> None:
    moments = system.moments(density)
    assert model_error(density, moments, np.array([200.0, 300.0, 400.0])).cut_weight.max() == 0
    wild = MemberMoments(moments.mean, moments.variance + (5 * BOLTZMANN * 300) ** 2, moments.count)
    assert model_error(density, wild, np.array([200.0, 300.0, 400.0])).cut_weight.min() > 0.9


@pytest.mark.compiled
def test_sampling_error_stays_apart_from_model_error(system: Enumerated, density: DensityOfStates) -> None:
    rng = np.random.default_rng(0)
    noisy = density.run_ln_g + rng.normal(scale=0.05, size=(4, density.grid.n_bins))
    parts = (density.grid, N_SITES, COMPOSITION, noisy, density.mean_energy, density.energy_variance)
    result = model_error(DensityOfStates(*parts), system.moments(density), TEMPERATURES)
    values = result.to_json()
    json.dumps(values, allow_nan=False)
    assert values["n_members"] == 6
    peak = values["peak"]
    assert peak["temperature_sampling_error_k"] > 0 and peak["temperature_model_error_k"] > 0
    assert peak["temperature_model_error_k"] == pytest.approx(
        model_error(density, system.moments(density), TEMPERATURES).peak_temperature_error, rel=0.3
    )
    single = model_error(DensityOfStates(*parts[:3], noisy[:1], *parts[4:]), system.moments(density), TEMPERATURES)
    values = single.to_json()
    json.dumps(values, allow_nan=False)
    assert values["sampling_error"] is None and values["peak"]["temperature_sampling_error_k"] is None
    assert values["peak"]["temperature_model_error_k"] > 0


@pytest.mark.compiled
def test_mean_minus_sampled_shows_an_offset(system: Enumerated, density: DensityOfStates) -> None:
    """Members of energies that are all 2 % larger order at a temperature that is 2 % higher."""
    members = 1.02 * np.repeat(system.energies[:, None], 2, axis=1)
    moments = MemberMoments.measured(density.grid, system.energies, members, system.weights)
    result = model_error(density, moments, TEMPERATURES)
    offset = result.to_json()["peak"]["temperature_mean_minus_sampled_k"]
    assert offset == pytest.approx(0.02 * result.peak.temperature, rel=1e-2)
    assert result.peak_temperature_error == pytest.approx(0, abs=1e-6)


@pytest.mark.compiled
def test_moments_of_parts_join_to_those_of_the_whole(system: Enumerated, density: DensityOfStates) -> None:
    chosen = np.random.default_rng(1).integers(3, size=len(system.energies))
    whole = MemberMoments.measured(density.grid, system.energies, system.members)
    parts = [
        MemberMoments.measured(density.grid, system.energies[chosen == part], system.members[chosen == part])
        for part in range(3)
    ]
    joined = MemberMoments.combined(parts)
    np.testing.assert_array_equal(joined.count, whole.count)
    seen = whole.count > 0
    assert_allclose(joined.mean[:, seen], whole.mean[:, seen], rtol=0, atol=1e-14)
    assert_allclose(joined.variance[:, seen], whole.variance[:, seen], rtol=1e-9, atol=1e-18)
    one = np.flatnonzero(whole.count > 5)[0]
    inside = system.members[density.grid.index(system.energies) == one]
    assert_allclose(whole.mean[:, one], inside.mean(axis=0), rtol=1e-12)
    assert_allclose(whole.variance[:, one], inside.var(axis=0), rtol=1e-9)


@pytest.mark.compiled
def test_energies_outside_the_grid_are_left_out(system: Enumerated, density: DensityOfStates) -> None:
    far = np.concatenate([system.energies, [density.grid.start - 1.0, density.grid.edges[-1] + 1.0]])
    members = np.vstack([system.members, np.full((2, 6), np.nan)])
    count = MemberMoments.measured(density.grid, far, members).count
    assert count.sum() == len(system.energies)


@pytest.mark.compiled
def test_what_cannot_be_moments_is_refused(system: Enumerated, density: DensityOfStates) -> None:
    good = system.moments(density)
    bad = good.variance.copy()
    bad[0, np.flatnonzero(good.count)[0]] = -1.0
    broken = good.mean.copy()
    broken[1, np.flatnonzero(good.count)[0]] = np.nan
    for parts, words in (
        ((good.mean[:1], good.variance[:1], good.count), "at least 2"),
        ((good.mean, good.variance[:, 1:], good.count), "shapes"),
        ((good.mean, bad, good.count), "below 0"),
        ((broken, good.variance, good.count), "not finite"),
        ((good.mean, good.variance, good.count - 1), "negative"),
    ):
        with pytest.raises(InputError, match=words):
            MemberMoments(*parts)
    other = system.density(100)
    with pytest.raises(InputError, match="bins"):
        model_error(other, good, TEMPERATURES)
    with pytest.raises(InputError, match="joined"):
        MemberMoments.combined([good, system.moments(other)])
    with pytest.raises(InputError, match="joined"):
        MemberMoments.combined([])
    with pytest.raises(InputError, match="at least 3"):
        model_error(density, good, TEMPERATURES[:2])
