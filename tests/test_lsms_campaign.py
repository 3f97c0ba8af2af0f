"""Campaigns end with the right energies whatever goes wrong on the way; nothing wrong is accepted, nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zlib
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from standin_campaign import (
    processes_left,
    runs_by_configuration,
    runs_made,
    standin_configuration,
    standin_file,
    total_energies,
)

from lsms_bridge.campaign import Campaign
from lsms_bridge.canonical import as_text, from_text, mapping_from, representatives
from lsms_bridge.collection import collect_dataset
from lsms_bridge.result_log import Record, ResultLog
from lsms_bridge.selection import Selection, select
from wanglandau.configurations import balanced_configurations
from wanglandau.errors import InputError, OracleError
from wanglandau.lattice import Lattice
from wanglandau.systems import System, load_system

CELL = load_system("cuau", (2, 1, 1)).lattice
MAGNETIC = load_system("fept", (2, 2, 2)).lattice


def some(lattice: Lattice, per_composition: int = 1) -> np.ndarray:
    rng = np.random.default_rng(5)
    return balanced_configurations(lattice.n_sites, per_composition, rng=rng, permutations=lattice.symmetry)


def check_energies(lattice: Lattice, rows: np.ndarray, records: list[Record]) -> None:
    assert all(record.done for record in records)
    np.testing.assert_allclose([record.energy for record in records], total_energies(lattice, rows), atol=3e-6, rtol=0)


def test_energies_and_site_values_are_those_of_the_program(tmp_path: Path) -> None:
    rows = some(CELL, 2)
    with Campaign(CELL, standin_configuration(tmp_path)) as campaign:
        records = campaign.compute(rows, "test")
        check_energies(CELL, rows, records)
        assert campaign.usage.runs == campaign.usage.computed == len({record.occupations for record in records})
        for record in records:
            assert abs(sum(record.charge)) < 1e-4 and record.source == "test" and record.iterations > 2
    assert not processes_left(tmp_path)


def test_no_orbit_is_computed_twice(tmp_path: Path) -> None:
    row = some(CELL)[4]
    images = row[CELL.symmetry]
    with Campaign(CELL, standin_configuration(tmp_path)) as campaign:
        campaign.compute(images, "test")
        campaign.compute(images[::-1], "test")
        assert (campaign.usage.asked, campaign.usage.computed) == (2 * len(images), 1)
    with Campaign(CELL, standin_configuration(tmp_path)) as campaign:
        campaign.compute(images, "test")
    assert len(runs_made(tmp_path)) == 1


FAULTS = ["die", "exit", "crash", "nan", "inf", "offset", "truncate", "empty", "stale", "other", "charge", "diverge"]


@pytest.mark.parametrize("fault", [*FAULTS, "unconverged", "shuffled"])
def test_first_run_of_everything_fails(tmp_path: Path, fault: str) -> None:
    rows = some(CELL)[2:5]
    with Campaign(CELL, standin_configuration(tmp_path, f"{fault}:first")) as campaign:
        records = campaign.compute(rows, "test")
        check_energies(CELL, rows, records)
        assert campaign.usage.runs == 2 * len(rows)
        assert sum(campaign.usage.failures.values()) == len(rows)
    assert set(runs_by_configuration(tmp_path).values()) == {2}


@pytest.mark.parametrize("fault", ["hang:first", "hang-stubborn:first"])
def test_hanging_runs_are_killed_with_their_children(tmp_path: Path, fault: str) -> None:
    rows = some(CELL)[3:5]
    settings = standin_configuration(tmp_path, fault, launcher={"time_limit": 1.5})
    with Campaign(CELL, settings) as campaign:
        check_energies(CELL, rows, campaign.compute(rows, "test"))
        assert campaign.usage.failures == {"TIMED_OUT": 2}
    assert any(int(words[1]) for words in runs_made(tmp_path))
    assert not processes_left(tmp_path)


@pytest.mark.parametrize(
    ("fault", "rung", "n_runs"),
    [
        ("needs-iterations", "more iterations", 2),
        ("slow-mixing", "fresh potentials", 3),
        ("needs-scratch", "fresh potentials", 3),
    ],
)
def test_ladder_finds_the_way(tmp_path: Path, fault: str, rung: str, n_runs: int) -> None:
    rows = some(CELL)[2:5]
    with Campaign(CELL, standin_configuration(tmp_path / "library")) as campaign:
        campaign.compute(rows, "test")
    (tmp_path / "results").mkdir()
    os.rename(tmp_path / "library" / "results" / "potentials", tmp_path / "results" / "potentials")
    with Campaign(CELL, standin_configuration(tmp_path, fault)) as campaign:
        records = campaign.compute(rows, "test")
        check_energies(CELL, rows, records)
        assert {record.attempts[-1]["rung"] for record in records} == {rung}
        assert {len(record.attempts) for record in records} == {n_runs}


def test_other_moments_are_tried(tmp_path: Path) -> None:
    rows = some(MAGNETIC)[4:6]
    settings = standin_configuration(tmp_path, "moments", preset="fept")
    with Campaign(MAGNETIC, settings) as campaign:
        records = campaign.compute(rows, "test")
        check_energies(MAGNETIC, rows, records)
        assert {record.attempts[-1]["rung"] for record in records} == {"other starting moments"}
        assert all(max(record.moment) > 1.0 for record in records)


def test_what_never_converges_is_given_up_and_said(tmp_path: Path) -> None:
    rows = some(CELL)[2:5]
    with Campaign(CELL, standin_configuration(tmp_path, "unconverged")) as campaign:
        records = campaign.compute(rows, "test")
        assert not any(record.done for record in records) and campaign.usage.given_up == 3
        assert [attempt["failure"] for attempt in records[0].attempts] == ["NOT_CONVERGED"] * 4
    with Campaign(CELL, standin_configuration(tmp_path)) as campaign:
        assert not any(record.done for record in campaign.compute(rows, "test"))
        assert campaign.usage.runs == 0
        check_energies(CELL, rows, campaign.compute(rows, "test", again=True))
    with Campaign(CELL, standin_configuration(tmp_path)) as campaign:
        check_energies(CELL, rows, campaign.compute(rows, "test"))
        assert campaign.usage.runs == 0


def test_too_many_failures_end_a_campaign(tmp_path: Path) -> None:
    settings = standin_configuration(tmp_path, "nan", effort={"max_given_up": 1, "rungs": 1}, workers=1)
    with Campaign(CELL, settings) as campaign, pytest.raises(OracleError, match="2 configurations were given up"):
        campaign.compute(some(CELL), "test")
    assert len(runs_made(tmp_path)) == 2


def test_what_would_fail_everywhere_ends_at_once(tmp_path: Path) -> None:
    settings = standin_configuration(tmp_path, "fstop", workers=1)
    with Campaign(CELL, settings) as campaign, pytest.raises(OracleError, match=r"every run would fail.*DEEPST"):
        campaign.compute(some(CELL), "test")
    assert len(runs_made(tmp_path)) == 1
    settings = replace(settings, launcher=replace(settings.launcher, executable="no-such-lsms"))
    with Campaign(CELL, settings) as campaign, pytest.raises(InputError, match="no-such-lsms"):
        campaign.compute(some(CELL), "test")


def test_flaky_program_changes_no_energy(tmp_path: Path) -> None:
    rows = some(CELL, 4)
    kinds = [f"{kind}:0.04" for kind in ("die", "nan", "truncate", "unconverged", "other")]
    with Campaign(CELL, standin_configuration(tmp_path, *kinds)) as campaign:
        check_energies(CELL, rows, campaign.compute(rows, "test"))
        assert sum(campaign.usage.failures.values()) > 0


# ---------------------------------------------------------------- the log


def log_lines(folder: Path) -> list[bytes]:
    return (folder / "results" / "results.jsonl").read_bytes().splitlines(keepends=True)


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
    with pytest.raises(InputError, match="another lattice"):
        Campaign(load_system("cuau", (1, 1, 1)).lattice, settings)


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with Campaign(CELL, standin_configuration(tmp_path)) as campaign:
        with pytest.raises(InputError, match=f"another process .process {os.getpid()}"):
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


# ---------------------------------------------------------------- killing and going on


def start_campaign(folder: Path, count: int) -> subprocess.Popen[bytes]:
    words = [
        "--lsms",
        str(folder / "lsms.toml"),
        "--select",
        "balanced",
        "--count",
        str(count),
        "--repeat",
        "2",
        "1",
        "1",
    ]
    return subprocess.Popen(
        [sys.executable, "-m", "lsms_bridge.cli", "campaign", "cuau", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_killed_campaign_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    standin_file(tmp_path)
    process = start_campaign(tmp_path, 20)
    end = time.monotonic() + 60
    while len(runs_made(tmp_path)) < 6 and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(process.pid, number)
    process.wait(30)
    assert process.returncode != 0
    finished = sum(b'"record"' in line for line in log_lines(tmp_path))
    assert 3 <= finished < 20
    assert start_campaign(tmp_path, 20).wait(120) == 0
    counts = runs_by_configuration(tmp_path)
    assert sum(counts.values()) <= len(counts) + 2  # only what was in flight was computed again
    assert not processes_left(tmp_path)


class LosesWorkers(Executor):
    """Computes at once; the first so many calls die with their worker."""

    def __init__(self, n_lost: int) -> None:
        self.n_lost = n_lost

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if self.n_lost:
            self.n_lost -= 1
            future.set_exception(RuntimeError("worker lost"))
        else:
            future.set_result(function(*args, **kwargs))
        return future


def test_lost_workers_are_replaced(tmp_path: Path) -> None:
    rows = some(CELL)[1:5]
    with Campaign(CELL, standin_configuration(tmp_path), LosesWorkers(3)) as campaign:
        check_energies(CELL, rows, campaign.compute(rows, "test"))
    with Campaign(CELL, standin_configuration(tmp_path / "more"), LosesWorkers(99)) as campaign:
        with pytest.raises(OracleError, match=r"lost 4 times .RuntimeError: worker lost"):
            campaign.compute(rows, "test")


# ---------------------------------------------------------------- selections and data sets


@pytest.mark.parametrize("kind", ["balanced", "ordered", "lowest", "highest"])
def test_selections_hold_new_orbits_only(cuau: System, kind: Any) -> None:
    from wanglandau.oracle_registry import load_oracle

    known = {as_text(row) for row in representatives(cuau.lattice, some(cuau.lattice))}
    chosen = Selection(kind, 12, tuple(range(2, 7)), 1)
    rows = select(cuau.lattice, chosen, lambda row: as_text(row) in known, load_oracle("surrogate", cuau))
    texts = [as_text(row) for row in representatives(cuau.lattice, rows)]
    n_expected = 5 if kind == "ordered" else 12  # there are no more orbits that small
    assert len(set(texts)) == len(texts) == n_expected and not set(texts) & known
    assert set(rows.sum(axis=1).tolist()) <= {2, 3, 4, 5, 6}
    assert texts == [as_text(row) for row in rows]


def test_data_set_of_a_campaign(tmp_path: Path) -> None:
    rows = some(CELL, 2)
    with Campaign(CELL, standin_configuration(tmp_path)) as campaign:
        campaign.compute(rows[3:5], "test")
        with pytest.raises(InputError, match="pure species have not been computed"):
            collect_dataset(campaign, "cuau")
        base_records = campaign.compute(rows, "test")
        base = collect_dataset(campaign, "cuau")
    assert len(base) == len({record.occupations for record in base_records}) == len(np.unique(base.orbit))
    np.testing.assert_allclose(base.energy, total_energies(CELL, base.occupations), atol=3e-6, rtol=0)
    with Campaign(CELL, standin_configuration(tmp_path / "more"), known=base) as campaign:
        more = some(CELL, 3)
        campaign.compute(more, "more")
        merged = collect_dataset(campaign, "cuau", base)
        assert campaign.usage.computed == len(merged) - len(base)
    np.testing.assert_array_equal(merged.energy[: len(base)], base.energy)
    assert len(np.unique(merged.orbit)) == len(merged) > len(base)
    assert set(merged.source) == {"test", "more", "pure"} - ({"pure"} if "pure" not in base.source else set())


def test_site_values_follow_the_sites(cuau: System) -> None:
    row = some(cuau.lattice)[16]
    values = np.arange(32.0)
    for operation in cuau.lattice.symmetry[::97]:
        image = row[operation]
        order = mapping_from(cuau.lattice, row, image)
        np.testing.assert_array_equal(row[order], image)
        assert sorted(values[order]) == sorted(values)
    assert as_text(from_text("0110")) == "0110"


def test_checksum_is_that_of_the_line(tmp_path: Path) -> None:
    with Campaign(CELL, standin_configuration(tmp_path)) as campaign:
        campaign.compute(some(CELL)[:1], "test")
    for line in log_lines(tmp_path):
        assert int(line[:8], 16) == zlib.crc32(line[9:-1])
        assert set(json.loads(line[9:])) <= {"header", "record"}
