"""When a command has to end that goes on, given again, from what it has finished."""

from __future__ import annotations

from dataclasses import dataclass

from wanglandau.keeping_settings import check_walltime


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
        check_walltime(self.max_walltime)
