"""What larger cells do differently: no energies of negative temperatures, windows that do not crowd."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from references.alloys import ORDERING_BOND, Repeat, alloy_lattice, alloy_oracle, joint_table
from references.ln_g_error import missing_levels, rms_ln_g

from wanglandau import calculation, starting
from wanglandau.calculation import Calculation, plan
from wanglandau.engine import Engine
from wanglandau.ranks import OneProcess
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings

LONG_FCC: Repeat = (2, 2, 4)
"""64 sites, for which a transfer matrix counts all configurations."""
LARGER_FCC: Repeat = (3, 3, 3)


def planned(repeat: Repeat, **settings: Any) -> Calculation:
    oracle = alloy_oracle(alloy_lattice("fcc", repeat))
    chosen = WangLandauSettings(**{"runs": 1, "windows": 1, "max_trials": 1_000_000, **settings})
    return plan(Engine.fastest(oracle), oracle.lattice.n_sites // 2, chosen, OneProcess())


def part_above(energy: float) -> float:
    """Return which part of the 64-site configurations at 32/32 has a higher mixing energy, Ry, exactly."""
    table = joint_table("fcc", LONG_FCC).at_composition(32)
    above = sum(count for unlike, count in table.items() if unlike * ORDERING_BOND > energy)
    return above / sum(table.values())


@pytest.mark.compiled
def test_energies_of_negative_temperatures_are_left_out_of_large_cells_only() -> None:
    full, cut = planned(LARGER_FCC, negative_temperatures=True), planned(LARGER_FCC)
    assert full.grid.edges[-1] - cut.grid.edges[-1] > 0.3 * (full.grid.edges[-1] - full.grid.start)
    assert full.grid.start == pytest.approx(cut.grid.start) and 1.0 > cut.coverage > 0.99


@pytest.mark.compiled
def test_what_is_left_out_is_negligible(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = planned(LONG_FCC, negative_temperatures=False)
    left_out = part_above(wide.grid.edges[-1])
    assert 0 < left_out < 5e-3
    assert wide.coverage == pytest.approx(1.0 - left_out, abs=1e-3)  # and what is left out is counted
    monkeypatch.setattr(calculation, "TAIL", 1.0)
    narrow = planned(LONG_FCC, negative_temperatures=False)
    assert part_above(narrow.grid.edges[-1]) > 0.05
    assert narrow.coverage < 0.95  # a tail that is too short does not go unnoticed


@pytest.mark.compiled
def test_ln_g_without_its_upper_tail_counts_all_configurations() -> None:
    settings = WangLandauSettings(
        runs=4, max_trials=5_000_000, precision=1e-6, negative_temperatures=False, observables=False, threads=1
    )
    density = sample_density(alloy_oracle(alloy_lattice("fcc", LONG_FCC)), 32, settings, progress=False).density
    table = joint_table("fcc", LONG_FCC).at_composition(32)
    left_out = missing_levels(density, table, ORDERING_BOND)
    assert left_out and max(left_out) * ORDERING_BOND > density.grid.edges[-1] - density.grid.width
    kept = {unlike: count for unlike, count in table.items() if unlike not in left_out}
    assert rms_ln_g(density, kept, ORDERING_BOND) < 0.06


@pytest.mark.parametrize("n_windows", [3, 5])
@pytest.mark.compiled
def test_windows_do_not_crowd_where_the_preview_saw_little(monkeypatch: pytest.MonkeyPatch, n_windows: int) -> None:
    def hardly_seen_below(proposals: np.ndarray, trials_from: np.ndarray, ln_g: np.ndarray) -> np.ndarray:
        return np.where(np.arange(len(ln_g)) < len(ln_g) // 4, 1e-12, 1.0)

    monkeypatch.setattr(starting, "diffusivity", hardly_seen_below)
    windows = planned(LARGER_FCC, windows=n_windows).windows
    share = windows.mask.sum(axis=1) / windows.n_bins
    assert share.max() < 0.8
    monkeypatch.setattr(starting, "LEAST_DIFFUSIVITY", 0.0)
    crowded = planned(LARGER_FCC, windows=n_windows).windows
    assert (crowded.mask.sum(axis=1) / crowded.n_bins).max() > 0.8
