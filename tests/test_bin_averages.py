"""Averages per bin, held against complete enumeration of a 16-atom cell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edited_file import edited
from enumerated_cell import TEMPERATURES, Everything, density_of, enumerated, joint_of, noisy_runs
from scipy.special import logsumexp, softmax

from wanglandau.bin_averages import (
    BinAverages,
    bin_ln_weights,
    canonical_average,
    read_bin_averages,
    write_bin_averages,
)
from wanglandau.density_of_states import DensityOfStates
from wanglandau.errors import InputError
from wanglandau.hdf5_parts import reading, writing
from wanglandau.joint_histogram import read_joint_histograms, write_joint_histograms
from wanglandau.levels import BOLTZMANN
from wanglandau.thermodynamics import thermodynamics


def exact_averages(everything: Everything, density: DensityOfStates) -> BinAverages:
    averages = BinAverages.empty(everything.names, density.grid.n_bins)
    averages.add(density.grid.index(everything.energies), everything.values)
    return averages


def exact_canonical(everything: Everything, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    weight = softmax(-everything.energies / (BOLTZMANN * temperature))
    mean = weight @ everything.values
    return mean, weight @ (everything.values - mean) ** 2


def measured_runs(
    everything: Everything, density: DensityOfStates, n_runs: int, n: int, seed: int
) -> list[BinAverages]:
    """Measure ``n`` configurations of every bin, at random, in every run."""
    rng = np.random.default_rng(seed)
    bins = density.grid.index(everything.energies)
    order = np.argsort(bins, kind="stable")
    sizes = np.bincount(bins, minlength=density.grid.n_bins)
    first = np.cumsum(sizes) - sizes
    runs = []
    for _ in range(n_runs):
        there = np.repeat(np.flatnonzero(sizes), n)
        chosen = order[first[there] + rng.integers(0, sizes[there])]
        runs.append(BinAverages.empty(everything.names, density.grid.n_bins))
        runs[-1].add(there, everything.values[chosen])
    return runs


@pytest.mark.parametrize("composition", [8, 5, None])
def test_canonical_averages_equal_enumeration(composition: int | None) -> None:
    everything = enumerated(composition)
    density = density_of(everything, composition, 1e-5)  # every level a bin of its own
    assert len(np.unique(everything.energies.round(9))) == density.visited.sum() > 10
    within = 1e-12 if composition is not None else 1e-8  # there, levels that rounding to quanta split share a bin
    result = canonical_average(density, [exact_averages(everything, density)], TEMPERATURES)
    for row, temperature in enumerate(TEMPERATURES):
        mean, variance = exact_canonical(everything, temperature)
        np.testing.assert_allclose(result.values[row], mean, atol=within)
        np.testing.assert_allclose(result.variances[row], variance, atol=within)
    np.testing.assert_allclose(result.covered, 1.0, atol=1e-14)
    assert result.standard_errors is None and result.names == everything.names
    assert result.values[0, 0] < result.values[-1, 0] - 0.2  # it does order


def test_weights_are_those_of_the_thermodynamics() -> None:
    everything = enumerated(8)
    density = density_of(everything, 8, 0.003)
    assert (density.energy_variance > 0).sum() > 3
    curves = thermodynamics(density, TEMPERATURES)
    weights = bin_ln_weights(density, TEMPERATURES)
    ground = density.mean_energy[density.visited].min()
    free = ground - BOLTZMANN * TEMPERATURES * logsumexp(weights, axis=1)
    np.testing.assert_allclose(free, curves.free_energy, rtol=1e-12)


def test_error_of_wide_bins_falls_with_the_square_of_their_width() -> None:
    everything = enumerated(8)
    errors = []
    for width in (0.004, 0.002, 0.001):
        density = density_of(everything, 8, width)
        result = canonical_average(density, [exact_averages(everything, density)], np.array([1000.0, 1500.0]))
        exact = np.array([exact_canonical(everything, temperature)[0] for temperature in (1000.0, 1500.0)])
        errors.append(np.abs(result.values - exact)[:, :2].max())
    assert errors[0] < 0.02 and errors[2] < errors[0] / 4


def test_jackknife_errors_cover_the_truth() -> None:
    everything = enumerated(8)
    density = density_of(everything, 8, 1e-5)
    warm = np.array([500.0, 1000.0, 2000.0])
    exact = np.array([exact_canonical(everything, temperature)[0] for temperature in warm])
    scores = []
    for seed in range(60):
        runs = noisy_runs(density, 8, 0.1, seed)
        result = canonical_average(runs, measured_runs(everything, density, 8, 20, 1000 + seed), warm)
        assert result.standard_errors is not None
        scores.append((result.values - exact) / result.standard_errors)
    rms = np.sqrt(np.mean(np.array(scores) ** 2, axis=0))
    assert (0.8 < rms).all() and (rms < 1.7).all()  # Student's t of 7 degrees of freedom: 1.18
    wrong = np.array([exact_canonical(everything, 0.9 * temperature)[0] for temperature in warm])
    assert (
        np.abs((result.values - wrong) / result.standard_errors).max() > 8
    )  # reweighting to the wrong temperature shows


def test_errors_come_from_both_the_density_and_the_averages() -> None:
    everything = enumerated(8)
    density = density_of(everything, 8, 1e-5)
    measured = measured_runs(everything, density, 8, 20, 3)
    exact = [exact_averages(everything, density)] * 8
    both = canonical_average(noisy_runs(density, 8, 0.1, 4), measured, TEMPERATURES).standard_errors
    only_density = canonical_average(noisy_runs(density, 8, 0.1, 4), exact, TEMPERATURES).standard_errors
    only_averages = canonical_average(density, measured, TEMPERATURES).standard_errors
    none = canonical_average(density, exact, TEMPERATURES).standard_errors
    assert both is not None and only_density is not None and only_averages is not None and none is not None
    assert (both[2] > 0.3 * np.hypot(only_density[2], only_averages[2])).all()
    assert np.abs(none).max() < 1e-12 and only_density[2, 0] > 1e-4 and only_averages[2, 3] > 1e-5


def test_bins_without_measurements_are_reported_and_not_filled_in() -> None:
    everything = enumerated(8)
    density = density_of(everything, 8, 1e-5)
    full = exact_averages(everything, density)
    lost = int(np.flatnonzero(density.visited)[1])
    holed = replace(full, count=np.where(np.arange(full.n_bins) == lost, 0, full.count))
    result = canonical_average(density, [holed], TEMPERATURES)
    kept = density.grid.index(everything.energies) != lost
    for row, temperature in enumerate(TEMPERATURES):
        weight = softmax(-everything.energies / (BOLTZMANN * temperature))
        assert result.covered[row] == pytest.approx(weight[kept].sum(), abs=1e-12)
        expected = weight[kept] @ everything.values[kept] / weight[kept].sum()
        np.testing.assert_allclose(result.values[row], expected, atol=1e-12)
    assert result.covered.min() < 0.95
    nothing = canonical_average(density, [BinAverages.empty(full.names, full.n_bins)], TEMPERATURES)
    assert (nothing.covered == 0).all() and np.isnan(nothing.values).all() and np.isnan(full.mean[1]).all()


def test_accumulators_merge_and_grow() -> None:
    rng = np.random.default_rng(5)
    bins, values = rng.integers(0, 6, 500), rng.normal(size=(500, 2))
    whole, first, second = (BinAverages.empty(["a", "b"], 6) for _ in range(3))
    whole.add(bins, values)
    first.add(bins[:200], values[:200])
    second.add(bins[200:], values[200:])
    merged = first.merge(second)
    np.testing.assert_array_equal(merged.count, whole.count)
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(whole.mean[3], values[bins == 3].mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(whole.variance[3], values[bins == 3].var(axis=0), rtol=1e-12)
    grown = whole.grown(2, 3)
    assert grown.n_bins == 11 and grown.count[2:8].tolist() == whole.count.tolist()
    assert np.isnan(grown.mean[:2]).all() and (grown.total[2:8] == whole.total).all()
    shifted = BinAverages.empty(["a", "b"], 11)
    shifted.add(bins + 2, values)
    np.testing.assert_array_equal(grown.total_square, shifted.total_square)


def test_what_does_not_go_together_is_refused() -> None:
    averages = BinAverages.empty(["a"], 4)
    for bins, values, message in (
        ([4], [[1.0]], "0 to 3"),
        ([-1], [[1.0]], "0 to 3"),
        ([0], [[np.nan]], "observable a"),
        ([0, 1], [[1.0]], "shape"),
    ):
        with pytest.raises(InputError, match=message):
            averages.add(np.array(bins), np.array(values))
    assert averages.count.sum() == 0
    with pytest.raises(InputError, match="do not go together"):
        averages.merge(BinAverages.empty(["b"], 4))
    with pytest.raises(InputError, match="cannot grow"):
        averages.grown(-1, 0)
    everything = enumerated(8)
    density = density_of(everything, 8, 1e-5)
    good = exact_averages(everything, density)
    with pytest.raises(InputError, match="do not go with"):
        canonical_average(density, [averages], TEMPERATURES)
    with pytest.raises(InputError, match="do not go with"):
        canonical_average(density, [], TEMPERATURES)
    with pytest.raises(InputError, match="one for each"):
        canonical_average(noisy_runs(density, 3, 0.1, 0), [good, good], TEMPERATURES)
    with pytest.raises(InputError, match="above 0 K"):
        canonical_average(density, [good], np.array([0.0]))


def test_round_trip_through_a_file(tmp_path: Path) -> None:
    everything = enumerated(8)
    density = density_of(everything, 8, 0.002)
    runs = measured_runs(everything, density, 3, 5, 7)
    joint = joint_of(everything, density)
    path = tmp_path / "averages.h5"
    with writing(path) as file:
        write_bin_averages(file.create_group("averages"), runs)
        write_joint_histograms(file.create_group("joint"), [joint, joint.merge(joint)])
    with reading(path) as file:
        again = read_bin_averages(file["averages"])
        joints = read_joint_histograms(file["joint"])
    assert len(again) == 3
    for ours, theirs in zip(runs, again, strict=True):
        assert ours.names == theirs.names
        for part in ("count", "total", "total_square"):
            np.testing.assert_array_equal(getattr(ours, part), getattr(theirs, part))
    assert (joints[1].counts == 2 * joint.counts).all()
    assert (joints[0].name, joints[0].start, joints[0].width) == (joint.name, joint.start, joint.width)
    with edited(path) as file:
        file["averages/count"][0, 0] = -1
        file["joint"].attrs["width"] = 0.0
    for read, group in ((read_bin_averages, "averages"), (read_joint_histograms, "joint")):
        with pytest.raises(InputError, match="damaged"), reading(path) as file:
            read(file[group])
    with pytest.raises(InputError, match="no averages"), writing(path) as file:
        write_bin_averages(file, [])
