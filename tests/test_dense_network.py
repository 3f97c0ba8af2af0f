"""The dense networks: the paper's layers, and a compiled energy that is a pure function of the configuration."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numba import njit

from surrogate.dense_energy import DenseEnergy
from surrogate.dense_kernels import GROUP
from surrogate.dense_network import DenseNetwork
from surrogate.settings import DenseSettings
from wanglandau.errors import InputError
from wanglandau.oracle import ENERGY_QUANTUM
from wanglandau.systems import System

TASKS = [("energy",), ("energy", "charge"), ("energy", "charge", "moment")]


def make(system: System, tasks: tuple[str, ...], width: int = 200) -> DenseNetwork:
    torch.manual_seed(3)
    network = DenseNetwork(system.lattice, tasks, DenseSettings(width))
    rng = torch.Generator().manual_seed(4)
    shapes = {"energy": (50,), "charge": (50, 32), "moment": (50, 32)}
    network.set_scale({t: torch.randn(shapes[t], generator=rng, dtype=torch.float64) for t in tasks})
    return network


def arrays(network: DenseNetwork) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy() for name, value in network.state_dict().items()}


def random_rows(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(2, size=(n, 32)).astype(np.int8)


def test_layers_are_those_of_the_paper(cuau: System) -> None:
    single = {name: tuple(value.shape) for name, value in make(cuau, ("energy",)).named_parameters()}
    assert single == {
        "first.weight": (200, 32),
        "first.bias": (200,),
        "second.weight": (200, 200),
        "second.bias": (200,),
        "head.energy.weight": (1, 200),
        "head.energy.bias": (1,),
    }
    multi = {name: tuple(value.shape) for name, value in make(cuau, TASKS[2], 300).named_parameters()}
    assert multi["second.weight"] == (300, 300)
    assert {multi[f"branch.{task}.weight"] for task in TASKS[2]} == {(100, 300)}
    assert multi["head.charge.weight"] == multi["head.moment.weight"] == (32, 100)
    assert multi["head.energy.weight"] == (1, 100)


@pytest.mark.parametrize("tasks", TASKS, ids="+".join)
@pytest.mark.parametrize("width", [7, 200])
def test_run_time_agrees_with_torch(cuau: System, tasks: tuple[str, ...], width: int) -> None:
    network = make(cuau, tasks, width)
    rows = random_rows(200)
    with torch.no_grad():
        wanted = network(network.inputs(rows))
    found = DenseEnergy(cuau.lattice, DenseSettings(width), arrays(network)).properties(rows)
    for task in tasks:
        np.testing.assert_allclose(getattr(found, task), wanted[task].numpy(), rtol=0, atol=2e-6)
    assert (found.charge is None) == ("charge" not in tasks)
    assert wanted["energy"].std() > 1e-3


@pytest.mark.compiled
@pytest.mark.parametrize("tasks", TASKS[:2], ids="+".join)
def test_energies_are_whole_quanta_and_independent_of_the_batch(cuau: System, tasks: tuple[str, ...]) -> None:
    model = DenseEnergy(cuau.lattice, DenseSettings(200), arrays(make(cuau, tasks)))
    rows = random_rows(5000)
    energies = model.energies(rows)
    assert (energies == np.rint(energies / ENERGY_QUANTUM) * ENERGY_QUANTUM).all()
    np.testing.assert_array_equal(np.concatenate([model.energies(rows[i : i + 1]) for i in range(50)]), energies[:50])
    np.testing.assert_array_equal(model.energies(rows[::-1])[::-1], energies)


@njit
def walk(
    parameters: tuple,
    occupations: np.ndarray,
    cache: np.ndarray,
    flips: np.ndarray,
    accepted: np.ndarray,
    trial: Callable,
    commit: Callable,
) -> np.ndarray:
    energies = np.empty(len(flips))
    for step in range(len(flips)):
        energies[step] = trial(parameters, occupations, cache, flips[step])
        if accepted[step]:
            commit(parameters, occupations, cache, flips[step])
    return energies


@pytest.mark.compiled
@pytest.mark.parametrize("tasks", TASKS[:2], ids="+".join)
@pytest.mark.parametrize("n_flips", [1, 2, 3])
def test_moves_never_drift_from_the_energy_computed_afresh(cuau: System, tasks: tuple[str, ...], n_flips: int) -> None:
    model = DenseEnergy(cuau.lattice, DenseSettings(200), arrays(make(cuau, tasks)))
    compiled = model.compiled()
    rng = np.random.default_rng(1)
    occupations = random_rows(1)[0]
    followed = occupations.copy()
    flips = np.array([rng.choice(32, n_flips, replace=False) for _ in range(2000)], dtype=np.int32)
    accepted = rng.random(len(flips)) < 0.5
    cache = np.full(compiled.cache_size, np.nan)
    assert compiled.prepare(compiled.parameters, occupations, cache) == model.energies(occupations[None])[0]
    found = walk(compiled.parameters, occupations, cache, flips, accepted, compiled.trial, compiled.commit)
    proposed = []
    for sites, keep in zip(flips, accepted, strict=True):
        after = followed.copy()
        after[sites] ^= 1
        proposed.append(after)
        followed = after if keep else followed
    np.testing.assert_array_equal(occupations, followed)
    np.testing.assert_array_equal(found, model.energies(np.array(proposed)))


@pytest.mark.parametrize("tasks", TASKS, ids="+".join)
@pytest.mark.parametrize("width", [7, 200, 300])
def test_walkers_together_have_the_energies_they_have_alone(cuau: System, tasks: tuple[str, ...], width: int) -> None:
    compiled = DenseEnergy(cuau.lattice, DenseSettings(width), arrays(make(cuau, tasks, width))).compiled()
    rng = np.random.default_rng(3)
    for n_walkers, n_flips in ((1, 2), (5, 1), (5, 3), (2 * GROUP + 3, 2)):
        occupations = random_rows(n_walkers)
        flips = np.array([rng.choice(32, n_flips, replace=False) for _ in occupations], dtype=np.int32)
        cache, energies = np.full((n_walkers, compiled.cache_size), np.nan), np.empty(n_walkers)
        for row, own in zip(occupations, cache, strict=True):
            compiled.prepare(compiled.parameters, row, own)
        alone = cache.copy()
        compiled.trials(compiled.parameters, occupations, cache, flips, energies)
        for k in range(n_walkers):
            assert energies[k] == compiled.trial(compiled.parameters, occupations[k], alone[k], flips[k])
        assert width == 7 or len(set(energies)) == n_walkers
        np.testing.assert_array_equal(cache[:, :width], alone[:, :width])  # both left the sums as they were


def test_a_first_layer_that_is_not_rounded_would_drift(cuau: System) -> None:
    model = DenseEnergy(cuau.lattice, DenseSettings(200), arrays(make(cuau, ("energy",))))
    compiled = model.compiled()
    spoilt = compiled.parameters._replace(first=compiled.parameters.first / 3.0)
    rng = np.random.default_rng(1)
    occupations = random_rows(1)[0]
    cache, fresh = np.empty(compiled.cache_size), np.empty(compiled.cache_size)
    compiled.prepare(spoilt, occupations, cache)
    for _ in range(300):
        sites = rng.choice(32, 2, replace=False).astype(np.int32)
        compiled.trial(spoilt, occupations, cache, sites)
        compiled.commit(spoilt, occupations, cache, sites)
    compiled.prepare(spoilt, occupations, fresh)
    assert (cache[:200] != fresh[:200]).any()


def test_networks_without_energy_have_properties_only(cuau: System) -> None:
    model = DenseEnergy(cuau.lattice, DenseSettings(20), arrays(make(cuau, ("charge",), 20)))
    found = model.properties(random_rows(3))
    assert np.isnan(found.energy).all() and found.charge is not None and found.charge.shape == (3, 32)
    with pytest.raises(InputError, match="no energy"):
        model.compiled()


def test_arrays_that_do_not_fit_are_refused(cuau: System) -> None:
    good = arrays(make(cuau, ("energy", "charge")))
    with pytest.raises(InputError, match="missing"):
        DenseEnergy(cuau.lattice, DenseSettings(200), {k: v for k, v in good.items() if k != "second.bias"})
    with pytest.raises(InputError, match="calls for shape"):
        DenseEnergy(cuau.lattice, DenseSettings(100), good)
    with pytest.raises(InputError, match="exceed"):
        DenseEnergy(cuau.lattice, DenseSettings(200), good | {"first.weight": good["first.weight"] * 1e9})


def test_settings_are_checked(cuau: System) -> None:
    with pytest.raises(InputError, match="width"):
        DenseSettings(0)
    with pytest.raises(InputError, match="at least one node"):
        DenseNetwork(cuau.lattice, TASKS[2], DenseSettings(2))
    with pytest.raises(InputError, match="tasks"):
        DenseNetwork(cuau.lattice, ("entropy",), DenseSettings(2))
