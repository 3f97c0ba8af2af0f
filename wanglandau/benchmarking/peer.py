"""Other programs that do the same work, each in a process of its own that walks when it is told to.

A peer gets the very cell, pair model, composition, start and bins that our sampler has, and before its rate counts it
has to give our energies. It runs in its own process, possibly of another Python, with one thread; between its turns it
waits for input. See :mod:`wanglandau.benchmarking.peers.serve` for what goes to and fro.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import units
from ase.data import atomic_numbers

from wanglandau.benchmarking.work import Work
from wanglandau.configurations import random_configurations
from wanglandau.errors import InputError, OracleError
from wanglandau.pair_model import PairOracle

SCRIPTS = Path(__file__).parent / "peers"
N_CHECKS = 4
TOLERANCE = 1e-8
"""Largest difference of energies, relative to the span of the grid."""
PATIENCE = 10.0
"""Seconds that a peer has to end after its input has ended."""
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


@dataclass(frozen=True)
class PeerKind:
    """A program that can walk.

    Attributes
    ----------
    name : str
        What tables call it.
    script : Path
        Module for :mod:`~wanglandau.benchmarking.peers.serve`.
    most_sites : int
        Largest cell that it sets up within a minute or so.
    """

    name: str
    script: Path
    most_sites: int = 1_000_000


PEERS = (
    PeerKind("mchammer", SCRIPTS / "mchammer_walk.py"),
    PeerKind("smol", SCRIPTS / "smol_walk.py", most_sites=256),
)


class NotInstalled(InputError):
    """The peer cannot be imported."""


class Peer:
    """A peer at work.

    Parameters
    ----------
    kind : PeerKind
    work : Work
        With a :class:`~wanglandau.pair_model.PairOracle`.
    python : Path
        Interpreter in which the peer is installed.

    Attributes
    ----------
    versions : dict

    Raises
    ------
    NotInstalled
        If the interpreter cannot import it.
    OracleError
        If it fails or its energies are not ours: then it would not do the same work.
    """

    def __init__(self, kind: PeerKind, work: Work, python: Path) -> None:
        self._kind = kind
        self._said = tempfile.TemporaryFile("w+")
        command = [str(python), "-P", str(SCRIPTS / "serve.py"), kind.script.stem, str(kind.script.parent)]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                text=True,
                env=os.environ | ONE_THREAD,
            )
        except OSError as error:
            self._said.close()
            raise InputError(f"cannot start the interpreter of the peers, {python}: {error.strerror}") from error
        checks = random_configurations(work.oracle.lattice, work.composition, N_CHECKS, np.random.default_rng(1))
        try:
            told = self._ask(job_of(work, checks))
            if "missing" in told:
                raise NotInstalled(f"{kind.name} is not installed for {python}: no module {told['missing']}")
            self._check(np.array(told["energies"]), work, checks)
        except BaseException:
            self.close()
            raise
        self.versions: dict[str, str] = told["ready"]

    def advance(self, n_trials: int) -> float:
        """Make trials and return the seconds they took, by the peer's own clock."""
        return float(self._ask(n_trials))

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._process.communicate(timeout=PATIENCE)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._said.close()

    def _ask(self, question: object) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(question), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            self._process.wait()
            self._said.seek(0)
            last = (self._said.read().strip().splitlines() or ["no message"])[-1]
            raise OracleError(f"{self._kind.name} failed: {last}")
        return json.loads(answer)

    def _check(self, energies: np.ndarray, work: Work, checks: np.ndarray) -> None:
        worst = float(np.abs(energies - work.oracle.energies(checks)).max())
        if not worst <= TOLERANCE * work.grid.width * work.grid.n_bins:
            raise OracleError(
                f"{self._kind.name} does not do the same work: its energies differ from ours by up to {worst:.3g} Ry"
            )


def job_of(work: Work, checks: np.ndarray) -> dict[str, Any]:
    """Describe the work for a peer: lengths in Angstrom, energies in Ry per cell.

    Parameters
    ----------
    work : Work
    checks : int8[n, n_sites]
        Configurations of which it has to give the energies.
    """
    oracle = work.oracle
    assert isinstance(oracle, PairOracle)
    lattice, n_shells = oracle.lattice, len(oracle.unlike_bond_energies)
    shells = lattice.shells(n_shells + 1)
    return {
        "species": list(lattice.species),
        "numbers": [atomic_numbers[symbol] for symbol in lattice.species],
        "cell": (lattice.cell * units.Bohr).tolist(),
        "positions": (lattice.positions * units.Bohr).tolist(),
        "bond_energies": oracle.unlike_bond_energies.tolist(),
        "coordination": [shell.coordination for shell in shells[:n_shells]],
        "cutoff": float(shells[n_shells - 1].distance + shells[n_shells].distance) / 2 * units.Bohr,
        "grid": {"start": work.grid.start, "width": work.grid.width, "n_bins": work.grid.n_bins},
        "occupations": work.start.tolist(),
        "checks": checks.tolist(),
    }


def default_python() -> Path:
    """Return the interpreter that runs this."""
    return Path(sys.executable)
