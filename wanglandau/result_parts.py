"""The parts that result files of every kind are made of; see :mod:`wanglandau.run_file` for where they stand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np

from wanglandau.density_of_states import DensityOfStates
from wanglandau.energy_grid import EnergyGrid
from wanglandau.errors import InputError
from wanglandau.hdf5_parts import name_axes, read_array, read_json, reading, write_array, write_json

SCHEMA = 1
RUN_KIND = "wanglandau run"
EXACT_KIND = "wanglandau exact"
SEMIGRAND_KIND = "wanglandau semigrand"
METROPOLIS_KIND = "wanglandau metropolis"
REWEIGHTED_KIND = "wanglandau reweighted"
KINDS = (RUN_KIND, EXACT_KIND, SEMIGRAND_KIND, METROPOLIS_KIND, REWEIGHTED_KIND)


class Described(Protocol):
    """Whatever says of which system and oracle it is, when it was made and by which versions."""

    @property
    def system(self) -> dict[str, Any]:
        """See :func:`wanglandau.run_file.describe_system`."""

    @property
    def oracle(self) -> dict[str, Any]:
        """See :func:`wanglandau.run_file.describe_oracle`."""

    @property
    def versions(self) -> dict[str, str]:
        """Versions of packages."""

    @property
    def created(self) -> str:
        """Time, UTC, as in ISO 8601."""

    @property
    def duration_s(self) -> float:
        """Wall time of the calculation, s."""


class Sampled(Protocol):
    """Whatever says how it was sampled and how that went."""

    @property
    def settings(self) -> dict[str, Any]:
        """Ready for JSON."""

    @property
    def seeds(self) -> list[int]:
        """One a run."""

    @property
    def diagnostics(self) -> dict[str, Any]:
        """Ready for JSON but for NumPy arrays at its first level."""

    @property
    def verdict(self) -> dict[str, Any]:
        """``trusted``, ``reasons`` and ``summary``."""


def now() -> str:
    """Return the time, UTC, as in ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def write_description(file: h5py.File, kind: str, record: Described) -> None:
    """Write what every result file begins with."""
    file.attrs.update({"kind": kind, "schema": SCHEMA, "created": record.created, "duration_s": record.duration_s})
    write_json(file, "versions", record.versions)
    system = file.create_group("system")
    system.attrs.update({"name": record.system["name"], "species": list(record.system["species"])})
    write_array(system, "cell", np.asarray(record.system["cell"], dtype=np.float64))
    write_array(system, "positions", np.asarray(record.system["positions"], dtype=np.float64))
    oracle = file.create_group("oracle")
    for name in ("name", "identity", "invariant"):
        oracle.attrs[name] = record.oracle[name]
    oracle.attrs["reference_energies"] = np.asarray(record.oracle["reference_energies"], dtype=np.float64)


def read_description(file: h5py.File) -> dict[str, Any]:
    """Return what :func:`write_description` wrote, by the names of its parts."""
    system, oracle = file["system"], file["oracle"]
    sites = system["positions"].shape[0]
    return {
        "versions": read_json(file, "versions", dict),
        "system": {
            "name": str(system.attrs["name"]),
            "species": [str(symbol) for symbol in system.attrs["species"]],
            "cell": read_array(system, "cell", np.float64, (3, 3)),
            "positions": read_array(system, "positions", np.float64, (sites, 3)),
        },
        "oracle": {
            "name": str(oracle.attrs["name"]),
            "identity": str(oracle.attrs["identity"]),
            "invariant": bool(oracle.attrs["invariant"]),
            "reference_energies": [float(value) for value in oracle.attrs["reference_energies"]],
        },
        "created": str(file.attrs["created"]),
        "duration_s": float(file.attrs["duration_s"]),
    }


def write_outcome(file: h5py.File, record: Sampled) -> None:
    """Write settings, seeds, verdict and diagnostics."""
    arrays = {name: value for name, value in record.diagnostics.items() if isinstance(value, np.ndarray)}
    plain = {name: value for name, value in record.diagnostics.items() if name not in arrays}
    write_json(file, "settings", record.settings)
    write_json(file, "seeds", record.seeds)
    write_json(file, "verdict", record.verdict)
    write_json(file, "diagnostics", plain)
    group = file.create_group("diagnostic_arrays")
    for name, value in arrays.items():
        write_array(group, name, value)


def read_outcome(file: h5py.File) -> dict[str, Any]:
    """Return what :func:`write_outcome` wrote, by the names of its parts; raise KeyError where one is missing."""
    diagnostics = read_json(file, "diagnostics", dict)
    diagnostics |= {name: data[()] for name, data in file["diagnostic_arrays"].items()}
    verdict = read_json(file, "verdict", dict)
    if missing := {"trusted", "reasons", "summary"} - set(verdict):
        raise KeyError(f"verdict/{min(missing)}")
    return {
        "settings": read_json(file, "settings", dict),
        "seeds": [int(seed) for seed in read_json(file, "seeds", list)],
        "diagnostics": diagnostics,
        "verdict": verdict,
    }


def write_grid(group: h5py.Group, grid: EnergyGrid) -> None:
    """Write an energy grid as attributes of a group."""
    group.attrs.update({"start": grid.start, "width": grid.width, "n_bins": grid.n_bins})


def read_grid(group: h5py.Group) -> EnergyGrid:
    """Read what :func:`write_grid` wrote; raise KeyError or ValueError where there is none."""
    return EnergyGrid(float(group.attrs["start"]), float(group.attrs["width"]), int(group.attrs["n_bins"]))


def write_density(group: h5py.Group, density: DensityOfStates) -> None:
    """Write a density of states into an empty group."""
    write_grid(group, density.grid)
    group.attrs["n_sites"] = density.n_sites
    group.attrs["composition"] = -1 if density.composition is None else density.composition
    group.attrs.update({"exact": density.exact, "coverage": density.coverage})
    for name in ("run_ln_g", "mean_energy", "energy_variance"):
        write_array(group, name, getattr(density, name))
    write_array(group, "run", np.arange(density.n_runs))
    name_axes(
        group,
        {"mean_energy": ["mean_energy"], "run_ln_g": ["run", "mean_energy"], "energy_variance": ["mean_energy"]},
        {"mean_energy": "Ry", "energy_variance": "Ry^2", "run_ln_g": "1"},
    )


def read_density(group: h5py.Group) -> DensityOfStates:
    """Read a density of states; raise KeyError or ValueError where the group holds something else."""
    attributes = group.attrs
    grid = read_grid(group)
    composition = int(attributes["composition"])
    n_runs = group["run_ln_g"].shape[0]
    return DensityOfStates(
        grid=grid,
        n_sites=int(attributes["n_sites"]),
        composition=None if composition < 0 else composition,
        run_ln_g=read_array(group, "run_ln_g", np.float64, (n_runs, grid.n_bins)),
        mean_energy=read_array(group, "mean_energy", np.float64, (grid.n_bins,)),
        energy_variance=read_array(group, "energy_variance", np.float64, (grid.n_bins,)),
        exact=bool(attributes["exact"]),
        coverage=float(attributes["coverage"]),
    )


def kind_of(path: str | os.PathLike[str]) -> str:
    """Return which kind of result a file holds; InputError if it holds none."""
    with reading_result(Path(path), None) as file:
        return str(file.attrs["kind"])


@contextmanager
def reading_result(path: Path, kind: str | None) -> Iterator[h5py.File]:
    """Open a result file of one kind, or of any (None); any fault becomes an InputError of one line."""
    with reading(path) as file:
        _check_kind(path, file, kind)
        yield file


def _check_kind(path: Path, file: h5py.File, wanted: str | None) -> None:
    kind = file.attrs.get("kind")
    if kind not in KINDS:
        raise InputError(f"{path} is not a result file of wanglandau; see what it is with 'wanglandau inspect'")
    if wanted is not None and kind != wanted:
        raise InputError(f"{path} holds a '{kind}' but a '{wanted}' is needed here")
    if file.attrs.get("schema") != SCHEMA:
        raise InputError(f"{path} has schema {file.attrs.get('schema')}; this version reads {SCHEMA}: make it anew")
