"""The one place that says which bin an energy falls into."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wanglandau.errors import InputError

MAX_BINS = 1_000_000


@dataclass(frozen=True)
class EnergyGrid:
    """Bins of equal width over mixing energies.

    Bin ``b`` holds energies from ``start + b * width`` up to but not including the next edge.

    Attributes
    ----------
    start : float, Ry per cell
        Lower edge of the first bin.
    width : float, Ry
    n_bins : int
    """

    start: float
    width: float
    n_bins: int

    def __post_init__(self) -> None:
        if not (np.isfinite(self.start) and np.isfinite(self.width) and self.width > 0):
            raise InputError(f"energy grid: start {self.start} Ry and width {self.width} Ry; it must be positive")
        if not 1 <= self.n_bins <= MAX_BINS:
            raise InputError(f"energy grid: {self.n_bins} bins; allowed are 1 to {MAX_BINS}: choose a wider bin")

    @classmethod
    def covering(cls, low: float, high: float, width: float) -> EnergyGrid:
        """Make the grid whose first bin is centred on ``low`` and whose last one holds ``high``."""
        if not (np.isfinite(low) and np.isfinite(high) and high >= low):
            raise InputError(f"empty energy window: from {low} to {high} Ry; the upper end must lie above")
        if not width > 0:
            raise InputError(f"bin width {width} Ry must be positive")
        return cls(low - width / 2, width, int(np.floor((high - low) / width + 0.5)) + 1)

    @property
    def edges(self) -> np.ndarray:
        """Bin edges, ``float64[n_bins + 1]``, Ry."""
        return self.start + self.width * np.arange(self.n_bins + 1)

    @property
    def centres(self) -> np.ndarray:
        """Bin centres, ``float64[n_bins]``, Ry."""
        return self.start + self.width * (np.arange(self.n_bins) + 0.5)

    def index(self, energies: np.ndarray) -> np.ndarray:
        """Return the bin of each energy (``int64``); outside the grid it is negative or at least ``n_bins``.

        The kernels compute the same expression.
        """
        return np.floor((np.asarray(energies) - self.start) * (1.0 / self.width)).astype(np.int64)
