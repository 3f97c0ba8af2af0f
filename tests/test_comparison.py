"""Comparing a run with the truth: figures that are known in advance, and what must be refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from known_levels import BOND, description, exact_levels, noisy_record

from wanglandau.comparison import compare
from wanglandau.density_of_states import DensityOfStates, normalised
from wanglandau.energy_grid import EnergyGrid
from wanglandau.errors import InputError
from wanglandau.levels import BOLTZMANN
from wanglandau.run_file import ExactRecord, RunRecord


@pytest.fixture(scope="module")
def exact() -> ExactRecord:
    return ExactRecord(exact_levels(), **description())


def with_grid(record: RunRecord, keep: slice) -> RunRecord:
    """Cut bins off the ends of a record's grid."""
    old = record.density
    grid = EnergyGrid(float(old.grid.edges[keep.start]), old.grid.width, keep.stop - keep.start)
    runs = normalised(old.run_ln_g[:, keep], 32, 16)
    parts = {"mean_energy": old.mean_energy[keep], "energy_variance": old.energy_variance[keep]}
    return replace(record, density=replace(old, grid=grid, run_ln_g=runs, **parts))


def test_a_perfect_run_differs_by_nothing(exact: ExactRecord) -> None:
    result = compare(noisy_record(noise=0.0), exact)
    assert result.common.bins == 28 and result.common.largest < 1e-9
    assert abs(result.peak_shift) < 1e-3 and abs(result.height_change_percent) < 1e-6
    assert not result.only_run_mev_per_atom and not result.only_reference_mev_per_atom
    assert result.reference_peak.temperature == pytest.approx(2.09506 * -BOND / 2 / BOLTZMANN, rel=1e-5)


def test_rms_and_z_follow_the_noise(exact: ExactRecord) -> None:
    results = [compare(noisy_record(0.08, seed), exact) for seed in range(30)]
    rms = np.sqrt(np.mean([result.common.rms**2 for result in results]))
    assert rms == pytest.approx(0.08 / np.sqrt(8), rel=0.15)
    assert np.mean([result.common.median_z for result in results]) == pytest.approx(0.71, abs=0.12)


def test_sparse_bins_count_only_in_the_unrestricted_figures(exact: ExactRecord) -> None:
    record = noisy_record(0.0)
    record.density.run_ln_g[:, 0] += 1.0  # 42 of 6e8 states: 7e-8 of all
    result = compare(record, exact, min_fraction=1e-7)
    assert result.common.largest == pytest.approx(1.0, abs=1e-6)
    assert result.populated.bins == 26 and result.populated.largest < 1e-6


def test_a_bias_in_every_run_shows_as_large_z(exact: ExactRecord) -> None:
    record = noisy_record(0.01)
    record.density.run_ln_g[:] += np.linspace(0, 0.5, record.density.grid.n_bins)
    assert compare(record, exact).common.median_z > 5


def test_levels_outside_the_grid_are_reported_as_missed(exact: ExactRecord) -> None:
    record = noisy_record(0.0)
    result = compare(with_grid(record, slice(1, record.density.grid.n_bins - 2)), exact)
    energies = np.array([128, 64]) * BOND * 13605.693 / 32
    assert result.only_reference_mev_per_atom == pytest.approx(energies, abs=1e-3)
    assert result.only_reference_states == pytest.approx(42 + 12)
    assert result.common.bins == 26
    assert "by the exact only: 2 (54 configurations)" in str(result)


def test_bins_that_cannot_exist_are_reported(exact: ExactRecord) -> None:
    record = noisy_record(0.0)
    empty = int(np.flatnonzero(~record.density.visited)[0])
    record = replace(record, density=replace(record.density, run_ln_g=record.density.run_ln_g.copy()))
    record.density.run_ln_g[:, empty] = 0.0
    assert len(compare(record, exact).only_run_mev_per_atom) == 1


def test_an_energy_window_is_compared_inside_it(exact: ExactRecord) -> None:
    record = with_grid(noisy_record(0.0), slice(5, 40))
    old = record.density
    inside = old.grid.index(exact.levels.energies)
    kept = exact.levels.degeneracies[(inside >= 0) & (inside < old.grid.n_bins)].sum() / 601080390
    window = DensityOfStates(old.grid, 32, 16, old.run_ln_g, old.mean_energy, old.energy_variance, coverage=float(kept))
    result = compare(replace(record, density=window), exact)
    assert result.common.largest < 1e-9 and not result.only_reference_mev_per_atom


def test_two_runs(exact: ExactRecord) -> None:
    first, second = noisy_record(0.02, 1), noisy_record(0.02, 2)
    result = compare(with_grid(first, slice(1, first.density.grid.n_bins)), second)
    assert not result.reference_is_exact
    assert result.common.bins == 27 and 0 < result.common.rms < 0.05
    assert len(result.only_reference_mev_per_atom) == 1
    other_way = compare(second, with_grid(first, slice(1, first.density.grid.n_bins)))
    assert other_way.common.rms == pytest.approx(result.common.rms)
    grid = replace(second.density.grid, width=0.0031)
    with pytest.raises(InputError, match="different bins"):
        compare(first, replace(second, density=replace(second.density, grid=grid)))


def test_other_oracle_system_or_composition_are_refused(exact: ExactRecord) -> None:
    run = noisy_record()
    other = replace(exact, oracle=exact.oracle | {"identity": "fedcba", "name": "surrogate"})
    with pytest.raises(InputError, match=r"pair:nn.toml \(abc123\) and surrogate \(fedcba\)"):
        compare(run, other)
    assert not compare(run, other, allow_other_oracle=True).same_oracle
    with pytest.raises(InputError, match="species"):
        compare(run, replace(exact, system=exact.system | {"species": ["Ag", "Au"]}))
    with pytest.raises(InputError, match="cell"):
        compare(run, replace(exact, system=exact.system | {"cell": 1.1 * exact.system["cell"]}))
    with pytest.raises(InputError, match="compositions differ: 16 and 12"):
        compare(run, replace(exact, levels=replace(exact.levels, composition=12)))


def test_all_compositions_hold_the_one(exact: ExactRecord) -> None:
    every = replace(exact, levels=replace(exact.levels, composition=None))
    assert compare(noisy_record(0.0), every).common.bins == 28


def test_json(exact: ExactRecord) -> None:
    values = json.loads(json.dumps(compare(noisy_record(), exact).to_json()))
    assert values["run_peak"]["height_kb_per_atom"] == pytest.approx(0.7249, rel=0.05)
    assert {"common", "populated", "peak_shift", "peak_shift_percent", "height_change_percent"} <= set(values)


def test_no_peak_is_compared_where_energies_were_left_out(exact: ExactRecord) -> None:
    cut = with_grid(noisy_record(0.0), slice(6, 28))
    density = replace(cut.density, coverage=0.99)
    result = compare(replace(cut, density=density, settings={"energy_range": (-50.0, 50.0)}), exact)
    assert result.valid_above_k > result.run_peak.temperature
    assert "peak of C: not compared; lower energies were left out of the run" in str(result)
    for settings in ({}, {"energy_range": (-9999.0, 50.0)}):  # nothing lies below
        whole = compare(replace(noisy_record(0.0), settings=settings), exact)
        assert whole.valid_above_k == 0 and "  position " in str(whole)
