"""The oracle ``lsms``: energies computed by LSMS itself, each orbit once, kept on disk."""

from __future__ import annotations

import atexit
import hashlib
import sys
import threading
from concurrent.futures import Executor
from pathlib import Path

import numpy as np

from lsms_bridge.campaign import Campaign
from lsms_bridge.canonical import from_text, mapping_from
from lsms_bridge.configuration import BridgeConfiguration, load_configuration
from lsms_bridge.result_log import Record
from surrogate.dataset import Dataset
from wanglandau.errors import InputError, OracleError
from wanglandau.lattice import Lattice
from wanglandau.oracle import Properties, occupation_rows, pure_energies
from wanglandau.systems import System

DEFAULT_CONFIGURATION = "lsms.toml"
"""Read from the working directory where ``--oracle lsms`` names no file."""
ENERGY_DIGITS = 9
"""Mixing energies are rounded to this many decimals (Ry), far below what LSMS converges to."""
MAX_REMEMBERED = 2**20
"""Configurations whose energies are kept in memory without asking for their orbit."""


class LsmsOracle:
    """Mixing energies, charges and moments by LSMS.

    What is not known is computed when it is asked for, all missing configurations of a batch at once over the
    campaign's executor; what is known comes from the log. The pure species are computed first.

    Parameters
    ----------
    lattice : Lattice
    configuration : BridgeConfiguration
    executor : concurrent.futures.Executor, optional
        See :class:`~lsms_bridge.campaign.Campaign`.
    known : Dataset, optional
        Results of the same physics that need no computing.

    Raises
    ------
    InputError
        If the folder of results is in use or holds others.
    OracleError
        If the pure species cannot be computed.
    """

    invariant = True

    def __init__(
        self,
        lattice: Lattice,
        configuration: BridgeConfiguration,
        executor: Executor | None = None,
        known: Dataset | None = None,
    ) -> None:
        self.lattice = lattice
        self.campaign = Campaign(lattice, configuration, executor, known)
        self._lock = threading.Lock()  # runs of a sampler may ask from several threads
        self._remembered: dict[bytes, float] = {}
        self._n_remembered_answers = 0
        try:
            self.reference_energies = self._references()
        except BaseException:
            self.campaign.close()
            raise
        text = f"lsms {lattice.fingerprint} {configuration.parameters.physics_digest}"
        self.identity = hashlib.sha256(text.encode() + self.reference_energies.tobytes()).hexdigest()

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        """Give the mixing energy of each configuration.

        Parameters
        ----------
        occupations : int8[n, n_sites]

        Returns
        -------
        float64[n], Ry per cell, rounded to 1e-9 Ry

        Raises
        ------
        OracleError
            If LSMS gave no energy to be used for one of them; what was found for others is kept.
        """
        rows = occupation_rows(occupations, self.lattice.n_sites)
        keys = [row.tobytes() for row in rows]
        missing = [place for place, key in enumerate(keys) if key not in self._remembered]
        self._n_remembered_answers += len(rows) - len(missing)
        found = {key: self._remembered[key] for key in keys if key in self._remembered}
        if missing:
            mixing = self._mixing(rows[missing], self._records(rows[missing])).tolist()
            found |= {keys[place]: energy for place, energy in zip(missing, mixing, strict=True)}
            if len(self._remembered) < MAX_REMEMBERED:
                self._remembered |= found
        return np.array([found[key] for key in keys])

    def properties(self, occupations: np.ndarray) -> Properties:
        """Give mixing energy, charges and moments of each configuration.

        Parameters
        ----------
        occupations : int8[n, n_sites]

        Raises
        ------
        OracleError
            As :meth:`energies`.
        """
        rows = occupation_rows(occupations, self.lattice.n_sites)
        records = self._records(rows)
        charge, moment = np.empty(rows.shape), np.empty(rows.shape)
        for place, (row, record) in enumerate(zip(rows, records, strict=True)):
            order = mapping_from(self.lattice, from_text(record.occupations), row)
            charge[place] = np.array(record.charge)[order]
            moment[place] = np.array(record.moment)[order]
        magnetic = self.campaign.configuration.parameters.n_spin == 2
        return Properties(self._mixing(rows, records), charge, moment if magnetic else None)

    def usage(self) -> str:
        """Say how many energies were asked, computed, shared by symmetry, and how many runs failed."""
        again = self._n_remembered_answers
        return f"{self.campaign.usage}" + (f"; {again} more answers repeated earlier ones" if again else "")

    def close(self) -> None:
        """End all runs and let other processes use the folder."""
        self.campaign.close()

    def _references(self) -> np.ndarray:
        records = self.campaign.pure_records()
        bad = [record for record in records if not record.done]
        if bad:
            raise OracleError(f"a pure species has no energy: {self._why(bad[0])}")
        return np.array([record.energy for record in records]) / self.lattice.n_sites

    def _records(self, rows: np.ndarray) -> list[Record]:
        with self._lock:
            records = self.campaign.compute(rows, "oracle")
        bad = [record for record in records if not record.done]
        if bad:
            raise OracleError(
                f"LSMS gave no energy for {len(bad)} of {len(rows)} configurations; {self._why(bad[0])}; what was "
                "found is kept: change the settings and run 'lsms-bridge campaign' with --again, then this command anew"
            )
        return records

    def _why(self, record: Record) -> str:
        return f"{record.occupations} ({self.campaign.configuration.folder / record.folder}): {record.reason}"

    def _mixing(self, rows: np.ndarray, records: list[Record]) -> np.ndarray:
        totals = np.array([record.energy for record in records])
        return np.round(totals - pure_energies(rows, self.reference_energies), ENERGY_DIGITS)


def from_argument(argument: str, system: System) -> LsmsOracle:
    """Make the oracle that ``--oracle lsms`` or ``lsms:CONFIG.toml`` names.

    Parameters
    ----------
    argument : str
        Path of a configuration file; empty for ``lsms.toml`` in the working directory.
    system : System

    Raises
    ------
    InputError
        If the file is missing or wrong.
    OracleError
        If the pure species cannot be computed.
    """
    path = Path(argument or DEFAULT_CONFIGURATION)
    if not path.is_file():
        raise InputError(
            f"oracle lsms needs a configuration file, and there is no {path}; write one that names under [launcher] "
            'executable = "PATH of lsms_asa", and say --oracle lsms:FILE.toml; without LSMS use --oracle surrogate'
        )
    configuration = load_configuration(path, system.name)
    oracle = LsmsOracle(system.lattice, configuration, known=configuration.known_results())
    atexit.register(_finish, oracle)
    return oracle


def _finish(oracle: LsmsOracle) -> None:
    """Say what was spent, however the command ends, and let go of the folder."""
    print(oracle.usage(), file=sys.stderr)
    oracle.close()
