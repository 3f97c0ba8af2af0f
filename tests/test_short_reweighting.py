"""Reweighting and cells of several sizes, from end to end, in runs so short that kernels may be plain Python."""

from __future__ import annotations

import csv
import shutil
from math import comb
from pathlib import Path

import numpy as np
import pytest
from console import call
from short_cell import SHORT, TABLE, averages, prepare, refused, told

from wanglandau.run_file import read_exact
from wanglandau.scaling import csv_table, scale, sized_cell

ENERGY = "internal_energy_mev_per_atom"
FEW = ("--calls", "120", "--looks", "20")
WARM = ("--temperatures", "600:3000:200")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with exact levels of a cheap and of a dear model."""
    folder = prepare(tmp_path_factory.mktemp("reweighting"))
    for name in ("pair", "dear"):
        told("exact", "own.toml", "--oracle", f"pair:{name}.toml", "--out", f"{name}.h5", cwd=folder)
    told("exact", "own.toml", "--oracle", "pair:pair.toml", "--all-compositions", "--out", "all.h5", cwd=folder)
    return folder


def test_reweighted_to_the_same_model_a_density_of_states_stays_what_it_is(folder: Path) -> None:
    values = told("reweight", "pair.h5", "--oracle", "pair:pair.toml", *FEW, *WARM, "--out", "same.h5", cwd=folder)
    ln_g = [value for value in values["ln_g"] if value is not None]
    exact = [np.log(count) for _, count in sorted(TABLE.at_composition(8).items(), reverse=True)]
    assert ln_g == pytest.approx(exact, abs=1e-9) and values["verdict"]["trusted"]
    assert np.exp(ln_g).sum() == pytest.approx(comb(16, 8))
    energies = [averages(8, temperature)[0] for temperature in values["temperature_k"]]
    assert values[ENERGY] == pytest.approx(energies, abs=1e-6)
    assert values["diagnostics"]["rms_difference"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("allocation", ["even", "neyman"])
def test_reweighted_averages_are_those_of_the_dear_model(allocation: str, folder: Path) -> None:
    words = ("--oracle", "pair:dear.toml", *FEW, "--allocation", allocation, *WARM, "--figure", "dear.png")
    values = told("reweight", "pair.h5", *words, "--out", f"{allocation}.h5", cwd=folder)
    exact = told("thermo", "dear.h5", *WARM, cwd=folder)
    difference = np.array(values[ENERGY]) - exact[ENERGY]
    assert (np.abs(difference) < 4 * np.array(values["standard_error"][ENERGY]) + 1e-6).all()
    assert np.abs(np.array(exact[ENERGY]) - [averages(8, t)[0] for t in exact["temperature_k"]]).max() > 10
    assert values["peak"]["temperature"] == pytest.approx(exact["peak"]["temperature"], rel=0.02)
    assert (folder / "dear.png").read_bytes().startswith(b"\x89PNG")


def test_reweighted_files_are_inspected_with_figure_and_table(folder: Path) -> None:
    hot = ("--temperatures", "3000:5000:500")
    values = told("reweight", "all.h5", "--oracle", "pair:dear.toml", *FEW, *hot, "--composition", "8", cwd=folder)
    assert values["out"] == "all-reweighted.h5" and values["diagnostics"]["source_exact"]
    read = told("inspect", "all-reweighted.h5", "--figure", "i.png", "--csv", "i.csv", cwd=folder)
    assert read["ln_g"] == values["ln_g"] and read["next"]
    with (folder / "i.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["temperature_K"]) for row in rows] == values["temperature_k"]
    text = call("inspect", "all-reweighted.h5", cwd=folder).stdout
    assert "cheap oracle" in text and "none between these temperatures" in text


def test_temperatures_that_too_few_samples_carry_are_not_trusted(folder: Path) -> None:
    words = ("--oracle", "pair:demix.toml", "--calls", "20", "--looks", "10", "--temperatures", "100:500:100")
    done = call("reweight", "pair.h5", *words, "--out", "far.h5", cwd=folder)
    assert done.returncode == 3 and "not to be trusted" in done.stdout and "--calls" in done.stdout
    assert (
        "next: the wanglandau reweight command that made it, with --calls 80"
        in call("inspect", "far.h5", cwd=folder).stdout
    )


def test_samples_of_short_runs_are_not_trusted_either(folder: Path) -> None:
    pair = ("--oracle", "pair:pair.toml")
    run = ("dos", "own.toml", *pair, *SHORT, "--max-trials", "4000")
    told(*run, "--out", "run.h5", cwd=folder, code=3)
    told(*run, "--runs", "1", "--ensemble", "semigrand", "--out", "sg.h5", cwd=folder, code=3)
    for file in ("run.h5", "sg.h5"):
        words = ("reweight", file, *pair, *FEW, "--composition", "8", *WARM)
        values = told(*words, cwd=folder, code=3)
        assert "density of states it was made from" in values["verdict"]["reasons"][0]
    assert "of one run" in values["verdict"]["reasons"][1]


BAD = {
    "composition": (("all.h5", "--oracle", "pair:dear.toml"), "choose --composition 1 to 15"),
    "one energy": (("all.h5", "--oracle", "pair:dear.toml", "--composition", "16"), "have one energy"),
    "cheap": (("pair.h5", "--oracle", "pair:dear.toml", "--proposal-oracle", "pair:demix.toml"), "identity"),
    "no cheap": (("pair.h5", "--oracle", "pair:dear.toml", "--proposal-oracle", "pair:no.toml"), "--proposal-oracle"),
    "calls": (("pair.h5", "--oracle", "pair:dear.toml", "--calls", "3"), "20 to 10000000"),
    "figure": (("pair.h5", "--oracle", "pair:dear.toml", "--figure", "f.doc"), ".png"),
    "file": (("own.toml", "--oracle", "pair:dear.toml"), "own.toml"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_reweighted_is_refused_in_one_line(case: str, folder: Path) -> None:
    words, hint = BAD[case]
    assert hint in refused("reweight", *words, cwd=folder)


@pytest.fixture(scope="module")
def study(folder: Path) -> Path:
    """The same folder with the cells of a study, its table and its figure."""
    sizes = ("--sizes", "2x2x2", "1x2x2", "2x3x3", "--csv", "sizes.csv", "--figure", "sizes.png")
    told(
        "scaling", "own.toml", "--oracle", "pair:pair.toml", *SHORT, "--max-trials", "3000", *sizes, cwd=folder, code=3
    )
    return folder


def test_cells_of_several_sizes_have_the_peaks_of_their_exact_levels(study: Path) -> None:
    with (study / "sizes.csv").open() as file:
        rows = {row["repeat"]: row for row in csv.DictReader(file)}
    assert [rows[size]["exact"] for size in ("1x2x2", "2x2x2", "2x3x3")] == ["True", "True", "False"]
    assert [rows[size]["n_sites"] for size in rows] == ["8", "16", "36"] and rows["2x3x3"]["trusted"] == "False"
    temperature = float(rows["2x2x2"]["peak_temperature_K"])
    peak = averages(8, temperature)[2]
    assert float(rows["2x2x2"]["peak_height_kb_per_atom"]) == pytest.approx(peak, rel=1e-6)
    assert peak > max(averages(8, temperature + step)[2] for step in (-20, 20))
    assert (study / "sizes.png").read_bytes().startswith(b"\x89PNG")


def test_finished_cells_are_kept_and_lead_to_the_law_asked_for(study: Path) -> None:
    files = sorted((study / "scaling").glob("*.h5"))
    before = [file.stat().st_mtime_ns for file in files]
    words = ("scaling", "own.toml", "--oracle", "pair:pair.toml", *SHORT, "--max-trials", "3000")
    values = told(*words, "--sizes", "1x2x2", "2x2x2", "2x3x3", "--exponent", "2.5", cwd=study, code=3)
    assert values["chosen"] == "given" and values["laws"]["given"]["exponent"] == 2.5
    assert len(files) == 3 and [file.stat().st_mtime_ns for file in files] == before
    exact = told(*words, "--sizes", "1x2x2", "2x2x2", "--exponent", "3", cwd=study)
    (small, large), law = (cell["peak_temperature_K"] for cell in exact["cells"]), exact["laws"]["given"]
    assert (2 * large - small) == pytest.approx(law["temperature"])  # 1 / n_sites halves


def test_a_folder_of_cells_is_inspected_as_a_study(study: Path, tmp_path: Path) -> None:
    values = told("inspect", "scaling", "--csv", "read.csv", cwd=study)
    assert [cell["n_sites"] for cell in values["cells"]] == [8, 16, 36] and len(values["untrusted"]) == 1
    assert (study / "read.csv").read_text().count("\n") == 4
    assert "give --figure" in refused("inspect", "scaling", "--figure", "no.png", cwd=study)
    exact = tmp_path / "exact"
    exact.mkdir()
    for name in ("own-1x2x2-4.h5", "own-2x2x2-8.h5"):
        shutil.copy(study / "scaling" / name, exact)
    assert "--sizes 1x2x2 2x2x2 4x4x4" in told("inspect", "exact", cwd=tmp_path)["next"][0]
    shutil.copy(exact / "own-1x2x2-4.h5", exact / "other-1x2x2-4.h5")
    assert "cells of other, own" in refused("inspect", "exact", cwd=tmp_path)


STUDIES = {
    "size": (("--sizes", "2x2"), "4x4x4"),
    "fraction": (("--sizes", "2x2x2", "--fraction", "0.3"), "no whole number"),
    "ensemble": (("--sizes", "2x2x2", "--ensemble", "semigrand"), "take canonical"),
    "exponent": (("--sizes", "2x2x2", "--exponent", "-1"), "must be positive"),
    "one peak": (("--sizes", "1x2x2", "--figure", "f.png"), "give more --sizes"),
    "place": (("--sizes", "2x2x2", "--folder", "pair.toml"), "is a file"),
}


@pytest.mark.parametrize("case", STUDIES)
def test_studies_that_lead_nowhere_are_refused(case: str, folder: Path) -> None:
    words, hint = STUDIES[case]
    assert hint in refused("scaling", "own.toml", "--oracle", "pair:pair.toml", *words, cwd=folder)


def test_one_cell_is_no_study(folder: Path) -> None:
    cell = sized_cell((2, 2, 2), 8, folder / "pair.h5", read_exact(folder / "pair.h5"))
    found = scale([cell])
    assert found.law is None and cell.shape == (1, 1, 1)
    (row,) = csv.DictReader(csv_table(found).splitlines())
    assert row["latent_heat_mev_per_atom"] == "" and float(row["peak_temperature_error_K"]) == 0
