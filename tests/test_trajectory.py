"""Trajectory files: what is written is what is read, here and by ASE."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import units
from edited_file import edited

from wanglandau.configurations import random_configurations
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.trajectory import TrajectoryWriter, read_trajectory, write_extxyz

LATTICE = Lattice.cubic("bcc", ("Fe", "Pt"), 5.4, (2, 2, 4))
SMALL = Lattice.cubic("bcc", ("Fe", "Pt"), 5.4, (1, 1, 3))
"""Six sites: not a whole number of bytes."""


@pytest.mark.parametrize("lattice", [LATTICE, SMALL], ids=["32", "6"])
@pytest.mark.parametrize("names", [(), ("alpha_1", "moment_mean_mu_b")], ids=["plain", "observables"])
def test_round_trip_of_a_trajectory(lattice: Lattice, names: tuple[str, ...], tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = random_configurations(lattice, None, 500, rng)
    energies, measured = rng.normal(size=500), rng.normal(size=(500, len(names)))
    trials = np.arange(500) * 10**10
    with TrajectoryWriter(tmp_path / "run.h5", lattice, names) as writer:
        for part in (slice(0, 1), slice(1, 1), slice(1, 400), slice(400, 500)):
            writer.append(rows[part], energies[part], 300.0, trials[part], 3, measured[part])
            writer.flush()
        assert not (tmp_path / "run.h5").exists()  # not before it is complete
    read = read_trajectory(tmp_path / "run.h5")
    assert len(read) == 500 and read.occupations.dtype == np.int8 and read.names == names
    np.testing.assert_array_equal(read.occupations, rows)
    np.testing.assert_array_equal(read.energies, energies)
    np.testing.assert_array_equal(read.observables, measured)
    np.testing.assert_array_equal(read.trials, trials)
    np.testing.assert_array_equal(read.compositions, rows.sum(axis=1))
    assert set(read.temperatures) == {300.0} and set(read.walkers) == {3}
    assert read.lattice.fingerprint == lattice.fingerprint
    assert [item.name for item in tmp_path.iterdir()] == ["run.h5"]


def test_occupations_take_a_bit_a_site(tmp_path: Path) -> None:
    rows = random_configurations(LATTICE, 16, 20_000, np.random.default_rng(2))
    with TrajectoryWriter(tmp_path / "run.h5", LATTICE) as writer:
        writer.append(rows, np.zeros(len(rows)), 300.0, 0)
    assert (tmp_path / "run.h5").stat().st_size < 6 * len(rows)


def test_an_empty_trajectory(tmp_path: Path) -> None:
    with TrajectoryWriter(tmp_path / "run.h5", LATTICE, ("alpha_1",)):
        pass
    assert len(read_trajectory(tmp_path / "run.h5")) == 0


def test_a_run_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    rows = random_configurations(LATTICE, 16, 2, np.random.default_rng(3))
    with TrajectoryWriter(path, LATTICE) as writer:
        writer.append(rows, np.zeros(2), 300.0, 0)
    with pytest.raises(RuntimeError, match="power cut"), TrajectoryWriter(path, LATTICE) as writer:
        writer.append(rows[:1], np.zeros(1), 300.0, 0)
        raise RuntimeError("power cut")
    assert len(read_trajectory(path)) == 2 and len(list(tmp_path.iterdir())) == 1
    with pytest.raises(InputError, match="not open"):
        writer.append(rows, np.zeros(2), 300.0, 0)


def test_records_that_do_not_fit_are_refused_and_not_half_written(tmp_path: Path) -> None:
    rows = random_configurations(LATTICE, 16, 2, np.random.default_rng(4))
    good = {"occupations": rows, "energies": np.zeros(2), "temperatures": 300.0, "trials": 0}
    with TrajectoryWriter(tmp_path / "run.h5", LATTICE) as writer:
        for wrong, message in (
            ({"occupations": rows[:, :16]}, "needs"),
            ({"occupations": 2 * rows}, "must be 0"),
            ({"energies": np.zeros(3)}, "energies"),
            ({"energies": np.array([0, np.nan])}, "finite"),
            ({"trials": np.zeros(1, dtype=int)}, "trials"),
            ({"observables": np.zeros((2, 1))}, "observables"),
        ):
            with pytest.raises(InputError, match=message):
                writer.append(**(good | wrong))
        writer.append(**good)
    assert len(read_trajectory(tmp_path / "run.h5")) == 2
    with TrajectoryWriter(tmp_path / "run.h5", LATTICE, ("alpha_1",)) as writer, pytest.raises(InputError, match="obs"):
        writer.append(**good)
    with pytest.raises(InputError, match="cannot write"), TrajectoryWriter(tmp_path / "no" / "run.h5", LATTICE):
        pass


def test_files_that_are_no_trajectory_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with pytest.raises(InputError, match="there is no file"):
        read_trajectory(path)
    path.write_text("nothing")
    with pytest.raises(InputError, match="damaged"):
        read_trajectory(path)
    rows = random_configurations(LATTICE, 16, 2, np.random.default_rng(5))

    def spoiled(change: str) -> None:
        with TrajectoryWriter(path, LATTICE) as writer:
            writer.append(rows, np.zeros(2), 300.0, 0)
        with edited(path) as file:
            if change == "kind":
                file.attrs["kind"] = "something"
            elif change == "schema":
                file.attrs["schema"] = 99
            elif change == "bits":
                file["occupations"][0, 0] ^= 1
            else:
                del file[change]

    for change, message in (
        ("kind", "not a trajectory"),
        ("schema", "schema 99"),
        ("bits", "not those of"),
        ("energy", "lacks"),
    ):
        spoiled(change)
        with pytest.raises(InputError, match=message):
            read_trajectory(path)


def test_ase_opens_extended_xyz(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    rows = random_configurations(LATTICE, 12, 5, rng)
    energies = rng.normal(size=5)
    charges, moments = rng.normal(size=(2, 5, 32))
    path = tmp_path / "run.xyz"
    write_extxyz(path, LATTICE, rows, energies, temperatures=300.0, charges=charges, moments=moments)
    frames = ase.io.read(path, ":")
    assert len(frames) == 5
    for number, atoms in enumerate(frames):
        again = np.array([LATTICE.species.index(symbol) for symbol in atoms.get_chemical_symbols()])
        np.testing.assert_array_equal(again, rows[number])
        np.testing.assert_allclose(atoms.cell[:], LATTICE.cell * units.Bohr, atol=1e-7)
        np.testing.assert_allclose(atoms.positions, LATTICE.positions * units.Bohr, atol=1e-7)
        assert atoms.pbc.all()
        assert atoms.get_potential_energy() == pytest.approx(energies[number] * 13.605693, rel=1e-6)
        np.testing.assert_allclose(
            atoms.get_charges(), -charges[number], atol=1e-7
        )  # ASE: positive = electrons missing
        np.testing.assert_allclose(atoms.get_magnetic_moments(), moments[number], atol=1e-7)
        assert atoms.info["temperature"] == 300.0 and atoms.info["composition"] == 12
    line = path.read_text(encoding="utf-8").splitlines()[1]
    assert "energy=" in line and "Properties=species:S:1:pos:R:3" in line


def test_a_trajectory_becomes_extended_xyz_and_back(tmp_path: Path) -> None:
    rows = random_configurations(SMALL, None, 20, np.random.default_rng(7))
    with TrajectoryWriter(tmp_path / "run.h5", SMALL) as writer:
        writer.append(rows, np.linspace(-1, 0, 20), np.linspace(300, 500, 20), np.arange(20))
    read = read_trajectory(tmp_path / "run.h5")
    write_extxyz(tmp_path / "run.xyz", read.lattice, read.occupations, read.energies, temperatures=read.temperatures)
    frames = ase.io.read(tmp_path / "run.xyz", ":")
    again = np.array([[SMALL.species.index(symbol) for symbol in atoms.symbols] for atoms in frames])
    np.testing.assert_array_equal(again, rows)
    assert frames[3].info["temperature"] == pytest.approx(read.temperatures[3])


def test_extended_xyz_refuses_what_does_not_fit(tmp_path: Path) -> None:
    rows = random_configurations(SMALL, 3, 2, np.random.default_rng(8))
    path = tmp_path / "run.xyz"
    with pytest.raises(InputError, match="charges"):
        write_extxyz(path, SMALL, rows, np.zeros(2), charges=np.zeros((2, 5)))
    with pytest.raises(InputError, match="energies"):
        write_extxyz(path, SMALL, rows, np.zeros(3))
    with pytest.raises(InputError, match="cannot write"):
        write_extxyz(tmp_path / "no" / "run.xyz", SMALL, rows, np.zeros(2))
    assert not list(tmp_path.iterdir())
