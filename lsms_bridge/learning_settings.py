"""Settings of the active-learning loop; importing them imports nothing heavy."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from wanglandau.errors import InputError

_LIMITS: dict[str, tuple[float, float]] = {
    "generations": (1, 1000),
    "per_generation": (4, 100_000),
    "patience": (1, 100),
    "precision": (1e-6, 1.0),
    "start": (4, 100_000),
    "runs": (2, 1000),
    "max_trials": (1000, 1e15),
    "seed": (0, 2**31),
}
_OF_ENDING = ("generations", "patience", "precision")
"""What only decides when the loop ends: a later call may change it and go on in the same folder."""


@dataclass(frozen=True)
class LearningSettings:
    """How the loop learns, and when it has settled.

    Attributes
    ----------
    generations : int
        Most generations; a loop that has not settled by then ends with exit code 3.
    per_generation : int
        Most new orbits that the dear oracle is asked for in a generation, all compositions together.
    patience : int
        Generations in a row in which nothing may change before the loop has settled.
    precision : float
        Largest error, sampling and model together, of the temperature and of the height of the heat-capacity peak,
        relative; a loop with larger errors has not settled however little changes.
    start : int
        Configurations at each composition, chosen ordered and at random, that are computed first where there is no
        data set to start from.
    exact : bool or None
        Enumerate every orbit of the cell, instead of sampling; default: where the cell has at most 32 sites.
    runs : int
        Independent runs of a sampled density of states.
    max_trials : int
        Most trials of each of them.
    seed : int
        Decides everything random; generation k trains its first network with the seed plus 1000 k.
    """

    generations: int = 10
    per_generation: int = 20
    patience: int = 2
    precision: float = 0.1
    start: int = 20
    exact: bool | None = None
    runs: int = 4
    max_trials: int = 20_000_000
    seed: int = 0

    def __post_init__(self) -> None:
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"{name} is {value}; allowed are {low:g} to {high:g}")

    def of_result(self) -> dict[str, Any]:
        """Return what the generations depend on: all but the settings that only say when to end."""
        return {name: value for name, value in asdict(self).items() if name not in _OF_ENDING}
