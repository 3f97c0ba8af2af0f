"""What can go wrong with a run of LSMS, and what to do about it."""

from __future__ import annotations

from enum import Enum

from wanglandau.errors import OracleError


class Remedy(Enum):
    """What a failure calls for."""

    RETRY = "the same again"
    LADDER = "another way to convergence"
    STOP = "a change of the configuration"


class Failure(Enum):
    """Kinds of failures: what happened, and what to try.

    Attributes
    ----------
    remedy : Remedy
    advice : str
        For people.
    """

    INPUT_REFUSED = (Remedy.STOP, "run the deck by hand and read what LSMS says")
    POTENTIAL_MISSING = (Remedy.RETRY, "make the library of potentials anew")
    STOPPED = (Remedy.STOP, "raise or lower mesh_points, or change what the message names")
    NEGATIVE_INTERSTITIAL = (Remedy.LADDER, "start muffin tins from potentials of atomic spheres")
    CRASHED = (Remedy.RETRY, "look at stderr; memory may have run out")
    TIMED_OUT = (Remedy.RETRY, "raise time_limit in [launcher]")
    DISK = (Remedy.RETRY, "free space on the disk and make the folder writable")
    NO_OUTPUT = (Remedy.RETRY, "look at stdout and at the space left on the disk")
    UNREADABLE = (Remedy.RETRY, "look at the space left on the disk")
    ANOTHER_INPUT = (Remedy.RETRY, "make sure that no two programs share the folder")
    NOT_FINITE = (Remedy.LADDER, "smaller mixing")
    NOT_CONVERGED = (Remedy.LADDER, "more iterations, smaller mixing")
    POTENTIAL_MOVES = (Remedy.LADDER, "more iterations: a smaller stopping_margin")
    DIVERGED = (Remedy.LADDER, "fresh potentials, smaller mixing")
    CHARGE_LOST = (Remedy.LADDER, "a lower contour_bottom, fresh potentials")
    IMPLAUSIBLE = (Remedy.LADDER, "fresh potentials; check lattice and parameters")

    def __init__(self, remedy: Remedy, advice: str) -> None:
        self.remedy = remedy
        self.advice = advice


class LsmsError(OracleError):
    """A run that gave no energy to be used.

    Attributes
    ----------
    failure : Failure
    """

    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(f"{message}; try: {failure.advice}")
        self.failure = failure
