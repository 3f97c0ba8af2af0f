"""Trained models as oracles: the contract, what is refused, and boosted trees."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from surrogate.artefact import load_artefact, save_artefact
from surrogate.dataset import load_dataset
from surrogate.fitting import fit_network
from surrogate.oracle import FIRST, SurrogateOracle, from_argument, shipped_artefact
from surrogate.settings import DenseSettings, TrainingSettings
from surrogate.torch_oracle import BLOCK
from surrogate.xgboost_oracle import fit_xgboost, load_xgboost
from wanglandau.errors import InputError, OracleError
from wanglandau.oracle import CompiledOracle, EnergyOracle, PropertyOracle
from wanglandau.oracle_registry import load_oracle
from wanglandau.systems import System, load_system

SPECIFICATIONS = ["surrogate", "surrogate:dense", "surrogate:dense@cpu", "surrogate:lattice@cpu", "xgboost"]


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trees") / "trees.ubj"
    fit_xgboost(load_dataset("cuau")).save(path)
    return path


@pytest.fixture(scope="module", params=SPECIFICATIONS)
def oracle(request: pytest.FixtureRequest, trees: Path, cuau: System) -> EnergyOracle:
    return load_oracle(f"xgboost:{trees}" if request.param == "xgboost" else request.param, cuau)


def rows(n: int) -> np.ndarray:
    return np.random.default_rng(5).integers(2, size=(n, 32)).astype(np.int8)


def test_energies_are_a_pure_function_of_the_configuration(oracle: EnergyOracle) -> None:
    batch = rows(BLOCK + 100)
    before = batch.copy()
    energies = oracle.energies(batch)
    np.testing.assert_array_equal(batch, before)
    assert energies.dtype == np.float64 and energies.shape == (len(batch),)
    np.testing.assert_array_equal(oracle.energies(batch[::-1])[::-1], energies)
    some = [0, 1, 17, BLOCK - 1, BLOCK, BLOCK + 99]
    np.testing.assert_array_equal([oracle.energies(batch[i : i + 1])[0] for i in some], energies[some])
    assert oracle.energies(batch[:0]).shape == (0,)


def test_energies_are_close_to_the_data(oracle: EnergyOracle) -> None:
    data = load_dataset("cuau")
    error = oracle.energies(data.occupations) - data.mixing_energy
    assert np.sqrt(np.mean(error**2)) < 0.2 * data.mixing_energy.std()


def test_invariance_is_as_declared(oracle: EnergyOracle) -> None:
    operations = oracle.lattice.symmetry[::97]
    images = rows(1)[0][operations]
    spread = np.ptp(oracle.energies(images))
    assert (spread < 1e-11) == oracle.invariant


def test_wrong_shapes_are_refused(oracle: EnergyOracle) -> None:
    for wrong in (np.zeros(32, np.int8), np.zeros((2, 31), np.int8)):
        with pytest.raises(InputError, match="shape"):
            oracle.energies(wrong)


def test_capabilities(cuau: System) -> None:
    compiled, torched = load_oracle("surrogate:dense", cuau), load_oracle("surrogate:dense@cpu", cuau)
    assert isinstance(compiled, CompiledOracle) and isinstance(compiled, PropertyOracle)
    assert not isinstance(torched, CompiledOracle)
    assert compiled.identity != torched.identity
    np.testing.assert_allclose(compiled.energies(rows(50)), torched.energies(rows(50)), rtol=0, atol=1e-6)
    call = compiled.model_call()
    np.testing.assert_allclose([call(row) for row in rows(5)], torched.energies(rows(5)), rtol=0, atol=1e-6)


def test_identity_depends_on_weights_and_lattice(cuau: System) -> None:
    artefact = shipped_artefact(cuau)
    larger = load_system("cuau", (2, 2, 3))
    changed = {name: values.copy() for name, values in artefact.arrays.items()}
    next(iter(changed.values())).flat[0] += 1e-3
    identities = {
        SurrogateOracle(artefact, cuau.lattice).identity,
        SurrogateOracle(artefact, larger.lattice).identity,
        SurrogateOracle(artefact._replace(arrays=changed), cuau.lattice).identity,
    }
    assert len(identities) == 3
    assert SurrogateOracle(artefact, cuau.lattice).identity in identities


def test_lattice_surrogates_fit_every_cell_and_dense_ones_only_theirs(cuau: System) -> None:
    larger = load_system("cuau", (4, 2, 2))
    doubled = np.concatenate([rows(3), rows(3)], axis=1)  # the first axis repeats slowest
    small = load_oracle("surrogate", cuau).energies(rows(3))
    np.testing.assert_allclose(load_oracle("surrogate", larger).energies(doubled), 2 * small, rtol=0, atol=1e-10)
    with pytest.raises(InputError, match="very cell"):
        load_oracle("surrogate:dense", larger)


def test_shipped_artefacts_say_what_they_were_trained_on() -> None:
    for name in ("cuau", "fept"):
        data, system = load_dataset(name), load_system(name)
        for architecture in ("lattice", "dense"):
            card = shipped_artefact(system, architecture).card
            assert card.dataset["digest"] == data.digest
            assert set(card.dataset["orbits"]) == set(data.orbit.tolist())
            np.testing.assert_array_equal(card.reference_energies, data.reference_energies)
            assert card.metrics["n_configurations"] == len(data)


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("none.safetensors", "cannot read"),
        ("dense@nowhere", "device 'nowhere'"),
        (__file__, "not a safetensors file"),
    ],
)
def test_bad_arguments_are_refused(argument: str, words: str, cuau: System) -> None:
    with pytest.raises(InputError, match=words):
        from_argument(argument, cuau)


def test_surrogates_of_the_first_data_stay_as_they_were() -> None:
    """Published studies on model data were labelled by them."""
    digests = {"cuau": "8552d9efbc19b966", "fept": "c422eb99171949d7"}
    for name, digest in digests.items():
        system = load_system(name)
        first, now = (shipped_artefact(system, which) for which in (FIRST, "lattice"))
        assert first.digest()[:16] == digest != now.digest()[:16]
        left_out = set(first.card.dataset["orbits"]) - set(now.card.dataset["orbits"])
        assert len(left_out) == {"cuau": 0, "fept": 5}[name]  # those that LSMS had ended too early
        assert from_argument("lattice-v1", system).identity == SurrogateOracle(first, system.lattice).identity


def test_the_first_version_of_the_data_is_the_beginning_of_the_present_one() -> None:
    card = shipped_artefact(load_system("cuau"), FIRST).card.dataset
    assert load_dataset("cuau").select(np.arange(card["n_configurations"])).digest == card["digest"]


def test_other_alloys_are_refused(tmp_path: Path, cuau: System, fept: System) -> None:
    path = tmp_path / "model.safetensors"
    artefact = shipped_artefact(cuau)
    save_artefact(path, artefact.arrays, artefact.card)
    with pytest.raises(InputError, match=r"Cu-Au.*Fe-Pt"):
        from_argument(str(path), fept)
    with pytest.raises(InputError, match="no dense surrogate is shipped"):
        from_argument("dense", dataclasses.replace(cuau, name="mine"))


def test_surrogates_without_energy_are_no_oracles(tmp_path: Path, cuau: System) -> None:
    path = tmp_path / "model.safetensors"
    made = fit_network(load_dataset("cuau"), "dense", ("charge",), DenseSettings(4), TrainingSettings(epochs=1))
    save_artefact(path, made.arrays, made.card)
    with pytest.raises(InputError, match="no energy"):
        from_argument(str(path), cuau)
    assert SurrogateOracle(load_artefact(path), cuau.lattice).properties(rows(2)).charge is not None


def test_broken_weights_raise_instead_of_answering(cuau: System) -> None:
    artefact = shipped_artefact(cuau, "dense")
    oracle = SurrogateOracle(
        artefact._replace(arrays=artefact.arrays | {"energy_scale": np.array(np.inf)}), cuau.lattice
    )
    with np.errstate(all="ignore"), pytest.raises(OracleError, match="not finite"):
        oracle.energies(rows(3))


def test_running_a_surrogate_needs_no_torch() -> None:
    code = """if True:
        import sys
        import numpy as np
        import surrogate.cli, surrogate.evaluation
        from wanglandau.oracle_registry import load_oracle
        from wanglandau.systems import load_system
        for which in ("surrogate", "surrogate:dense"):
            oracle = load_oracle(which, load_system("fept"))
            print(oracle.properties(np.zeros((1, 32), np.int8)).moment.shape)
        print("torch" in sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.split("\n")[:3] == ["(1, 32)", "(1, 32)", "False"], done.stderr


@pytest.mark.parametrize("suffix", ["ubj", "json"])
def test_trees_round_trip(trees: Path, tmp_path: Path, cuau: System, suffix: str) -> None:
    first = load_xgboost(trees, cuau.lattice)
    first.save(tmp_path / f"copy.{suffix}")
    second = load_xgboost(tmp_path / f"copy.{suffix}", cuau.lattice)
    np.testing.assert_array_equal(first.energies(rows(20)), second.energies(rows(20)))
    assert first.identity == second.identity


def test_bad_trees_are_refused(trees: Path, tmp_path: Path, cuau: System, fept: System) -> None:
    content = trees.read_bytes()
    bad = tmp_path / "bad.ubj"
    for damaged in (b"", b"\x80\x04pickle", content[:100], b"{}"):
        bad.write_bytes(damaged)
        with pytest.raises(InputError, match=r"bad\.ubj"):
            load_xgboost(bad, cuau.lattice)
    with pytest.raises(InputError, match="Fe-Pt"):
        load_xgboost(trees, fept.lattice)
    with pytest.raises(InputError, match="PATH"):
        load_oracle("xgboost", cuau)
