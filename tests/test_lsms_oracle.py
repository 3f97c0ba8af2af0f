"""The oracle ``lsms`` behind the samplers: killed and gone on with, the same density of states."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from standin_campaign import (
    pair_oracle,
    processes_left,
    runs_by_configuration,
    runs_made,
    standin_configuration,
    standin_file,
)

from lsms_bridge.oracle import LsmsOracle, from_argument
from wanglandau.errors import InputError, OracleError
from wanglandau.oracle import EnergyOracle, PropertyOracle
from wanglandau.oracle_registry import load_oracle
from wanglandau.orbits import enumerate_orbits
from wanglandau.systems import System, load_system

SYSTEM = load_system("cuau", (2, 1, 1))
ROWS = enumerate_orbits(SYSTEM.lattice).occupations()


def test_energies_are_mixing_energies_of_the_program(tmp_path: Path) -> None:
    oracle = LsmsOracle(SYSTEM.lattice, standin_configuration(tmp_path))
    assert isinstance(oracle, EnergyOracle) and isinstance(oracle, PropertyOracle)
    np.testing.assert_allclose(oracle.energies(ROWS), pair_oracle(SYSTEM.lattice).energies(ROWS), atol=4e-6, rtol=0)
    assert oracle.energies(ROWS[:1])[0] == oracle.energies(ROWS[-1:])[0] == 0.0
    oracle.close()


def test_energy_does_not_depend_on_the_batch_or_on_the_image(tmp_path: Path) -> None:
    oracle = LsmsOracle(SYSTEM.lattice, standin_configuration(tmp_path))
    row = ROWS[len(ROWS) // 2]
    images = row[SYSTEM.lattice.symmetry]
    together = oracle.energies(images)
    assert len(set(together.tolist())) == 1 and oracle.energies(images[3:4])[0] == together[3]
    kept = images.copy()
    oracle.energies(images)
    np.testing.assert_array_equal(images, kept)
    assert "3 computed by 3 runs" in oracle.usage() and "repeated earlier ones" in oracle.usage()
    oracle.close()


def test_properties_follow_the_sites(tmp_path: Path) -> None:
    oracle = LsmsOracle(SYSTEM.lattice, standin_configuration(tmp_path))
    row = ROWS[len(ROWS) // 2]
    images = row[SYSTEM.lattice.symmetry]
    found = oracle.properties(images)
    assert found.moment is None and found.charge is not None
    sites = oracle.properties(row[None]).charge
    assert sites is not None
    np.testing.assert_allclose(found.charge, sites[0][SYSTEM.lattice.symmetry], atol=1e-9)
    oracle.close()
    magnetic = load_system("fept", (1, 1, 1))
    oracle = LsmsOracle(magnetic.lattice, standin_configuration(tmp_path / "fept", preset="fept"))
    moment = oracle.properties(np.array([[0, 1]], dtype=np.int8)).moment
    assert moment is not None and moment[0, 0] > 1.5 > moment[0, 1]
    oracle.close()


def test_identity_names_physics_and_references(tmp_path: Path) -> None:
    first = LsmsOracle(SYSTEM.lattice, standin_configuration(tmp_path))
    first.close()
    again = LsmsOracle(SYSTEM.lattice, standin_configuration(tmp_path, parameters={"mixing_start": 0.01}))
    again.close()
    other = LsmsOracle(SYSTEM.lattice, standin_configuration(tmp_path / "other", parameters={"liz_radius": 9.0}))
    other.close()
    assert first.identity == again.identity != other.identity
    assert len(runs_made(tmp_path)) == 2  # the pure species, once


def test_failure_is_raised_and_what_was_found_is_kept(tmp_path: Path) -> None:
    oracle = LsmsOracle(SYSTEM.lattice, standin_configuration(tmp_path))
    oracle.energies(ROWS[1:4])
    launcher = standin_configuration(tmp_path, "unconverged").launcher
    oracle.campaign.configuration = replace(oracle.campaign.configuration, launcher=launcher)
    with pytest.raises(OracleError, match=r"no energy for 1 of 1 configurations.*did not converge.*--again"):
        oracle.energies(ROWS[1:5])
    assert np.isfinite(oracle.energies(ROWS[1:4])).all()
    oracle.close()
    with pytest.raises(OracleError, match="a pure species has no energy"):
        LsmsOracle(SYSTEM.lattice, standin_configuration(tmp_path / "new", "unconverged"))
    LsmsOracle(SYSTEM.lattice, standin_configuration(tmp_path)).close()  # the folder was let go of


def test_flag_finds_its_configuration(tmp_path: Path, cuau: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for argument in ("", "cluster.toml"):
        with pytest.raises(InputError, match=r"there is no .*\.toml; write one.*--oracle surrogate"):
            from_argument(argument, cuau)
    standin_file(tmp_path)
    oracle = load_oracle("lsms", SYSTEM)
    assert isinstance(oracle, LsmsOracle)
    oracle.close()


# ---------------------------------------------------------------- with the samplers


def start_dos(folder: Path, out: Path) -> subprocess.Popen[bytes]:
    words = ["dos", "cuau", "--repeat", "1", "1", "2", "--oracle", f"lsms:{folder / 'lsms.toml'}", "--out", str(out)]
    words += ["--seed", "3", "--runs", "4", "--walkers", "2", "--precision", "0.05", "--max-trials", "100000"]
    with open(folder / "said", "ab") as said:
        return subprocess.Popen([sys.executable, "-m", "wanglandau.cli", *words, "--json"], stdout=said, stderr=said)


def density(path: Path) -> dict[str, np.ndarray]:
    with h5py.File(path) as file:
        found: dict[str, np.ndarray] = {}
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return {name: values for name, values in found.items() if np.asarray(values).dtype.kind in "fiu"}


def kill_at_random(folder: Path, n_kills: int) -> None:
    """Start the command, kill it after so many further runs or when the sampling goes on, and let it finish."""
    rng = np.random.default_rng(8)
    for _ in range(n_kills):
        process = start_dos(folder, folder / "killed.h5")
        stop = len(runs_made(folder)) + int(rng.integers(1, 4))
        end = time.monotonic() + float(rng.uniform(2, 12))
        while len(runs_made(folder)) < stop and time.monotonic() < end and process.poll() is None:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert start_dos(folder, folder / "killed.h5").wait(300) == 0, (folder / "said").read_text()[-2000:]


def check_killed_and_gone_on(tmp_path: Path, n_kills: int) -> None:
    plain, killed = tmp_path / "plain", tmp_path / "killed"
    for folder, faults in ((plain, ()), (killed, ("die:0.1", "truncate:0.1"))):
        folder.mkdir()
        standin_file(folder, *faults)
    assert start_dos(plain, plain / "plain.h5").wait(300) == 0, (plain / "said").read_text()[-2000:]
    kill_at_random(killed, n_kills)
    expected, found = density(plain / "plain.h5"), density(killed / "killed.h5")
    assert expected.keys() == found.keys()
    for name in expected:
        if "duration" not in name:
            np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    assert not processes_left(killed)
    counts = runs_by_configuration(killed)
    assert set(counts) == set(runs_by_configuration(plain))


def test_killed_density_of_states_goes_on_to_the_same_end(tmp_path: Path) -> None:
    check_killed_and_gone_on(tmp_path, 2)


@pytest.mark.long
def test_density_of_states_killed_ten_times(tmp_path: Path) -> None:
    check_killed_and_gone_on(tmp_path, 10)


def test_metropolis_runs_on_it(tmp_path: Path) -> None:
    standin_file(tmp_path)
    words = ["metropolis", "cuau", "--repeat", "1", "1", "2", "--oracle", f"lsms:{tmp_path / 'lsms.toml'}"]
    words += ["--temperatures", "900", "--sweeps", "400", "--out", str(tmp_path / "m.h5"), "--json"]
    done = subprocess.run([sys.executable, "-m", "wanglandau.cli", *words], capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 3), done.stderr
    assert "error" not in json.loads(done.stdout)
    assert "LSMS:" in done.stderr and "computed by" in done.stderr
    assert "computed by" in (tmp_path / "results" / "usage.log").read_text()
