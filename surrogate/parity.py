"""Figure of predictions against what they are to predict, and of their errors."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from surrogate.dataset import Dataset
from wanglandau.errors import InputError
from wanglandau.figure_style import EXACT, SAMPLED, new_figure, save_figure
from wanglandau.levels import MEV_PER_RY
from wanglandau.oracle import Properties

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MANY_POINTS = 3000
"""More are drawn small and faint."""
_LABELS = {
    "energy": ("mixing energy", "meV/atom"),
    "charge": ("charge", "e"),
    "moment": ("moment", r"$\mu_\mathrm{B}$"),
}


class Parity:
    """Collects predictions and draws them; nothing is drawn of what is not predicted."""

    def __init__(self) -> None:
        self._pairs: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def keep(self, dataset: Dataset, predicted: Properties) -> None:
        """Take in what was predicted for the configurations of a data set, in their order."""
        scale = MEV_PER_RY / dataset.lattice.n_sites
        pairs = {
            "energy": (dataset.mixing_energy * scale, predicted.energy * scale),
            "charge": (dataset.charge, predicted.charge),
            "moment": (dataset.moment, predicted.moment),
        }
        self._pairs = {
            name: (np.ravel(reference), np.ravel(found))
            for name, (reference, found) in pairs.items()
            if reference is not None and found is not None and np.isfinite(found).all()
        }

    def draw(self, path: str | os.PathLike[str], title: str, note: str) -> None:
        """Draw a column for each quantity: predicted against reference, and below the error.

        Raises
        ------
        InputError
            If nothing was predicted, or matplotlib is not installed or cannot write such a file.
        """
        if not self._pairs:
            raise InputError(f"no figure {path}: the model predicts nothing that the data hold; leave --figure out")
        with new_figure(max(3.6 * len(self._pairs), 4.6), 4.9 if not note else 5.3) as figure:
            rows = figure.subplots(2, len(self._pairs), sharex="col", squeeze=False, height_ratios=(2, 1))
            for (name, (reference, found)), above, below in zip(self._pairs.items(), *rows, strict=True):
                what, unit = _LABELS[name]
                error = found - reference
                ends = [reference.min(), reference.max()]
                above.plot(ends, ends, color=EXACT, lw=0.6, zorder=1)
                below.axhline(0, color=EXACT, lw=0.6, zorder=1)
                _scatter(above, reference, found)
                _scatter(below, reference, error)
                rmse = float(np.sqrt(np.mean(error**2)))
                above.set(title=f"{what}: RMSE {rmse:.3g} {unit}", ylabel=f"predicted ({unit})")
                below.set(xlabel=f"{what}, reference ({unit})", ylabel=f"error ({unit})")
            save_figure(figure, path, note, title)


def _scatter(panel: Axes, x: np.ndarray, y: np.ndarray) -> None:
    many = len(x) > MANY_POINTS
    size, alpha = (1.2, 0.3) if many else (2.5, 0.7)
    panel.plot(x, y, "o", color=SAMPLED, ms=size, mew=0, alpha=alpha, zorder=2, rasterized=many)
