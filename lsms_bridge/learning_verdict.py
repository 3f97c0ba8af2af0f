"""When the loop has settled.

A generation is quiet if

- the dear oracle gave no energy below the ground state known before; the ground state that the committee predicts has
  been computed, and is that one or lies above it by no more than twice what the committee can tell (its spread at the
  two, or its error on new points); every orbit that might lie lower by twice the spread of the committee has been
  computed, and every ordered one;
- temperature and height of the peak of C(T), and C(T) in the root mean square over temperatures, differ from those of
  the generation before by no more than the errors of both together. Errors are those of sampling and of the model, the
  latter enlarged where the committee was wrong by more than its spread on what it had not seen, and for C what errors
  of single configurations add to it;
- these errors, relative to the values, are within the precision that was asked for, so that large errors cannot hide
  large changes;
- the committee was not wrong by more than three times its spread, its walk is to be trusted, and the peak lies inside
  the temperatures looked at.

So many quiet generations in a row settle it. What lies beyond any such rule: a low state that no member suspects, and
that is no ordered structure, stays unseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lsms_bridge.acquisition import SIGMAS
from lsms_bridge.exploration import Thermal
from lsms_bridge.generation import NOISE, Finding, Generation, ThermalErrors
from lsms_bridge.learning_settings import LearningSettings
from wanglandau.levels import MEV_PER_RY

MAX_Z = 3.0
"""A committee that is wrong by more than so many times its spread (rms) knows nothing of its error."""
NEGLIGIBLE = 1e-3
"""Relative changes below this are none."""


@dataclass(frozen=True)
class LearningVerdict:
    """What to make of a loop so far.

    Attributes
    ----------
    settled : bool
    quiet : int
        Quiet generations in a row at the end.
    reasons : tuple of tuple of str
        For each generation why it was not quiet; empty for those that were.
    """

    settled: bool
    quiet: int
    reasons: tuple[tuple[str, ...], ...]

    @property
    def summary(self) -> str:
        """One sentence."""
        number = len(self.reasons)
        if self.settled:
            return f"Settled: in the last {self.quiet} of {number} generations nothing changed beyond its error."
        if not number:
            return "Not settled: there is no generation yet."
        last = "; ".join(self.reasons[-1]) or f"only {self.quiet} quiet generation(s) in a row"
        return f"Not settled after {number} generation(s): {last}."


def judge_learning(generations: Sequence[Generation], settings: LearningSettings) -> LearningVerdict:
    """Apply the rule.

    Parameters
    ----------
    generations : sequence of Generation
        From the first.
    settings : LearningSettings
        ``patience`` and ``precision`` count.
    """
    before = (None, *generations)
    reasons = tuple(tuple(_disquiet(before[k], now, settings.precision)) for k, now in enumerate(generations))
    quiet = 0
    while quiet < len(reasons) and not reasons[-1 - quiet]:
        quiet += 1
    return LearningVerdict(quiet >= settings.patience, quiet, reasons)


def _disquiet(last: Generation | None, now: Generation, precision: float) -> list[str]:
    reasons = [] if last is not None else ["there is no generation before it"]
    z_rms = now.new.errors(now.n_sites)["z_rms"]
    if z_rms > MAX_Z:
        reasons.append(f"the committee was wrong by {z_rms:.1f} times its spread")
    for place, finding in enumerate(now.findings):
        own = _ground_states(finding, now) + _errors(finding, now.errors_of(finding), precision)
        if last is not None:
            own += _changes(last.findings[place], finding, last, now)
        several = len(now.findings) > 1
        reasons += [f"composition {finding.composition}: {reason}" if several else reason for reason in own]
    return reasons


def _ground_states(finding: Finding, now: Generation) -> list[str]:
    reasons = []
    unit = MEV_PER_RY / now.n_sites
    fall, gap = (finding.ground_before - finding.ground_after) * unit, finding.predicted_gap * unit
    if fall > NOISE:
        how = "the first energies were computed" if np.isinf(fall) else f"the ground state fell by {fall:.3g} meV/atom"
        reasons.append(how)
    if np.isnan(gap):
        reasons.append("the predicted ground state has not been computed")
    elif gap > _tolerance(finding, now):
        reasons.append(f"the predicted ground state lies {gap:.3g} meV/atom above the one known")
    if finding.contenders_left:
        reasons.append(f"{finding.contenders_left} orbit(s) that may lie lower have not been computed")
    if finding.ordered_left:
        reasons.append(f"{finding.ordered_left} ordered structure(s) have not been computed")
    return reasons


def _tolerance(finding: Finding, now: Generation) -> float:
    """Return up to which difference of two energies, meV/atom, the committee cannot be expected to get their order."""
    rmse = float(np.nan_to_num(now.new.errors(now.n_sites)["rmse"]))
    spread = now.error_factor * finding.predicted_spread * MEV_PER_RY / now.n_sites
    return max(NOISE, SIGMAS * rmse, SIGMAS * spread)


def _errors(finding: Finding, errors: ThermalErrors, precision: float) -> list[str]:
    thermal = finding.thermal
    reasons = []
    for name, value, error in (
        ("peak temperature", thermal.peak_temperature.value, errors.peak_temperature),
        ("peak height", thermal.peak_height.value, errors.peak_height),
    ):
        relative = error / float(value)
        if not relative <= precision:
            reasons.append(f"the error of the {name} is {100 * relative:.3g} %, more than {100 * precision:g} %")
    if not thermal.inside:
        reasons.append("the peak of C lies at an end of the temperatures looked at")
    if not thermal.trusted:
        reasons.append("the density of states is not to be trusted")
    return reasons


def _changes(first: Finding, second: Finding, last: Generation, now: Generation) -> list[str]:
    earlier, later = last.errors_of(first), now.errors_of(second)
    reasons = []
    for name, unit in (("peak_temperature", "K"), ("peak_height", "k_B/atom")):
        value = float(getattr(second.thermal, name).value)
        change = abs(value - float(getattr(first.thermal, name).value))
        error = max(float(np.hypot(getattr(earlier, name), getattr(later, name))), NEGLIGIBLE * abs(value))
        if not change <= error:
            words = name.replace("_", " ")
            reasons.append(f"the {words} changed by {change:.3g} {unit}, beyond its error of {error:.2g}")
    change, error = _curve_change(first.thermal, second.thermal, earlier.capacity, later.capacity)
    if not change <= error:
        reasons.append(f"C(T) changed by {change:.3g} k_B/atom rms, beyond its error of {error:.2g}")
    return reasons


def _curve_change(
    first: Thermal, second: Thermal, first_error: np.ndarray, second_error: np.ndarray
) -> tuple[float, float]:
    """Return rms change of C(T) and rms error of that, over the temperatures that both have."""
    common = (second.temperatures >= first.temperatures[0]) & (second.temperatures <= first.temperatures[-1])
    if not common.any():
        return np.inf, 0.0
    where = second.temperatures[common]
    earlier = np.interp(where, first.temperatures, first.capacity.value)
    earlier_error = np.interp(where, first.temperatures, first_error)
    later = np.asarray(second.capacity.value)[common]
    error = float(np.sqrt(np.mean(earlier_error**2 + second_error[common] ** 2)))
    return float(np.sqrt(np.mean((later - earlier) ** 2))), max(error, NEGLIGIBLE * float(later.max()))
