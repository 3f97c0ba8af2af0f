"""Settings of what a long command keeps on disk while it works, and of when it has to end."""

from __future__ import annotations

from dataclasses import dataclass

from wanglandau.errors import InputError

LONGEST = 10 * 365 * 24 * 3600.0
"""No limit of time is longer, s."""


@dataclass(frozen=True)
class EndingSettings:
    """When a command has to end that goes on from what it finished.

    Attributes
    ----------
    max_walltime : float or None
        Seconds after which to end in good order, some time before; the same command goes on later.
    """

    max_walltime: float | None = None

    def __post_init__(self) -> None:
        check_walltime(self.max_walltime)


@dataclass(frozen=True)
class KeepingSettings:
    """Checkpoints of a run.

    Attributes
    ----------
    resume : bool
        Go on from the checkpoint beside the result, if there is one; of a finished run tell its result.
    max_walltime : float or None
        Seconds after which to end with a checkpoint, some time before; --resume goes on.
    checkpoint_interval : float
        Seconds between checkpoints.
    """

    resume: bool = False
    max_walltime: float | None = None
    checkpoint_interval: float = 60.0

    def __post_init__(self) -> None:
        check_walltime(self.max_walltime)
        if not 0.0 <= self.checkpoint_interval <= LONGEST:
            raise InputError(
                f"checkpoint_interval is {self.checkpoint_interval}; allowed are 0 to {LONGEST:g} s between checkpoints"
            )


def check_walltime(seconds: float | None) -> None:
    """Raise InputError unless a limit of wall time makes sense."""
    if seconds is not None and not 0.0 < seconds <= LONGEST:
        raise InputError(f"max_walltime is {seconds}; allowed are numbers above 0 up to {LONGEST:g} s, or none")
