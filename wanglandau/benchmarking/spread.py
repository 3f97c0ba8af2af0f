"""Medians with quartiles: a mean would be that of the few measurements which something else interrupted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Spread:
    """Median and quartiles.

    Attributes
    ----------
    median, lower, upper : float
        The middle one, and the quartiles below and above.
    n : int
        Number of samples.
    """

    median: float
    lower: float
    upper: float
    n: int

    @classmethod
    def of(cls, samples: Sequence[float] | np.ndarray) -> Spread:
        """Take median and quartiles of one sample or more.

        >>> Spread.of([4.0, 1.0, 2.0, 3.0, 100.0])
        Spread(median=3.0, lower=2.0, upper=4.0, n=5)
        """
        lower, median, upper = np.percentile(samples, [25, 50, 75])
        return cls(float(median), float(lower), float(upper), len(samples))

    def text(self) -> str:
        """Write the median to three digits and the quartiles in brackets.

        >>> Spread(1234.5, 1200.0, 1301.0, 5).text()
        '1,230 (1,200 to 1,300)'
        """
        return f"{three_digits(self.median)} ({three_digits(self.lower)} to {three_digits(self.upper)})"


def three_digits(value: float) -> str:
    """Write a positive number to three digits.

    >>> [three_digits(value) for value in (1234567.0, 98.76, 0.012345)]
    ['1,230,000', '98.8', '0.0123']
    """
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:#.3g}".rstrip(".")
