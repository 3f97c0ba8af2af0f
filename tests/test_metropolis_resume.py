"""Metropolis sampling that was interrupted and resumed is, bit for bit, what it would have been without."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from wanglandau import short_pieces
from wanglandau.command_line import run_program
from wanglandau.commands.anneal import anneal
from wanglandau.commands.metropolis import metropolis
from wanglandau.metropolis_file import read_metropolis
from wanglandau.orderly_end import stop_if_asked
from wanglandau.run_lock import locked

pytestmark = pytest.mark.compiled

WORDS = ["metropolis", "bcc.toml", "--oracle", "pair:nn.toml"]
QUICK = [*WORDS, "--temperatures", "600", "900", "--sweeps", "1500", "--precision", "0.01"]
TRAJECTORY = ["--trajectory", "t.h5"]
FILES = [*TRAJECTORY, "--xyz", "t.xyz"]
TEMPERING = ["--tempering", "--only-ends", "--tuning-sweeps", "60"]
KINDS = {
    "canonical": TRAJECTORY,
    "tempering": [*TEMPERING, *FILES],
    "semigrand": ["--ensemble", "semigrand", "--delta-mu", "-10", "--threads", "2"],
    "delayed": ["--proposal-oracle", "pair:cheap.toml", "--proposal-rounds", "250", *TEMPERING, *TRAJECTORY],
}
Resume = Callable[[list[str], int], int]


@pytest.fixture()
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nn.toml").write_text('unlike_bond_energies = [-20.0]\nunits = "meV"\n')
    (tmp_path / "cheap.toml").write_text('unlike_bond_energies = [-17.0]\nunits = "meV"\n')
    (tmp_path / "bcc.toml").write_text(
        'species = ["Fe", "Pt"]\nstructure = "bcc"\nlattice_constant = 3.0\nrepeat = [2, 2, 2]\n'
    )
    return tmp_path


def run(words: list[str]) -> int:
    return run_program("wanglandau", "test", {"metropolis": metropolis, "anneal": anneal}, words)


@pytest.fixture()
def in_legs(monkeypatch: pytest.MonkeyPatch) -> Resume:
    """Run a command that gets a signal at random moments, again and again, until it has come to its end."""

    def go(words: list[str], first: int) -> int:
        rng = np.random.default_rng(first)
        left = legs = 0

        def asked() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1][legs % 3])
            stop_if_asked()

        while True:
            legs, left = legs + 1, int(rng.integers(1, first * 2**legs))
            with monkeypatch.context() as patch:
                patch.setattr(short_pieces, "stop_if_asked", asked)
                code = run([*words, "--resume"])
            if code != 75:
                assert legs > 2
                return code

    return go


def contents(path: Path) -> dict[str, bytes]:
    """Return all arrays of a file."""
    found: dict[str, bytes] = {}

    def take(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind != "O":
            found[name] = item[()].tobytes()

    with h5py.File(path, "r") as file:
        file.visititems(take)
    return found


def assert_same(folder: Path, words: list[str], code: int, other_code: int) -> None:
    """Compare ``whole.h5`` and trajectories moved to ``whole-*`` with ``legs.h5`` and its trajectories."""
    assert code == other_code
    first, second = read_metropolis(folder / "whole.h5"), read_metropolis(folder / "legs.h5")
    assert contents(folder / "whole.h5") == contents(folder / "legs.h5")
    assert first.diagnostics == second.diagnostics and first.verdict == second.verdict
    for name in set(words) & {"t.h5", "t.xyz"}:
        read = contents if name == "t.h5" else Path.read_bytes
        assert read(folder / f"whole-{name}") == read(folder / name)
    names = {found.name for found in folder.iterdir()}
    assert not [name for name in names if ".checkpoint" in name or ".lock" in name or ".tmp" in name], names


def run_whole(folder: Path, words: list[str]) -> int:
    code = run([*words, "--out", "whole.h5"])
    for name in set(words) & {"t.h5", "t.xyz"}:
        (folder / name).rename(folder / f"whole-{name}")
    return code


@pytest.mark.parametrize(("kind", "first"), [("canonical", 4), ("tempering", 60), ("semigrand", 4), ("delayed", 60)])
def test_interrupted_and_resumed_is_the_same(folder: Path, in_legs: Resume, kind: str, first: int) -> None:
    words = [*QUICK, *KINDS[kind]]
    code = run_whole(folder, words)
    assert_same(folder, words, code, in_legs([*words, "--out", "legs.h5"], first))


def test_killed_and_resumed_is_the_same(folder: Path) -> None:
    words = [*QUICK, *TEMPERING, *TRAJECTORY, "--sweeps", "3000"]
    code = run_whole(folder, words)
    words += ["--out", "legs.h5", "--checkpoint-interval", "0.02", "--resume"]
    with subprocess.Popen([sys.executable, "-m", "wanglandau.cli", *words], stderr=subprocess.PIPE) as process:
        try:
            wait_for(folder / "legs.h5.checkpoint.prev")
        finally:
            process.kill()
    assert not (folder / "legs.h5").exists() and (folder / "legs.h5.lock").exists()
    assert_same(folder, words, code, run(words))


def wait_for(path: Path) -> None:
    end = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_damaged_checkpoint_is_replaced_by_the_one_before(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*QUICK, *TEMPERING]
    code = run_whole(folder, words)
    words += ["--out", "legs.h5", "--checkpoint-interval", "0.05"]
    stop_at((folder / "legs.h5.checkpoint.prev").exists, words)
    (folder / "legs.h5.checkpoint").write_bytes(b"damaged")
    assert_same(folder, words, code, run([*words, "--resume"]))
    assert "legs.h5.checkpoint ends after 7 bytes" in capsys.readouterr().err


def stop_at(reached: Callable[[], bool], words: list[str]) -> None:
    """Run until something is reached, and end it then."""

    def asked() -> None:
        if reached():
            os.kill(os.getpid(), signal.SIGTERM)
        stop_if_asked()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(short_pieces, "stop_if_asked", asked)
        assert run(words) == 75


def test_what_cannot_be_gone_on_from_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*QUICK, *TEMPERING, "--out", "a.h5"]
    calls = iter(range(120))
    stop_at(lambda: next(calls, None) is None, words)
    assert "signal SIGTERM" in (err := capsys.readouterr().err) and "a.h5.checkpoint; the same command with" in err
    assert run(words) == 2 and "--resume, choose another name" in capsys.readouterr().err
    assert run([*words, "--resume", "--chains", "9", "--seed", "5", "--trajectory", "t.h5"]) == 2
    err = capsys.readouterr().err
    assert "chains was 8, is 9; configurations_kept was False, is True; seed was 1, is 5" in err
    with locked(folder / "a.h5.lock", "a.h5"):
        assert run([*words, "--resume"]) == 2
    assert f"a.h5 is in use by process {os.getpid()}" in capsys.readouterr().err
    series = folder / "a.h5.checkpoint.series"
    whole = series.read_bytes()
    series.write_bytes(whole[:-1])
    assert run([*words, "--resume"]) == 2 and "series is damaged" in capsys.readouterr().err
    series.write_bytes(whole + b"half a record")
    code = run([*words, "--resume", "--json"])
    written = (folder / "a.h5").stat().st_mtime_ns
    told = capsys.readouterr().out
    assert code in (0, 3) and run([*words, "--resume", "--json"]) == code  # nothing is computed
    assert told == capsys.readouterr().out and (folder / "a.h5").stat().st_mtime_ns == written
    assert run([*words, "--resume", "--seed", "5"]) == 2 and "seed was 1, is 5" in capsys.readouterr().err


def test_the_wall_time_ends_it_in_time(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    started = time.monotonic()
    words = [*QUICK, "--sweeps", "1000000000", "--out", "a.h5", "--max-walltime", "1"]
    assert run(words) == 75 and time.monotonic() - started < 5.0
    assert "the wall time of 1 s is nearly over" in capsys.readouterr().err
    assert (folder / "a.h5.checkpoint").exists() and not (folder / "a.h5").exists()


def test_annealing_goes_on_too(folder: Path, in_legs: Resume) -> None:
    words = ["anneal", *WORDS[1:], "--sweeps", "2000", "--chains", "8"]
    assert run([*words, "--out", "whole.xyz"]) == 0
    assert in_legs([*words, "--out", "legs.xyz"], 60) == 0
    assert (folder / "whole.xyz").read_bytes() == (folder / "legs.xyz").read_bytes()
