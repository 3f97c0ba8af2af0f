"""Exact levels of the nearest-neighbour model against published integer tables, closed forms and thermodynamics."""

from math import comb
from pathlib import Path

import numpy as np
import pytest
from references.alloys import BCC_16, FCC_4, FCC_8, FCC_16
from scipy.optimize import minimize_scalar

from wanglandau import exact
from wanglandau.density_of_states import density_from_levels
from wanglandau.energy_grid import EnergyGrid
from wanglandau.errors import InputError, OracleError
from wanglandau.exact import ExactLevels, exact_levels, merge_levels
from wanglandau.lattice import Lattice
from wanglandau.orbits import canonical_keys, occupations_from_keys
from wanglandau.ordered_structures import ordered_structure
from wanglandau.pair_model import PairOracle
from wanglandau.systems import System


def ising(lattice: Lattice) -> PairOracle:
    """E = J sum s s with J = 1: an unlike bond lies 2 below a like one; mixing energies are E minus all-like."""
    return PairOracle(lattice, [-2.0])


def table(levels: ExactLevels) -> dict[int, int]:
    assert (levels.energies == np.round(levels.energies)).all()
    unlike = np.round(levels.energies / -2.0).astype(int)
    return dict(zip(unlike.tolist(), levels.degeneracies.tolist(), strict=True))


class Canonical:
    """Thermodynamics per site by direct summation, k = J = 1, E = number of bonds - 2 unlike bonds."""

    def __init__(self, energies: np.ndarray, degeneracies: np.ndarray, lattice: Lattice) -> None:
        self.n_sites = lattice.n_sites
        self.energies = energies + lattice.shells(1)[0].neighbours.size / 2
        self.degeneracies = degeneracies.astype(float)

    def energy_and_capacity(self, temperature: float) -> tuple[float, float]:
        weights = self.degeneracies * np.exp(-(self.energies - self.energies.min()) / temperature)
        mean = np.average(self.energies, weights=weights)
        variance = np.average((self.energies - mean) ** 2, weights=weights)
        return mean / self.n_sites, variance / temperature**2 / self.n_sites

    def peak(self, low: float, high: float) -> tuple[float, float]:
        found = minimize_scalar(lambda t: -self.energy_and_capacity(t)[1], (low, (low + high) / 2, high), tol=1e-9)
        return found.x, -found.fun


@pytest.fixture(scope="module")
def fcc_all(cuau: System) -> ExactLevels:
    return exact_levels(ising(cuau.lattice), None, progress=False)


@pytest.fixture(scope="module")
def bcc_half(fept: System) -> ExactLevels:
    return exact_levels(ising(fept.lattice), 16, progress=False)


@pytest.fixture(scope="module")
def bcc16() -> Lattice:
    return Lattice.cubic("bcc", ("Fe", "Pt"), 5.7, (2, 2, 2))


class TestTables:
    @pytest.mark.compiled
    @pytest.mark.parametrize(("composition", "expected"), [(16, FCC_16), (8, FCC_8), (4, FCC_4)])
    def test_fcc_levels(self, fcc_all: ExactLevels, composition: int, expected: dict[int, int]) -> None:
        levels = fcc_all.at_composition(composition)
        assert table(levels) == expected and levels.n_states == comb(32, composition)
        assert table(fcc_all.at_composition(32 - composition)) == expected

    @pytest.mark.compiled
    def test_one_composition_alone_is_the_same(self, cuau: System, fcc_all: ExactLevels, tmp_path: Path) -> None:
        levels = exact_levels(ising(cuau.lattice), 8, cache_folder=tmp_path, progress=False)
        assert table(levels) == FCC_8 and levels.composition == 8 and (levels.compositions == 8).all()
        np.testing.assert_array_equal(levels.ground_state_keys[8], fcc_all.ground_state_keys[8])

    @pytest.mark.compiled
    def test_bcc_levels(self, bcc_half: ExactLevels) -> None:
        assert table(bcc_half) == BCC_16

    def test_complete_bipartite_graph(self, bcc16: Lattice) -> None:
        """In bcc 2x2x2 every corner site is the neighbour of every centre: a on corners and b on centres say it all."""
        levels = exact_levels(ising(bcc16), None, progress=False)
        expected: dict[tuple[int, int], int] = {}
        for a in range(9):
            for b in range(9):
                level = (a + b, a * (8 - b) + b * (8 - a))
                expected[level] = expected.get(level, 0) + comb(8, a) * comb(8, b)
        unlike = (levels.energies / -2.0).astype(int).tolist()
        found = zip(levels.compositions.tolist(), unlike, strict=True)
        assert dict(zip(found, levels.degeneracies.tolist(), strict=True)) == expected
        half = {64 - 2 * u: g for u, g in table(levels.at_composition(8)).items()}
        assert half == {-64: 2, -36: 128, -16: 1568, -4: 6272, 0: 4900}

    @pytest.mark.compiled
    def test_all_compositions_at_zero_field(self, fcc_all: ExactLevels) -> None:
        energies, degeneracies = fcc_all.over_compositions()
        assert len(energies) == 53 and fcc_all.n_states == sum(degeneracies.tolist()) == 2**32
        assert energies[0] + 192 == -64 and degeneracies[0] == 42
        assert [len(fcc_all.at_composition(c)) for c in (16, 12, 8)] == [28, 23, 18]

    @pytest.mark.long
    def test_all_compositions_of_bcc(self, fept: System) -> None:
        levels = exact_levels(ising(fept.lattice), None, progress=False)
        assert levels.n_states == 2**32 and table(levels.at_composition(16)) == BCC_16
        temperature, height = Canonical(*levels.over_compositions(), fept.lattice).peak(4.5, 6.5)
        assert temperature == pytest.approx(5.46146, abs=1e-5) and height == pytest.approx(1.010835, abs=1e-6)


class TestThermodynamics:
    @pytest.mark.compiled
    def test_fcc(self, cuau: System, fcc_all: ExactLevels) -> None:
        half, quarter = (fcc_all.at_composition(c) for c in (16, 8))
        canonical = Canonical(half.energies, half.degeneracies, cuau.lattice)
        assert canonical.energy_and_capacity(2.0) == pytest.approx((-1.75372355, 0.70118696), abs=1e-8)
        assert canonical.energy_and_capacity(4.0) == pytest.approx((-1.03390425, 0.15907286), abs=1e-8)
        assert canonical.peak(1.5, 3.0) == pytest.approx((2.09506, 0.724856), abs=1e-5)
        canonical = Canonical(quarter.energies, quarter.degeneracies, cuau.lattice)
        assert canonical.energy_and_capacity(2.0) == pytest.approx((0.16835688, 0.51723568), abs=1e-8)
        assert canonical.peak(1.5, 3.0) == pytest.approx((2.22832, 0.600748), abs=1e-5)
        assert Canonical(*fcc_all.over_compositions(), cuau.lattice).peak(1.5, 3.0) == pytest.approx(
            (1.95228, 0.721854), abs=1e-5
        )

    @pytest.mark.compiled
    def test_bcc(self, fept: System, bcc_half: ExactLevels) -> None:
        canonical = Canonical(bcc_half.energies, bcc_half.degeneracies, fept.lattice)
        assert canonical.energy_and_capacity(4.0) == pytest.approx((-3.84287596, 0.29972477), abs=1e-8)
        assert canonical.peak(4.5, 6.5) == pytest.approx((5.61568, 1.081748), abs=1e-5)

    def test_small_bcc(self, bcc16: Lattice) -> None:
        levels = exact_levels(ising(bcc16), 8, progress=False)
        canonical = Canonical(levels.energies, levels.degeneracies, bcc16)
        assert canonical.energy_and_capacity(4.0) == pytest.approx((-3.88605713, 0.21247857), abs=1e-8)
        assert canonical.peak(4.5, 7.5) == pytest.approx((5.98542, 0.826762), abs=1e-5)


class TestGroundStates:
    @pytest.mark.compiled
    def test_fcc_ground_states(self, cuau: System, fcc_all: ExactLevels) -> None:
        """L1_0 is among the lowest at 16/16 and L1_2 at 8/24, with all their degenerate stackings."""
        for composition, name, degeneracy in ((16, "L1_0", 42), (16, "40", 42), (8, "L1_2-A3B", 16)):
            keys = fcc_all.ground_state_keys[composition]
            key = canonical_keys(cuau.lattice.symmetry, ordered_structure(cuau.lattice, name)[None])
            assert key[0] in keys
            members = occupations_from_keys(keys, 32)[:, cuau.lattice.symmetry].reshape(-1, 32)
            assert len(np.unique(members, axis=0)) == degeneracy

    @pytest.mark.compiled
    def test_bcc_ground_state_is_b2(self, fept: System, bcc_half: ExactLevels) -> None:
        key = canonical_keys(fept.lattice.symmetry, ordered_structure(fept.lattice, "B2")[None])
        np.testing.assert_array_equal(bcc_half.ground_state_keys[16], key)

    def test_single_level(self, bcc16: Lattice) -> None:
        levels = exact_levels(ising(bcc16), 1, progress=False)
        assert len(levels) == 1 and levels.ground_state_keys[1].tolist() == [1] and levels.degeneracies[0] == 16


class SiteFields:
    """A pair model plus a field that differs from site to site: not invariant, with a known orbit average."""

    invariant = False
    identity = "site fields"

    def __init__(self, lattice: Lattice, fields: np.ndarray) -> None:
        self.lattice, self.fields, self.pairs = lattice, fields, ising(lattice)
        self.reference_energies = np.zeros(2)

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        return self.pairs.energies(occupations) + occupations @ self.fields


class TestOracles:
    def test_oracle_that_is_not_invariant(self, bcc16: Lattice) -> None:
        fields = np.random.default_rng(2).normal(size=16)
        oracle = SiteFields(bcc16, fields)
        with pytest.raises(InputError, match="--orbit-average"):
            exact_levels(oracle, 8, progress=False)
        levels = exact_levels(oracle, None, orbit_average=True, progress=False)
        expected = exact_levels(ising(bcc16), None, progress=False)
        shifted = expected.energies + expected.compositions * fields.mean()
        np.testing.assert_allclose(levels.energies, shifted, atol=1e-10)
        np.testing.assert_array_equal(levels.degeneracies, expected.degeneracies)

    def test_one_image_instead_of_the_average_is_noticed(self, bcc16: Lattice) -> None:
        oracle = SiteFields(bcc16, np.random.default_rng(2).normal(size=16))
        oracle.invariant = True
        assert len(exact_levels(oracle, 8, progress=False)) != len(exact_levels(ising(bcc16), 8, progress=False))

    def test_batches_do_not_matter(self, bcc16: Lattice, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = exact_levels(ising(bcc16), None, progress=False)
        monkeypatch.setattr(exact, "BATCH_SIZE", 7)
        small = exact_levels(ising(bcc16), None, progress=False)
        np.testing.assert_array_equal(small.energies, whole.energies)
        np.testing.assert_array_equal(small.degeneracies, whole.degeneracies)

    @pytest.mark.parametrize("wrong", [np.full(5, np.nan), np.zeros(3), np.zeros((5, 1))])
    def test_wrong_energies_are_an_oracle_error(
        self, bcc16: Lattice, wrong: np.ndarray, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        oracle = ising(bcc16)
        monkeypatch.setattr(exact, "BATCH_SIZE", 5)
        monkeypatch.setattr(oracle, "energies", lambda occupations: wrong)
        with pytest.raises(OracleError, match="the oracle gave"):
            exact_levels(oracle, 8, progress=False)

    def test_wrong_input(self, bcc16: Lattice) -> None:
        with pytest.raises(InputError, match="36 sites"):
            exact_levels(ising(Lattice.cubic("fcc", ("Cu", "Au"), 7.3, (3, 3, 1))), 4, progress=False)
        with pytest.raises(InputError, match="composition 17"):
            exact_levels(ising(bcc16), 17, progress=False)
        with pytest.raises(InputError, match="hold only 8"):
            exact_levels(ising(bcc16), 8, progress=False).at_composition(7)


class TestLevels:
    def test_merging(self) -> None:
        energies = np.array([0.1, 0.1 + 4e-10, 0.1 + 8e-10, 0.1 + 1e-8, 0.3])
        merged, counts = merge_levels(energies, np.array([1, 2, 1, 5, 2**40], dtype=np.uint64))
        assert counts.tolist() == [4, 5, 2**40]
        np.testing.assert_allclose(merged, [0.1 + 4e-10, 0.1 + 1e-8, 0.3], rtol=0, atol=1e-16)
        assert merged[2] == 0.3

    @pytest.mark.compiled
    def test_binned_levels_count_every_configuration(self, fcc_all: ExactLevels) -> None:
        levels = fcc_all.at_composition(16)
        grid = EnergyGrid.covering(levels.energies.min(), levels.energies.max(), 4.0)
        density = density_from_levels(grid, 32, 16, levels.energies, levels.degeneracies)
        np.testing.assert_allclose(density.ln_g[density.visited], np.log(list(FCC_16.values())), atol=1e-10)
