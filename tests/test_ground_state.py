"""Degeneracies counted by symmetry against exact ones and against ln g."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from known_levels import UNLIKE_BONDS

from wanglandau import orbit_counting
from wanglandau.density_of_states import DensityOfStates, density_from_levels
from wanglandau.energy_grid import EnergyGrid
from wanglandau.exact import exact_levels
from wanglandau.ground_state import GroundState, LowestStates, count_ground_states
from wanglandau.orbits import occupations_from_keys
from wanglandau.ordered_structures import ordered_structures
from wanglandau.pair_model import PairOracle
from wanglandau.ranks import OneProcess
from wanglandau.systems import System

GRID = EnergyGrid.covering(-128.0, -64.0, 2.0)


@pytest.fixture(scope="module")
def pair(cuau: System) -> PairOracle:
    return PairOracle(cuau.lattice, [-1.0])


@pytest.fixture(scope="module")
def density() -> DensityOfStates:
    energies = -np.array(list(UNLIKE_BONDS), dtype=float)
    return density_from_levels(GRID, 32, 16, energies, np.array(list(UNLIKE_BONDS.values()), dtype=np.uint64))


def ground_states(pair: PairOracle) -> np.ndarray:
    """L1_0 and "40" with all their images: ground states of the nearest-neighbour model."""
    named = ordered_structures(pair.lattice)
    return np.unique(np.concatenate([named[name][pair.lattice.symmetry] for name in ("L1_0", "40")]), axis=0)


def count(pair: PairOracle, density: DensityOfStates, found: list[LowestStates], looks: int) -> GroundState | None:
    in_bins = np.zeros(GRID.n_bins, dtype=np.int64)
    in_bins[0] = looks
    return count_ground_states(pair.lattice, density, in_bins, found, OneProcess())


def look(pair: PairOracle, occupations: np.ndarray, times: int = 1) -> LowestStates:
    states = LowestStates()
    for _ in range(times):
        states.look_at(pair.energies(occupations), occupations)
    return states


def test_one_configuration_stands_for_its_orbit(pair: PairOracle, density: DensityOfStates) -> None:
    layered = ordered_structures(pair.lattice)["L1_0"][None, :]
    found = count(pair, density, [look(pair, layered, 40)], looks=40)
    assert found is not None
    assert (found.orbits, found.configurations) == (1, 6)
    assert found.residual == pytest.approx(np.log(42 / 6))  # 36 others have not been found


@pytest.mark.compiled
def test_all_orbits_add_up_to_the_exact_degeneracy(pair: PairOracle, density: DensityOfStates) -> None:
    keys = exact_levels(pair, 16).ground_state_keys[16]
    lowest = occupations_from_keys(keys, 32)  # one configuration of each orbit
    found = count(pair, density, [look(pair, lowest[::2], 20), look(pair, lowest[1::2], 20)], looks=20 * len(lowest))
    assert found is not None
    assert (found.orbits, found.configurations) == (3, 42)
    assert abs(found.residual) < 1e-9


def test_error_of_ln_g_shows_in_the_residual(pair: PairOracle, density: DensityOfStates) -> None:
    wrong = density.run_ln_g.copy()
    wrong[:, 0] += 1.0
    layered = ordered_structures(pair.lattice)["L1_0"][None, :]
    right, off = (
        count(pair, one, [look(pair, layered, 30)], 30) for one in (density, replace(density, run_ln_g=wrong))
    )
    assert right is not None and off is not None
    assert off.residual - right.residual == pytest.approx(1.0, abs=1e-6)


def test_share_of_the_lowest_bin_counts(pair: PairOracle, density: DensityOfStates) -> None:
    layered = ordered_structures(pair.lattice)["L1_0"][None, :]
    found = count(
        pair, density, [look(pair, layered, 25)], looks=100
    )  # three of four looks met higher levels of the bin
    assert found is not None
    assert found.residual == pytest.approx(np.log(42 / 6 / 4))
    assert found.standard_error == pytest.approx(np.sqrt(0.75 / 25))


def test_lower_energies_replace_what_was_found_before(pair: PairOracle) -> None:
    rng = np.random.default_rng(2)
    start = (np.arange(32) < 16).astype(np.int8)
    random = rng.permuted(np.tile(start, (50, 1)), axis=1)
    states = look(pair, random)
    assert states.energy == pair.energies(random).min()
    layered = ordered_structures(pair.lattice)["L1_0"][None, :]
    states.look_at(pair.energies(layered), layered)
    assert (states.energy, states.count, len(states.occupations)) == (-128.0, 1, 1)
    states.look_at(pair.energies(random), random)
    assert (states.energy, states.count) == (-128.0, 1)


def test_too_many_states_are_not_counted(
    pair: PairOracle, density: DensityOfStates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orbit_counting, "MAX_STATES", 3)
    assert count(pair, density, [look(pair, ground_states(pair), 5)], looks=200) is None


def test_a_level_met_by_chance_is_no_answer(pair: PairOracle, density: DensityOfStates) -> None:
    layered = ordered_structures(pair.lattice)["L1_0"][None, :]
    assert count(pair, density, [look(pair, layered, 3)], looks=1000) is None


def test_nothing_found_is_no_answer(pair: PairOracle, density: DensityOfStates) -> None:
    assert count(pair, density, [LowestStates()], looks=0) is None
