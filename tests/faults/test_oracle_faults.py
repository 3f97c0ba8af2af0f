"""F14 to F18: the program that computes energies misbehaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fault_counts import FaultCount, Tally, WrongResult
from faulty_campaigns import campaign_survives, configurations, faulty_runs, judge
from standin_campaign import CELL, standin_configuration

from lsms_bridge.campaign import Campaign
from wanglandau.errors import OracleError
from wanglandau.oracle import checked_energies
from wanglandau.pair_model import PairOracle
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings

BROKEN_OUTPUT = ["die", "exit", "crash", "truncate", "empty", "stale", "other", "shuffled", "charge"]
ON_A_LADDER = ["unconverged", "diverge", "slow-mixing", "needs-iterations"]


def first_runs_fail(count: FaultCount, folder: Path, faults: list[str], number: int) -> None:
    for fault in faults:
        campaign_survives(count, folder / fault, fault, number)


class Struck:
    """A pair model whose one answer, some time after the beginning, is not a number."""

    invariant, identity = True, "struck"

    def __init__(self, pair: PairOracle, call: int, value: float) -> None:
        self.lattice, self.reference_energies = pair.lattice, pair.reference_energies
        self._pair, self._left, self._value = pair, call, value

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        """Answer, or strike."""
        energies = self._pair.energies(occupations)
        self._left -= 1
        if self._left == 0:
            energies[len(energies) // 2] = self._value
        return energies


def sampling_refuses(count: FaultCount, number: int) -> None:
    """Let an oracle answer what is no number, at a random call."""
    rng = np.random.default_rng(14)
    settings = WangLandauSettings(runs=1, walkers=4, max_trials=2000, observables=False)
    for place in range(number):
        value = (np.nan, np.inf, -np.inf)[place % 3]
        oracle = Struck(PairOracle(CELL, [-3e-3]), int(rng.integers(1, 300)), value)
        with count.injection(f"{value} in a sampler"):
            try:
                sample_density(oracle, 4, settings, progress=False)
            except OracleError as error:
                assert "finite" in str(error)
            else:
                raise WrongResult("a density of states in which an energy was no number")


def test_energies_that_are_no_numbers(counted: Callable, tally: Tally, tmp_path: Path) -> None:
    with counted("F14") as count:
        first_runs_fail(count, tmp_path, ["nan", "inf"][: tally.size(1, 2)], tally.size(1, 20))
        sampling_refuses(count, tally.size(12, 300))


def test_energies_that_are_absurd(counted: Callable, tally: Tally, tmp_path: Path) -> None:
    with counted("F15") as count:
        first_runs_fail(count, tmp_path, ["offset"], tally.size(1, 30))


def given_up(count: FaultCount, folder: Path, number: int) -> None:
    """Let runs never converge: all are given up, none has an energy."""
    rows = configurations(number)
    configuration = standin_configuration(folder, "unconverged", effort={"max_given_up": 100, "rungs": 2})
    with count.injection("never converges") as one, Campaign(CELL, configuration) as campaign:
        records = campaign.compute(rows, "test")
        one.number = faulty_runs(folder)
        judge(CELL, rows, records)
        assert not any(record.done for record in records) and campaign.usage.given_up == len(rows)


def test_runs_that_do_not_converge(counted: Callable, tally: Tally, tmp_path: Path) -> None:
    with counted("F16") as count:
        first_runs_fail(count, tmp_path, ON_A_LADDER[: tally.size(1, 4)], tally.size(1, 15))
        given_up(count, tmp_path / "given-up", tally.size(1, 20))


def test_runs_that_hang(counted: Callable, tally: Tally, tmp_path: Path) -> None:
    with counted("F17") as count:
        for fault in ["hang-stubborn", "hang"][: tally.size(1, 2)]:
            campaign_survives(count, tmp_path / fault, fault, tally.size(1, 10), launcher={"time_limit": 1.5})


def test_runs_that_leave_nothing_to_use(counted: Callable, tally: Tally, tmp_path: Path) -> None:
    with counted("F18") as count:
        first_runs_fail(count, tmp_path, BROKEN_OUTPUT if tally.full else ["die", "other"], tally.size(1, 12))


# ---------------------------------------------------------------- the same with a guard taken away


def test_absurd_energies_would_pass_without_the_window(
    broken: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with broken("F15", "window of plausible energies") as count:
        monkeypatch.setattr("lsms_bridge.result._check_plausible", lambda *_: None)
        campaign_survives(count, tmp_path, "offset", 1)
        assert count.wrong == count.injected


def test_unconverged_energies_would_pass_without_the_check(
    broken: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with broken("F16", "look at the residuals") as count:
        monkeypatch.setattr("lsms_bridge.result._check_converged", lambda *_: None)
        campaign_survives(count, tmp_path, "unconverged", 1)
        assert count.wrong == count.injected


def test_numbers_that_are_none_would_pass_without_the_check(broken: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def unchecked(oracle: PairOracle, occupations: np.ndarray) -> np.ndarray:
        return oracle.energies(occupations)

    with broken("F14", "check for finite energies") as count:
        for module in ("engine", "walkers", "ground_state", "range_search"):
            monkeypatch.setattr(f"wanglandau.{module}.{checked_energies.__name__}", unchecked, raising=False)
        sampling_refuses(count, 6)
        assert count.wrong
