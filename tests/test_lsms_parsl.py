"""Campaigns over Parsl, with its local provider, find what serial ones find."""

from __future__ import annotations

import gc
import os
import runpy
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from standin_campaign import processes_left, runs_made, standin_configuration, total_energies

from lsms_bridge.campaign import Campaign
from lsms_bridge.executors import open_executor
from wanglandau.configurations import balanced_configurations
from wanglandau.errors import InputError
from wanglandau.systems import System

pytest.importorskip("parsl", reason="Parsl is an extra (hpc)")

LOCAL = """
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider

config = Config(
    executors=[
        HighThroughputExecutor(
            label="local", address="127.0.0.1", max_workers_per_node=2, encrypted=False,
            provider=LocalProvider(init_blocks=1, max_blocks=1),
        )
    ],
    run_dir={folder!r}, strategy="none", initialize_logging=False,
)
"""


def compare_with_serial(tmp_path: Path, system: System, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a flaky campaign over Parsl and a good one in threads, and compare."""
    rng = np.random.default_rng(2)
    lattice = system.lattice
    rows = balanced_configurations(lattice.n_sites, -(-count // 31), rng=rng, permutations=lattice.symmetry)[:count]
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    config = tmp_path / "local.py"
    config.write_text(LOCAL.format(folder=str(tmp_path / "parsl")))
    faults = [f"{kind}:0.02" for kind in ("die", "nan", "truncate", "unconverged", "exit")]
    with open_executor(f"parsl:{config}") as executor:
        with Campaign(lattice, standin_configuration(tmp_path / "flaky", *faults), executor) as campaign:
            flaky = campaign.compute(rows, "test")
            assert sum(campaign.usage.failures.values()) > 0 or count < 100
    with Campaign(lattice, standin_configuration(tmp_path / "serial", workers=1)) as campaign:
        serial = campaign.compute(rows, "test")
    assert all(record.done for record in flaky) and len(runs_made(tmp_path / "flaky")) >= count
    assert [record.occupations for record in flaky] == [record.occupations for record in serial]
    for records in (flaky, serial):
        energies = [record.energy for record in records]
        np.testing.assert_allclose(energies, total_energies(lattice, rows), atol=2e-5, rtol=0)
        assert all(abs(sum(record.charge)) < 1e-4 for record in records)
    assert not processes_left(tmp_path / "flaky")


def test_campaign_over_parsl(tmp_path: Path, cuau: System, monkeypatch: pytest.MonkeyPatch) -> None:
    compare_with_serial(tmp_path, cuau, 12, monkeypatch)


@pytest.mark.long
def test_two_hundred_calculations_over_parsl(tmp_path: Path, cuau: System, monkeypatch: pytest.MonkeyPatch) -> None:
    compare_with_serial(tmp_path, cuau, 200, monkeypatch)


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ("slurm", "choose threads or parsl:FILE.py"),
        ("parsl", "choose threads or parsl:FILE.py"),
        ("parsl:missing.py", "there is no Parsl configuration missing.py"),
    ],
)
def test_executors_that_are_none(specification: str, message: str) -> None:
    with pytest.raises(InputError, match=message), open_executor(specification):
        pass


def test_files_that_define_no_configuration(tmp_path: Path) -> None:
    file = tmp_path / "config.py"
    for text, message in (("x = 1", "does not define config"), ("1 / 0", "ZeroDivisionError")):
        file.write_text(text)
        with pytest.raises(InputError, match=message), open_executor(f"parsl:{file}"):
            pass


def test_slurm_example_is_a_configuration() -> None:
    from parsl.config import Config

    example = Path(__file__).parents[1] / "examples" / "lsms" / "parsl_slurm.py"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # Parsl leaves sockets open that it looked for addresses with
        assert isinstance(runpy.run_path(str(example))["config"], Config)
        gc.collect()
