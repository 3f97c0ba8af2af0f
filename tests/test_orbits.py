"""Orbits against brute force, Burnside's lemma and the canonical keys stored with the data sets."""

from math import comb
from pathlib import Path

import h5py
import numpy as np
import pytest
from edited_file import edited

from wanglandau import orbits as orbits_module
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.orbit_cache import cache_file, load_orbits, store_orbits
from wanglandau.orbits import (
    canonical_keys,
    count_orbits,
    enumerate_orbits,
    keys_from_occupations,
    list_orbits,
    occupations_from_keys,
)
from wanglandau.systems import System

DATA = Path(__file__).parent.parent / "surrogate" / "data"
CUAU = ("Cu", "Au")


def random_rows(n_sites: int, n: int = 50) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 2, (n, n_sites), dtype=np.int8)


def smallest_image(permutations: np.ndarray, row: np.ndarray) -> int:
    """Return the canonical key by definition: slow and obvious."""
    return min(sum(int(bit) << site for site, bit in enumerate(image)) for image in row[permutations].tolist())


@pytest.fixture(scope="module")
def bcc16() -> Lattice:
    return Lattice.cubic("bcc", CUAU, 5.7, (2, 2, 2))


class TestKeys:
    @pytest.mark.parametrize("repeat", [(1, 1, 1), (2, 2, 1), (2, 2, 2), (4, 2, 2)])
    def test_canonical_key_by_definition(self, repeat: tuple[int, int, int]) -> None:
        lattice = Lattice.cubic("fcc", CUAU, 7.3, repeat)
        rows = random_rows(lattice.n_sites, 20)
        expected = [smallest_image(lattice.symmetry, row) for row in rows]
        assert canonical_keys(lattice.symmetry, rows).tolist() == expected

    @pytest.mark.parametrize("name", ["cuau", "fept"])
    def test_canonical_keys_of_the_data_sets(self, name: str, request: pytest.FixtureRequest) -> None:
        system: System = request.getfixturevalue(name)
        with h5py.File(DATA / f"{name}32-lsms.h5") as file:
            keys = canonical_keys(system.lattice.symmetry, file["occupations"][:])
            np.testing.assert_array_equal(keys, file["orbit"][:])

    @pytest.mark.parametrize("n_sites", [1, 31, 32, 33, 64])
    def test_keys_and_occupations_are_each_others_reverse(self, n_sites: int) -> None:
        rows = random_rows(n_sites)
        keys = keys_from_occupations(rows)
        assert [int(key) for key in keys] == [sum(int(b) << s for s, b in enumerate(row)) for row in rows]
        np.testing.assert_array_equal(occupations_from_keys(keys, n_sites), rows)

    def test_no_keys_of_no_configurations(self, bcc16: Lattice) -> None:
        nothing = np.empty((0, 16), dtype=np.int8)
        assert canonical_keys(bcc16.symmetry, nothing).shape == (0,)
        assert keys_from_occupations(nothing).shape == (0,)
        assert occupations_from_keys(np.empty(0, dtype=np.uint64), 16).shape == (0, 16)

    def test_wrong_input(self, bcc16: Lattice) -> None:
        with pytest.raises(InputError, match="65 sites"):
            keys_from_occupations(random_rows(65))
        with pytest.raises(InputError, match="72 sites"):
            canonical_keys(np.arange(72)[None, :], random_rows(72))
        with pytest.raises(InputError, match="other than 0"):
            canonical_keys(bcc16.symmetry, np.full((1, 16), 2))
        with pytest.raises(InputError, match="permutations of shape"):
            canonical_keys(bcc16.symmetry, random_rows(8))
        with pytest.raises(InputError, match="beyond the 16 sites"):
            occupations_from_keys(np.array([2**16], dtype=np.uint64), 16)


class TestCount:
    def test_known_numbers(self, cuau: System, fept: System, bcc16: Lattice) -> None:
        fcc, bcc = count_orbits(cuau.lattice.symmetry), count_orbits(fept.lattice.symmetry)
        assert (sum(fcc), fcc[16], fcc[8], fcc[:6]) == (2_912_042, 404_582, 8_043, [1, 1, 5, 14, 71, 223])
        assert (sum(bcc), bcc[16]) == (8_773_024, 1_218_318)
        assert sum(count_orbits(bcc16.symmetry)) == 331
        assert fcc == fcc[::-1]

    def test_identity_alone_leaves_every_configuration_an_orbit(self) -> None:
        assert count_orbits(np.arange(9)[None, :]) == [comb(9, c) for c in range(10)]

    def test_large_cell_counts_exactly(self) -> None:
        lattice = Lattice.cubic("fcc", CUAU, 7.3, (3, 3, 3))
        counts = count_orbits(lattice.symmetry)
        images = np.array([np.sort(lattice.symmetry[:, [0, site]], axis=1) @ [108, 1] for site in range(1, 108)])
        assert counts[:3] == [1, 1, len(np.unique(images.min(axis=1)))]
        assert sum(counts) > 2**108 // len(lattice.symmetry)


class TestList:
    @pytest.mark.compiled
    @pytest.mark.parametrize(("structure", "repeat"), [("bcc", (2, 2, 2)), ("fcc", (2, 2, 1)), ("sc", (3, 2, 2))])
    def test_all_orbits_by_brute_force(self, structure: str, repeat: tuple[int, int, int]) -> None:
        lattice = Lattice.cubic(structure, CUAU, 6.0, repeat)
        every = occupations_from_keys(np.arange(2**lattice.n_sites, dtype=np.uint64), lattice.n_sites)
        expected_keys, expected_sizes = np.unique(canonical_keys(lattice.symmetry, every), return_counts=True)
        keys, sizes = list_orbits(lattice.symmetry, None)
        np.testing.assert_array_equal(keys, expected_keys)
        np.testing.assert_array_equal(sizes, expected_sizes)

    def test_cell_without_symmetry_lists_every_configuration(self) -> None:
        keys, sizes = list_orbits(np.arange(16)[None, :], 3)
        assert len(keys) == comb(16, 3) and (sizes == 1).all() and (np.bitwise_count(keys) == 3).all()

    @pytest.mark.compiled
    def test_few_atoms_in_a_cell_of_64_sites(self) -> None:
        lattice = Lattice.cubic("fcc", CUAU, 7.3, (4, 2, 2))
        keys, sizes = list_orbits(lattice.symmetry, 3)
        assert sizes.sum() == comb(64, 3) and len(keys) == count_orbits(lattice.symmetry)[3]
        rows = occupations_from_keys(keys, 64)
        assert (rows.sum(axis=1) == 3).all()
        np.testing.assert_array_equal(canonical_keys(lattice.symmetry, rows), keys)

    @pytest.mark.compiled
    def test_half_filled_fcc(self, cuau: System, tmp_path: Path) -> None:
        orbits = enumerate_orbits(cuau.lattice, 16, tmp_path)
        assert len(orbits) == 404_582 and int(orbits.sizes.sum(dtype=np.uint64)) == comb(32, 16)
        assert (np.diff(orbits.keys.astype(np.int64)) > 0).all() and (orbits.compositions == 16).all()
        some = slice(1000, 404_582, 40_000)
        rows = orbits.occupations()[some]
        assert (rows.sum(axis=1) == 16).all()
        np.testing.assert_array_equal(canonical_keys(cuau.lattice.symmetry, rows), orbits.keys[some])
        members = [len(np.unique(row[cuau.lattice.symmetry], axis=0)) for row in rows]
        assert members == orbits.sizes[some].tolist()

    @pytest.mark.compiled
    def test_all_compositions_hold_each_composition(self, cuau: System) -> None:
        orbits = enumerate_orbits(cuau.lattice, None)
        assert len(orbits) == 2_912_042 and int(orbits.sizes.sum(dtype=np.uint64)) == 2**32
        assert np.diff(orbits.offsets).tolist() == count_orbits(cuau.lattice.symmetry)
        keys, sizes = list_orbits(cuau.lattice.symmetry, 9)
        chosen = slice(orbits.offsets[9], orbits.offsets[10])
        np.testing.assert_array_equal(orbits.keys[chosen], keys)
        np.testing.assert_array_equal(orbits.sizes[chosen], sizes)
        assert (orbits.compositions[chosen] == 9).all()

    @pytest.mark.long
    def test_all_orbits_of_the_bcc_cell(self, fept: System) -> None:
        orbits = enumerate_orbits(fept.lattice, None)
        assert len(orbits) == 8_773_024 and int(orbits.sizes.sum(dtype=np.uint64)) == 2**32

    @pytest.mark.compiled
    def test_threads_do_not_change_the_result(self, fept: System) -> None:
        (one, _), (three, _) = (list_orbits(fept.lattice.symmetry, 8, n_threads) for n_threads in (1, 3))
        np.testing.assert_array_equal(one, three)

    def test_part_of_a_group_is_noticed(self, bcc16: Lattice) -> None:
        with pytest.raises(RuntimeError, match="whole group"):
            list_orbits(bcc16.symmetry[:100], None)

    def test_wrong_input(self, bcc16: Lattice, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"108 sites.*limited to 32.*wanglandau dos"):
            enumerate_orbits(Lattice.cubic("fcc", CUAU, 7.3, (3, 3, 3)), 4, tmp_path)
        with pytest.raises(InputError, match="composition 17"):
            enumerate_orbits(bcc16, 17, tmp_path)
        with pytest.raises(InputError, match="4294967296 inequivalent"):
            list_orbits(np.arange(32)[None, :], None)
        assert not list(tmp_path.iterdir())


class TestCache:
    @pytest.fixture()
    def no_listing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> None:
            raise AssertionError("the orbits were listed again")

        monkeypatch.setattr(orbits_module, "list_orbits", refuse)

    def test_second_call_reads_the_file(self, bcc16: Lattice, tmp_path: Path, request: pytest.FixtureRequest) -> None:
        first = enumerate_orbits(bcc16, None, tmp_path)
        request.getfixturevalue("no_listing")
        for composition in (None, 5):
            again = enumerate_orbits(bcc16, composition, tmp_path)
            chosen = slice(None) if composition is None else slice(first.offsets[5], first.offsets[6])
            np.testing.assert_array_equal(again.keys, first.keys[chosen])
            np.testing.assert_array_equal(again.sizes, first.sizes[chosen])
            assert again.offsets[-1] == len(again)

    def test_compositions_join_in_one_file(self, bcc16: Lattice, tmp_path: Path) -> None:
        for composition in (3, 8, 3):
            enumerate_orbits(bcc16, composition, tmp_path)
        assert set(load_orbits(tmp_path, bcc16.symmetry, list(range(17)))) == {3, 8}
        assert [path.name for path in tmp_path.iterdir()] == [cache_file(tmp_path, bcc16.symmetry).name]

    @pytest.mark.parametrize("damage", ["truncated", "overwritten", "text", "format", "other group", "short"])
    def test_damaged_file_is_built_again(self, bcc16: Lattice, tmp_path: Path, damage: str) -> None:
        good = enumerate_orbits(bcc16, 8, tmp_path)
        path = cache_file(tmp_path, bcc16.symmetry)
        content = path.read_bytes()
        if damage == "truncated":
            path.write_bytes(content[: len(content) // 2])
        elif damage == "overwritten":
            where = content.index(good.keys.tobytes()[:64])
            path.write_bytes(content[:where] + bytes(64) + content[where + 64 :])
        elif damage == "text":
            path.write_text("not HDF5")
        elif damage == "short":
            store_orbits(tmp_path, bcc16.symmetry, {8: (good.keys[:-1], good.sizes[:-1])})
        else:
            with edited(path) as file:
                file.attrs["format" if damage == "format" else "permutations"] = "something else"
        again = enumerate_orbits(bcc16, 8, tmp_path)
        np.testing.assert_array_equal(again.keys, good.keys)
        assert set(load_orbits(tmp_path, bcc16.symmetry, [8])) == {8}

    def test_folder_that_cannot_be_written_only_costs_time(self, bcc16: Lattice, tmp_path: Path) -> None:
        (tmp_path / "taken").write_text("a file where the folder should be")
        assert len(enumerate_orbits(bcc16, None, tmp_path / "taken")) == 331

    def test_default_folder_follows_the_environment(self, bcc16: Lattice, cache_folder: Path) -> None:
        enumerate_orbits(bcc16, 2)
        assert cache_file(cache_folder / "alloy-wanglandau", bcc16.symmetry).exists()
