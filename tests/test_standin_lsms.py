"""The stand-in for LSMS: its files look as the real ones do, its energies are known, and it misbehaves on demand."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from standin_energy import COUPLINGS, SPECIES_ENERGIES, solve

from wanglandau.lattice import Lattice
from wanglandau.pair_model import PairOracle
from wanglandau.systems import System

pytest.importorskip("lupa", reason="the stand-in runs decks with the Lua interpreter of lupa")

PROGRAM = Path(__file__).parent / "standin_lsms.py"
ELECTRONS = {"Cu": (29, 10, 8, 11), "Au": (79, 46, 22, 11), "Fe": (26, 10, 8, 8), "Pt": (78, 46, 22, 10)}
MOMENTS = {"Fe": 2.5, "Pt": 0.3}

REAL_ASA_ATOM = (
    " 79        0      0.000000000000000      0.000000000000000      0.000000000000000     78.906130     0.000000"
    "      0.000000000000000      0.000000000000000      1.000000000000000   -1.00      0.000000000000000"
    "      0.000000000000000      0.000000000000000    0.0000      0.000000000000000      0.000000000000000"
    "      0.000000000000000\n"
)
REAL_ROWS = {
    "asa": "  12   -662071.148765164544  0.618110204398 9.067250e-07 8.400023e-07\n",
    "asa spin": "  42    -39413.721275637807  0.717263072730 1.306778e-07 3.108491e-06 1.69695\n",
    "tins": "  20  -13219.347884322380     0.444575     0.000000    0.0000005544\n",
}


def deck(lattice: Lattice, row: np.ndarray, moments: dict[str, float] | None = None, **settings: Any) -> str:
    """Write a deck for a configuration; settings are Lua text or numbers."""
    given = {"systemid": '"x"', "pot_in_type": -1, "pot_out_type": 1, "potential_file_out": '"w"', "nspin": 1}
    given |= {"num_atoms": len(row), "mtasa": 1, "nscf": 60, "rmsTolerance": 1e-6, "energyTolerance": 1e-9}
    given |= {"iprpts": 640, "mixing": '{{quantity="potential", algorithm="broyden", alpha=0.05}}'} | settings
    lines = ["-- LSMS input", *(f"{key} = {value}" for key, value in given.items()), "site = {}"]
    lines.append("bravais = { " + ", ".join(_table(vector) for vector in lattice.cell) + " }")
    for index, (position, kind) in enumerate(zip(lattice.positions, row, strict=True)):
        atom = lattice.species[int(kind)]
        z, core, semicore, valence = ELECTRONS[atom]
        moment = "" if moments is None else f", mag_mom={moments[atom]}"
        lines.append(
            f'site[{index + 1}] = {{pos={_table(position)}, evec={{0,0,1}}, atom="{atom}", Z={z}, Zc={core}, '
            f"Zs={semicore}, Zv={valence}, lmax=3, rLIZ=8.0, rsteps={{89.5,91.5,93.2,99.9}}, rad=2{moment}}}"
        )
    return "\n".join(lines) + "\n"


def _table(vector: np.ndarray) -> str:
    return "{" + ",".join(f"{x:.12f}" for x in vector) + "}"


def start(folder: Path, text: str, *options: object) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    (folder / "i_lsms").write_text(text)
    command = [sys.executable, str(PROGRAM), *map(str, options)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, text=True, stdout=pipe, stderr=pipe, start_new_session=True)


def run(folder: Path, text: str, *options: object) -> subprocess.CompletedProcess[str]:
    process = start(folder, text, *options)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def history(folder: Path) -> np.ndarray:
    return np.array([line.split() for line in (folder / "k.out").read_text().splitlines()], dtype=float)


def converged(folder: Path) -> bool:
    return bool(history(folder)[-1, 3] <= 1e-6)


def atoms(folder: Path) -> np.ndarray:
    return np.loadtxt(folder / "info_evec_out", skiprows=1, ndmin=2)


def shape(text: str) -> str:
    return re.sub(r"\d", "0", text)


@pytest.fixture()
def l10() -> tuple[Lattice, np.ndarray]:
    return Lattice.cubic("fcc", ("Cu", "Au"), 7.313240102302, (1, 1, 1)), np.array([0, 1, 1, 0])


@pytest.fixture()
def cell(l10: tuple[Lattice, np.ndarray]) -> str:
    return deck(*l10)


@pytest.fixture()
def b2() -> tuple[Lattice, np.ndarray]:
    return Lattice.cubic("bcc", ("Fe", "Pt"), 5.70697289637, (1, 1, 1)), np.array([0, 1])


class TestAnswers:
    @pytest.mark.parametrize("name", ["cuau", "fept"])
    def test_energies_are_those_of_the_pair_model(self, name: str, request: pytest.FixtureRequest) -> None:
        system: System = request.getfixturevalue(name)
        lattice = system.lattice
        first, second = lattice.species
        oracle = PairOracle(lattice, COUPLINGS[min(first, second), max(first, second)])
        rows = np.random.default_rng(5).integers(0, 2, (20, lattice.n_sites), dtype=np.int8)
        for row, mixing in zip(rows, oracle.energies(rows), strict=True):
            symbols = [lattice.species[kind] for kind in row]
            numbers = [ELECTRONS[symbol][0] for symbol in symbols]
            answer = solve(symbols, numbers, lattice.positions.tolist(), lattice.cell.tolist())
            assert answer.energy == pytest.approx(mixing + sum(SPECIES_ENERGIES[s] for s in symbols), abs=1e-9, rel=0)
            assert sum(answer.charges) == pytest.approx(0, abs=1e-9)

    def test_program_gives_the_energies_of_the_pair_model(self, tmp_path: Path, cuau: System) -> None:
        lattice = cuau.lattice
        rows = np.random.default_rng(6).integers(0, 2, (20, 32), dtype=np.int8)
        mixing = PairOracle(lattice, COUPLINGS["Au", "Cu"]).energies(rows)
        assert len(np.unique(mixing)) > 10
        for index, row in enumerate(rows):
            assert run(tmp_path / str(index), deck(lattice, row)).returncode == 0
            pure = sum(SPECIES_ENERGIES[lattice.species[kind]] for kind in row)
            assert history(tmp_path / str(index))[-1, 1] == pytest.approx(pure + mixing[index], abs=1e-7, rel=0)

    def test_equivalent_decks_have_one_energy(self, tmp_path: Path, cuau: System) -> None:
        lattice, row = cuau.lattice, np.random.default_rng(7).integers(0, 2, 32)
        run(tmp_path / "a", deck(lattice, row))
        for operation in lattice.symmetry[:: len(lattice.symmetry) // 3]:
            run(tmp_path / "b", deck(lattice, row[operation]))
            assert history(tmp_path / "b")[-1, 1] == pytest.approx(history(tmp_path / "a")[-1, 1], abs=1e-9, rel=0)

    def test_mixing_energy_is_of_realistic_size(self, l10: tuple[Lattice, np.ndarray]) -> None:
        energy = PairOracle(l10[0], COUPLINGS["Au", "Cu"]).energies(l10[1][None].astype(np.int8))[0] / 4
        assert -0.010 < energy < -0.005

    def test_restart_takes_fewer_iterations(self, tmp_path: Path, cell: str, l10: tuple[Lattice, np.ndarray]) -> None:
        assert run(tmp_path, cell).returncode == 0
        (tmp_path / "k.out").rename(tmp_path / "first")
        again = run(tmp_path, deck(*l10, pot_in_type=1, potential_file_in='"w"'))
        assert again.returncode == 0 and "Pot. In     : w [Text" in again.stdout
        assert len((tmp_path / "first").read_text().splitlines()) == 12 and len(history(tmp_path)) == 6
        assert history(tmp_path)[-1, 1] == pytest.approx(float((tmp_path / "first").read_text().split()[-4]), abs=1e-9)


class TestLayout:
    def test_spheres_without_spin(self, tmp_path: Path, cell: str) -> None:
        out = run(tmp_path, cell).stdout
        rows = (tmp_path / "k.out").read_text().splitlines(keepends=True)
        assert shape(rows[-1]) == shape(REAL_ROWS["asa"].replace("   -662071.", "    -62071."))
        lines = (tmp_path / "info_evec_out").read_text().splitlines(keepends=True)
        assert len(lines) == 5 and {shape(line)[9:] for line in lines[1:]} == {shape(REAL_ASA_ATOM)[9:]}
        assert re.fullmatch(r"-\d+\.\d{15} \d+\.\d{15} \d\.\d{15}\n", lines[0])
        assert float(lines[0].split()[0]) == history(tmp_path)[-1, 1]
        assert atoms(tmp_path)[:, 5].sum() == pytest.approx(216, abs=1e-6)
        assert "Performing Atomic Sphere Approximation (ASA) calculation" in out and "SCF iteration 11:" in out
        assert 0 < float(out.split("Total Energy =")[-1].split()[0]) - history(tmp_path)[-1, 1] < 1e-3
        assert "RMS Tol.     : 1e-06\nEnergy Tol.  : 1e-09\n" in out

    def test_spheres_with_spin(self, tmp_path: Path, b2: tuple[Lattice, np.ndarray]) -> None:
        out = run(tmp_path, deck(*b2, MOMENTS, nspin=2)).stdout
        last = (tmp_path / "k.out").read_text().splitlines(keepends=True)[-1]
        assert shape(last) == shape(REAL_ROWS["asa spin"]) and re.search(r"\nave\. mag\.    = +1\.58", out)
        moments = atoms(tmp_path)[:, 6]
        assert moments == pytest.approx([3.0048, 0.1704]) and history(tmp_path)[-1, 5] == pytest.approx(
            1.5876, abs=1e-4
        )

    def test_muffin_tins(self, tmp_path: Path, l10: tuple[Lattice, np.ndarray]) -> None:
        mixing = '{{quantity="potential", algorithm="broyden", mixing_parameter=0.05}}'
        out = run(tmp_path, deck(*l10, mtasa=0, mixing=mixing)).stdout
        rows = (tmp_path / "k.out").read_text().splitlines(keepends=True)
        assert len(rows) == 12 and shape(rows[-1]) == shape(REAL_ROWS["tins"])
        assert "Performing Muffin-Tin (MT) calculation" in out and (atoms(tmp_path)[:, -1] == 1).all()
        (tmp_path / "k.out").unlink()
        run(tmp_path, deck(*l10, mtasa=0))
        assert history(tmp_path)[-1, 4] > 1e-4

    def test_potential_has_the_head_of_a_real_one(self, tmp_path: Path, cell: str) -> None:
        run(tmp_path, cell)
        lines = (tmp_path / "w.0").read_text().splitlines()
        assert lines[0] == "Potential Initialized by LSMS_3".ljust(80)
        assert lines[1:3] == ["    1   0.0000000000000D+00", " LSMS:           xx     z= 29.    xvalws=   5.50000"]
        assert shape(lines[3]) == "  00.                      0.00000  00. 0.0000000000000D+00"
        assert shape(lines[4]).startswith("                 -0.0000000000000D+00 0.0000000000000D+00")
        assert sorted(path.name for path in tmp_path.glob("w.*")) == ["w.0", "w.1", "w.2", "w.3"]

    def test_history_is_appended_and_iterations_run_out(self, tmp_path: Path, l10: tuple[Lattice, np.ndarray]) -> None:
        for rows in (3, 6):
            assert run(tmp_path, deck(*l10, nscf=3)).returncode == 0
            assert len(history(tmp_path)) == rows and not converged(tmp_path)


class TestBadDecks:
    def test_no_deck_and_bad_lua(self, tmp_path: Path, cell: str) -> None:
        assert run(tmp_path, cell, "nofile").returncode == 1
        result = run(tmp_path, cell + "site[")
        assert result.returncode == 1 and result.stderr == "!! Cannot run input file!!\n"

    def test_missing_potential(self, tmp_path: Path, l10: tuple[Lattice, np.ndarray]) -> None:
        result = run(tmp_path, deck(*l10, pot_in_type=1, potential_file_in='"nope"'))
        assert result.returncode == 2 and "Cannot open file 'nope.0': No such file or directory" in result.stderr
        assert run(tmp_path, deck(*l10, pot_in_type=0)).returncode == 1

    def test_short_site_table_and_unknown_mixing(self, tmp_path: Path, l10: tuple[Lattice, np.ndarray]) -> None:
        for settings in ({"num_atoms": 5}, {"mixing": '{{quantity="moment_magnitude", algorithm="broyden"}}'}):
            assert run(tmp_path, deck(*l10, **settings)).returncode == -signal.SIGABRT

    def test_mesh_and_charge_mixing(self, tmp_path: Path, l10: tuple[Lattice, np.ndarray]) -> None:
        result = run(tmp_path, deck(*l10, iprpts=1051))
        assert result.returncode == 0 and "fstop called" in result.stdout and not (tmp_path / "k.out").exists()
        result = run(tmp_path, deck(*l10, nscf=9, mixing='{{quantity="charge", algorithm="broyden", alpha=0.1}}'))
        assert result.returncode == 0 and not converged(tmp_path)


class TestFaults:
    @pytest.mark.parametrize(
        ("kind", "code"), [("die", -signal.SIGKILL), ("crash", -signal.SIGABRT), ("exit", 99), ("fstop", 0)]
    )
    def test_ends_early(self, tmp_path: Path, cell: str, kind: str, code: int) -> None:
        result = run(tmp_path, cell, "--fault", kind)
        assert result.returncode == code and not (tmp_path / "info_evec_out").exists()
        assert (tmp_path / "k.out").exists() == (kind != "fstop") == ("fstop" not in result.stdout)

    @pytest.mark.parametrize("kind", ["hang", "hang-stubborn"])
    def test_hangs_with_a_child(self, tmp_path: Path, cell: str, kind: str) -> None:
        process = start(tmp_path, cell, "--fault", kind, "--state", tmp_path / "state")
        log, limit = tmp_path / "state" / "log", time.monotonic() + 20
        while not (log.exists() and log.read_text().endswith("\n")) and time.monotonic() < limit:
            time.sleep(0.02)
        pid, child, *_ = log.read_text().split()
        assert int(pid) == process.pid and int(child) > 0
        os.kill(int(child), 0)
        process.terminate()
        try:
            with pytest.raises(subprocess.TimeoutExpired) if kind == "hang-stubborn" else nullcontext():
                process.wait(timeout=0.3)
            os.kill(int(child), 0)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=20)

    def test_does_not_converge(self, tmp_path: Path, cell: str) -> None:
        assert run(tmp_path, cell, "--fault", "unconverged").returncode == 0
        assert len(history(tmp_path)) == 60 and history(tmp_path)[:, 3].min() > 1e-4

    def test_diverges(self, tmp_path: Path, cell: str) -> None:
        result = run(tmp_path, cell, "--fault", "diverge")
        assert result.returncode == 0 and result.stdout.count("too many energy iterations") > 100
        assert np.ptp(history(tmp_path)[:, 1]) > 10 and (history(tmp_path)[:, 2] > 1.5).all()

    @pytest.mark.parametrize(("kind", "shift"), [("nan", np.nan), ("inf", np.inf), ("offset", 1e6)])
    def test_energy_is_wrong(self, tmp_path: Path, cell: str, kind: str, shift: float) -> None:
        run(tmp_path, cell)
        right = history(tmp_path)[-1, 1]
        assert run(tmp_path, cell, "--fault", kind).returncode == 0 and converged(tmp_path)
        np.testing.assert_allclose(history(tmp_path)[-1, 1] - right, shift)
        np.testing.assert_allclose(float((tmp_path / "info_evec_out").read_text().split()[0]) - right, shift)

    def test_spoils_its_files(self, tmp_path: Path, cell: str) -> None:
        run(tmp_path, cell)
        good, rows = (tmp_path / "info_evec_out").read_text(), atoms(tmp_path)
        for kind in ("truncate", "other", "shuffled", "charge"):
            assert run(tmp_path, cell, "--fault", kind).returncode == 0 and converged(tmp_path)
            bad = (tmp_path / "info_evec_out").read_text()
            if kind == "truncate":
                assert good.startswith(bad) and len(bad) == len(good) // 2
                continue
            spoilt = atoms(tmp_path)
            assert ((spoilt[:, 0] != rows[:, 0]).sum() == 2) == (kind == "other")
            assert (spoilt[:, 2:5] != rows[:, 2:5]).any() == (kind == "shuffled")
            assert (abs(spoilt[:, 5].sum() - 216) > 0.1) == (kind == "charge")

    def test_leaves_old_files(self, tmp_path: Path, cell: str) -> None:
        run(tmp_path, cell, "--fault", "empty")
        assert converged(tmp_path) and not (tmp_path / "info_evec_out").exists()
        (tmp_path / "k.out").write_text("old")
        assert run(tmp_path, cell, "--fault", "stale").returncode == 0
        assert (tmp_path / "k.out").read_text() == "old" and not (tmp_path / "info_evec_out").exists()

    def test_converges_on_conditions(self, tmp_path: Path, b2: tuple[Lattice, np.ndarray]) -> None:
        slow = '{{quantity="potential", algorithm="broyden", alpha=0.03}}'
        usual = deck(*b2, MOMENTS, nspin=2)
        cures = {
            "moments": deck(*b2, {"Fe": 3.0, "Pt": 0.3}, nspin=2),
            "slow-mixing": deck(*b2, MOMENTS, nspin=2, mixing=slow),
            "needs-iterations": deck(*b2, MOMENTS, nspin=2, nscf=100),
        }
        for kind, cure in cures.items():
            for text, works in ((usual, False), (cure, True)):
                run(tmp_path, text, "--fault", kind)
                assert converged(tmp_path) == works, kind
        run(tmp_path, deck(*b2, MOMENTS, nspin=2, pot_in_type=1, potential_file_in='"w"'), "--fault", "needs-scratch")
        assert not converged(tmp_path)
        run(tmp_path, usual, "--fault", "needs-scratch")
        assert converged(tmp_path)


class TestDraws:
    def test_first_run_only(self, tmp_path: Path, cell: str) -> None:
        options = ("--fault", "exit:first", "--state", tmp_path / "state")
        assert [run(tmp_path, cell, *options).returncode for _ in range(3)] == [99, 0, 0]
        lines = [line.split() for line in (tmp_path / "state" / "log").read_text().splitlines()]
        assert [line[1:] for line in lines] == [
            ["0", "29-79-79-29", str(n), f] for n, f in enumerate(("exit", "none", "none"))
        ]
        other = cell.replace('atom="Cu", Z=29', 'atom="Au", Z=79', 1)
        assert run(tmp_path, other, *options).returncode == 99

    def test_rates(self, tmp_path: Path, cell: str) -> None:
        options = ("--fault", "exit:0.4", "--seed", 3)
        codes = [run(tmp_path, cell, *options, "--state", tmp_path / "one").returncode for _ in range(25)]
        assert 4 <= codes.count(99) <= 16 and codes.count(99) + codes.count(0) == 25
        assert [run(tmp_path, cell, *options, "--state", tmp_path / "two").returncode for _ in range(8)] == codes[:8]

    def test_runs_at_once_are_all_counted(self, tmp_path: Path, cell: str) -> None:
        began = time.monotonic()
        options = ("--state", tmp_path / "state", "--delay", 0.3)
        processes = [start(tmp_path / str(n), cell, *options) for n in range(4)]
        for process in processes:
            process.communicate(timeout=60)
        lines = [line.split() for line in (tmp_path / "state" / "log").read_text().splitlines()]
        assert sorted(int(line[3]) for line in lines) == [0, 1, 2, 3]
        assert {int(line[0]) for line in lines} == {process.pid for process in processes}
        assert time.monotonic() - began > 0.3

    def test_unknown_kind_is_refused(self, tmp_path: Path, cell: str) -> None:
        assert run(tmp_path, cell, "--fault", "sneeze").returncode == 2
