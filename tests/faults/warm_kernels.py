"""Runs of ``wanglandau dos`` to be killed: compiled code is loaded when this is imported, before any fork."""

from __future__ import annotations

import mmap
import os
import resource
import signal
import struct
from dataclasses import asdict

from failing_system import Failing, failing_calls

import wanglandau.commands.keeping as _keeping
from wanglandau.calculation import Calculation
from wanglandau.cli import main
from wanglandau.oracle_registry import load_oracle
from wanglandau.pair_model import PairOracle
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings
from wanglandau.systems import load_system

ROUNDS_FILE = "rounds"
"""Eight bytes: how many rounds every walk has made."""


def dos(words: list[str], die_at: int = 0, largest_file: int = 0) -> int:
    """Run the command and note the rounds made.

    Parameters
    ----------
    words : list of str
    die_at : int
        Kill this process at the so many-th call to the system of a write; 0 for never.
    largest_file : int, bytes
        No file may grow beyond; 0 for no limit.
    """
    with open(ROUNDS_FILE, "wb") as file:
        file.write(b"\0" * 8)
    with open(ROUNDS_FILE, "r+b") as file:
        counter = mmap.mmap(file.fileno(), 8)
    advance = Calculation.advance

    def counted(self: Calculation, *arguments: object) -> bool:
        there = advance(self, *arguments)  # type: ignore[arg-type]
        counter[:] = struct.pack("<Q", self.rounds)
        return there

    Calculation.advance = counted  # type: ignore[assignment, method-assign]
    if largest_file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY))
    with failing_calls(Failing(die_at, lambda: os.kill(os.getpid(), signal.SIGKILL))):
        return main(words)


def _warm() -> None:
    """Sample a little, so that forks need not load anything."""
    system = load_system("cuau", (2, 1, 1))
    oracle = PairOracle(system.lattice, [-3e-3])
    settings = WangLandauSettings(runs=2, walkers=2, max_trials=40_000, precision=1e-9, threads=1)
    sample_density(oracle, 4, settings, progress=False)
    assert load_oracle and asdict(settings) and _keeping


_warm()
