"""Structures as other programs write them: relaxed, turned in order, in small cells, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.singlepoint import SinglePointCalculator

from surrogate.cli import main
from surrogate.dataset import Dataset, load_dataset
from surrogate.orbits import orbit_labels
from surrogate.structure_dataset import EnergyColumn, read_structures, spread_within_orbits
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.ordered_structures import ordered_structures
from wanglandau.systems import System, load_system


def some() -> Dataset:
    data = load_dataset("fept")
    _, one_of_each = np.unique(data.composition, return_index=True)
    return data.select(one_of_each[[0, 3, 9, 14, -1]])


def structure(data: Dataset, row: int) -> Atoms:
    """Lay out one configuration in the units and signs of ASE."""
    atoms = data.lattice.to_atoms(data.occupations[row])
    results = {"energy": data.energy[row] * units.Ry, "charges": -data.charge[row], "magmoms": data.moment[row]}
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def written(path: Path, structures: list[Atoms]) -> list[Path]:
    ase.io.write(path, structures)
    return [path]


def disturbed(atoms: Atoms, rng: np.random.Generator) -> Atoms:
    """Swell, strain, shift and relax a structure, and put its atoms in another order and other images."""
    calculator, order = atoms.calc, rng.permutation(len(atoms))
    moved = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True)
    moved.set_cell(1.06 * moved.cell[:] @ (np.eye(3) + rng.uniform(-0.01, 0.01, (3, 3))), scale_atoms=True)
    moved.positions += rng.uniform(-5, 5, 3) + rng.uniform(-0.1, 0.1, moved.positions.shape)
    moved.positions += rng.integers(-2, 3, moved.positions.shape) @ moved.cell[:]
    moved = moved[order]
    results = {name: value[order] if np.ndim(value) else value for name, value in calculator.results.items()}
    moved.calc = SinglePointCalculator(moved, **results)
    return moved


@pytest.mark.parametrize("end", ["extxyz", "traj"])
def test_what_was_written_is_read_back(end: str, tmp_path: Path) -> None:
    data = some()
    files = written(tmp_path / f"all.{end}", [structure(data, row) for row in range(len(data))])
    read = read_structures(files, load_system("fept"))
    np.testing.assert_array_equal(read.occupations, data.occupations)
    np.testing.assert_array_equal(read.orbit, data.orbit)
    for array in ("energy", "charge", "moment"):
        np.testing.assert_allclose(getattr(read, array), getattr(data, array), rtol=1e-8, atol=1e-8, err_msg=array)
    np.testing.assert_allclose(read.reference_energies, data.energy[[0, -1]] / 32, rtol=1e-8)
    assert "caution" not in read.attributes


def test_relaxed_structures_are_the_configurations_they_came_from(tmp_path: Path) -> None:
    data, rng = some(), np.random.default_rng(1)
    files = written(tmp_path / "all.extxyz", [disturbed(structure(data, row), rng) for row in range(len(data))])
    read = read_structures(files, load_system("fept"))
    np.testing.assert_array_equal(read.orbit, data.orbit)  # shifts may give another image
    np.testing.assert_allclose(read.energy, data.energy, rtol=1e-8)
    np.testing.assert_allclose(read.moment.sum(axis=1), data.moment.sum(axis=1), atol=1e-5)
    iron = [moment[occupations == 0].sum() for moment, occupations in zip(read.moment, read.occupations, strict=True)]
    there = [moment[occupations == 0].sum() for moment, occupations in zip(data.moment, data.occupations, strict=True)]
    np.testing.assert_allclose(iron, there, atol=1e-5)  # every moment went with its atom
    np.testing.assert_allclose(read.records["scale"], 1.06, rtol=0.01)
    assert 0.05 < read.records["displacement"].max() < 0.3 and "relaxed" in read.attributes["caution"]


def test_small_cells_fill_the_cell_of_the_system(tmp_path: Path) -> None:
    lattice = load_system("cuau", (1, 1, 1)).lattice
    small = lattice.to_atoms(np.array([0, 0, 1, 1], dtype=np.int8))
    small.calc = SinglePointCalculator(small, energy=-8.0)
    files = written(tmp_path / "small.extxyz", [small])
    read = read_structures(files, load_system("cuau"), reference_energies=(-1.0, -2.0))
    np.testing.assert_allclose(read.energy * units.Ry, [8 * -8.0])
    np.testing.assert_allclose(read.mixing_energy * units.Ry, [-64.0 + 16 + 32])
    whole = load_system("cuau").lattice
    assert read.orbit.tolist() == orbit_labels(whole, ordered_structures(whole)["L1_0"][None]).tolist()
    alone = read_structures(files, load_system("cuau", (1, 1, 1)), reference_energies=(-1.0, -2.0))
    assert alone.mixing_energy * 8 == pytest.approx(read.mixing_energy)


def test_lattices_of_two_sites_a_cell_keep_their_sites(tmp_path: Path) -> None:
    hexagonal = Lattice(("Mg", "Cd"), np.array([[6, 0, 0], [-3, 3**0.5 * 3, 0], [0, 0, 10.0]]), np.array([[0, 0, 0.0]]))
    two = Lattice(("Mg", "Cd"), hexagonal.cell, np.array([[0, 0, 0], [0, 2 * 3**0.5, 5.0]])).repeat((2, 2, 2))
    rng = np.random.default_rng(2)
    occupations = (rng.random((6, two.n_sites)) < 0.5).astype(np.int8)
    structures = []
    for row in occupations:
        atoms = two.to_atoms(row)
        atoms.calc = SinglePointCalculator(atoms, energy=float(row.sum()))
        structures.append(disturbed(atoms, rng))
    read = read_structures(written(tmp_path / "hcp.extxyz", structures), System("hcp", two, 8), None, (0.0, 1.0))
    np.testing.assert_array_equal(read.orbit, orbit_labels(two, occupations))
    np.testing.assert_allclose(read.mixing_energy, 0.0, atol=1e-9)


def test_mixing_energies_under_a_name_of_their_own(tmp_path: Path) -> None:
    data = some()
    structures = []
    for row in range(len(data)):
        atoms = data.lattice.to_atoms(data.occupations[row])
        atoms.info["e_mix"] = data.mixing_energy[row] * units.Ry / 32
        structures.append(atoms)
    files = written(tmp_path / "all.extxyz", structures)
    read = read_structures(files, load_system("fept"), EnergyColumn("e_mix", mixing_per_atom=True))
    np.testing.assert_allclose(read.mixing_energy, data.mixing_energy, atol=1e-8)
    assert read.reference_energies.tolist() == [0.0, 0.0]


def test_equivalent_configurations_show_what_energies_are_worth(tmp_path: Path) -> None:
    data = some()
    twice = [structure(data, 1), structure(data, 1)]
    twice[1].positions[:] = data.lattice.positions[data.lattice.symmetry[7]] * units.Bohr
    twice[1].calc.results["energy"] += 0.5
    read = read_structures(written(tmp_path / "all.extxyz", twice), load_system("fept"), None, (-34571.0, -501672.0))
    assert read.orbit[0] == read.orbit[1] and spread_within_orbits(read) * units.Ry == pytest.approx(0.5)


def wrong_cell(atoms: Atoms) -> Atoms:
    return atoms.repeat((1, 1, 2))


def wrong_place(atoms: Atoms) -> Atoms:
    atoms.positions[3] += [0.9, 0.0, 0.0]
    return atoms


def wrong_scale(atoms: Atoms) -> Atoms:
    atoms.set_cell(2 * atoms.cell[:], scale_atoms=True)
    return atoms


def sheared(atoms: Atoms) -> Atoms:
    atoms.set_cell(atoms.cell[:] @ np.array([[1, 0.2, 0], [0, 1, 0], [0, 0, 1]]), scale_atoms=True)
    return atoms


def no_energy(atoms: Atoms) -> Atoms:
    atoms.calc = None
    return atoms


def stranger(atoms: Atoms) -> Atoms:
    atoms.symbols[4] = "Ni"
    return atoms


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (wrong_cell, "whole"),
        (wrong_place, "Angstrom from the site"),
        (wrong_scale, "lattice_constant"),
        (sheared, "strained"),
        (no_energy, "--energy-key"),
        (stranger, "Ni"),
    ],
)
def test_what_does_not_fit_is_named(change: Callable[[Atoms], Atoms], said: str, tmp_path: Path) -> None:
    data = some()
    good, bad = structure(data, 0), structure(data, 1)
    calculator = bad.calc
    bad = change(bad)
    if change is not no_energy:
        bad.calc = SinglePointCalculator(bad, energy=calculator.results["energy"])
    ase.io.write(tmp_path / "mixed.extxyz", [good, bad])
    with pytest.raises(InputError, match=said) as refused:
        read_structures([tmp_path / "mixed.extxyz"], load_system("fept"))
    assert "structure 2" in str(refused.value)


def test_missing_references_and_strange_files_are_named(tmp_path: Path) -> None:
    data = some()
    files = written(tmp_path / "one.extxyz", [structure(data, 1)])
    with pytest.raises(InputError, match="pure Fe"):
        read_structures(files, load_system("fept"))
    (tmp_path / "notes.txt").write_text("no structure\n")
    for wrong in (tmp_path / "notes.txt", tmp_path / "absent.extxyz"):
        with pytest.raises(InputError, match=wrong.name):
            read_structures([wrong], load_system("fept"))


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = some()
    file = written(tmp_path / "all.extxyz", [structure(data, row) for row in range(len(data))])[0]
    words = ["import-structures", "fept", str(file), "--out", str(tmp_path / "mine.h5")]
    assert main([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["n_configurations"] == 5 and load_dataset(tmp_path / "mine.h5").digest == said["dataset_digest"]
    assert main(words) == 0 and "off their sites" in capsys.readouterr().out
    assert main(["train", "fept", "--dataset", str(file)]) == 2
    assert "import-structures" in capsys.readouterr().err
