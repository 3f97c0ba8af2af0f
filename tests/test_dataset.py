"""Data sets: the shipped ones, the round trip, what is refused, and splits by orbit."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from edited_file import edited

from surrogate.dataset import SHIPPED, Dataset, load_dataset, save_dataset
from surrogate.orbits import folds_by_orbit, orbit_labels, split_by_orbit
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.systems import load_system


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data.h5"
    save_dataset(load_dataset("fept"), path)
    return path


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_data_fit_their_system(name: str) -> None:
    data = load_dataset(name)
    assert data.lattice.fingerprint == load_system(name).lattice.fingerprint
    assert data.composition.min() >= 0 and data.composition.max() <= data.lattice.n_sites
    pure = data.mixing_energy[np.isin(data.composition, (0, data.lattice.n_sites))]
    assert abs(pure).max(initial=0.0) < 1e-3
    assert 1e-3 < abs(data.mixing_energy).max() < 10.0


def test_round_trip_keeps_everything(file: Path) -> None:
    before, after = load_dataset("fept"), load_dataset(file)
    assert after.digest == before.digest
    assert (after.source == before.source).all()
    assert after.records.keys() == before.records.keys()
    assert after.attributes["settings"] == before.attributes["settings"]
    assert not list(file.parent.glob(".*"))


def test_digest_sees_every_array() -> None:
    data = load_dataset("fept")
    fewer = data.select(np.arange(len(data) - 1))
    assert fewer.digest != data.digest
    moved = Dataset(data.lattice, data.occupations, data.energy + 1e-9, data.orbit, data.reference_energies)
    same = Dataset(data.lattice, data.occupations, data.energy, data.orbit, data.reference_energies)
    assert len({moved.digest, same.digest, data.digest}) == 3


def test_orbit_label_is_the_same_for_all_images_and_only_those() -> None:
    lattice = Lattice.cubic("bcc", ("Fe", "Pt"), 5.7, (2, 2, 1))
    every = ((np.arange(2**lattice.n_sites)[:, None] >> np.arange(lattice.n_sites)) & 1).astype(np.int8)
    labels = orbit_labels(lattice, every)
    assert (labels <= np.arange(len(every))).all()
    for operation in lattice.symmetry:
        np.testing.assert_array_equal(orbit_labels(lattice, every[:, operation]), labels)
    cycles = [len(np.unique(_cycles(operation))) for operation in lattice.symmetry]
    burnside = sum(2**n for n in cycles) / len(cycles)
    assert len(np.unique(labels)) == burnside


def _cycles(permutation: np.ndarray) -> np.ndarray:
    """Name the cycle of each element by its smallest member."""
    smallest = np.arange(len(permutation))
    for _ in permutation:
        smallest = np.minimum(smallest, smallest[permutation])
    return smallest


def _replace(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[h5py.File], None]:
    def damage(file: h5py.File) -> None:
        values = change(file[name][()])
        del file[name]
        file[name] = values

    return damage


def _set(values: np.ndarray, index: tuple[int, ...], value: float) -> np.ndarray:
    values[index] = value
    return values


def _attribute(name: str, value: object) -> Callable[[h5py.File], None]:
    def damage(file: h5py.File) -> None:
        file.attrs[name] = value

    return damage


DAMAGE: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "missing array": (lambda file: file.__delitem__("energy"), "'energy' is missing"),
    "missing attribute": (lambda file: file.attrs.__delitem__("species"), "'species' is missing"),
    "wrong shape": (_replace("charge", lambda values: values[:, :-1]), "shape"),
    "one row too few": (_replace("moment", lambda values: values[:-1]), "rows"),
    "occupation 2": (_replace("occupations", lambda values: _set(values, (3, 3), 2)), "only 0 and 1"),
    "occupations as numbers": (_replace("occupations", lambda values: values.astype(float)), "int8"),
    "NaN energy": (_replace("energy", lambda values: _set(values, (7,), np.nan)), "row 7"),
    "infinite charge": (_replace("charge", lambda values: _set(values, (5, 0), np.inf)), "row 5"),
    "float32 energy": (_replace("energy", lambda values: values.astype(np.float32)), "float64"),
    "wrong orbit": (_replace("orbit", lambda values: values + 2), "canonical"),
    "future schema": (_attribute("schema_version", 99), "99"),
    "three species": (_attribute("species", np.array(["Fe", "Pt", "Cu"], dtype="S")), "species"),
    "flat positions": (_attribute("positions", np.zeros(96)), "positions"),
    "one reference energy": (_attribute("reference_energies", np.zeros(1)), "reference_energies"),
    "empty": (lambda file: [_replace(name, lambda values: values[:0])(file) for name in list(file)], "empty"),
    "a group": (lambda file: file.create_group("more"), "not an array"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_bad_files_are_refused_in_one_line(file: Path, damage: str) -> None:
    change, words = DAMAGE[damage]
    with edited(file) as opened:
        change(opened)
    with pytest.raises(InputError, match=words) as caught:
        load_dataset(file)
    assert "\n" not in str(caught.value) and str(file) in str(caught.value)


def test_positions_in_another_order_are_noticed(file: Path) -> None:
    with edited(file) as opened:
        opened.attrs["positions"] = np.random.default_rng(0).permutation(opened.attrs["positions"])
    with pytest.raises(InputError, match="site order"):
        load_dataset(file)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.99])
def test_truncated_files_are_refused(file: Path, share: float) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match="damaged"):
        load_dataset(file)


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_dataset(tmp_path / "none.h5")
    shutil.copy(__file__, tmp_path / "text.h5")
    with pytest.raises(InputError, match="not an HDF5 file"):
        load_dataset(tmp_path / "text.h5")


def test_failed_write_leaves_the_old_file(file: Path) -> None:
    with pytest.raises(InputError, match="cannot write"):
        save_dataset(load_dataset("fept"), file.parent / "no such folder" / "data.h5")
    assert load_dataset(file).digest == load_dataset("fept").digest


@pytest.mark.parametrize("seed", range(5))
def test_splits_never_cut_an_orbit(seed: int) -> None:
    orbit = np.random.default_rng(seed).integers(40, size=200).astype(np.uint64)
    parts = split_by_orbit(orbit, (0.7, 0.2, 0.1), seed)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(200))
    owners = [set(orbit[part].tolist()) for part in parts]
    assert not owners[0] & owners[1] and not owners[0] & owners[2] and not owners[1] & owners[2]
    assert abs(len(parts[0]) - 140) <= 10


def test_folds_test_every_configuration_once_per_repeat() -> None:
    data = load_dataset("fept")
    folds = folds_by_orbit(data.orbit, 5, seed=1, repeats=2)
    tested = np.bincount(np.concatenate([test for _, test in folds]), minlength=len(data))
    np.testing.assert_array_equal(tested, 2)
    for training, test in folds:
        assert not set(data.orbit[training]) & set(data.orbit[test])
    again = folds_by_orbit(data.orbit, 5, seed=1, repeats=2)
    assert all((a[1] == b[1]).all() for a, b in zip(folds, again, strict=True))
    assert any((a[1].shape != b[1].shape) or (a[1] != b[1]).any() for a, b in zip(folds[:5], folds[5:], strict=True))


@pytest.mark.parametrize("n_folds", [0, 1, 1000])
def test_impossible_folds_are_refused(n_folds: int) -> None:
    with pytest.raises(InputError, match="n_folds"):
        folds_by_orbit(load_dataset("fept").orbit, n_folds, seed=0)
