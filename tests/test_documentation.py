"""Pages and API reference are built without a warning: every docstring parses, every link and name leads somewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    words = ["-q", "-W", "--keep-going", "-b", "dummy", "-d", tmp_path / "trees", ROOT / "docs", tmp_path / "pages"]
    built = subprocess.run([sys.executable, "-m", "sphinx", *words], capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr
