"""Model data: the balanced sample, its labels, and that nobody can take it for first-principles data."""

from __future__ import annotations

import json
from dataclasses import replace
from math import comb
from pathlib import Path

import numpy as np
import pytest

from surrogate.artefact import save_artefact
from surrogate.cli import main
from surrogate.dataset import Dataset, load_dataset
from surrogate.evaluation import evaluate
from surrogate.fitting import fit_network
from surrogate.model_data import MAX_LABELLED, Sample, label
from surrogate.oracle import SurrogateOracle, find_model, make_oracle, shipped_artefact
from surrogate.recipes import ModelOptions, resolve_settings
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.oracle import Properties
from wanglandau.orbits import canonical_keys
from wanglandau.systems import load_system

FEW = Sample(per_composition=6, seed=4)


def made(system: str, sample: Sample = FEW, which: str = "lattice") -> tuple[SurrogateOracle, Dataset]:
    chosen = load_system(system)
    oracle = make_oracle(find_model(which, chosen), chosen.lattice)
    return oracle, label(oracle, sample, system)


@pytest.mark.parametrize("system", ["cuau", "fept"])
def test_labels_are_those_of_the_surrogate(system: str) -> None:
    oracle, data = made(system)
    predicted = oracle.properties(data.occupations)
    np.testing.assert_allclose(data.mixing_energy, oracle.energies(data.occupations), atol=5e-10, rtol=0)
    np.testing.assert_array_equal(data.charge, predicted.charge)
    assert (data.moment is None) == (system == "cuau")
    if data.moment is not None:
        np.testing.assert_array_equal(data.moment, predicted.moment)
    pure = data.energy[[0, -1]] / data.lattice.n_sites
    np.testing.assert_allclose(pure, load_dataset(system).reference_energies, rtol=1e-14)
    np.testing.assert_array_equal(data.orbit, canonical_keys(data.lattice.symmetry, data.occupations))


def test_sample_is_that_of_the_published_study() -> None:
    lattice = load_system("cuau").lattice
    counts = np.bincount(Sample().draw(lattice).sum(axis=1), minlength=33)
    assert counts.sum() == 28_058
    np.testing.assert_array_equal(counts, [min(comb(32, k), 1000) for k in range(33)])


def test_same_seed_same_data_another_seed_others() -> None:
    (_, first), (_, again), (_, other) = made("cuau"), made("cuau"), made("cuau", replace(FEW, seed=5))
    assert first.digest == again.digest != other.digest
    assert len(np.unique(first.occupations, axis=0)) == len(first)


def test_distinct_orbits_are_distinct() -> None:
    _, data = made("fept", replace(FEW, distinct_orbits=True))
    assert len(np.unique(data.orbit)) == len(data)
    assert (np.bincount(data.composition)[4:29] == 6).all()


def test_file_says_in_every_place_that_it_is_model_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "model.h5"
    words = ["label", "cuau", "--per-composition", "3", "--seed", "2", "--out", str(out)]
    assert main([*words, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    data, oracle = load_dataset(out), made("cuau")[0]
    assert (values["n_configurations"], values["dataset_digest"]) == (len(data), data.digest)
    named = f"model data: lattice surrogate {oracle.identity}"
    assert data.attributes["code"] == named
    assert data.attributes["settings"].startswith(named) and '"seed": 2' in data.attributes["settings"]
    assert data.source is not None and set(data.source) == {named}
    assert data.attributes["caution"].startswith("Model data") and oracle.caution in data.attributes["caution"]
    assert main(words) == 0
    text = capsys.readouterr().out
    assert named in text and data.attributes["caution"] in text and load_dataset(out).digest == data.digest


@pytest.mark.compiled
def test_caution_travels_into_a_surrogate_trained_on_model_data() -> None:
    _, data = made("cuau")
    settings = resolve_settings("cuau", "dense", ("energy",), ModelOptions(epochs=1, width=4))
    card = fit_network(data, "dense", ("energy",), *settings).card
    assert card.caution == data.attributes["caution"]


def test_an_artefact_file_and_other_cells_can_be_labelled(tmp_path: Path) -> None:
    system = load_system("cuau", (2, 2, 1))
    artefact = shipped_artefact(load_system("cuau"))
    save_artefact(tmp_path / "own.safetensors", artefact.arrays, artefact.card)
    oracle = make_oracle(find_model(str(tmp_path / "own.safetensors"), system), system.lattice)
    data = label(oracle, Sample(10), system.name)
    assert data.lattice.n_sites == 16 and len(data) == 2 + 15 * 10


def test_an_ensemble_says_so() -> None:
    oracle, data = made("cuau", which="ensemble")
    assert data.attributes["code"] == f"model data: lattice ensemble surrogate {oracle.identity}"


def test_evaluation_of_the_labelling_surrogate_is_perfect() -> None:
    oracle, data = made("fept")
    report = evaluate(data, oracle.properties(data.occupations))
    assert report["mixing_energy_rmse_within_composition_mev_per_atom"] < 1e-6
    assert report["charge_r2"] == report["moment_r2"] == 1.0


def test_a_surrogate_that_breaks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    oracle, _ = made("cuau")
    broken = Properties(np.full(len(FEW.draw(oracle.lattice)), np.nan), None, None)
    monkeypatch.setattr(oracle, "properties", lambda occupations: broken)
    with pytest.raises(InputError, match="NaN"):
        label(oracle, FEW, "cuau")


def test_cells_beyond_an_orbit_label_are_refused() -> None:
    lattice = Lattice.cubic("fcc", ("Cu", "Au"), 7.3, (3, 3, 2))
    with pytest.raises(InputError, match="72 sites"):
        FEW.draw(lattice)


BAD = {
    "no configuration": (["cuau", "--per-composition", "0"], "per_composition"),
    "too many": (["cuau", "--per-composition", str(MAX_LABELLED)], "--per-composition"),
    "negative seed": (["cuau", "--seed", "-1"], "seed"),
    "missing artefact": (["cuau", "--surrogate", "none.safetensors"], "none.safetensors"),
    "none shipped": (["fept", "--surrogate", "ensemble"], "ensemble"),
    "missing folder": (["cuau", "--out", "none/data.h5"], "none"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_with_one_line(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, named = BAD[case]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        code = main(["label", *words])
    printed = capsys.readouterr()
    assert code == 2 and not printed.out and named in printed.err
    assert len(printed.err.strip().splitlines()) == 1 and not list(tmp_path.iterdir())
