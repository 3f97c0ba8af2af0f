"""The two paths for a lattice or data of one's own: the commands of their pages, typed as they stand, end trusted."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from readme_commands import ROOT, run_page

from wanglandau.cli import main

pytestmark = pytest.mark.compiled


def differences(sampled: Path, exact: Path, capsys: pytest.CaptureFixture[str]) -> dict:
    assert main(["compare", str(sampled), str(exact), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_own_lattice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = run_page(ROOT / "examples" / "own_lattice", tmp_path / "here")
    assert "31 levels of 2704156 configurations" in printed
    assert "Trust this density of states" in printed
    found = differences(tmp_path / "here" / "mgcd-12.h5", tmp_path / "here" / "mgcd-12-exact.h5", capsys)
    assert found["common"]["bins"] == 31 and found["common"]["rms"] < 0.04


def test_own_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = run_page(ROOT / "examples" / "own_data", tmp_path / "here")
    assert "50 configurations of cupd in 45 orbits" in printed
    assert "Trust this density of states" in printed
    (error,) = re.findall(r"^mixing_energy_rmse_mev_per_atom +(\S+)$", printed, flags=re.MULTILINE)[:1]
    assert float(error) < 0.1  # configurations that the model has not seen
    found = differences(tmp_path / "here" / "cupd-8.h5", tmp_path / "here" / "cupd-8-exact.h5", capsys)
    assert found["common"]["rms"] < 0.05  # the surrogate sampled, the potential itself enumerated
