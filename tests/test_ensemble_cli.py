"""Ensembles from the command line: train, evaluate, cross-validate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from surrogate.cli import main
from surrogate.dataset import load_dataset


def test_console_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "few.safetensors"
    network = ["--members", "4", "--member-fraction", "0.5", "--width", "10", "--epochs", "0", "--json"]
    assert main(["train", "cuau", *network, "--tasks", "energy", "--out", str(out)]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["members"] == 4 and values["held_out"]["rms_error_mev_per_atom"] > 0
    assert main(["evaluate", "cuau", "--artefact", str(out), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ensemble"]["spread_scale"] == values["spread_scale"]
    assert main(["evaluate", "cuau", "--artefact", str(out)]) == 0
    assert "ensemble" in capsys.readouterr().out
    assert main(["evaluate", "cuau", *network, "--tasks", "energy", "--cross-validate", "2"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["n_configurations"] == len(load_dataset("cuau")) and 0.2 < report["calibration"]["coverage_1"] < 0.95
    assert report["calibration"]["rms_error_mev_per_atom"] == pytest.approx(
        report["mixing_energy_rmse_mev_per_atom"], rel=0.05
    )
    for wrong, words in (
        (["train", "cuau", "--member-fraction", "0.5"], "--members"),
        (["train", "cuau", "--members", "2"], "members is 2"),
        (["train", "cuau", "--members", "8", "--architecture", "xgboost"], "xgboost"),
        (["evaluate", "cuau", "--members", "8"], "--cross-validate"),
    ):
        assert main(wrong) == 2
        assert words in capsys.readouterr().err
