"""``wanglandau metropolis`` and ``anneal``: exit codes, files, words."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import ase.io
import h5py
import numpy as np
import pytest
from edited_file import edited

from wanglandau.command_line import run_program, to_json
from wanglandau.commands.anneal import anneal
from wanglandau.commands.metropolis import MAX_FRAMES, metropolis
from wanglandau.errors import InputError
from wanglandau.levels import MEV_PER_RY
from wanglandau.metropolis_averages import average_all
from wanglandau.metropolis_file import read_metropolis, write_metropolis
from wanglandau.metropolis_inspection import curves_of, describe_metropolis, format_csv
from wanglandau.thermal_series import ThermalSeries
from wanglandau.trajectory import read_trajectory

pytestmark = pytest.mark.compiled

Run = Callable[..., int]
QUICK = ["--temperatures", "900", "600", "--sweeps", "20000", "--precision", "0.5"]


@pytest.fixture()
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nn.toml").write_text('unlike_bond_energies = [-20.0]\nunits = "meV"\n')
    (tmp_path / "bcc.toml").write_text(
        'species = ["Fe", "Pt"]\nstructure = "bcc"\nlattice_constant = 3.0\nrepeat = [2, 2, 2]\n'
    )
    return tmp_path


def run(command: str, *words: str) -> int:
    commands = {"metropolis": metropolis, "anneal": anneal}
    return run_program("wanglandau", "test", commands, [command, "bcc.toml", "--oracle", "pair:nn.toml", *words])


def test_trusted_run_writes_everything(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    files = ["--csv", "a.csv", "--figure", "a.png", "--trajectory", "t.h5", "--xyz", "t.xyz", "--out", "a.h5"]
    assert run("metropolis", *QUICK, *files) == 0
    text = capsys.readouterr().out
    assert "Trust these averages" in text and "8 Fe + 8 Pt on 16 sites" in text and "written to a.h5" in text
    assert (folder / "a.png").read_bytes().startswith(b"\x89PNG")
    record = read_metropolis("a.h5")
    assert record.temperatures.tolist() == [600.0, 900.0] and record.composition == 8 and record.verdict["trusted"]
    with open("a.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["temperature_K"]) for row in rows] == [600.0, 900.0]
    for row, energies in zip(rows, record.energies, strict=True):
        assert float(row["internal_energy_mev_per_atom"]) == pytest.approx(energies.mean() * MEV_PER_RY / 16, rel=1e-8)
        assert float(row["internal_energy_mev_per_atom_standard_error"]) <= 0.5
        assert -1 <= float(row["lro_B2"]) <= 1
    _check_trajectory(record.diagnostics["sweeps"], record.interval)


def _check_trajectory(sweeps: int, interval: int) -> None:
    trajectory = read_trajectory("t.h5")
    assert len(trajectory) == 16 * -(-sweeps // (5 * interval)) and set(trajectory.temperatures) == {600.0, 900.0}
    assert (trajectory.compositions == 8).all() and trajectory.trials[0] == 16 * interval
    frames = ase.io.read("t.xyz", ":")
    assert 0 < len(frames) <= MAX_FRAMES
    for frame in frames[:50]:
        assert frame.get_chemical_formula() == "Fe8Pt8" and frame.pbc.all() and frame.info["temperature"] in (600, 900)
    energies = {round(float(energy), 9) for energy in trajectory.energies}
    assert {round(frame.get_potential_energy() / 13.605693122994, 6) for frame in frames[:50]} <= {
        round(energy, 6) for energy in energies
    }


def test_untrusted_runs_end_with_3(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("metropolis", "--temperatures", "600", "--sweeps", "400", "--precision", "0.001", "--json") == 3
    values = json.loads(capsys.readouterr().out)
    assert not values["verdict"]["trusted"] and values["verdict"]["reasons"]
    assert values["out"] == "bcc-8-metropolis.h5" and (folder / "bcc-8-metropolis.h5").is_file()
    assert values["temperature_k"] == [600.0] and len(values["standard_error"]["heat_capacity_kb_per_atom"]) == 1


def test_semigrand_tempering(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--ensemble", "semigrand", "--delta-mu", "-12.5", "--tempering", "--only-ends", "--json"]
    assert run("metropolis", *QUICK, *words, "--figure", "b.svg") in (0, 3)
    values = json.loads(capsys.readouterr().out)
    assert values["delta_mu_mev"] == pytest.approx(-12.5) and values["composition"] is None
    assert 0 < values["concentration"][0] < 0.5 and values["susceptibility_per_ev"][0] > 0
    assert values["diagnostics"]["exchange_rates"] and min(values["diagnostics"]["round_trips"]) > 0
    record = read_metropolis("bcc-semigrand-metropolis.h5")
    assert record.composition is None and record.delta_mu == pytest.approx(-12.5 / MEV_PER_RY)
    text = describe_metropolis(record).text
    assert (
        "round trips" in text
        and "delta_mu -12.5 meV (Pt minus Fe)" in text
        and text.endswith(record.verdict["summary"])
    )


def test_equal_seeds_give_equal_files(folder: Path) -> None:
    for name, seed in (("a.h5", "1"), ("b.h5", "1"), ("c.h5", "2")):
        run(
            "metropolis",
            "--temperatures",
            "600",
            "900",
            "--sweeps",
            "400",
            "--out",
            name,
            "--seed",
            seed,
            "--tempering",
        )
    first, second, third = (read_metropolis(name) for name in ("a.h5", "b.h5", "c.h5"))
    np.testing.assert_array_equal(first.energies, second.energies)
    assert format_csv(first) == format_csv(second) != format_csv(third)


def test_file_holds_the_averages_of_its_series(folder: Path) -> None:
    words = ["--ensemble", "semigrand", "--delta-mu", "5", "--sweeps", "600", "--no-observables", "--out", "a.h5"]
    run("metropolis", "--temperatures", "600", "900", *words)
    record = read_metropolis("a.h5")
    shape = record.energies.shape
    series = ThermalSeries(
        record.temperatures, 16, None, record.delta_mu, record.energies, record.compositions.astype(float), (),
        np.empty((*shape, 0)), record.interval, 5,
    )  # fmt: skip
    for name, average in average_all(series).items():
        np.testing.assert_allclose(average.values, record.averages[name].values)
        np.testing.assert_allclose(average.errors, record.averages[name].errors)
    assert "lro_B2" not in curves_of(record)
    write_metropolis("again.h5", record)
    again = read_metropolis("again.h5")
    assert describe_metropolis(again).text == describe_metropolis(record).text
    assert to_json(describe_metropolis(again).values) == to_json(describe_metropolis(record).values)


def test_damaged_and_foreign_files_are_refused(folder: Path) -> None:
    run("metropolis", "--temperatures", "600", "--sweeps", "400", "--out", "a.h5")
    with edited("a.h5") as file:
        del file["averages/errors"]
    with pytest.raises(InputError, match="errors"):
        read_metropolis("a.h5")
    with h5py.File("b.h5", "w") as file:
        file.attrs["kind"] = "wanglandau run"
    with pytest.raises(InputError, match="'wanglandau metropolis' is needed"):
        read_metropolis("b.h5")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--temperatures", "0"], "above 0 K"),
        (["--temperatures", "600", "600"], "twice"),
        (["--temperatures", "600", "--delta-mu", "3"], "semigrand"),
        (["--temperatures", "600", "--tempering"], "at least 2 temperatures"),
        (["--temperatures", "600", "--ensemble", "semigrand", "--composition", "4"], "composition 4"),
        (["--temperatures", "600", "--chains", "2"], "chains is 2"),
        (["--temperatures", "600", "--composition", "0"], "composition 0"),
        (["--temperatures", "600", "--figure", "a.doc"], "figure a.doc"),
        (["--temperatures", "600", "--out", "no/where.h5"], "does not exist"),
        ([], "temperatures"),
    ],
    ids=str,
)
def test_bad_input_ends_with_2(
    folder: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("metropolis", *words) == 2
    assert message in capsys.readouterr().err
    assert not list(folder.glob("*.h5"))


def test_anneal_lists_and_writes_the_lowest(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--from-temperature", "3000", "--to-temperature", "100", "--sweeps", "2000", "--out", "low.xyz"]
    assert run("anneal", *words, "--keep", "3", "--json") == 0
    values = json.loads(capsys.readouterr().out)
    assert values["structure"][0] == "B2" and values["energy_mev_per_atom"][0] == pytest.approx(-80.0)
    frames = ase.io.read("low.xyz", ":")
    assert len(frames) == 3 and frames[0].get_chemical_formula() == "Fe8Pt8"
    assert run("anneal", *words) == 0
    assert "walkers ended in the lowest energy" in capsys.readouterr().out
    assert run("anneal", "--from-temperature", "10", "--to-temperature", "100") == 2
