"""Ways to advance walkers.

:class:`Engine` takes a fused kernel where the oracle has a compiled energy, an accelerator for crowds where it has one,
and rounds of batched ``energies()`` calls where it has neither.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from threading import Event

import numpy as np

from wanglandau import block_rounds, rounds
from wanglandau.errors import OracleError
from wanglandau.move import FLIP, SWAP, Move
from wanglandau.oracle import (
    CompiledEnergy,
    CompiledOracle,
    DeviceCrowd,
    DeviceOracle,
    EnergyOracle,
    checked_energies,
)
from wanglandau.turns import ROUNDS_ON_FIXED_WEIGHTS, WALKERS_AT_ONCE, rounds_together
from wanglandau.walkers import Walkers, Weights, make_snapshots, room_for_moves

WORTH_THE_DEVICE = 256
"""Walkers from which on an accelerator is faster than compiled code."""


def _ignore(n_trials: int) -> None:
    """Take no notice of progress."""


def _never() -> bool:
    """Do not pause."""
    return False


@dataclass
class Engine:
    """Advances walkers on one oracle, by a fused kernel where possible.

    Attributes
    ----------
    oracle : EnergyOracle
    compiled : CompiledEnergy or None
        None for the batched path; taken from the oracle where it has one.
    device : DeviceCrowd or None
        Where crowds of walkers stay on an accelerator; taken from the oracle where it has one.
    executor : Executor or None
        Shares out groups of walkers where there are many on one histogram; changes no result.
    stop : Event
        Once set, batched rounds end after the present one; the compiled kernel ends by itself soon enough.
    on_trials : callable
        Told the number of trials made since it was last called.
    pausing : callable
        Asked between batched rounds whether to return before all are made.
    outside : callable
        Makes a context that is entered while an oracle or an accelerator is at work and may be so for long; walkers and
        weights are then, and if that fails, as after the last whole round (on an accelerator: as before the call).
    move : Move or None
        What a trial changes; None: any one site flips, or two unlike ones swap, as the walkers need it. Any other walks
        on the processors of this machine.
    """

    oracle: EnergyOracle
    compiled: CompiledEnergy | None = None
    device: DeviceCrowd | None = None
    executor: Executor | None = None
    stop: Event = field(default_factory=Event)
    on_trials: Callable[[int], object] = _ignore
    pausing: Callable[[], bool] = _never
    outside: Callable[[], AbstractContextManager] = nullcontext
    move: Move | None = None

    @classmethod
    def fastest(cls, oracle: EnergyOracle, move: Move | None = None) -> Engine:
        """Choose the compiled path if the oracle offers it, and for crowds the accelerator, which knows no other moves.

        Parameters
        ----------
        oracle : EnergyOracle
        move : Move, optional
        """
        compiled = oracle.compiled() if isinstance(oracle, CompiledOracle) else None
        own = None if move in (FLIP, SWAP) else move
        device = oracle.on_device() if isinstance(oracle, DeviceOracle) and own is None else None
        return cls(oracle, compiled, device, move=own)

    def move_of(self, walkers: Walkers) -> Move:
        """Return what a trial of such walkers changes."""
        return self.move or (FLIP if walkers.flipping else SWAP)

    @property
    def may_pause(self) -> bool:
        """Whether there is anyone who may want a pause."""
        return self.pausing is not _never

    def pause_if(self, wanted: Callable[[], bool] | None) -> None:
        """Pause where this says so; None: never."""
        self.pausing = wanted or _never

    def takes_to_device(self, n_walkers: int) -> bool:
        """Tell whether so many walkers advance on the accelerator; few are faster by compiled code."""
        return self.device is not None and (self.compiled is None or n_walkers >= WORTH_THE_DEVICE)

    def advance(
        self, walkers: Walkers, weights: Weights, n_rounds: int, snapshots: rounds.Snapshots | None = None
    ) -> None:
        """Give every walker ``n_rounds`` trials.

        Parameters
        ----------
        snapshots : Snapshots, optional
            Filled on the way.

        Raises
        ------
        OracleError
            If an energy cannot be had.
        """
        if self.device is not None and self.takes_to_device(walkers.n_walkers):
            self._rounds_on_device(self.device, walkers, weights, n_rounds, snapshots)
            return
        kept = make_snapshots(walkers, 0, 1) if snapshots is None else snapshots
        if self.compiled is None:
            self._batched_rounds(walkers, weights, n_rounds, kept)
        else:
            self._fused_rounds(self.compiled, walkers, weights, n_rounds, kept)
            self.on_trials(n_rounds * walkers.n_walkers)

    def _rounds_on_device(
        self,
        device: DeviceCrowd,
        walkers: Walkers,
        weights: Weights,
        n_rounds: int,
        snapshots: rounds.Snapshots | None,
    ) -> None:
        few = walkers.n_walkers <= WALKERS_AT_ONCE
        turn = ROUNDS_ON_FIXED_WEIGHTS if weights.fixed else 1 if few else rounds_together(walkers.n_walkers)
        everyone = np.arange(walkers.n_walkers)
        there, records = walkers.part(everyone), _copy_of(weights)
        with self.outside():
            device.advance(there, records, n_rounds, turn, snapshots)
        walkers.put(everyone, there)
        weights.bins[:], weights.control[:], weights.proposals[:] = records.bins, records.control, records.proposals
        self.on_trials(n_rounds * walkers.n_walkers)

    def _batched_rounds(self, walkers: Walkers, weights: Weights, n_rounds: int, snapshots: rounds.Snapshots) -> None:
        population, histogram = walkers.population, weights.histogram
        move = self.move_of(walkers)
        propose, settle = rounds.batched_round(move)
        moves = room_for_moves(walkers, move.n_flips)
        energies = np.zeros(walkers.n_walkers)
        for done in range(n_rounds):
            if self.stop.is_set() or self.pausing():
                return
            self._propose(walkers, propose, moves, energies)
            settle(population, histogram, moves, energies)
            rounds.take_snapshot(snapshots, population, done + 1)
            self.on_trials(walkers.n_walkers)

    def _propose(
        self, walkers: Walkers, propose: Callable[..., None], moves: rounds.Moves, energies: np.ndarray
    ) -> None:
        """Propose a move of every walker and ask for the energies; as long as there are none, nothing has happened."""
        streams = walkers.records["random_state"]
        before = streams.copy()
        propose(walkers.population, moves)
        chosen = ... if self.move is None else np.flatnonzero(moves.possible)  # swaps and flips can always be made
        proposed = moves.proposed[chosen].copy()  # the oracle may keep it
        if not len(proposed):
            return
        after = streams.copy()
        streams[:] = before
        with self.outside():
            energies[chosen] = checked_energies(self.oracle, proposed)
        streams[:] = after

    def _fused_rounds(
        self,
        compiled: CompiledEnergy,
        walkers: Walkers,
        weights: Weights,
        n_rounds: int,
        snapshots: rounds.Snapshots,
    ) -> None:
        cache = np.zeros((walkers.n_walkers, compiled.cache_size))
        fresh = np.empty(walkers.n_walkers)
        rounds.prepare_all(compiled.parameters, compiled.prepare, walkers.occupations, cache, fresh)
        if not np.array_equal(fresh, walkers.records["energy"]):
            worst = float(np.abs(fresh - walkers.records["energy"]).max())
            raise OracleError(
                f"compiled energies drifted by {worst:.3g} Ry from energies(); they must agree to the bit"
            )
        move = self.move_of(walkers)
        if compiled.trials is None or walkers.n_walkers == 1:
            trial: Callable[..., object] = compiled.trial
            loop = rounds.fused_loop(move)
        else:
            trial = compiled.trials
            loop = block_rounds.block_loop(move)
        energy = (compiled.parameters, trial, compiled.commit)
        loop(energy, move.parameters, walkers.population, cache, weights.histogram, snapshots, n_rounds)


def _copy_of(weights: Weights) -> Weights:
    return replace(
        weights, bins=weights.bins.copy(), control=weights.control.copy(), proposals=weights.proposals.copy()
    )
