"""Every example runs as it stands, in its short mode, from a folder that is not the repository."""

from __future__ import annotations

import contextlib
import io
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.compiled

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, where loops are compiled once for all of them."""
    monkeypatch.setattr(sys, "argv", [str(script), "--smoke"])
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runpy.run_path(str(script), run_name="__main__")
    assert printed.getvalue().strip()


def test_an_example_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    words = [sys.executable, EXAMPLES[0], "--smoke"]
    ran = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip()
