"""Before the walks: windows and walkers inside them."""

from __future__ import annotations

import numpy as np
import pytest
from exact_weights import FULL, WIDTH, Uncompiled, bcc_oracle, fcc_oracle
from known_levels import UNLIKE_BONDS

from wanglandau.energy_grid import EnergyGrid
from wanglandau.engine import Engine
from wanglandau.errors import InputError
from wanglandau.range_search import EnergyRange, make_grid, sampled_range, search_range
from wanglandau.settings import WangLandauSettings
from wanglandau.starting import drive_into, lay_windows, number_of_windows, starting_walkers
from wanglandau.walkers import Window, make_walkers
from wanglandau.windows import energy_windows


@pytest.mark.parametrize(
    ("choices", "n_sites", "expected"),
    [
        ({}, 32, 1),
        ({}, 64, 1),
        ({}, 256, 2),
        ({"windows": 3}, 32, 3),
        ({"lowest_temperature": 300.0}, 256, 1),
        ({"ensemble": "semigrand"}, 256, 1),
        ({"ensemble": "zero-field"}, 256, 2),
        ({"energy_range": (-1.0, 1.0)}, 256, 1),
    ],
)
def test_number_of_windows(choices: dict, n_sites: int, expected: int) -> None:
    assert number_of_windows(WangLandauSettings(**choices), n_sites) == expected


@pytest.mark.compiled
@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("window", [Window(-128.5, -117.5), Window(-100.5, -99.5), Window(-76.5, -60.0)])
def test_walkers_are_brought_into_their_window(window: Window, compiled: bool) -> None:
    oracle = fcc_oracle()
    engine = Engine.fastest(oracle if compiled else Uncompiled(oracle))
    walkers = starting_walkers(engine, 16, 6, window, FULL, np.random.SeedSequence(3))
    records = walkers.records
    assert window.holds(records["energy"]).all()
    assert np.array_equal(records["energy"], oracle.energies(walkers.occupations))
    assert np.array_equal(records["bin"], FULL.index(records["energy"]))
    assert (walkers.occupations.sum(axis=1) == 16).all()
    for name in ("accepted", "out_of_range", "heading", "half_trips"):
        assert not records[name].any()
    assert np.array_equal(records["lowest"], records["energy"])
    assert np.isposinf(records["lowest_refused"]).all()


def test_walkers_of_all_compositions_are_brought_into_their_window() -> None:
    engine, window = Engine.fastest(bcc_oracle()), Window(-64.5, -49.5)
    grid = EnergyGrid.covering(-64.0, 0.0, WIDTH)
    walkers = starting_walkers(engine, None, 5, window, grid, np.random.SeedSequence(3))
    assert window.holds(walkers.records["energy"]).all()
    assert np.array_equal(walkers.records["composition"], walkers.occupations.sum(axis=1))


def test_walkers_that_are_inside_stay_as_they_are() -> None:
    engine = Engine.fastest(fcc_oracle())
    walkers = make_walkers(engine.oracle, 16, 20, np.random.SeedSequence(3))
    window = Window(-100.5, -80.0)
    inside = window.holds(walkers.records["energy"])
    before = walkers.occupations.copy()
    drive_into(engine, walkers, window, FULL)
    assert 0 < inside.sum() < 20
    assert np.array_equal(walkers.occupations[inside], before[inside])
    assert window.holds(walkers.records["energy"]).all()


@pytest.mark.compiled
def test_a_window_between_the_levels_is_refused() -> None:
    engine = Engine.fastest(fcc_oracle())
    with pytest.raises(InputError, match="widen the energy window"):
        starting_walkers(engine, 16, 2, Window(-127.5, -122.5), FULL, np.random.SeedSequence(3))


@pytest.mark.compiled
@pytest.mark.parametrize("uniform", [True, False])
def test_windows_cover_the_grid_and_overlap(uniform: bool) -> None:
    engine = Engine.fastest(fcc_oracle())
    settings = WangLandauSettings(windows=3, uniform_windows=uniform, max_trials=2_000_000)
    layout = lay_windows(engine, 16, FULL, 3, settings, np.random.SeedSequence(1), Window())
    levels = -np.array(list(UNLIKE_BONDS), dtype=float)
    for first, last in zip(layout.first[1:], layout.last[:-1], strict=True):
        assert first < last
    held = np.zeros(len(levels), dtype=int)
    for window in energy_windows(layout, FULL):
        held += (levels >= window.low) & (levels <= window.high)
    assert (held >= 1).all() and held.max() >= 2
    again = lay_windows(engine, 16, FULL, 3, settings, np.random.SeedSequence(1), Window())
    assert again == layout


@pytest.mark.compiled
def test_windows_follow_diffusion_and_not_width() -> None:
    engine, settings = Engine.fastest(fcc_oracle()), WangLandauSettings(windows=2, max_trials=5_000_000)
    layout = lay_windows(engine, 16, FULL, 2, settings, np.random.SeedSequence(1), Window())
    widths = [last - first + 1 for first, last in zip(layout.first, layout.last, strict=True)]
    even = lay_windows(
        engine, 16, FULL, 2, WangLandauSettings(windows=2, uniform_windows=True), np.random.SeedSequence(1), Window()
    )
    assert sum(widths) > FULL.n_bins
    assert layout != even  # levels are rare and slow at both ends


@pytest.mark.compiled
def test_range_search_finds_both_ends() -> None:
    found = search_range(Engine.fastest(fcc_oracle()), 16, 300_000, np.random.SeedSequence(1))
    assert (found.low, found.high, found.level_spacing) == (-128.0, -64.0, 2.0)
    assert found.found_low > 1
    assert make_grid(found, 300, None, Window(), 20.2) == FULL
    energies = -np.repeat(np.array(list(UNLIKE_BONDS)), [count // 1000 for count in UNLIKE_BONDS.values()])
    assert found.spread == pytest.approx(energies.std(), rel=0.1)


def test_sampled_range_is_inside_the_true_one() -> None:
    found = sampled_range(Engine.fastest(fcc_oracle()), 16, np.random.SeedSequence(1))
    assert -128.0 < found.low < -110.0 and -90.0 < found.high < -64.0
    assert found.found_low == found.trials == 0


def test_bins_of_a_continuous_spectrum() -> None:
    found = EnergyRange(-1.0, 1.0, 5, 5, 100, None, 0.2)
    grid = make_grid(found, 101, None, Window(), 20.0)
    assert (grid.n_bins, grid.width) == (101, pytest.approx(0.02))
    assert grid.centres[[0, -1]] == pytest.approx([-1.0, 1.0])
    window = make_grid(found, 101, None, Window(-0.5, 0.5), 20.0)
    assert window.edges[[0, -1]] == pytest.approx([-0.5, 0.5])
    wide = make_grid(found, None, 0.25, Window(), 20.0)
    assert wide.width == pytest.approx(0.25)
    thermal = 0.2 / np.sqrt(40.0)
    assert make_grid(found, None, None, Window(), 20.0).width <= 0.5 * thermal
