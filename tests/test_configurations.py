"""Random configurations against what chance must give, ordered structures against their crystallography."""

import warnings
from math import comb

import numpy as np
import pytest
import spglib
from ase.build import bulk

from wanglandau.configurations import balanced_configurations, random_configurations
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.orbits import canonical_keys, count_orbits, keys_from_occupations
from wanglandau.ordered_structures import ordered_structure, ordered_structures
from wanglandau.systems import System

CUAU = ("Cu", "Au")


class TestRandom:
    def test_every_configuration_is_equally_likely(self) -> None:
        n = 20_000
        rows = random_configurations(6, 3, n, np.random.default_rng(11))
        assert rows.dtype == np.int8 and (rows.sum(axis=1) == 3).all()
        seen = np.unique(keys_from_occupations(rows), return_counts=True)[1]
        assert len(seen) == comb(6, 3)
        chi_square = ((seen - n / 20) ** 2 / (n / 20)).sum()
        assert 4.0 < chi_square < 50.0  # 19 degrees of freedom: beyond these with a chance below 2e-4

    def test_free_composition(self) -> None:
        rows = random_configurations(4, None, 16_000, np.random.default_rng(3))
        seen = np.unique(keys_from_occupations(rows), return_counts=True)[1]
        assert len(seen) == 16 and abs(seen - 1000).max() < 5 * np.sqrt(1000)

    def test_same_generator_same_configurations(self, cuau: System) -> None:
        one, two = (random_configurations(cuau.lattice, 8, 5, np.random.default_rng(4)) for _ in range(2))
        np.testing.assert_array_equal(one, two)
        assert random_configurations(cuau.lattice, 0, 3, np.random.default_rng(4)).sum() == 0

    def test_wrong_input(self) -> None:
        rng = np.random.default_rng(1)
        with pytest.raises(InputError, match="composition 33 is out of range"):
            random_configurations(32, 33, 1, rng)
        with pytest.raises(InputError, match="cannot draw -1"):
            random_configurations(32, 3, -1, rng)


class TestBalanced:
    def test_sampling_of_the_published_data(self) -> None:
        rows = balanced_configurations(32, rng=np.random.default_rng(7))
        assert rows.shape == (28_058, 32) and rows.dtype == np.int8
        expected = [min(1000, comb(32, c)) for c in range(33)]
        assert np.bincount(rows.sum(axis=1), minlength=33).tolist() == expected
        assert len(np.unique(keys_from_occupations(rows))) == 28_058
        half = rows[rows.sum(axis=1) == 16].mean(axis=0)
        assert abs(half - 0.5).max() < 5 * 0.5 / np.sqrt(1000)

    @pytest.mark.compiled
    def test_orbit_distinct(self, cuau: System) -> None:
        symmetry = cuau.lattice.symmetry
        rows = balanced_configurations(32, 20, rng=np.random.default_rng(7), permutations=symmetry)
        expected = [min(20, n) for n in count_orbits(symmetry)]
        assert np.bincount(rows.sum(axis=1), minlength=33).tolist() == expected
        assert len(np.unique(canonical_keys(symmetry, rows))) == len(rows) == sum(expected)

    @pytest.mark.parametrize("limit", [70, 69, 20, 1])  # C(8, 4) = 70: all, a choice among all, rejection of repeats
    def test_few_configurations(self, limit: int) -> None:
        rows = balanced_configurations(8, limit, rng=np.random.default_rng(1), compositions=[4])
        assert rows.shape == (limit, 8) and (rows.sum(axis=1) == 4).all()
        assert len(np.unique(rows, axis=0)) == limit

    def test_cells_beyond_keys(self) -> None:
        rows = balanced_configurations(108, 50, rng=np.random.default_rng(1), compositions=[54, 1])
        assert rows.sum(axis=1).tolist() == [54] * 50 + [1] * 50 and len(np.unique(rows, axis=0)) == 100

    def test_wrong_input(self, cuau: System) -> None:
        rng = np.random.default_rng(1)
        with pytest.raises(InputError, match="per_composition is 0"):
            balanced_configurations(32, 0, rng=rng)
        with pytest.raises(InputError, match="do not go with 16 sites"):
            balanced_configurations(16, rng=rng, permutations=cuau.lattice.symmetry)
        with pytest.raises(InputError, match="composition 9"):
            balanced_configurations(8, rng=rng, compositions=[9])
        with pytest.raises(InputError, match="up to 64 sites"):
            balanced_configurations(65, rng=rng, permutations=np.arange(65)[None, :])


def members(lattice: Lattice, occupations: np.ndarray) -> int:
    return len(np.unique(occupations[lattice.symmetry], axis=0))


def unlike_bonds(lattice: Lattice, occupations: np.ndarray) -> list[int]:
    shells = lattice.shells(2)
    return [int((occupations[:, None] != occupations[shell.neighbours]).sum()) // 2 for shell in shells]


def space_group(lattice: Lattice, occupations: np.ndarray) -> int:
    atoms = lattice.to_atoms(occupations)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found = spglib.get_symmetry_dataset((atoms.cell[:], atoms.get_scaled_positions(), atoms.numbers), 1e-3)
    return int(found.number)


# name: second-species atoms, members of the orbit, unlike bonds of the first and second shell, space group
FCC_222 = {
    "L1_0": (16, 6, [128, 0], 123),
    "L1_1": (16, 8, [96, 96], 166),
    "L1_2-A3B": (8, 4, [96, 0], 221),
    "L1_2-AB3": (24, 4, [96, 0], 221),
    "D0_22-A3B": (8, 12, [96, 16], 139),
    "D0_22-AB3": (24, 12, [96, 16], 139),
    "40": (16, 12, [128, 32], 141),
    "Z1-A3B": (8, 12, [64, 16], 123),
    "Z3-AB3": (24, 12, [64, 16], 123),
    "Z2": (16, 12, [64, 32], 129),
    "Y1-A3B": (8, 24, [80, 32], 47),
    "Y3-AB3": (24, 24, [80, 32], 47),
    "Y2": (16, 24, [96, 64], 59),
    "Ca7Ge-A7B": (4, 8, [48, 24], 225),
    "Ca7Ge-AB7": (28, 8, [48, 24], 225),
}
BCC_224 = {
    "B2": (16, 2, [128, 0], 221),
    "B32": (16, 4, [64, 96], 227),
    "B11": (16, 4, [64, 32], 129),
    "D0_3-A3B": (8, 4, [64, 48], 225),
    "D0_3-AB3": (24, 4, [64, 48], 225),
}


class TestOrderedStructures:
    @pytest.mark.parametrize(("system", "expected"), [("cuau", FCC_222), ("fept", BCC_224)])
    def test_structures_of_the_named_systems(
        self, system: str, expected: dict[str, tuple], request: pytest.FixtureRequest
    ) -> None:
        lattice = request.getfixturevalue(system).lattice
        found = {
            name: (int(row.sum()), members(lattice, row), unlike_bonds(lattice, row), space_group(lattice, row))
            for name, row in ordered_structures(lattice).items()
        }
        assert found == expected

    @pytest.mark.parametrize(
        ("structure", "repeat", "name", "fraction", "number"),
        [
            ("fcc", (3, 3, 1), "MoPt2-A2B", 1 / 3, 71),
            ("fcc", (1, 1, 3), "beta2-AB2", 2 / 3, 139),
            ("fcc", (5, 5, 1), "D1_a-A4B", 1 / 5, 87),
            ("fcc", (4, 4, 4), "V2", 1 / 2, 166),
            ("bcc", (1, 1, 3), "C11_b-A2B", 1 / 3, 139),
        ],
    )
    def test_structures_of_other_cells(
        self, structure: str, repeat: tuple[int, int, int], name: str, fraction: float, number: int
    ) -> None:
        lattice = Lattice.cubic(structure, CUAU, 7.0, repeat)
        row = ordered_structure(lattice, name)
        assert row.mean() == pytest.approx(fraction) and space_group(lattice, row) == number

    def test_orientation_is_chosen_to_fit(self) -> None:
        for repeat in ((1, 1, 3), (1, 3, 1), (3, 1, 1)):
            assert "beta1-A2B" in ordered_structures(Lattice.cubic("fcc", CUAU, 7.0, repeat))
        assert "beta1-A2B" not in ordered_structures(Lattice.cubic("fcc", CUAU, 7.0, (2, 2, 2)))

    def test_tilted_primitive_cell(self) -> None:
        atoms = bulk("Cu", "fcc", a=3.6) * (2, 2, 2)
        atoms.rotate(33, (1, 2, 3), rotate_cell=True)
        lattice = Lattice.from_atoms(atoms, CUAU)
        found = {name: int(row.sum()) for name, row in ordered_structures(lattice).items()}
        expected = {"L1_0": 4, "L1_1": 4, "L1_2-A3B": 2, "L1_2-AB3": 6, "Ca7Ge-A7B": 1, "Ca7Ge-AB7": 7}
        assert found == expected
        assert unlike_bonds(lattice, ordered_structure(lattice, "L1_0")) == [32, 0]

    def test_other_lattices_have_none(self) -> None:
        stretched = Lattice.cubic("fcc", CUAU, 7.0, (2, 2, 2))
        stretched = Lattice(CUAU, stretched.cell * [1, 1, 1.05], stretched.positions * [1, 1, 1.05])
        simple = Lattice.cubic("sc", CUAU, 5.0, (2, 2, 2))
        assert ordered_structures(stretched) == {} and ordered_structures(simple) == {}
        with pytest.raises(InputError, match="none"):
            ordered_structure(simple, "B2")

    def test_unknown_or_unfitting_name_lists_those_that_fit(self, fept: System) -> None:
        with pytest.raises(InputError, match=r"'L1_0' does not fit .* bcc 2x2x4; .*B2, B32, B11, D0_3-A3B, D0_3-AB3"):
            ordered_structure(fept.lattice, "L1_0")
