"""F29: the log of energies cut off, flipped, doubled, mixed up."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fault_counts import FaultCount, Tally, WrongResult
from standin_campaign import CELL

import lsms_bridge.result_log as result_log
from lsms_bridge.result_log import LOG_NAME, Record, ResultLog
from wanglandau.errors import InputError

N_RECORDS = 12


def record(number: int) -> Record:
    sites = f"{number:08b}"
    charge = tuple(0.01 * (number + site) for site in range(8))
    return Record(sites, -1.5 - number, -0.5, 0.5, charge, (0.0,) * 8, 12, 1e-6, 1e-6, 1e-6, 30.0, "test")


def written_log(folder: Path) -> list[bytes]:
    """Write a log; return its lines, the heading first."""
    folder.mkdir(exist_ok=True)
    (folder / LOG_NAME).unlink(missing_ok=True)
    log = ResultLog(folder, CELL, {})
    for number in range(N_RECORDS):
        log.add(record(number))
    log.close()
    return (folder / LOG_NAME).read_bytes().splitlines(keepends=True)


def judge(count: FaultCount, folder: Path, content: bytes, whole: set[int]) -> None:
    """Read a damaged log: what it gives was written, whole lines are all there, and it can be gone on with."""
    (folder / LOG_NAME).write_bytes(content)
    expected = {record(number).occupations: record(number) for number in range(N_RECORDS)}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        log = ResultLog(folder, CELL, {})
    try:
        found = {one.occupations: one for one in log}
        for name, one in found.items():
            if one != expected.get(name):
                raise WrongResult(f"{name} was never written like that")
        lost = whole - {int(name, 2) for name in found}
        count.energies_lost += len(lost)
        damaged = sum(line not in _WHOLE for line in content.splitlines())
        assert len(told) == damaged, f"{damaged} damaged lines, {len(told)} warnings"
        log.add(record(200))
    finally:
        log.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = ResultLog(folder, CELL, {})
    again.close()
    assert len(again) == len(found) + 1, "what was written after the damage is lost"


_WHOLE: set[bytes] = set()


def damage_logs(count: FaultCount, folder: Path, number: int) -> None:
    """Cut the log at every byte of its end, flip bits, double, exchange and mix up lines."""
    rng = np.random.default_rng(29)
    lines = written_log(folder)
    _WHOLE.clear()
    _WHOLE.update(line.rstrip() for line in lines)
    content, last = b"".join(lines), len(lines[-1])
    for cut in range(1, last + 1):
        whole = set(range(N_RECORDS - (cut > 1)))
        with count.injection(f"{cut} bytes short"):
            judge(count, folder, content[:-cut], whole)
    for place in range(number):
        picks = rng.integers(1, len(lines), 3)
        with count.injection(f"doubled and in another order, {place}"):
            body = [lines[k] for k in rng.permutation([*range(1, len(lines)), *picks])]
            judge(count, folder, b"".join([lines[0], *body]), set(range(N_RECORDS)))
        with count.injection(f"flipped bits, {place}"):
            body = list(lines)
            for pick in set(picks.tolist()):
                body[pick] = _flipped(body[pick], rng)
            judge(count, folder, b"".join(body), set(range(N_RECORDS)) - {pick - 1 for pick in picks.tolist()})
        with count.injection(f"torn in the middle, {place}"):
            pick = int(picks[0])
            torn = lines[pick][: int(rng.integers(1, len(lines[pick]) - 1))] + b"\n"
            body = [*lines[:pick], torn, *lines[pick + 1 :]]
            judge(count, folder, b"".join(body), set(range(N_RECORDS)) - {pick - 1})


def _flipped(line: bytes, rng: np.random.Generator) -> bytes:
    """Flip a bit of a line so that it stays one line."""
    while True:
        damaged = bytearray(line)
        bit = int(rng.integers(8 * (len(damaged) - 1)))
        damaged[bit // 8] ^= 1 << bit % 8
        if len(damaged.splitlines()) == 1:
            return bytes(damaged)


def test_damaged_logs(counted: Callable, tally: Tally, quick_folder: Path) -> None:
    with counted("F29") as count:
        damage_logs(count, quick_folder / "log", tally.size(20, 600))
        for cut in range(1, 20):
            with count.injection(f"heading without {cut} bytes"):
                lines = written_log(quick_folder / "log")
                (quick_folder / "log" / LOG_NAME).write_bytes(lines[0][cut:] + b"".join(lines[1:]))
                with pytest.raises(InputError, match="does not begin with its heading"):
                    ResultLog(quick_folder / "log", CELL, {})


def test_flipped_bits_would_be_believed_without_the_checksum(
    broken: Callable, quick_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def believe(line: bytes) -> object:
        try:
            return json.loads(line[9:])
        except ValueError:
            return None

    with broken("F29", "checksum of lines") as count:
        monkeypatch.setattr(result_log, "_decode", believe)
        damage_logs(count, quick_folder / "log", 20)
        assert count.wrong
