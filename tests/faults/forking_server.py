"""A process that imports once and forks for every call, so that thousands of processes can be killed in minutes.

Started as ``python forking_server.py MODULE ...`` it imports the modules, and then for each line of JSON on standard
input (``function`` as "module:name", ``arguments``, ``folder``) forks a child that calls the function there with its
standard output and error in the files ``stdout`` and ``stderr`` (appended) and ends with what the function returns. It
answers with the process id, and when the child has ended with its status (negative for a signal).
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

HERE = Path(__file__).parent


class ForkingServer:
    """The other end of such a process.

    Parameters
    ----------
    modules : str
        What is imported before the first call.
    environment : mapping, optional
        Variables on top of those of this process.
    """

    def __init__(self, *modules: str, environment: Mapping[str, str] | None = None) -> None:
        words = [sys.executable, __file__, *modules]
        pipe = subprocess.PIPE
        variables = os.environ | {"NUMBA_NUM_THREADS": "1"} | dict(environment or {})
        self._process = subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True, bufsize=1, env=variables)

    def start(self, function: str, arguments: list[Any], folder: Path) -> int:
        """Fork a child that calls a function, and return its process id."""
        assert self._process.stdin is not None
        call = {"function": function, "arguments": arguments, "folder": str(folder)}
        self._process.stdin.write(json.dumps(call) + "\n")
        return int(self._answer())

    def wait(self) -> int:
        """Wait for the child that was started last, and return its exit status."""
        return int(self._answer())

    def call(self, function: str, arguments: list[Any], folder: Path) -> int:
        """Start a child and wait for it."""
        self.start(function, arguments, folder)
        return self.wait()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the forking server has ended")
        return line


@contextmanager
def forking_server(*modules: str, environment: Mapping[str, str] | None = None) -> Iterator[ForkingServer]:
    """Open a server for the ``with`` block."""
    server = ForkingServer(*modules, environment=environment)
    try:
        yield server
    finally:
        server.close()


def main(modules: list[str]) -> None:
    """Serve until standard input ends."""
    sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]
    for name in modules:
        importlib.import_module(name)
    for line in sys.stdin:
        call = json.loads(line)
        child = os.fork()
        if child == 0:
            _call(call)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _call(call: Mapping[str, Any]) -> NoReturn:
    code = 1
    try:
        os.chdir(call["folder"])
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, name in ((1, "stdout"), (2, "stderr")):
            file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(file, number)
            os.close(file)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        module, _, name = call["function"].partition(":")
        code = int(getattr(importlib.import_module(module), name)(*call["arguments"]) or 0)
        sys.stdout.flush()
    except SystemExit as end:
        code = int(end.code or 0)
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
