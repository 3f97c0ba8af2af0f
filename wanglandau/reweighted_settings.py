"""Settings of reweighting: a frozen dataclass with its defaults and units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wanglandau.errors import InputError

_LIMITS = {"calls": (20, 10**7), "looks": (10, 10**6), "seed": (0, 2**63)}


@dataclass(frozen=True)
class ReweightingSettings:
    """How configurations are chosen for the dear oracle.

    Attributes
    ----------
    calls : int
        Most energies to ask the oracle for.
    allocation : str
        even: as many for every stratum of cheap energies; neyman: half of them so, the rest where the weight at the
        temperatures of interest scatters most.
    looks : int
        Looks of the walk for each bin, from which configurations are drawn.
    seed : int
        Decides everything random: the same seed asks for the same energies.
    """

    calls: int = 500
    allocation: Literal["even", "neyman"] = "even"
    looks: int = 200
    seed: int = 1

    def __post_init__(self) -> None:
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"{name} is {value}; allowed are {low} to {high}")
