"""Blocks of rounds: what all walks make between two exchanges, in pieces of any length.

A block may be left at the end of any piece, kept, and gone on with: walks, and the states that are to be measured, are
the same in the end, bit for bit. Where states are measured and where turns of crowds end is counted from the beginning
of the block.
"""

from __future__ import annotations

import time
from concurrent.futures import Executor
from dataclasses import dataclass

from wanglandau.engine import Engine
from wanglandau.measurement import Measurement
from wanglandau.rounds import Snapshots
from wanglandau.turns import rounds_together
from wanglandau.walk import Walk
from wanglandau.walkers import make_snapshots

PIECE_SECONDS = 0.25
"""What a piece should take: a signal is answered after it."""
FIRST_PIECE = 1000


@dataclass
class PieceLength:
    """How many rounds of compiled trials a piece has, as measured so far."""

    rounds: int = FIRST_PIECE

    def learn(self, n_rounds: int, seconds: float) -> None:
        """Take the time of a piece into account."""
        if seconds > 2 * PIECE_SECONDS:
            self.rounds = max(1, int(n_rounds * PIECE_SECONDS / seconds))
        elif n_rounds >= self.rounds and seconds < PIECE_SECONDS / 2:
            self.rounds *= 2


@dataclass(frozen=True)
class Block:
    """A block of rounds of all walks.

    Attributes
    ----------
    start : int
        Rounds made before.
    length : int
        Rounds.
    measurement : Measurement
        What measures the states on the way of walks in production.
    pace : PieceLength
    """

    start: int
    length: int
    measurement: Measurement
    pace: PieceLength

    def advance(self, engine: Engine, walks: list[Walk], executor: Executor | None) -> bool:
        """Advance walks, those of this process, to the end of the block, or until told to pause or to stop.

        Returns
        -------
        bool
            Whether all are there.

        Raises
        ------
        OracleError
            If an energy cannot be had. All walks are then at the end of some piece.
        """
        crowded = any(walk.crowded for walk in walks)
        engine.executor = executor if crowded else None
        if executor is None or crowded or engine.compiled is None:
            return all([self._advance_walk(engine, number, walk) for number, walk in enumerate(walks)])
        under_way = [executor.submit(self._advance_walk, engine, number, walk) for number, walk in enumerate(walks)]
        failures = [failure for future in under_way if (failure := future.exception()) is not None]
        if failures:
            raise failures[0]
        return all([future.result() for future in under_way])

    def _advance_walk(self, engine: Engine, number: int, walk: Walk) -> bool:
        if walk.rounds == self.start and walk.producing and self.measurement.wanted:
            walk.looks = self._room_for_looks(engine, walk)
        while walk.rounds < self.start + self.length:
            if engine.stop.is_set() or engine.pausing():
                return False
            self._make_piece(engine, walk)
        if walk.looks is not None:
            self.measurement.add(number, walk, walk.looks)
            walk.looks = None
        return True

    def _room_for_looks(self, engine: Engine, walk: Walk) -> Snapshots:
        # an accelerator would wait longer for measurements on the way than it takes for the trials between them
        on_device = engine.takes_to_device(walk.walkers.n_walkers)
        every = self.length if on_device else min(self.measurement.every, self.length)
        return make_snapshots(walk.walkers, self.length // every, every)

    def _make_piece(self, engine: Engine, walk: Walk) -> None:
        done, looks = walk.rounds - self.start, walk.looks
        every = self.length if looks is None else looks.every
        at_will = engine.compiled is None or engine.takes_to_device(walk.walkers.n_walkers)
        wanted = self.length if at_will else self.pace.rounds
        turn = rounds_together(walk.walkers.n_walkers, fixed=walk.weights.fixed) if walk.crowded else 1
        end = end_of_piece(done, self.length, every, wanted, turn)
        inside = None  # looks that are taken on the way; after any other piece one is taken here
        if looks is not None and done % every == 0 and end - done >= every:
            first = done // every
            inside = Snapshots(every, looks.occupations[first:], looks.records[first:])
        began = time.perf_counter()
        walk.advance(engine, end - done, inside)
        self.pace.learn(end - done, time.perf_counter() - began)
        if looks is not None and inside is None:
            _take_look(looks, walk, walk.rounds - self.start)


def end_of_piece(done: int, length: int, every: int, wanted: int, turn: int) -> int:
    """Return after how many rounds of a block the next piece ends.

    Parameters
    ----------
    done : int
        Rounds of the block made so far, the end of a piece.
    length : int
        Of the block.
    every : int
        A piece ends, or a look is taken on the way, at multiples of this, where turns begin anew.
    wanted : int
        Rounds that the piece should have.
    turn : int
        Rounds of a turn, which is not cut.
    """
    section = done - done % every
    if done == section and wanted >= every:
        return length if done + wanted >= length else done + wanted // every * every
    end = section + max((done - section) // turn + 1, (done + wanted - section) // turn) * turn
    return min(end, section + every, length)


def _take_look(looks: Snapshots, walk: Walk, done: int) -> None:
    place, rest = divmod(done, looks.every)
    if rest == 0 and 1 <= place <= len(looks.records):
        looks.occupations[place - 1] = walk.walkers.occupations
        looks.records[place - 1] = walk.walkers.records
