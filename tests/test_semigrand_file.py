"""Files of all compositions, collecting compositions from files, and what the mixing command makes of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from math import comb
from pathlib import Path

import h5py
import numpy as np
import pytest
from edited_file import edited
from known_levels import BOND, description, exact_levels, noisy_record

from wanglandau.command_line import EXIT_BAD_INPUT, EXIT_DONE, run_program
from wanglandau.commands.mixing import mixing
from wanglandau.density_of_states import DensityOfStates, normalised
from wanglandau.energy_grid import EnergyGrid
from wanglandau.errors import InputError
from wanglandau.exact import ExactLevels
from wanglandau.figure_style import with_error
from wanglandau.levels import BOLTZMANN, Levels
from wanglandau.run_file import ExactRecord, RunRecord, read_result, write_exact, write_run
from wanglandau.semigrand_file import (
    AnyRecord,
    SemigrandRecord,
    read_any_result,
    read_semigrand,
    sources_of,
    write_semigrand,
)

N_SITES = 32


def regular_density(composition: int, seed: int, n_runs: int = 4) -> DensityOfStates:
    """Give all configurations of a composition the energy of a regular solution, 48 |BOND| x (1 - x) a site."""
    x = composition / N_SITES
    energy = -48 * BOND * N_SITES * x * (1 - x)  # positive: like atoms attract
    grid = EnergyGrid(energy - abs(BOND) / 2, abs(BOND), 2)
    noise = 0.01 * np.random.default_rng(seed + composition).normal(size=n_runs)
    ln_g = normalised(np.column_stack([np.zeros(n_runs), -20 + noise]), N_SITES, composition)
    return DensityOfStates(grid, N_SITES, composition, ln_g, grid.centres.copy(), np.full(2, 1e-9))


def record_of(densities: dict[int, DensityOfStates]) -> SemigrandRecord:
    run = noisy_record()
    parts = ("system", "oracle", "settings", "versions", "seeds", "diagnostics", "verdict", "created", "duration_s")
    return SemigrandRecord(densities, **{name: getattr(run, name) for name in parts})


@pytest.fixture()
def record() -> SemigrandRecord:
    return record_of({n: regular_density(n, 1) for n in range(1, N_SITES)})


def test_everything_comes_back(tmp_path: Path, record: SemigrandRecord) -> None:
    record.densities[5].run_ln_g[2, 1] = -np.inf
    write_semigrand(tmp_path / "all.h5", record)
    again = read_semigrand(tmp_path / "all.h5")
    assert list(again.densities) == list(range(1, N_SITES)) and (again.n_sites, again.n_runs) == (N_SITES, 4)
    for composition, density in record.densities.items():
        other = again.densities[composition]
        assert other.grid == density.grid and other.composition == composition
        for name in ("run_ln_g", "mean_energy", "energy_variance"):
            np.testing.assert_array_equal(getattr(other, name), getattr(density, name))
    for name in ("settings", "versions", "seeds", "verdict", "created", "duration_s", "oracle"):
        assert getattr(again, name) == getattr(record, name)
    np.testing.assert_array_equal(again.diagnostics["histogram"], record.diagnostics["histogram"])
    np.testing.assert_array_equal(again.system["cell"], record.system["cell"])
    assert isinstance(read_any_result(tmp_path / "all.h5"), SemigrandRecord)


def test_kinds_are_told_apart(tmp_path: Path, record: SemigrandRecord) -> None:
    write_semigrand(tmp_path / "all.h5", record)
    write_run(tmp_path / "run.h5", noisy_record())
    write_exact(tmp_path / "exact.h5", exact_levels(), **description())
    assert isinstance(read_any_result(tmp_path / "run.h5"), RunRecord)
    assert isinstance(read_any_result(tmp_path / "exact.h5"), ExactRecord)
    with pytest.raises(InputError, match="wanglandau mixing"):
        read_result(tmp_path / "all.h5")
    with pytest.raises(InputError, match="'wanglandau run' but a 'wanglandau semigrand'"):
        read_semigrand(tmp_path / "run.h5")


def remove_part(file: h5py.File) -> None:
    del file["compositions/7/mean_energy"]


def misfile(file: h5py.File) -> None:
    file["compositions/7"].attrs["composition"] = 8


def rename(file: h5py.File) -> None:
    file.move("compositions/7", "compositions/seven")


def empty(file: h5py.File) -> None:
    del file["compositions"]
    file.create_group("compositions")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove_part, "lacks a part"),
        (misfile, "composition 7 holds a density of composition 8"),
        (rename, "damaged"),
        (empty, "no composition"),
    ],
)
def test_damage_is_noticed(
    tmp_path: Path, record: SemigrandRecord, damage: Callable[[h5py.File], None], message: str
) -> None:
    write_semigrand(tmp_path / "all.h5", record)
    with edited(tmp_path / "all.h5") as file:
        damage(file)
    with pytest.raises(InputError, match=message) as caught:
        read_semigrand(tmp_path / "all.h5")
    assert "\n" not in str(caught.value)


def test_every_run_covers_all_compositions() -> None:
    with pytest.raises(InputError, match="different numbers of sites or runs"):
        record_of({3: regular_density(3, 1), 4: regular_density(4, 1, n_runs=3)})


def all_exact() -> ExactRecord:
    """Levels of all compositions in which every configuration has energy 0."""
    counts = [comb(N_SITES, n) for n in range(N_SITES + 1)]
    keys = {n: np.array([0], dtype=np.uint32) for n in range(N_SITES + 1)}
    number = np.arange(N_SITES + 1, dtype=np.int16)
    levels = ExactLevels(N_SITES, None, number, np.zeros(N_SITES + 1), np.array(counts, dtype=np.uint64), keys)
    return ExactRecord(levels, **description())


def run_of(composition: int) -> RunRecord:
    return replace(noisy_record(), density=regular_density(composition, 1))


def test_sources_of_every_kind(record: SemigrandRecord) -> None:
    exact = sources_of(all_exact())
    assert list(exact) == list(range(N_SITES + 1)) and isinstance(exact[5], Levels)
    assert np.exp(exact[5].ln_g[0]) == pytest.approx(comb(N_SITES, 5))
    assert sources_of(record)[9] is record.densities[9]
    runs: list[AnyRecord] = [run_of(20), run_of(4), ExactRecord(exact_levels(), **description())]
    assert list(sources_of(runs)) == [4, 16, 20]


def test_files_that_do_not_belong_together_are_refused() -> None:
    other = run_of(5)
    for parts, message in (
        ([run_of(4), run_of(4)], "comes twice"),
        ([run_of(4), replace(other, oracle=other.oracle | {"identity": "x"})], "different oracles"),
        ([run_of(4), replace(other, system=other.system | {"positions": np.zeros((4, 3))})], "different lattices"),
        ([run_of(4), replace(other, system=other.system | {"cell": 2 * np.eye(3)})], "different lattices"),
        ([replace(other, density=replace(other.density, composition=None))], "free composition"),
        ([], "at least one"),
    ):
        with pytest.raises(InputError, match=message):
            sources_of(parts)


def run_mixing(*words: object) -> int:
    return run_program("wanglandau", "Test.", {"mixing": mixing}, ["mixing", *map(str, words)])


def test_command_prints_one_temperature(
    tmp_path: Path, record: SemigrandRecord, capsys: pytest.CaptureFixture[str]
) -> None:
    write_semigrand(tmp_path / "all.h5", record)
    csv = tmp_path / "table.csv"
    assert run_mixing(tmp_path / "all.h5", "--temperature", 3000, "--csv", csv, "--json") == EXIT_DONE
    values = json.loads(capsys.readouterr().out)
    assert values["n_sites"] == N_SITES and values["untrusted"] == []
    (region,) = values["regions"]
    assert region["x_low"] + region["x_high"] == pytest.approx(1, abs=1e-3) and region["height_kT"] > 1
    assert abs(region["delta_mu_mev"]) < 3 * region["delta_mu_mev_standard_error"] + 1e-6
    middle = values["compositions"][16]
    entropy = np.log(comb(32, 16)) / 32
    assert middle["entropy_kb_per_atom"] == pytest.approx(entropy, abs=1e-4)
    rows = csv.read_text().splitlines()
    assert len(rows) == 34 and rows[0].startswith("composition,fraction,free_energy_mev_per_atom")
    assert run_mixing(tmp_path / "all.h5", "--temperature", 3000) == EXIT_DONE
    text = capsys.readouterr().out
    assert "phases of this cell" in text and "rise of F" in text and "   16   0.5000" in text


def test_command_draws_the_phase_diagram(
    tmp_path: Path, record: SemigrandRecord, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the infinite crystal the gap of the regular solution closes at k_B T_c = 48 |BOND| / 2."""
    pytest.importorskip("matplotlib")
    write_semigrand(tmp_path / "all.h5", record)
    critical = 24 * abs(BOND) / BOLTZMANN
    span = f"{0.3 * critical}:{1.1 * critical}:{0.1 * critical}"
    figure, csv = tmp_path / "diagram.png", tmp_path / "diagram.csv"
    words = (tmp_path / "all.h5", "--temperatures", span, "--figure", figure, "--csv", csv)
    assert run_mixing(*words) == EXIT_DONE
    assert figure.read_bytes().startswith(b"\x89PNG") and "diagram.csv" in capsys.readouterr().out
    rows = [list(map(float, line.split(","))) for line in csv.read_text().splitlines()[1:]]
    widths = [row[3] - row[1] for row in rows]
    assert 5 <= len(rows) < 9 and (np.diff(widths) < 0).all() and rows[-1][0] < critical
    x = rows[1][1]  # at 0.4 T_c the infinite crystal has ln(x / (1 - x)) = -2 (1 - 2 x) / 0.4
    assert np.log(x / (1 - x)) == pytest.approx(-2 * (1 - 2 * x) / 0.4, rel=0.05)
    one = tmp_path / "mixing.svg"
    assert run_mixing(tmp_path / "all.h5", "--temperature", 3000, "--figure", one) == EXIT_DONE
    assert "<svg" in one.read_text()


def test_command_takes_exact_and_single_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = all_exact()
    write_exact(tmp_path / "exact.h5", record.levels, record.system, record.oracle)
    assert run_mixing(tmp_path / "exact.h5", "--temperatures", "300:500:100") == EXIT_DONE
    assert "no two-phase region" in capsys.readouterr().out
    files = []
    for composition in (8, 16, 24):
        files.append(tmp_path / f"{composition}.h5")
        run = run_of(composition)
        verdict = {"trusted": composition != 16, "reasons": [], "summary": ""}
        write_run(files[-1], replace(run, verdict=verdict))
    assert run_mixing(*files, "--temperature", 300, "--json") == EXIT_DONE
    values = json.loads(capsys.readouterr().out)
    assert [row["composition"] for row in values["compositions"]] == [0, 8, 16, 24, 32]
    assert values["untrusted"] == [str(files[1])]
    assert run_mixing(*files, "--temperature", 300) == EXIT_DONE
    assert "do not trust" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "either --temperature"),
        (("--temperature", 300, "--temperatures", "1:2:1"), "either --temperature"),
        (("--temperature", 0), "above 0 K"),
        (("--temperatures", "5"), "LO:HI:STEP"),
        (("--temperature", 300, "--min-height", -1), "least height"),
        (("--temperature", 300, "--figure", "a.xyz"), "no known format"),
        (("--temperature", 300, "--csv", "no folder/a.csv"), "does not exist"),
    ],
)
def test_command_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[object, ...], message: str
) -> None:
    record = all_exact()
    write_exact(tmp_path / "exact.h5", record.levels, record.system, record.oracle)
    assert run_mixing(tmp_path / "exact.h5", *words) == EXIT_BAD_INPUT
    assert message in capsys.readouterr().err


def test_values_with_errors_are_rounded_alike() -> None:
    assert with_error(614.82, 1.3017, "K") == "614.8 ± 1.3 K"
    assert with_error(614.82, 0.0) == "614.8" and with_error(614.82, float("nan")) == "614.8"
    assert with_error(12345.6, 123.0) == "12346 ± 123"
