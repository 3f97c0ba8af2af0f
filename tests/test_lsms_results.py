"""Outputs of the real program are accepted or refused for what they are.

The folders under ``lsms_runs`` are outputs of LSMS-3 on decks of this package, good and deliberately bad ones.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from ase import units

from lsms_bridge.failures import Failure, LsmsError
from lsms_bridge.history import read_history
from lsms_bridge.result import Result, Tolerances, explain_exit, program_printed, read_result, tolerances_printed
from wanglandau.lattice import Lattice

RUNS = Path(__file__).parent / "lsms_runs"
CUAU = Lattice.cubic("fcc", ("Cu", "Au"), 3.87 / units.Bohr, (1, 1, 1))
FEPT = Lattice.cubic("bcc", ("Fe", "Pt"), 3.02 / units.Bohr, (1, 1, 1))
L1_0 = np.array([0, 0, 1, 1], dtype=np.int8)
SPHERES = Tolerances("asa", 1, 1e-6, 1e-9)
TINS = Tolerances("mt", 1, 1e-6, 1e-9)


def judge(name: str, asked: Tolerances = SPHERES, lattice: Lattice = CUAU) -> Result:
    folder = RUNS / name
    code = int((folder / "rc").read_text())
    if code:
        raise explain_exit(code, folder)
    return read_result(folder, lattice, asked)


def test_spheres_are_read() -> None:
    found = judge("spheres")
    # -82758.897071866 Ry is what another build of LSMS gives for this structure at these settings
    assert found.configuration.energy == pytest.approx(-82758.897071866, abs=2e-6)
    assert len(found.history) == 18 and found.history.energy[-1] == found.configuration.energy
    np.testing.assert_array_equal(found.configuration.occupations, L1_0)
    np.testing.assert_allclose(found.configuration.charge[:2], 0.09599, atol=1e-4)
    assert abs(found.configuration.charge.sum()) < 1e-5 and not found.configuration.moment.any()


def test_spins_are_read() -> None:
    found = judge("spheres-spin", Tolerances("asa", 2, 1e-6, 1e-9), FEPT)
    assert found.configuration.energy == pytest.approx(-39413.7212756, abs=1e-4)
    iron, platinum = found.configuration.moment
    assert 2.7 < iron < 3.3 and 0.1 < platinum < 0.4


def test_muffin_tins_are_read_by_their_own_columns() -> None:
    found = judge("tins", TINS)
    assert found.configuration.energy == pytest.approx(-82758.8022733, abs=1e-5)
    assert found.history.residual[-1] <= 1e-6


@pytest.mark.parametrize(
    ("name", "asked", "failure", "words"),
    [
        ("cut-short", SPHERES, Failure.NOT_CONVERGED, "after 3 iterations the residual is"),
        ("frozen", TINS, Failure.NOT_CONVERGED, "after 4 iterations the residual is 5.52e-05"),
        ("diverged", SPHERES, Failure.NOT_CONVERGED, "after 16 iterations"),
        ("bad-syntax", SPHERES, Failure.INPUT_REFUSED, "an error in its Lua"),
        ("no-deck", SPHERES, Failure.INPUT_REFUSED, "missing"),
        ("no-potential", SPHERES, Failure.POTENTIAL_MISSING, r"nope\.0"),
        ("no-hdf5", SPHERES, Failure.POTENTIAL_MISSING, "v_x"),
        ("no-site", SPHERES, Failure.INPUT_REFUSED, "misses something in its input"),
        ("bad-mixing", SPHERES, Failure.INPUT_REFUSED, "mixing table"),
        ("mesh", TINS, Failure.STOPPED, r"in deepst: DEEPST::core cannot work: nws\+ipdeq2\.gt\.iprpts"),
    ],
)
def test_what_does_not_count_is_refused_with_its_cause(
    name: str, asked: Tolerances, failure: Failure, words: str
) -> None:
    with pytest.raises(LsmsError, match=words) as refusal:
        judge(name, asked)
    assert refusal.value.failure is failure and failure.advice in str(refusal.value)


def test_potential_must_have_come_to_rest() -> None:
    asked = Tolerances("asa", 1, 1e-6, 1e-9, potential=1e-7)
    with pytest.raises(LsmsError, match=r"while the potential still changes by 2\.4e-07") as refusal:
        judge("spheres", asked)
    assert refusal.value.failure is Failure.POTENTIAL_MOVES
    assert judge("spheres").remarks == ()
    (remark,) = judge("spheres-spin", Tolerances("asa", 2, 1e-6, 1e-9), FEPT).remarks
    assert "the potential still changes by 1.2e-05" in remark


def test_tolerances_are_found_in_what_was_printed() -> None:
    assert tolerances_printed((RUNS / "spheres" / "stdout").read_text()) == SPHERES
    assert tolerances_printed((RUNS / "tins" / "stdout").read_text()) is None  # silent about them at this iprint
    assert program_printed((RUNS / "tins" / "stdout").read_text()) == "mt"
    spins = tolerances_printed((RUNS / "spheres-spin" / "stdout").read_text())
    assert spins is not None and spins.n_spin == 2
    assert tolerances_printed("no such lines") is None


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RUNS / "spheres", tmp_path / "run"))


def spoil(run: Path, name: str, old: str, new: str) -> None:
    text = (run / name).read_text()
    assert old in text
    (run / name).write_text(text.replace(old, new))


def refuse(run: Path, failure: Failure, words: str, occupations: np.ndarray = L1_0) -> None:
    references = np.array([-3304.85173579, -38074.5796582])
    with pytest.raises(LsmsError, match=words) as refusal:
        read_result(run, CUAU, SPHERES, occupations, references)
    assert refusal.value.failure is failure


def test_good_run_passes_every_check(run: Path) -> None:
    references = np.array([-3304.85173579, -38074.5796582])
    assert read_result(run, CUAU, SPHERES, L1_0, references).history.converged(1e-6, 1e-9)


def test_answer_to_another_deck_is_refused(run: Path) -> None:
    refuse(run, Failure.ANOTHER_INPUT, "species on 4 sites", 1 - L1_0)


def test_files_of_two_runs_are_refused(run: Path) -> None:
    spoil(run, "info_evec_out", "-82758.89707186", "-82758.89807186")
    refuse(run, Failure.ANOTHER_INPUT, "they are of two runs")


def test_missing_electrons_are_refused(run: Path) -> None:
    spoil(run, "info_evec_out", "29.09", "29.19")
    refuse(run, Failure.CHARGE_LOST, r"\+0\.2000 electrons more than protons")


@pytest.mark.parametrize("word", ["nan", "-inf", "**********"])
def test_numbers_that_are_none_are_refused(run: Path, word: str) -> None:
    energy = (run / "info_evec_out").read_text().split()[0]
    spoil(run, "info_evec_out", energy, word)
    refuse(run, Failure.NOT_FINITE, "info_evec_out begins with what is no number")
    text = (run / "k.out").read_text()
    (run / "k.out").write_text(text.replace(text.split()[-4], word))
    refuse(run, Failure.NOT_FINITE, "k.out holds")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_truncated_output_is_refused(run: Path, share: float) -> None:
    content = (run / "info_evec_out").read_bytes()
    (run / "info_evec_out").write_bytes(content[: int(share * len(content))])
    with pytest.raises(LsmsError):
        read_result(run, CUAU, SPHERES, L1_0)
    (run / "info_evec_out").unlink()
    refuse(run, Failure.NO_OUTPUT, "left no info_evec_out")


def test_empty_history_is_refused(run: Path) -> None:
    (run / "k.out").write_text("\n")
    refuse(run, Failure.NO_OUTPUT, "no iteration")
    (run / "k.out").unlink()
    refuse(run, Failure.NO_OUTPUT, r"left no k\.out")


@pytest.mark.parametrize("known", [True, False])
def test_implausible_energies_are_refused(run: Path, known: bool) -> None:
    for name in ("info_evec_out", "k.out"):
        spoil(run, name, "-82758.897071", "-1082758.897071")
    lines = (run / "k.out").read_text().splitlines()
    (run / "k.out").write_text(
        "\n".join(line.replace("-82758.", "-1082758.") for line in lines[:-1]) + "\n" + lines[-1]
    )
    text = (run / "k.out").read_text().splitlines()
    rows = [line.split() for line in text]
    rows[-2][1] = rows[-1][1]
    (run / "k.out").write_text("\n".join(" ".join(row) for row in rows) + "\n")
    references = np.array([-3304.85173579, -38074.5796582]) if known else None
    with pytest.raises(LsmsError, match=r"mixing energy is -2\.5e\+05 Ry|far from that of atoms") as refusal:
        read_result(run, CUAU, SPHERES, L1_0, references)
    assert refusal.value.failure is Failure.IMPLAUSIBLE


def test_only_the_last_run_in_a_history_counts(run: Path) -> None:
    once = (run / "k.out").read_text()
    (run / "k.out").write_text((RUNS / "cut-short" / "k.out").read_text() + once)
    assert len(read_result(run, CUAU, SPHERES, L1_0).history) == 18
    (run / "k.out").write_text(once.split("\n", 1)[1])
    refuse(run, Failure.UNREADABLE, "not numbered")


def test_one_iteration_proves_nothing() -> None:
    row = "   0    -82758.897069373939  0.616308305948 5.167369e-08 5.029881e-08\n"
    history = read_history(row, "asa", 1)
    assert len(history) == 1 and not history.converged(1e-6, 1e-9)


@pytest.mark.parametrize(
    ("change", "residual", "converged"),
    [(0.9e-9, 0.9e-6, True), (1.1e-9, 0.9e-6, False), (0.9e-9, 1.1e-6, False), (1.1e-9, 1.1e-6, False)],
)
def test_both_tolerances_must_hold(change: float, residual: float, converged: bool) -> None:
    energies = (-80000.0 * (1 + change), -80000.0)
    rows = [f"   {place}  {energy:.12f}  0.6  {residual:.6e}  1e-9\n" for place, energy in enumerate(energies)]
    assert read_history("".join(rows), "asa", 1).converged(1e-6, 1e-9) is converged


def test_every_failure_says_what_to_try() -> None:
    assert all(len(failure.advice) > 10 for failure in Failure)


@pytest.mark.parametrize(
    ("code", "words"), [(99, "negative interstitial"), (-9, "killed by signal 9"), (7, "status 7")]
)
def test_exit_statuses_are_explained(tmp_path: Path, code: int, words: str) -> None:
    (tmp_path / "stderr").write_text("first\nlast words\n")
    assert words in str(explain_exit(code, tmp_path))
