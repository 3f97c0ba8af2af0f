"""The log of results: written before anything is made of them, and never rewritten.

One line a result: a checksum (CRC-32), a blank, and JSON. A line counts once it is on disk (``fsync``); one that was
cut off by a crash, or whose checksum is wrong, is passed over with a warning, and its configuration is computed anew.
The first line says for which lattice and physics the results are; a log of others is refused. One process writes at a
time, which a lock on the folder sees to.
"""

from __future__ import annotations

import dataclasses
import json
import os
import warnings
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wanglandau.atomic_file import sync_folder
from wanglandau.errors import InputError
from wanglandau.json_text import parse_json
from wanglandau.lattice import Lattice
from wanglandau.run_description import refuse_different
from wanglandau.run_lock import lock_file

LOG_NAME = "results.jsonl"
LOCK_NAME = "lock"
FORMAT_VERSION = 1
MAX_LINE = 2**22
"""Longest line that is read; one of 1,000 sites has some 50 kB."""


@dataclass(frozen=True)
class Record:
    """What is known of one orbit.

    Attributes
    ----------
    occupations : str
        Of its representative, one character a site.
    energy, band_energy, fermi_energy : float, Ry
        Of the cell; nan where the configuration was given up.
    charge : tuple of float, electrons
    moment : tuple of float, Bohr magnetons
    iterations : int
    energy_change : float, Ry
        In the last iteration.
    residual, potential_residual : float
        See :class:`~lsms_bridge.history.History`.
    seconds : float
        Wall time of the run that counts.
    source : str
        How the configuration was chosen.
    attempts : tuple of mapping
        Fields of :class:`~lsms_bridge.calculation.Attempt`, one for each run.
    remarks : tuple of str
    folder : str
        Of the last attempt, relative to that of the log.
    """

    occupations: str
    energy: float
    band_energy: float
    fermi_energy: float
    charge: tuple[float, ...]
    moment: tuple[float, ...]
    iterations: int
    energy_change: float
    residual: float
    potential_residual: float
    seconds: float
    source: str
    attempts: tuple[Mapping[str, Any], ...] = ()
    remarks: tuple[str, ...] = ()
    folder: str = ""

    @property
    def done(self) -> bool:
        """Whether there is a result; otherwise the configuration was given up."""
        return bool(np.isfinite(self.energy))

    @property
    def reason(self) -> str:
        """What the last attempt said; empty where it counts."""
        return str(self.attempts[-1]["message"]) if self.attempts else "no attempt is on record"

    @classmethod
    def given_up(cls, occupations: str, source: str, attempts: tuple[Mapping[str, Any], ...], folder: str) -> Record:
        """Make the record of a configuration that has no result."""
        nan = float("nan")
        return cls(occupations, nan, nan, nan, (), (), 0, nan, nan, nan, 0.0, source, attempts, (), folder)


class ResultLog:
    """The results in a folder, open for one writer.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    lattice : Lattice
    physics : mapping
        See :meth:`~lsms_bridge.parameters.LsmsParameters.physics`.

    Raises
    ------
    InputError
        If another process has it open, it is for another lattice or physics, or it cannot be read.
    """

    def __init__(self, folder: Path, lattice: Lattice, physics: Mapping[str, Any]) -> None:
        self.folder = folder
        header = _header(lattice, physics)
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = lock_file(folder / LOCK_NAME, str(folder))
        try:
            self._records = _read(folder / LOG_NAME, header, lattice.n_sites)
            _end_line(folder / LOG_NAME)
            self._file = open(folder / LOG_NAME, "ab")
        except BaseException:
            os.close(self._lock)
            raise
        if self._file.tell() == 0:
            self._write({"header": header})
            sync_folder(folder)

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(list(self._records.values()))

    def get(self, occupations: str) -> Record | None:
        """Return what is known of a representative."""
        return self._records.get(occupations)

    def add(self, record: Record) -> Record:
        """Store a record; return the one that counts: the first with a result.

        Raises
        ------
        OSError
            If it cannot be brought to disk.
        """
        known = self._records.get(record.occupations)
        if known is not None and known.done:
            return known
        self._write({"record": dataclasses.asdict(record)})
        self._records[record.occupations] = record
        return record

    def close(self) -> None:
        """Close the file and let others write; again does nothing."""
        if not self._file.closed:
            self._file.close()
            os.close(self._lock)

    @property
    def closed(self) -> bool:
        """Whether the file has been closed."""
        return self._file.closed

    def _write(self, value: Mapping[str, Any]) -> None:
        body = json.dumps(value).encode()
        self._file.write(b"%08x " % zlib.crc32(body) + body + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def read_records(folder: Path, lattice: Lattice, physics: Mapping[str, Any]) -> list[Record]:
    """Read a log without a lock, also while a campaign writes to it.

    Parameters
    ----------
    folder : Path
    lattice : Lattice
    physics : mapping

    Raises
    ------
    InputError
        If there is none, or it is for another lattice or physics.
    """
    if not (folder / LOG_NAME).is_file():
        raise InputError(f"there are no results in {folder}; run a campaign first")
    return list(_read(folder / LOG_NAME, _header(lattice, physics), lattice.n_sites).values())


def read_any_records(folder: Path) -> tuple[dict[str, Any], list[Record]]:
    """Read a log of whatever lattice and physics, without a lock.

    Returns
    -------
    header : dict
        ``species``, ``lattice`` and ``physics`` of the results.
    records : list of Record

    Raises
    ------
    InputError
        If there is none, or it is damaged.
    """
    path = folder / LOG_NAME
    header, lines = _read_header(path), iter(_read_lines(path))
    next(lines, None)
    first = next((len(str(line["record"].get("occupations", ""))) for line in lines if line and "record" in line), 0)
    return header, list(_read(path, header, first).values())


def _read_header(path: Path) -> dict[str, Any]:
    first = next(_read_lines(path), None)
    if first is None or not isinstance(first.get("header"), dict):
        raise InputError(
            f"{path} does not begin with its heading; it is damaged or no log of results; name another folder"
        )
    return first["header"]


def _header(lattice: Lattice, physics: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": FORMAT_VERSION,
        "species": list(lattice.species),
        "lattice": lattice.fingerprint,
        "physics": dict(physics),
    }


def _read(path: Path, header: Mapping[str, Any], n_sites: int) -> dict[str, Record]:
    lines = list(_read_lines(path)) if path.exists() else []
    if not lines:
        return {}
    _check_header(path, _read_header(path), header)
    records: dict[str, Record] = {}
    for place, line in enumerate(lines[1:], 2):
        record = None if line is None else _record(line, n_sites)
        if record is None:
            warnings.warn(f"{path}: line {place} is damaged and was passed over", RuntimeWarning, stacklevel=3)
            continue
        known = records.get(record.occupations)
        if known is None or not known.done:
            records[record.occupations] = record
    return records


def _read_lines(path: Path) -> Iterator[dict[str, Any] | None]:
    """Yield what each line holds, None for one that is damaged."""
    with open(path, "rb") as file:
        while line := file.readline(MAX_LINE):
            yield _decode(line)


def _decode(line: bytes) -> dict[str, Any] | None:
    """Return what a line holds; whether it is whole its checksum says, not the end of the line."""
    if len(line) < 10 or line[8:9] != b" ":
        return None
    body = line[9:].removesuffix(b"\n")
    if b"%08x" % zlib.crc32(body) != line[:8]:
        return None
    try:
        value = parse_json(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _record(line: Mapping[str, Any], n_sites: int) -> Record | None:
    try:
        values = dict(line["record"])
        for name in ("charge", "moment", "attempts", "remarks"):
            values[name] = tuple(values[name])
        record = Record(**values)
        return record if _is_whole(record, n_sites) else None
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _is_whole(record: Record, n_sites: int) -> bool:
    """Tell whether every part is of its kind; may raise TypeError, ValueError or KeyError where one is not."""
    texts = (record.occupations, record.source, record.folder, *record.remarks)
    numbers = [getattr(record, name) for name in _NUMBERS] + [*record.charge, *record.moment]
    for attempt in record.attempts:
        texts += (attempt["rung"], attempt["failure"], attempt["message"])
        numbers.append(attempt["seconds"])
    if not all(isinstance(text, str) for text in texts) or set(record.occupations) - {"0", "1"}:
        return False
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers):
        return False
    if len(record.occupations) != n_sites:
        return False
    return not record.done or (len(record.charge) == n_sites and len(record.moment) in (0, n_sites))


_NUMBERS = (
    "energy",
    "band_energy",
    "fermi_energy",
    "iterations",
    "energy_change",
    "residual",
    "potential_residual",
    "seconds",
)


def _check_header(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    remedy = "name another folder in the configuration, or take the old settings and the --repeat of the campaign"
    refuse_different(path, found, json.loads(json.dumps(wanted)), remedy)


def _end_line(path: Path) -> None:
    """Make sure that the next record begins on a line of its own, after a line that was cut off."""
    if not path.exists() or not path.stat().st_size:
        return
    with open(path, "rb+") as file:
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")
