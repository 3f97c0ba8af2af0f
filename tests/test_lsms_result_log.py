"""The log of results: what is damaged is not believed, what is whole is never lost."""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from standin_campaign import (
    CELL,
    check_energies,
    log_lines,
    runs_by_configuration,
    runs_made,
    some,
    standin_configuration,
)

from lsms_bridge.campaign import Campaign
from lsms_bridge.result_log import Record, ResultLog
from wanglandau.errors import InputError
from wanglandau.systems import load_system


def test_torn_and_flipped_lines_are_passed_over_and_made_anew(tmp_path: Path) -> None:
    rows = some(CELL)[1:6]
    with Campaign(CELL, standin_configuration(tmp_path)) as campaign:
        before = campaign.compute(rows, "test")
    lines = log_lines(tmp_path)
    flipped = bytearray(lines[2])
    flipped[100] ^= 4
    log = tmp_path / "results" / "results.jsonl"
    log.write_bytes(b"".join([*lines[:2], bytes(flipped), *lines[3:-1], lines[-2], lines[-1][:-40]]))
    n_runs = len(runs_made(tmp_path))
    with (
        pytest.warns(RuntimeWarning, match="line [37] is damaged"),
        Campaign(CELL, standin_configuration(tmp_path)) as campaign,
    ):
        after = campaign.compute(rows, "test")
    assert [record.energy for record in after] == pytest.approx([record.energy for record in before], abs=1e-6)
    assert len(runs_made(tmp_path)) <= n_runs + 2  # at most the two damaged ones are computed again
    with pytest.warns(RuntimeWarning), Campaign(CELL, standin_configuration(tmp_path)) as campaign:
        assert len(campaign.log) == len(rows)


@pytest.mark.parametrize("seed", range(4))
def test_no_flipped_bit_is_believed(tmp_path: Path, seed: int) -> None:
    record = Record("0" * 8, -1.5, -0.5, 0.5, (0.0,) * 8, (0.0,) * 8, 12, 1e-6, 1e-6, 1e-6, 30.0, "test")
    log = ResultLog(tmp_path, CELL, {})
    log.add(record)
    log.close()
    path, rng = tmp_path / "results.jsonl", np.random.default_rng(seed)
    content = path.read_bytes()
    start = content.index(b"\n") + 1
    for position in rng.integers(8 * start, 8 * (len(content) - 1), 250):
        damaged = bytearray(content)
        damaged[position // 8] ^= 1 << (position % 8)
        path.write_bytes(bytes(damaged))
        with pytest.warns(RuntimeWarning):
            again = ResultLog(tmp_path, CELL, {})
        again.close()
        assert len(again) == 0


def test_log_of_other_physics_is_refused_by_name(tmp_path: Path) -> None:
    settings = standin_configuration(tmp_path)
    with Campaign(CELL, settings) as campaign:
        campaign.compute(some(CELL)[:1], "test")
    other = replace(settings, parameters=replace(settings.parameters, liz_radius=9.0, mixing_start=0.01))
    with pytest.raises(InputError, match=r"liz_radius was 8\.0, is 9\.0") as refusal:
        Campaign(CELL, other)
    assert "mixing" not in str(refusal.value)
    with pytest.raises(InputError, match=r"of another calculation \(lattice was '\w+\.\.\., is '\w+\.\.\.\)"):
        Campaign(load_system("cuau", (1, 1, 1)).lattice, settings)


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with Campaign(CELL, standin_configuration(tmp_path)) as campaign:
        with pytest.raises(InputError, match=f"in use by process {os.getpid()}"):
            Campaign(CELL, standin_configuration(tmp_path))
        campaign.compute(some(CELL)[:1], "test")
    Campaign(CELL, standin_configuration(tmp_path)).close()


def test_disk_that_is_full_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = some(CELL)[1:4]
    settings = standin_configuration(tmp_path, workers=1)
    with Campaign(CELL, settings) as campaign:
        campaign.compute(rows[:1], "test")
        monkeypatch.setattr(
            os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device"))
        )
        with pytest.raises(OSError, match="No space left"):
            campaign.compute(rows[1:2], "test")
    monkeypatch.undo()
    with Campaign(CELL, settings) as campaign:
        check_energies(CELL, rows, campaign.compute(rows, "test"))
    assert max(runs_by_configuration(tmp_path).values()) == 1  # a finished run that was not logged is found again


def test_checksum_is_that_of_the_line(tmp_path: Path) -> None:
    with Campaign(CELL, standin_configuration(tmp_path)) as campaign:
        campaign.compute(some(CELL)[:1], "test")
    for line in log_lines(tmp_path):
        assert int(line[:8], 16) == zlib.crc32(line[9:-1])
        assert set(json.loads(line[9:])) <= {"header", "record"}
