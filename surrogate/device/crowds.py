"""Crowds of walkers that advance on a device, turn by turn, with common weights.

Copies there and back are made once for a call, not for a turn; see :mod:`wanglandau.crowd` for what a turn is.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch

from surrogate.device.state import MAX_VISITS, DeviceWalkers, DeviceWeights
from wanglandau.errors import OracleError
from wanglandau.rounds import Snapshots
from wanglandau.walkers import Walkers, Weights


class Turns(Protocol):
    """A way to make turns on a device."""

    def make_turns(self, walkers: DeviceWalkers, weights: DeviceWeights, n_turns: int, n_rounds: int) -> None:
        """Make so many turns of so many rounds."""
        ...


class Crowd:
    """Advances walkers on a device; see :class:`wanglandau.oracle.DeviceCrowd`.

    Parameters
    ----------
    turns : Turns
    device : torch.device
    """

    def __init__(self, turns: Turns, device: torch.device) -> None:
        self._turns, self._device = turns, device

    def advance(
        self, walkers: Walkers, weights: Weights, n_rounds: int, turn: int, snapshots: Snapshots | None = None
    ) -> None:
        """Give every walker ``n_rounds`` trials, ``turn`` of them at a time on common weights."""
        try:
            self._advance(walkers, weights, n_rounds, turn, snapshots)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            raise OracleError(
                f"the device {self._device} failed: {reason}; fewer walkers (here {walkers.n_walkers}) or "
                "another device may do"
            ) from error

    def _advance(
        self, walkers: Walkers, weights: Weights, n_rounds: int, turn: int, snapshots: Snapshots | None
    ) -> None:
        there, on_device = DeviceWalkers.copy_of(walkers, self._device), DeviceWeights.copy_of(weights, self._device)
        every = snapshots.every if snapshots is not None else n_rounds
        most = max(turn, MAX_VISITS // walkers.n_walkers)
        done = 0
        while done < n_rounds:
            piece = min(n_rounds - done, every - done % every, most)
            n_turns, rest = divmod(piece, turn)
            if n_turns:
                self._turns.make_turns(there, on_device, n_turns, turn)
            if rest:
                self._turns.make_turns(there, on_device, 1, rest)
            done += piece
            on_device.write_to(weights)
            there.write_to(walkers)  # an interruption drops a whole piece or none of it
            _insist_on_numbers(walkers)
            if snapshots is not None and done % every == 0 and done // every <= len(snapshots.records):
                snapshots.occupations[done // every - 1] = walkers.occupations
                snapshots.records[done // every - 1] = walkers.records


def _insist_on_numbers(walkers: Walkers) -> None:
    """Refuse energies that are no numbers; on the device they look like energies outside the grid."""
    records = walkers.records
    met = np.concatenate([records[name] for name in ("energy", "lowest_refused", "highest_refused")])
    if np.isnan(met).any():
        raise OracleError("the surrogate gave an energy that is not a number; its weights must be damaged")
