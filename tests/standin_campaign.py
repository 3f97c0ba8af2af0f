"""Campaigns of the stand-in for LSMS: configurations, and the energies that they must find."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from standin_energy import COUPLINGS, SPECIES_ENERGIES

from lsms_bridge.configuration import BridgeConfiguration, Effort, load_preset, make_parameters
from lsms_bridge.launcher import Launcher
from lsms_bridge.result_log import Record
from wanglandau.configurations import balanced_configurations
from wanglandau.lattice import Lattice
from wanglandau.pair_model import PairOracle
from wanglandau.systems import load_system

PROGRAM = Path(__file__).parent / "standin_lsms.py"
CELL = load_system("cuau", (2, 1, 1)).lattice
"""Eight sites: the orbits are few and runs are quick."""


def standin_launcher(state: Path, *faults: str, **settings: Any) -> Launcher:
    """Start the stand-in with faults such as ``die:0.1`` or ``nan:first``; its runs are counted in ``state``."""
    state.mkdir(parents=True, exist_ok=True)
    words = [word for fault in faults for word in ("--fault", fault)]
    arguments = (str(PROGRAM), "--state", str(state), *words)
    return Launcher(sys.executable, arguments, **({"time_limit": 20.0, "grace": 0.2} | settings))


def standin_configuration(folder: Path, *faults: str, preset: str = "cuau", **settings: Any) -> BridgeConfiguration:
    """Make a configuration whose results go to ``folder/results`` and whose runs are counted in ``folder/state``."""
    launcher = standin_launcher(folder / "state", *faults, **settings.pop("launcher", {}))
    effort = Effort(**({"pause": 0.0} | settings.pop("effort", {})))
    parameters = replace(make_parameters(load_preset(preset)), **settings.pop("parameters", {}))
    return BridgeConfiguration(parameters, launcher, effort, folder / "results", **({"workers": 2} | settings))


def standin_file(folder: Path, *faults: str, preset: str = "cuau", limit: float = 20.0) -> Path:
    """Write the configuration as a TOML file."""
    launcher = standin_launcher(folder / "state", *faults)
    words = ", ".join(f'"{word}"' for word in launcher.arguments)
    text = (
        f'preset = "{preset}"\nfolder = "results"\nworkers = 2\n[launcher]\nexecutable = "{sys.executable}"\n'
        f"arguments = [{words}]\ntime_limit = {limit}\ngrace = 0.2\n[effort]\npause = 0.0\n"
    )
    (folder / "lsms.toml").write_text(text, encoding="utf-8")
    return folder / "lsms.toml"


def pair_oracle(lattice: Lattice) -> PairOracle:
    """Return the oracle that has the stand-in's mixing energies."""
    first, second = lattice.species
    couplings = COUPLINGS[min(first, second), max(first, second)]
    return PairOracle(lattice, couplings, [SPECIES_ENERGIES[first], SPECIES_ENERGIES[second]])


def total_energies(lattice: Lattice, occupations: np.ndarray) -> np.ndarray:
    """Return the stand-in's total energies, Ry per cell."""
    references = np.array([SPECIES_ENERGIES[symbol] for symbol in lattice.species])
    return pair_oracle(lattice).energies(occupations) + references[occupations].sum(axis=1)


def runs_made(folder: Path) -> list[list[str]]:
    """Return one line of words for each run: pid, pid of its child, configuration, earlier runs, faults."""
    log = folder / "state" / "log"
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


def runs_by_configuration(folder: Path) -> Counter[str]:
    """Count the runs of each configuration."""
    return Counter(words[2] for words in runs_made(folder))


def alive(pid: int) -> bool:
    """Tell whether a process runs (one that has ended and was not waited for does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (OSError, IndexError):
        return False


def processes_left(folder: Path) -> list[int]:
    """List the processes that runs of the stand-in left behind."""
    pids = [int(word) for words in runs_made(folder) for word in words[:2] if int(word)]
    return [pid for pid in pids if alive(pid)]


def log_lines(folder: Path) -> list[bytes]:
    """Return the lines of the log of results."""
    return (folder / "results" / "results.jsonl").read_bytes().splitlines(keepends=True)


def some(lattice: Lattice, per_composition: int = 1) -> np.ndarray:
    """Draw configurations of different orbits, so many at each composition."""
    rng = np.random.default_rng(5)
    return balanced_configurations(lattice.n_sites, per_composition, rng=rng, permutations=lattice.symmetry)


def check_energies(lattice: Lattice, rows: np.ndarray, records: list[Record]) -> None:
    """Insist on the energies of the pair model."""
    assert all(record.done for record in records)
    np.testing.assert_allclose([record.energy for record in records], total_energies(lattice, rows), atol=3e-6, rtol=0)
