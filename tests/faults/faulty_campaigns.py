"""Campaigns of the stand-in for LSMS with counted faults."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import numpy as np
from fault_counts import FaultCount, WrongResult
from forking_server import ForkingServer
from standin_campaign import CELL, processes_left, runs_made, some, standin_configuration, total_energies

from lsms_bridge.campaign import Campaign
from lsms_bridge.result_log import Record
from wanglandau.lattice import Lattice

TOLERANCE = 3e-6
"""Ry; how far the stand-in's energies are from the converged ones."""
CONVERGE_ELSEWHERE = ("unconverged", "diverge", "slow-mixing", "needs-scratch", "needs-iterations")


def configurations(number: int) -> np.ndarray:
    """Return so many configurations of different orbits of the small cell, at most 40."""
    rows = some(CELL, 8)
    unlike = rows[(rows.sum(axis=1) > 0) & (rows.sum(axis=1) < CELL.n_sites)]
    return unlike[np.linspace(0, len(unlike) - 1, min(number, len(unlike))).astype(int)]


def faulty_runs(folder: Path) -> int:
    """Count the runs that misbehaved."""
    return sum(words[4] != "none" for words in runs_made(folder))


def judge(lattice: Lattice, rows: np.ndarray, records: list[Record]) -> None:
    """Insist that every energy is right or said to be missing."""
    for record, right in zip(records, total_energies(lattice, rows), strict=True):
        if record.done and not abs(record.energy - right) < TOLERANCE:
            raise WrongResult(f"{record.energy} Ry instead of {right} for {record.occupations}")


def campaign_survives(count: FaultCount, folder: Path, fault: str, number: int, **settings: Any) -> None:
    """Run a campaign in which the first run of everything has a fault; count what became of each."""
    rows = configurations(number)
    configuration = standin_configuration(folder, f"{fault}:first", **settings)
    with count.injection(fault) as one:
        with Campaign(CELL, configuration) as campaign:
            records = campaign.compute(rows, "test")
            one.number = faulty_runs(folder)
            judge(CELL, rows, records)
            assert all(record.done for record in records), "given up although another attempt would have done"
            assert sum(campaign.usage.failures.values()) == one.number, "a failure is not on record"
        assert not processes_left(folder), "processes were left behind"
        with Campaign(CELL, configuration) as campaign:
            campaign.compute(rows, "test")
            count.energies_lost += campaign.usage.runs


class Synchronous(Executor):
    """Computes at once, in this thread."""

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call and keep what comes of it."""
        future: Future[Any] = Future()
        future.set_result(function(*args, **kwargs))
        return future


class ForkedRuns:
    """Runs of the stand-in as forks of a server, without the programs that guard real ones: ten times quicker."""

    server: ForkingServer

    def run(self, launcher: Any, folder: Path, *, serial: bool = False) -> dict[str, Any]:
        """Run the stand-in in a folder that holds a deck."""
        words = [*launcher.arguments[1:], "i_lsms"]
        return {"returncode": self.server.call("standin_lsms:main", [words], folder.resolve()), "seconds": 0.0}

    def end_all(self) -> None:
        """Nothing runs any more."""
