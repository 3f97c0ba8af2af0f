"""When ln f is lowered: the 1/t schedule of Belardinelli and Pereyra (PRE 75, 046701 (2007)).

Time t is the number of trials of all walkers over the number of bins visited so far. Phase 1 halves
ln f whenever the histogram is flat. At a halving that brings ln f below 1/t, and only then, phase 2
begins, in which ln f = 1/t. A bin found late sends a run back to phase 1 with the ln f at which that
had ended, since phase 2 alone would repair the new bin only logarithmically in time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wanglandau.walkers import Weights

FLATNESS_FEW_WALKERS = 0.5
FLATNESS_MANY_WALKERS = 0.8
MANY_WALKERS = 8
MIN_ROUNDS_PER_STAGE = 50
TRIALS_PER_BIN_AND_CHECK = 1000


def first_ln_f(n_bins: int, n_walkers: int) -> float:
    """Return the ln f to begin with: 1, less where many walkers would overshoot together."""
    return min(1.0, n_bins / n_walkers)


def trials_between_checks(n_bins: int, n_walkers: int) -> int:
    """Return how many trials lie between two looks at the histogram."""
    return max(TRIALS_PER_BIN_AND_CHECK * n_bins, MIN_ROUNDS_PER_STAGE * n_walkers)


def flatness(histogram: np.ndarray, seen: np.ndarray) -> float:
    """Return the lowest count over the mean count of the visited bins.

    Parameters
    ----------
    histogram : int64[n_bins]
    seen : bool[n_bins]
    """
    counts = histogram[seen]
    return float(counts.min() / counts.mean()) if len(counts) and counts.sum() else 0.0


@dataclass
class OneOverT:
    """State of the schedule of one run.

    Attributes
    ----------
    flatness : float
        Lowest bin over mean bin that ends a stage of phase 1.
    n_walkers : int
    phase : int
        1 or 2.
    stage_start : int
        Trials made when the present stage began.
    phase_one_ln_f : float
        ln f when phase 1 ended, to go back to.
    """

    flatness: float
    n_walkers: int
    phase: int = 1
    stage_start: int = 0
    phase_one_ln_f: float = 1.0

    @classmethod
    def for_walkers(cls, n_walkers: int, wanted_flatness: float | None) -> OneOverT:
        """Make the schedule with the customary flatness for this number of walkers."""
        customary = FLATNESS_FEW_WALKERS if n_walkers <= MANY_WALKERS else FLATNESS_MANY_WALKERS
        return cls(customary if wanted_flatness is None else wanted_flatness, n_walkers)

    def review(self, weights: Weights) -> None:
        """Look at the histogram and lower ln f, begin phase 2 or go back to phase 1 as the rules say."""
        control = weights.control[0]
        found = int(control["bins_found"])
        control["bins_found"] = 0
        if found:
            if self.phase == 2:
                self._return_to_phase_one(weights)
            self._begin_stage(weights)
        elif self.phase == 1 and self._stage_is_flat(weights):
            control["ln_f"] *= 0.5
            self._begin_stage(weights)
            if control["ln_f"] < control["bins_seen"] / control["trials"]:
                self.phase, self.phase_one_ln_f = 2, float(control["ln_f"])
                control["one_over_t"] = 1

    def _return_to_phase_one(self, weights: Weights) -> None:
        self.phase = 1
        weights.control["one_over_t"] = 0
        weights.control["ln_f"] = self.phase_one_ln_f

    def _begin_stage(self, weights: Weights) -> None:
        weights.bins["histogram"] = 0
        self.stage_start = int(weights.control["trials"][0])

    def _stage_is_flat(self, weights: Weights) -> bool:
        rounds = (int(weights.control["trials"][0]) - self.stage_start) / self.n_walkers
        evenness = flatness(weights.bins["histogram"], weights.bins["seen"] == 1)
        return rounds >= MIN_ROUNDS_PER_STAGE and evenness >= self.flatness
