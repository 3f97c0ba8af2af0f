"""A console program that tests run under mpiexec: it shares its work and ends in many ways."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np

from wanglandau.command_line import Report, run_program
from wanglandau.errors import InputError, OracleError
from wanglandau.ranks import MpiRanks, default_threads, launched_ranks


def work(how: str, /, *, folder: Path) -> Report:
    """Gather, and end in one way or another.

    Parameters
    ----------
    how
        What happens.
    folder
        Where to leave traces.
    """
    ranks = launched_ranks()
    (folder / f"pid-{ranks.rank}").write_text(str(os.getpid()))
    print("chatter", file=sys.stderr)
    if how == "bad-input":
        raise InputError("composition 40 is above 32")
    if how == f"oracle-{ranks.rank}":
        raise OracleError("energy is nan")
    if how == f"defect-{ranks.rank}":
        raise RuntimeError("an unforeseen case")
    if how == f"killed-{ranks.rank}":
        os.abort()
    if how == f"stuck-{ranks.rank}":
        (folder / "stuck").touch()
        time.sleep(300)
    total = int(ranks.gather(np.array([ranks.rank])).sum())
    if how == "late" and ranks.rank == 0:
        time.sleep(4.0)  # longer than anyone would wait after an error
        (folder / "written").touch()
    cores = ranks.cores if isinstance(ranks, MpiRanks) else None
    threads = {"threads": default_threads(ranks), "cores": cores, "openmp": os.environ.get("OMP_NUM_THREADS")}
    return Report(f"sum {total}", {"sum": total, **threads}, 3 if how == "late" else 0)


if __name__ == "__main__":
    sys.exit(run_program("program", "For tests.", {"work": work, "alone": work}, together=["work"]))
