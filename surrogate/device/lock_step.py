"""Turns in lock step: tensor operations round by round, captured as one graph where the device can replay it."""

from __future__ import annotations

from typing import Any

import torch

from surrogate.device.rounds import TensorEnergy, make_round
from surrogate.device.state import DeviceWalkers, DeviceWeights
from surrogate.device.turns import begin_turn, end_turn

WARM_UP_TURNS = 2
"""Before a graph is captured, so that libraries have set themselves up."""


class LockStep:
    """Makes turns of lock-step rounds.

    Parameters
    ----------
    energy : TensorEnergy
    """

    def __init__(self, energy: TensorEnergy) -> None:
        self._energy = energy

    def make_turns(self, walkers: DeviceWalkers, weights: DeviceWeights, n_turns: int, n_rounds: int) -> None:
        """Make so many turns of so many rounds."""
        self._energy.prepare(walkers.occupations)
        done = 0
        if walkers.occupations.is_cuda and n_turns > 2 * WARM_UP_TURNS:
            done = self._replay(walkers, weights, n_turns, n_rounds)
        for _ in range(n_turns - done):
            self._turn(walkers, weights, n_rounds)

    def _turn(self, walkers: DeviceWalkers, weights: DeviceWeights, n_rounds: int) -> None:
        begin_turn(weights)
        for _ in range(n_rounds):
            make_round(walkers, weights, self._energy)
        end_turn(weights, n_rounds * walkers.n_walkers)

    def _replay(self, walkers: DeviceWalkers, weights: DeviceWeights, n_turns: int, n_rounds: int) -> int:
        """Capture a turn and replay it; returns how many turns were made. Capturing makes none."""
        stream: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_TURNS):
                self._turn(walkers, weights, n_rounds)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._turn(walkers, weights, n_rounds)
        for _ in range(n_turns - WARM_UP_TURNS):
            graph.replay()
        return n_turns
