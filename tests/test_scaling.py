"""Cells of several sizes: tables and laws against constructed peaks, files and resumption against exact cells."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_cli import FCC
from test_finite_size import T0, two_gaussians

from wanglandau import scaling
from wanglandau.cli import main
from wanglandau.command_line import EXIT_BAD_INPUT, EXIT_DONE, EXIT_NOT_CONVERGED
from wanglandau.density_of_states import DensityOfStates
from wanglandau.energy_grid import EnergyGrid
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.levels import BOLTZMANN, MEV_PER_RY, Levels
from wanglandau.run_file import RunRecord, read_run
from wanglandau.scaling import (
    SizedCell,
    composition_at,
    csv_table,
    describe,
    is_same_work,
    parse_size,
    scale,
    sized_cell,
)
from wanglandau.settings import WangLandauSettings
from wanglandau.systems import load_system
from wanglandau.thermodynamics import Peak

T_INFINITE, AMPLITUDE = 480.0, 700.0
"""K; of a transition that moves as T_INFINITE + AMPLITUDE / n_sites."""
SETTINGS = ("--runs", "4", "--max-trials", "6000000", "--precision", "0.02", "--threads", "1")
SIZES = ("1x2x2", "2x2x2", "2x2x3")
STUDY = ("scaling", "cuau", "--oracle", FCC, "--sizes", *SIZES)


def cell(n_side: int, error: float, *, trusted: bool = True, inside: bool = True) -> SizedCell:
    """A cell whose peak lies where a first-order transition moves to; errors of 0 make it exact."""
    n_sites = 4 * n_side**3
    levels = Levels(n_sites, np.zeros(2), np.array([-1.0, 0.0]), np.zeros(2), np.array([-1.0, 0.0]))
    peak = Peak(T_INFINITE + AMPLITUDE / n_sites, 1.5 * n_sites, error, 2 * error, inside)
    exact = error == 0
    return SizedCell((n_side,) * 3, n_sites // 2, Path(f"{n_side}.h5"), levels, peak, None, exact, trusted, "told so")


def test_first_order_law_finds_the_transition_of_the_infinite_crystal() -> None:
    found = scale([cell(4, 0.2), cell(2, 0.1), cell(3, 0.1), cell(5, 0.3)])
    fit = found.laws["first order, 3"]
    assert [part.n_sites for part in found.cells] == [32, 108, 256, 500]
    assert fit.temperature == pytest.approx(T_INFINITE, abs=1e-6) and fit.chi_squared < 1e-12
    assert found.laws["fitted"].exponent == pytest.approx(3, abs=1e-3)
    wrong = found.laws["first order, 2"]
    assert wrong.chi_squared > 10 and abs(wrong.temperature - T_INFINITE) > 3 * wrong.temperature_error


def test_exact_cells_are_left_out_where_enough_sampled_ones_remain() -> None:
    assert [part.n_sites for part in scale([cell(2, 0.0), cell(3, 0.1), cell(4, 0.2)]).fitted] == [108, 256]
    assert [part.n_sites for part in scale([cell(1, 0.0), cell(2, 0.0), cell(3, 0.1)]).fitted] == [4, 32, 108]
    assert [part.n_sites for part in scale([cell(2, 0.1), cell(3, 0.1, inside=False), cell(4, 0.2)]).fitted] == [
        32,
        256,
    ]


def test_cells_of_one_shape_are_fitted() -> None:
    long = replace(cell(3, 0.1), repeat=(2, 3, 4))
    assert [part.n_sites for part in scale([cell(2, 0.1), long, cell(4, 0.1)]).fitted] == [32, 256]
    assert [part.n_sites for part in scale([long, cell(4, 0.1)]).fitted] == [108, 256]


def test_nothing_is_extrapolated_from_one_peak() -> None:
    found = scale([cell(2, 0.1), cell(3, 0.1, inside=False)])
    assert found.law is None and "no extrapolation" in describe(found)


def test_exponent_given_is_the_one_quoted() -> None:
    found = scale([cell(2, 0.1), cell(3, 0.1)], exponent=2.5)
    assert found.law is not None and found.law.exponent == 2.5
    assert "* p = 2.5" in describe(found)


def test_cells_not_to_be_trusted_are_named() -> None:
    found = scale([cell(2, 0.1), cell(3, 0.1, trusted=False)])
    assert [part.n_sites for part in found.untrusted] == [108]
    assert "NOT TRUSTED" in describe(found) and "3.h5: told so" in describe(found)
    (first, second) = csv.DictReader(csv_table(found).splitlines())
    assert (first["trusted"], second["trusted"]) == ("True", "False")
    assert float(first["peak_temperature_K"]) == pytest.approx(T_INFINITE + AMPLITUDE / 32)


def run_of(levels: Levels) -> RunRecord:
    """A trusted run that found just these evenly spaced levels."""
    step = float(np.diff(levels.energies).mean())
    grid = EnergyGrid(float(levels.energies[0]) - step / 2, step, len(levels.energies))
    density = DensityOfStates(grid, 64, 32, levels.ln_g[None, :] + np.zeros((4, 1)), levels.energies, levels.variances)
    return RunRecord(density, {}, {}, {}, {}, [1], {}, {"trusted": True, "summary": "told so"})


def test_two_phases_show_near_the_peak_only(monkeypatch: pytest.MonkeyPatch) -> None:
    record = run_of(two_gaussians())
    there = sized_cell((2, 2, 4), 32, Path("there.h5"), record)
    assert there.coexistence is not None and abs(there.coexistence.equal_weight_temperature - T0) < 1
    assert scale([cell(2, 0.1), there]).chosen == "first order, 3"
    monkeypatch.setattr(scaling, "NEAR_PEAK", 0.0)
    elsewhere = sized_cell((2, 2, 4), 32, Path("elsewhere.h5"), record)
    assert elsewhere.coexistence is None
    assert scale([cell(2, 0.1), elsewhere]).chosen != "first order, 3"


@pytest.mark.parametrize("size", ["4", "2x2", "0x2x2", "2x2x2x2", "2 x2x2", "axbxc"])
def test_sizes_are_three_whole_numbers(size: str) -> None:
    with pytest.raises(InputError, match="4x4x4"):
        parse_size(size)


def test_composition_has_to_fit_the_cell() -> None:
    assert composition_at(0.25, 108) == 27
    for fraction in (0.3, 0.0, 1.0, float("nan")):
        with pytest.raises(InputError, match="fraction"):
            composition_at(fraction, 32)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the result files of a finished study, its table and its figure."""
    folder = tmp_path_factory.mktemp("study")
    out = ("--folder", str(folder / "cells"), "--csv", str(folder / "table.csv"), "--figure", str(folder / "sizes.png"))
    assert main([*STUDY, *SETTINGS, *out, "--json"]) == EXIT_DONE
    return folder


def peaks(table: Path) -> dict[str, float]:
    return {row["repeat"]: float(row["peak_temperature_K"]) for row in csv.DictReader(table.read_text().splitlines())}


@pytest.mark.compiled
def test_enumerable_cells_are_exact(study: Path) -> None:
    joule = 25 / MEV_PER_RY  # an unlike bond gains twice this
    assert peaks(study / "table.csv")["2x2x2"] == pytest.approx(2.09506 * joule / BOLTZMANN, rel=1e-4)
    rows = {row["repeat"]: row for row in csv.DictReader((study / "table.csv").read_text().splitlines())}
    assert [rows[size]["exact"] for size in SIZES] == ["True", "True", "False"]
    assert rows["2x2x3"]["n_second"] == "24" and float(rows["2x2x3"]["peak_temperature_error_K"]) > 0
    assert (study / "sizes.png").stat().st_size > 10_000


@pytest.mark.compiled
def test_finished_cells_are_not_computed_again(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = sorted((study / "cells").glob("*.h5"))
    before = [file.stat().st_mtime_ns for file in files]
    out = ("--folder", str(study / "cells"))
    assert main([*STUDY, *SETTINGS, *out, "--threads", "2", "--json"]) == EXIT_DONE
    assert len(files) == 3 and [file.stat().st_mtime_ns for file in files] == before
    values = json.loads(capsys.readouterr().out)
    assert values["untrusted"] == [] and {row["repeat"] for row in values["cells"]} == set(SIZES)


@pytest.mark.compiled
def test_other_settings_make_the_sampled_cell_anew_and_show_in_the_exit_code(study: Path) -> None:
    files = sorted((study / "cells").glob("*.h5"))
    before = {file.name: file.stat().st_mtime_ns for file in files}
    words = (*STUDY, "--runs", "4", "--max-trials", "20000", "--folder", str(study / "cells"))
    assert main(list(words)) == EXIT_NOT_CONVERGED
    changed = [file.name for file in files if file.stat().st_mtime_ns != before[file.name]]
    assert changed == ["cuau-2x2x3-24.h5"]


@pytest.mark.compiled
def test_work_is_the_same_only_if_all_of_it_is(study: Path) -> None:
    record = read_run(study / "cells" / "cuau-2x2x3-24.h5")
    lattice, settings = load_system("cuau", (2, 2, 3)).lattice, WangLandauSettings(**_given(record.settings))
    identity = record.oracle["identity"]

    def same(lattice: Lattice = lattice, identity: str = identity, n: int = 24, **changes: int) -> bool:
        return is_same_work(record, lattice, identity, n, replace(settings, **changes))

    assert same() and same(threads=2)
    assert not same(seed=7) and not same(n=20) and not same(identity="another")
    assert not same(lattice=load_system("cuau", (2, 3, 2)).lattice)
    record.diagnostics["interrupted"] = True
    assert not same()


def _given(settings: dict) -> dict:
    return {name: value for name, value in settings.items() if name in WangLandauSettings.__dataclass_fields__}


@pytest.mark.parametrize(
    "words",
    [
        ("--sizes", "2x2"),
        ("--sizes", "2x2x2", "--fraction", "0.3"),
        ("--sizes", "2x2x2", "--ensemble", "semigrand"),
        ("--sizes", "2x2x2", "--exponent", "-1"),
        ("--sizes", "2x2x2", "--folder", "no/such/folder"),
        ("--sizes", "2x2x2", "--figure", "sizes.docx"),
    ],
)
def test_bad_input_is_refused_before_any_work(words: tuple[str, ...], tmp_path: Path) -> None:
    folder = () if "--folder" in words else ("--folder", str(tmp_path / "cells"))
    assert main(["scaling", "cuau", "--oracle", FCC, *words, *folder]) == EXIT_BAD_INPUT
    assert not (tmp_path / "cells").exists()
