"""F1 to F3: a density of states that is killed, told to end, or out of time, and gone on with."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fault_counts import FaultCount, Tally
from forking_server import ForkingServer
from killed_runs import FINISHED, WORDS, KilledRun, check_same, random_instant

from wanglandau.block import PIECE_SECONDS
from wanglandau.checkpoint_file import checkpoint_of, write_checkpoint
from wanglandau.run_checkpoint import Kept, PackedState, pack_kept, read_kept
from wanglandau.run_state import _CLASSES
from wanglandau.state_tree import pack, unpack

ANSWER = 5.0
"""Seconds within which a signal has to be answered."""
INTERRUPTED = 75
LONGER, INTERVAL = 2_000_000, 0.25
"""Trials, and seconds between checkpoints, of the run that is killed most often."""
GRACE = 0.5
"""Seconds that a process may need to begin and to end, on a busy machine."""


@pytest.fixture
def run(warm_forks: ForkingServer, quick_folder: Path) -> KilledRun:
    """Return a run of which the result is known."""
    made = KilledRun(quick_folder, warm_forks)
    made.learn()
    return made


def killed_somewhere(one: KilledRun, rng: np.random.Generator, writing: bool) -> bool:
    """Start or go on, and kill: at a random instant, or in the middle of a write. Tell whether it was killed."""
    if writing:  # before the so many-th call to the system that writes
        return one.go(die_at=int(rng.integers(1, 80))) == -signal.SIGKILL
    process = one.start()
    time.sleep(random_instant(rng, one.seconds))
    one.send(process, signal.SIGKILL)
    return one.server.wait() == -signal.SIGKILL


def kill_often(count: FaultCount, run: KilledRun, number: int) -> None:
    """Kill so many times; whenever a run comes to its end, compare and begin another one."""
    rng = np.random.default_rng(1)
    kills, place = 0, 0
    while kills < number:
        one, place, survived = run.fresh(str(place)), place + 1, 0
        most = int(rng.integers(1, 10))
        with count.injection(f"run {place}", 0) as injection:
            while survived < most and kills < number:
                before = one.kept_rounds()
                killed = killed_somewhere(one, rng, writing=bool(rng.integers(2)))
                if not killed:
                    check_same(one.out, one.expected)
                    break
                kills, survived = kills + 1, survived + 1
                injection.number = survived
                count.lost.append(one.lost_trials(before))
            one.finish()


def test_killed_at_random_instants(counted: Callable, run: KilledRun) -> None:
    with counted("F1") as count:
        kill_often(count, run, 5)


@pytest.mark.faults
def test_no_more_than_an_interval_is_lost(counted: Callable, warm_forks: ForkingServer, quick_folder: Path) -> None:
    """Hundreds of kills of a run whose interval is long against what a checkpoint takes, and so is kept."""
    words = ["--max-trials", str(LONGER), "--checkpoint-interval", str(INTERVAL)]
    run = KilledRun(quick_folder, warm_forks, words)
    run.learn()
    pace = run.trials_per_second(LONGER)
    with counted("F1") as count:
        kill_often(count, run, 200)
        seconds = np.array(count.lost) / pace
        print(f"lost: {np.median(seconds):.3f} s (median), {seconds.max():.3f} s (most), {pace:.3g} trials/s")
        assert seconds.max() < INTERVAL + 2 * PIECE_SECONDS  # checkpoints are written between two pieces


@pytest.mark.faults
def test_killed_as_a_command(counted: Callable, run: KilledRun) -> None:
    """The same with the command as people start it, imports and all."""
    rng = np.random.default_rng(2)
    command = [sys.executable, "-m", "wanglandau.cli", *WORDS, "--resume"]
    one = run.fresh("command")
    begin = time.monotonic()
    with counted("F1") as count, count.injection("command", 0) as injection, open(one.folder / "stderr", "a") as said:
        assert subprocess.run(command, cwd=one.folder, stdout=said, stderr=said).returncode in FINISHED
        seconds = time.monotonic() - begin
        for file in one.folder.glob("run.h5*"):
            file.unlink()
        for _ in range(10):
            process = subprocess.Popen(command, cwd=one.folder, stdout=said, stderr=said)
            time.sleep(random_instant(rng, seconds))
            process.kill()
            injection.number += process.wait() == -signal.SIGKILL
        assert subprocess.run(command, cwd=one.folder, stdout=said, stderr=said).returncode in FINISHED
        check_same(one.out, one.expected)


def test_a_state_that_forgets_would_be_noticed(broken: Callable, run: KilledRun) -> None:
    """Checkpoints with one bit of one walker's random-number state flipped, under a checksum that is right."""
    with broken("F1", "random-number state in checkpoints") as count:
        one = run.fresh("forgetful")
        with count.injection("checkpoint with another random-number state"):
            process = one.start()
            wait_for_checkpoint(one)
            one.send(process, signal.SIGKILL)
            one.server.wait()
            spoil(checkpoint_of(one.out))
            one.finish()
        assert count.wrong


def spoil(path: Path) -> None:
    """Flip the bit and seal the checkpoint again."""
    kept = read_kept(path)
    share = unpack(kept.state.shares[0], _CLASSES)
    share["walks"][0].walkers.records["random_state"][0, 0] ^= np.uint64(1)
    state = PackedState(kept.state.common, [pack(share), *kept.state.shares[1:]])
    number = kept.sequence + 1
    write_checkpoint(path, pack_kept(Kept(kept.header, kept.history, kept.progress, state, number)), number)


def wait_for_checkpoint(one: KilledRun) -> None:
    end = time.monotonic() + 60
    while not checkpoint_of(one.out).exists():
        assert time.monotonic() < end, one.said()
        time.sleep(0.005)


def told_to_end(count: FaultCount, run: KilledRun, numbers: list[signal.Signals], each: int) -> None:
    """Send a signal at a random instant after the first trial; it is answered, and the run gone on with."""
    rng = np.random.default_rng(2)
    for number in numbers:
        for place in range(each):
            one = run.fresh(f"{number.name}-{place}")
            with count.injection(f"{number.name} {place}"):
                process = one.start()
                end = time.monotonic() + 60
                while not one.rounds() and time.monotonic() < end:
                    time.sleep(0.002)
                time.sleep(random_instant(rng, 0.6 * one.seconds))
                begin = time.monotonic()
                one.send(process, number)
                code = one.server.wait()
                seconds = time.monotonic() - begin
                assert seconds < ANSWER, f"answered after {seconds:.1f} s"
                assert code in (INTERRUPTED, *FINISHED), f"exit code {code}: {one.said()}"
                if code == INTERRUPTED:
                    assert "to go on: wanglandau dos" in one.said()
                    count.lost.append(one.lost_trials(0))
                one.finish()


def test_told_to_end(counted: Callable, tally: Tally, run: KilledRun) -> None:
    with counted("F2") as count:
        told_to_end(count, run, [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1], tally.size(1, 8))
        assert all(trials == 0 for trials in count.lost), "trials were lost although there was time to keep them"


@pytest.mark.faults
def test_out_of_time(counted: Callable, warm_forks: ForkingServer, quick_folder: Path) -> None:
    rng = np.random.default_rng(3)
    run = KilledRun(quick_folder, warm_forks, ["--max-trials", "10000000"])
    run.learn()
    with counted("F3") as count:
        for place in range(3):
            one = run.fresh(f"limited-{place}")
            for piece in range(2):
                limit = float(rng.uniform(1.0, 2.0))
                with count.injection(f"limit {limit:.2f} s, {place}, {piece}"):
                    begin, before = time.monotonic(), one.kept_rounds()
                    code = one.go("--max-walltime", f"{limit:.2f}")
                    seconds = time.monotonic() - begin
                    assert seconds < limit + GRACE, f"{seconds:.2f} s instead of {limit:.2f}"
                    if code not in FINISHED:
                        assert code == INTERRUPTED and "wall time" in one.said(), f"{code} {one.said()}"
                        count.lost.append(one.lost_trials(before))
            with count.injection(f"goes on to the same end, {place}"):
                one.finish()
