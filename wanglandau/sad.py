"""SAD, a schedule for walks whose energy range nobody knows.

M. A. Pommerenck, T. E. Simpson, M. A. Perlin, D. Roundy, arXiv:1906.08822. The user names the lowest temperature of
interest. The range of interest reaches from the energy of most states (infinite temperature) down to the likeliest
energy at the lowest temperature, as far as both are known at the time. Above it the weight is that of infinite
temperature, below it that of the lowest temperature, so that the walk returns from both sides; a bin outside that is
visited more often than any inside widens the range. ln f adapts to the time when the range last grew.
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
        """Widen the range of interest where the walk shows that it should; remember when that was."""
        control = weights.control[0]
        control["bins_found"] = 0
        if not control["bounded"]:
            self._begin(weights)
        elif not _widen(weights):
            return
        control["sad_width"] = (control["high_end"] - control["low_end"]) * self.slope
        control["sad_trials"] = max(int(control["trials"]), 1)
        self.phase = 1
        self.stage.begin(weights)

    def _begin(self, weights: Weights) -> None:
        """Begin with a range of one bin, that of most visits."""
        control = weights.control[0]
        control["low_end"] = control["high_end"] = int(np.argmax(weights.bins["visits"]))
        control["bounded"], control["gain"], control["slope"] = 1, SAD, self.slope

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


def _widen(weights: Weights) -> bool:
    """Take bins outside into the range if one of them was visited more often than any inside; tell whether it was.

    They enter with the weight that they counted with so far.
    """
    control, visits = weights.control[0], weights.bins["visits"]
    low, high = int(control["low_end"]), int(control["high_end"])
    often = np.flatnonzero(visits > visits[low : high + 1].max())
    if not len(often):
        return False
    new_low, new_high = min(low, int(often[0])), max(high, int(often[-1]))
    weights.bins["ln_g"][new_low : new_high + 1] = bounded_weights(weights)[new_low : new_high + 1]
    control["low_end"], control["high_end"] = new_low, new_high
    return True


def bounded_weights(weights: Weights) -> np.ndarray:
    """Return the ln g with which every bin counts, ``float64[n_bins]``."""
    control, ln_g = weights.control[0], weights.bins["ln_g"]
    if not control["bounded"]:
        return ln_g
    low, high = int(control["low_end"]), int(control["high_end"])
    index = np.arange(len(ln_g))
    line = ln_g[low] + control["slope"] * (index - low)
    return np.where(index > high, ln_g[high], np.where(index < low, line, ln_g))


def unbounded_estimate(weights: Weights) -> np.ndarray:
    """Return ln g as the walk knows it so far, up to a constant, ``float64[n_bins]``.

    Inside the range of interest it is the weight. Outside, where the weight is that of a temperature, the visits since
    the range last grew tell the rest: as for any fixed weight, ln g is the weight plus the logarithm of the visits.
    """
    control, ln_g = weights.control[0], bounded_weights(weights)
    if not control["bounded"]:
        return ln_g
    index, counts = np.arange(len(ln_g)), weights.bins["histogram"]
    inside = (index >= control["low_end"]) & (index <= control["high_end"])
    level = counts[inside & (weights.bins["seen"] == 1)].mean()
    if not level > 0:
        return ln_g
    return np.where(inside, ln_g, ln_g + np.log(np.maximum(counts, 0.5) / level))
