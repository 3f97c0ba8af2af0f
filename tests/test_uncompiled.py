"""Kernels give the same, bit for bit, compiled and as plain Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from kernel_digests import digests
from numba import config

PROGRAM = Path(__file__).with_name("kernel_digests.py")


def test_kernels_leave_the_same_behind_compiled_and_not() -> None:
    other = os.environ | {"NUMBA_DISABLE_JIT": "0" if config.DISABLE_JIT else "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", PROGRAM], env=other, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    theirs, ours = json.loads(done.stdout), digests()
    assert len(set(ours.values())) == len(ours)
    assert theirs == ours
