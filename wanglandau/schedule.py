"""When ln f is lowered.

*Halving* (Wang and Landau, PRL 86, 2050 (2001)) halves ln f whenever the histogram is flat; its error saturates.

*1/t* (Belardinelli and Pereyra, PRE 75, 046701 (2007)): time t is the number of trials of all walkers over the number
of bins visited so far. Phase 1 is halving. At a halving that brings ln f below 1/t, and only then, phase 2
begins, in which ln f = 1/t. A bin found late sends a walk back to phase 1 with the ln f at which that
had ended, since phase 2 alone would repair the new bin only logarithmically in time.

*SAD* (Pommerenck, Simpson, Perlin and Roundy, arXiv:1906.08822) needs the lowest temperature of interest instead of an
energy range; see :mod:`wanglandau.sad`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from wanglandau.kernels import FIXED, HOLDS_STATES, ONE_OVER_T
from wanglandau.walkers import MANY_WALKERS, Weights

FLATNESS_FEW_WALKERS = 0.5
FLATNESS_MANY_WALKERS = 0.8
MIN_ROUNDS_PER_STAGE = 50
TRIALS_PER_BIN_AND_CHECK = 100
CHECKS_BEFORE_FEWER = 200
LONGEST_CHECK = 50_000
"""Trials of a walk between two looks at its histogram, where few bins would do with less."""
SETTLED_LN_F = 2e-4
"""ln f at which ln g is good enough to be frozen for production: its error is then some 10 sqrt(ln f) = 0.14."""
SETTLED_LN_F_TIMES_BINS = 0.04
"""The same, times the number of bins: more bins take longer to cross and need a smaller ln f for the same error."""
SETTLED_STAGES = 4
"""Stages that have to end before, however small ln f began."""
SETTLED_STAGES_EXPECTED = 2
"""The same for a walk that began with an estimate of ln g."""
EXPECTED_ERROR = 5.0
"""Of ln g that was estimated beforehand: as much as a walk has to mend in as many trials as the estimate took."""


def first_ln_f(n_bins: int, visits_per_round: int, trials_before: int = 0) -> float:
    """Return the ln f to begin with.

    Parameters
    ----------
    n_bins : int
    visits_per_round : int
        Visits that do not know of each other; many would overshoot with a large ln f.
    trials_before : int
        Of a walk that would have given an estimate of ln g as good as the one at hand; 0: there is none, and ln f
        begins at 1 or whatever is allowed.
    """
    return min(1.0, n_bins / visits_per_round, n_bins / max(trials_before, 1))


def settled_ln_f(n_bins: int) -> float:
    """Return ln f at which ln g of so many bins is good enough to be frozen for production."""
    return min(SETTLED_LN_F, SETTLED_LN_F_TIMES_BINS / max(n_bins, 1))


def trials_between_checks(n_bins: int, n_walkers: int) -> int:
    """Return how many trials lie between two looks at the histogram."""
    return max(TRIALS_PER_BIN_AND_CHECK * n_bins, MIN_ROUNDS_PER_STAGE * n_walkers)


def next_check(reviewed: int, between: int, n_walkers: int) -> int:
    """Return after how many rounds a histogram is looked at next.

    Ever more rarely: the first looks decide most, and each costs as much as thousands of cheap trials.

    Parameters
    ----------
    reviewed : int
        Rounds at the last look.
    between : int
        Least rounds between two looks, as many as bins and walkers need.
    n_walkers : int
    """
    longest = LONGEST_CHECK // (between * n_walkers)
    times = max(1, min(longest, reviewed // (CHECKS_BEFORE_FEWER * between)))
    return (reviewed // between + times) * between


def flatness(histogram: np.ndarray, seen: np.ndarray) -> float:
    """Return the lowest count over the mean count of the visited bins.

    Parameters
    ----------
    histogram : int64[n_bins]
    seen : bool[n_bins]
    """
    counts = histogram[seen]
    return float(counts.min() / counts.mean()) if len(counts) and counts.sum() else 0.0


class Schedule(Protocol):
    """Decides on ln f from the histogram of a walk, at every look at it: the methods are called in their order here.

    Every walk has one of its own, made by a :class:`~wanglandau.schedule_factories.ScheduleFactory`. It has to be a
    dataclass whose fields are numbers, texts, arrays, lists and dicts of such, or a :class:`Stage`: a checkpoint holds
    just these, and a walk goes on from them. Functions and open files have no place there. Of ``weights``, a schedule
    reads ``bins`` (``ln_g``, ``seen``, ``histogram``, ``visits``) and ``control``, whose ``ln_f`` it sets, or whose
    ``gain`` where compiled code is to work ln f out in every round.

    Attributes
    ----------
    phase : int
        1 while ln f follows the histogram, 2 once it follows time; a verdict on ln g without production asks for 2.
    """

    phase: int

    def meet_new_bins(self, weights: Weights) -> None:
        """React to bins that were found since the last call; see :func:`take_found_bins`."""
        ...

    def stage_is_over(self, weights: Weights) -> bool:
        """Tell whether the histogram allows the next stage."""
        ...

    def next_stage(self, weights: Weights) -> None:
        """Lower ln f; called once all walks that have to end the stage together are ready."""
        ...

    def settled(self, weights: Weights) -> bool:
        """Tell whether ln g is good enough to be frozen for production."""
        ...


@dataclass
class Stage:
    """What a stage has to fulfil before it may end.

    Attributes
    ----------
    n_walkers : int
    flatness : float
        Lowest bin over mean bin.
    minimum_count : float
        Visits of every bin, in units of 1/sqrt(ln f) (Zhou and Bhatt, PRE 72, 025701 (2005)).
    start : int
        Trials made when it began.
    ended : int
        Stages that ended so far.
    """

    n_walkers: int
    flatness: float
    minimum_count: float = 0.0
    start: int = 0
    ended: int = 0

    @classmethod
    def for_walkers(cls, n_walkers: int, wanted_flatness: float | None, minimum_count: float = 0.0) -> Stage:
        """Choose the customary flatness for this number of walkers."""
        customary = FLATNESS_FEW_WALKERS if n_walkers <= MANY_WALKERS else FLATNESS_MANY_WALKERS
        return cls(n_walkers, customary if wanted_flatness is None else wanted_flatness, minimum_count)

    def begin(self, weights: Weights) -> None:
        """Begin anew with an empty histogram."""
        weights.bins["histogram"] = 0
        self.start = int(weights.control["trials"][0])

    def begin_again(self, weights: Weights) -> None:
        """Begin anew because of a new bin, which has to last through one stage at least before weights are frozen."""
        self.ended = min(self.ended, SETTLED_STAGES - 1)
        self.begin(weights)

    def is_over(self, weights: Weights) -> bool:
        """Tell whether rounds, flatness and lowest count are enough, and no bin known to hold states was missed."""
        histogram, seen = weights.bins["histogram"], weights.bins["seen"] == 1
        if (~seen & (weights.bins["expected"] == HOLDS_STATES)).any():
            return False
        rounds = (int(weights.control["trials"][0]) - self.start) / self.n_walkers
        if rounds < MIN_ROUNDS_PER_STAGE or flatness(histogram, seen) < self.flatness:
            return False
        ln_f = float(weights.control["ln_f"][0])
        return bool(histogram[seen].min() >= self.minimum_count / np.sqrt(ln_f))

    def end(self, weights: Weights, factor: float = 0.5) -> None:
        """Multiply ln f by a factor and begin the next stage."""
        weights.control["ln_f"] *= factor
        self.ended += 1
        self.begin(weights)

    def is_settled(self, weights: Weights, phase: int = 1) -> bool:
        """Tell whether ln f is small enough to freeze ln g, after some stages or in phase 2."""
        control = weights.control[0]
        enough = self.ended >= SETTLED_STAGES or phase == 2
        return enough and bool(control["ln_f"] <= settled_ln_f(int(control["bins_seen"])))


def take_found_bins(weights: Weights) -> int:
    """Return how many unexpected bins were found since the last call."""
    found = int(weights.control["bins_found"][0])
    weights.control["bins_found"] = 0
    return found


@dataclass
class Halving:
    """ln f is halved at every flat histogram, for ever."""

    stage: Stage
    phase: int = 1

    def meet_new_bins(self, weights: Weights) -> None:
        """Begin the stage anew."""
        if take_found_bins(weights):
            self.stage.begin_again(weights)

    def stage_is_over(self, weights: Weights) -> bool:
        """Tell whether the histogram is flat."""
        return self.stage.is_over(weights)

    def next_stage(self, weights: Weights) -> None:
        """Halve ln f."""
        self.stage.end(weights)

    def settled(self, weights: Weights) -> bool:
        """Tell whether ln f is small."""
        return self.stage.is_settled(weights, self.phase)


@dataclass
class OneOverT:
    """Halving, then ln f = visited bins / trials.

    Attributes
    ----------
    stage : Stage
    phase : int
    phase_one_ln_f : float
        ln f when phase 1 ended, to go back to.
    """

    stage: Stage
    phase: int = 1
    phase_one_ln_f: float = 1.0

    def meet_new_bins(self, weights: Weights) -> None:
        """Begin the stage anew, in phase 1."""
        if not take_found_bins(weights):
            return
        if self.phase == 2:
            self.phase = 1
            weights.control["gain"] = FIXED
            weights.control["ln_f"] = self.phase_one_ln_f
        self.stage.begin_again(weights)

    def stage_is_over(self, weights: Weights) -> bool:
        """Tell whether the histogram is flat in phase 1."""
        return self.phase == 1 and self.stage.is_over(weights)

    def next_stage(self, weights: Weights) -> None:
        """Halve ln f, and go on to phase 2 if that is below 1/t."""
        control = weights.control[0]
        self.stage.end(weights)
        if control["ln_f"] < control["bins_seen"] / (control["trials"] + control["trials_before"]):
            self.phase, self.phase_one_ln_f = 2, float(control["ln_f"])
            control["gain"] = ONE_OVER_T

    def settled(self, weights: Weights) -> bool:
        """Tell whether ln f is small."""
        return self.stage.is_settled(weights, self.phase)
