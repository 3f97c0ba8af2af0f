"""Chains of Metropolis sampling: one population of walkers that holds several copies of a ladder of temperatures.

Walker ``chain * n_temperatures + k`` begins at temperature k of its chain. Where temperatures are exchanged, they move
from walker to walker and configurations stay; ``holders`` says which walker holds a temperature. A chain at a
temperature is then what the walkers show one after the other while they hold it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wanglandau.engine import Engine
from wanglandau.levels import BOLTZMANN
from wanglandau.rounds import Snapshots, take_snapshot
from wanglandau.short_pieces import Pace
from wanglandau.walkers import Walkers, boltzmann_weights, make_snapshots


@dataclass
class ThermalChains:
    """Walkers and the temperatures they hold; advanced in place.

    Attributes
    ----------
    walkers : Walkers
        Of all chains and temperatures.
    temperatures : float64[n_temperatures], K
        Ascending.
    delta_mu : float, Ry
        Chemical-potential difference: weights are exp(-(E - delta_mu N_B) / kT). Without effect on swaps.
    holders : int64[n_chains, n_temperatures]
        The walker that holds each temperature of each chain.
    accepted : int64[n_temperatures]
        Accepted trials by temperature.
    trials : int
        Trials made at each temperature, all chains together.
    """

    walkers: Walkers
    temperatures: np.ndarray
    delta_mu: float = 0.0
    holders: np.ndarray = field(init=False)
    accepted: np.ndarray = field(init=False)
    trials: int = 0

    def __post_init__(self) -> None:
        n_temperatures = len(self.temperatures)
        self.holders = np.arange(self.walkers.n_walkers).reshape(-1, n_temperatures)
        self.accepted = np.zeros(n_temperatures, dtype=np.int64)
        boltzmann_weights(self.walkers, 0.0)  # sets the bin of every walker
        self.assign_temperatures()

    @property
    def n_chains(self) -> int:
        """Number of independent chains at each temperature."""
        return len(self.holders)

    @property
    def betas(self) -> np.ndarray:
        """Inverse temperatures, ``float64[n_temperatures]``, 1/Ry."""
        return 1.0 / (BOLTZMANN * self.temperatures)

    @property
    def fields(self) -> np.ndarray:
        """Beta times the chemical-potential difference, ``float64[n_temperatures]``."""
        return self.betas * self.delta_mu

    @property
    def step_trials(self) -> int:
        """Trials between two states that may be recorded: a sweep."""
        return int(self.walkers.occupations.shape[1])

    def assign_temperatures(self) -> None:
        """Tell the walkers which temperatures they hold."""
        self.walkers.records["beta"][self.holders] = self.betas
        self.walkers.records["field"][self.holders] = self.fields

    def advance(self, pool: Pool, n_rounds: int, snapshots: Snapshots | None = None) -> None:
        """Give every walker ``n_rounds`` trials, at fixed temperatures; see :meth:`Pool.advance`."""
        before = self.walkers.records["accepted"].copy()
        pool.advance(self.walkers, n_rounds, snapshots)
        gained = self.walkers.records["accepted"] - before
        self.accepted += gained[self.holders].sum(axis=0)
        self.trials += n_rounds * self.n_chains

    def forget_counts(self) -> None:
        """Begin to count accepted trials anew."""
        self.accepted[:] = 0
        self.trials = 0

    def position(self) -> dict[str, Any]:
        """Copy everything that the chains go on from; see :meth:`go_to`."""
        walkers = self.walkers.part(np.arange(self.walkers.n_walkers))
        holders, accepted = self.holders.copy(), self.accepted.copy()
        return {"walkers": walkers, "holders": holders, "accepted": accepted, "trials": self.trials}

    def go_to(self, position: dict[str, Any]) -> None:
        """Go to a position of chains at these temperatures; it must not be used again."""
        for name, value in position.items():
            setattr(self, name, value)


@dataclass
class Pool:
    """Threads that share walkers with Boltzmann weights; their number changes nothing in the result.

    Attributes
    ----------
    engine : Engine
    n_threads : int
    executor : Executor or None
        None: no threads.
    pace : Pace
        In which pieces, between which an end can be asked for; of no matter for the result.
    """

    engine: Engine
    n_threads: int = 1
    executor: Executor | None = None
    pace: Pace = field(default_factory=Pace)

    def advance(self, walkers: Walkers, n_rounds: int, snapshots: Snapshots | None = None) -> None:
        """Give every walker so many trials; their ``beta`` and ``field`` stay as they are.

        Parameters
        ----------
        walkers : Walkers
        n_rounds : int
        snapshots : Snapshots, optional
            Filled on the way.

        Raises
        ------
        Interrupted
            If an end is asked for; the walkers are somewhere on their way then.
        """
        done, every = 0, 0 if snapshots is None else snapshots.every
        for n in self.pace.pieces(n_rounds, every):
            whole = snapshots is not None and done % every == 0 and n % every == 0
            self._advance(walkers, n, _part(snapshots, done, n) if whole else None)
            done += n
            if snapshots is not None and not whole:
                take_snapshot(snapshots, walkers.population, done)

    def _advance(self, walkers: Walkers, n_rounds: int, snapshots: Snapshots | None) -> None:
        if self.executor is None or self.engine.takes_to_device(walkers.n_walkers):
            _advance_group(self.engine, walkers, n_rounds, snapshots)
            return
        places = np.array_split(np.arange(walkers.n_walkers), min(self.n_threads, walkers.n_walkers))
        slices = [slice(int(group[0]), int(group[-1]) + 1) for group in places]
        groups = [_view(walkers, chosen) for chosen in slices]
        parts = [None if snapshots is None else _room_for(group, snapshots) for group in groups]
        for _ in self.executor.map(_advancer(self.engine, n_rounds), groups, parts):
            pass
        if snapshots is not None:
            for chosen, part in zip(slices, parts, strict=True):
                assert part is not None
                snapshots.occupations[:, chosen], snapshots.records[:, chosen] = part.occupations, part.records


def _part(snapshots: Snapshots | None, done: int, n_rounds: int) -> Snapshots | None:
    """Return the snapshots of some rounds."""
    if snapshots is None:
        return None
    part = slice(done // snapshots.every, (done + n_rounds) // snapshots.every)
    return Snapshots(snapshots.every, snapshots.occupations[part], snapshots.records[part])


def _advancer(engine: Engine, n_rounds: int) -> Callable[[Walkers, Snapshots | None], None]:
    def advance(group: Walkers, snapshots: Snapshots | None) -> None:
        _advance_group(engine, group, n_rounds, snapshots)

    return advance


def _advance_group(engine: Engine, walkers: Walkers, n_rounds: int, snapshots: Snapshots | None) -> None:
    records = walkers.records
    weights = boltzmann_weights(walkers, records["beta"].copy(), records["field"].copy())
    engine.advance(walkers, weights, n_rounds, snapshots)


def _view(walkers: Walkers, chosen: slice) -> Walkers:
    return Walkers(walkers.flipping, walkers.occupations[chosen], walkers.sites[chosen], walkers.records[chosen])


def _room_for(walkers: Walkers, snapshots: Snapshots) -> Snapshots:
    return make_snapshots(walkers, len(snapshots.records), snapshots.every)
