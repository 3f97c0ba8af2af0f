"""Learning curves: divisions by orbit, the comparison of single-task and multitask models, the command."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from surrogate.cli import main
from surrogate.dataset import Dataset, load_dataset
from surrogate.learning_curve import Curve, learning_curve, make_divisions, models
from surrogate.learning_curve_file import CurveFile
from surrogate.learning_curve_report import csv_table, markdown, multitask_difference, size_needed
from surrogate.learning_curve_settings import LearningCurveSettings
from wanglandau import figure_style
from wanglandau.errors import InputError

SETTINGS = LearningCurveSettings(splits=3, epochs=2)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load_dataset("cuau")


def test_divisions_keep_orbits_apart_and_grow(data: Dataset) -> None:
    divisions = make_divisions(data, SETTINGS)
    assert len({len(division.training) for division in divisions}) == 1
    for training, test in divisions:
        assert not set(data.orbit[training]) & set(data.orbit[test])
        assert len(np.unique(data.orbit[test])) == round(0.2 * len(np.unique(data.orbit)))
    assert not np.array_equal(divisions[0].test, divisions[1].test)
    assert np.array_equal(divisions[2].training, make_divisions(data, SETTINGS)[2].training)


@pytest.mark.parametrize("architecture", ["dense", "dense-learnt", "lattice"])
def test_more_data_and_the_same_seed(data: Dataset, architecture: str) -> None:
    arguments = (data, "cuau", architecture, ("energy", "charge"), [20, 60], LearningCurveSettings(splits=2, epochs=2))
    done: list[None] = []
    curve = learning_curve(*arguments, advance=lambda: done.append(None))
    assert curve.errors["energy"].shape == (2, 2) == curve.errors["charge"].shape and len(done) == 4
    if architecture == "lattice":
        assert (curve.errors["energy"][1] < 0.5 * curve.errors["energy"][0]).all()
    again = learning_curve(*arguments)
    assert all(np.array_equal(curve.errors[task], again.errors[task]) for task in curve.errors)


def test_models_of_a_data_set(data: Dataset) -> None:
    both = ("energy", "charge")
    tasks = [("energy",), ("charge",), both]
    assert models(data) == [("lattice", t) for t in tasks] + [("dense", t) for t in tasks] + [("dense-learnt", both)]
    assert models(load_dataset("fept"))[-1] == ("dense-learnt", ("energy", "charge", "moment"))


def test_the_comparison_goes_split_by_split() -> None:
    single = np.array([1.0, 10.0, 100.0, 1000.0])
    better = multitask_difference(single, single * np.array([0.8, 0.82, 0.79, 0.81]))
    assert better.verdict == "helps" and better.ratio == pytest.approx(0.805, abs=0.001)
    assert multitask_difference(single, 1.2 * single).verdict == "hurts"
    assert multitask_difference(single, 1.002 * single).verdict == "no difference"
    assert multitask_difference(single, single * np.array([0.5, 2.0, 0.6, 1.5])).verdict == "no difference"


def test_a_power_law_is_extended() -> None:
    sizes = [10, 100]
    assert size_needed(sizes, np.array([10.0, 1.0]), 0.1) == pytest.approx(1000)
    assert np.isnan(size_needed(sizes, np.array([1.0, 10.0]), 0.1)) and np.isnan(size_needed([10], np.ones(1), 0.1))


def test_the_report_answers() -> None:
    curves = [
        Curve("dense-learnt", ("energy", "charge"), {
            "energy": np.array([[2.0, 2.2], [1.0, 1.1]]), "charge": np.array([[0.2, 0.2], [0.1, 0.12]]),
        }),
        Curve("dense", ("energy",), {"energy": np.array([[2.0, 2.2], [1.0, 1.1]])}),
        Curve("dense", ("charge",), {"charge": np.array([[0.2, 0.2], [0.1, 0.12]])}),
        Curve("dense", ("energy", "charge"), {
            "energy": np.array([[1.0, 1.1], [0.5, 0.56]]), "charge": np.array([[0.3, 0.3], [0.2, 0.24]]),
        }),
    ]  # fmt: skip
    text = markdown(curves, [10, 20], SETTINGS, "Some data.", "surrogate learning-curve cuau", 0.25, None)
    assert re.search(r"\| dense \| energy \| 0\.500 ± \S+ \| 0\.505 ± 0\.0045 \| helps \|", text)
    assert re.search(r"\| dense \| charge \| 1\.500 ± \S+ \| 2\.000 ± \S+ \| hurts \|", text)
    assert re.search(r"\| dense, learnt weights \| charge \| 1\.000 ± \S+ \| 1\.000 ± \S+ \| no difference \|", text)
    assert "STL E, dense: 84 configurations" in text
    assert len(csv_table(curves, [10, 20]).splitlines()) == 1 + 6 * 4


def test_sizes_are_read() -> None:
    assert SETTINGS.sizes("25, 50,200,all", 120) == [25, 50, 120]
    for text, message in (("ten", "size 'ten'"), ("3", "size '3'"), ("500", "above the 120")):
        with pytest.raises(InputError, match=message):
            SETTINGS.sizes(text, 120)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "curves"
    arguments = ["--splits", "2", "--epochs", "1", "--sizes", "12,20", "--wanted", "2", "--folder", str(folder)]
    assert main(["learning-curve", "fept", *arguments, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["sizes"] == [12, 20] and len(values["errors"]) == 9
    assert {file.name for file in folder.iterdir()} == {
        "report.md", "learning-curve.csv", "learning-curve.json", "learning-curve.png",
    }  # fmt: skip
    (folder / "learning-curve.png").unlink()
    with monkeypatch.context() as patch:  # done already, and worth having without a picture
        patch.setattr(figure_style, "can_draw", lambda: False)
        assert main(["learning-curve", "fept", *arguments]) == 0
    assert "learning-curve.png" not in (folder / "report.md").read_text(encoding="utf-8")
    report = (folder / "report.md").read_text(encoding="utf-8")
    assert "meets 2 meV/atom" in report and "MTL E+C+M, lattice" in report


def test_curves_are_kept_and_belong_to_their_settings(data: Dataset, tmp_path: Path) -> None:
    path, curve = tmp_path / "curves.json", Curve("dense", ("energy",), {"energy": np.array([[2.0, 2.2]])})
    CurveFile(path, data, "cuau", [20], SETTINGS).add(curve)
    again = CurveFile(path, data, "cuau", [20], SETTINGS)
    found = again.find("dense", ("energy",))
    assert found is not None and np.array_equal(found.errors["energy"], curve.errors["energy"])
    assert again.find("lattice", ("energy",)) is None and again.find("dense", ("charge",)) is None
    with pytest.raises(InputError, match="sizes was"):
        CurveFile(path, data, "cuau", [30], SETTINGS)
    with pytest.raises(InputError, match="epochs was 2, is 3"):
        CurveFile(path, data, "cuau", [20], LearningCurveSettings(splits=3, epochs=3))
    path.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="is damaged"):
        CurveFile(path, data, "cuau", [20], SETTINGS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--splits", "1"], "splits is 1"),
        (["--test-share", "1"], "test_share is 1"),
        (["--test-share", "0.99"], "leaves 3 configurations"),
        (["--wanted", "-1"], "wanted is -1"),
        (["--sizes", "x"], "size 'x'"),
        (["--dataset", "nowhere.h5"], "nowhere.h5"),
    ],
)
def test_wrong_input(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["learning-curve", "cuau", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
