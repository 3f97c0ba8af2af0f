"""Ensembles: what members see, what files let in, and that the oracle samples the mean of its members."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from numpy.testing import assert_allclose, assert_array_equal

from surrogate.artefact import Artefact, load_artefact
from surrogate.calibration import calibration, spread_scale
from surrogate.dataset import load_dataset
from surrogate.ensemble_artefact import Ensemble, load_model, save_ensemble
from surrogate.ensemble_fitting import fit_ensemble
from surrogate.ensemble_oracle import EnsembleSurrogateOracle
from surrogate.evaluation import evaluate_oracle
from surrogate.fitting import fit_network
from surrogate.lattice_settings import LatticeSettings
from surrogate.oracle import SurrogateOracle, from_argument, shipped_model
from surrogate.orbits import deal_orbits
from surrogate.settings import DenseSettings, EnsembleSettings, TrainingSettings
from wanglandau.ensemble_oracle import EnsembleOracle, checked_member_energies
from wanglandau.errors import InputError, OracleError
from wanglandau.oracle import ENERGY_QUANTUM, CompiledOracle, PropertyOracle
from wanglandau.systems import System, load_system

MEMBERS = EnsembleSettings(4, 0.5)


def rows(n: int) -> np.ndarray:
    return np.random.default_rng(5).integers(2, size=(n, 32)).astype(np.int8)


@pytest.fixture(scope="module", params=["lattice", "dense"])
def ensemble(request: pytest.FixtureRequest) -> Ensemble:
    data, tasks = load_dataset("cuau"), ("energy", "charge")
    if request.param == "lattice":
        training = TrainingSettings(epochs=0, seed=3)
        return fit_ensemble(data, "lattice", tasks, LatticeSettings(width=12), training, MEMBERS, quiet=True)
    return fit_ensemble(data, "dense", tasks, DenseSettings(20), TrainingSettings(epochs=3), MEMBERS, quiet=True)


@pytest.fixture(scope="module")
def oracle(ensemble: Ensemble, cuau: System) -> EnsembleSurrogateOracle:
    return EnsembleSurrogateOracle(ensemble, cuau.lattice)


@pytest.fixture(scope="module")
def shipped(cuau: System) -> Ensemble:
    model = shipped_model(cuau, "ensemble")
    assert isinstance(model, Ensemble)
    return model


def test_every_orbit_is_left_out_whole_and_equally_often() -> None:
    orbit = np.repeat(np.arange(100, dtype=np.uint64), np.arange(100) % 3 + 1)
    unseen = deal_orbits(orbit, 8, 2, seed=1)
    assert_array_equal(unseen.sum(axis=0), 2)
    for label in range(100):
        assert len(np.unique(unseen[:, orbit == label], axis=1).T) == 1
    assert np.ptp(unseen[:, np.unique(orbit, return_index=True)[1]].sum(axis=1)) <= 1
    assert (deal_orbits(orbit, 8, 2, seed=2) != unseen).any()
    assert_array_equal(deal_orbits(orbit, 5, 3, seed=1).sum(axis=0), 3)  # a hand does not fill the deck


def test_members_are_trained_without_the_orbits_they_leave_out(ensemble: Ensemble) -> None:
    everything = set(load_dataset("cuau").orbit.tolist())
    for member, left_out in zip(ensemble.members, ensemble.card.left_out, strict=True):
        seen = set(member.card.dataset["orbits"])
        assert seen.isdisjoint(left_out["orbits"]) and seen | set(left_out["orbits"]) == everything
        assert left_out["n_orbits"] == pytest.approx(len(everything) / 2, abs=1)
    assert len({member.card.training["seed"] for member in ensemble.members}) == MEMBERS.members
    assert len({left_out["digest"] for left_out in ensemble.card.left_out}) == MEMBERS.members


def test_energies_are_the_mean_and_members_deviate_as_scaled(
    oracle: EnsembleSurrogateOracle, ensemble: Ensemble, cuau: System
) -> None:
    singles = np.array([SurrogateOracle(member, cuau.lattice).energies(rows(50)) for member in ensemble.members]).T
    mean = singles.mean(axis=1)
    assert_allclose(oracle.energies(rows(50)), mean, rtol=0, atol=1e-10)
    wanted = mean[:, None] + ensemble.card.spread_scale * (singles - mean[:, None])
    assert_allclose(oracle.member_energies(rows(50)), wanted, rtol=0, atol=1e-9)
    assert np.abs(wanted - singles).max() > 1e-6  # unscaled members would not pass
    charges = [SurrogateOracle(member, cuau.lattice).properties(rows(9)).charge for member in ensemble.members]
    found = oracle.properties(rows(9))
    assert_allclose(found.charge, np.mean(charges, axis=0), rtol=0, atol=1e-12)  # type: ignore[arg-type]
    assert_array_equal(found.energy, oracle.energies(rows(9)))


def test_capabilities_and_contract(oracle: EnsembleSurrogateOracle) -> None:
    for protocol in (EnsembleOracle, CompiledOracle, PropertyOracle):
        assert isinstance(oracle, protocol)
    energies, members = oracle.energies(rows(70)), checked_member_energies(oracle, rows(70))
    assert members.shape == (70, oracle.n_members) and members.dtype == energies.dtype == np.float64
    for values in (energies, members):
        assert_array_equal(values / ENERGY_QUANTUM, np.rint(values / ENERGY_QUANTUM))
    assert_array_equal(oracle.energies(rows(70)[::-1])[::-1], energies)
    assert_array_equal(oracle.member_energies(rows(70)[13:14])[0], members[13])
    assert oracle.member_energies(rows(0)).shape == (0, oracle.n_members)
    images = rows(1)[0][oracle.lattice.symmetry[::97]]
    for spread in (np.ptp(oracle.energies(images)), np.ptp(oracle.member_energies(images), axis=0).max()):
        assert (spread < 1e-11) == oracle.invariant
    with pytest.raises(InputError, match="shape"):
        oracle.member_energies(np.zeros((2, 31), np.int8))


def test_compiled_energy_is_the_same_bit_for_bit_along_a_walk(oracle: EnsembleSurrogateOracle) -> None:
    compiled = oracle.compiled()
    occupations = rows(1)[0]
    cache = np.empty(compiled.cache_size)
    rng = np.random.default_rng(0)
    assert compiled.prepare(compiled.parameters, occupations, cache) == oracle.energies(occupations[None])[0]
    for step in range(200):
        flips = rng.choice(32, size=rng.integers(1, 4), replace=False).astype(np.int32)
        after = occupations.copy()
        after[flips] = 1 - after[flips]
        assert compiled.trial(compiled.parameters, occupations, cache, flips) == oracle.energies(after[None])[0], step
        if step % 3:  # the others are rejected
            compiled.commit(compiled.parameters, occupations, cache, flips)
            assert_array_equal(occupations, after)


def test_held_out_errors_are_those_of_members_that_have_not_seen(ensemble: Ensemble, cuau: System) -> None:
    data = load_dataset("cuau")
    unit = 13605.693 / 32
    energies = np.array([SurrogateOracle(one, cuau.lattice).energies(data.occupations) for one in ensemble.members])
    seen = np.array([np.isin(data.orbit, one.card.dataset["orbits"]) for one in ensemble.members])

    def rms(mask: np.ndarray) -> float:
        mean = np.nanmean(np.where(mask, energies, np.nan), axis=0)
        some = (data.composition > 0) & (data.composition < 32)
        return float(np.sqrt(np.mean((mean - data.mixing_energy)[some] ** 2))) * unit

    wanted = ensemble.card.held_out["rms_error_mev_per_atom"]
    if ensemble.members[0].card.architecture == "lattice":  # the energy of the pure species is known only there
        assert rms(~seen) == pytest.approx(wanted, rel=1e-5)
        assert rms(seen) < 0.8 * wanted
    assert ensemble.card.held_out["n_members_each"] == 2


def test_scale_is_found_again() -> None:
    """Truth and members scatter about a common mean, the truth 1.5 times as widely."""
    rng = np.random.default_rng(1)
    size = rng.gamma(2.0, size=20_000)
    for n_members in (2, 3, 8):
        members = size * rng.normal(size=(n_members, len(size)))
        error = members.mean(axis=0) - 1.5 * size * rng.normal(size=len(size))
        assert spread_scale(error, members.std(axis=0, ddof=1), n_members) == pytest.approx(1.5, rel=0.03)
    assert spread_scale(np.zeros(3), np.ones(3), 2) == 0.0
    assert spread_scale(np.ones(3), np.zeros(3), 2) == 1.0
    honest = calibration(size * rng.normal(size=len(size)), size)
    assert honest["z_rms"] == pytest.approx(1, rel=0.02) and honest["coverage_1"] == pytest.approx(0.683, abs=0.02)
    assert calibration(2 * size * rng.normal(size=len(size)), size)["coverage_1"] < 0.45
    assert calibration(np.zeros(2), np.zeros(2)) == {"n": 0}
    error = np.where(np.arange(len(size)) < len(size) // 5, 3.0, 1.0) * size * rng.normal(size=len(size))
    fifths = calibration(error, size, np.arange(len(size)))["by_energy"]  # spreads too small for low energies alone
    assert [part["n"] for part in fifths] == [4000] * 5 and fifths[0]["coverage_1"] < 0.35
    assert all(part["coverage_1"] == pytest.approx(0.683, abs=0.03) for part in fifths[1:])
    order = rng.permutation(len(size))
    assert calibration(error[order], size[order], order)["by_energy"][0]["coverage_1"] == fifths[0]["coverage_1"]


def test_round_trip(ensemble: Ensemble, tmp_path: Path, cuau: System) -> None:
    path = tmp_path / "some.safetensors"
    save_ensemble(path, ensemble)
    found = load_model(path)
    assert isinstance(found, Ensemble)
    assert found.card == ensemble.card and found.digest() == ensemble.digest()
    oracle = from_argument(str(path), cuau)
    assert isinstance(oracle, EnsembleOracle)
    assert oracle.identity == EnsembleSurrogateOracle(ensemble, cuau.lattice).identity
    with pytest.raises(InputError, match="ensemble"):
        load_artefact(path)
    with pytest.raises(InputError, match="'@cpu'"):
        from_argument(f"{path}@cpu", cuau)


def test_identity_depends_on_every_member_and_on_the_scale(ensemble: Ensemble, cuau: System) -> None:
    last = ensemble.members[-1]
    name = "energy_weights" if "energy_weights" in last.arrays else "first.weight"
    changed = last._replace(arrays=last.arrays | {name: last.arrays[name] * 1.001})
    wider = dataclasses.replace(ensemble.card, spread_scale=2 * ensemble.card.spread_scale)
    others = [
        ensemble,
        ensemble._replace(members=(*ensemble.members[:-1], changed)),
        ensemble._replace(card=wider),
    ]
    assert len({EnsembleSurrogateOracle(one, cuau.lattice).identity for one in others}) == 3


def tampered(ensemble: Ensemble) -> Ensemble:
    """Change one weight of the second member in the eighth digit."""
    second = ensemble.members[1]
    name = sorted(name for name, values in second.arrays.items() if values.ndim)[0]
    arrays = second.arrays | {name: second.arrays[name].copy()}
    arrays[name].flat[0] = np.nextafter(arrays[name].flat[0], np.inf)
    return ensemble._replace(members=(ensemble.members[0], second._replace(arrays=arrays), *ensemble.members[2:]))


def elsewhere(ensemble: Ensemble) -> Ensemble:
    """Say of the last member that it was trained on another lattice."""
    last = ensemble.members[-1]
    distances = [1.01 * distance for distance in last.card.lattice["shell_distances_bohr"]]
    card = dataclasses.replace(last.card, lattice=last.card.lattice | {"shell_distances_bohr": distances})
    members = (*ensemble.members[:-1], Artefact(last.arrays, card))
    return Ensemble(members, dataclasses.replace(ensemble.card, members=[member.card for member in members]))


def one_less(ensemble: Ensemble) -> Ensemble:
    return ensemble._replace(members=ensemble.members[:-1])


def one_more(ensemble: Ensemble) -> Ensemble:
    return ensemble._replace(members=(*ensemble.members, ensemble.members[0]))


def one_digest_less(ensemble: Ensemble) -> Ensemble:
    return ensemble._replace(card=dataclasses.replace(ensemble.card, digests=ensemble.card.digests[:-1]))


def alone(ensemble: Ensemble) -> Ensemble:
    card = dataclasses.replace(ensemble.card, members=ensemble.card.members[:1])
    return Ensemble(ensemble.members[:1], card)


def scaled_below_zero(ensemble: Ensemble) -> Ensemble:
    return ensemble._replace(card=dataclasses.replace(ensemble.card, spread_scale=-1.0))


BROKEN = [
    (tampered, "member 1 is not the one"),
    (elsewhere, "differ in 'lattice'"),
    (one_less, "lists 4 members.*arrays of 3"),
    (one_more, "lists 4 members.*arrays of 5"),
    (one_digest_less, "3 digests"),
    (alone, "lists 1 members"),
    (scaled_below_zero, "spread_scale is -1"),
]


@pytest.mark.parametrize(("spoil", "words"), BROKEN, ids=[spoil.__name__ for spoil, _ in BROKEN])
def test_spoilt_ensembles_are_refused(spoil: object, words: str, ensemble: Ensemble, tmp_path: Path) -> None:
    path = tmp_path / "spoilt.safetensors"
    assert callable(spoil)
    save_ensemble(path, spoil(ensemble))
    with pytest.raises(InputError, match=words) as caught:
        load_model(path)
    assert "spoilt.safetensors" in str(caught.value) and "\n" not in str(caught.value)


def test_strange_cards_are_refused(ensemble: Ensemble, tmp_path: Path) -> None:
    path = tmp_path / "strange.safetensors"
    good = json.loads(ensemble.card.to_json())
    for change, words in (
        ({"schema_version": 9}, "schema_version 9"),
        ({"surprise": 1}, "unknown entry 'surprise'"),
        ({"spread_scale": "wide"}, "'spread_scale'"),
        ({"members": [1, 2]}, "schema_version"),
        ({"members": {}}, "'members'"),
    ):
        path.write_bytes(safetensors.numpy.save({"0.x": np.zeros(2)}, {"card": json.dumps(good | change)}))
        with pytest.raises(InputError, match=words):
            load_model(path)


def test_single_models_load_as_before(cuau: System) -> None:
    assert isinstance(shipped_model(cuau, "lattice"), Artefact)
    assert isinstance(from_argument("", cuau), SurrogateOracle)
    with pytest.raises(InputError, match="no ensemble surrogate is shipped"):
        from_argument("ensemble", load_system("fept"))


def test_shipped_ensemble_knows_its_data_and_its_error(shipped: Ensemble, cuau: System) -> None:
    data = load_dataset("cuau")
    assert shipped.card.dataset["digest"] == data.digest
    assert len(shipped.members) == 8 and set(shipped.card.dataset["orbits"]) == set(data.orbit.tolist())
    report = evaluate_oracle(data, EnsembleSurrogateOracle(shipped, cuau.lattice), data)
    assert report["mixing_energy_rmse_within_composition_mev_per_atom"] < 0.1 and report["charge_r2"] > 0.999
    assert report["symmetry_spread_mev_per_atom"]["max"] < 1e-6
    found = report["ensemble"]
    assert found["n_members"] == 8 and found["held_out_in_training"] == shipped.card.held_out
    assert 0.07 < shipped.card.held_out["rms_error_mev_per_atom"] < 0.15
    assert shipped.card.held_out["rms_spread_mev_per_atom"] == pytest.approx(
        shipped.card.held_out["rms_error_mev_per_atom"], rel=0.15
    )
    assert found["calibration"]["rms_spread_mev_per_atom"] < 0.2


@pytest.mark.long
def test_shipped_members_are_what_their_cards_make(shipped: Ensemble, cuau: System) -> None:
    """Member 5 trained again from what its card says of seed and data, and nothing else."""
    data, member = load_dataset("cuau"), shipped.members[5]
    training = {name: value for name, value in member.card.training.items() if name != "best_epoch"}
    part = data.select(np.flatnonzero(np.isin(data.orbit, member.card.dataset["orbits"])))
    settings = LatticeSettings(**member.card.network)
    again = fit_network(part, "lattice", tuple(member.card.tasks), settings, TrainingSettings(**training), quiet=True)
    assert again.card.dataset == member.card.dataset
    first, second = (SurrogateOracle(one, cuau.lattice).energies(data.occupations) for one in (again, member))
    assert_allclose(first, second, rtol=0, atol=1e-6)
    other = SurrogateOracle(shipped.members[4], cuau.lattice).energies(data.occupations)
    assert np.abs(first - other).max() > 1e-4


def test_shipped_ensemble_fits_every_cell(shipped: Ensemble, cuau: System) -> None:
    larger = EnsembleSurrogateOracle(shipped, load_system("cuau", (4, 2, 2)).lattice)
    small = EnsembleSurrogateOracle(shipped, cuau.lattice)
    doubled = np.concatenate([rows(3), rows(3)], axis=1)  # the first axis repeats slowest
    assert_allclose(larger.member_energies(doubled), 2 * small.member_energies(rows(3)), rtol=0, atol=1e-9)
    with pytest.raises(InputError, match="Fe-Pt"):
        EnsembleSurrogateOracle(shipped, load_system("fept").lattice)


def test_failing_members_raise(oracle: EnsembleSurrogateOracle, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong, words in ((np.zeros((3, 2)), "shape"), (np.full((3, oracle.n_members), np.nan), "member 0 gave nan")):
        with monkeypatch.context() as patch:
            patch.setattr(oracle, "member_energies", lambda occupations, wrong=wrong: wrong)
            with pytest.raises(OracleError, match=words):
                checked_member_energies(oracle, rows(3))


def test_settings_that_make_no_ensemble_are_refused() -> None:
    data = load_dataset("cuau")
    assert EnsembleSettings().n_left_out == 2 and EnsembleSettings(20, 0.5).n_left_out == 10
    for wrong in ({"members": 3}, {"fraction": 0.0}, {"fraction": 1.5}, {"members": 8, "fraction": 0.01}):
        with pytest.raises(InputError):
            EnsembleSettings(**wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="add energy"):
        fit_ensemble(data, "dense", ("charge",), DenseSettings(4), TrainingSettings(), MEMBERS)
    with pytest.raises(InputError, match="orbits are too few"):
        few = data.select(np.arange(3))
        fit_ensemble(few, "dense", ("energy",), DenseSettings(4), TrainingSettings(), MEMBERS)
