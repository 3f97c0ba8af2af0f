"""Whether a sampled density of states is to be trusted, and why not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wanglandau.cut_range import valid_above, where_it_holds
from wanglandau.sampled_density import SampledDensity, standard_error_rms
from wanglandau.walkers import MANY_WALKERS

MIN_RUNS = 4
"""Independent runs below which their scatter is no error bar."""
MIN_ROUND_TRIPS = 10
"""Median passages of a walker from one end of the range to the other and back."""
MAX_STANDARD_ERROR = 0.05
"""Standard error of ln g, rms over the bins: 5 % in the number of states."""
MAX_WANTED_ERROR = 0.2
"""The same where less precision was asked for."""
MAX_SEAM_SIGMA = 3.0
"""Systematic disagreement of neighbouring windows, in standard deviations of its scatter over the runs."""
MAX_SEAM_MISMATCH = 0.2
"""Disagreement of neighbouring windows of a run in ln g, rms over their overlap."""
MIN_EXCHANGE = 0.02
"""Accepted part of the exchanges between two windows."""
MAX_TRANSITION_MISMATCH = 0.5
"""Difference of ln g from histogram and from counted trials, rms; both have errors of a run, not of the mean."""
MAX_RESIDUAL = 0.5
"""Sampled less counted ln of the number of ground states, unless three standard errors are more."""
RARE_STATES = 0.5
"""Standard error of ln g of the lowest bin: above it the ground state was hardly found again."""


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
    checks = (
        _interruption,
        _schedule,
        _round_trips,
        _same_bins,
        _ground_state,
        _scatter,
        _late_extension,
        _not_revisited,
        _seams,
        _exchange,
        _transitions,
        _degeneracy,
    )
    reasons = [reason for check in checks if (reason := check(sampled)) is not None]
    if reasons:
        return Verdict(False, reasons, f"Do not trust this density of states: {reasons[0]}.")
    error = _largest_error(sampled)
    bins = sum(int(density.visited.sum()) for density in sampled.densities.values())
    how = "were continued with fixed weights" if sampled.produced else "reached the last phase of their schedule"
    summary = (
        f"Trust this density of states: {sampled.layout[0]} independent runs {how} and agree; "
        f"standard error of ln g {error:.4f} (rms over {bins} bins)."
    )
    return Verdict(True, [], summary + _limits(sampled))


def _limits(sampled: SampledDensity) -> str:
    """Say at which temperatures a density of states holds that was cut off at low energies."""
    if sampled.settings.energy_range is None:
        return ""
    lowest = valid_above(sampled.density, sampled.settings.energy_range)
    return f" Lower energies were left out: {where_it_holds(lowest)}."


def _largest_error(sampled: SampledDensity) -> float:
    several = [density for density in sampled.densities.values() if density.visited.sum() > 1]
    return max((standard_error_rms(density, sampled.interest) for density in several), default=0.0)


def _interruption(sampled: SampledDensity) -> str | None:
    if not sampled.interrupted:
        return None
    return f"it was interrupted after {sampled.trials.sum():.3g} trials; run it to the end"


def _schedule(sampled: SampledDensity) -> str | None:
    unfinished = int((sampled.walks["phase"] < 2).sum())
    if sampled.produced or not unfinished:
        return None
    name = sampled.schedule
    if name == "halving":
        return "the error of the halving schedule does not fall with time; take schedule 1/t or production"
    return (
        f"{unfinished} of {len(sampled.walks['phase'])} walks ended before the last phase of schedule {name} (largest "
        f"ln f {sampled.walks['ln_f'].max():.2g}); raise --max-trials, or take fewer --bins or more --windows"
    )


def round_trips_needed(n_walkers: int) -> int:
    """Return how many round trips the walkers of a histogram need, median: fewer each where there are many."""
    return MIN_ROUND_TRIPS if n_walkers <= MANY_WALKERS else max(1, MIN_ROUND_TRIPS * MANY_WALKERS // n_walkers)


def _round_trips(sampled: SampledDensity) -> str | None:
    if all(density.visited.sum() < 2 for density in sampled.densities.values()):
        return None
    needed = round_trips_needed(sampled.records.shape[1])
    if sampled.round_trips >= needed:
        return None
    return (
        f"walkers made {sampled.round_trips:g} round trips between lowest and highest energy (median; at least "
        f"{needed} are needed); raise --max-trials, or take fewer --bins or more --windows"
    )


def _same_bins(sampled: SampledDensity) -> str | None:
    known = [(np.isfinite(d.run_ln_g), d.visited & sampled.interest) for d in sampled.densities.values()]
    missing = [~finite[:, counts].all(axis=0) for finite, counts in known]
    count, bins = sum(int(part.sum()) for part in missing), sum(len(part) for part in missing)
    if not count:
        return None
    return f"{count} of {bins} bins were not visited by every run; raise --max-trials or take wider bins"


def _ground_state(sampled: SampledDensity) -> str | None:
    """The lowest energy has to be found more than once, and again and again by every run."""
    lowest = sampled.records["lowest"].reshape(sampled.layout[0], -1).min(axis=1)
    width = next(iter(sampled.densities.values())).grid.width
    found = int((lowest <= lowest.min() + width).sum())
    if found <= 1 and sampled.energy_range.found_low <= 1:
        return f"the lowest energy was found by {found} run only; raise --max-trials"
    if len(sampled.densities) > 1:
        return None
    error = sampled.density.standard_error[sampled.density.visited & sampled.interest]
    if not len(error) or not error[0] > RARE_STATES:
        return None
    return (
        f"the number of states of the lowest energy is known to a factor of {np.exp(error[0]):.2g} only; "
        "raise --max-trials"
    )


def _scatter(sampled: SampledDensity) -> str | None:
    if sampled.layout[0] < MIN_RUNS:
        return f"{sampled.layout[0]} independent runs give no error bar; take --runs {MIN_RUNS} or more"
    error = _largest_error(sampled)
    limit = max(MAX_STANDARD_ERROR, min(sampled.settings.precision, MAX_WANTED_ERROR))
    if error <= limit:
        return None
    return f"the runs disagree: standard error of ln g {error:.3g} (rms; at most {limit:g}); raise --max-trials"


def _late_extension(sampled: SampledDensity) -> str | None:
    late = int((sampled.walks["extended"] > sampled.walks["trials"] / 2).sum())
    if not late:
        return None
    return f"{late} walks met new energies beyond the range in their second half; raise --max-trials"


def _not_revisited(sampled: SampledDensity) -> str | None:
    count = int(sampled.walks["unvisited"].sum())
    if not sampled.produced or not count:
        return None
    return f"{count} bins were never visited again in production; raise --max-trials or take wider bins"


def _seams(sampled: SampledDensity) -> str | None:
    if not sampled.mismatch.size:
        return None
    worst = float(sampled.mismatch.max())
    if worst > MAX_SEAM_MISMATCH:
        return (
            f"neighbouring windows disagree by {worst:.3g} in ln g (rms over their overlap; at most "
            f"{MAX_SEAM_MISMATCH}); raise --max-trials"
        )
    # the level of significance is shared out among the seams
    sigmas = [seam.sigma for seam in sampled.seams if seam.freedom]
    limit = MAX_SEAM_SIGMA + np.log(max(len(sigmas), 1)) / MAX_SEAM_SIGMA
    mean = float(np.sqrt(np.mean(sampled.mismatch**2)))
    if not sigmas or max(sigmas) <= limit or mean < MAX_STANDARD_ERROR:
        return None
    return (
        f"neighbouring windows disagree in the same way in all runs ({max(sigmas):.1f} standard deviations, "
        f"at most {limit:.1f}); raise --max-trials or take more --overlap"
    )


def _exchange(sampled: SampledDensity) -> str | None:
    if not sampled.exchange.size or sampled.exchange.min() >= MIN_EXCHANGE:
        return None
    return (
        f"only {sampled.exchange.min():.2%} of the exchanges between two windows were accepted (at least "
        f"{MIN_EXCHANGE:.0%}); take more --overlap or fewer --windows"
    )


def _transitions(sampled: SampledDensity) -> str | None:
    mismatch = sampled.transition_mismatch
    if not mismatch > MAX_TRANSITION_MISMATCH:
        return None
    return (
        f"ln g from the histogram and from the trials counted from bin to bin differ by {mismatch:.2g} (rms; at most "
        f"{MAX_TRANSITION_MISMATCH}); raise --max-trials"
    )


def _degeneracy(sampled: SampledDensity) -> str | None:
    """Fewer configurations at the lowest energy than were counted there, or many more, tell of a walk torn apart."""
    found = sampled.ground_state
    if found is None or abs(found.residual) <= max(MAX_RESIDUAL, 3.0 * found.standard_error):
        return None
    return (
        f"the lowest energy has {found.configurations} configurations as counted by symmetry, but "
        f"exp({found.residual:+.2f}) times as many by ln g; raise --max-trials"
    )
