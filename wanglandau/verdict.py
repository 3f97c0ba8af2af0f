"""Whether a sampled density of states is to be trusted, and why not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wanglandau.sampling import SampledDensity, standard_error_rms

MIN_RUNS = 4
"""Independent runs below which their scatter is no error bar."""
MIN_ROUND_TRIPS = 10
"""Median passages of a walker from one end of the range to the other and back."""
MAX_STANDARD_ERROR = 0.05
"""Standard error of ln g, rms over the bins: 5 % in the number of states."""


@dataclass(frozen=True)
class Verdict:
    """Judgement on a calculation.

    Attributes
    ----------
    trusted : bool
    reasons : list of str
        What speaks against it, each with its figure and remedy; empty when trusted.
    summary : str
        One plain sentence.
    """

    trusted: bool
    reasons: list[str]
    summary: str


def judge(sampled: SampledDensity) -> Verdict:
    """Judge a calculation by what it shows of itself, without an exact reference."""
    checks = (_interruption, _schedule, _round_trips, _same_bins, _ground_state, _scatter, _late_extension)
    reasons = [reason for check in checks if (reason := check(sampled)) is not None]
    if reasons:
        return Verdict(False, reasons, f"Do not trust this density of states: {reasons[0]}.")
    error = standard_error_rms(sampled.density)
    summary = (
        f"Trust this density of states: {len(sampled.runs)} independent runs reached the 1/t phase and agree; "
        f"standard error of ln g {error:.4f} (rms over {int(sampled.density.visited.sum())} bins)."
    )
    return Verdict(True, [], summary)


def _interruption(sampled: SampledDensity) -> str | None:
    if not sampled.interrupted:
        return None
    return f"it was interrupted after {sum(run.trials for run in sampled.runs):.3g} trials; run it to the end"


def _schedule(sampled: SampledDensity) -> str | None:
    unfinished = sum(run.schedule.phase == 1 for run in sampled.runs)
    if not unfinished:
        return None
    return (
        f"{unfinished} of {len(sampled.runs)} runs ended before the 1/t phase (largest ln f "
        f"{max(run.ln_f for run in sampled.runs):.2g}); raise --max-trials or take fewer --bins"
    )


def _round_trips(sampled: SampledDensity) -> str | None:
    if sampled.density.visited.sum() < 2:
        return None
    trips = float(np.median([run.walkers.records["half_trips"] // 2 for run in sampled.runs]))
    if trips >= MIN_ROUND_TRIPS:
        return None
    return (
        f"walkers made {trips:g} round trips between lowest and highest energy (median; at least {MIN_ROUND_TRIPS} "
        "are needed); raise --max-trials or take fewer --bins"
    )


def _same_bins(sampled: SampledDensity) -> str | None:
    missing = ~np.isfinite(sampled.density.run_ln_g)[:, sampled.density.visited]
    count = int(missing.any(axis=0).sum())
    if not count:
        return None
    return f"{count} of {missing.shape[1]} bins were not visited by every run; raise --max-trials or take wider bins"


def _ground_state(sampled: SampledDensity) -> str | None:
    lowest = np.array([run.walkers.records["lowest"].min() for run in sampled.runs])
    found = int((lowest <= lowest.min() + sampled.density.grid.width).sum())
    if found > 1 or sampled.energy_range.found_low > 1:
        return None
    return f"the lowest energy was found by {found} run only; raise --max-trials"


def _scatter(sampled: SampledDensity) -> str | None:
    if len(sampled.runs) < MIN_RUNS:
        return f"{len(sampled.runs)} independent runs give no error bar; take --runs {MIN_RUNS} or more"
    error = standard_error_rms(sampled.density)
    if error <= max(MAX_STANDARD_ERROR, sampled.settings.precision):
        return None
    return (
        f"the runs disagree: standard error of ln g {error:.3g} (rms; at most {MAX_STANDARD_ERROR}); raise --max-trials"
    )


def _late_extension(sampled: SampledDensity) -> str | None:
    late = [run for run in sampled.runs if run.extended_at and run.extended_at[-1] > run.trials // 2]
    if not late:
        return None
    return f"{len(late)} runs met new energies beyond the range in their second half; raise --max-trials"
