"""The commands of a page: what stands in its blocks marked ``sh``, to be run as it stands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def shell_blocks(page: Path) -> list[str]:
    """Return the blocks of a Markdown page that are fenced with ``sh``, in order."""
    return re.findall(r"^```sh\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def run_page(folder: Path, target: Path) -> str:
    """Copy an example's files, run the commands of its README there in one shell, and return what they print."""
    shutil.copytree(folder, target)
    blocks = shell_blocks(target / "README.md")
    assert blocks, folder
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),  # this copy of the package, whichever is installed
    }
    script = "set -e\n" + "".join(blocks)
    ran = subprocess.run(
        ["bash", "-c", script], cwd=target, env=environment, capture_output=True, text=True, timeout=900
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    return ran.stdout
