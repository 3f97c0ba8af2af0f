"""One hostile input given to a reader: it is refused in one line or read as what it says, in bounded time and memory.

The number of inputs comes from the environment: ``FUZZ=long`` makes a campaign of them.
"""

from __future__ import annotations

import os
import resource
import signal
import traceback
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings

from lsms_bridge.failures import LsmsError
from wanglandau.errors import InputError, NotConverged, OracleError

LONG = os.environ.get("FUZZ") == "long"
SECONDS = 20.0
"""What counts as a hang."""
MEGABYTES = 600
"""How much one input may make the process grow."""

TALLY: dict[str, Counter[str]] = defaultdict(Counter)
"""By kind of input: how many were refused, accepted, ended in a traceback, a hang or a wrong result."""


class Hang(BaseException):
    """An input took too long."""


def inputs(quick: int, long: int) -> settings:
    """Return how many inputs are made: the same ones each time in the quick profile."""
    return settings(
        max_examples=long if LONG else quick,
        derandomize=not LONG,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def attempt(kind: str, read: Callable[[], Any], refused: tuple[type[Exception], ...] = ()) -> Any:
    """Return what a reader makes of an input, None where it refuses; fail on anything else."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.signal(signal.SIGALRM, _hang)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = read()
        outcome = "accepted"
    except (InputError, OracleError, NotConverged, LsmsError, *refused) as error:
        found, outcome = None, "refused"
        if type(error) in (InputError, OracleError) and len(str(error).splitlines()) != 1:
            outcome = "wrong"
    except Hang:
        found, outcome = None, "hang"
    except BaseException:
        TALLY[kind]["traceback"] += 1
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    if grown > MEGABYTES:
        outcome = "memory"
    TALLY[kind][outcome] += 1
    assert outcome in ("accepted", "refused"), f"{kind}: {outcome}"
    return found


def check(kind: str, right: bool) -> None:
    """Count a result that is not what the input says."""
    if not right:
        TALLY[kind]["wrong"] += 1
        TALLY[kind]["accepted"] -= 1
    assert right, f"{kind}: a wrong result was accepted"


def _hang(*_: object) -> None:
    raise Hang("".join(traceback.format_stack(limit=4)))
