"""Settings of how a command keeps its work: nothing of them changes a result."""

from __future__ import annotations

from dataclasses import dataclass

from wanglandau.errors import InputError

SHORTEST_INTERVAL, LONGEST_INTERVAL = 0.01, 1e6
SHORTEST_WALLTIME, LONGEST_WALLTIME = 1.0, 1e8


def check_walltime(seconds: float | None) -> None:
    """Raise InputError unless a limit of wall time is a sensible one, or none."""
    if seconds is not None and not SHORTEST_WALLTIME <= seconds <= LONGEST_WALLTIME:
        raise InputError(f"max_walltime is {seconds} s; allowed are {SHORTEST_WALLTIME:g} to {LONGEST_WALLTIME:g}")


@dataclass(frozen=True)
class KeepingSettings:
    """When checkpoints are written, and when work ends before it is done.

    Attributes
    ----------
    resume : bool
        Go on from the checkpoint beside the result file, or begin where there is none; a finished result of the same
        settings is reported and not computed again. So the same command line begins a job and goes on with it.
    max_walltime : float or None
        Seconds that this process may take; it ends in a checkpoint a little earlier.
    checkpoint_interval : float
        Seconds between checkpoints.
    """

    resume: bool = False
    max_walltime: float | None = None
    checkpoint_interval: float = 60.0

    def __post_init__(self) -> None:
        check_walltime(self.max_walltime)
        if not SHORTEST_INTERVAL <= self.checkpoint_interval <= LONGEST_INTERVAL:
            raise InputError(
                f"checkpoint_interval is {self.checkpoint_interval} s; allowed are {SHORTEST_INTERVAL:g} to "
                f"{LONGEST_INTERVAL:g}"
            )
