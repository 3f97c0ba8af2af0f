"""Ising models of 4 x 4 to 32 x 32 sites by Wang-Landau sampling, to the accuracy of the literature.

Trials are counted in sweeps of one walker; the search for the ends of the energy range (at most two million trials a
calculation) comes on top. One window: narrow ones hold striped configurations, which one walker hardly gets out of.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from sampled_references import CRITICAL, Reference, ising, raised

from wanglandau.density_of_states import DensityOfStates
from wanglandau.finite_size import extrapolate
from wanglandau.sampled_density import SampledDensity

pytestmark = pytest.mark.long

SETTINGS = {
    4: {"runs": 8, "max_trials": 1_500_000 * 16, "windows": 1},
    8: {"runs": 8, "max_trials": 1_500_000 * 64, "windows": 1},
    16: {"runs": 8, "max_trials": 600_000 * 256, "windows": 1},
    32: {"runs": 4, "max_trials": 700_000 * 1024, "windows": 1},
}
RMS_OF_A_RUN = {4: 0.03, 8: 0.06, 16: 0.4, 32: 0.4}
ENERGY = {4: 1e-3, 8: 1e-3, 16: 2e-3, 32: 5e-3}
"""Of u at the critical temperature, J per site."""
HEAT_CAPACITY = {4: 0.01, 8: 0.01, 16: 0.01, 32: 0.03}
RELATIVE_ERROR, RELATIVE_ERROR_AS_SAMPLED = 0.00035, 0.0020
"""Mean relative error of ln g for 32 x 32 after 7e5 sweeps of one walker; F. Wang and D. P. Landau, Phys. Rev. Lett.
86, 2050 (2001), report 0.00035. With g(E_0) = 2 it is mostly the error of ln g at the lowest and highest levels, times
the mean of 1 / ln g, 0.0074: 20 round trips, which is what such a walk makes even with exact weights, leave 0.15 there.
The first limit is for ln g pinned to the two configurations of each of these levels, the second for ln g as sampled."""


@lru_cache
def sampled(length: int) -> tuple[Reference, SampledDensity]:
    reference, chosen = ising(length), dict(SETTINGS[length])
    trials = chosen.pop("max_trials")
    return reference, reference.sample(trials, walkers=1, threads=2, seed=1, **chosen)


def from_transitions(result: SampledDensity) -> DensityOfStates:
    """Return the estimate from the trials counted from bin to bin in place of that from the histogram."""
    assert result.transition_ln_g is not None
    return replace(result.density, run_ln_g=result.transition_ln_g)


@pytest.mark.parametrize("length", SETTINGS)
def test_density_of_states(length: int) -> None:
    reference, result = sampled(length)
    errors = reference.rms_of_runs(result.density)
    print(f"L = {length}: rms error of ln g of each run {np.round(errors, 4).tolist()}")
    print(f"from transitions {np.round(reference.rms_of_runs(from_transitions(result)), 4).tolist()}")
    assert errors.max() < RMS_OF_A_RUN[length]
    assert reference.rms_of_runs(raised(result.density, slice(0, 1), 20.0)).min() > RMS_OF_A_RUN[length]


@pytest.mark.parametrize("length", SETTINGS)
def test_thermodynamics(length: int) -> None:
    """u and ln Z / N (1e-3) at the critical temperature, and c there and at its maximum."""
    reference, result = sampled(length)
    density = from_transitions(result)
    exact, highest = reference.canonical.averages(CRITICAL), reference.canonical.maximum(2.1, 2.8)
    found, maximum = reference.averages(density, CRITICAL), reference.maximum(density, 2.1, 2.8)
    print(f"L = {length}: errors of u, c and ln Z / N {(np.array(found) - exact).tolist()}, maximum {maximum}")
    assert found.energy == pytest.approx(exact.energy, abs=ENERGY[length])
    assert found.ln_z == pytest.approx(exact.ln_z, abs=1e-3)
    assert found.heat_capacity == pytest.approx(exact.heat_capacity, rel=HEAT_CAPACITY[length])
    assert maximum == pytest.approx(highest, rel=HEAT_CAPACITY[length])


def test_critical_temperature_from_finite_sizes() -> None:
    """Maxima of C of sampled densities of states of L = 8, 16 and 32 extrapolate to Onsager's temperature: 0.5 %."""
    sizes = np.array([8.0, 16.0, 32.0])
    maxima = [reference.maximum(result.density, 2.1, 2.8)[0] for reference, result in map(sampled, (8, 16, 32))]
    found = extrapolate(sizes, np.array(maxima), exponent=1.0)
    print(f"T_c = {found.temperature:.5f} +- {found.temperature_error:.5f} from {maxima}")
    assert found.temperature == pytest.approx(CRITICAL, rel=0.005)


def test_relative_error_of_the_largest() -> None:
    """32 x 32, 7e5 sweeps in one window, mean over four seeds, g(E_0) = 2."""
    reference, result = sampled(32)
    errors, *sampled_errors = (
        reference.relative_errors(result.density, ln_g)
        for ln_g in (None, result.histogram_ln_g, result.transition_ln_g)
    )
    means = [f"{values.mean():.4%}" for values in sampled_errors]
    print(f"mean relative error {errors.mean():.4%} {errors.tolist()}; as sampled and from transitions {means}")
    assert list(result.known.values()) == [2, 2]
    assert errors.mean() < RELATIVE_ERROR
    assert max(values.mean() for values in sampled_errors) < RELATIVE_ERROR_AS_SAMPLED
    assert reference.relative_errors(raised(result.density, slice(0, 1), 0.5)).mean() > RELATIVE_ERROR
