"""``surrogate time``: what it measures, how it lays that out and what it refuses; no time itself is asserted."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from surrogate import machine, time_command
from surrogate.cli import main
from surrogate.dataset import load_dataset
from surrogate.machine import Machine, describe_machine
from surrogate.timed_models import TimedModel, timed_models
from surrogate.timing import (
    BatchTime,
    FreshTimes,
    ModelTimes,
    Ratio,
    Spread,
    batch_sizes,
    n_steps,
    recorded_times,
    time_batch,
    time_model,
)
from surrogate.timing_figure import timing_figure
from surrogate.timing_report import COLUMNS, QUOTED, Timing, spread_text, timing_csv, timing_text, timing_values
from surrogate.xgboost_oracle import fit_xgboost
from wanglandau.command_line import to_json
from wanglandau.errors import InputError, OracleError
from wanglandau.systems import load_system

NETWORK = TimedModel("dense, energy", "surrogate:mine", ("energy",))
TREES = TimedModel("XGBoost", "xgboost:trees.ubj", ("energy",), accelerates=False)
HERE = Machine("a processor", 4, 2, {}, "an accelerator", 3.0, "Linux", {"python": "3.11"})


def spread(median: float) -> Spread:
    return Spread(median, 0.9 * median, 1.2 * median, 7)


def a_timing(system: str = "cuau") -> Timing:
    fresh = FreshTimes(spread(2.0), spread(8.0), spread(0.3))
    batches = (BatchTime(1, spread(2e-5)), BatchTime(32, spread(4e-6)))
    on_gpu = NETWORK.on("cuda")
    assert on_gpu is not None
    models = (
        ModelTimes(NETWORK, fresh, spread(0.2), batches, batches[:1]),
        ModelTimes(on_gpu, None, spread(0.4), batches, ()),
    )
    return Timing(system, 32, recorded_times(load_dataset(system)), models, HERE)


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = main(["time", *map(str, words)])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Trees on all of several busy cores take fifty times as long as on one."""
    with xgboost.config_context(nthread=1):
        yield


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("trees") / "mine.ubj"
    fit_xgboost(load_dataset("cuau")).save(file)
    return file


def test_ratios_follow_from_times() -> None:
    timing = a_timing()
    values = to_json(timing_values(timing))
    slow = values["lsms_recorded"]["seconds"]
    for model in values["models"]:
        for batch in model["energies"] + model["properties"]:
            ratio, fast = batch["ratio_to_lsms"], batch["seconds"]
            assert ratio["value"] == pytest.approx(slow["median"] / fast["median"])
            assert ratio["lower"] == pytest.approx(slow["lower"] / fast["upper"])
            assert ratio["upper"] == pytest.approx(slow["upper"] / fast["lower"])
            assert ratio["lower"] <= ratio["value"] <= ratio["upper"]


def test_recorded_times_are_those_of_the_data() -> None:
    data = load_dataset("fept")
    found = recorded_times(data)
    assert found is not None and found.seconds.n == len(data)
    assert found.seconds.median == np.median(data.records["wall_time"])
    assert found.iterations.upper == np.percentile(data.records["scf_iterations"], 75)
    assert recorded_times(data.select(np.arange(1))) is not None
    bare = load_dataset("cuau")
    assert recorded_times(type(bare)(bare.lattice, bare.occupations, bare.energy, bare.orbit, np.zeros(2))) is None


def test_batches_are_of_the_size_asked_for_and_differ() -> None:
    seen: list[np.ndarray] = []
    lattice = load_system("cuau").lattice
    found = time_batch(seen.append, lattice, 5, 4, np.random.default_rng(0))
    assert found.size == 5 and found.seconds.n == 4
    assert {rows.shape for rows in seen} == {(5, 32)}
    assert len(np.unique(np.concatenate(seen), axis=0)) == 5 * len(seen)


def test_time_of_a_batch_is_divided_by_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(float(tick) for tick in range(1000))
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    found = time_batch(len, load_system("cuau").lattice, 8, 3, np.random.default_rng(0))
    assert found.seconds == Spread(1 / 8, 1 / 8, 1 / 8, 3)


def test_progress_ends_where_it_should(trees: Path) -> None:
    system, steps = load_system("cuau"), []
    for model in (TimedModel("trees", f"xgboost:{trees}", ("energy",)),
                  TimedModel("lattice", "surrogate:lattice", ("energy", "charge"))):  # fmt: skip
        steps.clear()
        found = time_model(model, system, "cuau", [2, 1, 2], 2, 0, lambda: steps.append(1))
        assert len(steps) == n_steps(model, [2, 1, 2], 0)
        assert [batch.size for batch in found.energies] == batch_sizes([2, 1, 2]) == [1, 2]
        assert len(found.properties) == (2 if len(model.tasks) > 1 else 0)
        assert found.fresh is None


def test_torch_is_timed_as_on_a_gpu() -> None:
    """The path of ``@cuda``, on the processor."""
    model = TimedModel("dense", "surrogate:dense@cpu", ("energy", "charge"), device="cuda")
    found = time_model(model, load_system("cuau"), "cuau", [3], 2, 0)
    assert [batch.size for batch in found.energies] == [1, 3] and not found.properties


def test_fresh_process(trees: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = TimedModel("trees", f"xgboost:{trees}", ("energy",))
    found = time_model(model, load_system("cuau"), "cuau", [1], 1, 1).fresh
    assert found is not None
    assert found.load.median > found.first_call.median > 0
    assert found.load.n == found.first_call.n == found.first_call_compiling.n == 1


def test_failure_of_a_fresh_process_is_one_line(trees: Path) -> None:
    model = TimedModel("trees", f"xgboost:{trees}", ("energy",))
    with pytest.raises(OracleError, match=r"fresh process .* failed: .*none\.toml"):
        time_model(model, load_system("cuau"), "none.toml", [1], 1, 1)


def test_models_of_a_system() -> None:
    system = load_system("cuau")
    with timed_models(system, None) as models:
        names = [model.name for model in models]
        files = [Path(model.specification.partition(":")[2]) for model in (models[0], models[-1])]
        assert all(file.is_file() for file in files)
        assert names == [
            "dense, energy",
            "dense, energy + charge (shipped)",
            "lattice, energy + charge (shipped)",
            "XGBoost, default settings",
        ]
        on_gpu = [found for model in models if (found := model.on("cuda"))]
    assert not any(file.exists() for file in files)
    assert [model.specification[-5:] for model in on_gpu] == ["@cuda"] * 3
    assert on_gpu[1].specification == "surrogate:dense@cuda"


def test_report(trees: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["cuau", "--device", "cpu", "--starts", "0", "--repeats", "2", "--batches", "3", "--models", trees]
    outputs = ["--csv", tmp_path / "times.csv", "--figure", tmp_path / "times.png", "--json"]
    code, text, _ = run(capsys, *words, *outputs)
    assert code == 0
    values = json.loads(text)
    assert [model["name"] for model in values["models"]][-1] == "XGBoost (mine.ubj)"
    assert len(values["models"]) == 3
    for model in values["models"]:
        assert model["device"] == "cpu" and [batch["batch"] for batch in model["energies"]] == [1, 3]
        assert all(batch["seconds"]["n"] == 2 for batch in model["energies"])
    assert values["quoted_from_paper"] == {"first_principles": 480.1, "networks": [0.8, 0.9]}
    assert {"cpu", "cores", "threads", "gpu", "versions"} <= set(values["machine"])
    with open(tmp_path / "times.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["origin"] for row in rows} == {"recorded", "quoted", "measured"}
    assert (tmp_path / "times.png").stat().st_size > 10_000


@pytest.mark.parametrize("system", ["cuau", "fept"])
def test_text_marks_what_is_quoted(system: str) -> None:
    text = timing_text(a_timing(system))
    line = next(line for line in text.splitlines() if "LSMS, quoted" in line)
    assert line.split() == ["LSMS,", "quoted", "1", f"{QUOTED[system].first_principles}", "s"]
    assert "Quoted, not measured" in text and "an accelerator" in text and "blocks of 2,048" in " ".join(text.split())
    assert max(map(len, text.splitlines())) < 180


def test_rows_of_the_csv_are_complete() -> None:
    lines = list(csv.DictReader(timing_csv(a_timing()).splitlines()))
    assert tuple(lines[0]) == COLUMNS
    measured = [line for line in lines if line["origin"] == "measured"]
    assert len(measured) == (4 + 3) + (1 + 2)
    assert all(float(line["lower_s"]) <= float(line["median_s"]) <= float(line["upper_s"]) for line in measured)
    assert all((line["ratio_to_lsms"] != "") == (line["batch"] != "") for line in measured)


def test_cell_without_first_principles_data(tmp_path: Path) -> None:
    timing = a_timing()
    alone = Timing("cuau", 8, None, timing.models, HERE)
    assert alone.ratio(spread(1.0)) is None and alone.quoted is None
    text = timing_text(alone)
    assert "recorded" not in text and "uoted" not in text
    timing_figure(tmp_path / "alone.svg", alone)
    assert "origin" in timing_csv(alone)


def test_spreads() -> None:
    assert Spread.of([1.0]) == Spread(1.0, 1.0, 1.0, 1)
    assert Ratio.of(spread(1.0), spread(1.0)).value == 1.0
    assert spread_text(Spread(0.0, 0.0, 0.0, 1)) == "0 ns (0 to 0)"


def test_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    here = describe_machine()
    assert here.cpu and here.threads <= here.cores and here.thread_limits["OMP_NUM_THREADS"] == "1"
    assert {"python", "numpy", "torch"} <= set(here.versions)


def test_gpu_is_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "gpu_name", lambda: "an accelerator")
    assert time_command._devices(None) == ("cpu", "cuda")
    assert time_command._devices("cuda") == ("cuda",) and time_command._devices("cpu") == ("cpu",)


def test_trees_are_not_for_the_gpu(trees: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = tmp_path / "cell.toml"
    cell.write_text('species = ["Cu", "Au"]\nstructure = "fcc"\nlattice_constant = 3.87\nrepeat = [2, 2, 2]\n')
    monkeypatch.setattr(machine, "gpu_name", lambda: "an accelerator")
    with pytest.raises(InputError, match="none of the models can be evaluated on cuda"):
        time_command.time_models(str(cell), device="cuda", models=[trees])
    with pytest.raises(InputError, match="no data set is shipped"):
        time_command.time_models(str(cell), device="cpu")


BAD: dict[str, tuple[list[Any], str]] = {
    "unknown device": (["--device", "tpu"], "tpu"),
    "no repeats": (["--repeats", "0"], "repeats is 0"),
    "empty batch": (["--batches", "1", "0"], "batches has 0"),
    "huge batch": (["--batches", "2000000"], "1,000,000"),
    "negative starts": (["--starts", "-1"], "starts is -1"),
    "no GPU": (["--device", "cuda"], "no GPU"),
    "missing model": (["--models", "none.safetensors"], "none.safetensors"),
    "missing folder": (["--csv", "none/times.csv"], "none"),
    "unknown figure": (["--figure", "times.doc"], "times.doc"),
    "unknown system": (["agpd"], "agpd"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_with_one_line(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words, named = BAD[case]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    code, out, err = run(capsys, *words)
    assert code == 2 and not out
    assert named in err and len(err.strip().splitlines()) == 1 and "Traceback" not in err
    assert not list(tmp_path.iterdir())
