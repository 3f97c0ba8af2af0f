"""The benchmark on cells so small that kernels may be plain Python. No time is asserted."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from short_cell import SYSTEM, prepare, refused, told

from wanglandau.benchmark import PAIR_MODEL, BenchmarkSettings, Rivals, run_benchmark
from wanglandau.benchmarking import brawl, roofline, roofline_kernels
from wanglandau.benchmarking.engines import ENGINES
from wanglandau.benchmarking.peer import NotInstalled, Peer, PeerKind
from wanglandau.benchmarking.tables import as_text, markdown, sections
from wanglandau.benchmarking.work import Work, plan_work
from wanglandau.errors import InputError, OracleError
from wanglandau.lattice import Lattice
from wanglandau.pair_model import PairOracle

HERE, PYTHON = Path(__file__).parent, Path(sys.executable)
FAKE = PeerKind("fake", HERE / "fake_peer.py", most_sites=8)
CELL = Lattice.cubic("bcc", ("Cu", "Zn"), 5.6, (1, 2, 2))
BOND = -(2.0**-10)
"""Ry of an unlike bond; not rounded."""


class Modelled(PairOracle):
    """A pair model that counts how often it is called the plain way."""

    calls = 0

    def model_call(self):  # type: ignore[no-untyped-def]
        """Return the energy of one configuration at a time."""

        def energy(occupations: np.ndarray) -> float:
            self.calls += 1
            return float(self.energies(occupations[None])[0])

        return energy


@pytest.fixture(scope="module")
def work() -> Work:
    return plan_work("pair", Modelled(CELL, [BOND]), 4)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder to work in, where limits of the core are measured once instead of five times."""
    monkeypatch.setattr(roofline, "TRIES", 1)
    monkeypatch.chdir(prepare(tmp_path))
    (tmp_path / "small.toml").write_text(SYSTEM.replace("[2, 2, 2]", "[1, 2, 2]"))
    return tmp_path


def test_a_benchmark_measures_every_engine_and_a_peer(brief: Path) -> None:
    settings = BenchmarkSettings(seconds=0.01, turns=2, walkers=(1, 2), cells=((1, 2, 2), (2, 2, 2)))
    found = run_benchmark("small.toml", settings, rivals=Rivals(Path(sys.executable), (FAKE,)))
    assert {(rate.n_sites, rate.engine, rate.walkers) for rate in found.rates} == {
        (8, "fused", 1), (8, "fused", 2), (8, "batched", 1), (8, "batched", 2), (8, "fake", 1), (16, "fused", 1)
    }  # fmt: skip
    turns = {(rate.n_sites, rate.engine, rate.walkers): np.array(rate.turns) for rate in found.rates}
    (ratio,) = found.ratios
    assert ratio.text == f"{PAIR_MODEL} fused over fake"
    assert ratio.value.median == pytest.approx(np.median(turns[8, "fused", 1] / turns[8, "fake", 1]))
    assert {line.n_sites for line in found.rooflines} == {8, 16} and found.machine.versions["fake"] == "1.0"
    assert any("fake is left out beyond 8 atoms" in note for note in found.notes)
    text = as_text(found)
    assert text.index("How many times faster") < text.index("Trials per second") < text.index("Limits of one core")
    assert all(markdown(table)[1].startswith("| ---") for table in sections(found).values())


def test_a_benchmark_of_one_oracle_is_drawn_and_reported(brief: Path) -> None:
    words = ("--oracles", "pair:pair.toml", "--seconds", "0.01", "--turns", "2", "--walkers", "1", "--composition", "2")
    files = ("--figure", "b.png", "--out", "b.json", "--report", "b.md")
    values = told("benchmark", "small.toml", *words, *files, cwd=brief)
    assert values["n_sites"] == 8 and {rate["oracle"] for rate in values["rates"]} == {"pair:pair.toml"}
    for time in values["energy_times"]:
        assert time["call"]["median"] == pytest.approx(time["batch"] * time["each"]["median"])
    assert "(b.png)" in (brief / "b.md").read_text() and (brief / "b.png").read_bytes().startswith(b"\x89PNG")
    assert "no program" in refused("benchmark", "small.toml", "--brawl", "no", cwd=brief)
    assert "not known" in refused("benchmark", "small.toml", "--oracles", "no", cwd=brief)


def test_the_plain_loop_calls_the_model_once_a_trial(work: Work) -> None:
    oracle, advance = work.oracle, ENGINES["Python loop"](work, 1)
    assert isinstance(oracle, Modelled) and advance is not None
    before = oracle.calls
    assert advance(50) > 0 and oracle.calls == before + 50
    assert ENGINES["Python loop"](work, 2) is None


def test_rows_are_read_to_their_end() -> None:
    rows = np.ones((8, 5), dtype=np.float32)
    assert roofline_kernels.read_rows(rows, 1) == 40 and roofline_kernels.read_rows(rows, 2) == 78
    bins = np.zeros(4)
    state, sites, table = np.arange(1, 5, dtype=np.uint64), np.arange(8, dtype=np.int32), np.ones(8, dtype=np.int64)
    assert roofline_kernels.bare_trials(state, sites, bins, table, 3, 20) == 60 and bins.sum() == pytest.approx(0.02)


def test_a_peer_that_is_not_there_or_does_other_work_is_refused(work: Work, tmp_path: Path) -> None:
    (tmp_path / "missing_peer.py").write_text("import a_package_that_nobody_has\n")
    with pytest.raises(NotInstalled, match="a_package_that_nobody_has"):
        Peer(PeerKind("missing", tmp_path / "missing_peer.py"), work, PYTHON)
    with pytest.raises(OracleError, match="energies differ from ours"):
        Peer(PeerKind("wrong", HERE / "wrong_peer.py"), work, PYTHON)
    with pytest.raises(InputError, match="cannot start the interpreter"):
        Peer(FAKE, work, tmp_path / "no_such_python")


PROGRAM = """#!/bin/sh
echo " BraWl Version 1.1.0"
grep -q '^species_numbers = 4 4$' brawl.inp && grep -q '^lattice = bcc$' brawl.inp || exit 9
grep -q '^n_1=1$' brawl.inp || exit 9
echo " Average internal energy was  -$(sed -n 's/^n_mc_steps = //p' metropolis.inp) meV/atom"
"""


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_brawl_gets_our_cell_and_gives_its_energy(work: Work, tmp_path: Path) -> None:
    program = tmp_path / "brawl.run"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    rival = brawl.Brawl(program, work, 900.0, tmp_path)
    rival.advance(1)
    longest = brawl.SHORT_RUN + brawl.UNIT
    assert rival.version == "1.1.0" and -rival.energy == pytest.approx(longest, abs=brawl.SAMPLES)
    assert "T = 900.0000" in (tmp_path / "metropolis.inp").read_text()
    assert (tmp_path / "pair.vij").read_text() == f"0.0 {BOND}\n{BOND} 0.0\n"
    with pytest.raises(InputError, match="lower --seconds"):
        rival.advance(brawl.MAX_TRIALS)
    program.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    with pytest.raises(OracleError, match="broken"):
        rival.advance(1)
    program.unlink()
    with pytest.raises(InputError, match="cannot start BraWl"):
        rival.advance(1)
