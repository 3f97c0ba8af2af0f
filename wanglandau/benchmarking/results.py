"""What a benchmark finds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from wanglandau.benchmarking.brawl import Duel
from wanglandau.benchmarking.machine import Machine
from wanglandau.benchmarking.roofline import Roofline
from wanglandau.benchmarking.spread import Spread


@dataclass(frozen=True)
class Rate:
    """How fast one contestant is.

    Attributes
    ----------
    n_sites : int
        Atoms of the cell.
    oracle : str
    engine : str
        One of :data:`wanglandau.benchmarking.engines.ENGINES` or the name of a peer.
    walkers : int
    trials_per_second : float
        Median over the turns.
    lower, upper : float
        Quartiles.
    turns : list of float
        Trials/s of every turn.
    """

    n_sites: int
    oracle: str
    engine: str
    walkers: int
    trials_per_second: float
    lower: float
    upper: float
    turns: list[float]

    @classmethod
    def of(cls, n_sites: int, oracle: str, engine: str, walkers: int, turns: np.ndarray) -> Rate:
        """Take median and quartiles over the turns, ``float64[n]``, trials/s."""
        spread = Spread.of(turns)
        return cls(n_sites, oracle, engine, walkers, spread.median, spread.lower, spread.upper, turns.tolist())

    @property
    def spread(self) -> Spread:
        """Median and quartiles, trials/s."""
        return Spread(self.trials_per_second, self.lower, self.upper, len(self.turns))


@dataclass(frozen=True)
class Ratio:
    """How many times faster one contestant is than another, turn by turn.

    Attributes
    ----------
    n_sites : int
    oracle, engine : str
        The one.
    walkers : int
        Of the one; the other has one walker.
    over : str
        The other.
    value : Spread
    """

    n_sites: int
    oracle: str
    engine: str
    walkers: int
    over: str
    value: Spread

    @property
    def text(self) -> str:
        """Say it."""
        walkers = "" if self.walkers == 1 else f", {self.walkers} walkers"
        return f"{self.oracle} {self.engine}{walkers} over {self.over}"


@dataclass(frozen=True)
class EnergyTime:
    """Wall time of energies without a walk.

    Attributes
    ----------
    n_sites : int
    oracle : str
    batch : int
        Configurations asked for in one call.
    call : Spread
        Seconds of a call.
    each : Spread
        Seconds of one configuration.
    """

    n_sites: int
    oracle: str
    batch: int
    call: Spread
    each: Spread


@dataclass(frozen=True)
class Benchmark:
    """All of it.

    Attributes
    ----------
    system : str
    n_sites : int
        Of the system's own cell.
    ratios : list of Ratio
    rates : list of Rate
    energy_times : list of EnergyTime
    rooflines : list of Roofline
    brawl : Duel or None
    machine : Machine
    notes : list of str
        What was left out, and why.
    seconds : float
        For each contestant, in all turns.
    turns : int
    """

    system: str
    n_sites: int
    ratios: list[Ratio]
    rates: list[Rate]
    energy_times: list[EnergyTime]
    rooflines: list[Roofline]
    brawl: Duel | None
    machine: Machine
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    turns: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        return asdict(self)

    def roofline(self, oracle: str, n_sites: int) -> Roofline | None:
        """Find the limits of an oracle in a cell."""
        found = [line for line in self.rooflines if (line.oracle, line.n_sites) == (oracle, n_sites)]
        return found[0] if found else None
