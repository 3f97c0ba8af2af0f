"""F20: an accelerator that runs out of memory or is lost, on tensors of the processor."""

from __future__ import annotations

import copy
from collections.abc import Callable
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from fault_counts import FaultCount, Tally, WrongResult
from test_device import CPU, WAYS, _begin, _same

from surrogate.device.crowds import Crowd
from surrogate.oracle import SurrogateOracle, shipped_artefact
from surrogate.torch_oracle import TorchOracle
from wanglandau.errors import InputError, OracleError
from wanglandau.oracle_registry import load_oracle
from wanglandau.systems import System
from wanglandau.walkers import Walkers, Weights

FAILURES: tuple[Callable[[], RuntimeError], ...] = (
    lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    lambda: RuntimeError("CUDA error: an illegal memory access was encountered"),
    lambda: RuntimeError("CUDA error: device-side assert triggered\nmore of it"),
    lambda: RuntimeError("CUDA driver error: GPU has fallen off the bus"),
)
N_ROUNDS, TURN = 30, 5


class Failing:
    """Turns of which one fails, before it is made or after."""

    def __init__(self, turns: object, at: int, error: RuntimeError, after: bool) -> None:
        self._turns, self._left, self._error, self._after = turns, at, error, after

    def make_turns(self, walkers: object, weights: object, n_turns: int, n_rounds: int) -> None:
        """Make them one by one."""
        for _ in range(n_turns):
            self._left -= 1
            if self._left != 0 or self._after:
                self._turns.make_turns(walkers, weights, 1, n_rounds)  # type: ignore[attr-defined]
            if self._left == 0:
                raise self._error


def bytes_of(state: tuple[Walkers, Weights]) -> bytes:
    walkers, weights = state
    arrays = (walkers.occupations, walkers.sites, walkers.records, weights.bins, weights.control, weights.proposals)
    return b"".join(array.tobytes() for array in arrays)


def device_fails(count: FaultCount, oracle: SurrogateOracle, number: int, crowd: type[Crowd] = Crowd) -> None:
    """Fail at a random turn; the state is then what it was, and goes on to the same end."""
    rng = np.random.default_rng(20)
    begun = _begin(oracle, False)
    for way in ("surroundings", "configurations"):
        expected = copy.deepcopy(begun)
        Crowd(WAYS[way](oracle), CPU).advance(*expected, N_ROUNDS, TURN)  # type: ignore[arg-type]
        for _ in range(number):
            error, after = FAILURES[int(rng.integers(len(FAILURES)))](), bool(rng.integers(2))
            at = int(rng.integers(1, N_ROUNDS // TURN + 1))
            with count.injection(f"{way}, turn {at}: {error}"):
                state = copy.deepcopy(begun)
                failing = Failing(WAYS[way](oracle), at, error, after)
                with pytest.raises(OracleError, match=r"the device cpu failed: CUDA.*fewer walkers") as told:
                    crowd(failing, CPU).advance(*state, N_ROUNDS, TURN)
                assert "\n" not in str(told.value)
                if bytes_of(state) != bytes_of(begun):
                    raise WrongResult("half a piece of work was kept")
                Crowd(WAYS[way](oracle), CPU).advance(*state, N_ROUNDS, TURN)  # type: ignore[arg-type]
                _same(state, expected, trips=True)


@pytest.fixture(scope="module")
def lattice_oracle(cuau: System) -> SurrogateOracle:
    return SurrogateOracle(shipped_artefact(cuau), cuau.lattice)


def test_device_that_fails(
    counted: Callable, tally: Tally, cuau: System, lattice_oracle: SurrogateOracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.random.default_rng(1).integers(0, 2, (40, 32), dtype=np.int8)
    with counted("F20") as count:
        device_fails(count, lattice_oracle, tally.size(2, 30))
        oracle = TorchOracle(lattice_oracle.artefact, cuau.lattice, "cpu")
        expected, evaluate = oracle.energies(rows), oracle._evaluate
        for failure in FAILURES:
            with count.injection(f"energies: {failure()}"):
                monkeypatch.setattr(oracle, "_evaluate", Mock(side_effect=failure()))
                with pytest.raises(OracleError, match="torch failed on cpu: CUDA"):
                    oracle.energies(rows)
                monkeypatch.setattr(oracle, "_evaluate", evaluate)
                np.testing.assert_array_equal(oracle.energies(rows), expected)
        for name in ("cuda:77", "nothing"):
            with count.injection(name), pytest.raises(InputError, match=f"cannot set the surrogate up.*{name}"):
                load_oracle(f"surrogate:lattice@{name}", cuau)


def test_half_a_piece_would_be_noticed(broken: Callable, lattice_oracle: SurrogateOracle) -> None:
    class Careless(Crowd):
        """Writes back what there is before it passes an error on."""

        def _advance(self, walkers: Walkers, weights: Weights, n_rounds: int, turn: int, snapshots: object) -> None:
            failing = self._turns
            for _ in range(n_rounds // turn):
                super()._advance(walkers, weights, turn, turn, None)
            assert failing

    with broken("F20", "whole pieces of work or none") as count:
        device_fails(count, lattice_oracle, 4, Careless)
        assert count.wrong
