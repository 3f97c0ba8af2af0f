"""``wanglandau dos`` from the outside: signals, checkpoints, what goes on and what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import pytest
import slow_dos

from wanglandau.checkpoint_file import checkpoint_of, previous_of
from wanglandau.cli import main
from wanglandau.command_line import EXIT_BAD_INPUT, EXIT_DONE, EXIT_INTERRUPTED, EXIT_NOT_CONVERGED
from wanglandau.commands import preparation
from wanglandau.commands.keeping import command_to_go_on
from wanglandau.keeping_settings import KeepingSettings
from wanglandau.run_checkpoint import read_kept
from wanglandau.run_keeper import RunKeeper
from wanglandau.settings import WangLandauSettings

HERE = Path(__file__).parent
PAIR = HERE.parent / "examples" / "pair_models" / "nearest_neighbour_bcc.toml"
SYSTEM = 'species = ["Cu", "Zn"]\nstructure = "bcc"\nlattice_constant = 2.95\nrepeat = [2, 2, 2]\n'
SHORT = ("--runs", "2", "--max-trials", "20000", "--out", "run.h5")


def arrays_of(file: Path) -> dict[str, bytes]:
    """Return everything that a result file holds but times and how often it was gone on with."""
    found: dict[str, bytes] = {}

    def take(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset) and name != "diagnostics":
            value = item[()]
            found[name] = value.tobytes() if hasattr(value, "tobytes") else value

    with h5py.File(file) as opened:
        opened.visititems(take)
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own.toml").write_text(SYSTEM)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def dos(*words: str) -> int:
    return main(["dos", "own.toml", "--oracle", f"pair:{PAIR}", *SHORT, *words])


def start_slow_dos(calls_before: int, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(HERE / "slow_dos.py"), "dos", "own.toml", "--walkers", "4", *SHORT, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"CALLS_BEFORE": str(calls_before), "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_a_signal_in_a_long_evaluation_loses_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process = start_slow_dos(6000)  # in the midst of the walks
    while not (folder / "asked").exists():
        assert process.poll() is None
        time.sleep(0.02)
    sent = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == EXIT_INTERRUPTED, err
    assert time.monotonic() - sent < 10  # 5 s on a machine that does nothing else
    assert "signal SIGTERM" in err and "run.h5.checkpoint" in err and "--resume" in err
    rounds = read_kept(checkpoint_of(folder / "run.h5")).progress["trials"] // 4
    assert rounds > 0
    monkeypatch.setattr(preparation, "load_oracle", slow_dos.load)
    assert dos("--walkers", "4", "--resume") == dos("--walkers", "4", "--out", "whole.h5") == EXIT_NOT_CONVERGED
    assert arrays_of(folder / "run.h5") == arrays_of(folder / "whole.h5")


def test_a_finished_run_is_reported_and_goes_on_with_more_trials(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dos("--resume") == EXIT_NOT_CONVERGED
    first = arrays_of(folder / "run.h5")
    said = capsys.readouterr().out
    assert "to go on with more: wanglandau dos own.toml" in said and "--max-trials 80000" in said
    assert dos("--resume") == EXIT_NOT_CONVERGED
    assert "nothing was computed" in capsys.readouterr().out
    assert arrays_of(folder / "run.h5") == first
    assert main(["inspect", "run.h5", "--json"]) == EXIT_DONE
    unfinished = json.loads(capsys.readouterr().out)["unfinished"]
    assert unfinished["state"] == "finished, not trusted" and "--max-trials 80000" in unfinished["command"]
    assert dos("--resume", "--max-trials", "80000") == EXIT_NOT_CONVERGED
    with h5py.File("run.h5") as file:
        told = json.loads(file["diagnostics"][()])
    (continuation,) = told["continuations"]
    assert continuation["changed"] == {"max_trials": [20000, 80000]}
    assert min(told["trials"]) > 70_000 and continuation["trials"] >= 2 * 19_900
    capsys.readouterr()
    assert dos() == EXIT_NOT_CONVERGED  # anew, without a word
    assert arrays_of(folder / "run.h5") == first


def end_now(keeper: RunKeeper) -> bool:
    keeper.interruption.ask("a test")
    return True


def interrupt_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave a checkpoint of a calculation that has hardly begun."""
    from wanglandau.interruption import Interruption

    with monkeypatch.context() as patch:
        patch.setattr(
            "wanglandau.run_keeper.RunKeeper.pausing", lambda keeper: keeper.interruption.ask("a test") or True
        )
        assert dos() == EXIT_INTERRUPTED
    assert checkpoint_of(folder / "run.h5").exists() and Interruption


def test_what_belongs_to_another_calculation_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt_at_once(folder, monkeypatch)
    before = checkpoint_of(folder / "run.h5").read_bytes()
    capsys.readouterr()
    assert dos() == EXIT_BAD_INPUT
    assert "give --resume to go on" in capsys.readouterr().err
    words = ("--seed", "2", "--bins", "7", "--composition", "4", "--max-trials", "10000")
    assert dos("--resume", *words) == EXIT_BAD_INPUT
    err = capsys.readouterr().err
    for part in ("seed was 1, is 2", "bins was None, is 7", "composition was 8, is 4", "may only grow"):
        assert part in err
    assert checkpoint_of(folder / "run.h5").read_bytes() == before
    assert dos("--resume", "--threads", "2", "--precision", "0.5") == EXIT_NOT_CONVERGED


def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dos("--out", "whole.h5") == EXIT_NOT_CONVERGED
    interrupt_at_once(folder, monkeypatch)
    path = checkpoint_of(folder / "run.h5")
    os.replace(path, previous_of(path))
    path.write_bytes(previous_of(path).read_bytes()[:-1])
    assert dos("--resume") == EXIT_NOT_CONVERGED
    assert "using the other of the two" in capsys.readouterr().err
    assert arrays_of(folder / "run.h5") == arrays_of(folder / "whole.h5")


def test_a_full_disk_leaves_the_checkpoint_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    interrupt_at_once(folder, monkeypatch)
    before = checkpoint_of(folder / "run.h5").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("wanglandau.run_keeper.write_checkpoint", full)
        patch.setattr(
            "wanglandau.run_keeper.RunKeeper.pausing", lambda keeper: keeper.interruption.ask("a test") or True
        )
        assert dos("--resume") == EXIT_INTERRUPTED
    err = capsys.readouterr().err
    assert "No space left" in err and "the checkpoint before stands" in err
    assert checkpoint_of(folder / "run.h5").read_bytes() == before
    with monkeypatch.context() as patch:
        patch.setattr("wanglandau.run_keeper.write_checkpoint", full)
        assert dos("--resume", "--max-trials", "2000000", "--checkpoint-interval", "0.01") == EXIT_NOT_CONVERGED
    assert "tried again later" in capsys.readouterr().err


def test_inspect_tells_of_an_interrupted_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt_at_once(folder, monkeypatch)
    capsys.readouterr()
    for name in ("run.h5", "run.h5.checkpoint"):
        assert main(["inspect", name]) == EXIT_DONE
        text = capsys.readouterr().out
        assert "interrupted" in text and "wanglandau dos own.toml" in text and "--resume" in text


def test_the_command_to_go_on_has_all_that_was_said() -> None:
    settings = WangLandauSettings(runs=3, energy_range=(-5.0, 2.5), observables=False)
    options = {"oracle": "pair:a b.toml", "composition": None, "settings": settings, "keeping": KeepingSettings()}
    command = command_to_go_on(["wanglandau", "dos", "cuau"], options)
    assert command == (
        "wanglandau dos cuau --oracle 'pair:a b.toml' --runs 3 --no-observables --energy-range -5.0 2.5 --resume"
    )
