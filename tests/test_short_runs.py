"""Densities of states of every kind, from end to end, in runs so short that kernels may be plain Python."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from exact_weights import bcc_oracle

from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings
from wanglandau.verdict import judge

SHORT = WangLandauSettings(runs=2, max_trials=4000, threads=1)
WAYS: dict[str, dict[str, Any]] = {
    "canonical": {},
    "windows": {"windows": 2, "exchange_interval": 1000},
    "halving": {"schedule": "halving", "production": False},
    "sad": {"schedule": "sad", "lowest_temperature": 5e4},
    "all compositions": {"ensemble": "semigrand"},
    "zero field": {"ensemble": "zero-field"},
}


@pytest.mark.parametrize("way", WAYS)
def test_densities_of_states_do_not_depend_on_threads_and_are_not_trusted(way: str) -> None:
    settings = replace(SHORT, **WAYS[way])
    composition = 8 if settings.ensemble == "canonical" else None
    first, second = (
        sample_density(bcc_oracle(), composition, replace(settings, threads=n), progress=False) for n in (1, 2)
    )
    assert first.trials.min() > 0 and first.densities.keys() == second.densities.keys()
    for number, density in first.densities.items():
        np.testing.assert_array_equal(density.run_ln_g, second.densities[number].run_ln_g)
    verdict = judge(first)
    assert not verdict.trusted and verdict.reasons
