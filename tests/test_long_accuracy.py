"""Accuracy of ln g for fcc 2x2x2 at 16/16 after 1e8 trials in all, in one calculation of one run."""

from __future__ import annotations

import numpy as np
import pytest
from sampled_references import FCC, LONG_FCC, alloy, check_maximum, raised

pytestmark = pytest.mark.long

TRIALS = 100_000_000
LIMIT = 0.005
"""rms error of ln g over the 28 levels."""


def test_one_walker() -> None:
    """The rms over seeds: of the histogram in production, and of the trials counted from bin to bin."""
    reference = alloy(FCC, 16)
    result = reference.sample(TRIALS, runs=4, walkers=1, threads=2)
    assert result.produced and result.transition_ln_g is not None
    errors = reference.rms_of_runs(result.density)
    transitions = reference.rms_of_runs(result.density, result.transition_ln_g)
    print(f"production {np.round(errors, 5).tolist()}, transitions {np.round(transitions, 5).tolist()}")
    assert np.sqrt(np.mean(errors**2)) < LIMIT
    assert transitions.max() < LIMIT
    assert reference.rms_of_runs(raised(result.density, slice(5, 6), 0.1)).min() > LIMIT


def test_one_walker_without_production() -> None:
    """1/t to the end: its error falls as the inverse root of the trials and is at the limit, give or take a fifth."""
    reference = alloy(FCC, 16)
    result = reference.sample(TRIALS, runs=4, walkers=1, threads=2, production=False)
    errors = reference.rms_of_runs(result.density)
    print(f"1/t {np.round(errors, 5).tolist()}")
    assert np.sqrt(np.mean(errors**2)) < 1.2 * LIMIT


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_thousand_walkers_on_one_histogram(seed: int) -> None:
    reference = alloy(FCC, 16)
    result = reference.sample(TRIALS, runs=1, walkers=1024, threads=2, seed=seed)
    error = reference.rms(result.density)
    print(f"1,024 walkers, seed {seed}: {error:.5f}")
    assert error < LIMIT


def test_64_atoms_in_windows() -> None:
    """fcc 2x2x4 at 32/32: beyond enumeration, exact by transfer matrix."""
    reference = alloy(LONG_FCC, 32)
    result = reference.sample(TRIALS, runs=4, windows=3, threads=2)
    print(f"64 atoms: {reference.rms_of_runs(result.density)}, exchanges {result.exchange}")
    assert reference.rms_of_runs(result.density).max() < 0.04
    check_maximum(reference, result.density, 1.4, 3.0)
