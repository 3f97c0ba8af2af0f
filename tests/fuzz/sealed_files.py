"""One whole file of every kind, small, as the package writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from known_levels import description

from surrogate.artefact import Card, describe_lattice, load_artefact, save_artefact
from surrogate.dataset import Dataset, load_dataset, save_dataset
from surrogate.orbits import orbit_labels
from surrogate.study_predictions import read_predictions, write_predictions
from wanglandau.bin_averages import BinAverages
from wanglandau.density_of_states import DensityOfStates
from wanglandau.energy_grid import EnergyGrid
from wanglandau.exact import ExactLevels
from wanglandau.joint_histogram import JointHistogram
from wanglandau.lattice import Lattice
from wanglandau.metropolis_averages import ThermalAverage
from wanglandau.metropolis_file import MetropolisRecord, read_metropolis, write_metropolis
from wanglandau.oracle import Properties
from wanglandau.orbit_cache import cache_file, load_orbits, store_orbits
from wanglandau.reweighted_density import DearDensity, DearThermodynamics, ReweightedDensity
from wanglandau.reweighted_file import ReweightedRecord, read_reweighted, write_reweighted
from wanglandau.run_file import RunRecord, describe_system, read_exact, read_run, write_exact, write_run
from wanglandau.semigrand_file import SemigrandRecord, read_semigrand, write_semigrand
from wanglandau.thermodynamics import Peak, Thermodynamics
from wanglandau.trajectory import TrajectoryWriter, read_trajectory

CELL = Lattice.cubic("fcc", ("Cu", "Au"), 7.3, (1, 1, 1))
ROWS = np.array([[0, 0, 0, 0], [0, 1, 0, 1], [1, 1, 1, 1], [0, 1, 1, 1]], dtype=np.int8)
OUTCOME: dict[str, Any] = {
    "settings": {"walkers": 2},
    "versions": {"numpy": "2"},
    "seeds": [7],
    "diagnostics": {"rate": 0.5, "histogram": np.arange(12).reshape(2, 6)},
    "verdict": {"trusted": True, "reasons": [], "summary": "fine"},
    "created": "2026-01-01T00:00:00+00:00",
}
ORACLE = description()["oracle"]
COMMON = {**OUTCOME, "system": describe_system("own", CELL), "oracle": ORACLE}
GRID = EnergyGrid(-0.01, 0.001, 6)


class Kind(NamedTuple):
    """How a file of one kind is written and read."""

    name: str
    write: Callable[[Path], None]
    read: Callable[[Path], Any]


def density(composition: int | None) -> DensityOfStates:
    """Make a density of states of two runs."""
    rows = np.array([[0.0, 0.5, 1.0, 0.5, -np.inf, 0.1], [0.1, 0.4, 1.0, 0.5, 0.2, 0.0]])
    return DensityOfStates(GRID, 4, composition, rows, GRID.centres, np.zeros(6))


def _run(path: Path) -> None:
    averages = [BinAverages(("q",), np.arange(6), np.ones((6, 1)), np.ones((6, 1))) for _ in range(2)]
    joint = [JointHistogram("q", 0.0, 0.5, np.arange(18).reshape(6, 3)) for _ in range(2)]
    write_run(path, RunRecord(density(2), averages=averages, joint=joint, **COMMON))


def _exact(path: Path) -> None:
    levels = ExactLevels(
        4,
        2,
        np.array([2, 2], np.int16),
        np.array([-1.0, 0.5]),
        np.array([2, 4], np.uint64),
        {2: np.array([3], np.uint32)},
    )
    write_exact(path, levels, COMMON["system"], ORACLE, OUTCOME["versions"])


def _semigrand(path: Path) -> None:
    write_semigrand(path, SemigrandRecord({n: density(n) for n in (1, 2)}, **COMMON))


def _metropolis(path: Path) -> None:
    one = ThermalAverage(*(np.array([0.5, 1.5]) for _ in range(5)), np.array([True, False]))
    series = np.arange(24.0).reshape(2, 3, 4)
    averages = {"energy": one, "heat_capacity": one}
    write_metropolis(
        path,
        MetropolisRecord(np.array([300.0, 600.0]), 4, 2, 0.0, averages, 5, series, series.astype(np.int32), **COMMON),
    )


def _reweighted(path: Path) -> None:
    samples = ReweightedDensity(
        4, 2, ROWS[1:2].repeat(3, 0), np.zeros(3), np.ones(3), np.array([0, 1, 1]), np.ones(3), np.zeros((2, 2)),
        np.array([True, False]), 3,
    )  # fmt: skip
    curve = [np.array([1.0, 2.0]) for _ in range(5)]
    thermal = Thermodynamics(4, *curve, Thermodynamics(4, *curve))
    curves = DearThermodynamics(thermal, Peak(300.0, 2.0, 1.0, 0.1, True), *curve[:4])
    dear = DearDensity(GRID, np.zeros(6), np.ones(6))
    write_reweighted(path, ReweightedRecord(samples, dear, curves, **COMMON))


def _trajectory(path: Path) -> None:
    with TrajectoryWriter(path, CELL, ("q",)) as writer:
        writer.append(ROWS, np.arange(4.0), 300.0, 10, observables=np.ones((4, 1)))


def data_set() -> Dataset:
    """Make a data set of four configurations."""
    charge = np.where(ROWS == 1, 0.1, -0.1)
    labels = orbit_labels(CELL, ROWS)
    references = np.array([-3300.0, -38000.0])
    return Dataset(
        CELL, ROWS, ROWS.sum(1) * -34700.0 - 13200.0, labels, references, charge, None, np.array(["a", "b", "c", "d"]),
        {"wall_time": np.ones(4)}, {"code": "LSMS"},
    )  # fmt: skip


def card() -> Card:
    """Make the card of a model of the small cell."""
    return Card("dense", ["energy"], {"width": 3}, ["Cu", "Au"], describe_lattice(CELL), [-3300.0, -38000.0])


def _artefact(path: Path) -> None:
    arrays = {"first.weight": np.arange(12.0).reshape(3, 4), "first.bias": np.zeros(3), "tiny": np.array(0.25)}
    save_artefact(path, arrays, card())


def _predictions(path: Path) -> None:
    write_predictions(path, data_set(), Properties(np.zeros(4), None, None), ("energy",))


LISTS = (np.array([1, 2], np.uint64), np.array([1, 5], np.uint32))


def _orbits(path: Path) -> None:
    store_orbits(path.parent, CELL.symmetry, {2: LISTS})
    cache_file(path.parent, CELL.symmetry).replace(path)


def _read_orbits(path: Path) -> Any:
    path.replace(cache_file(path.parent, CELL.symmetry))
    return load_orbits(path.parent, CELL.symmetry, [2]) or None


HDF5 = [
    Kind("run", _run, read_run),
    Kind("exact", _exact, read_exact),
    Kind("semigrand", _semigrand, read_semigrand),
    Kind("metropolis", _metropolis, read_metropolis),
    Kind("reweighted", _reweighted, read_reweighted),
    Kind("trajectory", _trajectory, read_trajectory),
    Kind("data set", lambda path: save_dataset(data_set(), path), load_dataset),
    Kind("predictions", _predictions, read_predictions),
    Kind("orbit cache", _orbits, _read_orbits),
]
ARTEFACT = Kind("artefact", _artefact, load_artefact)


def same(first: Any, second: Any) -> bool:
    """Compare what was read, array by array."""
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and first.shape == second.shape and first.tobytes() == second.tobytes()
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(value, second[name]) for name, value in first.items())
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    if hasattr(first, "__dataclass_fields__"):
        return all(same(getattr(first, name), getattr(second, name)) for name in first.__dataclass_fields__)
    return bool(first == second)
