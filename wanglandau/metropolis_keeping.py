"""Checkpoints of Metropolis sampling, from the tuning of temperatures to the last record."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wanglandau.asked_once import AskedOnce
from wanglandau.checkpoint_file import checkpoint_of
from wanglandau.kept_series import KeptSeries
from wanglandau.result_keeper import ResultKeeper
from wanglandau.state_tree import pack, unpack
from wanglandau.tempering import TemperatureExchange
from wanglandau.thermal_chains import ThermalChains
from wanglandau.walkers import Walkers

TUNING, PROPOSING, SAMPLING = "tuning", "proposing", "sampling"
"""When a checkpoint was written: while temperatures were tuned, how the cheap oracle proposes was chosen, or later."""
CLASSES = (Walkers, TemperatureExchange)
"""What checkpoints hold."""


class MetropolisKeeper:
    """Keeps a calculation on disk: a checkpoint, and beside it the records made so far.

    Parameters
    ----------
    keeper : ResultKeeper
        Of ``CLASSES``.
    """

    def __init__(self, keeper: ResultKeeper) -> None:
        self._keeper = keeper
        self._state: dict[str, Any] = keeper.state or {}
        self._series = KeptSeries(Path(f"{checkpoint_of(keeper.result)}.series"), self._state.get("segments", ()))
        self._dear: AskedOnce | None = None
        self._before_attempt: dict[str, Any] = {}

    def state_of(self, stage: str) -> dict[str, Any] | None:
        """Return the state to go on from, None if it is of another stage."""
        return self._state if self._state.get("stage") == stage else None

    def chains(self, delta_mu: float) -> tuple[ThermalChains, int | None] | None:
        """Return the chains to go on from and the attempts at tuning made, None where that is over."""
        if not self._state:
            return None
        position = self._state["chains"]
        own = {name: copy.deepcopy(position[name]) for name in ("walkers", "holders", "accepted", "trials")}
        chains = ThermalChains(own["walkers"], self._state["temperatures"], delta_mu)
        chains.go_to(own)
        chains.assign_temperatures()
        return chains, self._state["done"] if self.state_of(TUNING) is not None else None

    def on_attempt(self, chains: ThermalChains, done: int) -> None:
        """Keep the chains before an attempt at tuning."""
        self._before_attempt = {"chains": chains.position(), "temperatures": chains.temperatures, "done": done}
        self.offer(TUNING, lambda: self._before_attempt)

    def keep_tuning(self) -> None:
        """Write the chains before the last attempt at tuning, after an interruption in it.

        Raises
        ------
        OSError
            As :meth:`keep` does.
        """
        self.keep(TUNING, lambda: self._before_attempt)

    def remind(self, dear: AskedOnce) -> None:
        """Tell the dear oracle what it was asked before; from now on its answers are kept."""
        self._dear = dear
        if "known" in self._state:
            dear.remember(self._state["known"])

    def offer(self, stage: str, state: Callable[[], dict[str, Any]]) -> None:
        """Write a checkpoint if it is time for one."""
        self._keeper.offer(lambda: self._full(stage, state()))

    def keep(self, stage: str, state: Callable[[], dict[str, Any]]) -> None:
        """Write a checkpoint now.

        Raises
        ------
        OSError
            If it cannot be written; the one before is as it was.
        """
        self._keeper.keep(lambda: self._full(stage, state()))

    def _full(self, stage: str, state: dict[str, Any]) -> dict[str, Any]:
        known = {} if self._dear is None else {"known": self._dear.known()}
        return {"stage": stage, "segments": self._series.segments} | known | state

    def keep_records(self, records: Mapping[str, np.ndarray | None]) -> None:
        """Bring records to disk that the next checkpoint is to count on.

        Raises
        ------
        OSError
            If that fails.
        """
        self._series.append(pack(dict(records)))

    def records(self) -> Iterator[dict[str, np.ndarray]]:
        """Yield the records of the checkpoint, part by part.

        Raises
        ------
        InputError
            If they are missing or damaged.
        """
        for content in self._series.read():
            yield unpack(content, ())

    def remove(self) -> None:
        """Remove everything once the result is written; the checkpoint first, which is of no use without the rest."""
        self._keeper.remove()
        self._series.remove()
