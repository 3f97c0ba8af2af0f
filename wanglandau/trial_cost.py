"""What a trial cannot do without: arithmetic and reads that any program needs for an energy of the same form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np


@dataclass(frozen=True)
class TrialCost:
    """Work of one swap, by the formula of the energy and not by the code that evaluates it.

    Attributes
    ----------
    multiply_adds : float
        In float32.
    row_bytes : float
        Read in long rows, such as the weights of a layer.
    rows_size : int
        Bytes of all such rows, which tells the cache that holds them.
    look_ups : float
        Reads of 8 bytes each at places that chance decides.
    counted : str
        What was counted, in words.
    """

    multiply_adds: float = 0.0
    row_bytes: float = 0.0
    rows_size: int = 0
    look_ups: float = 0.0
    counted: str = ""


@runtime_checkable
class CostedOracle(Protocol):
    """An oracle that knows what a trial costs."""

    def trial_cost(self, occupations: np.ndarray) -> TrialCost:
        """Count the work of a swap, the mean over configurations like ``int8[n, n_sites]``."""
        ...
