"""The console program from the outside: results, figures, JSON, and what it says to bad input."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from console import call, start

pytestmark = pytest.mark.compiled

PAIR = Path(__file__).parents[1] / "examples" / "pair_models"
FCC, BCC = f"pair:{PAIR / 'nearest_neighbour_fcc.toml'}", f"pair:{PAIR / 'nearest_neighbour_bcc.toml'}"
QUICK = ["--runs", "4", "--max-trials", "3000000"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, its figure and the exact density of states of the same pair model."""
    folder = tmp_path_factory.mktemp("cli")
    words = ["dos", "cuau", "--oracle", FCC, *QUICK, "--out", "run.h5", "--exact", "exact.h5", "--figure", "run.png"]
    done = start(*words, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "dos.json").write_text(done.stdout)
    return folder


def test_dos_reports_a_trusted_result_close_to_the_exact_one(folder: Path) -> None:
    values = json.loads((folder / "dos.json").read_text())
    assert values["comparison"]["populated"]["rms"] < 0.05
    assert abs(values["comparison"]["peak_shift_percent"]) < 2
    assert (folder / "run.png").read_bytes().startswith(b"\x89PNG")


def test_compare_inspect_and_thermo_read_the_files(folder: Path) -> None:
    compared = call("compare", "run.h5", "exact.h5", "--json", cwd=folder)
    assert json.loads(compared.stdout)["common"]["rms"] < 0.1
    inspected = call("inspect", "run.h5", cwd=folder)
    assert "verdict" in inspected.stdout
    for file in ("run.h5", "exact.h5"):
        words = ["thermo", file, "--temperatures", "100:1500:20", "--csv", "c.csv", "--figure", "t.png", "--json"]
        thermo = call(*words, cwd=folder)
        assert thermo.returncode == 0, thermo.stderr
        values = json.loads(thermo.stdout)
        # kT_max = 2.0950632 J of the exact table, J = 25 meV
        assert values["peak"]["temperature"] == pytest.approx(2.09506 * 25e-3 / 8.617333e-5, rel=0.02)
        assert ("microcanonical" in values) == (file == "run.h5")
        assert (folder / "c.csv").read_text().startswith("temperature_K,")


def test_same_seed_gives_the_same_file_content(folder: Path) -> None:
    again = call("dos", "cuau", "--oracle", FCC, *QUICK, "--out", "again.h5", "--threads", "1", cwd=folder)
    assert again.returncode == 0
    with h5py.File(folder / "run.h5") as first, h5py.File(folder / "again.h5") as second:
        name = "density_of_states/run_ln_g"
        assert np.array_equal(first[name][()], second[name][()])


def test_exact_bcc_counts(tmp_path: Path) -> None:
    done = call("exact", "fept", "--oracle", BCC, "--out", "e.h5", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with h5py.File(tmp_path / "e.h5") as file:
        degeneracy = file["levels/degeneracy"][()]
    assert len(degeneracy) == 40
    assert degeneracy[:3].tolist() == [2, 256, 256]


def test_configuration_file_and_overriding_flag(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(f'oracle = "{FCC}"\nruns = 4\nmax_trials = 3000000\nout = "file.h5"\n')
    done = call("dos", "cuau", "--config", "run.toml", "--out", "flag.h5", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "flag.h5").exists()
    assert not (tmp_path / "file.h5").exists()


def test_own_lattice_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        'species = ["Cu", "Zn"]\nstructure = "bcc"\nlattice_constant = 2.95\nrepeat = [2, 2, 2]\n'
    )
    done = call("dos", "own.toml", "--oracle", BCC, *QUICK, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "own-8.h5").exists()


def test_untrusted_run_ends_with_its_own_exit_code(tmp_path: Path) -> None:
    done = call("dos", "cuau", "--oracle", FCC, "--runs", "2", "--max-trials", "5000", cwd=tmp_path)
    assert done.returncode == 3
    assert "Do not trust" in done.stdout
    assert (tmp_path / "cuau-16.h5").exists()


BAD = {
    "unknown system": (["dos", "cuag"], "cuag"),
    "unknown oracle": (["dos", "cuau", "--oracle", "magic"], "magic"),
    "missing artefact": (["dos", "cuau", "--oracle", "surrogate:no.safetensors"], "no.safetensors"),
    "artefact of another lattice": (["dos", "cuau", "--oracle", "surrogate:{fept}"], "Fe"),
    "corrupt artefact": (["dos", "cuau", "--oracle", "surrogate:bad.safetensors"], "bad.safetensors"),
    "composition beyond the cell": (["dos", "cuau", "--composition", "33", "--oracle", FCC], "33"),
    "composition with nothing to swap": (["dos", "cuau", "--composition", "0", "--oracle", FCC], "1 to 31"),
    "negative composition": (["exact", "cuau", "--composition", "-1", "--oracle", FCC], "-1"),
    "empty window": (["dos", "cuau", "--oracle", FCC, "--energy-range", "5", "1"], "empty energy window"),
    "window without states": (["dos", "cuau", "--oracle", FCC, "--energy-range", "900", "950"], "widen"),
    "unknown key": (["dos", "cuau", "--config", "bad.toml"], "wakers"),
    "unknown option": (["dos", "cuau", "--wakers", "3"], "wakers"),
    "not a number": (["dos", "cuau", "--runs", "many"], "many"),
    "missing folder": (["dos", "cuau", "--oracle", FCC, "--out", "none/run.h5"], "none"),
    "not a result file": (["inspect", "bad.safetensors"], "bad.safetensors"),
    "missing result file": (["inspect", "none.h5"], "none.h5"),
    "truncated result file": (["compare", "torn.h5", "torn.h5"], "torn.h5"),
    "bad temperatures": (["thermo", "{run}", "--temperatures", "300"], "LO:HI:STEP"),
    "oracle without symmetry": (["exact", "cuau", "--oracle", "surrogate:dense"], "orbit"),
    "exact of a large cell": (["dos", "cuau", "--repeat", "3", "3", "3", "--exact", "e.h5"], "32"),
    "exact of an oracle without symmetry": (["dos", "cuau", "--oracle", "surrogate:dense", "--exact", "e.h5"], "orbit"),
    "unknown kind of figure": (["dos", "cuau", "--figure", "f.xyz"], ".png"),
    "lsms is not there yet": (["dos", "cuau", "--oracle", "lsms"], "LSMS"),
    "cell too large for exact": (["exact", "big.toml", "--oracle", FCC], "32"),
}


@pytest.mark.parametrize("case", BAD, ids=str)
def test_bad_input_gets_one_helpful_line(case: str, folder: Path, tmp_path: Path) -> None:
    words, named = BAD[case]
    artefacts = Path(__file__).parents[1] / "surrogate" / "artefacts"
    (tmp_path / "bad.safetensors").write_bytes(b"\xff" * 200)
    (tmp_path / "bad.toml").write_text("wakers = 3\n")
    (tmp_path / "big.toml").write_text(
        'species = ["Cu", "Au"]\nstructure = "fcc"\nlattice_constant = 3.87\nrepeat = [3, 3, 3]\n'
    )
    (tmp_path / "torn.h5").write_bytes((folder / "run.h5").read_bytes()[:3000])
    places = {"fept": artefacts / "fept-lattice.safetensors", "run": folder / "run.h5"}
    said = start if case == "unknown system" else call
    done = said(*(word.format(**places) for word in words), cwd=tmp_path)
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1, done.stderr
    assert named in lines[0]
    assert done.stdout == ""


def test_benchmark_measures_every_engine(tmp_path: Path) -> None:
    quick = ["--seconds", "0.02", "--walkers", "1", "--turns", "2", "--json"]
    done = call("benchmark", "cuau", "--oracles", FCC, "surrogate:dense", *quick, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    engines = {(rate["oracle"], rate["engine"]) for rate in values["rates"]}
    assert engines >= {
        (FCC, "fused"),
        (FCC, "batched"),
        ("surrogate:dense", "fused"),
        ("surrogate:dense", "Python loop"),
    }
    assert all(rate["trials_per_second"] > 0 for rate in values["rates"])
    assert {ratio["oracle"] for ratio in values["ratios"]} == {"surrogate:dense"}
