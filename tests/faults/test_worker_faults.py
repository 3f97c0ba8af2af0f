"""F21: workers and processes that die while others wait for them."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fault_counts import FaultCount, Tally
from faulty_campaigns import configurations, judge
from standin_campaign import CELL, alive, processes_left, standin_configuration
from test_lsms_campaign import LosesWorkers
from test_mpi import ENVIRONMENT, finish, needs_mpi, start

from lsms_bridge.campaign import Campaign
from wanglandau.errors import OracleError

PATIENCE = 60.0
"""Seconds in which everything has to be over."""


def lost_workers(count: FaultCount, folder: Path, number: int) -> None:
    """Lose some workers of an executor; what they were at is given to others, or the campaign ends in plain words."""
    rows = configurations(3)
    for place in range(number):
        n_lost = 1 + place % 5
        with count.injection(f"{n_lost} workers lost in a row") as one:
            one.number = n_lost
            settings = standin_configuration(folder / str(place), effort={"retries": 3}, workers=1)
            with Campaign(CELL, settings, LosesWorkers(n_lost)) as campaign:
                if n_lost <= 3:
                    judge(CELL, rows, campaign.compute(rows, "test"))
                else:
                    with pytest.raises(OracleError, match=r"a worker was lost 4 times .*look after the executor"):
                        campaign.compute(rows, "test")


class _Closed(Executor):
    """Takes nothing any more, like a pool of which a process was killed."""

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        raise RuntimeError("a child process terminated abruptly, the process pool is not usable anymore")


def killed_pool(count: FaultCount, folder: Path, number: int) -> None:
    """Kill the processes of a pool while they compute: an error in plain words, and the results so far are kept."""
    rows = configurations(30)
    for place in range(number):
        with count.injection(f"pool killed, {place}"):
            at = folder / str(place)
            settings = standin_configuration(at)
            pool = ProcessPoolExecutor(2, mp_context=get_context("spawn"))
            with pool, Campaign(CELL, settings, pool) as campaign:
                killer = threading.Thread(target=_kill_one, args=(pool, at, 2 + place % 5))
                killer.start()
                with pytest.raises(OracleError, match=r"look after the executor"):
                    campaign.compute(rows, "test")
                killer.join(PATIENCE)
                done = len(campaign.log)
            assert not _left(at), "processes were left behind"
            with Campaign(CELL, settings) as campaign:
                assert len(campaign.log) == done
                judge(CELL, rows[:4], campaign.compute(rows[:4], "test"))
                count.energies_lost += done - (len(campaign.log) - campaign.usage.computed)


def _kill_one(pool: ProcessPoolExecutor, folder: Path, n_results: int) -> None:
    log, end = folder / "results" / "results.jsonl", time.monotonic() + PATIENCE
    while not log.exists() or log.read_bytes().count(b"\n") <= n_results:
        if time.monotonic() > end:
            return
        time.sleep(0.01)
    os.kill(next(iter(pool._processes)), signal.SIGKILL)


def _left(folder: Path) -> list[int]:
    end = time.monotonic() + 10
    while processes_left(folder) and time.monotonic() < end:
        time.sleep(0.05)
    return processes_left(folder)


def test_lost_workers(counted: Callable, tally: Tally, tmp_path: Path) -> None:
    with counted("F21") as count:
        lost_workers(count, tmp_path, tally.size(2, 20))
        with count.injection("executor that takes nothing"):
            with Campaign(CELL, standin_configuration(tmp_path / "closed"), _Closed()) as campaign:
                with pytest.raises(OracleError, match=r"terminated abruptly.*look after the executor"):
                    campaign.compute(configurations(2), "test")
        if tally.full:
            killed_pool(count, tmp_path / "pool", 6)


MPI_DOS = "import os, sys; from pathlib import Path; from wanglandau.cli import main; "
MPI_DOS += "Path(f'pid-{os.environ[\"OMPI_COMM_WORLD_RANK\"]}').write_text(str(os.getpid())); sys.exit(main())"


@needs_mpi
@pytest.mark.faults
def test_killed_processes_of_mpi(counted: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kill one process of a running calculation at a random instant: all end soon, and no result is written."""
    rng = np.random.default_rng(21)
    pair = tmp_path / "pair.toml"
    pair.write_text('unlike_bond_energies = [-50.0]\nunits = "meV"\n')
    words = ["dos", "cuau", "--oracle", f"pair:{pair}", "--runs", "4", "--precision", "1e-6", "--seed", "1"]
    words += ["--max-trials", "1000000000", "--out", "run.h5"]
    with counted("F21") as count:
        for place in range(8):
            folder = tmp_path / str(place)
            folder.mkdir()
            monkeypatch.chdir(folder)
            with count.injection(f"process of MPI, {place}"):
                launched = start(3, sys.executable, "-c", MPI_DOS, *words, environment=ENVIRONMENT)
                pids = _process_ids(folder, 3)
                time.sleep(float(rng.uniform(0.0, 6.0)))
                os.kill(pids[int(rng.integers(3))], signal.SIGKILL)
                assert finish(launched, PATIENCE).returncode != 0
                assert not (folder / "run.h5").exists(), "a result although a process was killed"
                end = time.monotonic() + 10
                while any(map(alive, pids)) and time.monotonic() < end:
                    time.sleep(0.05)
                assert not any(map(alive, pids)), "processes were left behind"


def _process_ids(folder: Path, n: int) -> list[int]:
    files = [folder / f"pid-{rank}" for rank in range(n)]
    end = time.monotonic() + PATIENCE
    while not all(file.exists() and file.read_text() for file in files):
        assert time.monotonic() < end, "the processes do not start"
        time.sleep(0.02)
    return [int(file.read_text()) for file in files]
