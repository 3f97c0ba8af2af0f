"""A good calculation is trusted, and every reason against one can be provoked."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from exact_weights import bcc_oracle, fcc_oracle

from wanglandau.joining import SeamSignificance
from wanglandau.sampled_density import SampledDensity
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings
from wanglandau.verdict import MIN_ROUND_TRIPS, judge, round_trips_needed


@cache
def good() -> SampledDensity:
    settings = WangLandauSettings(runs=4, max_trials=600_000, threads=1, precision=1e-6)
    return sample_density(bcc_oracle(), 8, settings, progress=False)


def with_density(**changes: Any) -> SampledDensity:
    return replace(good(), densities={8: replace(good().density, **changes)})


def with_walks(**columns: Any) -> SampledDensity:
    return replace(good(), walks=good().walks | {name: np.full(4, float(value)) for name, value in columns.items()})


def with_records(**columns: Any) -> SampledDensity:
    records = good().records.copy()
    for name, value in columns.items():
        records[name] = value
    return replace(good(), records=records)


def seam(p_value: float) -> SeamSignificance:
    nothing = np.zeros(2)
    return SeamSignificance(np.arange(2), nothing, nothing, 50.0, 3, p_value, 1.0)


def scattered(size: float, bins: slice) -> np.ndarray:
    run_ln_g = good().density.run_ln_g.copy()
    noise = size * np.random.default_rng(3).normal(size=run_ln_g.shape)
    run_ln_g[:, bins] += noise[:, bins]
    return run_ln_g


def one_bin_missing() -> np.ndarray:
    run_ln_g = good().density.run_ln_g.copy()
    run_ln_g[2, np.flatnonzero(good().density.visited)[1]] = -np.inf
    return run_ln_g


def test_a_good_calculation_is_trusted() -> None:
    verdict = judge(good())
    assert verdict.reasons == []
    assert verdict.trusted
    assert verdict.summary.startswith("Trust this density of states: 4 independent runs were continued")


def provoked() -> dict[str, tuple[SampledDensity, str]]:
    """Return calculations with one thing wrong, and what the verdict has to say about it."""
    sampled = good()
    unproduced = replace(with_walks(phase=1, ln_f=1e-3), produced=False)
    halved = replace(unproduced, schedule="halving")
    transition = sampled.transition_ln_g
    assert transition is not None
    return {
        "interrupted": (replace(sampled, interrupted=True), "it was interrupted after"),
        "schedule not ended": (unproduced, "ended before the last phase of schedule 1/t"),
        "halving": (halved, "halving schedule does not fall with time"),
        "few round trips": (with_records(half_trips=19), "walkers made 9 round trips"),
        "a bin missed": (with_density(run_ln_g=one_bin_missing()), "1 of 5 bins were not visited by every run"),
        "ground state uncertain": (
            with_density(run_ln_g=scattered(3.0, slice(0, 2))),
            "number of states of the lowest",
        ),
        "runs disagree": (with_density(run_ln_g=scattered(0.3, slice(2, None))), "the runs disagree"),
        "late": (with_walks(extended=500_000), "4 walks met new energies beyond the range"),
        "not revisited": (with_walks(unvisited=1), "4 bins were never visited again"),
        "seams apart": (replace(sampled, mismatch=np.full((4, 1), 0.3)), "neighbouring windows disagree by 0.3"),
        "seams apart in all runs": (
            replace(sampled, mismatch=np.full((4, 1), 0.1), seams=[seam(1e-9)]),
            "in the same way in all runs",
        ),
        "no exchange": (replace(sampled, exchange=np.array([0.3, 0.001])), "only 0.10% of the exchanges"),
        "transitions": (
            replace(sampled, transition_ln_g=transition + np.linspace(0.0, 3.0, transition.shape[1])),
            "from the trials counted from bin to bin differ",
        ),
    }


CASES = (
    "interrupted", "schedule not ended", "halving", "few round trips", "a bin missed", "ground state uncertain",
    "runs disagree", "late", "not revisited", "seams apart", "seams apart in all runs", "no exchange", "transitions",
)  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_every_reason_can_be_provoked(case: str) -> None:
    sampled, expected = provoked()[case]
    verdict = judge(sampled)
    assert not verdict.trusted
    assert any(expected in reason for reason in verdict.reasons), verdict.reasons
    assert verdict.summary.startswith("Do not trust")


def test_all_provocations_are_tried() -> None:
    assert set(provoked()) == set(CASES)


@pytest.mark.parametrize(
    "sampled",
    [
        lambda: replace(good(), mismatch=np.full((4, 1), 0.01), seams=[seam(1e-9)]),  # significant but small
        lambda: replace(good(), mismatch=np.full((4, 1), 0.1), seams=[seam(0.3)]),  # large but by chance
        lambda: with_records(half_trips=20),
        lambda: with_walks(extended=1000),
        lambda: replace(good(), exchange=np.array([0.5])),
    ],
)
def test_what_is_no_reason(sampled: Any) -> None:
    assert judge(sampled()).trusted, judge(sampled()).reasons


def test_a_short_calculation_is_not_trusted() -> None:
    settings = WangLandauSettings(runs=2, max_trials=2_000, threads=1)
    verdict = judge(sample_density(fcc_oracle(), 16, settings, progress=False))
    assert not verdict.trusted
    assert any("--max-trials" in reason for reason in verdict.reasons)
    assert any("--runs" in reason for reason in verdict.reasons)


def test_many_walkers_need_fewer_round_trips_each() -> None:
    assert round_trips_needed(1) == round_trips_needed(8) == MIN_ROUND_TRIPS
    assert round_trips_needed(16) == MIN_ROUND_TRIPS // 2
    assert round_trips_needed(100_000) == 1
