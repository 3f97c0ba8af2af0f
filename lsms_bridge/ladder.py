"""Ways to convergence: what is tried, in this order, before a configuration is given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lsms_bridge.deck import Start
from lsms_bridge.parameters import LsmsParameters


@dataclass(frozen=True)
class Rung:
    """One way to convergence.

    Attributes
    ----------
    name : str
    source : {"library", "own", "generated"}
        Starting potentials: of other configurations, of the attempt before, or of atoms. Where there are none of the
        kind, they are generated.
    mixing : float
        Factor on the share of the new potential.
    iterations : int
        Factor on the number of iterations.
    moments : float
        Factor on starting moments.
    margin : float
        Factor on the tolerances at which LSMS stops.
    """

    name: str
    source: Literal["library", "own", "generated"]
    mixing: float = 1.0
    iterations: int = 1
    moments: float = 1.0
    margin: float = 1.0

    def start(self, parameters: LsmsParameters, files: tuple[int, ...]) -> Start:
        """Return how a run on this rung starts; ``files`` is empty where potentials are generated."""
        base = parameters.mixing_restart if files else parameters.mixing_start
        return Start(
            base * self.mixing,
            parameters.max_iterations * self.iterations,
            files,
            moment_scale=self.moments,
            margin=parameters.stopping_margin * self.margin,
        )


def rungs(n_spin: int) -> tuple[Rung, ...]:
    """Return the ways in the order in which they are tried."""
    last = (
        Rung("other starting moments", "generated", 0.5, 3, 1.4, 0.3)
        if n_spin == 2
        else Rung("smallest mixing", "generated", 0.2, 4, margin=0.3)
    )
    return (
        Rung("first", "library"),
        Rung("more iterations", "own", 0.5, 2, margin=0.3),
        Rung("fresh potentials", "generated", 0.5, 3, margin=0.3),
        last,
    )
