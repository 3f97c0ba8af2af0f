"""The choice between ln g from the histogram and ln g from counted transitions."""

from __future__ import annotations

import numpy as np
import pytest
from known_levels import UNLIKE_BONDS

from wanglandau.errors import InputError
from wanglandau.pair_model import PairOracle
from wanglandau.sampled_density import SampledDensity
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings
from wanglandau.systems import System


@pytest.fixture(scope="module")
def both(cuau: System) -> tuple[SampledDensity, SampledDensity]:
    """The same walks with either estimate as the result."""
    oracle = PairOracle(cuau.lattice, [-1.0])
    settings = {"runs": 4, "max_trials": 1_500_000, "precision": 1e-9, "observables": False, "pinned": False}
    first, second = (
        sample_density(oracle, 16, WangLandauSettings(estimator=name, **settings), progress=False)  # type: ignore[arg-type]
        for name in ("histogram", "transitions")
    )
    return first, second


def rms_error(sampled: SampledDensity) -> float:
    density = sampled.density
    exact = np.log([float(UNLIKE_BONDS[round(-energy)]) for energy in density.mean_energy[density.visited]])
    return float(np.sqrt(np.mean((density.ln_g[density.visited] - exact) ** 2)))


@pytest.mark.compiled
def test_either_estimate_is_the_result_and_the_other_the_check(both: tuple[SampledDensity, SampledDensity]) -> None:
    histogram, transitions = both
    assert np.array_equal(transitions.density.run_ln_g, histogram.transition_ln_g)
    for sampled in both:
        assert np.array_equal(sampled.histogram_ln_g, histogram.density.run_ln_g)
    assert transitions.transition_mismatch == histogram.transition_mismatch > 0


@pytest.mark.compiled
def test_both_estimates_are_close_to_the_exact_levels(both: tuple[SampledDensity, SampledDensity]) -> None:
    for sampled in both:
        assert 0 < rms_error(sampled) < 0.06


@pytest.mark.parametrize("missing", [{"production": False}, {"transitions": False}], ids=str)
def test_transitions_have_to_be_counted(missing: dict) -> None:
    with pytest.raises(InputError, match="leave both on"):
        WangLandauSettings(estimator="transitions", **missing)
