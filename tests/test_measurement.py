"""What production measures, against averages over every configuration of a 16-atom cell."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from enumerated_cell import density_of, enumerated

from wanglandau.bin_averages import canonical_average
from wanglandau.ensemble_oracle import EnsembleOracle
from wanglandau.errors import InputError, OracleError
from wanglandau.lattice import Lattice
from wanglandau.levels import BOLTZMANN
from wanglandau.measurement import Measurement
from wanglandau.observables import column_names, measure_all, standard_observables
from wanglandau.pair_model import PairOracle
from wanglandau.sampled_density import SampledDensity
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings

TEMPERATURES = np.array([200.0, 500.0, 2000.0])
COMPOSITION = 8


def two_shells() -> PairOracle:
    """Return the oracle of :mod:`enumerated_cell`."""
    return PairOracle(Lattice.cubic("bcc", ("Fe", "Pt"), 5.4, (2, 2, 2)), [-0.0011, 0.0003])


class Members(PairOracle):
    """An ensemble of the sampled energy and of two others that are known functions of it."""

    n_members = 3
    wrong = False

    def member_energies(self, occupations: np.ndarray) -> np.ndarray:
        energies = self.energies(occupations)
        if self.wrong:
            return energies[:, None]
        return np.stack([energies, energies + 0.001, 2.0 * energies], axis=1)


@cache
def measured(joint: str | None = None) -> SampledDensity:
    settings = WangLandauSettings(runs=4, max_trials=1_000_000, precision=1e-6, joint=joint, joint_bins=33, threads=1)
    return sample_density(two_shells(), COMPOSITION, settings, progress=False)


def exact_averages() -> tuple[tuple[str, ...], np.ndarray]:
    """Return names and averages, ``float64[n_temperatures, n_columns]``, over all configurations."""
    observables = standard_observables(two_shells().lattice, two_shells())
    rows = ((np.arange(2**16)[:, None] >> np.arange(16)) & 1).astype(np.int8)
    rows = rows[rows.sum(axis=1) == COMPOSITION]
    energies, values = two_shells().energies(rows), measure_all(observables, rows)
    chance = np.exp(-(energies - energies.min()) / (BOLTZMANN * TEMPERATURES[:, None]))
    return column_names(observables), (chance @ values) / chance.sum(axis=1, keepdims=True)


@pytest.mark.compiled
def test_observables_have_their_exact_canonical_averages() -> None:
    sampled = measured()
    found = canonical_average(sampled.density, sampled.averages, TEMPERATURES)
    names, exact = exact_averages()
    assert found.names == names
    assert found.covered.min() > 0.999
    errors = found.standard_errors
    assert errors is not None
    assert (errors < 0.02).all()
    assert (np.abs(found.values - exact) < 5 * errors + 1e-3).all()
    wrong = np.abs(np.roll(exact, 1, axis=0) - found.values) / (errors + 1e-3)
    assert wrong.max() > 50  # the test tells the averages of one temperature from those of another


@pytest.mark.compiled
def test_every_run_has_averages_of_its_own() -> None:
    averages = measured().averages
    assert len(averages) == 4
    assert all(one.n_bins == measured().density.grid.n_bins for one in averages)
    assert not np.array_equal(averages[0].count, averages[1].count)
    measurements = [int(one.count.sum()) for one in averages]
    every = 160  # ten sweeps of 16 sites
    assert all(0.5 * 1e6 / every < number <= 1e6 / every for number in measurements)


@pytest.mark.compiled
def test_joint_histogram_has_the_exact_distribution() -> None:
    name = "lro_B2"
    sampled = measured(name)
    everything = enumerated(COMPOSITION)
    exact = density_of(everything, COMPOSITION, sampled.density.grid.width)
    values = everything.values[:, everything.names.index(name)]
    assert len(sampled.joint) == 4
    counts = sum(run.counts for run in sampled.joint)
    place = sampled.density.grid.index(everything.energies)
    busiest = int(np.argmax(np.bincount(place)))
    expected = np.bincount(
        np.floor((values[place == busiest] - sampled.joint[0].start) / sampled.joint[0].width).astype(int),
        minlength=33,
    )
    share, exact_share = counts[busiest] / counts[busiest].sum(), expected / expected.sum()
    assert ((share > 0) <= (exact_share > 0)).all()
    assert np.abs(share - exact_share).max() < 5 * np.sqrt(0.25 / counts[busiest].sum()) + 0.01
    assert exact.n_sites == 16


@pytest.mark.parametrize("choices", [{"ensemble": "semigrand"}, {"production": 0.0}])
def test_a_joint_density_needs_production_in_bins_of_energy_alone(choices: dict) -> None:
    with pytest.raises(InputError, match="production"):
        Measurement.of(two_shells(), WangLandauSettings(joint="lro_B2", **choices))


def test_an_unknown_observable_is_refused() -> None:
    with pytest.raises(InputError, match="alpha_1"):
        Measurement.of(two_shells(), WangLandauSettings(joint="taste"))


@pytest.mark.compiled
def test_nothing_is_measured_unless_wanted() -> None:
    settings = WangLandauSettings(runs=2, max_trials=50_000, precision=1e-6, observables=False, threads=1)
    sampled = sample_density(two_shells(), COMPOSITION, settings, progress=False)
    assert sampled.averages == [] and sampled.joint == []


@pytest.mark.compiled
def test_members_of_an_ensemble_are_measured() -> None:
    oracle = Members(two_shells().lattice, [-0.0011, 0.0003])
    assert isinstance(oracle, EnsembleOracle)
    settings = WangLandauSettings(runs=2, max_trials=600_000, precision=1e-6, observables=False, threads=1)
    sampled = sample_density(oracle, COMPOSITION, settings, progress=False)
    assert sampled.produced
    merged = sampled.averages[0].merge(sampled.averages[1])
    assert merged.names == tuple(f"member_{k}_energy_ry" for k in range(3))
    measured_bins = merged.count > 0
    own, shifted, doubled = merged.mean[measured_bins].T
    assert shifted - own == pytest.approx(0.001)
    assert doubled == pytest.approx(2.0 * own)
    width = sampled.density.grid.width
    assert np.abs(own - sampled.density.grid.centres[measured_bins]).max() <= width / 2 * (1 + 1e-9)


@pytest.mark.compiled
def test_members_that_are_missing_are_an_error() -> None:
    oracle = Members(two_shells().lattice, [-0.0011, 0.0003])
    oracle.wrong = True
    settings = WangLandauSettings(runs=1, max_trials=600_000, precision=1e-6, threads=1)
    with pytest.raises(OracleError, match="member energies"):
        sample_density(oracle, COMPOSITION, settings, progress=False)
