"""The benchmark: turns and ratios, limits, peers, BraWl's inputs, files. No time is asserted."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from wanglandau.benchmark import PAIR_MODEL, BenchmarkSettings, Rivals, run_benchmark
from wanglandau.benchmarking import brawl, roofline
from wanglandau.benchmarking.contest import quotient, take_turns
from wanglandau.benchmarking.engines import ENGINES
from wanglandau.benchmarking.many_nodes import BlockTimes, Model, Network, bytes_of_walk, time_blocks
from wanglandau.benchmarking.peer import NotInstalled, Peer, PeerKind
from wanglandau.benchmarking.results import Benchmark
from wanglandau.benchmarking.tables import as_text, markdown, sections
from wanglandau.benchmarking.work import Work, plan_work
from wanglandau.calculation import plan
from wanglandau.command_line import to_json
from wanglandau.commands.benchmark import benchmark
from wanglandau.configurations import random_configurations
from wanglandau.engine import Engine
from wanglandau.errors import InputError, OracleError
from wanglandau.kernels import WALKER
from wanglandau.pair_model import PairOracle
from wanglandau.ranks import OneProcess
from wanglandau.settings import WangLandauSettings
from wanglandau.systems import load_system

HERE = Path(__file__).parent
PYTHON = Path(sys.executable)
QUICK = BenchmarkSettings(seconds=0.01, turns=3, walkers=(1, 2))
FAKE = PeerKind("fake", HERE / "fake_peer.py")


@pytest.fixture(scope="module")
def work() -> Work:
    return plan_work("pair", PairOracle(load_system("cuau").lattice, [-1e-3]), 16)


@pytest.fixture(scope="module")
def result() -> Benchmark:
    cells = BenchmarkSettings(seconds=0.01, turns=3, walkers=(1, 2), cells=((2, 2, 3),))
    return run_benchmark("cuau", cells, rivals=Rivals(PYTHON, (FAKE,)))


def test_contestants_take_turns_and_ratios_are_taken_turn_by_turn() -> None:
    order: list[str] = []
    slowness = iter([1.0] * 4 + [1.0, 1.0, 10.0, 10.0, 3.0, 3.0])

    def contestant(name: str, rate: float) -> object:
        def advance(n: int) -> float:
            order.append(name)
            return n * next(slowness) / rate

        return advance

    rates = take_turns({"fast": contestant("fast", 200.0), "slow": contestant("slow", 100.0)}, 0.3, 3)
    assert order == ["fast"] * 2 + ["slow"] * 2 + ["fast", "slow"] * 3
    assert rates["fast"] == pytest.approx([200.0, 20.0, 200 / 3])
    ratio = quotient(rates["fast"], rates["slow"])
    assert (ratio.median, ratio.lower, ratio.upper) == pytest.approx((2.0, 2.0, 2.0))


def test_a_turn_that_start_up_drowns_is_refused() -> None:
    with pytest.raises(InputError, match="too short"):
        take_turns({"drowned": lambda n: -1.0 if n > 5000 else 1e-3 * n}, 10.0, 1)


def test_every_engine_walks_as_often_as_it_is_told(work: Work) -> None:
    for name in ("fused", "batched"):
        walkers, weights = work.walk(3)
        assert (walkers.occupations == work.start).all() and weights.control["trials"][0] == 0
        advance = ENGINES[name](work, 3)
        assert advance is not None and advance(7) > 0.0
    assert ENGINES["Python loop"](work, 1) is None  # the pair model has no plain model


@pytest.mark.compiled
def test_a_benchmark_has_rates_ratios_and_limits_of_every_cell(result: Benchmark) -> None:
    assert {(rate.n_sites, rate.engine) for rate in result.rates if rate.oracle == PAIR_MODEL} == {
        (32, "fused"), (32, "batched"), (32, "fake"), (48, "fused"), (48, "fake")
    }  # fmt: skip
    for rate in result.rates:
        assert 0 < rate.lower <= rate.trials_per_second <= rate.upper and len(rate.turns) == 3
    rates = {(rate.n_sites, rate.oracle, rate.engine, rate.walkers): np.array(rate.turns) for rate in result.rates}
    over_peer = [ratio for ratio in result.ratios if ratio.over.startswith("fake")]
    assert {(ratio.n_sites, ratio.oracle) for ratio in over_peer} >= {
        (32, PAIR_MODEL), (48, PAIR_MODEL), (32, "surrogate:lattice"), (48, "surrogate:lattice")
    }  # fmt: skip
    for ratio in over_peer:
        own, fake = (
            rates[ratio.n_sites, ratio.oracle, "fused", ratio.walkers],
            rates[ratio.n_sites, PAIR_MODEL, "fake", 1],
        )
        assert ratio.value.median == pytest.approx(np.median(own / fake))
    assert {line.n_sites for line in result.rooflines} == {32, 48}
    assert result.machine.versions["fake"] == "1.0" and "numba" in result.machine.versions
    assert any("surrogate:dense is left out at 48 atoms" in note for note in result.notes)


@pytest.mark.compiled
def test_a_benchmark_is_told_in_json_text_and_markdown(result: Benchmark) -> None:
    values = json.loads(json.dumps(to_json(result.to_json()), allow_nan=False))
    assert values.keys() >= {"ratios", "rates", "energy_times", "rooflines", "machine", "notes", "seconds", "turns"}
    assert list(values["machine"]) == ["cpu", "cores", "vectors", "load_average", "system", "versions"]
    text = as_text(result)
    assert text.index("How many times faster") < text.index("Trials per second")
    assert text.index("Trials per second") < text.index("Limits of one core")
    table = markdown(next(iter(sections(result).values())))
    assert table[1].startswith("| ---") and {line.count("|") for line in table} == {4}


@pytest.mark.compiled
def test_the_command_writes_figure_data_and_page(tmp_path: Path) -> None:
    names = {"figure": tmp_path / "rates.png", "out": tmp_path / "rates.json", "report": tmp_path / "page.md"}
    told = benchmark("cuau", seconds=0.01, turns=2, walkers=[1], atoms=["1x2x2"], **names)
    assert all(path.stat().st_size > 500 for path in names.values())
    assert json.loads(names["out"].read_text())["system"] == "cuau" and told.values["n_sites"] == 32
    page = names["report"].read_text()
    assert "(rates.png)" in page and "(rates.json)" in page and "| pair, one shell | 16 | fused | 1 |" in page
    assert str(tmp_path) not in page


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seconds": 0.0}, "0.01 to 3600"),
        ({"turns": 0}, "1 to 1000"),
        ({"walkers": [4, 0]}, r"\[4, 0\]"),
        ({"atoms": ["4"]}, "AxBxC"),
        ({"oracles": ["nothing"]}, "not known"),
        ({"figure": Path("rates.xyz")}, "png"),
        ({"out": Path("no/such/folder/rates.json")}, "does not exist"),
        ({"brawl": Path("no/such/program")}, "no program"),
    ],
)
def test_bad_input_is_refused(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        benchmark("cuau", **options)


@pytest.mark.compiled
def test_a_peer_that_does_other_work_is_refused(work: Work, tmp_path: Path) -> None:
    missing = PeerKind("missing", tmp_path / "missing_peer.py")
    missing.script.write_text("import a_package_that_nobody_has\n")
    peer = Peer(FAKE, work, PYTHON)
    assert peer.versions == {"fake": "1.0"} and peer.advance(20) >= 20e-4
    peer.close()
    with pytest.raises(OracleError, match=r"energies differ from ours by up to 0\.001 Ry"):
        Peer(PeerKind("wrong", HERE / "wrong_peer.py"), work, PYTHON)
    with pytest.raises(NotInstalled, match="a_package_that_nobody_has"):
        Peer(missing, work, PYTHON)
    with pytest.raises(InputError, match="cannot start the interpreter"):
        Peer(FAKE, work, HERE / "no_such_python")
    with pytest.raises(InputError, match="alloy-wanglandau\\[peers\\]"):
        run_benchmark("cuau", QUICK, rivals=Rivals(PYTHON, (missing,)))


def test_limits_come_from_the_formula_of_the_energy() -> None:
    system = load_system("cuau")
    rows = random_configurations(system.lattice, 16, 64, np.random.default_rng(0))
    pair = roofline.cost_of(PairOracle(system.lattice, [-1e-3]), rows)
    assert pair is not None and pair.look_ups == 2 and pair.multiply_adds == 0

    from surrogate.oracle import SurrogateOracle, shipped_artefact

    dense = SurrogateOracle(shipped_artefact(system, "dense"), system.lattice)
    cost = roofline.cost_of(dense, rows)
    weights = dense.artefact.arrays
    most = sum(weights[f"{name}.weight"].size for name in ("second", "branch.energy")) + 3 * 200
    assert cost is not None and 0.3 * most < cost.multiply_adds <= most
    hidden = np.maximum(rows @ weights["first.weight"].T + weights["first.bias"], 0)
    assert f"{(hidden > 0).sum(axis=1).mean():.0f} of 200" in cost.counted
    lattice = roofline.cost_of(SurrogateOracle(shipped_artefact(system), system.lattice), rows)
    assert lattice is not None and lattice.look_ups == 3 * 32  # every site of the small cell is within reach
    assert roofline.multiply_adds_per_second() > 0 and roofline.bytes_per_second(100_000) > 0


PROGRAM = """#!/bin/sh
n=$(sed -n 's/^n_mc_steps = //p' metropolis.inp)
grep -q '^species_numbers = 128 128$' brawl.inp && grep -q '^n_1=4$' brawl.inp || exit 9
grep -q '^lattice = fcc$' brawl.inp || exit 9
sleep $(awk "BEGIN {print 0.02 + $n / 4e7}")
echo " BraWl Version 1.1.0"
echo " Average internal energy was  ENERGY meV/atom"
"""


@pytest.mark.compiled
@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_brawl_is_driven_by_files_and_timed_by_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brawl, "MIN_TURN", 0.05)
    system = load_system("cuau", (4, 4, 4))
    work = plan_work("pair", PairOracle(system.lattice, [-50e-3 / 13.605693]), 128)
    program = tmp_path / "brawl.run"
    program.write_text(PROGRAM.replace("ENERGY", "-171.0"))
    program.chmod(0o755)
    found = brawl.duel(program, work, 0.1, 2)
    assert found.version == "1.1.0" and found.their_energy == -171.0
    assert found.our_energy == pytest.approx(-171.0, rel=brawl.TOLERANCE)
    assert found.theirs_unlike.median == pytest.approx(found.theirs.median / 2)
    program.write_text(PROGRAM.replace("ENERGY", "-50.0"))
    with pytest.raises(OracleError, match="not do the same work"):
        brawl.duel(program, work, 0.01, 1)
    program.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    with pytest.raises(OracleError, match="broken"):
        brawl.duel(program, work, 0.01, 1)


def test_model_of_many_processes_fits_what_it_is_made_from() -> None:
    def times(n: int) -> BlockTimes:
        walks = np.full((4, n), 0.05)
        exchange = np.full((4, 1), 1e-3 + 2e-5 * n)
        return BlockTimes(walks, exchange, walks.sum(axis=1, keepdims=True) + exchange)

    model = Model.fitted([times(2), times(8)], 1000, Network(latency=1e-6, bandwidth=1e9))
    assert (model.walk, model.deviation) == pytest.approx((0.05, 0.0))
    assert (model.fixed, model.each) == pytest.approx((1e-3, 2e-5))
    assert model.exchange(1, 8) == pytest.approx(1e-3 + 16e-5)
    assert model.exchange(8, 1) == pytest.approx(1e-3 + 16e-5 + 6 * 3e-6 + 8e-6)
    assert times(2).efficiency(0.05) == pytest.approx(0.1 / (0.1 + 1e-3 + 4e-5))
    assert model.efficiency(1, 2) == pytest.approx(times(2).efficiency(0.05))
    assert model.efficiency(1024, 1) < model.efficiency(64, 1) < 1.0
    with pytest.raises(InputError, match="two numbers of walks"):
        Model.fitted([times(2)], 1000, Network())
    with pytest.raises(InputError, match="latency"):
        Network(latency=0.0)


def test_blocks_of_a_calculation_are_timed(work: Work) -> None:
    settings = WangLandauSettings(runs=1, windows=2, walkers=1, uniform_windows=True, max_trials=10_000)
    calculation = plan(Engine.fastest(work.oracle), 16, settings, OneProcess())
    times = time_blocks(calculation, 100, 3)
    assert times.walks.shape == (3, 2) and times.exchanges.shape == times.blocks.shape == (3, 1)
    assert 0 < times.efficiency(float(np.median(times.walks))) and (times.blocks[:, 0] >= times.walks.sum(axis=1)).all()
    assert calculation.exchange.step == 4
    assert bytes_of_walk(2, 32) == 2 * (WALKER.itemsize + 8 + 32)
