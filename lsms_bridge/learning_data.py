"""The data of the loop: what the dear oracle is asked for, and how its answers join those that were there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lsms_bridge.canonical import representatives
from lsms_bridge.collection import MAX_REFERENCE_DIFFERENCE
from surrogate.dataset import Dataset, orbit_labels
from surrogate.orbits import MAX_SITES
from wanglandau.configurations import random_configurations
from wanglandau.errors import InputError, OracleError
from wanglandau.oracle import EnergyOracle, Properties, PropertyOracle, checked_energies, pure_energies
from wanglandau.ordered_structures import ordered_structures
from wanglandau.systems import System

SOURCE_PREFIX = "learn-"
"""Before the reason for which the loop chose a configuration, as the source in data sets."""
DRAWS = 200
"""Random draws for each distinct configuration that is wanted at the start, at most."""


def check_cell(n_sites: int) -> None:
    """Refuse cells that are too large for a data set.

    Raises
    ------
    InputError
        If they are.
    """
    if n_sites > MAX_SITES:
        raise InputError(f"the cell has {n_sites} sites; data sets, and so learning, are for at most {MAX_SITES}")


def ask(dear: EnergyOracle, occupations: np.ndarray) -> Properties:
    """Ask the dear oracle for all that it gives.

    Parameters
    ----------
    dear : EnergyOracle
        Charges and moments are taken where it has ``properties``.
    occupations : int8[n, n_sites]

    Raises
    ------
    OracleError
        If any answer could not be had.
    """
    if not isinstance(dear, PropertyOracle):
        return Properties(checked_energies(dear, occupations), None, None)
    found = dear.properties(occupations)
    if found.energy.shape != (len(occupations),) or not np.isfinite(found.energy).all():
        raise OracleError(f"the dear oracle gave no finite energy for each of {len(occupations)} configurations")
    return found


def start_dataset(dear: EnergyOracle, system: System, compositions: Sequence[int], count: int, seed: int) -> Dataset:
    """Have first data computed: the pure species and, at each composition, ordered and random configurations.

    Parameters
    ----------
    dear : EnergyOracle
    system : System
    compositions : sequence of int
    count : int
        At each composition: a quarter at most ordered ones, the others random; fewer where there are no more orbits.
    seed : int

    Raises
    ------
    OracleError
        If any energy could not be had.
    """
    lattice = system.lattice
    rows, sources = [np.full(lattice.n_sites, kind, dtype=np.int8) for kind in (0, 1)], ["pure", "pure"]
    for composition in compositions:
        named = [row for row in ordered_structures(lattice).values() if row.sum() == composition]
        rng = np.random.default_rng([seed, composition])
        drawn = random_configurations(lattice, composition, DRAWS * count, rng)
        some = [*named[: -(-count // 4)], *drawn]
        distinct = _distinct(representatives(lattice, np.array(some)))[:count]
        rows += list(distinct)
        ordered = (
            {row.tobytes() for row in representatives(lattice, np.array(named, dtype=np.int8))} if named else set()
        )
        sources += ["ordered" if row.tobytes() in ordered else "random" for row in distinct]
    occupations = np.array(rows, dtype=np.int8)
    found = ask(dear, occupations)
    references = np.asarray(dear.reference_energies, dtype=np.float64)
    return Dataset(
        lattice,
        occupations,
        found.energy + pure_energies(occupations, references),
        orbit_labels(lattice, occupations),
        references,
        found.charge,
        found.moment,
        np.array(sources),
        attributes={
            "system": system.name,
            "code": "the dear oracle of an active-learning loop",
            "settings": dear.identity,
        },
    )


def _distinct(rows: np.ndarray) -> np.ndarray:
    first = np.sort(np.unique(rows, axis=0, return_index=True)[1])
    return rows[first]


def check_goes_with(data: Dataset, dear: EnergyOracle) -> None:
    """Make sure that a data set and the dear oracle speak of the same energies.

    Raises
    ------
    InputError
        If lattice or reference energies differ.
    """
    if data.lattice.fingerprint != dear.lattice.fingerprint:
        raise InputError("the data set to start from is of another lattice than the dear oracle; take its system")
    difference = np.abs(np.asarray(dear.reference_energies) - data.reference_energies).max()
    if difference > MAX_REFERENCE_DIFFERENCE:
        raise InputError(
            f"pure species of the dear oracle and of the data set to start from differ by {difference:.3g} Ry/atom, "
            f"more than {MAX_REFERENCE_DIFFERENCE:g}: they were made with different settings; give another --dataset"
        )


def joined(
    data: Dataset, dear: EnergyOracle, occupations: np.ndarray, found: Properties, reasons: Sequence[str]
) -> Dataset:
    """Put new results behind those that were there.

    Charges and moments are kept where both have them, numbers of single runs (``records``) are not.

    Parameters
    ----------
    data : Dataset
        Its reference energies stay; total energies are what joins the two.
    dear : EnergyOracle
    occupations : int8[n, n_sites]
    found : Properties
        Answers of the dear oracle.
    reasons : sequence of str
        Why each was chosen.
    """
    known = data if data.source is not None else replace(data, source=np.full(len(data), "start"))
    return known.joined_with(
        Dataset(
            data.lattice,
            occupations,
            found.energy + pure_energies(occupations, np.asarray(dear.reference_energies, dtype=np.float64)),
            orbit_labels(data.lattice, occupations),
            data.reference_energies,
            found.charge,
            found.moment,
            np.array([SOURCE_PREFIX + reason for reason in reasons]),
        )
    )
