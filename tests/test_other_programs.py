"""Results open in pandas, xarray and ASE with the lines that the README gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from known_levels import description, exact_levels, noisy_record

from wanglandau.cli import main
from wanglandau.run_file import read_exact, read_run, write_exact, write_run
from wanglandau.trajectory import write_extxyz


@pytest.fixture()
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_pandas_reads_the_curves(here: Path) -> None:
    pandas = pytest.importorskip("pandas")
    write_run("cuau-16.h5", noisy_record())
    assert main(["thermo", "cuau-16.h5", "--temperatures", "300:900:5", "--csv", "cu.csv"]) == 0
    curves = pandas.read_csv("cu.csv", index_col="temperature_K")
    peak = curves.heat_capacity_kb_per_atom.idxmax()
    assert peak == pytest.approx(2.09506 * 0.0015 * 13.605693 / 8.617333e-5, rel=0.02)
    assert list(curves.columns[:1]) == ["internal_energy_mev_per_atom"] and curves.notna().all().all()


@pytest.mark.filterwarnings("default::DeprecationWarning")
def test_xarray_opens_densities_of_states_with_names_of_axes(here: Path) -> None:
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    record = noisy_record()
    write_run("cuau-16.h5", record)
    with xarray.open_dataset("cuau-16.h5", group="density_of_states", engine="h5netcdf") as density:
        ln_g = density.run_ln_g.mean("run")
        assert ln_g.dims == ("mean_energy",) and density.mean_energy.units == "Ry"
        np.testing.assert_allclose(ln_g.mean_energy, record.density.mean_energy)
        np.testing.assert_allclose(ln_g, record.density.run_ln_g.mean(axis=0))
    np.testing.assert_array_equal(read_run("cuau-16.h5").density.run_ln_g, record.density.run_ln_g)
    write_exact("exact.h5", exact_levels(), **description())
    with xarray.open_dataset("exact.h5", group="levels", engine="h5netcdf") as levels:
        assert dict(levels.sizes) == {"level": 28} and int(levels.degeneracy.sum()) == 601080390
    assert read_exact("exact.h5").levels.n_states == 601080390


def test_ase_reads_configurations(here: Path) -> None:
    import ase.io

    from wanglandau.systems import load_system

    rows = np.array([[0] * 16 + [1] * 16, [1, 0] * 16], dtype=np.int8)
    write_extxyz("lowest.xyz", load_system("cuau").lattice, rows, [-0.2, -0.1])
    lowest = ase.io.read("lowest.xyz", ":")
    assert [len(atoms) for atoms in lowest] == [32, 32]
    assert lowest[0].get_potential_energy() == pytest.approx(-0.2 * ase.units.Ry)
    assert lowest[0].get_chemical_formula() == "Au16Cu16"
