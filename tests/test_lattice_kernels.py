"""The lattice surrogate without torch: descriptors, tables and the incremental energy."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from surrogate import lattice_kernels
from surrogate.lattice_energy import LatticeEnergy
from surrogate.lattice_settings import LatticeSettings
from surrogate.site_descriptors import (
    arm_masks,
    count_clusters,
    count_stars,
    environment_strides,
    environments,
    find_neighbourhood,
    shell_counts,
    star_types,
)
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.oracle import ENERGY_QUANTUM

WIDTH = 5
SETTINGS = LatticeSettings(length_scales=(1.0, 2.0, 3.0), width=WIDTH, star_sites=4, head_shells=3)
CELLS = [
    ("fcc", (2, 2, 2)),
    ("fcc", (1, 1, 1)),
    ("fcc", (1, 1, 2)),
    ("fcc", (3, 2, 4)),
    ("bcc", (2, 2, 4)),
    ("bcc", (1, 1, 1)),
    ("bcc", (3, 3, 3)),
    ("sc", (2, 3, 3)),
]


def make_lattice(structure: str, repeat: tuple[int, int, int]) -> Lattice:
    return Lattice.cubic(structure, ("Cu", "Au"), 7.0, repeat)


def random_arrays(structure: str, settings: LatticeSettings = SETTINGS) -> dict[str, np.ndarray]:
    """Weights of a network that nobody trained, the same for every cell of the lattice."""
    rng = np.random.default_rng(5)
    arms = find_neighbourhood(make_lattice(structure, (1, 1, 1)), 1)
    n_stars = len(star_types(arms, settings.star_sites))
    n_features, n_shells = 2 * settings.width, settings.head_shells
    sizes = {
        "energy": n_features + n_stars,
        "charge": n_shells * (1 + n_features),
        "moment": 2 + n_features + 2 * n_shells * (1 + n_features),
    }
    arrays = {
        "frequencies": rng.normal(size=(2, len(settings.length_scales), settings.width)),
        "phases": rng.uniform(0, 6, size=(2, settings.width)),
    }
    for task, size in sizes.items():
        arrays[f"{task}_weights"] = rng.normal(size=size)
        arrays[f"{task}_norms"] = rng.uniform(0.5, 1, size=size)
        arrays[f"{task}_unit"] = np.array(0.01)
    return arrays


def make_energy(structure: str, repeat: tuple[int, int, int]) -> tuple[Lattice, LatticeEnergy]:
    lattice = make_lattice(structure, repeat)
    return lattice, LatticeEnergy(lattice, SETTINGS, random_arrays(structure))


def random_occupations(lattice: Lattice, n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, size=(n, lattice.n_sites)).astype(np.int8)


@pytest.mark.parametrize(("structure", "repeat"), CELLS)
def test_trial_equals_fresh_energy_to_the_bit(structure, repeat):
    lattice, model = make_energy(structure, repeat)
    compiled = model.compiled()
    rng = np.random.default_rng(1)
    occupations = random_occupations(lattice, 1)[0]
    cache, fresh = np.full((2, compiled.cache_size), np.nan)
    compiled.prepare(compiled.parameters, occupations, cache)
    for _ in range(150):
        flips = rng.choice(lattice.n_sites, size=min(rng.integers(1, 4), lattice.n_sites), replace=False)
        flips = flips.astype(np.int32)
        before = occupations.copy()
        energy = compiled.trial(compiled.parameters, occupations, cache, flips)
        assert (occupations == before).all()
        flipped = before.copy()
        flipped[flips] ^= 1
        assert energy == compiled.prepare(compiled.parameters, flipped, fresh)
        if rng.random() < 0.5:
            compiled.commit(compiled.parameters, occupations, cache, flips)
            assert (occupations == flipped).all()
        assert compiled.prepare(compiled.parameters, occupations, fresh) == cache[0]
        assert (fresh[:-1] == cache[:-1]).all()


@pytest.mark.parametrize(("structure", "repeat"), CELLS)
def test_energies_are_those_of_the_sum_over_sites(structure, repeat):
    """A plain sum over sites, with shells from the lattice and stars from plain products."""
    lattice, model = make_energy(structure, repeat)
    arrays = random_arrays(structure)
    occupations = random_occupations(lattice, 4)
    weights = arrays["energy_weights"] * arrays["energy_norms"] * arrays["energy_unit"]
    shells = lattice.shells(3)
    arms = find_neighbourhood(lattice, 1)
    types = star_types(arms, 4)
    for row, energy in zip(occupations, model.energies(occupations), strict=True):
        expected = 0.0
        for site in range(lattice.n_sites):
            kind = row[site]
            shares = np.array([row[shell.neighbours[site]].mean() for shell in shells])
            waves, phases = arrays["frequencies"][kind], arrays["phases"][kind]
            hidden = np.cos(shares @ waves + phases) - np.cos(kind * waves.sum(axis=0) + phases)
            expected += hidden @ weights[kind * WIDTH : (kind + 1) * WIDTH]
            for weight, members in zip(weights[2 * WIDTH :], types, strict=True):
                full = sum(row[arms.sites[site, list(member)]].prod(dtype=int) for member in members)
                expected += kind * weight * (full - len(members))
        assert energy == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("structure", "repeat"), [("fcc", (2, 2, 2)), ("bcc", (2, 2, 4)), ("fcc", (1, 1, 2))])
def test_symmetry_changes_nothing_to_the_bit(structure, repeat):
    lattice, model = make_energy(structure, repeat)
    occupations = random_occupations(lattice, 1)[0]
    energies = model.energies(occupations[lattice.symmetry])
    assert (energies == energies[0]).all()
    reference = model.properties(occupations[None])
    turned = model.properties(occupations[lattice.symmetry[-1]][None])
    np.testing.assert_allclose(turned.charge[0], reference.charge[0][lattice.symmetry[-1]], atol=1e-12)
    np.testing.assert_allclose(turned.moment[0], reference.moment[0][lattice.symmetry[-1]], atol=1e-12)


@pytest.mark.parametrize("structure", ["fcc", "bcc"])
def test_a_repeated_configuration_has_the_repeated_energy(structure):
    """Fails if images of a neighbour in the small cell were counted once only."""
    small, model = make_energy(structure, (1, 1, 2))
    large, repeated = make_energy(structure, (3, 3, 4))
    occupations = random_occupations(small, 6)
    where = _sites_of_small_cell(small, large)
    assert (repeated.energies(occupations[:, where]) == 18 * model.energies(occupations)).all()
    small_sites, large_sites = model.properties(occupations), repeated.properties(occupations[:, where])
    np.testing.assert_allclose(large_sites.charge, small_sites.charge[:, where], atol=1e-12)
    np.testing.assert_allclose(large_sites.moment, small_sites.moment[:, where], atol=1e-12)


def _sites_of_small_cell(small: Lattice, large: Lattice) -> np.ndarray:
    difference = (large.positions[:, None] - small.positions[None]) @ np.linalg.inv(small.cell)
    return np.abs(difference - np.round(difference)).max(axis=-1).argmin(axis=1)


def test_forgetting_image_multiplicity_would_be_noticed():
    lattice, model = make_energy("fcc", (2, 2, 2))
    tables = model.compiled().parameters
    strides = environment_strides(np.array([12, 6, 24]))
    doubled = tables.changes == 2 * strides[2]
    assert doubled.sum() == 3
    wrong = tables._replace(changes=np.where(doubled, strides[2], tables.changes))
    occupations = random_occupations(lattice, 5)
    assert (lattice_kernels.all_energies(wrong, occupations) != model.energies(occupations)).all()


@pytest.mark.parametrize(("structure", "repeat"), [*CELLS, ("fcc", (5, 5, 5))])
def test_tables_hold_what_plain_counting_finds(structure, repeat):
    """What a flip changes, site by site and direction by direction, added up in a plain loop."""
    lattice, model = make_energy(structure, repeat)
    tables = model.compiled().parameters
    neighbours, arms = find_neighbourhood(lattice, 3), find_neighbourhood(lattice, 1)
    strides, n_arms = environment_strides(neighbours.coordination), arms.sites.shape[1]
    expected = np.zeros((lattice.n_sites, lattice.n_sites), dtype=np.int64)  # [flipped, touched]
    for centre in range(lattice.n_sites):
        expected[centre, centre] += strides[0] + 2 ** (tables.bits + n_arms)
        for site, shell in zip(neighbours.sites[centre], neighbours.shell, strict=True):
            expected[site, centre] += strides[1 + shell]
        for arm, site in enumerate(arms.sites[centre]):
            expected[site, centre] += 2 ** (tables.bits + arm)
    found = np.zeros_like(expected)
    for flipped, touched in enumerate(tables.touched):
        np.add.at(found[flipped], touched, tables.changes)
    np.testing.assert_array_equal(found, expected)
    assert (tables.changes[: tables.n_starred] >> tables.bits > 0).all()
    assert (tables.changes[tables.n_starred :] >> tables.bits == 0).all()


def test_whole_numbers_are_as_short_as_they_can_be():
    """Three shells of fcc and its arms fit into 32 bits, five do not; both give energies without drift."""
    structure = "fcc"
    for n_shells, kind in ((3, np.int32), (5, np.int64)):
        settings = dataclasses.replace(SETTINGS, length_scales=(1.0,) * n_shells)
        lattice = make_lattice(structure, (2, 2, 4))
        model = LatticeEnergy(lattice, settings, random_arrays(structure, settings))
        compiled = model.compiled()
        assert compiled.parameters.changes.dtype == kind and compiled.parameters.touched.dtype == np.uint16
        occupations = random_occupations(lattice, 1)[0]
        cache = np.empty(compiled.cache_size)
        compiled.prepare(compiled.parameters, occupations, cache)
        rng = np.random.default_rng(2)
        for _ in range(50):
            flips = rng.choice(lattice.n_sites, size=2, replace=False).astype(np.int32)
            energy = compiled.trial(compiled.parameters, occupations, cache, flips)
            compiled.commit(compiled.parameters, occupations, cache, flips)
            assert energy == model.energies(occupations[None])[0]


def test_pure_species_are_zero_and_energies_are_whole_quanta():
    for structure, repeat in CELLS[:5]:
        lattice, model = make_energy(structure, repeat)
        pure = np.stack([np.zeros(lattice.n_sites), np.ones(lattice.n_sites)]).astype(np.int8)
        assert (model.energies(pure) == 0).all()
        assert np.abs(model.properties(pure).charge).max() < 1e-12
        quanta = model.energies(random_occupations(lattice, 20)) / ENERGY_QUANTUM
        assert (quanta == np.round(quanta)).all()


def test_charges_are_neutral():
    lattice, model = make_energy("fcc", (2, 2, 2))
    charge = model.properties(random_occupations(lattice, 20)).charge
    assert np.abs(charge).max() > 1e-3
    assert np.abs(charge.sum(axis=1)).max() < 1e-10


def test_energy_does_not_depend_on_the_batch():
    lattice, model = make_energy("bcc", (2, 2, 4))
    occupations = random_occupations(lattice, 30)
    before = occupations.copy()
    together = model.energies(occupations)
    assert (together == [model.energies(row[None])[0] for row in occupations]).all()
    assert (together == model.properties(occupations).energy).all()
    assert (occupations == before).all()


@pytest.mark.compiled
def test_compiled_and_plain_python_agree():
    lattice, model = make_energy("fcc", (1, 1, 2))
    compiled = model.compiled()
    occupations = random_occupations(lattice, 1)[0]
    flips = np.array([1, 6], dtype=np.int32)
    fast, slow = np.zeros((2, compiled.cache_size))
    assert lattice_kernels.prepare.py_func(compiled.parameters, occupations, slow) == compiled.prepare(
        compiled.parameters, occupations, fast
    )
    assert lattice_kernels.trial.py_func(compiled.parameters, occupations, slow, flips) == compiled.trial(
        compiled.parameters, occupations, fast, flips
    )
    assert (fast == slow).all()


@pytest.mark.parametrize(("structure", "n_arms", "counts"), [("fcc", 12, [24, 12, 24, 6]), ("bcc", 8, [12, 12, 4])])
def test_stars_of_three_sites(structure, n_arms, counts):
    """Pairs of nearest neighbours at 60, 90, 120, 180 degrees (fcc) and at 70.5, 109.5, 180 degrees (bcc)."""
    types = star_types(find_neighbourhood(make_lattice(structure, (2, 2, 2)), 1), 3)
    assert [len(members) for members in types] == counts
    table = count_stars(n_arms, types)
    assert (table[0] == 0).all()
    assert table[-1].tolist() == counts
    assert (table[2**n_arms - 2] < table[-1]).all()


def test_star_tables_count_what_plain_counting_counts():
    lattice = make_lattice("fcc", (2, 2, 2))
    arms = find_neighbourhood(lattice, 1)
    types = star_types(arms, 4)
    occupations = random_occupations(lattice, 3)
    by_table = (count_stars(12, types)[arm_masks(arms, occupations)] * occupations[..., None]).sum(axis=1)
    assert (by_table == count_clusters(arms, types, occupations)).all()


def test_environments_are_numbered_by_strides():
    coordination = np.array([12, 6, 24])
    listed = environments(coordination)
    assert listed.shape == (2 * 13 * 7 * 25, 4)
    assert (listed @ environment_strides(coordination) == np.arange(len(listed))).all()


def test_shell_counts_equal_those_of_the_shells():
    lattice = make_lattice("bcc", (2, 2, 4))
    occupations = random_occupations(lattice, 3)
    counts = shell_counts(find_neighbourhood(lattice, 4), occupations)
    for k, shell in enumerate(lattice.shells(4)):
        assert (counts[..., k] == occupations[:, shell.neighbours].sum(axis=-1)).all()


def test_lattices_with_turned_sites_are_refused():
    diamond = Lattice(
        ("Si", "Ge"),
        np.eye(3) * 10.0,
        np.array(
            [
                [0, 0, 0],
                [0, 5, 5],
                [5, 0, 5],
                [5, 5, 0],
                [2.5, 2.5, 2.5],
                [2.5, 7.5, 7.5],
                [7.5, 2.5, 7.5],
                [7.5, 7.5, 2.5],
            ]
        ),
    )
    with pytest.raises(InputError, match="different directions"):
        find_neighbourhood(diamond, 1)


@pytest.mark.parametrize("name", ["frequencies", "phases", "energy_weights", "charge_weights", "moment_weights"])
def test_arrays_that_do_not_fit_are_refused(name):
    arrays = random_arrays("fcc")
    arrays[name] = arrays[name][..., :-1]
    with pytest.raises(InputError):
        LatticeEnergy(make_lattice("fcc", (2, 2, 2)), SETTINGS, arrays)
    del arrays[name]
    if name in ("frequencies", "phases", "energy_weights"):
        with pytest.raises(InputError):
            LatticeEnergy(make_lattice("fcc", (2, 2, 2)), SETTINGS, arrays)


@pytest.mark.parametrize(
    "wrong", [{"length_scales": ()}, {"width": 0}, {"star_sites": 9}, {"energy_ridge": 0.0}, {"star_prior": np.inf}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        dataclasses.replace(SETTINGS, **wrong)


def test_too_many_environments_are_refused():
    settings = dataclasses.replace(SETTINGS, length_scales=(1.0,) * 6)
    with pytest.raises(InputError, match="environments"):
        LatticeEnergy(make_lattice("fcc", (2, 2, 2)), settings, random_arrays("fcc", settings))
