"""The console program over all compositions, in windows, and with what is measured on the way."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from console import call
from test_cli import BCC, FCC

pytestmark = pytest.mark.compiled

SYSTEM = 'species = ["Cu", "Zn"]\nstructure = "bcc"\nlattice_constant = 2.95\nrepeat = [2, 2, 2]\n'
SHORT = ("--runs", "4", "--max-trials", "1500000", "--precision", "0.02", "--json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run over all compositions of a 16-atom cell and a measured canonical run."""
    folder = tmp_path_factory.mktemp("ensembles")
    (folder / "own.toml").write_text(SYSTEM)
    words = ("dos", "own.toml", "--oracle", BCC, "--ensemble", "semigrand", *SHORT, "--exact", "all.h5")
    done = call(*words, "--out", "semigrand.h5", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "semigrand.json").write_text(done.stdout)
    words = ("dos", "own.toml", "--oracle", BCC, *SHORT, "--joint", "lro_B2", "--out", "measured.h5")
    done = call(*words, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_semigrand_run_agrees_with_every_exact_composition(folder: Path) -> None:
    values = json.loads((folder / "semigrand.json").read_text())
    assert values["compositions"] == list(range(17))
    assert values["comparison"]["rms"] < 0.03
    assert values["comparison"]["missing"] == []


def test_files_of_all_compositions_are_understood_everywhere(folder: Path) -> None:
    compared = call("compare", "semigrand.h5", "all.h5", "--json", cwd=folder)
    assert json.loads(compared.stdout)["rms"] < 0.03
    assert "verdict" in call("inspect", "semigrand.h5", cwd=folder).stdout
    thermo = call("thermo", "semigrand.h5", "--composition", "8", "--json", cwd=folder)
    exact = call("thermo", "all.h5", "--composition", "8", "--json", cwd=folder)
    ours, theirs = (json.loads(done.stdout)["peak"]["temperature"] for done in (thermo, exact))
    assert ours == pytest.approx(theirs, rel=0.01)


def test_mixing_free_energy_of_a_run_is_the_exact_one(folder: Path) -> None:
    free = []
    for file in ("semigrand.h5", "all.h5"):
        done = call("mixing", file, "--temperature", "2000", "--json", cwd=folder)
        assert done.returncode == 0, done.stderr
        rows = json.loads(done.stdout)["compositions"]
        key = next(name for name in rows[0] if name.startswith("free_energy") and "error" not in name)
        free.append([row[key] for row in rows])
    assert np.allclose(free[0], free[1], atol=0.3)  # meV/atom; kT is 172 meV
    assert min(free[1]) < -60


def test_zero_field_run_agrees_with_all_levels_together(folder: Path) -> None:
    words = ("dos", "own.toml", "--oracle", BCC, "--ensemble", "zero-field", *SHORT, "--exact", "zero.h5")
    done = call(*words, "--out", "zero-field.h5", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["comparison"]["common"]["rms"] < 0.05


def test_measured_observables_follow_from_the_run_file(folder: Path) -> None:
    words = ("thermo", "measured.h5", "--temperatures", "500:6000:500", "--csv", "c.csv", "--profile", "p.csv")
    done = call(*words, "--order-figure", "order.png", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    with (folder / "c.csv").open() as file:
        rows = list(csv.DictReader(file))
    order = [float(row["lro_B2"]) for row in rows]
    assert order[0] == pytest.approx(1.0, abs=0.01)  # ordered at low temperature
    assert order == sorted(order, reverse=True)
    assert float(rows[0]["alpha_1"]) == pytest.approx(-1.0, abs=0.01)
    assert all(float(row["lro_B2_standard_error"]) < 0.02 for row in rows)
    profile = np.genfromtxt(folder / "p.csv", delimiter=",", names=True)
    coldest = profile[profile["temperature_K"] == 500]
    assert coldest["probability"].sum() == pytest.approx(1.0)
    assert coldest["lro_B2"][np.argmax(coldest["probability"])] > 0.95
    assert (folder / "order.png").read_bytes().startswith(b"\x89PNG")


def test_windows_are_reported(tmp_path: Path) -> None:
    words = ("dos", "cuau", "--oracle", FCC, "--windows", "2", "--runs", "4", "--max-trials", "6000000", "--json")
    done = call(*words, cwd=tmp_path)
    values = json.loads(done.stdout)
    assert values["diagnostics"]["layout"] == {"runs": 4, "windows": 2, "teams": 1}
    assert 0 < values["diagnostics"]["exchange_acceptance"][0] <= 1
    assert len(values["diagnostics"]["windows"]) == 2
    assert "windows" in call("inspect", "cuau-16.h5", cwd=tmp_path).stdout


BAD = {
    "composition of all": (["dos", "own.toml", "--ensemble", "semigrand", "--composition", "8"], "--composition 8"),
    "figure of all": (["dos", "own.toml", "--ensemble", "semigrand", "--figure", "f.png"], "mixing"),
    "windows of all": (["dos", "own.toml", "--ensemble", "semigrand", "--windows", "2"], "take 1"),
    "unknown ensemble": (["dos", "own.toml", "--ensemble", "grand"], "semigrand"),
    "unknown schedule": (["dos", "own.toml", "--schedule", "2/t"], "halving"),
    "sad without a temperature": (["dos", "own.toml", "--schedule", "sad"], "lowest_temperature"),
    "temperature without sad": (["dos", "own.toml", "--schedule", "1/t", "--lowest-temperature", "300"], "sad"),
    "unknown observable": (["dos", "own.toml", "--joint", "lro_L1_0"], "lro_B2"),
    "joint density of all": (["dos", "own.toml", "--ensemble", "semigrand", "--joint", "lro_B2"], "canonical"),
    "too much overlap": (["dos", "own.toml", "--overlap", "0.95"], "0.05 to 0.9"),
    "too many windows": (["dos", "own.toml", "--windows", "40"], "fewer"),
    "no composition chosen": (["thermo", "{all}"], "--composition"),
    "nothing measured": (["thermo", "{exact}", "--order-figure", "o.png"], "observables"),
    "no joint density": (["thermo", "{exact}", "--profile", "p.csv"], "--joint"),
}


@pytest.mark.parametrize("case", BAD, ids=str)
def test_bad_input_gets_one_helpful_line(case: str, folder: Path, tmp_path: Path) -> None:
    words, named = BAD[case]
    (tmp_path / "own.toml").write_text(SYSTEM)
    places = {"all": folder / "semigrand.h5", "exact": folder / "all.h5"}
    oracle = ("--oracle", BCC) if words[0] == "dos" else ()
    done = call(*(word.format(**places) for word in words), *oracle, cwd=tmp_path)
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1, done.stderr
    assert named in lines[0]
