"""F13, and what F4 to F7 and F11 mean for a density of states: going on with what is damaged, other or in use."""

from __future__ import annotations

import dataclasses
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fault_counts import FaultCount, Tally, WrongResult
from forking_server import ForkingServer, forking_server
from killed_runs import FINISHED, KilledRun, check_same, contents
from test_kills import spoil, wait_for_checkpoint

from wanglandau.checkpoint_file import checkpoint_of, previous_of
from wanglandau.run_header import FREE
from wanglandau.settings import WangLandauSettings

OTHER: dict[str, list[str]] = {
    "runs": ["--runs", "3"],
    "windows": ["--windows", "2"],
    "walkers": ["--walkers", "3"],
    "teams": ["--teams", "2"],
    "overlap": ["--overlap", "0.4"],
    "uniform_windows": ["--uniform-windows"],
    "exchange_interval": ["--exchange-interval", "5000"],
    "ensemble": ["--ensemble", "zero-field"],
    "schedule": ["--schedule", "halving"],
    "lowest_temperature": ["--lowest-temperature", "300"],
    "production": ["--no-production"],
    "transitions": ["--no-transitions"],
    "estimator": ["--estimator", "transitions"],
    "pinned": ["--no-pinned"],
    "observables": ["--no-observables"],
    "joint": ["--joint", "alpha_1"],
    "joint_bins": ["--joint-bins", "20"],
    "bins": ["--bins", "40"],
    "bin_width": ["--bin-width", "5"],
    "energy_range": ["--energy-range", "-80", "80"],
    "negative_temperatures": ["--no-negative-temperatures"],
    "flatness": ["--flatness", "0.7"],
    "minimum_count": ["--minimum-count", "2"],
    "final_ln_f": ["--final-ln-f", "1e-6"],
    "seed": ["--seed", "4"],
    "composition": ["--composition", "3"],
    "lattice": ["--repeat", "1", "2", "1"],
    "sites": ["--repeat", "1", "1", "1"],
    "oracle": ["--oracle", "pair:other.toml"],
}
ALLOWED = {
    "threads": ["--threads", "2"],
    "precision": ["--precision", "1e-8"],
    "max_trials": ["--max-trials", "1200000"],
}


@pytest.fixture
def run(warm_forks: ForkingServer, quick_folder: Path) -> KilledRun:
    """Return a run of which the result is known."""
    made = KilledRun(quick_folder, warm_forks)
    made.learn()
    return made


def killed(run: KilledRun, name: str) -> KilledRun:
    """Begin a run and kill it when there is a checkpoint; twice, so that there are two."""
    one = run.fresh(name)
    process = one.start()
    wait_for_checkpoint(one)
    end = time.monotonic() + 60
    while not previous_of(checkpoint_of(one.out)).exists() and time.monotonic() < end:
        time.sleep(0.005)
    one.send(process, signal.SIGKILL)
    assert one.server.wait() == -signal.SIGKILL, one.said()
    return one


def files_of(one: KilledRun) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in one.folder.glob("run.h5*") if path.suffix != ".lock"}


def others_are_refused(count: FaultCount, run: KilledRun, names: list[str]) -> None:
    """Go on with one setting changed: refused by name, nothing touched, and the right command still goes on."""
    one = killed(run, "other")
    (one.folder / "other.toml").write_text('unlike_bond_energies = [-50.0, 12.5]\nunits = "meV"\n')
    before = files_of(one)
    for name in names:
        with count.injection(name):
            (one.folder / "stderr").unlink()
            code = one.go(*OTHER[name])
            said = one.said()
            if code in FINISHED:
                raise WrongResult("went on with another calculation")
            assert code == 2 and "is of another calculation" in said and f"{name} was " in said, said
            assert files_of(one) == before, "files were touched"
    with count.injection("two at once"):
        code = one.go("--seed", "4", "--bins", "40")
        said = one.said()
        assert code == 2 and "seed was 3, is 4" in said and "bins was None, is 40" in said, said
    with count.injection("the same again"):
        one.finish()


def test_other_settings_are_refused(counted: Callable, tally: Tally, run: KilledRun) -> None:
    physics = {item.name for item in dataclasses.fields(WangLandauSettings)} - set(FREE)
    assert physics <= set(OTHER), "a setting is not tried"
    with counted("F13") as count:
        others_are_refused(count, run, list(OTHER) if tally.full else ["bins", "oracle"])
        if tally.full:
            for name, words in ALLOWED.items():
                with count.injection(f"allowed: {name}"):
                    one = killed(run, name)
                    assert one.go(*words) in FINISHED, one.said()
                    if name == "threads":
                        check_same_but_settings(one, run)


def check_same_but_settings(one: KilledRun, run: KilledRun) -> None:
    found, expected = contents(one.out), dict(run.expected)
    for result in (found, expected):
        del result["settings"]
    assert found == expected


def test_other_settings_would_go_on_unseen(broken: Callable, run: KilledRun) -> None:
    """A state of another seed under the header of this one: what comes out is not what was begun."""
    with broken("F13", "comparison of settings") as count:
        one = killed(run, "unseen")
        with count.injection("another random-number state"):
            spoil(checkpoint_of(one.out))
            one.finish()
        assert count.wrong


@pytest.mark.faults
def test_damaged_checkpoints_of_a_run(counted: Callable, run: KilledRun) -> None:
    """Damage the newer checkpoint: the older one is taken and told of. Damage both: refused, nothing is touched."""
    rng = np.random.default_rng(4)
    for name, number in (("F4", 6), ("F5", 10)):
        with counted(name) as count:
            for place in range(number):
                one = killed(run, f"{name}-{place}")
                path = checkpoint_of(one.out)
                whole = path.read_bytes()
                damaged = bytearray(whole)
                damaged[int(rng.integers(len(whole)))] ^= 1 << int(rng.integers(8))
                path.write_bytes(whole[: int(rng.integers(len(whole)))] if name == "F4" else damaged)
                with count.injection(f"{name} of a run, {place}"):
                    one.finish()
                    assert "using the other of the two checkpoints" in one.said()
    with counted("F6") as count:
        for place in range(4):
            one = killed(run, f"F6-{place}")
            path = checkpoint_of(one.out)
            for file in (path, previous_of(path)):
                file.write_bytes(file.read_bytes()[:-1])
            before = files_of(one)
            with count.injection(f"both checkpoints of a run, {place}"):
                assert one.go() == 2
                assert path.name in one.said() and previous_of(path).name in one.said()
                assert files_of(one) == before, "files were touched"


@pytest.mark.faults
def test_no_room_for_checkpoints_of_a_run(counted: Callable, run: KilledRun) -> None:
    """A disk that is full tells so, the run goes on, and when there is room the same comes out."""
    with counted("F7") as count:
        for place, size in enumerate((8000, 15_000, 22_000)):
            one = run.fresh(f"full-{place}")
            with count.injection(f"room for {size} bytes"):
                code = one.go(largest_file=size)
                assert code == 2 and "no checkpoint at" in one.said() and "cannot write" in one.said(), one.said()
                assert not one.out.exists()
                one.finish()


@pytest.mark.faults
def test_second_process_of_a_run(counted: Callable, run: KilledRun) -> None:
    with counted("F11") as count, forking_server("warm_kernels") as second:
        for place in range(6):
            one = run.fresh(f"twice-{place}")
            process = one.start()
            wait_for_checkpoint(one)
            with count.injection(f"second process of a run, {place}"):
                rival = KilledRun(one.folder, second)
                code = rival.go()
                assert code in (2, *FINISHED)
                assert code != 2 or f"in use by process {process}" in one.said(), one.said()
            with count.injection(f"first process of a run, {place}"):
                assert one.server.wait() in FINISHED
                check_same(one.out, one.expected)
