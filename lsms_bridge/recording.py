"""From a result that counts to its record in the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lsms_bridge.canonical import as_text, mapping_from, representatives
from lsms_bridge.result import Result
from lsms_bridge.result_log import Record
from wanglandau.lattice import Lattice


def make_record(
    lattice: Lattice,
    result: Result,
    source: str,
    folder: str,
    seconds: float = 0.0,
    attempts: tuple[Mapping[str, Any], ...] = (),
) -> Record:
    """Make the record of a result, for the representative of its orbit.

    Parameters
    ----------
    lattice : Lattice
    result : Result
        Of any configuration of the orbit.
    source : str
        How the configuration was chosen.
    folder : str
        Where the run lies.
    seconds : float
        Wall time of the run.
    attempts : tuple of mapping
        See :class:`~lsms_bridge.result_log.Record`.
    """
    found, history = result.configuration, result.history
    row = representatives(lattice, found.occupations[None])[0]
    same = np.array_equal(row, found.occupations)
    order = np.arange(lattice.n_sites) if same else mapping_from(lattice, found.occupations, row)
    return Record(
        as_text(row),
        found.energy,
        found.band_energy,
        found.fermi_energy,
        tuple(found.charge[order].tolist()),
        tuple(found.moment[order].tolist()),
        len(history),
        history.energy_change,
        float(history.residual[-1]),
        float(history.potential_residual[-1]),
        seconds,
        source,
        attempts,
        result.remarks,
        folder,
    )
