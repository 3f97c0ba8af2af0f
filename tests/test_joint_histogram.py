"""Joint histograms and free-energy profiles, held against complete enumeration of a 16-atom cell."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest
from enumerated_cell import TEMPERATURES, density_of, enumerated, joint_of, noisy_runs
from scipy.special import logsumexp, softmax

from wanglandau.errors import InputError
from wanglandau.joint_histogram import JointHistogram, free_energy_profile, joint_ln_g, write_joint_histograms
from wanglandau.levels import BOLTZMANN
from wanglandau.thermodynamics import thermodynamics


def test_free_energy_profile_equals_enumeration() -> None:
    everything = enumerated(8)
    density = density_of(everything, 8, 1e-5)
    joint = joint_of(everything, density)
    profile = free_energy_profile(density, [joint], TEMPERATURES)
    values = np.unique(everything.signed.round(12))
    np.testing.assert_allclose(profile.values[::2], values, atol=1e-12)  # steps of 1/4 in bins of 1/8
    for row, temperature in enumerate(TEMPERATURES):
        weight = softmax(-everything.energies / (BOLTZMANN * temperature))
        exact = np.array([weight[np.abs(everything.signed - value) < 1e-9].sum() for value in values])
        np.testing.assert_allclose(profile.probability[row, ::2], exact, rtol=1e-9, atol=1e-300)
        assert not profile.probability[row, 1::2].any() and np.isposinf(profile.free_energy[row, 1::2]).all()
        total = -BOLTZMANN * temperature * logsumexp(-profile.free_energy[row] / (BOLTZMANN * temperature))
        assert total == pytest.approx(thermodynamics(density, np.array([temperature])).free_energy[0], rel=1e-11)
    assert profile.probability[0, 0] > 0.4 > 0.1 > profile.probability[-1, 0]  # ordered, then not
    np.testing.assert_allclose(profile.covered, 1.0, atol=1e-12)
    assert profile.probability_error is None and profile.free_energy_error is None


def test_joint_density_of_states_counts_every_configuration() -> None:
    everything = enumerated(8)
    density = density_of(everything, 8, 0.002)
    joint = joint_of(everything, density)
    with np.errstate(divide="ignore"):
        expected = np.log(joint.counts.astype(float))
    np.testing.assert_allclose(joint_ln_g(density, joint), expected, atol=1e-9)
    weighted = replace(joint, counts=joint.counts * np.arange(1, joint.n_bins + 1)[:, None])  # uneven visits to bins
    np.testing.assert_allclose(joint_ln_g(density, weighted), expected, atol=1e-9)


def test_errors_and_coverage_of_the_profile() -> None:
    everything = enumerated(8)
    density = density_of(everything, 8, 1e-5)
    joint = joint_of(everything, density)
    runs = noisy_runs(density, 8, 0.1, 6)
    warm = np.array([1000.0, 2000.0])
    profile = free_energy_profile(runs, [joint] * 8, warm)
    exact = free_energy_profile(density, [joint], warm)
    assert profile.probability_error is not None and profile.free_energy_error is not None
    seen = exact.probability > 1e-3
    scores = (profile.probability - exact.probability)[seen] / profile.probability_error[seen]
    assert 0.3 < np.sqrt(np.mean(scores**2)) < 2.5
    differences = profile.free_energy[seen] - exact.free_energy[seen]
    assert 0.3 < np.sqrt(np.mean((differences / profile.free_energy_error[seen]) ** 2)) < 2.5
    assert np.isnan(profile.free_energy_error[:, 1]).all()
    holed = replace(joint, counts=np.where(np.arange(joint.n_bins)[:, None] == 0, 0, joint.counts))
    assert free_energy_profile(density, [holed], TEMPERATURES).covered[0] < 0.5
    with pytest.raises(InputError, match="no counts"):
        free_energy_profile(density, [replace(joint, counts=0 * joint.counts)], TEMPERATURES)
    with pytest.raises(InputError, match="do not go with"):
        free_energy_profile(density, [], TEMPERATURES)


def test_joint_histograms_merge_grow_and_refuse() -> None:
    joint = JointHistogram.covering("q", 3, 0.0, 1.0, 0.25)
    joint.add(np.array([0, 2, 2]), np.array([0.0, 1.0, 0.5]))
    assert joint.counts.tolist() == [[1, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 1, 0, 1]]
    assert joint.merge(joint).counts.sum() == 6
    assert joint.grown(1, 2).counts.shape == (6, 5) and joint.grown(1, 2).counts[1, 0] == 1
    for bins, values, message in (
        ([0], [1.2], "wider range"),
        ([0], [-0.2], "wider range"),
        ([0], [np.nan], "finite"),
        ([3], [0.5], "0 to 2"),
        ([0, 1], [0.5], "finite value for each"),
    ):
        with pytest.raises(InputError, match=message):
            joint.add(np.array(bins), np.array(values))
    with pytest.raises(InputError, match="same grid"):
        joint.merge(JointHistogram.covering("q", 3, 0.0, 1.0, 0.5))
    with pytest.raises(InputError, match="cannot grow"):
        joint.grown(0, -1)
    with pytest.raises(InputError, match="no bins"):
        JointHistogram.covering("q", 3, 1.0, 0.0, 0.25)
    with pytest.raises(InputError, match="limit"):
        JointHistogram.covering("q", 10**6, 0.0, 1.0, 1e-4)
    with (
        pytest.raises(InputError, match="no joint histograms"),
        h5py.File("x", "w", driver="core", backing_store=False) as file,
    ):
        write_joint_histograms(file, [])
