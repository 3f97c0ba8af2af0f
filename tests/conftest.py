"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("TRITON_INTERPRET", "1")  # before any kernel is made: they run on the processor here
if "PYTEST_XDIST_WORKER" in os.environ:  # every core has a worker: more threads would only wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from wanglandau.systems import System, load_system


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep what the package caches away from the user's own cache, for this process and those it starts."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        patch.setenv("MPLCONFIGDIR", str(folder / "matplotlib"))
        yield folder


@pytest.fixture(scope="session")
def cuau() -> System:
    """Return the 32-atom fcc system Cu-Au."""
    return load_system("cuau")


@pytest.fixture(scope="session")
def fept() -> System:
    """Return the 32-atom bcc system Fe-Pt."""
    return load_system("fept")
