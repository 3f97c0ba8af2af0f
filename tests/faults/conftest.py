"""Counts injected faults over all tests of this folder and prints their table."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fault_counts import Control, FaultCount, Tally
from fault_table import markdown, to_json
from forking_server import ForkingServer, forking_server

Counting = Callable[[str], AbstractContextManager[FaultCount]]
Breaking = Callable[[str, str], AbstractContextManager[FaultCount]]
_TALLY = pytest.StashKey[Tally]()
_BEGIN = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fault-table", type=Path, help="inject faults in full numbers and write their table here")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TALLY] = Tally(full=config.getoption("fault_table", None) is not None)
    config.stash[_BEGIN] = time.time()


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    """Return the counts of all tests."""
    return request.config.stash[_TALLY]


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """Return an empty folder in memory where there is one: thousands of small writes would keep a disk busy."""
    memory = Path("/dev/shm")
    if not (memory.is_dir() and os.access(memory, os.W_OK)):
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir=memory))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def forks(cache_folder: Path) -> Iterator[ForkingServer]:
    """Return a server that forks processes with the packages imported."""
    with forking_server("result_writers", "standin_lsms", "wanglandau.cli", "wanglandau.sampling") as server:
        yield server


@pytest.fixture(scope="session")
def warm_forks(cache_folder: Path) -> Iterator[ForkingServer]:
    """Return a server that forks processes with the sampling loops compiled and loaded."""
    with forking_server("warm_kernels") as server:
        yield server


@pytest.fixture
def counted(tally: Tally) -> Counting:
    """Return a context manager that counts the injections of one fault, and fails unless all are survived."""

    @contextmanager
    def counting(fault: str) -> Iterator[FaultCount]:
        count, begin = FaultCount(fault), time.monotonic()
        try:
            yield count
        finally:
            count.seconds = time.monotonic() - begin
            tally.add(count)
        count.check()

    return counting


@pytest.fixture
def broken(tally: Tally) -> Breaking:
    """Return a context manager for injections with a guard taken away; fails if all are survived all the same."""

    @contextmanager
    def counting(fault: str, guard: str) -> Iterator[FaultCount]:
        count = FaultCount(fault)
        yield count
        tally.controls.append(Control(guard, count))
        assert 0 < count.injected and count.survived < count.injected, f"nobody missed {guard}"

    return counting


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all of this folder: runs that are killed by the hundred need compiled kernels to end in time."""
    folder = Path(__file__).parent
    for item in items:
        if folder in item.path.parents:
            item.add_marker(pytest.mark.compiled)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    target, tally = config.getoption("fault_table", None), config.stash[_TALLY]
    if target is None:
        return
    minutes = (time.time() - config.stash[_BEGIN]) / 60
    note = (
        f"Run on {datetime.now(UTC):%Y-%m-%d} by `make test-faults` in {minutes:.0f} min on {os.cpu_count()} cores "
        f"({platform.system()} {platform.machine()}, Python {platform.python_version()})."
    )
    text = markdown(tally, note)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    target.with_suffix(".json").write_text(to_json(tally, note), encoding="utf-8")
    terminalreporter.write("\n" + text)
    for count in tally.counts.values():
        terminalreporter.write(f"{count.fault}: {count.seconds:.1f} s\n")
        for failure in count.failures:
            terminalreporter.write(f"{count.fault} {failure}\n", red=True)
