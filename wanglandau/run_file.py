"""Result files: sampled densities of states (RUN.h5) and exact ones (EXACT.h5).

Every file begins with a description of what was computed::

    /                           attributes: kind ("wanglandau run", "wanglandau exact" or, see
    |                           :mod:`wanglandau.semigrand_file`, "wanglandau semigrand"), schema (int),
    |                           created (ISO 8601, UTC), duration_s (float)
    +-- versions                str, JSON object: package -> version
    +-- system                  attributes: name, species (two str)
    |   +-- cell                float64[3, 3], Bohr
    |   +-- positions           float64[n_sites, 3], Bohr
    +-- oracle                  attributes: name, identity, invariant (bool), reference_energies (float64[2], Ry/atom)

A run has besides::

    +-- settings                str, JSON object
    +-- seeds                   str, JSON list of int
    +-- verdict                 str, JSON object: trusted (bool), reasons (list of str), summary (str)
    +-- diagnostics             str, JSON object; what is an array stands in the group below
    +-- diagnostic_arrays       group
    |   +-- histogram           int64[n_runs, n_bins], and whatever else the sampler recorded
    +-- density_of_states       attributes: start (Ry), width (Ry), n_bins, n_sites, composition (-1 = free),
    |   |                       exact (bool), coverage (float)
    |   +-- run_ln_g            float64[n_runs, n_bins]
    |   +-- mean_energy         float64[n_bins], Ry per cell
    |   +-- energy_variance     float64[n_bins], Ry^2
    |   +-- run                 int64[n_runs], 0, 1 ...
    +-- bin_averages            group, where observables were measured; see :mod:`wanglandau.bin_averages`
    +-- joint_histogram         group, where one was asked for; see :mod:`wanglandau.joint_histogram`

An exact density of states has besides::

    +-- levels                  attributes: n_sites, composition (-1 = all), resolution (Ry, optional: 1e-9)
    |   +-- composition         int16[n_levels]
    |   +-- energy              float64[n_levels], Ry per cell, ascending within a composition
    |   +-- degeneracy          uint64[n_levels]
    +-- ground_states           group; one dataset a composition, named by its number
        +-- 16                  uint32[n_orbits], canonical keys; single configurations where each was evaluated

Arrays of ``density_of_states``, ``levels`` and ``bin_averages`` name their axes as netCDF-4 files do, after arrays
beside them or after empty ones, so that xarray opens each group with its coordinates.

A file is written to a temporary name in its folder and renamed: it is complete or not there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wanglandau.density_of_states import DensityOfStates
from wanglandau.errors import InputError
from wanglandau.hdf5_parts import name_axes, read_array, write_array, writing
from wanglandau.lattice import Lattice
from wanglandau.oracle import EnergyOracle
from wanglandau.result_parts import (
    EXACT_KIND,
    METROPOLIS_KIND,
    REWEIGHTED_KIND,
    RUN_KIND,
    SEMIGRAND_KIND,
    kind_of,
    now,
    read_density,
    read_description,
    read_outcome,
    reading_result,
    write_density,
    write_description,
    write_outcome,
)

if TYPE_CHECKING:
    from wanglandau.bin_averages import BinAverages
    from wanglandau.exact import ExactLevels
    from wanglandau.joint_histogram import JointHistogram


def describe_system(name: str, lattice: Lattice) -> dict[str, Any]:
    """Return what a result file says of its system: ``name``, ``species``, ``cell`` and ``positions`` (Bohr)."""
    return {"name": name, "species": list(lattice.species), "cell": lattice.cell, "positions": lattice.positions}


def describe_oracle(name: str, oracle: EnergyOracle) -> dict[str, Any]:
    """Return what a result file says of its oracle: ``name``, ``identity``, ``invariant``, ``reference_energies``."""
    references = np.asarray(oracle.reference_energies, dtype=np.float64).tolist()
    return {
        "name": name,
        "identity": oracle.identity,
        "invariant": bool(oracle.invariant),
        "reference_energies": references,
    }


@dataclass(frozen=True, eq=False)
class RunRecord:
    """A sampled density of states with everything needed to judge and repeat it.

    Attributes
    ----------
    density : DensityOfStates
    system, oracle : dict
        See :func:`describe_system` and :func:`describe_oracle`.
    settings, versions : dict
        Ready for JSON.
    seeds : list of int
    diagnostics : dict
        Ready for JSON but for NumPy arrays at its first level, such as ``histogram`` (int64[n_runs, n_bins]).
    verdict : dict
        ``trusted`` (bool), ``reasons`` (list of str), ``summary`` (str).
    created : str
        ISO 8601, UTC.
    duration_s : float
    averages : list of BinAverages
        Observables by energy bin, one accumulator a run; empty where nothing was measured.
    joint : list of JointHistogram
        Energy and one observable, one histogram a run; empty where none was asked for.
    """

    density: DensityOfStates
    system: dict[str, Any]
    oracle: dict[str, Any]
    settings: dict[str, Any]
    versions: dict[str, str]
    seeds: list[int]
    diagnostics: dict[str, Any]
    verdict: dict[str, Any]
    created: str = field(default_factory=now)
    duration_s: float = 0.0
    averages: list[BinAverages] = field(default_factory=list)
    joint: list[JointHistogram] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class ExactRecord:
    """Exact levels with a description of what they are the levels of; see :class:`RunRecord` for the other parts."""

    levels: ExactLevels
    system: dict[str, Any]
    oracle: dict[str, Any]
    versions: dict[str, str] = field(default_factory=dict)
    created: str = field(default_factory=now)
    duration_s: float = 0.0


def write_run(path: str | os.PathLike[str], record: RunRecord) -> None:
    """Write a run file, replacing what was there.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    with writing(Path(path)) as file:
        write_description(file, RUN_KIND, record)
        write_outcome(file, record)
        write_density(file.create_group("density_of_states"), record.density)
        if record.averages:
            from wanglandau.bin_averages import write_bin_averages

            write_bin_averages(file.create_group("bin_averages"), record.averages)
        if record.joint:
            from wanglandau.joint_histogram import write_joint_histograms

            write_joint_histograms(file.create_group("joint_histogram"), record.joint)


def read_run(path: str | os.PathLike[str]) -> RunRecord:
    """Read a run file.

    Raises
    ------
    InputError
        If it is missing, damaged or something else.
    """
    with reading_result(Path(path), RUN_KIND) as file:
        density = read_density(file["density_of_states"])
        averages: list[BinAverages] = []
        joint: list[JointHistogram] = []
        if "bin_averages" in file:  # compiled code that most readers do not need
            from wanglandau.bin_averages import read_bin_averages

            averages = read_bin_averages(file["bin_averages"])
        if "joint_histogram" in file:
            from wanglandau.joint_histogram import read_joint_histograms

            joint = read_joint_histograms(file["joint_histogram"])
        return RunRecord(
            density=density, averages=averages, joint=joint, **read_outcome(file), **read_description(file)
        )


def write_exact(
    path: str | os.PathLike[str],
    levels: ExactLevels,
    system: Mapping[str, Any],
    oracle: Mapping[str, Any],
    versions: Mapping[str, str] | None = None,
    duration_s: float = 0.0,
) -> None:
    """Write an exact density of states, replacing what was there.

    Parameters
    ----------
    system, oracle : mapping
        See :func:`describe_system` and :func:`describe_oracle`.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    record = ExactRecord(levels, dict(system), dict(oracle), dict(versions or {}), duration_s=duration_s)
    with writing(Path(path)) as file:
        write_description(file, EXACT_KIND, record)
        group = file.create_group("levels")
        group.attrs["n_sites"] = levels.n_sites
        group.attrs["composition"] = -1 if levels.composition is None else levels.composition
        group.attrs["resolution"] = levels.resolution
        write_array(group, "composition", np.asarray(levels.compositions, dtype=np.int16))
        write_array(group, "energy", np.asarray(levels.energies, dtype=np.float64))
        write_array(group, "degeneracy", np.asarray(levels.degeneracies, dtype=np.uint64))
        name_axes(group, {name: ["level"] for name in ("composition", "energy", "degeneracy")}, {"energy": "Ry"})
        keys = file.create_group("ground_states")
        for composition, states in levels.ground_state_keys.items():
            write_array(keys, str(composition), np.asarray(states, dtype=np.uint32))


def read_exact(path: str | os.PathLike[str]) -> ExactRecord:
    """Read an exact density of states.

    Raises
    ------
    InputError
        If it is missing, damaged or something else.
    """
    from wanglandau.exact import LEVEL_TOLERANCE, ExactLevels  # compiled code that most readers do not need

    with reading_result(Path(path), EXACT_KIND) as file:
        group = file["levels"]
        shape = group["energy"].shape
        composition = int(group.attrs["composition"])
        levels = ExactLevels(
            n_sites=int(group.attrs["n_sites"]),
            composition=None if composition < 0 else composition,
            compositions=read_array(group, "composition", np.int16, shape),
            energies=read_array(group, "energy", np.float64, shape),
            degeneracies=read_array(group, "degeneracy", np.uint64, shape),
            ground_state_keys={
                int(name): read_array(file["ground_states"], name, np.uint32, keys.shape)
                for name, keys in file["ground_states"].items()
            },
            resolution=float(group.attrs.get("resolution", LEVEL_TOLERANCE)),
        )
        return ExactRecord(levels=levels, **read_description(file))


def read_result(path: str | os.PathLike[str]) -> RunRecord | ExactRecord:
    """Read a result file of one density of states or of exact levels.

    Raises
    ------
    InputError
        As :func:`read_run` does, and if the file holds sampled densities of all compositions; those are read by
        :func:`wanglandau.semigrand_file.read_any_result`.
    """
    kind = kind_of(path)
    if kind == SEMIGRAND_KIND:
        raise InputError(f"{path} holds densities of states of all compositions; give it to 'wanglandau mixing'")
    if kind == METROPOLIS_KIND:
        raise InputError(f"{path} holds Metropolis averages, no density of states; give it to 'wanglandau inspect'")
    if kind == REWEIGHTED_KIND:
        raise InputError(
            f"{path} holds a reweighted density of states; see it with 'wanglandau inspect', or have other "
            "temperatures by 'wanglandau reweight'"
        )
    return read_run(path) if kind == RUN_KIND else read_exact(path)
