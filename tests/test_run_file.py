"""Result files: everything comes back as it went in, and nothing else is taken for a result file."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from edited_file import edited
from known_levels import description, exact_levels, noisy_record

from wanglandau.errors import InputError
from wanglandau.run_file import ExactRecord, RunRecord, read_exact, read_result, read_run, write_exact, write_run


def assert_equal_density(first: RunRecord, second: RunRecord) -> None:
    assert first.density.grid == second.density.grid
    for name in ("n_sites", "composition", "exact", "coverage"):
        assert getattr(first.density, name) == getattr(second.density, name)
    for name in ("run_ln_g", "mean_energy", "energy_variance"):
        np.testing.assert_array_equal(getattr(first.density, name), getattr(second.density, name))


def test_run_comes_back(tmp_path: Path) -> None:
    record = noisy_record()
    record.density.run_ln_g[2, 5] = -np.inf
    write_run(tmp_path / "run.h5", record)
    again = read_run(tmp_path / "run.h5")
    assert_equal_density(record, again)
    for name in ("settings", "versions", "seeds", "verdict", "created", "duration_s", "oracle"):
        assert getattr(record, name) == getattr(again, name)
    assert {k: v for k, v in again.diagnostics.items() if k != "histogram"} == {
        k: v for k, v in record.diagnostics.items() if k != "histogram"
    }
    np.testing.assert_array_equal(again.diagnostics["histogram"], record.diagnostics["histogram"])
    assert again.diagnostics["histogram"].dtype == np.int64
    assert again.system["name"] == "cuau" and again.system["species"] == ["Cu", "Au"]
    np.testing.assert_array_equal(again.system["positions"], record.system["positions"])
    assert isinstance(read_result(tmp_path / "run.h5"), RunRecord)
    assert [path.name for path in tmp_path.iterdir()] == ["run.h5"]


def test_free_composition_and_no_system_limits(tmp_path: Path) -> None:
    record = noisy_record()
    write_run(tmp_path / "run.h5", replace(record, density=replace(record.density, composition=None, coverage=0.5)))
    density = read_run(tmp_path / "run.h5").density
    assert density.composition is None and density.coverage == 0.5


def test_exact_comes_back(tmp_path: Path) -> None:
    levels = exact_levels()
    write_exact(tmp_path / "exact.h5", levels, **description(), versions={"numpy": "2"}, duration_s=3.0)
    again = read_exact(tmp_path / "exact.h5")
    for name in ("compositions", "energies", "degeneracies"):
        np.testing.assert_array_equal(getattr(again.levels, name), getattr(levels, name))
        assert getattr(again.levels, name).dtype == getattr(levels, name).dtype
    assert again.levels.composition == 16 and again.levels.n_sites == 32
    assert list(again.levels.ground_state_keys) == [16]
    np.testing.assert_array_equal(again.levels.ground_state_keys[16], levels.ground_state_keys[16])
    assert again.oracle == description()["oracle"] and again.duration_s == 3.0 and again.versions == {"numpy": "2"}
    assert isinstance(read_result(tmp_path / "exact.h5"), ExactRecord)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    write_run(path, noisy_record())
    before = path.read_bytes()
    broken = replace(noisy_record(), oracle={"name": "half"})
    with pytest.raises(KeyError):
        write_run(path, broken)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_unwritable_place(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write"):
        write_run(tmp_path / "no folder" / "run.h5", noisy_record())
    with pytest.raises(InputError, match="cannot write"):
        write_run(tmp_path, noisy_record())


def test_the_other_kind_is_named(tmp_path: Path) -> None:
    write_run(tmp_path / "run.h5", noisy_record())
    with pytest.raises(InputError, match="'wanglandau run' but a 'wanglandau exact' is needed"):
        read_exact(tmp_path / "run.h5")


def test_missing_foreign_and_truncated_files(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with pytest.raises(InputError, match="there is no file"):
        read_run(path)
    path.write_text("not HDF5")
    with pytest.raises(InputError, match="damaged"):
        read_run(path)
    with h5py.File(path, "w") as file:
        file.attrs["kind"] = "something else"
    with pytest.raises(InputError, match="not a result file"):
        read_result(path)
    write_run(path, noisy_record())
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="damaged") as caught:
        read_run(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("verdict", "lacks a part"),
        ("diagnostic_arrays", "lacks a part"),
        ("density_of_states/mean_energy", "lacks a part"),
        ("system/cell", "lacks a part"),
    ],
)
def test_every_part_is_needed(tmp_path: Path, part: str, message: str) -> None:
    path = tmp_path / "run.h5"
    write_run(path, noisy_record())
    with edited(path) as file:
        del file[part]
    with pytest.raises(InputError, match=message):
        read_run(path)


def test_wrong_shapes_numbers_and_schema_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    write_run(path, noisy_record())
    with edited(path) as file:
        file["density_of_states/mean_energy"][3] = np.nan
    with pytest.raises(InputError, match="no numbers"):
        read_run(path)
    with edited(path) as file:
        del file["density_of_states/mean_energy"]
        file["density_of_states/mean_energy"] = np.zeros(3)
    with pytest.raises(InputError, match="expected float64"):
        read_run(path)
    with edited(path) as file:
        file["density_of_states"].attrs["width"] = -1.0
    with pytest.raises(InputError, match="width"):
        read_run(path)
    with edited(path) as file:
        file.attrs["schema"] = 99
    with pytest.raises(InputError, match="schema 99"):
        read_run(path)
