"""The references of the sampler tests against published numbers, brute force, closed forms and each other."""

from collections import Counter
from fractions import Fraction
from math import comb, log
from pathlib import Path

import numpy as np
import pytest
from references import ising
from references.alloys import (
    ENUMERATED,
    ORDERING_BOND,
    JointTable,
    alloy_lattice,
    alloy_oracle,
    complete_bipartite_table,
    enumerated_table,
    joint_table,
    ordering_energy,
    unlike_bonds,
)
from references.ising import density_of_states, ising_energy, ising_oracle, square_lattice
from references.layers import joint_counts
from references.ln_g_error import binned_ln_g, exact_ln_g, mean_relative_error, missing_levels, rms_ln_g
from references.scale import RY_PER_J, UNLIKE_BOND, kelvin, mixing_energies
from references.thermal import Canonical

from wanglandau.density_of_states import DensityOfStates, density_from_levels, normalised
from wanglandau.energy_grid import EnergyGrid
from wanglandau.levels import Levels
from wanglandau.pair_model import MAX_ENERGY
from wanglandau.thermodynamics import thermodynamics

CRITICAL = 2 / np.log(1 + np.sqrt(2))
"""Onsager's critical temperature of the square lattice, J / k_B."""
FCC, BCC, SMALL_BCC = ("fcc", (2, 2, 2)), ("bcc", (2, 2, 4)), ("bcc", (2, 2, 2))
LONG_FCC, LONG_BCC = ("fcc", (2, 2, 4)), ("bcc", (2, 2, 8))


def all_configurations(n_sites: int) -> np.ndarray:
    return (np.arange(2**n_sites)[:, None] >> np.arange(n_sites) & 1).astype(np.int8)


def square(length: int) -> Canonical:
    return Canonical.ferromagnet(density_of_states(length), length**2, 2 * length**2)


class TestIsing:
    @pytest.mark.parametrize(
        ("length", "n_levels", "lowest", "middle"),
        [
            (4, 15, [2, 32, 64, 424, 1728, 6688, 13568, 20524], log(20524)),
            (8, 63, [2, 128, 256, 4672, 17920, 145408], 42.4127464046008),
            (16, 255, [2, 512, 1024, 67840, 268288, 6463488], 174.796325119839),
            (32, 1023, [2, 2048, 4096, 1057792, 4218880, 371621888], 706.438370303202),
        ],
    )
    def test_known_levels(self, length: int, n_levels: int, lowest: list[int], middle: float) -> None:
        table = density_of_states(length)
        assert len(table) == n_levels and list(table.values())[: len(lowest)] == lowest
        assert sum(table.values()) == 2 ** (length**2) and list(table.values()) == list(table.values())[::-1]
        assert log(table[length**2]) == pytest.approx(middle, abs=1e-12 * middle)
        assert ising_energy(min(table), length) == -2 * length**2

    def test_middle_of_8x8(self) -> None:
        assert density_of_states(8)[64] == 2627978003957146636

    def test_brute_force(self) -> None:
        """All 2**16 configurations of 4 x 4, counted by the oracle that the samplers get and without it."""
        rows = all_configurations(16)
        spins = 1 - 2 * rows.reshape(-1, 4, 4).astype(int)
        energies = -sum((spins * np.roll(spins, 1, axis)).sum(axis=(1, 2)) for axis in (1, 2))
        expected = {ising_energy(u, 4): count for u, count in density_of_states(4).items()}
        assert Counter(energies.tolist()) == expected
        unlike = ising.unlike_bonds(ising_oracle(4).energies(rows))
        np.testing.assert_array_equal(ising_energy(unlike, 4), energies)

    @pytest.mark.compiled
    @pytest.mark.parametrize("length", [4, 8])
    def test_transfer_matrix(self, length: int) -> None:
        counts = joint_counts(square_lattice(length), axis=0)
        assert JointTable(length**2, 2 * length**2, counts).over_compositions() == density_of_states(length)

    def test_a_wrong_cosine_is_noticed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        cosines = ising._cosines
        monkeypatch.setattr(ising, "_cosines", lambda length, bits: [value + 2**80 for value in cosines(length, bits)])
        with pytest.raises(AssertionError, match="too few digits"):
            ising.computed_density_of_states(4)

    def test_lattice_and_oracle(self) -> None:
        shell = square_lattice(8).shells(1)[0]
        assert shell.coordination == 4 and shell.multiplicity().max() == 1
        assert UNLIKE_BOND * 2048 <= MAX_ENERGY
        with pytest.raises(AssertionError, match="not an energy"):
            ising.unlike_bonds(1.1 * UNLIKE_BOND)
        with pytest.raises(ValueError, match="powers of two"):
            density_of_states(12)

    def test_tables_are_stored_exactly(self, tmp_path: Path) -> None:
        ising.store_table(tmp_path / "table.gz", density_of_states(32))
        assert ising.load_table(tmp_path / "table.gz") == density_of_states(32)

    @pytest.mark.long
    def test_stored_table_is_what_the_formula_gives(self) -> None:
        assert list(ising.computed_density_of_states(32).items()) == list(density_of_states(32).items())


class TestThermal:
    @pytest.mark.parametrize(
        ("length", "temperature", "height"),
        [
            (4, 2.438950314, 0.8164611614),
            (8, 2.361979627, 1.191838820),
            (16, 2.317506581, 1.552204360),
            (32, 2.293929640, 1.904506078),
        ],
    )
    def test_ising_maximum(self, length: int, temperature: float, height: float) -> None:
        assert square(length).maximum(2.0, 3.0) == pytest.approx((temperature, height), abs=1e-9)

    @pytest.mark.parametrize(
        ("length", "expected"),
        [
            (4, (-1.565623788, 0.7832668259, 0.970119716172)),
            (8, (-1.491589107, 1.14555924, 0.939715324829)),
            (16, (-1.453064853, 1.498704959, 0.932196314981)),
            (32, (-1.433658466, 1.84676759, 0.930320390184)),
        ],
    )
    def test_ising_at_the_critical_temperature(self, length: int, expected: tuple[float, float, float]) -> None:
        energy, capacity, ln_z = square(length).averages(CRITICAL)
        assert (energy, capacity) == pytest.approx(expected[:2], abs=5e-9)
        assert ln_z == pytest.approx(expected[2], abs=1e-12)

    @pytest.mark.parametrize(
        ("length", "expected"),
        [
            (8, (-1.745683170, 0.7141226029)),
            (16, (-1.745530669, 0.7255087677)),
            (32, (-1.745564527, 0.7248739782)),
        ],
    )
    def test_ising_at_two(self, length: int, expected: tuple[float, float]) -> None:
        assert square(length).averages(2.0)[:2] == pytest.approx(expected, abs=1e-9)

    def test_maxima_extrapolate_to_onsager(self) -> None:
        """The maximum lies above T_c by a term in 1 / L, since nu = 1."""
        at_16, at_32 = (square(length).maximum(2.0, 3.0)[0] for length in (16, 32))
        assert 2 * at_32 - at_16 == pytest.approx(CRITICAL, rel=1e-3)

    @pytest.mark.parametrize(
        ("cell", "composition", "averages", "maximum"),
        [
            (SMALL_BCC, 8, {4: (-3.88605713, 0.21247857)}, (5.98542, 0.826762)),
            (FCC, 16, {2: (-1.75372355, 0.70118696), 4: (-1.03390425, 0.15907286)}, (2.09506, 0.724856)),
            (FCC, 8, {2: (0.16835688, 0.51723568)}, (2.22832, 0.600748)),
            (FCC, None, {}, (1.95228, 0.721854)),
            (BCC, 16, {4: (-3.84287596, 0.29972477)}, (5.61568, 1.081748)),
            (BCC, None, {}, (5.46146, 1.010835)),
        ],
    )
    def test_alloys(self, cell: tuple, composition: int | None, averages: dict, maximum: tuple[float, float]) -> None:
        canonical = joint_table(*cell).canonical(composition)
        for temperature, expected in averages.items():
            assert canonical.averages(temperature)[:2] == pytest.approx(expected, abs=6e-9)
        temperature, height = canonical.maximum(1.5, 9.0)
        assert temperature == pytest.approx(maximum[0], abs=6e-6) and height == pytest.approx(maximum[1], abs=6e-7)

    def test_scale_between_the_package_and_the_references(self) -> None:
        table, canonical = joint_table(*FCC).at_composition(16), joint_table(*FCC).canonical(16)
        degeneracies = np.array(list(table.values()), dtype=np.uint64)
        ours = thermodynamics(
            Levels.exact(32, mixing_energies(table, ORDERING_BOND), degeneracies), np.array([kelvin(2.0)])
        )
        energy, capacity, _ = canonical.averages(2.0)
        assert ours.internal_energy[0] / RY_PER_J + 192 == pytest.approx(32 * energy, rel=1e-9)
        assert ours.heat_capacity[0] == pytest.approx(32 * capacity, rel=1e-9)

    def test_no_maximum_is_no_answer(self) -> None:
        with pytest.raises(AssertionError, match="no maximum"):
            square(4).maximum(3.0, 4.0)


class TestAlloys:
    def test_closed_form(self) -> None:
        assert complete_bipartite_table().counts == joint_table(*SMALL_BCC).counts
        half = complete_bipartite_table().at_composition(8)
        assert {ordering_energy(u, 64): count for u, count in half.items()} == {
            -64: 2, -36: 128, -16: 1568, -4: 6272, 0: 4900,
        }  # fmt: skip

    @pytest.mark.parametrize(("structure", "composition"), ENUMERATED)
    def test_enumerated_tables(self, structure: str, composition: int) -> None:
        table = joint_table(*(FCC if structure == "fcc" else BCC))
        expected = ENUMERATED[structure, composition]
        assert sum(expected.values()) == comb(32, composition)
        assert table.at_composition(composition) == table.at_composition(32 - composition) == expected

    def test_level_counts(self) -> None:
        fcc, bcc = joint_table(*FCC), joint_table(*BCC)
        assert [len(fcc.at_composition(c)) for c in (16, 12, 8)] == [28, 23, 18] and len(fcc.over_compositions()) == 53
        lowest = max(fcc.over_compositions())
        assert ordering_energy(lowest, 192) == -64 and fcc.over_compositions()[lowest] == 42
        assert len(bcc.at_composition(16)) == 40 and bcc.at_composition(8)[64] == 29684 and max(bcc.counts[8]) == 64

    @pytest.mark.compiled
    def test_every_composition_by_enumeration_of_fcc(self) -> None:
        assert enumerated_table(*FCC).counts == joint_table(*FCC).counts

    @pytest.mark.long
    def test_every_composition_by_enumeration_of_bcc(self) -> None:
        assert enumerated_table(*BCC).counts == joint_table(*BCC).counts

    @pytest.mark.compiled
    @pytest.mark.parametrize("cell", [FCC, BCC, LONG_FCC, LONG_BCC])
    def test_moments_at_every_composition(self, cell: tuple) -> None:
        """Number and first two moments of the unlike bonds of random configurations at fixed composition."""
        table, n = joint_table(*cell), alloy_lattice(*cell).n_sites
        z = 2 * table.n_bonds // n
        touching = n * z * (z - 1)  # ordered pairs of bonds with a common site; no two sites share two bonds here
        for b in range(2, n - 1):
            counts = table.at_composition(b)
            assert sum(counts.values()) == comb(n, b)
            unlike = Fraction(2 * b * (n - b), n * (n - 1))
            of_four = Fraction(4 * b * (b - 1) * (n - b) * (n - b - 1), n * (n - 1) * (n - 2) * (n - 3))
            second = table.n_bonds * unlike + touching * unlike / 2
            second += (table.n_bonds**2 - table.n_bonds - touching) * of_four
            assert sum(u * g for u, g in counts.items()) == comb(n, b) * table.n_bonds * unlike
            assert sum(u * u * g for u, g in counts.items()) == comb(n, b) * second

    @pytest.mark.compiled
    def test_ground_states_of_long_fcc(self) -> None:
        """Every layer along an axis is an antiferromagnet of its own: 2**8 + 2 * 2**4, L1_0 counted twice each way."""
        table = joint_table(*LONG_FCC)
        half = table.at_composition(32)
        assert max(half) == 256 and half[256] == 2**8 + 2**4 + 2**4 - 6
        assert table.at_composition(1) == {12: 64} and table.at_composition(2) == {22: 384, 24: comb(64, 2) - 384}

    def test_long_bcc_as_a_chain(self) -> None:
        """Each layer of four sites is bonded to all four sites of the next one: only the numbers of atoms matter."""
        expected: Counter[tuple[int, int]] = Counter()
        for first in range(5):
            ways = {(first, first, 0): comb(4, first)}
            for layer in range(16):
                following: Counter[tuple[int, int, int]] = Counter()
                for (last, n, u), count in ways.items():
                    for a in range(5) if layer < 15 else (first,):
                        bonds, atoms, number = last * (4 - a) + a * (4 - last), a, comb(4, a)
                        if layer == 15:
                            atoms, number = 0, 1
                        following[a, n + atoms, u + bonds] += count * number
                ways = following
            for (_, n, u), count in ways.items():
                expected[n, u] += count
        found = {(n, u): count for n, table in joint_table(*LONG_BCC).counts.items() for u, count in table.items()}
        assert found == expected

    def test_semi_grand_averages_by_brute_force(self) -> None:
        """Sums over all 2**16 configurations of bcc 2x2x2 with the energies of the oracle."""
        oracle, rows = alloy_oracle(alloy_lattice(*SMALL_BCC)), all_configurations(16)
        energies = ordering_energy(unlike_bonds(oracle.energies(rows)), 64).astype(float)
        n_second = rows.sum(axis=1, dtype=float)
        found = complete_bipartite_table().semi_grand(7.0, -3.0)
        weights = np.exp(-(energies + 3.0 * n_second) / 7.0)
        covariance = np.cov(np.array([energies, n_second]), aweights=weights, ddof=0)
        expected = (
            np.average(energies, weights=weights), np.average(n_second, weights=weights), covariance[0, 0],
            covariance[1, 1], covariance[0, 1], np.cov(energies + 3.0 * n_second, aweights=weights, ddof=0) / 49,
            np.log(weights.sum()),
        )  # fmt: skip
        assert found == pytest.approx(expected, rel=1e-10)
        assert found.n_second < 8 < complete_bipartite_table().semi_grand(7.0, 3.0).n_second

    @pytest.mark.compiled
    def test_exchange_of_species(self) -> None:
        """The chemical potential favours the second species; without it both are alike and the field is zero."""
        table = joint_table(*LONG_FCC)
        low, high, none = (table.semi_grand(2.5, delta_mu) for delta_mu in (-1.0, 1.0, 0.0))
        assert low.n_second + high.n_second == pytest.approx(64, abs=1e-9) and low.n_second < 32 < high.n_second
        zero_field = table.canonical(None).averages(2.5)
        assert (none.energy / 64, none.heat_capacity / 64, none.ln_xi / 64) == pytest.approx(zero_field, abs=1e-10)


def exact_density(table: dict[int, int], composition: int | None, noise: float = 0.0) -> DensityOfStates:
    energies = mixing_energies(table, ORDERING_BOND)
    grid = EnergyGrid.covering(energies.min(), energies.max(), 2 * UNLIKE_BOND)
    degeneracies = np.array(list(table.values()), dtype=np.uint64)
    exact = density_from_levels(grid, 32, composition, energies, degeneracies)
    noisy = exact.run_ln_g + noise * np.random.default_rng(1).normal(size=(1, grid.n_bins))
    return DensityOfStates(grid, 32, composition, noisy, exact.mean_energy, exact.energy_variance)


class TestErrors:
    def test_absolute(self) -> None:
        table = joint_table(*FCC).at_composition(16)
        assert rms_ln_g(exact_density(table, 16), table, ORDERING_BOND) < 1e-10
        noisy = exact_density(table, 16, noise=0.1)
        assert rms_ln_g(noisy, table, ORDERING_BOND) == pytest.approx(0.1, rel=0.4)
        assert 0.06 < rms_ln_g(noisy, table, ORDERING_BOND, "mean") <= rms_ln_g(noisy, table, ORDERING_BOND)

    def test_missing_levels(self) -> None:
        table = joint_table(*FCC).at_composition(16)
        density = exact_density(table, 16)
        assert missing_levels(density, table, ORDERING_BOND) == []
        part = density.run_ln_g.copy()
        part[0, 0] = -np.inf
        holed = DensityOfStates(density.grid, 32, 16, part, density.mean_energy, density.energy_variance)
        assert missing_levels(holed, table, ORDERING_BOND) == [128]
        with pytest.raises(AssertionError, match="differ: \\[0\\]"):
            rms_ln_g(holed, table, ORDERING_BOND)
        narrow = EnergyGrid(density.grid.start, density.grid.width, 5)
        held = np.isfinite(binned_ln_g(narrow, table, ORDERING_BOND))
        assert held.tolist() == [True, False, False, True, True]  # 126 and 124 are no levels

    def test_looked_up(self) -> None:
        energies = ORDERING_BOND * np.array([128.0, 126.0, 122.0])
        found = exact_ln_g(ENUMERATED["fcc", 16], energies, ORDERING_BOND)
        np.testing.assert_allclose(found, [log(42), -np.inf, log(5376)])
        with pytest.raises(AssertionError, match="whole numbers"):
            exact_ln_g(ENUMERATED["fcc", 16], energies + 0.1 * UNLIKE_BOND, ORDERING_BOND)

    def test_relative(self) -> None:
        table = density_of_states(8)
        exact = exact_ln_g(table, mixing_energies(table, UNLIKE_BOND), UNLIKE_BOND)
        assert mean_relative_error(exact + 5.0, exact) == pytest.approx(0, abs=1e-12)
        assert mean_relative_error(normalised(exact + 5.0, 64, None), exact, "total") == pytest.approx(0, abs=1e-12)
        off = exact.copy()
        off[1:] *= 1.001
        assert mean_relative_error(off, exact) == pytest.approx(0.001 * 62 / 63, rel=1e-9)
