"""Order parameters on perfect structures, in random alloys and under the symmetry of the lattice."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from wanglandau.configurations import random_configurations
from wanglandau.errors import InputError, OracleError
from wanglandau.lattice import Lattice
from wanglandau.observable_kernels import unlike_neighbours
from wanglandau.observables import (
    Composition,
    LongRangeOrder,
    Observable,
    ShortRangeOrder,
    SiteProperties,
    SublatticeOrder,
    column_names,
    measure_all,
    standard_observables,
)
from wanglandau.oracle import Properties, PropertyOracle
from wanglandau.ordered_structures import ordered_structure, ordered_structures
from wanglandau.pair_model import PairOracle
from wanglandau.structure_variants import structure_variants

FCC = Lattice.cubic("fcc", ("Cu", "Au"), 7.3132, (2, 2, 2))
BCC = Lattice.cubic("bcc", ("Fe", "Pt"), 5.4, (2, 2, 4))
LATTICES = pytest.mark.parametrize("lattice", [FCC, BCC], ids=["fcc", "bcc"])


class SiteModel:
    """Charges and moments by hand: charge = sign of the species * (1 + unlike nearest neighbours)."""

    invariant = True
    identity = "site model"
    reference_energies = np.zeros(2)

    def __init__(self, lattice: Lattice, magnetic: bool = True, charged: bool = True) -> None:
        self.lattice = lattice
        self._neighbours = lattice.shells(1)[0].neighbours
        self.magnetic, self.charged = magnetic, charged

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        return np.zeros(len(occupations))

    def properties(self, occupations: np.ndarray) -> Properties:
        unlike = (occupations[:, self._neighbours] != occupations[:, :, None]).sum(axis=2)
        charge = (2.0 * occupations - 1) * (1 + unlike)
        moment = 3.0 - 5.0 * occupations
        return Properties(
            self.energies(occupations), charge if self.charged else None, moment if self.magnetic else None
        )


@pytest.mark.parametrize(
    ("lattice", "name", "expected"),
    [
        (FCC, "L1_0", {1: -1 / 3, 2: 1, 3: -1 / 3, 4: 1}),
        (FCC, "L1_2-A3B", {1: -1 / 3, 2: 1, 3: -1 / 3, 4: 1}),
        (FCC, "L1_2-AB3", {1: -1 / 3, 2: 1}),
        (FCC, "L1_1", {1: 0, 2: -1}),
        (FCC, "D0_22-A3B", {1: -1 / 3, 2: 5 / 9}),
        (BCC, "B2", {1: -1, 2: 1, 3: 1}),
        (BCC, "B32", {1: 0, 2: -1}),
        (BCC, "D0_3-A3B", {1: -1 / 3, 2: -1 / 3}),
    ],
)
def test_short_range_order_of_perfect_structures(lattice: Lattice, name: str, expected: dict[int, float]) -> None:
    alpha = ShortRangeOrder(lattice).measure(ordered_structure(lattice, name)[None, :])[0]
    for shell, value in expected.items():
        assert alpha[shell - 1] == pytest.approx(value, abs=1e-14), shell


@LATTICES
def test_short_range_order_equals_the_definition(lattice: Lattice) -> None:
    rows = random_configurations(lattice, None, 20, np.random.default_rng(1))
    measured = ShortRangeOrder(lattice, 9).measure(rows)
    for shell, column in zip(lattice.shells(9), measured.T, strict=True):
        multiplicity = shell.multiplicity()
        for row, value in zip(rows, column, strict=True):
            second = row.mean()
            conditional = (row @ multiplicity @ (1 - row)) / (row.sum() * shell.coordination)  # P(A next to a B)
            assert value == pytest.approx(1 - conditional / (1 - second), abs=1e-12)


@LATTICES
def test_all_pairs_together_have_no_order(lattice: Lattice) -> None:
    """With every site counted once as partner of every site, itself included, the deviations sum to 0."""
    every_site = np.tile(np.arange(lattice.n_sites, dtype=np.int32), (lattice.n_sites, 1))
    rows = random_configurations(lattice, 11, 5, np.random.default_rng(2))
    unlike = unlike_neighbours(rows, every_site, np.array([0, lattice.n_sites]))
    assert unlike.ravel().tolist() == [11 * 21] * 5


@pytest.mark.parametrize("composition", [3, 8])
def test_mean_short_range_order_of_all_configurations(composition: int) -> None:
    lattice = Lattice.cubic("bcc", ("Fe", "Pt"), 5.4, (2, 2, 2))
    chosen = np.array(list(combinations(range(16), composition)))
    rows = np.zeros((len(chosen), 16), dtype=np.int8)
    np.put_along_axis(rows, chosen, 1, axis=1)
    mean = ShortRangeOrder(lattice, 8).measure(rows).mean(axis=0)
    own = [np.trace(shell.multiplicity()) / 16 for shell in lattice.shells(8)]
    coordination = [shell.coordination for shell in lattice.shells(8)]
    expected = [(m - (z - m) / 15) / z for m, z in zip(own, coordination, strict=True)]
    assert any(own) and expected[0] == -1 / 15  # some shell of a site holds the site itself
    np.testing.assert_allclose(mean, expected, atol=1e-13)


@LATTICES
def test_pure_cells_have_no_order(lattice: Lattice) -> None:
    pure = np.array([np.zeros(32), np.ones(32)], dtype=np.int8)
    assert not ShortRangeOrder(lattice).measure(pure).any()
    assert not LongRangeOrder(lattice).measure(pure).any()


def test_shells_of_distinct_sites_would_be_wrong() -> None:
    """On fcc 2x2x2 shells 2 to 4 meet each site through several images, on bcc 2x2x4 shell 2 only some of them."""

    perfect = ordered_structure(FCC, "L1_0")[None, :]
    right = ShortRangeOrder(FCC, 4).measure(perfect)[0]
    for shell, value, images in zip(FCC.shells(4), right, (1, 2, 2, 4), strict=True):
        assert int(shell.multiplicity().max()) == images
        sites = np.array([np.unique(line) for line in shell.neighbours], dtype=np.int32)
        unlike = unlike_neighbours(perfect, sites, np.array([0, sites.shape[1]]))[0, 0]
        wrong = 1 - unlike / (8 * shell.coordination)
        assert 1 - wrong == pytest.approx((1 - value) / images)  # too few unlike bonds, wherever there are any
    rows = random_configurations(BCC, 16, 50, np.random.default_rng(3))
    second = BCC.shells(2)[1]
    sites = np.array([np.unique(line) for line in second.neighbours], dtype=np.int32)
    few = 1 - unlike_neighbours(rows, sites, np.array([0, sites.shape[1]]))[:, 0] / (8 * sites.shape[1])
    assert np.abs(few - ShortRangeOrder(BCC).measure(rows)[:, 1]).max() > 0.1


@LATTICES
def test_observables_are_invariant_under_the_space_group(lattice: Lattice) -> None:
    rows = random_configurations(lattice, None, 3, np.random.default_rng(4))
    observables = [ShortRangeOrder(lattice), LongRangeOrder(lattice), Composition(), SiteProperties(SiteModel(lattice))]
    for row in rows:
        images = row[lattice.symmetry]
        measured = measure_all(observables, images)
        exact = len(column_names(observables[:3]))
        assert (measured[:, :exact] == measured[0, :exact]).all()
        np.testing.assert_allclose(measured, np.broadcast_to(measured[0], measured.shape), atol=1e-13)
    signed = SublatticeOrder(lattice, "L1_0" if lattice is FCC else "B2").measure(rows[0][lattice.symmetry])
    assert np.ptp(signed) > 0.1  # this one tells variants apart


@LATTICES
def test_long_range_order_is_one_in_every_variant(lattice: Lattice) -> None:
    lro = LongRangeOrder(lattice)
    for name, perfect in ordered_structures(lattice).items():
        column = lro.names.index(f"lro_{name}")
        assert (lro.measure(perfect[lattice.symmetry])[:, column] == 1).all(), name
        if 2 * perfect.sum() == lattice.n_sites:
            assert lro.measure(1 - perfect[None, :])[0, column] == 1
        else:
            assert lro.measure(1 - perfect[None, :])[0, column] < 1


@LATTICES
def test_variants_are_all_images_under_the_space_group(lattice: Lattice) -> None:
    structures = ordered_structures(lattice)
    variants = structure_variants(lattice, list(structures.values()))
    for perfect, found in zip(structures.values(), variants, strict=True):
        assert np.array_equal(found[0], perfect) and len(np.unique(found, axis=0)) == len(found)
        images = np.unique(perfect[lattice.symmetry], axis=0)
        within = {variant.tobytes() for variant in found}
        assert {image.tobytes() for image in images} <= within
        if lattice is FCC:  # a cubic cell: nothing else; a longer one may hold more than its own group makes
            assert len(images) == len(found)


def test_a_tetragonal_cell_holds_variants_that_its_own_symmetry_does_not_connect() -> None:
    lattice = Lattice.cubic("fcc", ("Cu", "Au"), 7.3, (1, 1, 2))
    perfect = ordered_structure(lattice, "L1_0")
    assert len(structure_variants(lattice, [perfect])[0]) == 6 > len(np.unique(perfect[lattice.symmetry], axis=0))
    planes = lattice.positions / 3.65
    for axis in range(3):
        rows = (np.round(planes[:, axis]).astype(int) % 2).astype(np.int8)[None, :]
        assert LongRangeOrder(lattice, ["L1_0"]).measure(rows)[0, 0] == 1


def test_variants_that_the_cell_cannot_hold_are_left_out() -> None:
    lattice = Lattice.cubic("fcc", ("Cu", "Au"), 7.3, (1, 1, 2))
    variants = structure_variants(lattice, [ordered_structure(lattice, "Z2")])[0]  # layers of four: along z alone
    layers = np.round(lattice.positions[:, 2] / 3.65).astype(int)
    patterns = {"".join(str(variant[layers == layer].max()) for layer in range(4)) for variant in variants}
    assert len(variants) == 4 and patterns == {"1100", "0110", "0011", "1001"}


def test_long_range_order_of_a_random_alloy_goes_to_zero() -> None:
    means = []
    for repeat in (2, 4, 8):
        lattice = Lattice.cubic("fcc", ("Cu", "Au"), 7.3, (repeat,) * 3)
        rows = random_configurations(lattice, lattice.n_sites // 2, 300, np.random.default_rng(5))
        means.append(LongRangeOrder(lattice, ["L1_0"]).measure(rows).mean())
    assert means[0] / means[1] == pytest.approx(np.sqrt(8), rel=0.1)
    assert means[1] / means[2] == pytest.approx(np.sqrt(8), rel=0.1)
    assert means[2] < 0.05


def test_long_range_order_between_and_off_stoichiometry() -> None:
    l1_2 = ordered_structure(FCC, "L1_2-A3B")
    l1_0 = ordered_structure(FCC, "L1_0")
    assert LongRangeOrder(FCC, ["L1_2-A3B"]).measure(l1_0[None, :])[0, 0] == pytest.approx(2 / 3)
    poor = l1_2.copy()
    poor[np.flatnonzero(l1_2)[:2]] = 0  # x / x0 = 6 / 8
    rich = l1_2.copy()
    rich[np.flatnonzero(l1_2 == 0)[:6]] = 1  # (1 - x) / (1 - x0) = 18 / 24
    assert LongRangeOrder(FCC, ["L1_2-A3B"]).measure(np.array([poor, rich])).ravel().tolist() == [0.75, 0.75]
    mixed = l1_0.copy()
    mixed[[np.flatnonzero(l1_0)[0], np.flatnonzero(l1_0 == 0)[0]]] = 0, 1  # one antisite pair: r = 15 / 16 on both
    assert LongRangeOrder(FCC, ["L1_0"]).measure(mixed[None, :])[0, 0] == 14 / 16


def test_sublattice_order_is_linear_and_signed() -> None:
    order = SublatticeOrder(BCC, "B2")
    perfect = ordered_structure(BCC, "B2")
    rows = np.array([perfect, 1 - perfect])
    np.testing.assert_allclose(order.measure(rows).ravel(), [1, -1], atol=1e-14)
    assert order.names == ("order_B2",) and order.site_weights.sum() == pytest.approx(0, abs=1e-14)
    random = random_configurations(BCC, 16, 200, np.random.default_rng(6))
    np.testing.assert_allclose(np.abs(order.measure(random)), LongRangeOrder(BCC, ["B2"]).measure(random), atol=1e-13)
    assert SublatticeOrder(FCC, "L1_2-A3B").measure(ordered_structure(FCC, "L1_2-A3B")[None, :])[0, 0] == 1


def test_site_properties_by_hand() -> None:
    oracle = SiteModel(BCC)
    rows = np.concatenate((ordered_structure(BCC, "B2")[None, :], np.zeros((1, 32), dtype=np.int8)))
    measured = dict(zip(SiteProperties(oracle).names, SiteProperties(oracle).measure(rows).T, strict=True))
    assert {name: values.tolist() for name, values in measured.items()} == {
        "charge_mean_Fe_e": [-9, -1],
        "charge_mean_Pt_e": [9, 0],  # no Pt there
        "charge_std_Fe_e": [0, 0],
        "charge_std_Pt_e": [0, 0],
        "charge_mean_square_e2": [81, 1],
        "moment_mean_mu_b": [0.5, 3],
        "moment_mean_abs_mu_b": [2.5, 3],
    }
    random = random_configurations(BCC, 10, 1, np.random.default_rng(7))
    charge = oracle.properties(random).charge[0]
    columns = dict(zip(SiteProperties(oracle).names, SiteProperties(oracle).measure(random)[0], strict=True))
    assert columns["charge_std_Fe_e"] == pytest.approx(charge[random[0] == 0].std())
    assert columns["charge_std_Pt_e"] == pytest.approx(charge[random[0] == 1].std())
    assert columns["charge_mean_Pt_e"] == pytest.approx(charge[random[0] == 1].mean())


def test_site_properties_take_what_the_oracle_has() -> None:
    assert SiteProperties(SiteModel(BCC, charged=False)).names == ("moment_mean_mu_b", "moment_mean_abs_mu_b")
    oracle = SiteModel(BCC, magnetic=False)
    found = SiteProperties(oracle)
    assert len(found.names) == 5
    with pytest.raises(InputError, match="neither charges nor moments"):
        SiteProperties(SiteModel(BCC, magnetic=False, charged=False))
    energy_alone = standard_observables(BCC, SiteModel(BCC, magnetic=False, charged=False))
    assert [kind.names for kind in energy_alone] == [kind.names for kind in standard_observables(BCC)]
    oracle.charged = False
    with pytest.raises(OracleError, match="left them out"):
        found.measure(np.zeros((1, 32), dtype=np.int8))


def test_standard_observables() -> None:
    plain = standard_observables(FCC, PairOracle(FCC, [-0.003]))
    assert column_names(plain)[:5] == ("alpha_1", "alpha_2", "alpha_3", "alpha_4", "alpha_5")
    assert "lro_L1_2-A3B" in column_names(plain) and not any("charge" in name for name in column_names(plain))
    oracle = SiteModel(FCC)
    assert isinstance(oracle, PropertyOracle)
    full = standard_observables(FCC, oracle)
    assert all(isinstance(observable, Observable) for observable in full)
    rows = random_configurations(FCC, 16, 4, np.random.default_rng(8))
    assert measure_all(full, rows).shape == (4, len(column_names(full)))
    assert measure_all(full, rows[:0]).shape == (0, len(column_names(full)))
    simple = Lattice.cubic("sc", ("Cu", "Au"), 5.0, (3, 3, 3))
    assert column_names(standard_observables(simple)) == ("alpha_1", "alpha_2", "alpha_3", "alpha_4", "alpha_5")


def test_what_cannot_be_measured_is_refused() -> None:
    simple = Lattice.cubic("sc", ("Cu", "Au"), 5.0, (3, 3, 3))
    with pytest.raises(InputError, match="leave long-range order out"):
        LongRangeOrder(simple)
    with pytest.raises(InputError, match="does not fit"):
        LongRangeOrder(FCC, ["B2"])
    with pytest.raises(InputError, match="a name occurs twice"):
        column_names([Composition(), Composition()])
    for observable in (ShortRangeOrder(FCC), LongRangeOrder(FCC), SublatticeOrder(FCC, "L1_0")):
        with pytest.raises(InputError, match="32"):
            observable.measure(np.zeros((2, 16), dtype=np.int8))
    with pytest.raises(InputError, match="no primitive cell of one site"):
        structure_variants(Lattice(("Cu", "Au"), np.eye(3) * 9, np.array([[0, 0, 0], [2.0, 2, 2]])), [])
