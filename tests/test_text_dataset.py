"""Published text files: read back as they were written, atoms in any order, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.data import atomic_numbers

from surrogate.cli import main
from surrogate.data_source import load_any
from surrogate.dataset import Dataset, load_dataset
from surrogate.text_configuration import MAX_BYTES
from surrogate.text_dataset import read_text_dataset
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.systems import System, load_system


def text_of(data: Dataset, row: int, positions: np.ndarray | None = None, order: np.ndarray | None = None) -> str:
    """Lay out one configuration as LSMS does, 18 columns an atom."""
    places = data.lattice.positions if positions is None else positions
    numbers = np.array([atomic_numbers[symbol] for symbol in data.lattice.species])[data.occupations[row]]
    moment = np.zeros(len(numbers)) if data.moment is None else data.moment[row]
    lines = [
        f"{data.energy[row]:.15f} {data.records['band_energy'][row]:.15f} {data.records['fermi_energy'][row]:.15f}"
    ]
    for index, site in enumerate(np.arange(len(numbers)) if order is None else order):
        x, y, z = places[site]
        lines.append(
            f"{numbers[site]:3d} {index:8d} {x:22.15f} {y:22.15f} {z:22.15f} "
            f"{numbers[site] + data.charge[row, site]:13.6f} {moment[site]:12.6f} "
            f"{0:22.15f} {0:22.15f} {1:22.15f} {-1:7.2f}" + f" {0:22.15f}" * 3 + f" {0:9.4f}" + f" {0:22.15f}" * 3
        )
    return "\n".join(lines) + "\n"


def some(system: str) -> Dataset:
    """Shipped configurations, the pure ones among them, with the band energy that text files have."""
    data = load_dataset(system)
    _, one_of_each = np.unique(data.composition, return_index=True)
    chosen = data.select(one_of_each[[0, 3, 9, 14, -1]])
    fermi = chosen.records["fermi_energy"]
    return replace(chosen, records={"band_energy": 400.0 * fermi, "fermi_energy": fermi})


def write(folder: Path, data: Dataset) -> list[Path]:
    folder.mkdir(exist_ok=True)
    files = [folder / f"configuration_{row:03d}.txt" for row in range(len(data))]
    for row, file in enumerate(files):
        file.write_text(text_of(data, row))
    return files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "text", some("fept"))
    return tmp_path / "text"


@pytest.mark.parametrize("name", ["cuau", "fept"])
def test_what_was_written_is_read_back(name: str, tmp_path: Path) -> None:
    data = some(name)
    write(tmp_path / "text", data)
    read = read_text_dataset(tmp_path / "text", load_system(name), tuple(data.reference_energies))
    for array in ("occupations", "energy", "orbit", "moment", "reference_energies"):
        np.testing.assert_array_equal(getattr(read, array), getattr(data, array), err_msg=array)
    np.testing.assert_allclose(read.charge, data.charge, atol=1e-13, rtol=0)  # electrons minus Z rounds
    for record, values in data.records.items():
        np.testing.assert_array_equal(read.records[record], values)
    write(tmp_path / "text", read)
    again = read_text_dataset(tmp_path / "text", load_system(name), tuple(data.reference_energies))
    assert again.digest == read.digest


@pytest.mark.parametrize("name", ["cuau", "fept"])
def test_atoms_in_any_order_and_any_image_give_the_same(name: str, tmp_path: Path) -> None:
    data, rng = some(name), np.random.default_rng(1)
    straight = [file.rename(file.with_suffix(".straight")) for file in write(tmp_path / "text", data)]
    plain = read_text_dataset(tmp_path / "text", load_system(name))
    for row, file in enumerate(straight):
        images = rng.integers(-3, 4, (data.lattice.n_sites, 3)) @ data.lattice.cell
        noise = rng.uniform(-1e-3, 1e-3, images.shape)
        order = rng.permutation(data.lattice.n_sites)
        file.write_text(text_of(data, row, data.lattice.positions + images + noise, order))
    assert read_text_dataset(tmp_path / "text", load_system(name)).digest == plain.digest


def test_skewed_cells_are_matched_too(tmp_path: Path) -> None:
    cubic = load_system("cuau", (2, 2, 1))
    skewed = cubic.lattice.cell + np.array([[0, 0, 0], [1, 0, 0], [2, 1, 0]]) @ cubic.lattice.cell
    system = System("skewed", Lattice(cubic.lattice.species, skewed, cubic.lattice.positions), 8)
    occupations = np.eye(16, dtype=np.int8)[:1].repeat(2, axis=0)
    occupations[1] = 1 - occupations[1]
    values = np.linspace(-0.1, 0.1, 32).reshape(2, 16).round(3)
    records = {"band_energy": np.ones(2), "fermi_energy": np.ones(2)}
    orbit = np.array([1, 2**15 - 1], dtype=np.uint64)
    energy = np.array([-100.0, -200.0])
    data = Dataset(system.lattice, occupations, energy, orbit, np.array([-6.0, -12.5]), values, None, None, records)
    for row in (0, 1):
        (tmp_path / f"{row}").write_text(text_of(data, row))
    read = read_text_dataset(tmp_path, system, (-6.0, -12.5))
    np.testing.assert_array_equal(read.occupations, occupations)
    np.testing.assert_allclose(read.charge, values, atol=1e-12)


def test_reference_energies_come_from_the_pure_files(folder: Path) -> None:
    data = some("fept")
    read = read_text_dataset(folder, load_system("fept"))
    np.testing.assert_array_equal(read.reference_energies, data.energy[[0, -1]] / 32)
    assert read.mixing_energy[0] == read.mixing_energy[-1] == 0.0
    assert read.attributes["reference_energies_from"] == "files of the pure species"
    given = read_text_dataset(folder, load_system("fept"), (-2541.0, -36872.0))
    assert given.reference_energies.tolist() == [-2541.0, -36872.0]


@pytest.mark.parametrize(("row", "symbol"), [(0, "Fe"), (-1, "Pt")])
def test_a_missing_pure_species_is_named(folder: Path, row: int, symbol: str) -> None:
    sorted(folder.iterdir())[row].unlink()
    with pytest.raises(InputError, match=f"32 atoms are {symbol}.*--reference-energies.*Fe then Pt"):
        read_text_dataset(folder, load_system("fept"))


def test_two_different_energies_of_one_pure_species_are_refused(folder: Path) -> None:
    data = some("fept")
    (folder / "other.txt").write_text(text_of(replace(data, energy=data.energy + 0.1), 0))
    with pytest.raises(InputError, match=r"configuration_000.txt.*other.txt|other.txt.*configuration_000.txt"):
        read_text_dataset(folder, load_system("fept"))


def test_imported_files_do_not_pass_for_runs_of_this_project(folder: Path) -> None:
    read = read_text_dataset(folder, load_system("fept"))
    assert read.source is not None and set(read.source) == {"imported text file"}
    assert read.attributes["code"].startswith("not stated") and read.attributes["imported_from"] == "text"


def _line(number: int, change: Callable[[list[str]], list[str]]) -> Callable[[str], str]:
    def damage(text: str) -> str:
        lines = text.split("\n")
        lines[number - 1] = " ".join(change(lines[number - 1].split()))
        return "\n".join(lines)

    return damage


def _word(line: int, column: int, value: str) -> Callable[[str], str]:
    return _line(line, lambda words: [*words[: column - 1], value, *words[column:]])


DAMAGE: dict[str, tuple[Callable[[str], str], str]] = {
    "empty": (lambda text: "", "line 1 has 0 columns"),
    "first line short": (_line(1, lambda words: words[:2]), "line 1 has 2 columns; expected 3"),
    "column missing": (_line(7, lambda words: words[:-1]), "line 7 has 17 columns; expected 18"),
    "column too many": (_line(7, lambda words: [*words, "0"]), "line 7 has 19 columns"),
    "numbers run together": (_line(4, lambda words: [words[0] + words[1], *words[2:]]), "line 4 has 17"),
    "no number": (_word(5, 6, "twenty"), "line 5, column 6: 'twenty' is no finite number"),
    "Fortran exponent": (_word(5, 7, "1.0D+00"), "line 5, column 7: '1.0D"),
    "digits with underscore": (_word(5, 7, "1_0"), "line 5, column 7: '1_0'"),
    "expression": (_word(5, 3, "2*3"), "line 5, column 3"),
    "nan": (_word(1, 1, "nan"), "line 1, column 1: 'nan' is no finite number"),
    "infinite": (_word(9, 18, "-inf"), "line 9, column 18: '-inf'"),
    "overflow": (_word(9, 12, "1e999"), "line 9, column 12: '1e999'"),
    "atom missing": (lambda text: text[: text.rstrip().rindex("\n")], "31 atoms; the cell of this system has 32"),
    "atom too many": (lambda text: text + text.split("\n")[1] + "\n", "33 atoms"),
    "another element": (_word(6, 1, "29"), r"line 6: Z is 29 \(Cu\); this system has 26 \(Fe\) or 78 \(Pt\)"),
    "no element": (_word(6, 1, "26.5"), "line 6: Z is 26.5;"),
    "atom off its site": (_word(8, 4, "0.02"), "line 8: the atom at .* is 0.0200 Bohr from site 6"),
    "atom on no site": (_word(8, 4, "1.4"), "line 8: .*1.4000 Bohr from site 6.*structure_file"),
    "atom far away": (_word(8, 4, "1e20"), "line 8: .*far outside"),
    "atom beyond numbers": (_word(8, 4, "1e300"), "line 8: .*far outside"),
    "charge instead of electrons": (_word(3, 6, "0.05"), "line 3, column 6: 0.05 electrons .* all electrons"),
    "energy in eV": (_word(1, 1, "-8e6"), "line 1: total energy .*must be in Ry"),
    "not plain text": (lambda text: text + "µ", "no plain text"),
    "too large": (lambda text: text + " " * MAX_BYTES, "more than the limit"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_bad_files_are_refused_in_one_line(damage: str, folder: Path) -> None:
    change, words = DAMAGE[damage]
    file = folder / "configuration_002.txt"
    file.write_text(change(file.read_text()))
    with pytest.raises(InputError, match=words) as caught:
        read_text_dataset(folder, load_system("fept"))
    assert str(caught.value).startswith(str(file)) and "\n" not in str(caught.value)


def test_two_atoms_on_one_site_are_refused(folder: Path) -> None:
    file = folder / "configuration_001.txt"
    third = file.read_text().split("\n")[2].split()
    file.write_text(_line(12, lambda words: [*words[:2], *third[2:5], *words[5:]])(file.read_text()))
    with pytest.raises(InputError, match="lines 3 and 12: both atoms sit on site 1"):
        read_text_dataset(folder, load_system("fept"))


@pytest.mark.parametrize(
    ("scale", "remedy"), [(1.0026, "1.00260 times.*lattice_constant"), (0.529177, "must be in Bohr")]
)
def test_another_lattice_constant_is_told_by_its_scale(folder: Path, scale: float, remedy: str) -> None:
    data = some("fept")
    for row, file in enumerate(sorted(folder.iterdir())):
        file.write_text(text_of(data, row, scale * data.lattice.positions))
    with pytest.raises(InputError, match=rf"configuration_000.txt: line \d+: .*{remedy}"):
        read_text_dataset(folder, load_system("fept"))


def test_odd_folders_are_refused(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".hidden").touch()
    with pytest.raises(InputError, match="empty"):
        read_text_dataset(tmp_path / "empty", load_system("fept"))
    with pytest.raises(InputError, match="No such file"):
        read_text_dataset(tmp_path / "none", load_system("fept"))
    (folder / "sub").mkdir()
    with pytest.raises(InputError, match="sub: it is no regular file"):
        read_text_dataset(folder, load_system("fept"))


def test_cells_beyond_an_orbit_label_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="256 sites"):
        read_text_dataset(folder, load_system("cuau", (4, 4, 4)))


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = main([str(word) for word in words])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_import_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "data.h5"
    code, text, _ = run(capsys, "import-text", "fept", folder, "--out", out, "--json")
    values = json.loads(text)
    data = load_dataset(out)
    assert code == 0 and values["arrays"] == ["energy", "charge", "moment"]
    assert values["dataset_digest"] == data.digest == read_text_dataset(folder, load_system("fept")).digest
    energies = ("--reference-energies", "-2541.0", "-36872.5")
    code, text, _ = run(capsys, "import-text", "fept", folder, "--out", out, *energies)
    assert code == 0 and "-2541.000000 and -36872.500000 Ry per atom, given by the user" in text
    assert load_dataset(out).reference_energies.tolist() == [-2541.0, -36872.5]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["fept", "none"], "none"),
        (["cuau", "text"], "Z is 26 (Fe)"),
        (["fept", "text", "--out", "none/data.h5"], "none"),
        (["fept", "text", "--reference-energies", "-34573.2", "-501678.0"], "same kind of calculation"),
        (["fept", "text", "--reference-energies", "nan", "1"], "--reference-energies"),
        (["fept", "text", "--reference-energies", "1"], "--reference-energies"),
    ],
)
def test_bad_import_ends_with_one_line(
    words: list[str], named: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder.parent)
    code, out, err = run(capsys, "import-text", *words)
    assert code == 2 and not out and named in err
    assert len(err.strip().splitlines()) == 1 and [path.name for path in folder.parent.iterdir()] == ["text"]


def test_a_folder_is_a_data_set_for_train_and_evaluate(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text, _ = run(capsys, "evaluate", "fept", "--dataset", folder, "--json")
    report = json.loads(text)
    assert code == 0 and report["n_configurations"] == 5 and report["moment_r2"] > 0.99
    words = ["--architecture", "dense", "--epochs", "1", "--width", "4", "--out", tmp_path / "own.safetensors"]
    code, text, _ = run(capsys, "train", "fept", "--dataset", folder, *words, "--json")
    assert code == 0 and json.loads(text)["dataset_digest"] == load_any(folder, load_system("fept")).digest


def test_a_folder_named_like_a_shipped_set_is_not_mistaken_for_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.rename(folder.parent / "fept")
    monkeypatch.chdir(folder.parent)
    with pytest.raises(InputError, match="absolute path"):
        load_any(Path("fept"), load_system("fept"))
    assert len(load_any(folder.parent / "fept", load_system("fept"))) == 5
    assert load_any(None, load_system("fept")).digest == load_dataset("fept").digest
