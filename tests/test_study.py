"""The accuracy study: splits, going on where it was, and its report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from ase import units

from surrogate import study as study_module
from surrogate.cli import main
from surrogate.dataset import Dataset, load_dataset
from surrogate.dense_network import DenseNetwork
from surrogate.fitting import Fit, Predictor, composition_fit
from surrogate.network_predictions import predict
from surrogate.settings import DenseSettings
from surrogate.stacked_training import StackedTraining
from surrogate.study import ModelResult, Study, run_study
from surrogate.study_models import StudyModel, study_models, task_combinations, tasks_of, training_settings
from surrogate.study_predictions import read_predictions, write_results
from surrogate.study_report import PAPER_R2, csv_table, figures_of_splits, markdown, over_splits
from surrogate.study_settings import StudySettings
from surrogate.study_splits import make_splits
from surrogate.training import make_network
from wanglandau import figure_style
from wanglandau.errors import InputError

SETTINGS = StudySettings(splits=2, epochs=4, paper_epochs=3)
MODELS = [
    StudyModel("dense", ("energy", "charge")),
    StudyModel("dense", ("energy", "charge"), as_paper=True),
    StudyModel("composition", ("energy",)),
    StudyModel("trees", ("charge",)),
]


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load_dataset("cuau")


@pytest.fixture(scope="module")
def finished(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[ModelResult]]:
    folder = tmp_path_factory.mktemp("study")
    return folder, run_study(Study(data, "cuau", SETTINGS, folder, quiet=True), MODELS)


@pytest.mark.parametrize("by_orbit", [False, True])
def test_splits_are_equal_in_size_and_disjoint(data: Dataset, by_orbit: bool) -> None:
    splits = make_splits(data, 5, 3, by_orbit)
    for training, validation, test in zip(splits.training, splits.validation, splits.test, strict=True):
        parts = [set(part.tolist()) for part in (training, validation, test)]
        assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
        if by_orbit:
            assert not set(data.orbit[training]) & set(data.orbit[test])
    assert splits.training.shape[1] == pytest.approx(0.7 * len(data), abs=6)
    again = make_splits(data, 5, 3, by_orbit)
    assert np.array_equal(splits.test, again.test)
    assert not np.array_equal(splits.test[0], splits.test[1])


def test_the_models_of_the_paper_are_there(data: Dataset) -> None:
    names = {model.slug for model in study_models(tasks_of(data))}
    assert {"dense-E-paper", "dense-C-paper", "dense-EC-paper", "dense-EC", "trees-E", "lattice-EC"} <= names
    assert len(names) == len(study_models(tasks_of(data))) and "dense-EC-learnt" in names
    learnt = next(model for model in study_models(tasks_of(data)) if model.learnt_weights)
    assert training_settings(learnt, "cuau", None, None).loss == "log" and "learnt weights" in learnt.name
    assert task_combinations(("energy", "charge", "moment"))[3:] == [
        ("energy", "charge"), ("energy", "moment"), ("charge", "moment"), ("energy", "charge", "moment"),
    ]  # fmt: skip
    paper = training_settings(MODELS[1], "cuau", None, None)
    assert (paper.epochs, paper.learning_rate, paper.batch_fraction, paper.loss) == (30_000, 1e-4, 0.1, "norm")
    assert dict(paper.weights) == {"energy": 1e-4, "charge": 8.0}
    assert training_settings(MODELS[0], "cuau", None, None).epochs * 100 == paper.epochs


def test_every_model_is_evaluated_on_every_split(finished: tuple[Path, list[ModelResult]]) -> None:
    _, results = finished
    assert [len(result.reports) for result in results] == [2] * len(MODELS)
    ours, paper, composition, trees = results
    error = "mixing_energy_rmse_within_composition_mev_per_atom"
    assert all(np.isfinite(report[error]) for result in results[:3] for report in result.reports)
    assert paper.reports[0][error] > 1e3 * composition.reports[0][error]  # three epochs on total energies
    assert "charge_r2" in trees.reports[0] and error not in trees.reports[0]
    assert ours.reports[0]["symmetry_spread_mev_per_atom"] > 0


def test_a_finished_study_is_read_and_not_made_again(
    data: Dataset, finished: tuple[Path, list[ModelResult]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, results = finished
    monkeypatch.setattr(study_module, "_dense", None)
    monkeypatch.setattr(study_module, "_baseline", None)
    again = run_study(Study(data, "cuau", SETTINGS, folder, quiet=True), MODELS)
    assert [result.reports for result in again] == [result.reports for result in results]


def test_another_study_in_the_folder_is_refused(data: Dataset, finished: tuple[Path, list[ModelResult]]) -> None:
    with pytest.raises(InputError, match="epochs was 4, is 5"):
        run_study(Study(data, "cuau", StudySettings(splits=2, epochs=5, paper_epochs=3), finished[0]), MODELS)
    with pytest.raises(InputError, match="digest was"):
        run_study(Study(data.select(np.arange(150)), "cuau", SETTINGS, finished[0], quiet=True), MODELS)


def test_a_killed_study_goes_on_to_the_same_result(
    data: Dataset, finished: tuple[Path, list[ModelResult]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_module, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    advance = StackedTraining.advance

    def killed(self: StackedTraining, *arguments: object) -> None:
        if self.epoch == 2:
            raise KeyboardInterrupt
        advance(self, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(StackedTraining, "advance", killed)
        run_study(Study(data, "cuau", SETTINGS, tmp_path, quiet=True), MODELS[:1])
    assert (tmp_path / "dense-EC.0.safetensors").is_file() and not (tmp_path / "dense-EC.json").exists()
    (result,) = run_study(Study(data, "cuau", SETTINGS, tmp_path, quiet=True), MODELS[:1])
    assert result.reports == finished[1][0].reports
    assert not (tmp_path / "dense-EC.0.safetensors").exists()


def test_networks_are_trained_in_groups_on_a_cpu(
    data: Dataset, finished: tuple[Path, list[ModelResult]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One at a time gives what two together give, up to rounding, and those done are not trained again."""
    monkeypatch.setattr(study_module, "replicas_together", lambda *_: 1)
    train, trained = study_module._train, []

    def stopped(training: StackedTraining, *arguments: object) -> None:
        trained.append(training.network.n_replicas)
        if len(trained) == 2:
            raise KeyboardInterrupt
        train(training, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(study_module, "_train", stopped)
    study = Study(data, "cuau", SETTINGS, tmp_path, quiet=True)
    with pytest.raises(KeyboardInterrupt):
        run_study(study, MODELS[:1])
    (result,) = run_study(study, MODELS[:1])
    assert trained == [1, 1, 1] and not (tmp_path / "dense-EC.part.json").exists()
    for alone, together in zip(result.reports, finished[1][0].reports, strict=True):
        assert alone["charge_r2"] == pytest.approx(together["charge_r2"], rel=1e-4)
        assert alone["mixing_energy_rmse_mev_per_atom"] == pytest.approx(
            together["mixing_energy_rmse_mev_per_atom"], rel=1e-4
        )
    assert result.details["best_epoch_mean"] == finished[1][0].details["best_epoch_mean"]


def test_report_quotes_the_paper_beside_ours(finished: tuple[Path, list[ModelResult]]) -> None:
    _, results = finished
    text = markdown(results, "cuau", SETTINGS, "Some data.", "surrogate study cuau", ["errors.png"])
    mean, _ = PAPER_R2["cuau"]["E+C"]["charge"]
    assert f"{1 - mean:.2g} ± 0.009" in text
    assert "3 epochs" in text and "![errors](errors.png)" in text
    found = over_splits(results[0], lambda report: report["charge_r2"])
    assert found is not None and f"{1 - found[0]:.2g} ± {found[1]:.1g}" in text
    rows = csv_table(results).splitlines()
    assert len(rows) == 1 + 2 * len(MODELS) and rows[1].startswith("dense-EC,0,")


@pytest.mark.compiled
def test_quick_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "quick"
    models = "dense-EC,dense-EC-paper,lattice-E,composition-E"
    assert main(["study", "cuau", "--quick", "--folder", str(folder), "--models", models, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert set(values["models"]) == set(models.split(","))
    assert {"report.md", "splits.csv", "errors-over-splits.png"} <= {file.name for file in folder.iterdir()}
    (folder / "report.md").unlink()
    (folder / "errors-over-splits.png").unlink()
    with monkeypatch.context() as patch:  # the report is worth having without pictures
        patch.setattr(figure_style, "can_draw", lambda: False)
        assert main(["study", "cuau", "--quick", "--folder", str(folder), "--models", models, "--json"]) == 0
    capsys.readouterr()
    assert (folder / "report.md").is_file() and not (folder / "errors-over-splits.png").exists()
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "Model data" in text and "## Ordering" in text
    assert "surrogate:lattice-v1" in text and "126.45 K" in text  # what labelled the published reports
    assert (folder / "parity-energy.png").is_file() and (folder / "results.h5").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--models", "dense-X"], "no model 'dense-X'"),
        (["--surrogate", "none.safetensors"], "none.safetensors"),
        (["--splits", "0"], "splits is 0"),
        (["--device", "tpu"], "device is 'tpu'"),
        (["--patience", "0"], "patience is 0"),
        (["--averaging", "1"], "averaging is 1"),
        (["--ordering-splits", "-1"], "ordering_splits is -1"),
    ],
)
def test_wrong_input(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["study", "cuau", "--quick", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_the_same_seed_gives_the_same_table(
    data: Dataset, finished: tuple[Path, list[ModelResult]], tmp_path: Path
) -> None:
    again = run_study(Study(data, "cuau", SETTINGS, tmp_path, quiet=True), MODELS)
    assert csv_table(again) == csv_table(finished[1])
    other = replace(SETTINGS, seed=1)
    assert csv_table(
        run_study(Study(data, "cuau", other, tmp_path / "other", quiet=True), MODELS[2:3])
    ) not in csv_table(finished[1])


def test_epochs_are_those_that_were_made(data: Dataset, tmp_path: Path) -> None:
    """Patience ends the training of every replica before the epochs that were allowed."""
    impatient = replace(SETTINGS, epochs=60, patience=1)
    (result,) = run_study(Study(data, "cuau", impatient, tmp_path, quiet=True), MODELS[:1])
    assert 1 < result.details["epochs"] < 60


def test_predicted_total_energies_are_turned_into_mixing_energies(data: Dataset) -> None:
    network = make_network(lambda: DenseNetwork(data.lattice, ("energy",), DenseSettings(8)), 0)
    total = predict(network, data.occupations).energy
    mixing = predict(network, data.occupations, pure_energies=(-3.0, -7.0)).energy
    np.testing.assert_allclose(total - mixing, -3.0 * (32 - data.composition) - 7.0 * data.composition)


def test_averaged_weights_are_for_our_recipe_alone(
    data: Dataset, finished: tuple[Path, list[ModelResult]], tmp_path: Path
) -> None:
    averaged = replace(SETTINGS, averaging=0.9)
    ours, paper = run_study(Study(data, "cuau", averaged, tmp_path, quiet=True), MODELS[:2])
    assert ours.reports != finished[1][0].reports and paper.reports == finished[1][1].reports


def test_baselines_go_on_split_by_split(data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed in the second split, a study does not fit the first again."""
    fitted: list[int] = []

    def fit_once(_: StudyModel, __: str, settings: StudySettings) -> Fit:
        def fit(training: Dataset) -> Predictor:
            fitted.append(len(training))
            if len(fitted) == 2:
                raise KeyboardInterrupt
            return composition_fit(training)

        return fit

    monkeypatch.setattr(study_module, "baseline_fit", fit_once)
    study = Study(data, "cuau", SETTINGS, tmp_path, quiet=True)
    with pytest.raises(KeyboardInterrupt):
        run_study(study, MODELS[2:3])
    (result,) = run_study(study, MODELS[2:3])
    assert len(fitted) == 3 and len(result.reports) == 2
    assert {file.name for file in tmp_path.iterdir()} == {"study.json", "composition-E.json", "composition-E.h5"}


def test_everything_is_in_one_hdf5_file(finished: tuple[Path, list[ModelResult]]) -> None:
    folder, results = finished
    write_results(folder, figures_of_splits(results))
    with h5py.File(folder / "results.h5") as file:
        assert set(file) == {result.model.slug for result in results}
        assert file["dense-EC/splits/charge_r2"][:].tolist() == [r["charge_r2"] for r in results[0].reports]
        assert file["dense-EC/first_split/energy/predicted"].attrs["units"].startswith("Ry")
    reference, predicted = read_predictions(folder / "dense-EC.h5")["energy"]
    unit = 1e3 * units.Ry / 32
    assert np.sqrt(np.mean((predicted - reference) ** 2)) * unit == pytest.approx(
        results[0].reports[0]["mixing_energy_rmse_mev_per_atom"]
    )
