"""What is read from densities of states, against closed forms, in runs so short that kernels may be plain Python."""

from __future__ import annotations

from math import comb
from pathlib import Path

import numpy as np
import pytest
from console import call
from short_cell import BOND, SHORT, SYSTEM, TABLE, averages, prepare, refused, told

from wanglandau.levels import MEV_PER_RY
from wanglandau.run_file import read_exact

ENERGY, FREE, CAPACITY, ENTROPY = (
    "internal_energy_mev_per_atom", "free_energy_mev_per_atom", "heat_capacity_kb_per_atom", "entropy_kb_per_atom"
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with exact levels, of one and of all compositions, and runs in three ensembles."""
    folder = prepare(tmp_path_factory.mktemp("results"))
    model = ("--oracle", "pair:pair.toml")
    joint = ("--max-trials", "30000", "--joint", "lro_B2", "--exact", "exact.h5", "--figure", "run.png")
    values = told("dos", "own.toml", *model, *SHORT, *joint, "--out", "run.h5", cwd=folder, code=3)
    assert values["comparison"]["common"]["bins"] == 5 and values["comparison"]["common"]["rms"] < 0.2
    few = ("--max-trials", "8000")
    told("dos", "own.toml", *model, *SHORT, *few, "--ensemble", "semigrand", "--out", "sg.h5", cwd=folder, code=3)
    cut = ("--energy-range", "-100", "-50", "--bin-width", "60")
    told("dos", "own.toml", *model, *SHORT, *few, *cut, "--out", "cut.h5", cwd=folder, code=3)
    told("exact", "own.toml", *model, "--all-compositions", "--out", "all.h5", "--figure", "all.png", cwd=folder)
    told("exact", "own.toml", *model, "--composition", "4", "--out", "four.h5", cwd=folder)
    told("exact", "own.toml", "--oracle", "pair:dear.toml", "--out", "dear.h5", cwd=folder)
    told("exact", "own.toml", "--oracle", "pair:demix.toml", "--all-compositions", "--out", "demix.h5", cwd=folder)
    for name in ("run", "all"):
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    return folder


def test_thermodynamics_of_exact_levels_are_those_of_the_closed_form(folder: Path) -> None:
    words = ("--temperatures", "300:3000:300", "--csv", "t.csv", "--figure", "t.svg")
    values = told("thermo", "exact.h5", *words, cwd=folder)
    rows = np.genfromtxt(folder / "t.csv", delimiter=",", names=True)
    found = zip(*(values[name] for name in (ENERGY, FREE, CAPACITY)), strict=True)
    for temperature, curves in zip(values["temperature_k"], found, strict=True):
        assert curves == pytest.approx(averages(8, temperature), rel=1e-6)
    assert min(values[CAPACITY]) >= 0 and rows["temperature_K"].tolist() == values["temperature_k"]
    assert (folder / "t.svg").read_text().startswith("<?xml")


def test_hot_averages_are_those_over_all_configurations(folder: Path) -> None:
    levels = read_exact(folder / "exact.h5").levels
    hot = ("--temperatures", "1e9:3e9:1e9")
    for file in ("exact.h5", "run.h5"):
        values = told("thermo", file, *hot, cwd=folder)
        assert values[ENTROPY] == pytest.approx([np.log(comb(16, 8)) / 16] * 3, abs=1e-6)
    mean = float(np.average(levels.energies, weights=levels.degeneracies.astype(float)))
    assert told("thermo", "exact.h5", *hot, cwd=folder)[ENERGY] == pytest.approx([mean * MEV_PER_RY / 16] * 3, rel=1e-6)
    every = told("thermo", "all.h5", *hot, cwd=folder)
    assert every[ENTROPY] == pytest.approx([np.log(2)] * 3, abs=1e-6)
    done = call("thermo", "all.h5", *hot, cwd=folder)
    assert "C has no maximum between these temperatures" in done.stdout


def test_thermodynamics_of_a_run_hold_the_exact_ones_and_what_was_measured(folder: Path) -> None:
    words = ("--temperatures", "300:3000:300", "--csv", "r.csv", "--order-figure", "order.png", "--profile", "p.csv")
    values = told("thermo", "run.h5", *words, cwd=folder)
    exact = [averages(8, temperature)[0] for temperature in values["temperature_k"]]
    assert np.abs(np.array(values[ENERGY]) - exact).max() < 6  # of 60 meV/atom
    assert values["microcanonical"]["mixing_energy_mev_per_atom"][0] == pytest.approx(BOND * 4)
    rows = np.genfromtxt(folder / "r.csv", delimiter=",", names=True)
    assert rows["lro_B2"][0] == pytest.approx(1, abs=0.01) and rows["lro_B2"][-1] < 0.5
    profile = np.genfromtxt(folder / "p.csv", delimiter=",", names=True)
    for temperature in values["temperature_k"]:
        assert profile["probability"][profile["temperature_K"] == temperature].sum() == pytest.approx(1)
    assert (folder / "order.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_over_part_of_the_energies_says_from_where_it_holds(folder: Path) -> None:
    assert told("thermo", "cut.h5", cwd=folder)["valid_above_k"] is None  # its lowest level matters at any temperature
    assert "left out: they matter at every temperature" in call("thermo", "cut.h5", cwd=folder).stdout
    compared = told("compare", "cut.h5", "exact.h5", cwd=folder)
    assert compared["common"]["bins"] == compared["populated"]["bins"] > 1 and not compared["only_run_mev_per_atom"]


def test_a_run_compared_with_itself_differs_by_nothing(folder: Path) -> None:
    values = told("compare", "run.h5", "run.h5", "--figure", "same.png", cwd=folder)
    assert values["common"]["rms"] == values["peak_shift"] == 0 and not values["reference_is_exact"]
    values = told("compare", "run.h5", "exact.h5", "--figure", "both.pdf", cwd=folder)
    assert values["reference_is_exact"] and 0 < values["common"]["rms"] < 0.2
    assert told("compare", "run.h5", "all.h5", cwd=folder)["common"] == values["common"]
    other = told("compare", "run.h5", "dear.h5", "--other-oracle", cwd=folder)
    assert not other["same_oracle"] and other["only_reference_mev_per_atom"]
    assert "the two oracles differ" in call("compare", "run.h5", "dear.h5", "--other-oracle", cwd=folder).stdout


def test_all_compositions_are_compared_one_by_one(folder: Path) -> None:
    values = told("compare", "sg.h5", "all.h5", "--figure", "errors.png", cwd=folder)
    assert list(map(int, values["by_composition"])) == list(range(17)) and values["missing"] == []
    rest = [part["rms"] for n, part in values["by_composition"].items() if n in ("0", "16")]
    assert rest == [0, 0]  # one configuration of either pure species
    done = call("compare", "sg.h5", "all.h5", cwd=folder)
    assert "compositions that the run lacks: none" in done.stdout
    assert (folder / "errors.png").read_bytes().startswith(b"\x89PNG")


def test_free_energies_of_mixing_are_those_of_the_closed_form(folder: Path) -> None:
    values = told("mixing", "all.h5", "--temperature", "800", "--csv", "m.csv", "--figure", "m.png", cwd=folder)
    free = [row["free_energy_mev_per_atom"] for row in values["compositions"]]
    assert free == pytest.approx([averages(n, 800)[1] for n in range(17)], abs=1e-6)
    assert values["regions"] == [] and values["untrusted"] == []
    assert (folder / "m.csv").read_text().count("\n") == 18
    single = told("mixing", "exact.h5", "four.h5", "--temperature", "800", cwd=folder)
    kept = {row["composition"]: row["free_energy_mev_per_atom"] for row in single["compositions"]}
    assert kept == pytest.approx({n: free[n] for n in (0, 4, 8, 16)}, abs=1e-9)
    done = call("mixing", "sg.h5", "--temperature", "800", cwd=folder)
    assert "do not trust: sg.h5" in done.stdout


def test_an_alloy_that_demixes_has_two_phases_that_mirror_each_other(folder: Path) -> None:
    words = ("--temperatures", "400:800:200", "--csv", "d.csv", "--figure", "d.png")
    values = told("mixing", "demix.h5", *words, cwd=folder)
    assert [region["temperature_K"] for region in values["regions"]] == [400, 600, 800]
    for region in values["regions"]:
        assert region["x_low"] + region["x_high"] == pytest.approx(1) and region["height_kT"] > 1
        assert region["delta_mu_mev"] == pytest.approx(0, abs=1e-9)
    rise = [region["x_low"] for region in values["regions"]]
    assert rise == sorted(rise) and (folder / "d.csv").read_text().count("\n") == 4
    alone = call("mixing", "demix.h5", "--temperature", "600", "--figure", "one.png", cwd=folder)
    assert alone.returncode == 0 and "no two-phase region" not in alone.stdout


INSPECTED = {
    "run.h5": ("bins_visited", 5),
    "sg.h5": ("compositions", list(range(17))),
    "exact.h5": ("configurations", comb(16, 8)),
    "all.h5": ("configurations", 2**16),
    "four.h5": ("levels", len(TABLE.at_composition(4))),
}


@pytest.mark.parametrize("file", INSPECTED)
def test_files_say_what_they_hold_and_what_to_do_next(file: str, folder: Path) -> None:
    name, value = INSPECTED[file]
    values = told("inspect", file, cwd=folder)
    assert values[name] == value and values["n_sites"] == 16 and values["next"]
    if file == "sg.h5":
        assert "mixing" in refused("inspect", file, "--figure", "no.png", cwd=folder)
    else:
        assert call("inspect", file, "--figure", "i.png", cwd=folder).returncode == 0
        assert (folder / "i.png").read_bytes().startswith(b"\x89PNG")
    assert "table" in refused("inspect", file, "--csv", "no.csv", cwd=folder)


def test_a_run_that_was_not_over_is_told_beside_its_result(folder: Path) -> None:
    assert (folder / "run.h5.checkpoint").exists()
    values = told("inspect", "run.h5", cwd=folder)
    assert values["unfinished"] and "--resume" in call("inspect", "run.h5", cwd=folder).stdout
    alone = told("inspect", "run.h5.checkpoint", cwd=folder)
    for found in (alone, values):
        found["unfinished"].pop("age_s")
    assert alone == values


BAD = {
    "composition of a run": (("thermo", "run.h5", "--composition", "3"), "composition 8, not 3"),
    "no composition of many": (("thermo", "sg.h5"), "choose --composition 0, 1, 2"),
    "nothing measured": (("thermo", "cut.h5", "--profile", "p.csv"), "--joint"),
    "no order": (("thermo", "exact.h5", "--order-figure", "o.png"), "observables were measured"),
    "temperatures": (("thermo", "exact.h5", "--temperatures", "5"), "LO:HI:STEP"),
    "figure": (("thermo", "exact.h5", "--figure", "t.doc"), ".png"),
    "exact first": (("compare", "exact.h5", "run.h5"), "was not written by dos"),
    "one of all compositions": (("compare", "sg.h5", "exact.h5"), "--all-compositions"),
    "all with a run": (("compare", "sg.h5", "run.h5"), "exact --all-compositions"),
    "oracle": (("compare", "run.h5", "dear.h5"), "--other-oracle"),
    "composition": (("compare", "run.h5", "four.h5"), "8 and 4"),
    "text": (("compare", "own.toml", "exact.h5"), "own.toml"),
    "nothing there": (("inspect", "nothing.h5"), "there is no file"),
    "picture": (("inspect", "all.png"), "a picture"),
    "no temperature": (("mixing", "all.h5"), "--temperature T"),
    "cold": (("mixing", "all.h5", "--temperature", "0"), "above 0 K"),
    "height": (("mixing", "all.h5", "--temperature", "9", "--min-height", "-1"), "0 or more"),
    "two oracles": (("mixing", "exact.h5", "demix.h5", "--temperature", "9"), "oracle"),
    "both": (("exact", "own.toml", "--all-compositions", "--composition", "3"), "exclude each other"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_makes_no_sense_is_refused_in_one_line(case: str, folder: Path) -> None:
    words, hint = BAD[case]
    assert hint in refused(*words, cwd=folder)


def test_other_cells_and_other_bins_are_not_compared(folder: Path) -> None:
    (folder / "small.toml").write_text(SYSTEM.replace("[2, 2, 2]", "[1, 2, 2]"))
    told("exact", "small.toml", "--oracle", "pair:pair.toml", "--out", "small.h5", cwd=folder)
    assert "systems differ" in refused("compare", "run.h5", "small.h5", cwd=folder)
    words = ("dos", "own.toml", "--oracle", "pair:pair.toml", *SHORT, "--max-trials", "1000", "--bin-width", "70")
    told(*words, "--out", "wide.h5", cwd=folder, code=3)
    assert "different bins" in refused("compare", "wide.h5", "run.h5", cwd=folder)
