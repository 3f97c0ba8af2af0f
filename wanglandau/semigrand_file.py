"""Result files of sampled densities of states of all compositions (kind "wanglandau semigrand").

Such a file is a run file (see :mod:`wanglandau.run_file`) but for the group ``density_of_states``, in whose place
stands one density of states a composition, each on a grid of its own::

    +-- compositions            group
        +-- 1                   as density_of_states of a run file: attributes start, width, n_bins, n_sites,
        |   |                   composition, exact, coverage
        |   +-- run_ln_g        float64[n_runs, n_bins], each run normalised to ln C(n_sites, composition)
        |   +-- mean_energy     float64[n_bins], Ry per cell
        |   +-- energy_variance float64[n_bins], Ry^2
        +-- 2 ...

Every run covers all compositions: row r of each is the same run.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wanglandau.density_of_states import DensityOfStates
from wanglandau.errors import InputError
from wanglandau.hdf5_parts import writing
from wanglandau.levels import Levels, Source
from wanglandau.result_parts import (
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
from wanglandau.run_file import ExactRecord, RunRecord, read_result


@dataclass(frozen=True, eq=False)
class SemigrandRecord:
    """Sampled densities of states of several compositions with everything needed to judge and repeat them.

    Attributes
    ----------
    densities : dict of int to DensityOfStates
        By number of second-species atoms; all of one lattice and with the same number of runs.
    system, oracle, settings, versions, seeds, diagnostics, verdict, created, duration_s
        As in :class:`wanglandau.run_file.RunRecord`.

    Raises
    ------
    InputError
        If there is no density, or they differ in number of sites or runs, or one is not of the composition it is
        filed under.
    """

    densities: dict[int, DensityOfStates]
    system: dict[str, Any]
    oracle: dict[str, Any]
    settings: dict[str, Any]
    versions: dict[str, str]
    seeds: list[int]
    diagnostics: dict[str, Any]
    verdict: dict[str, Any]
    created: str = field(default_factory=now)
    duration_s: float = 0.0

    def __post_init__(self) -> None:
        if not self.densities:
            raise InputError("there is no composition; sample at least one")
        sizes = {(density.n_sites, density.n_runs) for density in self.densities.values()}
        if len(sizes) > 1:
            raise InputError(
                f"densities of {len(sizes)} different numbers of sites or runs: {sorted(sizes)}; every run must cover "
                "all compositions of one lattice"
            )
        for composition, density in self.densities.items():
            if density.composition != composition or not 0 <= composition <= density.n_sites:
                raise InputError(f"composition {composition} holds a density of composition {density.composition}")

    @property
    def n_sites(self) -> int:
        """Number of sites of the cell."""
        return next(iter(self.densities.values())).n_sites

    @property
    def n_runs(self) -> int:
        """Number of independent runs."""
        return next(iter(self.densities.values())).n_runs


AnyRecord = RunRecord | ExactRecord | SemigrandRecord


def write_semigrand(path: str | os.PathLike[str], record: SemigrandRecord) -> None:
    """Write a file of all compositions, replacing what was there.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    with writing(Path(path)) as file:
        write_description(file, SEMIGRAND_KIND, record)
        write_outcome(file, record)
        compositions = file.create_group("compositions")
        for composition, density in sorted(record.densities.items()):
            write_density(compositions.create_group(str(composition)), density)


def read_semigrand(path: str | os.PathLike[str]) -> SemigrandRecord:
    """Read a file of all compositions.

    Raises
    ------
    InputError
        If it is missing, damaged or something else.
    """
    with reading_result(Path(path), SEMIGRAND_KIND) as file:
        densities = {int(name): read_density(group) for name, group in file["compositions"].items()}
        ordered = dict(sorted(densities.items()))
        return SemigrandRecord(densities=ordered, **read_outcome(file), **read_description(file))


def read_any_result(path: str | os.PathLike[str]) -> AnyRecord:
    """Read a result file of densities of states, one or several; raises as :func:`read_semigrand` does."""
    return read_semigrand(path) if kind_of(path) == SEMIGRAND_KIND else read_result(path)


def sources_of(records: AnyRecord | Sequence[AnyRecord]) -> Mapping[int, Source]:
    """Collect the densities of states of all compositions that some results hold.

    Parameters
    ----------
    records : RunRecord, ExactRecord, SemigrandRecord or a sequence of them
        Of one lattice and one oracle; no composition twice.

    Returns
    -------
    dict of int to Source
        By number of second-species atoms, ascending.

    Raises
    ------
    InputError
        If there is none, they differ in lattice or oracle, a composition comes twice, or one has no fixed composition.
    """
    every = [records] if isinstance(records, AnyRecord) else list(records)
    if not every:
        raise InputError("there are no results; give at least one file")
    for record in every[1:]:
        _check_alike(every[0], record)
    found: dict[int, Source] = {}
    for record in every:
        for composition, source in _parts(record):
            if composition in found:
                raise InputError(f"composition {composition} comes twice; give each composition once")
            found[composition] = source
    return dict(sorted(found.items()))


def _parts(record: AnyRecord) -> list[tuple[int, Source]]:
    if isinstance(record, SemigrandRecord):
        return list(record.densities.items())
    if isinstance(record, RunRecord):
        if record.density.composition is None:
            raise InputError("a run of free composition does not tell compositions apart; sample each of them")
        return [(record.density.composition, record.density)]
    parts = [record.levels.at_composition(composition) for composition in sorted(record.levels.ground_state_keys)]
    return [(int(part.compositions[0]), Levels.exact(part.n_sites, part.energies, part.degeneracies)) for part in parts]


def _check_alike(first: AnyRecord, other: AnyRecord) -> None:
    ours, theirs = (np.vstack([record.system["cell"], record.system["positions"]]) for record in (first, other))
    if ours.shape != theirs.shape or not np.allclose(ours, theirs, atol=1e-6):
        raise InputError(
            f"the results are of different lattices ({len(ours) - 3} and {len(theirs) - 3} sites); "
            "give files of one lattice"
        )
    if first.oracle["identity"] != other.oracle["identity"]:
        raise InputError(
            f"the results come from different oracles ({first.oracle['name']} and {other.oracle['name']}): their "
            "energies cannot be compared; give files of one oracle"
        )
