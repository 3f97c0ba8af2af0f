"""When a command has to end that goes on, given again, from what it has finished."""

from __future__ import annotations

from dataclasses import dataclass

from wanglandau.errors import InputError
from wanglandau.keeping_settings import LONGEST_WALLTIME, SHORTEST_WALLTIME


@dataclass(frozen=True)
class EndingSettings:
    """When to end early.

    Attributes
    ----------
    max_walltime : float or None
        Seconds that this process may take; it ends in good order a little earlier, and the same command goes on later.
    """

    max_walltime: float | None = None

    def __post_init__(self) -> None:
        if self.max_walltime is not None and not SHORTEST_WALLTIME <= self.max_walltime <= LONGEST_WALLTIME:
            raise InputError(
                f"max_walltime is {self.max_walltime} s; allowed are {SHORTEST_WALLTIME:g} to {LONGEST_WALLTIME:g}"
            )
