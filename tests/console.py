"""The console program ``wanglandau``, called from tests: in this process, or in one of its own."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from pathlib import Path

from wanglandau.cli import main


def call(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Call it here: what other tests have imported and compiled serves this call as well."""
    spoken, out, err = [str(word) for word in words], io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(spoken)
    return subprocess.CompletedProcess(spoken, code, out.getvalue(), err.getvalue())


def start(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Start it as a user does."""
    command = [sys.executable, "-m", "wanglandau.cli", *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)
