"""Standard errors by leaving one independent run out at a time.

theta_r is the result without run r; the variance of the result is (R - 1) / R sum_r (theta_r - mean)^2 (Quenouille,
Tukey; Efron 1979), which holds for any smooth function of the runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from wanglandau.density_of_states import DensityOfStates
from wanglandau.levels import Levels, Source, levels_of


def standard_error(samples: np.ndarray) -> np.ndarray:
    """Return the jackknife standard error over the first axis.

    Parameters
    ----------
    samples : float64[n_samples, ...]
        Results that each left one run out.

    Returns
    -------
    float64[...]
        nan where there are fewer than two samples.
    """
    values = np.asarray(samples, dtype=np.float64)
    if len(values) < 2:
        return np.full(values.shape[1:], np.nan)
    return np.sqrt((len(values) - 1) * np.mean((values - values.mean(axis=0)) ** 2, axis=0))


def is_exact(source: Source) -> bool:
    """Whether a source has no statistical error."""
    return isinstance(source, Levels) or source.exact


def levels_without_each_run(sources: Sequence[Source]) -> list[list[Levels]]:
    """Return the levels of all sources with run after run left out of all of them together.

    Where sources have different numbers of runs, the runs of each are put into as many groups as the smallest number,
    and a group is left out at a time.

    Parameters
    ----------
    sources : sequence of DensityOfStates or Levels

    Returns
    -------
    list of list of Levels
        By run, then by source; empty if a sampled source has fewer than two runs or none is sampled.
    """
    numbers = [source.n_runs for source in sources if isinstance(source, DensityOfStates) and not source.exact]
    n_groups = min(numbers, default=0)
    if n_groups < 2:
        return []
    return [[_without(source, group, n_groups) for source in sources] for group in range(n_groups)]


def _without(source: Source, group: int, n_groups: int) -> Levels:
    if isinstance(source, Levels) or source.exact:
        return levels_of(source)
    left_out = np.array_split(np.arange(source.n_runs), n_groups)[group]
    return Levels.binned(replace(source, run_ln_g=np.delete(source.run_ln_g, left_out, axis=0)))
