"""The commands of ``lsms-bridge``: what they print, write and refuse."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import lupa
import numpy as np
import pytest
from standin_campaign import pair_oracle, runs_made, standin_file

from lsms_bridge import cli
from surrogate.dataset import load_dataset
from wanglandau.ordered_structures import ordered_structure
from wanglandau.systems import load_system

RUNS = Path(__file__).parent / "lsms_runs"
SMALL = ["--repeat", "2", "1", "1"]


def ask(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, Any], str]:
    """Run a command; return exit code, JSON and what went to standard error."""
    code = cli.main([*map(str, words), "--json"])
    printed = capsys.readouterr()
    return code, json.loads(printed.out), printed.err


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(f"  {name} " in printed for name in cli.COMMANDS)
    for name in cli.COMMANDS:
        assert cli.main([name, "--help"]) == 0
        assert "--lsms" in capsys.readouterr().out


def test_deck_is_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["deck", "cuau", "--structure", "L1_0"]) == 0
    text = capsys.readouterr().out
    lua = lupa.LuaRuntime()
    lua.execute(text)
    assert lua.globals().num_atoms == 32 and text.startswith("-- Cu16 Au16\n")
    assert cli.main(["deck", "cuau", "--structure", "L1_0", "--out", str(tmp_path / "i_lsms")]) == 0
    assert (tmp_path / "i_lsms").read_text().strip() == text.strip()


def test_run_computes_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = standin_file(tmp_path)
    code, _, _ = ask(capsys, "campaign", "cuau", "--lsms", file, "--count", 2, *SMALL)
    assert code == 0
    n_runs = len(runs_made(tmp_path))
    for _ in range(2):
        code, values, said = ask(capsys, "run", "cuau", "--lsms", file, "--structure", "L1_0", *SMALL)
        assert code == 0 and values["done"] and "LSMS:" in said
    lattice = load_system("cuau", (2, 1, 1)).lattice
    expected = pair_oracle(lattice).energies(ordered_structure(lattice, "L1_0")[None])[0]
    assert values["mixing_energy_ry"] == pytest.approx(expected, abs=2e-6)
    assert len(runs_made(tmp_path)) <= n_runs + 1


def test_campaign_collect_and_train(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = standin_file(tmp_path)
    code, values, said = ask(capsys, "campaign", "cuau", "--lsms", file, "--count", 12, "--seed", 3, *SMALL)
    assert code == 0 and values["n_asked"] == 12 and values["usage"]["given_up"] == 0
    assert "computed by" in said
    again = ask(capsys, "campaign", "cuau", "--lsms", file, "--select", "ordered", "--count", 2, *SMALL)[1]
    assert again["n_results_in_log"] >= values["n_results_in_log"]
    out = tmp_path / "data.h5"
    code, values, _ = ask(capsys, "collect", "cuau", "--lsms", file, "--out", out, *SMALL)
    data = load_dataset(out)
    assert code == 0 and values["n_configurations"] == len(data) == values["n_orbits"]
    assert set(data.source) <= {"pure", "random", "ordered"} and data.charge is not None and data.moment is None
    with h5py.File(out) as written:
        assert "lmax" in json.loads(written.attrs["settings"])


def test_status_sums_up_a_campaign(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = standin_file(tmp_path, "nan:first")
    code, values, _ = ask(capsys, "status", "cuau", "--lsms", file, *SMALL)
    assert code == 2 and "run a campaign first" in values["error"]
    assert ask(capsys, "campaign", "cuau", "--lsms", file, "--count", 3, *SMALL)[0] == 0
    report = tmp_path / "report.md"
    code, values, _ = ask(capsys, "status", "cuau", "--lsms", file, "--report", report, *SMALL)
    assert code == 0 and (values["n_results"], values["n_given_up"], values["n_runs"]) == (5, 0, 10)
    assert values["failures"] == {"NOT_FINITE": 5} and values["n_results_after_failures"] == 5
    assert values["sources"] == {"pure": 2, "random": 3} and values["n_compositions"] == 5
    assert values["iterations"]["least"] > 1 and values["potential_residual"]["largest"] <= 1e-5
    assert report.read_text().startswith("# LSMS runs of cuau\n") and "not finite 5" in report.read_text()


def test_list_of_configurations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, chosen = standin_file(tmp_path), tmp_path / "list.txt"
    chosen.write_text("# two\n01010101\n\n00110011\n")
    words = ("campaign", "cuau", "--lsms", file, "--select", "list")
    assert ask(capsys, *words, "--configurations", chosen, *SMALL)[1]["n_asked"] == 2
    chosen.write_text("01010102\n")
    code, values, _ = ask(capsys, *words, "--configurations", chosen, *SMALL)
    assert code == 2 and "line 1 is not 8 times 0 or 1" in values["error"]


def test_given_up_configurations_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = standin_file(tmp_path)
    assert ask(capsys, "campaign", "cuau", "--lsms", good, "--count", 1, *SMALL)[0] == 0
    file = standin_file(tmp_path, "unconverged")
    words = ("campaign", "cuau", "--lsms", file, "--count", 2, "--seed", 9, "--compositions", 3, 5, *SMALL)
    code, values, _ = ask(capsys, *words)
    assert code == 3 and len(values["given_up"]) == 2
    standin_file(tmp_path)
    assert ask(capsys, "campaign", "cuau", "--lsms", file, "--select", "ordered", "--count", 1, *SMALL)[0] == 0


def test_runs_made_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cell.toml").write_text(
        'species = ["Cu", "Au"]\nstructure = "fcc"\nlattice_constant = 3.87\nrepeat = [1, 1, 1]\n'
    )
    words = ("import", tmp_path / "cell.toml", RUNS, "--out", tmp_path / "data.h5")
    references = ("--reference-energies", "-3304.85", "-38074.58")
    code, values, _ = ask(capsys, *words, *references)
    assert code == 0 and (values["n_runs"], values["n_stored"]) == (13, 1)
    reasons = {Path(one["folder"]).name: one["reason"] for one in values["refused"]}
    assert reasons["cut-short"].startswith("not converged") and reasons["mesh"].startswith("stopped")
    assert "give --tolerances" in reasons["tins"] and "holds 2 atoms" in reasons["spheres-spin"]
    code, values, _ = ask(capsys, *words)
    assert code == 2 and "there is no run of pure Cu and Au" in values["error"]
    both = ("--tolerances", "1e-6", "1e-9", *references)
    for name in ("spheres", "tins"):
        shutil.copytree(RUNS / name, tmp_path / "few" / name)
    code, values, _ = ask(
        capsys, "import", tmp_path / "cell.toml", tmp_path / "few" / "tins", *both, "--out", tmp_path / "t.h5"
    )
    assert code == 0 and values["n_stored"] == 1


def test_runs_made_elsewhere_go_into_a_campaign(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cell.toml").write_text(
        'species = ["Cu", "Au"]\nstructure = "fcc"\nlattice_constant = 3.87\nrepeat = [1, 1, 1]\n'
    )
    file = standin_file(tmp_path)
    code, values, _ = ask(capsys, "import", tmp_path / "cell.toml", RUNS, "--lsms", file)
    assert code == 0 and values["n_stored"] == 1
    code, values, _ = ask(capsys, "run", tmp_path / "cell.toml", "--lsms", file, "--structure", "L1_0")
    assert code == 0 and values["energy"] == pytest.approx(-82758.897071861, abs=1e-8) and not runs_made(tmp_path)


def test_published_text_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cell.toml").write_text(
        'species = ["Cu", "Au"]\nstructure = "fcc"\nlattice_constant = 3.87\nrepeat = [1, 1, 1]\n'
    )
    folder = tmp_path / "published"
    folder.mkdir()
    shutil.copy(RUNS / "spheres" / "info_evec_out", folder / "one.txt")
    words = ("import", tmp_path / "cell.toml", folder, "--out", tmp_path / "data.h5")
    code, values, _ = ask(capsys, *words, "--reference-energies", "-3304.85", "-38074.58")
    assert code == 0 and values["n_configurations"] == 1
    np.testing.assert_allclose(load_dataset(tmp_path / "data.h5").energy, [-82758.897071861], atol=1e-6)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["deck", "cuau"], "not by none"),
        (["deck", "cuau", "--structure", "L1_0", "--composition", "3"], "not by structure and composition"),
        (["deck", "cuau", "--structure", "B2"], "does not fit"),
        (["deck", "cuau", "--occupations", "01"], "32 characters"),
        (["deck", "cuau", "--structure", "L1_0", "--out", "no/such/i_lsms"], "folder no/such does not exist"),
        (
            ["run", "cuau", "--lsms", "missing.toml", "--structure", "L1_0"],
            "cannot read LSMS configuration missing.toml",
        ),
        (["campaign", "cuau"], "required"),
        (["import", "cuau", "no-such-folder"], "there is no folder no-such-folder"),
    ],
)
def test_bad_words(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    code, values, _ = ask(capsys, *words)
    assert code == 2 and message in values["error"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--select", "balanced"], "give --count"),
        (["--count", "0"], "count is 0"),
        (["--count", "1", "--compositions", "5", "3"], "compositions are 5 to 3"),
        (["--select", "list"], "give --configurations"),
        (["--count", "1", "--configurations", "x"], "goes with --select list"),
        (["--count", "1", "--executor", "slurm"], "choose threads or parsl:FILE.py"),
    ],
)
def test_bad_campaigns(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    file = standin_file(tmp_path)
    code, values, _ = ask(capsys, "campaign", "cuau", "--lsms", file, *SMALL, *words)
    assert code == 2 and message in values["error"]
