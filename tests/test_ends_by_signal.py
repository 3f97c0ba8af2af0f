"""Signals end long commands in good order: exit code 75, soon, nothing half-written, and a word on how to go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from wanglandau import orderly_end
from wanglandau.command_line import Report, run_program
from wanglandau.ending_settings import EndingSettings
from wanglandau.errors import InputError
from wanglandau.orderly_end import Interrupted, ends_in_order, stop_if_asked
from wanglandau.short_pieces import Pace

SOON = 5.0


@pytest.mark.parametrize(
    ("program", "words", "ready", "kept"),
    [
        ("wanglandau", ["exact", "cuau", "--all-compositions", "--every-configuration"], b"will take about", []),
        ("surrogate", ["train", "fept", "--epochs", "99999", "--checkpoint-interval", "0.2"], None, ["checkpoint"]),
    ],
    ids=["exact", "train"],
)
def test_a_signal_ends_it(tmp_path: Path, program: str, words: list[str], ready: bytes | None, kept: list[str]) -> None:
    if program == "surrogate":
        pytest.importorskip("torch")
    command = [sys.executable, "-m", f"{program}.cli", *words]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stderr is not None
        try:
            if ready is None:
                wait_for(lambda: any(tmp_path.glob("*.checkpoint")))
            else:
                assert ready in process.stderr.readline()
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=60)[1]
        finally:
            process.kill()
    assert process.returncode == 75 and b"ended early (signal SIGTERM)" in said, said
    left = sorted(path.name.split(".", 2)[-1].removesuffix(".prev") for path in tmp_path.iterdir())
    assert sorted({*left}) == kept


def wait_for(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.02)


def run(work: Callable[[], object], *words: str, sending: signal.Signals | None = None) -> int:
    @ends_in_order("the same command goes on")
    def command(*, ending: EndingSettings) -> Report:
        if sending is not None:
            threading.Timer(0.1, os.kill, (os.getpid(), sending)).start()
        work()
        return Report("done")

    return run_program("program", "test", {"command": command}, ["command", *words])


def busy(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)
        stop_if_asked()


def test_work_that_asks_ends_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)]
    assert run(lambda: busy(30.0), sending=signal.SIGUSR1) == 75
    assert "ended early (signal SIGUSR1): the same command goes on" in capsys.readouterr().err
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)] == before
    assert run(lambda: busy(0.1)) == 0
    stop_if_asked()  # outside of commands nothing ends


def test_work_that_does_not_ask_is_left(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(orderly_end, "PATIENCE", 0.1)
    started = time.monotonic()
    assert run(lambda: time.sleep(30.0), sending=signal.SIGTERM) == 75 and time.monotonic() - started < SOON
    assert "signal SIGTERM" in capsys.readouterr().err
    assert run(lambda: time.sleep(30.0), "--max-walltime", "1") == 75 and time.monotonic() - started < 2 * SOON
    assert "wall time of 1 s" in capsys.readouterr().err


def test_what_must_not_be_left_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orderly_end, "PATIENCE", 0.05)
    finished = []

    def work() -> None:
        with orderly_end.undisturbed():
            time.sleep(0.5)
            finished.append(True)
        time.sleep(30.0)

    assert run(work, sending=signal.SIGTERM) == 75 and finished


def test_threads_are_told_too() -> None:
    left = []

    def thread() -> None:
        try:
            busy(30.0)
        except Interrupted:
            left.append(True)

    def work() -> None:
        other = threading.Thread(target=thread)
        other.start()
        other.join()
        stop_if_asked()

    assert run(work, sending=signal.SIGINT) == 75 and left


def test_wrong_limits_are_refused() -> None:
    with pytest.raises(InputError, match="max_walltime is -1"):
        EndingSettings(-1.0)


@pytest.mark.parametrize("unit", [0, 7, 100])
def test_pieces_make_up_the_whole(unit: int) -> None:
    pace, done = Pace(), 0
    for n in pace.pieces(1000, unit):
        assert unit == 0 or n <= unit - done % unit or (done % unit == 0 and n % unit == 0) or done + n == 1000
        done += n
    assert done == 1000 and pace.size > 100
    pace = Pace(seconds=0.001)
    for n in pace.pieces(20):
        time.sleep(0.002 * n)
    assert pace.size == 1
