"""Campaigns end with the right energies whatever goes wrong on the way; nothing wrong is accepted, nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from standin_campaign import (
    CELL,
    check_energies,
    log_lines,
    processes_left,
    runs_by_configuration,
    runs_made,
    some,
    standin_configuration,
    standin_file,
)

from lsms_bridge.campaign import Campaign
from wanglandau.errors import InputError, OracleError
from wanglandau.systems import load_system

MAGNETIC = load_system("fept", (2, 2, 2)).lattice


def test_energies_and_site_values_are_those_of_the_program(tmp_path: Path) -> None:
    rows = some(CELL, 2)
    with Campaign(CELL, standin_configuration(tmp_path)) as campaign:
        records = campaign.compute(rows, "test")
        check_energies(CELL, rows, records)
        assert campaign.usage.runs == campaign.usage.computed == len({record.occupations for record in records})
        for record in records:
            assert abs(sum(record.charge)) < 1e-4 and record.source == "test" and record.iterations > 2
    assert not processes_left(tmp_path)


def test_no_orbit_is_computed_twice(tmp_path: Path) -> None:
    row = some(CELL)[4]
    images = row[CELL.symmetry]
    with Campaign(CELL, standin_configuration(tmp_path)) as campaign:
        campaign.compute(images, "test")
        campaign.compute(images[::-1], "test")
        assert (campaign.usage.asked, campaign.usage.computed) == (2 * len(images), 1)
    with Campaign(CELL, standin_configuration(tmp_path)) as campaign:
        campaign.compute(images, "test")
    assert len(runs_made(tmp_path)) == 1


FAULTS = ["die", "exit", "crash", "nan", "inf", "offset", "truncate", "empty", "stale", "other", "charge", "diverge"]


@pytest.mark.parametrize("fault", [*FAULTS, "unconverged", "shuffled"])
def test_first_run_of_everything_fails(tmp_path: Path, fault: str) -> None:
    rows = some(CELL)[2:5]
    with Campaign(CELL, standin_configuration(tmp_path, f"{fault}:first")) as campaign:
        records = campaign.compute(rows, "test")
        check_energies(CELL, rows, records)
        assert campaign.usage.runs == 2 * len(rows)
        assert sum(campaign.usage.failures.values()) == len(rows)
    assert set(runs_by_configuration(tmp_path).values()) == {2}


@pytest.mark.parametrize("fault", ["hang:first", "hang-stubborn:first"])
def test_hanging_runs_are_killed_with_their_children(tmp_path: Path, fault: str) -> None:
    rows = some(CELL)[3:5]
    settings = standin_configuration(tmp_path, fault, launcher={"time_limit": 1.5})
    with Campaign(CELL, settings) as campaign:
        check_energies(CELL, rows, campaign.compute(rows, "test"))
        assert campaign.usage.failures == {"TIMED_OUT": 2}
    assert any(int(words[1]) for words in runs_made(tmp_path))
    assert not processes_left(tmp_path)


@pytest.mark.parametrize(
    ("fault", "rung", "n_runs"),
    [
        ("needs-iterations", "more iterations", 2),
        ("slow-mixing", "fresh potentials", 3),
        ("needs-scratch", "fresh potentials", 3),
    ],
)
def test_ladder_finds_the_way(tmp_path: Path, fault: str, rung: str, n_runs: int) -> None:
    rows = some(CELL)[2:5]
    with Campaign(CELL, standin_configuration(tmp_path / "library")) as campaign:
        campaign.compute(rows, "test")
    (tmp_path / "results").mkdir()
    os.rename(tmp_path / "library" / "results" / "potentials", tmp_path / "results" / "potentials")
    with Campaign(CELL, standin_configuration(tmp_path, fault)) as campaign:
        records = campaign.compute(rows, "test")
        check_energies(CELL, rows, records)
        assert {record.attempts[-1]["rung"] for record in records} == {rung}
        assert {len(record.attempts) for record in records} == {n_runs}


def test_other_moments_are_tried(tmp_path: Path) -> None:
    rows = some(MAGNETIC)[4:6]
    settings = standin_configuration(tmp_path, "moments", preset="fept")
    with Campaign(MAGNETIC, settings) as campaign:
        records = campaign.compute(rows, "test")
        check_energies(MAGNETIC, rows, records)
        assert {record.attempts[-1]["rung"] for record in records} == {"other starting moments"}
        assert all(max(record.moment) > 1.0 for record in records)


def test_what_never_converges_is_given_up_and_said(tmp_path: Path) -> None:
    rows = some(CELL)[2:5]
    with Campaign(CELL, standin_configuration(tmp_path, "unconverged")) as campaign:
        records = campaign.compute(rows, "test")
        assert not any(record.done for record in records) and campaign.usage.given_up == 3
        assert [attempt["failure"] for attempt in records[0].attempts] == ["NOT_CONVERGED"] * 4
    with Campaign(CELL, standin_configuration(tmp_path)) as campaign:
        assert not any(record.done for record in campaign.compute(rows, "test"))
        assert campaign.usage.runs == 0
        check_energies(CELL, rows, campaign.compute(rows, "test", again=True))
    with Campaign(CELL, standin_configuration(tmp_path)) as campaign:
        check_energies(CELL, rows, campaign.compute(rows, "test"))
        assert campaign.usage.runs == 0


def test_too_many_failures_end_a_campaign(tmp_path: Path) -> None:
    settings = standin_configuration(tmp_path, "nan", effort={"max_given_up": 1, "rungs": 1}, workers=1)
    with Campaign(CELL, settings) as campaign, pytest.raises(OracleError, match="2 configurations were given up"):
        campaign.compute(some(CELL), "test")
    assert len(runs_made(tmp_path)) == 2


def test_what_would_fail_everywhere_ends_at_once(tmp_path: Path) -> None:
    settings = standin_configuration(tmp_path, "fstop", workers=1)
    with Campaign(CELL, settings) as campaign, pytest.raises(OracleError, match=r"every run would fail.*DEEPST"):
        campaign.compute(some(CELL), "test")
    assert len(runs_made(tmp_path)) == 1
    settings = replace(settings, launcher=replace(settings.launcher, executable="no-such-lsms"))
    with Campaign(CELL, settings) as campaign, pytest.raises(InputError, match="no-such-lsms"):
        campaign.compute(some(CELL), "test")


def test_flaky_program_changes_no_energy(tmp_path: Path) -> None:
    rows = some(CELL, 4)
    kinds = [f"{kind}:0.04" for kind in ("die", "nan", "truncate", "unconverged", "other")]
    with Campaign(CELL, standin_configuration(tmp_path, *kinds)) as campaign:
        check_energies(CELL, rows, campaign.compute(rows, "test"))
        assert sum(campaign.usage.failures.values()) > 0


def start_campaign(folder: Path, count: int) -> subprocess.Popen[bytes]:
    words = [
        "--lsms",
        str(folder / "lsms.toml"),
        "--select",
        "balanced",
        "--count",
        str(count),
        "--repeat",
        "2",
        "1",
        "1",
    ]
    return subprocess.Popen(
        [sys.executable, "-m", "lsms_bridge.cli", "campaign", "cuau", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=heed_interrupts,
    )


def heed_interrupts() -> None:
    """Undo what a shell does to programs in the background: they would pass over SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_killed_campaign_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    standin_file(tmp_path)
    process = start_campaign(tmp_path, 20)
    end = time.monotonic() + 60
    while len(runs_made(tmp_path)) < 6 and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(process.pid, number)
    process.wait(30)
    assert process.returncode == (-number if number == signal.SIGKILL else 75)
    finished = sum(b'"record"' in line for line in log_lines(tmp_path))
    assert 3 <= finished < 20
    assert start_campaign(tmp_path, 20).wait(120) == 0
    counts = runs_by_configuration(tmp_path)
    assert sum(counts.values()) <= len(counts) + 2  # only what was in flight was computed again
    assert not processes_left(tmp_path)


class LosesWorkers(Executor):
    """Computes at once; the first so many calls die with their worker."""

    def __init__(self, n_lost: int) -> None:
        self.n_lost = n_lost

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if self.n_lost:
            self.n_lost -= 1
            future.set_exception(RuntimeError("worker lost"))
        else:
            future.set_result(function(*args, **kwargs))
        return future


def test_lost_workers_are_replaced(tmp_path: Path) -> None:
    rows = some(CELL)[1:5]
    with Campaign(CELL, standin_configuration(tmp_path), LosesWorkers(3)) as campaign:
        check_energies(CELL, rows, campaign.compute(rows, "test"))
    with Campaign(CELL, standin_configuration(tmp_path / "more"), LosesWorkers(99)) as campaign:
        with pytest.raises(OracleError, match=r"lost 4 times .RuntimeError: worker lost"):
            campaign.compute(rows, "test")
