"""Metropolis sampling and annealing, from end to end, so short that kernels may be plain Python."""

from __future__ import annotations

import csv
from pathlib import Path

import ase.io
import numpy as np
import pytest
from console import call
from short_cell import BOND, averages, prepare, refused, told

from wanglandau.oracle_registry import load_oracle
from wanglandau.systems import load_system
from wanglandau.trajectory import read_trajectory

MODEL = ("--oracle", "pair:pair.toml")
SHORT = ("--chains", "4", "--sweeps", "200", "--threads", "1")
LADDER = ("--temperatures", "1200", "2400", "--tempering", "--no-tune", "--exchange-interval", "1")
KEPT = ("--trajectory", "t.h5", "--xyz", "t.xyz", "--csv", "m.csv", "--figure", "m.png")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with averages of a canonical run with tempering and of one with free composition."""
    folder = prepare(tmp_path_factory.mktemp("averages"))
    told("metropolis", "own.toml", *MODEL, *SHORT, *LADDER, *KEPT, "--out", "m.h5", cwd=folder, code=3)
    free = ("--ensemble", "semigrand", "--delta-mu", "0", "--temperatures", "3000")
    told(
        "metropolis", "own.toml", *MODEL, *SHORT, *free, "--out", "free.h5", "--figure", "free.png", cwd=folder, code=3
    )
    return folder


def test_averages_with_tempering_are_those_of_the_closed_form(folder: Path) -> None:
    values = told("inspect", "m.h5", "--figure", "i.png", "--csv", "i.csv", cwd=folder)
    assert (folder / "i.csv").read_text() == (folder / "m.csv").read_text() and values["next"]
    with (folder / "m.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        energy, _, capacity = averages(8, float(row["temperature_K"]))
        error = float(row["internal_energy_mev_per_atom_standard_error"])
        assert float(row["internal_energy_mev_per_atom"]) == pytest.approx(energy, abs=4 * error) and error < 5
        assert float(row["heat_capacity_kb_per_atom"]) == pytest.approx(capacity, rel=0.5)
    assert len(rows) == 2
    for name in ("i", "m", "free"):
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_kept_configurations_have_the_energies_told_of_them(folder: Path) -> None:
    kept = read_trajectory(folder / "t.h5")
    system = load_system(str(folder / "own.toml"))
    energies = load_oracle(f"pair:{folder / 'pair.toml'}", system).energies(kept.occupations)
    np.testing.assert_allclose(kept.energies, energies, atol=1e-12)
    assert (kept.occupations.sum(axis=1) == 8).all() and set(kept.temperatures) == {1200, 2400}
    values = told("inspect", "t.h5", cwd=folder)
    assert values["records"] == len(energies) and values["walkers"] == 8 and values["compositions"] == [8]
    assert "its run file has averages" in refused("inspect", "t.h5", "--figure", "no.png", cwd=folder)
    frames = ase.io.read(folder / "t.xyz", ":")
    assert len(frames) == len(energies) <= 1000
    assert {frame.get_chemical_formula() for frame in frames} == {"Cu8Zn8"}


def test_free_composition_without_a_field_is_even(folder: Path) -> None:
    values = told("inspect", "free.h5", cwd=folder)
    assert "delta_mu 0 meV" in call("inspect", "free.h5", cwd=folder).stdout and values["composition"] is None
    told("inspect", "free.h5", "--csv", "free.csv", cwd=folder)
    with (folder / "free.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["concentration"]) == pytest.approx(0.5, abs=4 * float(row["concentration_standard_error"]))
    energy = averages(None, 3000)[0]
    error = float(row["internal_energy_mev_per_atom_standard_error"])
    assert float(row["internal_energy_mev_per_atom"]) == pytest.approx(energy, abs=4 * error)


def test_a_finished_calculation_is_not_done_again(folder: Path) -> None:
    before = (folder / "m.h5").stat().st_mtime_ns
    words = ("metropolis", "own.toml", *MODEL, *SHORT, *LADDER, *KEPT, "--out", "m.h5", "--resume")
    told(*words, cwd=folder, code=3)
    assert (folder / "m.h5").stat().st_mtime_ns == before
    assert "seed" in refused(*words, "--seed", "2", cwd=folder)


def test_a_cheap_model_proposes_for_a_dear_one(folder: Path) -> None:
    words = ("--proposal-oracle", "pair:pair.toml", "--proposal-rounds", "200", "--proposal-trials", "16")
    dear = (
        "--oracle",
        "pair:dear.toml",
        "--chains",
        "4",
        "--temperatures",
        "2000",
        "--threads",
        "1",
        "--no-observables",
    )
    values = told("metropolis", "own.toml", *dear, *words, "--csv", "p.csv", "--out", "p.h5", cwd=folder, code=3)
    told("exact", "own.toml", "--oracle", "pair:dear.toml", "--out", "dear.h5", cwd=folder)
    exact = told("thermo", "dear.h5", "--temperatures", "1900:2100:100", cwd=folder)
    with (folder / "p.csv").open() as file:
        (row,) = csv.DictReader(file)
    error = float(row["internal_energy_mev_per_atom_standard_error"])
    assert float(row["internal_energy_mev_per_atom"]) == pytest.approx(
        exact["internal_energy_mev_per_atom"][1], abs=4 * error
    )
    assert not values["verdict"]["trusted"] and "proposal" in call("inspect", "p.h5", cwd=folder).stdout


BAD = {
    "composition": (("--ensemble", "semigrand", "--composition", "3"), "leave one out"),
    "field": (("--delta-mu", "3"), "choose ensemble semigrand"),
    "no proposal": (("--proposal-trials", "3"), "name it"),
    "chains": (("--chains", "2"), "4 to 10000"),
    "twice": (("--temperatures", "300", "300"), "comes twice"),
    "cold": (("--temperatures", "0"), "above 0 K"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_sampled_is_refused_in_one_line(case: str, folder: Path) -> None:
    words, hint = BAD[case]
    given = () if "--temperatures" in words else ("--temperatures", "900")
    assert hint in refused("metropolis", "own.toml", *MODEL, *given, *words, cwd=folder)


def test_cooling_finds_the_ordered_ground_state(folder: Path) -> None:
    words = ("--sweeps", "200", "--steps", "20", "--chains", "4", "--keep", "2", "--out", "lowest.xyz")
    values = told("anneal", "own.toml", *MODEL, *words, cwd=folder)
    assert values["energy_mev_per_atom"][0] == pytest.approx(BOND * 64 / 16) and values["structure"][0] == "B2"
    lowest = np.array(values["occupations"][0])
    corner = np.isclose(load_system(str(folder / "own.toml")).lattice.positions[:, 0] % 5.574681, 0, atol=1e-3)
    assert len(set(lowest[corner])) == 1 and lowest.sum() == 8
    assert len(ase.io.read(folder / "lowest.xyz", ":")) == len(values["energy_mev_per_atom"])
