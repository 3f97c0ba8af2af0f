"""Training that was interrupted and resumed gives, bit for bit, the weights it would have given without."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from safetensors.numpy import load_file

from surrogate import training
from surrogate.learning_curve_command import learning_curve
from surrogate.train_command import train
from wanglandau.command_line import run_program
from wanglandau.orderly_end import stop_if_asked

WORDS = {
    "lattice": ["train", "fept", "--tasks", "energy", "--epochs", "12"],
    "dense": ["train", "fept", "--architecture", "dense", "--tasks", "energy,charge", "--epochs", "8"],
    "ensemble": ["train", "fept", "--tasks", "energy", "--members", "4", "--epochs", "4"],
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def run(words: list[str]) -> int:
    return run_program("surrogate", "test", {"train": train, "learning-curve": learning_curve}, words)


def signal_at(calls: int, monkeypatch: pytest.MonkeyPatch, run_it: Callable[[], int]) -> int:
    """Run something that gets SIGTERM when it asks for the so manieth time whether to go on."""
    left = calls

    def asked() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        stop_if_asked()

    with monkeypatch.context() as patch:
        patch.setattr(training, "stop_if_asked", asked)
        return run_it()


@pytest.mark.parametrize("kind", list(WORDS))
def test_interrupted_and_resumed_is_the_same(
    folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = WORDS[kind]
    assert run([*words, "--out", "whole.safetensors"]) == 0
    words = [*words, "--out", "legs.safetensors"]
    rng, legs = np.random.default_rng(1), 0
    while (code := signal_at(int(rng.integers(1, 8)), monkeypatch, lambda: run([*words, "--resume"]))) == 75:
        legs += 1
        assert "legs.safetensors.checkpoint; the same command with --resume goes on" in capsys.readouterr().err
    assert code == 0 and legs >= 1
    whole, found = load_file("whole.safetensors"), load_file("legs.safetensors")
    assert whole.keys() == found.keys() and all(whole[name].tobytes() == found[name].tobytes() for name in whole)
    assert sorted(path.name for path in folder.iterdir()) == ["legs.safetensors", "whole.safetensors"]
    if kind == "ensemble":
        written = (folder / "legs.safetensors").stat().st_mtime_ns
        assert run([*words, "--resume"]) == 0 and "was finished before" in capsys.readouterr().out
        assert run([*words, "--resume", "--seed", "3"]) == 2 and "training.seed was" in capsys.readouterr().err
        assert (folder / "legs.safetensors").stat().st_mtime_ns == written


def test_other_settings_are_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*WORDS["lattice"], "--out", "a.safetensors"]
    assert signal_at(3, monkeypatch, lambda: run(words)) == 75
    assert run(words) == 2 and "--resume" in capsys.readouterr().err
    assert run([*words[:-4], "--epochs", "13", "--seed", "9", *words[-2:], "--resume"]) == 2
    err = capsys.readouterr().err
    assert "training.epochs was 12, is 13" in err and "training.seed was" in err
