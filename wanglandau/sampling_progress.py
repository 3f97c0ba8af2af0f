"""The bar of a calculation by Wang-Landau sampling: what is left to do, and how far ln g is from what is wanted.

At first the budget of trials is all that is known of the end. Once weights are fixed, the standard error tells how many
trials are needed: it falls as one over the square root of those made in production.
"""

from __future__ import annotations

import time

import numpy as np
from tqdm import tqdm

from wanglandau.calculation import Calculation
from wanglandau.schedule import flatness
from wanglandau.verdict import round_trips_needed

SECONDS_BETWEEN = 0.25
"""How often the bar is brought up to date, at most."""
_FORMAT = "{{percentage:3.0f}}%|{{bar:12}}| {{n_fmt}} at {{rate_fmt}}, {{elapsed}}, {} {{remaining}} left{{postfix}}"
AT_MOST, ABOUT = _FORMAT.format("at most"), _FORMAT.format("about")


class SamplingProgress:
    """Keeps a bar up to date; costs next to nothing between two looks of a person.

    Parameters
    ----------
    bar : tqdm
        Of trials; its total is the budget.

    Attributes
    ----------
    error : float or None
        Standard error of ln g at the last look; None before the first of production.
    """

    def __init__(self, bar: tqdm) -> None:
        self.bar = bar
        self.error: float | None = None
        self._budget, self._shown = bar.total, 0.0

    def look(self, calculation: Calculation) -> None:
        """Take in the standard error of ln g, if it is known, and from it how many trials are left to make."""
        error = calculation.error
        self.error = error if np.isfinite(error) else None
        wanted = calculation.settings.precision
        if self.bar.disable or self.error is None or wanted <= 0:
            return
        made = sum(int(walk.weights.control["trials"][0]) for walk in calculation.walks)
        left = made * max(0.0, (error / wanted) ** 2 - 1)
        self.bar.total, self.bar.bar_format = min(self._budget, self.bar.n + int(left)), ABOUT

    def update(self, calculation: Calculation) -> None:
        """Bring the words behind the bar up to date, if it is time."""
        if self.bar.disable:
            return
        if not calculation.walks or not all(walk.producing for walk in calculation.walks):
            self.error = None
            self.bar.total, self.bar.bar_format = self._budget, AT_MOST
        if time.monotonic() - self._shown > SECONDS_BETWEEN:
            self._shown = time.monotonic()
            self.bar.set_postfix_str(self.describe(calculation), refresh=False)

    def end(self) -> None:
        """Show a calculation that needs no more trials as a whole one."""
        self.bar.total = self.bar.n
        self.bar.refresh()

    def describe(self, calculation: Calculation) -> str:
        """Return how the walks of this process go, in a line."""
        walks = calculation.walks
        if not walks:
            return ""
        trips = int(np.median([walk.walkers.records["half_trips"] // 2 for walk in walks]))
        bins = max(int(walk.weights.control["bins_seen"][0]) for walk in walks)
        producing = sum(walk.producing for walk in walks)
        ending = f"{bins} bins, {trips} round trips"
        if producing == len(walks):
            if self.error is None:
                return f"weights fixed, {bins} bins, {trips} of {round_trips_needed(calculation.n_walkers)} round trips"
            wanted = calculation.settings.precision
            return f"weights fixed, error of ln g {self.error:.2g} (wanted {wanted:g}), {ending}"
        sampling = [walk for walk in walks if not walk.producing]
        ln_f = max(walk.ln_f for walk in sampling)
        flattest = min(flatness(walk.weights.bins["histogram"], walk.weights.bins["seen"] == 1) for walk in sampling)
        some = f"{producing}/{len(walks)} with fixed weights, " if producing else ""
        return f"{some}ln f {ln_f:.1e}, flatness {flattest:.2f}, {ending}"
