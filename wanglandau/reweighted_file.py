"""Result files of reweighted densities of states (kind "wanglandau reweighted").

Such a file begins as every result file does, its oracle being the dear one, and has settings, seeds, verdict and
diagnostics as a run file (see :mod:`wanglandau.run_file`); ``diagnostics`` has the description of the cheap oracle
under ``proposal_oracle``, and under ``source`` the file that its density of states came from. In the place of
``density_of_states`` stand::

    +-- samples                 attributes: n_sites, composition (-1 = free), seed
    |   +-- occupations         int8[n, n_sites]
    |   +-- energy              float64[n], Ry per cell, by the dear oracle
    |   +-- cheap_energy        float64[n], Ry per cell
    |   +-- stratum             int64[n]
    |   +-- size                float64[n], configurations of the orbit where all orbits of a stratum are listed, else 1
    |   +-- run_ln_g            float64[n_runs, n_strata], ln of the configurations of each stratum
    |   +-- counted             int8[n_strata], 1: all orbits are listed
    +-- dear_density            attributes: start (Ry), width (Ry), n_bins
    |   +-- ln_g                float64[n_bins], -inf in bins without a sample
    |   +-- standard_error      float64[n_bins], inf there
    +-- thermodynamics          attributes: peak_temperature, peak_temperature_error (K), peak_height,
        |                       peak_height_error (k_B per cell), peak_inside (bool)
        +-- temperatures        float64[n_temperatures], K
        +-- curves, errors      float64[4, n_temperatures]: U (Ry per cell), C (k_B per cell), F (Ry), S (k_B)
        +-- effective           float64[n_temperatures], samples that carry the weight
        +-- counted             float64[n_temperatures], share of the weight in listed strata
        +-- spread              float64[n_temperatures], of the difference of the oracles within strata, kT
        +-- unseen              float64[n_temperatures], part of the weight that the draws may miss
"""

from __future__ import annotations

import os
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from wanglandau.hdf5_parts import read_array, write_array, writing
from wanglandau.result_parts import (
    REWEIGHTED_KIND,
    now,
    read_description,
    read_grid,
    read_outcome,
    reading_result,
    write_description,
    write_grid,
    write_outcome,
)
from wanglandau.reweighted_density import DearDensity, DearThermodynamics, ReweightedDensity
from wanglandau.thermodynamics import Peak, Thermodynamics

_CURVES = ("internal_energy", "heat_capacity", "free_energy", "entropy")
_PEAK = ("peak_temperature", "peak_height", "peak_temperature_error", "peak_height_error", "peak_inside")


@dataclass(frozen=True, eq=False)
class ReweightedRecord:
    """A reweighted density of states with everything needed to judge and repeat it.

    Attributes
    ----------
    samples : ReweightedDensity
    density : DearDensity
    curves : DearThermodynamics
    system, oracle, settings, versions, seeds, diagnostics, verdict, created, duration_s
        As in :class:`wanglandau.run_file.RunRecord`; the oracle is the dear one.
    """

    samples: ReweightedDensity
    density: DearDensity
    curves: DearThermodynamics
    system: dict[str, Any]
    oracle: dict[str, Any]
    settings: dict[str, Any]
    versions: dict[str, str]
    seeds: list[int]
    diagnostics: dict[str, Any]
    verdict: dict[str, Any]
    created: str = field(default_factory=now)
    duration_s: float = 0.0


def write_reweighted(path: str | os.PathLike[str], record: ReweightedRecord) -> None:
    """Write a reweighted density of states, replacing what was there.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    samples, density, curves = record.samples, record.density, record.curves
    with writing(Path(path)) as file:
        write_description(file, REWEIGHTED_KIND, record)
        write_outcome(file, record)
        group = file.create_group("samples")
        composition = -1 if samples.composition is None else samples.composition
        group.attrs.update({"n_sites": samples.n_sites, "composition": composition, "seed": samples.seed})
        write_array(group, "occupations", samples.occupations.astype(np.int8))
        write_array(group, "energy", samples.energies)
        write_array(group, "cheap_energy", samples.cheap_energies)
        for name in ("stratum", "size", "run_ln_g"):
            write_array(group, name, getattr(samples, name))
        write_array(group, "counted", samples.counted.astype(np.int8))
        group = file.create_group("dear_density")
        write_grid(group, density.grid)
        for name in ("ln_g", "standard_error"):
            write_array(group, name, getattr(density, name))
        group = file.create_group("thermodynamics")
        group.attrs.update(dict(zip(_PEAK, astuple(curves.peak), strict=True)))
        thermal, errors = curves.thermal, curves.thermal.standard_error
        write_array(group, "temperatures", thermal.temperatures)
        write_array(group, "curves", np.array([getattr(thermal, name) for name in _CURVES]))
        write_array(group, "errors", np.array([getattr(errors, name) for name in _CURVES]))
        for name in ("effective", "counted", "spread", "unseen"):
            write_array(group, name, getattr(curves, name))


def read_reweighted(path: str | os.PathLike[str]) -> ReweightedRecord:
    """Read a reweighted density of states.

    Raises
    ------
    InputError
        If it is missing, damaged or something else.
    """
    with reading_result(Path(path), REWEIGHTED_KIND) as file:
        samples = _read_samples(file["samples"])
        return ReweightedRecord(
            samples=samples,
            density=_read_density(file["dear_density"]),
            curves=_read_curves(file["thermodynamics"], samples.n_sites),
            **read_outcome(file),
            **read_description(file),
        )


def _read_samples(group: h5py.Group) -> ReweightedDensity:
    composition, n_sites = int(group.attrs["composition"]), int(group.attrs["n_sites"])
    n, (n_runs, n_strata) = len(group["energy"]), group["run_ln_g"].shape
    return ReweightedDensity(
        n_sites=n_sites,
        composition=None if composition < 0 else composition,
        occupations=read_array(group, "occupations", np.int8, (n, n_sites)),
        energies=read_array(group, "energy", np.float64, (n,)),
        cheap_energies=read_array(group, "cheap_energy", np.float64, (n,)),
        stratum=read_array(group, "stratum", np.int64, (n,)),
        size=read_array(group, "size", np.float64, (n,)),
        run_ln_g=read_array(group, "run_ln_g", np.float64, (n_runs, n_strata)),
        counted=read_array(group, "counted", np.int8, (n_strata,)) == 1,
        seed=int(group.attrs["seed"]),
    )


def _read_density(group: h5py.Group) -> DearDensity:
    grid = read_grid(group)
    ln_g, error = (read_array(group, name, np.float64, (grid.n_bins,)) for name in ("ln_g", "standard_error"))
    return DearDensity(grid, ln_g, error)


def _read_curves(group: h5py.Group, n_sites: int) -> DearThermodynamics:
    shape = group["temperatures"].shape
    temperatures = read_array(group, "temperatures", np.float64, shape)
    values, errors = (read_array(group, name, np.float64, (4, *shape)) for name in ("curves", "errors"))
    thermal = replace(
        Thermodynamics(n_sites, temperatures, *values),
        standard_error=Thermodynamics(n_sites, temperatures, *errors),
    )
    place, height, place_error, height_error = (float(group.attrs[name]) for name in _PEAK[:4])
    peak = Peak(place, height, place_error, height_error, bool(group.attrs["peak_inside"]))
    others = (read_array(group, name, np.float64, shape) for name in ("effective", "counted", "spread", "unseen"))
    return DearThermodynamics(thermal, peak, *others)
