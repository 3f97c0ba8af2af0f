"""``inspect``: one screen and what to do next for every file and folder that the programs write; figures of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from known_levels import description, exact_levels, noisy_density, noisy_record
from standin_campaign import CELL

from lsms_bridge.campaign_figure import campaign_figure
from lsms_bridge.result_log import Record, ResultLog, read_records
from surrogate.dataset import load_dataset
from surrogate.parity import Parity
from wanglandau import inspectors
from wanglandau.cli import main
from wanglandau.errors import InputError
from wanglandau.exact import ExactLevels
from wanglandau.oracle import Properties
from wanglandau.run_file import write_exact, write_run
from wanglandau.semigrand_file import SemigrandRecord, write_semigrand
from wanglandau.trajectory import TrajectoryWriter

SURROGATE = resources.files("surrogate")
VERDICT = {"trusted": False, "reasons": ["too short; raise --sweeps"], "summary": "Do not trust it: too short."}
MODULES = {"surrogate": "surrogate.inspection:describe", "lsms": "lsms_bridge.inspection:describe"}


@pytest.fixture(autouse=True)
def announced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Announce the inspectors of this source tree, and work in an empty folder."""
    entries = [EntryPoint(name, module, inspectors.GROUP) for name, module in MODULES.items()]
    monkeypatch.setattr(inspectors, "entry_points", lambda group: entries)
    monkeypatch.chdir(tmp_path)


def trusted_run() -> str:
    write_run("run.h5", noisy_record())
    return "run.h5"


def untrusted_run() -> str:
    write_run("bad.h5", replace(noisy_record(), verdict=VERDICT | {"reasons": ["too short; raise --max-trials"]}))
    return "bad.h5"


def exact() -> str:
    write_exact("exact.h5", exact_levels(), **description())
    return "exact.h5"


def exact_of_all() -> str:
    counts = np.array([1, 2, 1], dtype=np.uint64)
    keys = {n: np.array([n], dtype=np.uint32) for n in range(3)}
    levels = ExactLevels(2, None, np.arange(3, dtype=np.int16), np.array([0.0, -0.1, 0.0]), counts, keys)
    write_exact("all.h5", levels, **description())
    return "all.h5"


def semigrand() -> str:
    record = noisy_record()
    parts = {name: getattr(record, name) for name in ("system", "oracle", "settings", "versions", "seeds", "verdict")}
    write_semigrand("sg.h5", SemigrandRecord({16: noisy_density(0.01)}, diagnostics={}, **parts))
    return "sg.h5"


def trajectory() -> str:
    with TrajectoryWriter("trajectory.h5", CELL) as writer:
        writer.append(
            np.array([[0, 1] * 4] * 2, dtype=np.int8),
            energies=[-0.1, -0.2],
            temperatures=300.0,
            trials=8,
            walkers=[0, 1],
        )
    return "trajectory.h5"


def scaling() -> str:
    Path("cells").mkdir()
    write_exact("cells/cuau-2x2x2-16.h5", exact_levels(), **description())
    return "cells"


def campaign() -> str:
    log = ResultLog(Path("results"), CELL, {"lmax": 3})
    attempt = {"failure": "CRASHED", "message": "it stopped", "seconds": 3.0, "rung": "first"}
    for occupations, energy in (("0" * 8, -8.0), ("01" * 4, -8.2), ("1" * 8, -8.0)):
        numbers = (energy, -0.5, 0.5, (0.0,) * 8, (0.0,) * 8, 12, 1e-6, 1e-6, 1e-6, 30.0, "random")
        log.add(Record(occupations, *numbers, attempts=(attempt, attempt | {"failure": ""})))
    log.close()
    return "results"


def study() -> str:
    report = {"mixing_energy_rmse_within_composition_mev_per_atom": 0.25}
    Path("study").mkdir()
    of = {"system": "cuau", "settings": {"splits": 1}, "dataset": {"n_configurations": 9}}
    Path("study/study.json").write_text(json.dumps(of))
    Path("study/dense-E.json").write_text(json.dumps({"reports": [report]}))
    Path("study/trees-E.part.json").write_text(json.dumps({"reports": []}))
    return "study"


def learning_curve() -> str:
    Path("curve").mkdir()
    kept = {"of": {"system": "cuau", "sizes": [25]}, "curves": []}
    Path("curve/learning-curve.json").write_text(json.dumps(kept))
    return "curve"


def loop() -> str:
    Path("loop").mkdir()
    of = {"system": "cuau", "compositions": [4], "learner": "lattice networks []", "settings": {"seed": 1}}
    Path("loop/loop.json").write_text(json.dumps(of))
    return "loop"


KNOWN: list[tuple[Callable[[], str], str, str]] = [
    (trusted_run, "verdict", "wanglandau thermo run.h5"),
    (untrusted_run, "too short", "--max-trials 40000000"),
    (exact, "28 levels", "wanglandau compare RUN.h5 exact.h5"),
    (exact_of_all, "3 levels", "wanglandau thermo all.h5 --composition 1"),
    (semigrand, "compositions", "wanglandau mixing sg.h5"),
    (trajectory, "2 configurations of 2 walkers", "read_trajectory"),
    (scaling, "2x2x2", "--sizes 2x2x2 4x4x4"),
    (campaign, "3 of 3 compositions; 0 given up", "lsms-bridge status"),
    (study, "0.25 meV/atom", "surrogate study cuau --folder study"),
    (learning_curve, "not finished", "surrogate learning-curve cuau"),
    (loop, "0 finished", "lsms-bridge learn cuau"),
    (lambda: str(SURROGATE / "data" / "cuau32-lsms.h5"), "configurations in", "surrogate train cuau"),
    (lambda: str(SURROGATE / "artefacts" / "cuau-lattice.safetensors"), "learnt", "wanglandau dos cuau --oracle"),
    (lambda: str(SURROGATE / "artefacts" / "cuau-ensemble.safetensors"), "networks", "wanglandau dos cuau"),
]


@pytest.mark.parametrize(("make", "told", "step"), KNOWN, ids=[made[0].__name__ + made[1] for made in KNOWN])
def test_every_kind_has_a_screen_and_a_next_step(
    make: Callable[[], str], told: str, step: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make()
    assert main(["inspect", path]) == 0
    text = capsys.readouterr().out
    assert told in text and step in text and len(text.splitlines()) < 40
    assert main(["inspect", path, "--json"]) == 0
    values: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert any(step in one for one in values["next"])


def test_what_is_none_of_them_is_refused_with_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    Path("text.h5").write_text("hello")
    Path("table.csv").write_text("a,b\n")
    Path("folder").mkdir()
    with h5py.File("folder/other.h5", "w"):
        pass
    hints = {
        "nothing": "there is no file or folder",
        "text.h5": "or damaged",
        "table.csv": "pandas.read_csv",
        "folder": "inspect one of its files: other.h5",
        "folder/other.h5": "nothing that these programs write",
    }
    for path, hint in hints.items():
        assert main(["inspect", path]) == 2
        assert hint in capsys.readouterr().err


def test_figures_of_results(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    run, levels, everything = trusted_run(), exact(), exact_of_all()
    assert main(["inspect", run, "--figure", "run.png"]) == 0
    assert main(["inspect", levels, "--figure", "exact.png"]) == 0
    assert main(["inspect", everything, "--figure", "all.png"]) == 0
    assert main(["compare", run, levels, "--figure", "compared.png"]) == 0
    assert main(["compare", run, run, "--figure", "same.png"]) == 0
    for name in ("run", "exact", "all", "compared", "same"):
        assert Path(f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert main(["inspect", semigrand(), "--figure", "no.png"]) == 2
    assert "wanglandau mixing" in capsys.readouterr().err


def test_figures_of_models_and_campaigns() -> None:
    pytest.importorskip("matplotlib")
    data, parity = load_dataset("cuau"), Parity()
    with pytest.raises(InputError, match="predicts nothing"):
        parity.draw("parity.png", "none", "")
    parity.keep(data, Properties(data.mixing_energy + 1e-3, data.charge, None))
    parity.draw("parity.png", "a model", "a note")
    campaign_figure("campaign.png", "cuau", read_records(Path(campaign()), CELL, {"lmax": 3}))
    for name in ("parity", "campaign"):
        assert Path(f"{name}.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="no result yet"):
        campaign_figure("none.png", "cuau", [])
