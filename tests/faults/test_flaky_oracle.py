"""F19: one call in ten fails, and neither energies nor the density of states show it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fault_counts import FaultCount, Tally, WrongResult
from faulty_campaigns import ForkedRuns, Synchronous, faulty_runs
from forking_server import forking_server
from standin_campaign import CELL, runs_made, standin_configuration, total_energies

import lsms_bridge.calculation as calculation
from lsms_bridge.campaign import Campaign
from lsms_bridge.oracle import LsmsOracle
from wanglandau.orbits import enumerate_orbits
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings
from wanglandau.systems import load_system

KINDS = ("die", "exit", "crash", "truncate", "empty", "other", "nan", "unconverged", "charge", "offset")
FLAKY = [f"{kind}:0.01" for kind in KINDS]
LATTICE = load_system("cuau", (3, 1, 1)).lattice
EFFORT = {"keep": "nothing", "retries": 6}


@pytest.fixture
def quick_runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run the stand-in as forks of a server."""
    with forking_server("standin_lsms", "lupa.lua52") as server:
        monkeypatch.setattr(ForkedRuns, "server", server, raising=False)
        monkeypatch.setattr(calculation, "GuardedRuns", ForkedRuns)
        yield


def flaky_energies(count: FaultCount, folder: Path, number: int, faults: list[str]) -> None:
    """Compute the energies of all orbits, campaign after campaign, until the program was called so many times."""
    rows = np.array(enumerate_orbits(LATTICE).occupations(), dtype=np.int8)
    right, calls, struck = total_energies(LATTICE, rows), 0, 0
    while calls < number:
        at = folder / str(calls)
        configuration = standin_configuration(at, *faults, effort=EFFORT, workers=1)
        seeded = (*configuration.launcher.arguments, "--seed", str(calls))
        configuration = replace(configuration, launcher=replace(configuration.launcher, arguments=seeded))
        with count.injection(f"campaign {calls}") as one:
            with Campaign(LATTICE, configuration, Synchronous()) as campaign:
                records = campaign.compute(rows, "test")
                one.number = faulty_runs(at)
            wrong = ~(np.abs(np.array([record.energy for record in records]) - right) < 3e-6)
            if wrong.any():
                raise WrongResult(f"{wrong.sum()} of {len(rows)} energies are wrong")
            assert sum(campaign.usage.failures.values()) == one.number, "a failure is not on record"
            n_runs = len(runs_made(at))
            with Campaign(LATTICE, configuration, Synchronous()) as campaign:
                campaign.compute(rows, "test")
            count.energies_lost += len(runs_made(at)) - n_runs
        calls, struck = calls + len(runs_made(at)), struck + one.number
        shutil.rmtree(at)
    assert number < 1000 or struck > 0.08 * number, "hardly any call failed"


def density_and_energies(folder: Path, faults: list[str]) -> tuple[bytes, dict[str, float]]:
    """Sample a density of states; return it and the mixing energies that were computed, as the sampler sees them."""
    oracle = LsmsOracle(CELL, standin_configuration(folder, *faults, effort=EFFORT, workers=1), Synchronous())
    settings = WangLandauSettings(runs=2, walkers=4, max_trials=4000, seed=3)
    try:
        density = sample_density(oracle, 4, settings, progress=False).density
    except BaseException:
        oracle.close()
        raise
    references, sums = oracle.reference_energies, {}
    for record in oracle.campaign.log:
        second = record.occupations.count("1")
        sums[record.occupations] = record.energy - (8 - second) * references[0] - second * references[1]
    oracle.close()
    arrays = (density.run_ln_g, density.mean_energy, density.energy_variance)
    return b"".join(array.tobytes() for array in arrays), {name: round(energy, 9) for name, energy in sums.items()}


def flaky_density(count: FaultCount, folder: Path, number: int) -> None:
    """Compare densities of states, bit for bit, with that of a program that never fails."""
    plain = density_and_energies(folder / "plain", [])
    for place in range(number):
        kinds = [KINDS[(place + k) % len(KINDS)] for k in range(3)]
        flaky = folder / f"flaky-{place}"
        with count.injection(f"density of states, {kinds}") as one:
            found = density_and_energies(flaky, [f"{kind}:0.035" for kind in kinds])
            one.number = max(1, faulty_runs(flaky))
            if found != plain:
                raise WrongResult("another density of states")


def test_energies_of_a_flaky_program(counted: Callable, tally: Tally, quick_runs: None, quick_folder: Path) -> None:
    with counted("F19") as count:
        flaky_energies(count, quick_folder, tally.size(1, 10_000), FLAKY)


def test_density_of_states_of_a_flaky_program(
    counted: Callable, tally: Tally, quick_runs: None, quick_folder: Path
) -> None:
    with counted("F19") as count:
        flaky_density(count, quick_folder, tally.size(1, 15))


def test_failures_taken_for_energies_would_be_noticed(
    broken: Callable, quick_runs: None, quick_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for check in ("_check_converged", "_check_plausible"):
        monkeypatch.setattr(f"lsms_bridge.result.{check}", lambda *_: None)
    with broken("F19", "judgement of finished runs") as count:
        flaky_energies(count, quick_folder, 1, ["offset:0.3"])
        assert count.wrong
