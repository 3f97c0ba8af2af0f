"""The active-learning loop against cells whose every configuration is known."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from ase import units
from pair_committee import Charged, Failing, Isolated, PairLearner
from standin_campaign import runs_by_configuration, runs_made, standin_configuration, total_energies

from lsms_bridge.acquisition import FRESH, LOW, ORDERED, SPREAD, choose, contenders, shares
from lsms_bridge.cli import main
from lsms_bridge.exploration import Candidates, Estimate
from lsms_bridge.generation import Generation
from lsms_bridge.learning import LearningResult, LearningTask, learn
from lsms_bridge.learning_data import start_dataset
from lsms_bridge.learning_record import SUMMARY
from lsms_bridge.learning_report import describe, values_of, write_report
from lsms_bridge.learning_settings import LearningSettings
from lsms_bridge.learning_verdict import judge_learning
from lsms_bridge.oracle import LsmsOracle
from surrogate.dataset import Dataset, load_dataset
from surrogate.orbits import orbit_labels
from wanglandau.errors import InputError, OracleError
from wanglandau.exact import ExactLevels, exact_levels
from wanglandau.lattice import Lattice
from wanglandau.levels import Levels
from wanglandau.oracle import EnergyOracle
from wanglandau.oracle_registry import load_oracle
from wanglandau.orbits import enumerate_orbits
from wanglandau.pair_model import PairOracle
from wanglandau.run_file import read_result
from wanglandau.systems import System, load_system
from wanglandau.thermodynamics import Peak, default_temperatures, heat_capacity_peak

MEV = 1e-3 / units.Ry
SMALL = System("bcc16", Lattice.cubic("bcc", ("Fe", "Pt"), 5.4, (2, 2, 2)), 8)
LARGE = System("bcc24", Lattice.cubic("bcc", ("Fe", "Pt"), 5.4, (2, 2, 3)), 12)
TWO_SHELLS = PairOracle(SMALL.lattice, [-50 * MEV, 8 * MEV])
FOUR_SHELLS = PairOracle(LARGE.lattice, [-50 * MEV, 18 * MEV, 4 * MEV, -2 * MEV])
FEW = LearningSettings(start=8, per_generation=6)


@cache
def truth(dear: PairOracle) -> tuple[ExactLevels, Peak]:
    levels = exact_levels(dear, dear.lattice.n_sites // 2, progress=False)
    exact = Levels.exact(levels.n_sites, levels.energies, levels.degeneracies)
    return levels, heat_capacity_peak(exact, default_temperatures(exact))


def task_of(dear: EnergyOracle, n_shells: int, start: Dataset | None = None, shrink: float = 1.0) -> LearningTask:
    system = LARGE if dear.lattice.n_sites == 24 else SMALL
    return LearningTask(system, (system.composition,), dear, PairLearner(n_shells, shrink), start)


def run(folder: Path, dear: EnergyOracle, n_shells: int, settings: LearningSettings = FEW) -> LearningResult:
    return learn(task_of(dear, n_shells), settings, folder, progress=False)


def check_answer(result: LearningResult, dear: PairOracle, sigmas: float) -> None:
    levels, peak = truth(dear)
    last = result.generations[-1]
    (finding,) = last.findings
    errors, n_sites = last.errors_of(finding), last.n_sites
    assert finding.ground_key in levels.ground_state_keys[n_sites // 2]
    place, height = float(finding.thermal.peak_temperature.value), float(finding.thermal.peak_height.value)
    assert abs(place - peak.temperature) < max(sigmas * errors.peak_temperature, 1e-4 * peak.temperature)
    assert abs(height - peak.height / n_sites) < max(sigmas * errors.peak_height, 1e-3 * height)


def test_model_that_can_be_learnt_is_found_exactly(tmp_path: Path) -> None:
    result = run(tmp_path / "loop", TWO_SHELLS, 2)
    assert result.verdict.settled and result.verdict.summary.startswith("Settled")
    check_answer(result, TWO_SHELLS, 0.0)
    assert result.generations[-1].new.errors(16)["rmse"] < 1e-6
    assert len(result.generations) < FEW.generations


@pytest.mark.compiled
def test_model_that_cannot_be_learnt_whole_is_right_within_its_error(tmp_path: Path) -> None:
    settings = LearningSettings(per_generation=12)
    result = run(tmp_path / "loop", FOUR_SHELLS, 3, settings)
    assert result.verdict.settled
    check_answer(result, FOUR_SHELLS, 2.0)
    (finding,) = result.generations[-1].findings
    assert finding.complete and finding.n_candidates == 8330
    assert result.generations[-1].n_orbits < 0.015 * finding.n_candidates
    errors = result.generations[-1].errors_of(finding)
    assert 1.0 < errors.peak_temperature < 0.1 * float(finding.thermal.peak_temperature.value)
    fresh = result.generations[-1].new.errors(24, FRESH)
    assert fresh["n"] == 3 and 0.1 < fresh["rmse"] < 5


@pytest.mark.compiled
def test_learner_that_cannot_represent_the_model_does_not_settle(tmp_path: Path) -> None:
    settings = LearningSettings(per_generation=12, generations=4)
    result = run(tmp_path / "loop", FOUR_SHELLS, 1, settings)
    peak = truth(FOUR_SHELLS)[1]
    assert float(result.generations[-1].findings[0].thermal.peak_temperature.value) < 0.8 * peak.temperature
    assert not result.verdict.settled and "error of the peak height" in result.verdict.summary


@pytest.mark.compiled
def test_committee_too_sure_of_itself_does_not_settle(tmp_path: Path) -> None:
    settings = LearningSettings(per_generation=12, generations=4)
    task = task_of(FOUR_SHELLS, 3, shrink=20.0)
    result = learn(task, settings, tmp_path / "loop", progress=False)
    assert not result.verdict.settled
    assert all("times its spread" in "".join(reasons) for reasons in result.verdict.reasons)
    assert result.generations[-1].error_factor > 3


def test_isolated_ordered_state_is_found_and_not_glossed_over(tmp_path: Path) -> None:
    orbits = enumerate_orbits(SMALL.lattice, 8)
    energies = TWO_SHELLS.energies(orbits.occupations())
    start = start_dataset(TWO_SHELLS, SMALL, (8,), 8, 0)
    small = [k for k in np.flatnonzero(orbits.sizes <= 24) if orbits.keys[k] not in start.orbit]
    place = small[-1]
    depth = float(energies[place] - energies.min()) + 16 * 20 * MEV
    dear = Isolated(TWO_SHELLS, int(orbits.keys[place]), depth)
    result = learn(task_of(dear, 2, start), FEW, tmp_path / "loop", progress=False)
    found = [one.findings[0].ground_key == orbits.keys[place] for one in result.generations]
    assert not result.verdict.settled and found[-1]
    assert "the ground state fell by 20 meV/atom" in result.verdict.reasons[found.index(True)]
    assert "error of the peak temperature" in result.verdict.summary


def parts(result: LearningResult) -> list[object]:
    kept = []
    for number in range(len(result.generations)):
        folder = result.folder.generation(number)
        values = json.loads((folder / SUMMARY).read_text())
        del values["seconds"], values["seal"]  # the seal is of the seconds too
        kept += [values, load_dataset(folder / "dataset.h5").digest, (folder / "committee.safetensors").read_bytes()]
        levels = read_result(folder / "8-exact.h5").levels
        kept += [levels.energies.tolist(), levels.degeneracies.tolist()]
    return kept


@pytest.mark.compiled
@pytest.mark.parametrize("error", [OracleError("the machine is down"), KeyboardInterrupt()], ids=["failed", "killed"])
def test_loop_that_was_ended_goes_on_to_the_same_result(tmp_path: Path, error: BaseException) -> None:
    whole = run(tmp_path / "whole", TWO_SHELLS, 2)
    broken = Failing(TWO_SHELLS, error, fail_at=3)  # the start, generations 0 and 1
    with pytest.raises(type(error)):
        run(tmp_path / "loop", broken, 2)
    left = {entry.name for entry in (tmp_path / "loop").iterdir() if "generation" in entry.name}
    assert left == {".generation-002.partial", "generation-000", "generation-001"}
    mended = Failing(TWO_SHELLS, error, fail_at=1000)
    again = run(tmp_path / "loop", mended, 2)
    assert parts(again) == parts(whole) and again.verdict == whole.verdict
    asked = np.concatenate(broken.asked + mended.asked)
    assert len(np.unique(orbit_labels(SMALL.lattice, asked))) == len(asked) == again.generations[-1].n_orbits
    assert ".generation-002.partial" not in {entry.name for entry in (tmp_path / "loop").iterdir()}
    finished = Failing(TWO_SHELLS, error, fail_at=0)
    assert parts(run(tmp_path / "loop", finished, 2)) == parts(whole)


def test_ending_may_be_changed_later_but_nothing_else(tmp_path: Path) -> None:
    one = dataclasses.replace(FEW, generations=1)
    assert not run(tmp_path / "loop", TWO_SHELLS, 2, one).verdict.settled
    assert run(tmp_path / "loop", TWO_SHELLS, 2).verdict.settled
    for name, value in {"seed": 5, "per_generation": 7}.items():
        with pytest.raises(InputError, match=rf"\(settings\.{name} was {getattr(FEW, name)}, is {value}\)"):
            run(tmp_path / "loop", TWO_SHELLS, 2, dataclasses.replace(FEW, **{name: value}))
    with pytest.raises(InputError, match=r"learner[.\w]* was"):
        run(tmp_path / "loop", TWO_SHELLS, 1)
    summary = tmp_path / "loop" / "generation-000" / SUMMARY
    summary.write_text("{}")
    with pytest.raises(InputError, match=r"summary\.json is damaged"):
        run(tmp_path / "loop", TWO_SHELLS, 2)


def test_charges_are_kept_where_the_dear_oracle_gives_them(tmp_path: Path) -> None:
    settings = dataclasses.replace(FEW, generations=1)
    result = run(tmp_path / "loop", Charged(TWO_SHELLS), 2, settings)
    data = result.folder.dataset(0)
    assert data.charge is not None and data.moment is None
    np.testing.assert_allclose(data.charge.sum(axis=1), 0.0, atol=1e-18)
    assert ((data.charge > 0) == (data.occupations == 1))[np.isin(data.composition, [8])].all()
    plain = learn(task_of(TWO_SHELLS, 2, data), settings, tmp_path / "plain", progress=False)
    assert plain.folder.dataset(0).charge is None
    moved = dataclasses.replace(data, reference_energies=data.reference_energies + 1e-3)
    with pytest.raises(InputError, match="different settings"):
        learn(task_of(TWO_SHELLS, 2, moved), settings, tmp_path / "moved", progress=False)


@pytest.mark.compiled
def test_sampling_instead_of_enumeration(tmp_path: Path) -> None:
    settings = dataclasses.replace(FEW, generations=2, exact=False, runs=2, max_trials=2_000_000)
    result = run(tmp_path / "loop", TWO_SHELLS, 2, settings)
    (finding,) = result.generations[-1].findings
    levels, peak = truth(TWO_SHELLS)
    assert not finding.complete and finding.ground_key in levels.ground_state_keys[8]
    estimate = finding.thermal.peak_temperature
    assert 0 < float(estimate.sampling) < 0.1 * peak.temperature
    assert abs(float(estimate.value) - peak.temperature) < max(5 * float(estimate.error()), 0.02 * peak.temperature)
    assert (result.folder.generation(1) / "8-dos.h5").is_file()
    known = result.folder.dataset(0).orbit
    assert not np.isin(result.generations[1].new.keys, known).any() and len(result.generations[1].new) == 6


def candidates(n: int, rng: np.random.Generator) -> Candidates:
    energies = np.sort(rng.normal(size=n))
    return Candidates(np.arange(n, dtype=np.uint64), energies, rng.random(n) / 10, np.arange(n) % 50 == 49, 2.0)


def test_choice_is_of_unknown_orbits_lowest_first_and_over_all_energies() -> None:
    rng = np.random.default_rng(1)
    for trial in range(20):
        some = candidates(1000, rng)
        known = rng.choice(some.keys, 300, replace=False)
        ground = float(some.energies[np.isin(some.keys, known)].min())
        places, reasons = choose(some, known, ground, 40, np.random.default_rng(trial))
        assert len(set(places.tolist())) == len(places) == 40 and not np.isin(some.keys[places], known).any()
        unknown = np.flatnonzero(~np.isin(some.keys, known))
        why = np.array(reasons)
        assert set(unknown[:10]) <= set(places[why == LOW])
        may_be_lower = np.flatnonzero(contenders(some, known, ground))
        assert set(may_be_lower[:20]) <= set(places.tolist())
        assert (why == FRESH).sum() == 8 and some.ordered[places[why == ORDERED]].all()
        rest = places[why == SPREAD]
        assert some.spreads[rest].mean() > 2 * some.spreads.mean() * 0.75
        assert np.ptp(some.energies[rest]) > 2.5 and some.energies[rest].max() <= some.top
    few = choose(some, some.keys[5:], 0.0, 40, rng)
    assert sorted(few.places) == [0, 1, 2, 3, 4]
    assert not len(choose(some, some.keys, 0.0, 40, rng).places)
    assert sum(np.array(shares(7, 3, number)) for number in range(3)).tolist() == [7, 7, 7]


def test_every_part_of_the_rule_counts(tmp_path: Path) -> None:
    made = run(tmp_path / "loop", TWO_SHELLS, 2).generations
    read = [Generation.from_json(json.loads(json.dumps(one.to_json()))) for one in made]
    assert judge_learning(read, FEW) == judge_learning(made, FEW) and judge_learning(made, FEW).settled
    good = made[-1].findings[0]
    thermal = good.thermal
    larger = Estimate(float(thermal.peak_temperature.value) * 1.01, 0.0, 0.0)
    vague = Estimate(thermal.peak_height.value, 0.0, 0.5)
    for words, change in (
        ("fell by", {"ground_before": good.ground_after + 0.1}),
        ("predicted ground state has not", {"predicted_gap": float("nan")}),
        ("above the one known", {"predicted_gap": 0.1, "predicted_spread": 0.04}),
        ("1 orbit", {"contenders_left": 1}),
        ("2 ordered", {"ordered_left": 2}),
        ("temperature changed", {"thermal": dataclasses.replace(thermal, peak_temperature=larger)}),
        ("error of the peak height", {"thermal": dataclasses.replace(thermal, peak_height=vague)}),
        ("at an end", {"thermal": dataclasses.replace(thermal, inside=False)}),
        ("not to be trusted", {"thermal": dataclasses.replace(thermal, trusted=False)}),
    ):
        worse = dataclasses.replace(made[-1], findings=(dataclasses.replace(good, **change),))
        verdict = judge_learning([*made[:-1], worse], FEW)
        assert not verdict.settled and words in verdict.summary, words


def test_lsms_as_the_dear_oracle(tmp_path: Path) -> None:
    system = load_system("cuau", (2, 1, 1))
    settings = LearningSettings(start=4, per_generation=4, generations=2)
    n_runs = []
    for _ in range(2):
        dear = LsmsOracle(system.lattice, standin_configuration(tmp_path, "die:0.1"))
        try:
            task = LearningTask(system, (4,), dear, PairLearner(2))
            result = learn(task, settings, tmp_path / "loop", progress=False)
            n_runs.append(len(runs_made(tmp_path)))
        finally:
            dear.close()
    data = result.folder.dataset(1)
    assert len(runs_by_configuration(tmp_path)) == len(data) == result.generations[-1].n_orbits
    assert n_runs[0] == n_runs[1]
    np.testing.assert_allclose(data.energy, total_energies(system.lattice, data.occupations), atol=1e-6)
    assert data.charge is not None and np.abs(data.charge[2:]).max() > 1e-3 and data.moment is None


def test_report_says_what_happened(tmp_path: Path) -> None:
    result = run(tmp_path / "loop", TWO_SHELLS, 2, dataclasses.replace(FEW, generations=2))
    files = write_report(result, "a caution")
    assert [file.name for file in files] == ["report.md", "learning.png"] and files[1].stat().st_size > 10_000
    text = files[0].read_text()
    assert "Not settled after 2 generation(s)" in text and "| 1 | 16 |" in text and "a caution" in text
    assert "composition 8: peak of C at 1972" in describe(result)
    assert json.dumps(values_of(result)["generations"][1]["findings"])


def test_console_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    system, model = tmp_path / "small.toml", tmp_path / "pairs.toml"
    system.write_text('species = ["Fe", "Pt"]\nstructure = "bcc"\nlattice_constant = 3.0\nrepeat = [2, 2, 2]\n')
    model.write_text('unlike_bond_energies = [-50.0, 8.0]\nunits = "meV"\n')
    out = tmp_path / "loop"
    small = ["--start", "10", "--per-generation", "5", "--members", "4", "--epochs", "0", "--out", str(out), "--json"]
    words = ["learn", str(system), "--oracle", f"pair:{model}", *small]
    assert main([*words, "--generations", "1"]) == 3
    values = json.loads(capsys.readouterr().out)
    assert not values["settled"] and values["generations"][0]["findings"][0]["composition"] == 8
    oracle = load_oracle(f"surrogate:{out / 'committee.safetensors'}", load_system(str(system)))
    data = load_dataset(out / "dataset.h5")
    assert len(data) == 17 and len(np.unique(data.orbit)) == 17
    assert np.abs(oracle.energies(data.occupations[:12]) - data.mixing_energy[:12]).max() < 0.01
    for wrong, message in (
        (["learn", str(system)], "--lsms CONFIG.toml, or --oracle NAME"),
        ([*words, "--composition", "16"], "composition 16"),
        ([*words, "--per-generation", "1"], "per_generation is 1"),
        ([*words, "--members", "2"], "members is 2"),
        ([*words, "--composition", "7"], "compositions was [8], is [7]"),
    ):
        assert main(wrong) == 2
        assert message in capsys.readouterr().err


def test_loop_needs_no_torch() -> None:
    script = "import sys, lsms_bridge.learning, lsms_bridge.learning_report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], timeout=300).returncode == 0
