"""Temperatures down to which a density of states without its lowest energies may be used."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from known_levels import exact_levels, noisy_density

from wanglandau.cut_range import valid_above
from wanglandau.density_of_states import DensityOfStates
from wanglandau.levels import Levels
from wanglandau.thermodynamics import thermodynamics


@pytest.fixture(scope="module")
def whole() -> DensityOfStates:
    return noisy_density(1e-6)


def without_lowest(density: DensityOfStates, n_bins: int) -> DensityOfStates:
    runs = density.run_ln_g.copy()
    runs[:, :n_bins] = -np.inf
    return replace(density, run_ln_g=runs)


def test_nothing_left_out_holds_everywhere(whole: DensityOfStates) -> None:
    assert valid_above(whole, None) == 0.0


@pytest.mark.parametrize("n_bins", [5, 7])
def test_thermodynamics_is_right_above_and_wrong_below(whole: DensityOfStates, n_bins: int) -> None:
    exact = exact_levels()
    truth = Levels.exact(32, exact.energies, exact.degeneracies)
    cut = without_lowest(whole, n_bins)
    lowest = valid_above(cut, (-1.0, 1.0))
    assert 0 < lowest < np.inf

    def error(temperature: float) -> float:
        ours, theirs = (thermodynamics(source, np.array([temperature])).heat_capacity[0] for source in (cut, truth))
        return float(abs(ours / theirs - 1))

    assert error(1.02 * lowest) < 0.01
    assert error(0.2 * lowest) > 0.25


def test_more_left_out_needs_a_higher_temperature(whole: DensityOfStates) -> None:
    limits = [valid_above(without_lowest(whole, n_bins), (-1.0, 1.0)) for n_bins in (5, 7, 12)]
    assert limits == sorted(limits) and limits[0] < limits[-1]
