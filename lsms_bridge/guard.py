"""A small program that runs another one and never leaves it behind.

Started as ``python -I -S guard.py``, it reads one line of JSON from standard input (``arguments``, ``folder``,
``environment``, ``time_limit``, ``grace``, ``max_file_bytes``), runs the program in a process group of its own, and
waits. The group is told to terminate, and killed after the grace, when the time limit passes or when standard input
ends: whoever started the guard holds the other end, so that the program cannot outlive it, even where it was killed.
What became of the program is printed as JSON, and written to ``exit.json`` in the folder when it ended by itself.

It imports nothing but the standard library: it starts in some 20 ms.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from typing import Any

EXIT_FILE = "exit.json"
OWNERLESS_GRACE = 2.0
"""Longest time between being asked to end and being killed, s, where the owner ends, who has no time to wait."""
_INTERVAL = 0.02
_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Run the program that standard input names."""
    task = json.loads(sys.stdin.buffer.readline())
    os.chdir(task["folder"])
    started = time.monotonic()
    with open("stdout", "wb") as stdout, open("stderr", "wb") as stderr:
        try:
            process = subprocess.Popen(
                task["arguments"],
                env=task["environment"],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                preexec_fn=lambda: _limit(task["max_file_bytes"]),
            )
        except OSError as error:
            return _report({"error": error.strerror, "returncode": None, "timed_out": False, "seconds": 0.0})
        ended_by = _wait(process, started + task["time_limit"])
        grace = {"": 0.0, "owner": min(task["grace"], OWNERLESS_GRACE), "time": task["grace"]}[ended_by]
        _end_group(process, grace)
    seconds = time.monotonic() - started
    outcome = {
        "returncode": process.returncode,
        "timed_out": ended_by == "time",
        "abandoned": ended_by == "owner",
        "seconds": seconds,
    }
    if not ended_by:
        with open(EXIT_FILE, "w", encoding="utf-8") as file:
            json.dump(outcome, file)
            file.flush()
            os.fsync(file.fileno())
    return _report(outcome)


def _limit(max_file_bytes: int) -> None:
    """In the child: bound the files that it writes, and make it die with the guard (Linux)."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_file_bytes, max_file_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait(process: subprocess.Popen[bytes], deadline: float) -> str:
    """Wait for the program; return what else came first: "time", "owner", or "" for nothing."""
    while process.poll() is None:
        if time.monotonic() > deadline:
            return "time"
        readable, _, _ = select.select([sys.stdin.fileno()], [], [], _INTERVAL)
        if readable and not os.read(sys.stdin.fileno(), 1024):
            return "owner"
    return ""


def _end_group(process: subprocess.Popen[bytes], grace: float) -> None:
    """Terminate what is left of the group, then kill it."""
    if grace and _signal_group(process.pid, signal.SIGTERM):
        end = time.monotonic() + grace
        while time.monotonic() < end and (process.poll() is None or _signal_group(process.pid, 0)):
            time.sleep(_INTERVAL)
    _signal_group(process.pid, signal.SIGKILL)
    process.wait()


def _signal_group(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _report(outcome: dict[str, Any]) -> int:
    try:
        os.write(sys.stdout.fileno(), json.dumps(outcome).encode() + b"\n")
    except BrokenPipeError:  # the owner is gone
        return 1
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the owner decides; it closes standard input
    sys.exit(main())
