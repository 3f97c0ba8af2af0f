"""F10 and F11: what dead processes left behind, and two processes at once."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fault_counts import FaultCount, Tally, WrongResult
from forking_server import ForkingServer
from known_levels import noisy_record
from standin_campaign import CELL, standin_configuration

from lsms_bridge.campaign import Campaign
from lsms_bridge.result_log import LOCK_NAME
from wanglandau.checkpoint_file import read_checkpoint, remove_checkpoint, write_checkpoint
from wanglandau.errors import InputError
from wanglandau.run_file import read_run, write_run
from wanglandau.run_lock import locked

LEFT = ["", "not JSON", "[]", '{"process": null}', "process 1 on nowhere\n", "\0" * 100, "9" * 5000]


def dead_process() -> int:
    """Return the number of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_what_dead_processes_left(counted: Callable, tally: Tally, tmp_path: Path) -> None:
    boot = {"process": dead_process(), "host": os.uname().nodename, "boot": "another"}
    alive = {"process": os.getpid(), "host": os.uname().nodename}  # its number was given to another one since
    texts = [*LEFT, json.dumps(boot), json.dumps(alive)]
    with counted("F10") as count:
        for number in range(tally.size(len(texts), 200)):
            text = texts[number % len(texts)]
            with count.injection(f"lock that says {text[:40]!r}"):
                (tmp_path / "run.lock").write_text(text)
                with locked(tmp_path / "run.lock", "run"):
                    pass
                assert not (tmp_path / "run.lock").exists()
        for text in texts:
            with count.injection(f"lock of results that says {text[:40]!r}"):
                (tmp_path / "results").mkdir(exist_ok=True)
                (tmp_path / "results" / LOCK_NAME).write_text(text)
                Campaign(CELL, standin_configuration(tmp_path)).close()
        for name in ("c", "run [1].h5", "*.h5"):
            temporary_files(count, tmp_path, name)


def temporary_files(count: FaultCount, folder: Path, name: str) -> None:
    """Leave half-written files beside a checkpoint and a run file."""
    for content in (b"", b"half", secrets.token_bytes(5000)):
        with count.injection(f"temporary file beside {name}"):
            path = folder / name
            left = [folder / f".{stem}.{secrets.token_hex(8)}.tmp" for stem in (name, f"{name}.prev")]
            other = folder / ".other.0123456789abcdef.tmp"
            for file in (*left, other):
                file.write_bytes(content)
            write_checkpoint(path, b"first", 1)
            if read_checkpoint(path).content != b"first":
                raise WrongResult("a temporary file was read")
            remove_checkpoint(path)
            assert not any(file.exists() for file in left), "temporary files are left"
            assert other.exists(), "a file of something else was removed"
            write_run(path, noisy_record())
            read_run(path)


@pytest.fixture
def holder(forks: ForkingServer, tmp_path: Path) -> Callable[[str], int]:
    """Return a function that starts a process which holds a lock."""

    def hold(name: str) -> int:
        (tmp_path / "held").unlink(missing_ok=True)
        process = forks.start("lock_holders:hold", [name], tmp_path)
        end = time.monotonic() + 60
        while not (tmp_path / "held").exists():
            assert time.monotonic() < end, (tmp_path / "stderr").read_text()
            time.sleep(0.002)
        return process

    return hold


def test_second_process_is_refused_and_the_first_undisturbed(
    counted: Callable, tally: Tally, holder: Callable, forks: ForkingServer, tmp_path: Path
) -> None:
    with counted("F11") as count:
        for number in range(tally.size(4, 100)):
            lock = tmp_path / "run.lock"
            process = holder("run.lock")
            before = lock.read_bytes()
            with count.injection(f"second process {number}"):
                with pytest.raises(InputError, match=f"run is in use by process {process} on"), locked(lock, "run"):
                    pass
                assert lock.read_bytes() == before
            os.kill(process, signal.SIGKILL)
            forks.wait()
            with count.injection(f"after the first was killed, {number}"), locked(lock, "run"):
                pass


def fighters(folder: Path, n_processes: int, n_turns: int) -> list[int]:
    """Let processes fight for a lock; return how often each met another one inside."""
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import lock_holders; "
    code += f"sys.exit(lock_holders.fight('lock', {n_turns}))"
    processes = [subprocess.Popen([sys.executable, "-c", code], cwd=folder) for _ in range(n_processes)]
    return [process.wait(300) for process in processes]


def test_never_two_inside(counted: Callable, tally: Tally, tmp_path: Path) -> None:
    turns = tally.size(100, 2000)
    with counted("F11") as count, count.injection("fights for one lock", 3 * turns):
        collisions = fighters(tmp_path, 3, turns)
        if collisions != [0, 0, 0]:
            raise WrongResult(f"{collisions} times two at once")


def test_two_inside_would_be_noticed(broken: Callable, tmp_path: Path) -> None:
    source = (Path(__file__).parent / "lock_holders.py").read_text()
    (tmp_path / "no_lock.py").write_text(
        source + "\nfrom contextlib import contextmanager\n@contextmanager\ndef locked(path, what):\n    yield\n"
    )
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import no_lock; sys.exit(no_lock.fight('lock', 500))"
    with broken("F11", "lock") as count, count.injection("fights for one lock", 1000):
        processes = [subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path) for _ in range(2)]
        if any([process.wait(300) for process in processes]):
            raise WrongResult("two at once")
