"""Real processes under mpiexec: what they gather, that their number changes nothing, how they end."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import h5py
import mpi_programs
import numpy as np
import pytest

from wanglandau.errors import InputError
from wanglandau.launcher import PATIENCE, launch, under_mpi
from wanglandau.ranks import OneProcess, launched_ranks, share_of
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings

HERE = Path(__file__).parent
MPIEXEC = Path(sys.executable).with_name("mpiexec")
LAUNCHER = str(MPIEXEC) if MPIEXEC.exists() else shutil.which("mpiexec")
needs_mpi = pytest.mark.skipif(
    importlib.util.find_spec("mpi4py") is None or LAUNCHER is None,
    reason="mpi4py or mpiexec is missing: pip install 'alloy-wanglandau[mpi]'",
)
ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",  # containers have only this user
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",  # more processes than cores
    "OMPI_MCA_pml": "ob1",  # by shared memory, without a look at networks
    "OMPI_MCA_btl": "self,sm",
    "OMPI_MCA_mpi_yield_when_idle": "1",  # cores may be shared with other work
}
LONGEST = 400.0
"""Seconds for programs that compile their loops; others get a tenth of it."""
FLAT = 0.08
"""Of the worst bin of histograms under exact weights: four times the scatter of a bin, half the effect of the fault."""


def start(n: int, *words: str | Path, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    assert LAUNCHER is not None
    return subprocess.Popen(
        [LAUNCHER, "-n", str(n), *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | ENVIRONMENT | dict(environment or {}),
    )


def finish(process: subprocess.Popen[str], longest: float = LONGEST / 10) -> subprocess.CompletedProcess[str]:
    try:
        out, err = process.communicate(timeout=longest)
    finally:
        if process.poll() is None:
            process.terminate()  # mpiexec ends its processes, which it could not if it were killed
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10.0)
            process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def run(n: int, *words: str | Path, longest: float = LONGEST / 10, **more: Mapping[str, str]) -> tuple[int, str, str]:
    result = finish(start(n, *words, **more), longest)
    return result.returncode, result.stdout, result.stderr


def command(n: int, how: str, folder: Path, *more: str, name: str = "work") -> tuple[int, str, str]:
    return run(n, sys.executable, HERE / "mpi_command.py", name, how, "--folder", folder, *more)


def ended(folder: Path, n: int) -> bool:
    """Tell whether no process is left, within a few seconds."""
    numbers = [int((folder / f"pid-{rank}").read_text()) for rank in range(n) if (folder / f"pid-{rank}").exists()]
    for _ in range(50):
        alive = [number for number in numbers if _is_alive(number)]
        if not alive:
            return True
        time.sleep(0.1)
    return False


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run all programs with two and four processes, and sample with one."""
    folder = tmp_path_factory.mktemp("mpi")
    for n, names in ((2, ["gather", "sample", "flat"]), (4, ["gather", "sample"])):
        code, _, err = run(n, sys.executable, HERE / "mpi_programs.py", *names, folder, longest=LONGEST)
        assert code == 0, err
    return folder


@pytest.mark.compiled
@needs_mpi
@pytest.mark.parametrize("n", [2, 4])
def test_every_process_gathers_the_rows_of_all_in_order(results: Path, n: int) -> None:
    rows = [mpi_programs.example_rows(rank) for rank in range(n)]
    expected = [np.concatenate(parts) for parts in zip(*rows, strict=True)]
    for rank in range(n):
        with np.load(results / f"{rank}-of-{n}.npz") as gathered:
            for number, wanted in enumerate(expected):
                found = gathered[f"arr_{number}"]
                assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
                assert found.tobytes() == wanted.tobytes()


@pytest.mark.compiled
@needs_mpi
def test_processes_out_of_step_are_noticed_by_all(results: Path) -> None:
    assert sorted(path.name for path in results.glob("refused-*")) == [f"refused-{rank}" for rank in range(4)]


@pytest.mark.compiled
@needs_mpi
def test_the_number_of_processes_changes_no_bit(results: Path) -> None:
    alone = sample_density(mpi_programs.pair(), 16, mpi_programs.WINDOWED, progress=False)
    expected = mpi_programs.result_arrays(alone)
    assert (alone.exchange > 0.1).all() and alone.layout == (2, 3, 2)
    files = sorted(results.glob("sample-*.npz"))
    assert len(files) == 2 + 4
    for file in files:
        with np.load(file) as found:
            different = [name for name in expected if found[name].tobytes() != expected[name].tobytes()]
            assert sorted(found) == sorted(expected) and not different


@pytest.mark.compiled
@needs_mpi
def test_exchange_between_processes_keeps_histograms_flat_under_exact_weights(results: Path) -> None:
    with np.load(results / "flat-0-of-2.npz") as histograms:
        worst = {rule: largest_deviation(histograms[rule]) for rule in ("right", "wrong")}
    assert max(worst["right"]) < FLAT
    assert min(worst["wrong"]) > FLAT  # one of the two factors left out


def largest_deviation(visits: np.ndarray) -> list[float]:
    """Return by how much the worst bin of each window differs from the mean, over all runs."""
    windows = visits.reshape(-1, 2, visits.shape[-1]).sum(axis=0)
    occupied = [row[row > 0] for row in windows]
    return [float(np.abs(row / row.mean() - 1.0).max()) for row in occupied]


@needs_mpi
def test_one_process_prints_and_all_share_the_cores(tmp_path: Path) -> None:
    code, out, err = command(2, "well", tmp_path, "--json")
    values = json.loads(out)
    assert code == 0 and values["sum"] == 1
    assert err.count("chatter") == 1
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    assert 1 <= values["threads"] <= max(1, available // 2) and values["threads"] == values["cores"]
    assert values["openmp"] == os.environ.get("OMP_NUM_THREADS", str(values["threads"]))


@needs_mpi
def test_all_wait_for_the_one_that_still_writes(tmp_path: Path) -> None:
    code, out, _ = command(2, "late", tmp_path)
    assert code == 3 and out == "sum 1\n" and (tmp_path / "written").exists()


@needs_mpi
def test_an_error_of_all_is_printed_once(tmp_path: Path) -> None:
    code, out, err = command(4, "bad-input", tmp_path)
    assert code == 2 and out == ""
    assert err.count("program work: error: composition 40 is above 32") == 1


@needs_mpi
@pytest.mark.parametrize(
    ("how", "code", "message"),
    [
        ("oracle-0", 4, "program work: error: energy is nan"),
        ("oracle-1", 4, "process 1 of 3: chatter"),
        ("defect-2", 1, "RuntimeError: an unforeseen case"),
        ("killed-1", None, ""),
    ],
)
def test_one_failed_process_ends_all(tmp_path: Path, how: str, code: int | None, message: str) -> None:
    began = time.monotonic()
    found, out, err = command(3, how, tmp_path)
    assert time.monotonic() - began < PATIENCE + 25.0
    assert found == code if code is not None else found != 0
    assert out == "" and message in err
    assert ended(tmp_path, 3)


@needs_mpi
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_launcher_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    process = start(2, sys.executable, HERE / "mpi_command.py", "work", "stuck-0", "--folder", tmp_path)
    for _ in range(300):
        if (tmp_path / "stuck").exists() and (tmp_path / "pid-1").exists():
            break
        time.sleep(0.1)
    process.send_signal(number)
    result = finish(process)
    assert result.returncode != 0 and result.stdout == ""
    assert ended(tmp_path, 2)


@needs_mpi
def test_commands_that_share_no_work_refuse_several_processes(tmp_path: Path) -> None:
    code, out, err = command(2, "well", tmp_path, "--json", name="alone")
    assert code == 2 and json.loads(out)["exit_code"] == 2
    assert err.count("without mpiexec") == 1 and not list(tmp_path.iterdir())


@needs_mpi
def test_help_is_printed_once() -> None:
    code, out, _ = run(2, sys.executable, HERE / "mpi_command.py", "--help")
    assert code == 0 and out.count("usage: program COMMAND") == 1


@needs_mpi
@pytest.mark.parametrize("where", ["rank >= 0", "rank == 1"])
def test_missing_mpi4py_is_named_and_nothing_is_written(tmp_path: Path, where: str) -> None:
    hidden = tmp_path / "hidden" / "mpi4py"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text(
        "import sys\n"
        "from wanglandau.launcher import launch\n"
        "rank = launch().rank\n"
        f"if {where}:\n"
        "    raise ModuleNotFoundError(\"No module named 'mpi4py'\", name='mpi4py')\n"
        f"sys.path.remove({str(hidden.parent)!r})\n"
        "del sys.modules['mpi4py']\n"
        "import mpi4py\n"
    )
    folder = tmp_path / "out"
    folder.mkdir()
    words = (sys.executable, HERE / "mpi_command.py", "work", "well", "--folder", folder)
    code, out, err = run(2, *words, environment={"PYTHONPATH": str(hidden.parent)})
    assert code == 2 and out == "" and not list(folder.iterdir())
    assert err.count("pip install 'alloy-wanglandau[mpi]'") == 1


@needs_mpi
def test_launcher_of_another_mpi_is_refused(tmp_path: Path) -> None:
    words = (sys.executable, str(HERE / "mpi_command.py"), "work", "well", "--folder", str(tmp_path))
    told = os.environ | ENVIRONMENT | {"PMI_SIZE": "2", "PMI_RANK": "0"}  # as by mpiexec of MPICH
    result = subprocess.run(words, env=told, capture_output=True, text=True, timeout=LONGEST / 10)
    assert result.returncode == 2 and result.stdout == "" and not list(tmp_path.iterdir())
    assert "started 2 processes" in result.stderr and "knows of 1" in result.stderr


@needs_mpi
def test_the_command_writes_one_file_and_prints_once(tmp_path: Path) -> None:
    (tmp_path / "pair.toml").write_text('unlike_bond_energies = [-50.0]\nunits = "meV"\n')
    program = "import sys; from wanglandau.cli import main; sys.exit(main())"
    words = ["dos", "cuau", "--oracle", f"pair:{tmp_path / 'pair.toml'}", "--runs", "2", "--max-trials", "200000"]
    folder = tmp_path / "out"
    folder.mkdir()
    words += ["--windows", "2", "--out", str(folder / "run.h5"), "--json"]
    code, out, err = run(2, sys.executable, "-c", program, *words, longest=LONGEST)
    values = json.loads(out)
    assert code in (0, 3), err
    assert values["out"] == str(folder / "run.h5") and out.count("\n") == 1
    kept = {"run.h5.checkpoint"} if code == 3 else set()  # to go on from with more trials
    assert {path.name for path in folder.iterdir()} == {"run.h5"} | kept
    with h5py.File(folder / "run.h5") as file:
        assert len(file)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, (0, 1)),
        ({"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3"}, (3, 4)),
        ({"PMI_SIZE": "2", "PMI_RANK": "1"}, (1, 2)),
        ({"SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "5"}, (5, 8)),
        ({"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, (0, 1)),  # a batch script, not started by srun
        ({"OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0", "SLURM_STEP_NUM_TASKS": "4"}, (0, 1)),
    ],
)
def test_launchers_are_recognised(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: tuple[int, int]
) -> None:
    for name in [name for name in os.environ if name.startswith(("OMPI_COMM", "PMI_", "SLURM_"))]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert launch() == expected and under_mpi() == (expected[1] > 1)


def test_without_a_launcher_mpi4py_is_not_imported() -> None:
    program = (
        "import sys; from wanglandau.ranks import launched_ranks; from wanglandau.cli import main\n"
        "assert launched_ranks().size == 1 and main(['dos', '--help']) == 0 and 'mpi4py' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=LONGEST / 10, stdout=subprocess.DEVNULL)
    assert isinstance(launched_ranks(), OneProcess)


class Some:
    """One of several processes, which do not exist."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size

    def gather(self, rows: np.ndarray) -> np.ndarray:
        raise AssertionError("nothing is to be gathered")


def test_shares_cover_all_work_once_and_differ_by_one_at_most() -> None:
    for size in range(1, 9):
        for n_units in range(size, 40):
            shares = [share_of(n_units, Some(rank, size)) for rank in range(size)]
            assert [unit for share in shares for unit in share] == list(range(n_units))
            assert min(map(len, shares)) >= 1 and max(map(len, shares)) - min(map(len, shares)) <= 1


def test_more_processes_than_walks_are_refused() -> None:
    settings = WangLandauSettings(runs=2, windows=1)
    with pytest.raises(InputError, match="3 processes for 2 walks"):
        sample_density(mpi_programs.pair(), 16, settings, progress=False, ranks=Some(0, 3))
