"""Result files of Metropolis sampling (kind "wanglandau metropolis").

Such a file begins as every result file does and has settings, seeds, verdict and diagnostics as a run file (see
:mod:`wanglandau.run_file`); in the place of ``density_of_states`` stand::

    +-- temperatures            float64[n_temperatures], K, ascending
    +-- averages                attributes: n_sites, composition (-1 = free), delta_mu (Ry)
    |   +-- names               str, JSON list
    |   +-- values, errors      float64[n_names, n_temperatures]; names and units as in
    |   |                       :data:`wanglandau.metropolis_averages.Averages`; an error is inf where there is none
    |   +-- taus                float64[n_names, n_temperatures], autocorrelation time, sweeps
    |   +-- effective_samples   float64[n_names, n_temperatures]
    |   +-- r_hats              float64[n_names, n_temperatures]
    |   +-- reliable            int8[n_names, n_temperatures]
    +-- series                  attributes: interval (sweeps between records)
        +-- energy              float64[n_temperatures, n_chains, n_records], Ry per cell, after equilibration
        +-- composition         int32[n_temperatures, n_chains, n_records]

Where a proposal oracle made the trials (:mod:`wanglandau.delayed_acceptance`), what is counted in sweeps above is
counted in rounds; ``diagnostics`` then has an object ``proposal`` of chain length, acceptance and calls, with the
description of that oracle under ``oracle``.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from wanglandau.hdf5_parts import read_array, read_json, write_array, write_json, writing
from wanglandau.metropolis_averages import Averages, ThermalAverage
from wanglandau.metropolis_settings import ProposalSettings
from wanglandau.result_parts import (
    METROPOLIS_KIND,
    now,
    read_description,
    read_outcome,
    reading_result,
    write_description,
    write_outcome,
)

_COLUMNS = ("values", "errors", "taus", "effective_samples", "r_hats")


@dataclass(frozen=True, eq=False)
class MetropolisRecord:
    """Thermal averages with everything needed to judge and repeat them.

    Attributes
    ----------
    temperatures : float64[n_temperatures], K
    n_sites : int
    composition : int or None
        Number of second-species atoms; None where it is free.
    delta_mu : float, Ry
    averages : Averages
    interval : int
        Sweeps between the records of the series.
    energies : float64[n_temperatures, n_chains, n_records], Ry per cell
    compositions : int32[n_temperatures, n_chains, n_records]
    system, oracle, settings, versions, seeds, diagnostics, verdict, created, duration_s
        As in :class:`wanglandau.run_file.RunRecord`.
    """

    temperatures: np.ndarray
    n_sites: int
    composition: int | None
    delta_mu: float
    averages: Averages
    interval: int
    energies: np.ndarray
    compositions: np.ndarray
    system: dict[str, Any]
    oracle: dict[str, Any]
    settings: dict[str, Any]
    versions: dict[str, str]
    seeds: list[int]
    diagnostics: dict[str, Any]
    verdict: dict[str, Any]
    created: str = field(default_factory=now)
    duration_s: float = 0.0


def with_proposal(record: MetropolisRecord, oracle: dict[str, Any], settings: ProposalSettings) -> MetropolisRecord:
    """Note which oracle proposed, and with what settings.

    Parameters
    ----------
    record : MetropolisRecord
        Of a calculation with a proposal oracle.
    oracle : dict
        See :func:`wanglandau.run_file.describe_oracle`.
    settings : ProposalSettings
    """
    proposal = {"oracle": oracle} | record.diagnostics["proposal"]
    return replace(
        record,
        settings=record.settings | asdict(settings),
        diagnostics=record.diagnostics | {"proposal": proposal},
    )


def write_metropolis(path: str | os.PathLike[str], record: MetropolisRecord) -> None:
    """Write a file of thermal averages, replacing what was there.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    with writing(Path(path)) as file:
        write_description(file, METROPOLIS_KIND, record)
        write_outcome(file, record)
        write_array(file, "temperatures", record.temperatures)
        group = file.create_group("averages")
        group.attrs.update({"n_sites": record.n_sites, "delta_mu": record.delta_mu})
        group.attrs["composition"] = -1 if record.composition is None else record.composition
        write_json(group, "names", list(record.averages))
        for column in _COLUMNS:
            values = np.array([getattr(average, column) for average in record.averages.values()], dtype=np.float64)
            write_array(group, column, values)
        write_array(group, "reliable", np.array([one.reliable for one in record.averages.values()], dtype=np.int8))
        series = file.create_group("series")
        series.attrs["interval"] = record.interval
        write_array(series, "energy", np.asarray(record.energies, dtype=np.float64))
        write_array(series, "composition", np.asarray(record.compositions, dtype=np.int32))


def read_metropolis(path: str | os.PathLike[str]) -> MetropolisRecord:
    """Read a file of thermal averages.

    Raises
    ------
    InputError
        If it is missing, damaged or something else.
    """
    with reading_result(Path(path), METROPOLIS_KIND) as file:
        group, series = file["averages"], file["series"]
        temperatures = read_array(file, "temperatures", np.float64, file["temperatures"].shape)
        composition = int(group.attrs["composition"])
        shape = series["energy"].shape
        if len(shape) != 3 or shape[0] != len(temperatures):
            raise ValueError(f"series of shape {shape} for {len(temperatures)} temperatures")
        return MetropolisRecord(
            temperatures=temperatures,
            n_sites=int(group.attrs["n_sites"]),
            composition=None if composition < 0 else composition,
            delta_mu=float(group.attrs["delta_mu"]),
            averages=_read_averages(group, len(temperatures)),
            interval=int(series.attrs["interval"]),
            energies=read_array(series, "energy", np.float64, shape),
            compositions=read_array(series, "composition", np.int32, shape),
            **read_outcome(file),
            **read_description(file),
        )


def _read_averages(group: h5py.Group, n_temperatures: int) -> dict[str, ThermalAverage]:
    names = [str(name) for name in read_json(group, "names", list)]
    shape = (len(names), n_temperatures)
    columns = {column: read_array(group, column, np.float64, shape) for column in _COLUMNS}
    reliable = read_array(group, "reliable", np.int8, shape) == 1
    return {
        name: ThermalAverage(**{column: values[row] for column, values in columns.items()}, reliable=reliable[row])
        for row, name in enumerate(names)
    }
