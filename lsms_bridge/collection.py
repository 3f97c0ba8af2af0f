"""From the log of a campaign to a data set."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from lsms_bridge.campaign import Campaign
from lsms_bridge.canonical import from_text
from lsms_bridge.result_log import Record
from surrogate.dataset import Dataset
from surrogate.orbits import orbit_labels
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice

MAX_REFERENCE_DIFFERENCE = 2e-6
"""By how much (Ry/atom) pure-species energies of a campaign may differ from those of a data set it is merged with."""

_RECORDS: Mapping[str, Callable[[Record], Any]] = {
    "scf_iterations": lambda record: np.int32(record.iterations),
    "wall_time": lambda record: record.seconds,
    "energy_change": lambda record: record.energy_change,
    "fermi_energy": lambda record: record.fermi_energy,
}


def collect_dataset(campaign: Campaign, system: str, base: Dataset | None = None) -> Dataset:
    """Make a data set of all results in a campaign's log.

    Parameters
    ----------
    campaign : Campaign
    system : str
        Name of the system.
    base : Dataset, optional
        Put first; orbits that it holds are left out of the rest, and its reference energies stay.

    Raises
    ------
    InputError
        If there are no results, the pure species are missing, or the base does not go with them.
    """
    records = sorted((record for record in campaign.log if record.done), key=_order)
    if base is not None and base.lattice.fingerprint != campaign.lattice.fingerprint:
        raise InputError("the data set to merge is for another lattice")
    references = _reference_energies(campaign, base)
    if base is not None:
        have = set(base.orbit.tolist())
        labels = orbit_labels(campaign.lattice, _occupations(records, campaign.lattice.n_sites))
        records = [record for record, label in zip(records, labels.tolist(), strict=True) if label not in have]
    if not records:
        raise InputError(f"{campaign.configuration.folder} holds no result that is new; run a campaign first")
    parameters = campaign.configuration.parameters
    new = dataset_of(campaign.lattice, records, references, system, parameters.physics(), parameters.n_spin == 2)
    return new if base is None else _joined(base, new)


def _order(record: Record) -> tuple[int, str]:
    return record.occupations.count("1"), record.occupations


def _occupations(records: Sequence[Record], n_sites: int) -> np.ndarray:
    rows = [from_text(record.occupations) for record in records]
    return np.array(rows, dtype=np.int8).reshape(len(rows), n_sites)


def _reference_energies(campaign: Campaign, base: Dataset | None) -> np.ndarray:
    n_sites = campaign.lattice.n_sites
    own = [campaign.log.get(kind * n_sites) for kind in "01"]
    if base is None:
        if not all(record is not None and record.done for record in own):
            raise InputError("the pure species have not been computed; run a campaign of any selection first")
        return np.array([record.energy / n_sites for record in own if record is not None])
    for record, energy in zip(own, base.reference_energies, strict=True):
        if record is not None and record.done and abs(record.energy / n_sites - energy) > MAX_REFERENCE_DIFFERENCE:
            raise InputError(
                f"a pure species has {record.energy / n_sites} Ry/atom here and {energy} in the data set to merge, "
                f"more than {MAX_REFERENCE_DIFFERENCE:g} apart: they were made with different settings"
            )
    return base.reference_energies


def dataset_of(
    lattice: Lattice,
    records: Sequence[Record],
    references: np.ndarray,
    system: str,
    physics: Mapping[str, Any] | None,
    magnetic: bool,
) -> Dataset:
    """Make a data set of records.

    Parameters
    ----------
    lattice : Lattice
    records : sequence of Record
        All with results.
    references : float64[2], Ry/atom
        Energies of the pure species.
    system : str
    physics : mapping or None
        Parameters of the runs, None where they are not known.
    magnetic : bool
        Whether moments are kept.
    """
    occupations = _occupations(records, lattice.n_sites)
    return Dataset(
        lattice,
        occupations,
        np.array([record.energy for record in records]),
        orbit_labels(lattice, occupations),
        references,
        np.array([record.charge for record in records]),
        np.array([record.moment for record in records]) if magnetic else None,
        np.array([record.source for record in records]),
        {name: np.array([value(record) for record in records]) for name, value in _RECORDS.items()},
        _attributes(physics, system),
    )


def _attributes(physics: Mapping[str, Any] | None, system: str) -> dict[str, Any]:
    return {
        "system": system,
        "code": "LSMS 3 (Locally Selfconsistent Multiple Scattering)",
        "settings": "not stated" if physics is None else json.dumps(physics, sort_keys=True),
        "created": datetime.now(UTC).date().isoformat(),
    }


def _joined(base: Dataset, new: Dataset) -> Dataset:
    """Put the new results behind those of the base, whose attributes stay."""
    for name in ("charge", "moment", "source"):
        if (getattr(base, name) is None) != (getattr(new, name) is None):
            raise InputError(f"only one of the two data sets has {name}; they cannot be merged")
    added = f"{len(new)} configurations added {new.attributes['created']}"
    return dataclasses.replace(base.joined_with(new), attributes={**base.attributes, "history": added})
