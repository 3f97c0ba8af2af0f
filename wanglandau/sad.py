"""SAD: a schedule for walks whose energy range nobody knows (Pommerenck, Simpson, Perlin, Roundy, arXiv:1906.08822).

The user names the lowest temperature of interest. The range of interest reaches from the energy of most states (infinite
temperature) down to where d ln g / dE is that of the lowest temperature, as far as both are known at the time. Above it
the weight is that of infinite temperature, below it that of the lowest temperature, so that the walk returns from
both sides; ln f adapts to the time when the range last grew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wanglandau.kernels import SAD
from wanglandau.schedule import Stage, flatness
from wanglandau.walkers import Weights

SETTLED_TIMES = 4.0
"""Trials at which ln g is good enough to be frozen, in units of those when the range last grew."""


@dataclass
class StochasticApproximation:
    """State of the SAD schedule.

    Attributes
    ----------
    slope : float
        Width of a bin over k_B times the lowest temperature.
    stage : Stage
        Flatness that the histogram needs since the range last grew.
    phase : int
        2 once the range has stopped growing for a while.
    """

    slope: float
    stage: Stage
    phase: int = 1

    def meet_new_bins(self, weights: Weights) -> None:
        """Look anew for the range of interest; remember when it changed."""
        weights.control["bins_found"] = 0
        low, high = range_of_interest(weights, self.slope)
        control = weights.control[0]
        if control["bounded"] and (low, high) == (control["low_end"], control["high_end"]):
            return
        control["bounded"], control["gain"], control["slope"] = 1, SAD, self.slope
        control["low_end"], control["high_end"] = low, high
        control["sad_width"] = (high - low) * self.slope
        control["sad_trials"] = max(int(control["trials"]), 1)
        self.phase = 1
        self.stage.begin(weights)

    def stage_is_over(self, weights: Weights) -> bool:
        """Renew the number of bins of interest; there are no stages."""
        control = weights.control[0]
        inside = weights.bins["seen"][control["low_end"] : control["high_end"] + 1]
        control["sad_bins"] = max(int(inside.sum()), 1)
        self.phase = 2 if self.settled(weights) else self.phase
        return False

    def next_stage(self, weights: Weights) -> None:
        """Do nothing."""

    def settled(self, weights: Weights) -> bool:
        """Tell whether the range has not grown for long and was visited evenly since."""
        control = weights.control[0]
        if not control["bounded"] or control["trials"] < SETTLED_TIMES * control["sad_trials"]:
            return False
        inside = slice(int(control["low_end"]), int(control["high_end"]) + 1)
        seen = weights.bins["seen"][inside] == 1
        return flatness(weights.bins["histogram"][inside], seen) >= self.stage.flatness


def range_of_interest(weights: Weights, slope: float) -> tuple[int, int]:
    """Find the bins between the lowest temperature of interest and infinite temperature.

    Returns
    -------
    low, high : int
        ``high`` has the largest ln g; ``low`` is where the line of the lowest temperature touches ln g from above, the
        energy that is likeliest at that temperature.
    """
    bins = np.flatnonzero(weights.bins["seen"] == 1)
    if not len(bins):
        return 0, 0
    ln_g = weights.bins["ln_g"][bins]
    high = bins[np.argmax(ln_g)]
    below = bins <= high
    low = bins[below][np.argmax(ln_g[below] - slope * bins[below])]
    return int(low), int(high)


def fold_in_bounds(weights: Weights) -> None:
    """Write the weight outside the range of interest into ln g, so that fixed weights need no bounds."""
    control = weights.control[0]
    if not control["bounded"]:
        return
    index = np.arange(len(weights.bins))
    low, high = int(control["low_end"]), int(control["high_end"])
    ln_g = weights.bins["ln_g"]
    line = ln_g[low] + control["slope"] * (index - low)
    weights.bins["ln_g"] = np.where(index > high, ln_g[high], np.where(index < low, line, ln_g))
    control["bounded"] = 0
