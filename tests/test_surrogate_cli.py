"""The console program surrogate: what it writes, prints and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from surrogate.artefact import load_artefact
from surrogate.cli import main
from surrogate.dataset import load_dataset, save_dataset
from surrogate.oracle import shipped_artefact
from surrogate.recipes import ModelOptions, load_recipe, resolve_settings
from surrogate.settings import DenseSettings, TrainingSettings
from wanglandau.errors import InputError
from wanglandau.systems import load_system

WITHIN = "mixing_energy_rmse_within_composition_mev_per_atom"


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = main([str(word) for word in words])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_train_then_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "mine.safetensors"
    settings = ["--architecture", "dense", "--epochs", "3", "--width", "20", "--seed", "5", "--charge-weight", "2"]
    code, text, _ = run(capsys, "train", "fept", *settings, "--out", out, "--json")
    assert code == 0
    values = json.loads(text)
    assert values["artefact"] == str(out) and values["tasks"] == ["energy", "charge", "moment"]
    card = load_artefact(out).card
    assert card.network == {"width": 20}
    assert (card.training["epochs"], card.training["seed"], card.training["weights"]) == (3, 5, {"charge": 2.0})
    assert card.training["augment"] is True  # from the recipe
    assert card.metrics[WITHIN] == values["metrics_on_training_data"][WITHIN]
    code, text, _ = run(capsys, "evaluate", "fept", "--artefact", out, "--json")
    assert code == 0
    report = json.loads(text)
    assert report[WITHIN] == pytest.approx(card.metrics[WITHIN])
    assert {"charge_r2", "moment_r2", "n_orbits_seen_in_training", "symmetry_spread_mev_per_atom"} <= set(report)
    code, text, _ = run(capsys, "evaluate", "fept", "--artefact", out)
    assert code == 0 and WITHIN in text and "by_composition" not in text


def test_evaluation_of_the_shipped_surrogate_meets_its_target(capsys: pytest.CaptureFixture[str]) -> None:
    code, text, _ = run(capsys, "evaluate", "cuau", "--json")
    report = json.loads(text)
    assert code == 0
    assert report[WITHIN] < 0.2 and report["charge_r2"] > 0.999


def test_shipped_lattice_artefact_is_what_its_recipe_makes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    system = load_system("cuau")
    code, _, _ = run(capsys, "train", "cuau", "--out", tmp_path / "again.safetensors")
    assert code == 0
    again, shipped = load_artefact(tmp_path / "again.safetensors"), shipped_artefact(system)
    assert again.card.training == shipped.card.training and again.card.network == shipped.card.network
    assert again.card.metrics[WITHIN] == pytest.approx(shipped.card.metrics[WITHIN], rel=1e-2)


def test_cross_validation_with_baselines(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--cross-validate", "3", "--repeats", "2", "--architecture", "xgboost", "--json"]
    code, text, _ = run(capsys, "evaluate", "fept", *words)
    report = json.loads(text)
    assert code == 0 and report["n_configurations"] == 2 * len(load_dataset("fept"))
    assert set(report["baselines"]) == {"composition", "cluster_expansion"}


def test_trees_and_held_out_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = load_dataset("cuau")
    half = np.arange(len(data) // 2)
    save_dataset(data.select(half), tmp_path / "part.h5")
    words = ["--architecture", "xgboost", "--dataset", tmp_path / "part.h5", "--out", tmp_path / "trees.ubj"]
    assert run(capsys, "train", "cuau", *words)[0] == 0
    code, text, _ = run(capsys, "evaluate", "cuau", "--artefact", tmp_path / "trees.ubj", "--json")
    report = json.loads(text)
    assert code == 0 and report["n_orbits_seen_in_training"] == len(np.unique(data.orbit[half]))
    assert report["unseen"][WITHIN] > report[WITHIN]


def test_settings_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "train.toml"
    config.write_text('architecture = "dense"\ntasks = "energy"\nepochs = 2\nwidth = 8\n')
    out = tmp_path / "mine.safetensors"
    assert run(capsys, "train", "cuau", "--config", config, "--width", "9", "--out", out)[0] == 0
    card = load_artefact(out).card
    assert card.tasks == ["energy"] and card.network == {"width": 9} and card.training["epochs"] == 2


BAD = {
    "unknown system": (["evaluate", "agpd"], "agpd"),
    "unknown option": (["train", "cuau", "--epoch", "3"], "--epoch"),
    "setting of another architecture": (
        ["train", "cuau", "--architecture", "dense", "--star-sites", "3"],
        "star_sites",
    ),
    "unknown task": (["train", "cuau", "--tasks", "entropy"], "entropy"),
    "task without data": (["train", "cuau", "--architecture", "dense", "--tasks", "moment"], "no moment"),
    "bad value": (["train", "cuau", "--learning-rate", "-1"], "learning_rate"),
    "missing folder": (["train", "cuau", "--out", "none/model.safetensors"], "none"),
    "missing data": (["evaluate", "cuau", "--dataset", "none.h5"], "none.h5"),
    "data of another alloy": (["evaluate", "cuau", "--dataset", "fept"], "Fe-Pt"),
    "missing artefact": (["evaluate", "cuau", "--artefact", "none.safetensors"], "none.safetensors"),
    "two models": (["evaluate", "cuau", "--artefact", "a", "--oracle", "surrogate"], "not both"),
    "one fold": (["evaluate", "cuau", "--cross-validate", "1"], "n_folds"),
    "training options without training": (["evaluate", "cuau", "--epochs", "3"], "--cross-validate"),
    "oracle in cross-validation": (["evaluate", "cuau", "--cross-validate", "3", "--oracle", "surrogate"], "--oracle"),
    "settings for trees": (["train", "cuau", "--architecture", "xgboost", "--width", "3"], "width"),
    "charges from trees": (["train", "cuau", "--architecture", "xgboost", "--tasks", "charge"], "energy only"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_with_one_line(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, named = BAD[case]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        code, out, err = run(capsys, *words)
    assert code == 2 and not out
    assert named in err and len(err.strip().splitlines()) == 1 and "Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_unknown_keys_in_a_file_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "train.toml"
    config.write_text("epoks = 3\n")
    code, _, err = run(capsys, "train", "cuau", "--config", config)
    assert code == 2 and "epoks" in err and "epochs" in err


def test_recipes_are_complete_and_overridden_key_by_key() -> None:
    known = set(vars(ModelOptions()))
    for system in ("cuau", "fept"):
        for architecture in ("lattice", "dense"):
            recipe = load_recipe(system, architecture)
            assert recipe and set(recipe) <= known
            resolve_settings(system, architecture, ("energy",), ModelOptions())
    assert load_recipe("elsewhere", "dense") == {}
    assert resolve_settings("elsewhere", "lattice", ("energy",))[1].epochs == 0
    network, training = resolve_settings("fept", "dense", ("energy",), ModelOptions(epochs=7, energy_weight=3.0))
    assert network == DenseSettings(300)
    assert (training.epochs, training.weights, training.augment) == (7, {"energy": 3.0}, True)
    paper = resolve_settings("cuau", "dense", ("energy", "charge"), ModelOptions(epochs=7), as_paper=True)[1]
    assert paper == TrainingSettings(
        loss="norm", weights={"energy": 1e-4, "charge": 8.0}, schedule="constant", epochs=7
    )
    with pytest.raises(InputError, match="star_sites"):
        resolve_settings("cuau", "dense", ("energy",), ModelOptions(star_sites=3))
