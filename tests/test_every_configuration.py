"""Exact levels from every single configuration: against orbits, brute force, and however the work is divided."""

import json
from itertools import combinations
from math import comb
from pathlib import Path

import numpy as np
import pytest
from console import call
from edited_file import edited

from surrogate.dense_energy import DenseEnergy
from surrogate.settings import DenseSettings
from wanglandau import configuration_kernels, every_configuration
from wanglandau.configuration_kernels import next_swap
from wanglandau.errors import InputError, OracleError
from wanglandau.every_configuration import LEVEL_WIDTH, every_level
from wanglandau.exact import LEVEL_TOLERANCE, ExactLevels, exact_levels
from wanglandau.lattice import Lattice
from wanglandau.oracle import CompiledEnergy
from wanglandau.orbits import canonical_keys, keys_from_occupations, occupations_from_keys
from wanglandau.pair_model import PairOracle
from wanglandau.run_file import ExactRecord, describe_oracle, describe_system, read_exact, write_exact

SYSTEM = 'species = ["Cu", "Zn"]\nstructure = "bcc"\nlattice_constant = 2.95\nrepeat = [2, 2, 2]\n'
BCC = f"pair:{Path(__file__).parents[1] / 'examples' / 'pair_models' / 'nearest_neighbour_bcc.toml'}"


class RandomDense:
    """A small dense network with random weights: every configuration has its own energy."""

    invariant = False
    identity = "random dense network"

    def __init__(self, lattice: Lattice, spread: float = 0.01) -> None:
        rng = np.random.default_rng(8)
        shapes = {"first": (12, lattice.n_sites), "second": (12, 12), "head.energy": (1, 12)}
        arrays = {f"{name}.weight": rng.normal(size=shape) for name, shape in shapes.items()}
        arrays |= {f"{name}.bias": rng.normal(size=shape[:1]) for name, shape in shapes.items()}
        arrays |= {"energy_shift": np.array(-0.1), "energy_scale": np.array(spread)}
        self.lattice, self.network = lattice, DenseEnergy(lattice, DenseSettings(12), arrays)
        self.reference_energies = np.zeros(2)

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        return self.network.energies(occupations)

    def compiled(self) -> CompiledEnergy:
        return self.network.compiled()


class Uncompiled:
    """The same energies without compiled functions."""

    invariant = False
    identity = "uncompiled"

    def __init__(self, lattice: Lattice) -> None:
        self.lattice, self.reference_energies = lattice, np.zeros(2)
        self.energies = RandomDense(lattice).energies


@pytest.fixture(scope="module")
def bcc16() -> Lattice:
    return Lattice.cubic("bcc", ("Cu", "Zn"), 2.95, (2, 2, 2))


@pytest.fixture(scope="module")
def dense(bcc16: Lattice) -> RandomDense:
    return RandomDense(bcc16)


@pytest.fixture(scope="module")
def dense_levels(dense: RandomDense) -> ExactLevels:
    return every_level(dense, None, progress=False)


def assert_same(ours: ExactLevels, theirs: ExactLevels) -> None:
    assert (ours.n_sites, ours.composition) == (theirs.n_sites, theirs.composition)
    for name in ("compositions", "energies", "degeneracies"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
        assert getattr(ours, name).dtype == getattr(theirs, name).dtype


class TestOrder:
    @pytest.mark.parametrize("n", [1, 2, 5, 8])
    def test_every_combination_once_by_single_swaps(self, n: int) -> None:
        for n_chosen in range(n + 1):
            chosen = np.append(np.arange(n_chosen), n)
            swap = np.empty(2, dtype=np.int32)
            now = set(range(n_chosen))
            seen = [tuple(sorted(now))]
            while next_swap(chosen, swap):
                assert swap[0] in now and swap[1] not in now
                now = now - {int(swap[0])} | {int(swap[1])}
                assert sorted(now) == chosen[:-1].tolist()
                seen.append(tuple(sorted(now)))
            assert sorted(seen) == list(combinations(range(n), n_chosen))


class TestLevels:
    def test_invariant_model_has_the_levels_of_its_orbits(self, bcc16: Lattice) -> None:
        oracle = PairOracle(bcc16, [-0.0031, 0.0007])
        ours, orbits = every_level(oracle, None, progress=False), exact_levels(oracle, None, progress=False)
        assert_same(ours, orbits)
        for composition, keys in ours.ground_state_keys.items():
            assert len(keys) == orbits.at_composition(composition).degeneracies[0]
            rows = occupations_from_keys(keys, 16)
            found = np.unique(canonical_keys(bcc16.symmetry, rows))
            np.testing.assert_array_equal(found, orbits.ground_state_keys[composition])

    def test_network_without_symmetry_by_brute_force(self, dense: RandomDense, dense_levels: ExactLevels) -> None:
        rows = occupations_from_keys(np.arange(2**16, dtype=np.uint64), 16)
        energies, second = dense.energies(rows), rows.sum(axis=1)
        assert len(np.unique(energies)) > 60_000 and dense_levels.n_states == 2**16
        for composition in range(17):
            mine = energies[second == composition]
            places, inverse, counts = np.unique(np.floor(mine / LEVEL_WIDTH), return_inverse=True, return_counts=True)
            levels = dense_levels.at_composition(composition)
            np.testing.assert_array_equal(levels.degeneracies, counts.astype(np.uint64))
            mean = np.bincount(inverse, mine) / counts
            np.testing.assert_allclose(levels.energies, mean, rtol=0, atol=1e-14)
            assert len(places) == len(levels)
            key = keys_from_occupations(rows[second == composition][[mine.argmin()]])
            np.testing.assert_array_equal(levels.ground_state_keys[composition], key)

    @pytest.mark.parametrize(("free_sites", "n_threads"), [(6, 1), (9, 3), (12, 2)])
    def test_division_of_the_work_does_not_matter(
        self,
        dense: RandomDense,
        dense_levels: ExactLevels,
        free_sites: int,
        n_threads: int,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(every_configuration, "FREE_SITES", free_sites)
        again = every_level(dense, None, n_threads=n_threads, progress=False)
        assert_same(again, dense_levels)
        assert {c: keys.tolist() for c, keys in again.ground_state_keys.items()} == {
            c: keys.tolist() for c, keys in dense_levels.ground_state_keys.items()
        }

    def test_half_filled_cell_of_32_sites_divided_and_timed(self, cuau_pair: PairOracle) -> None:
        told: list[float] = []
        ours = every_level(cuau_pair, 5, announce=told.append, progress=False)
        assert_same(ours, exact_levels(cuau_pair, 5, progress=False))
        assert ours.n_states == comb(32, 5) and len(told) == 1 and 0 < told[0] < np.inf

    def test_ground_states_beyond_the_limit_are_left_out(self, bcc16: Lattice) -> None:
        levels = every_level(PairOracle(bcc16, [0.0]), 8, progress=False)
        assert levels.degeneracies.tolist() == [comb(16, 8)] and levels.energies.tolist() == [0.0]
        keys = levels.ground_state_keys[8]
        assert len(np.unique(keys)) == configuration_kernels.MAX_KEPT and (np.bitwise_count(keys) == 8).all()


@pytest.fixture(scope="module")
def cuau_pair() -> PairOracle:
    return PairOracle(Lattice.cubic("fcc", ("Cu", "Au"), 7.3, (2, 2, 2)), [-0.0031, 0.0007])


class TestRefusals:
    def test_piece_that_is_left_out_is_noticed(self, dense: RandomDense, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(every_configuration, "FREE_SITES", 10)
        all_pieces = every_configuration._pieces
        monkeypatch.setattr(every_configuration, "_pieces", lambda n, c: list(all_pieces(n, c))[1:])
        with pytest.raises(RuntimeError, match=rf"counted \d+ configurations where there are {comb(16, 8)}"):
            every_level(dense, 8, progress=False)

    @pytest.mark.parametrize(("spread", "error"), [(np.nan, OracleError), (1e6, OracleError), (40.0, InputError)])
    def test_energies_that_cannot_be_counted(self, bcc16: Lattice, spread: float, error: type[Exception]) -> None:
        with pytest.raises(error, match=r"not finite or not below 4096 Ry|spread over more than 16 Ry"):
            every_level(RandomDense(bcc16, spread), 8, progress=False)

    def test_wrong_input(self, bcc16: Lattice, dense: RandomDense) -> None:
        with pytest.raises(InputError, match="no compiled energies"):
            every_level(Uncompiled(bcc16), 8, progress=False)
        with pytest.raises(InputError, match="composition 17"):
            every_level(dense, 17, progress=False)
        with pytest.raises(InputError, match="36 sites"):
            every_level(PairOracle(Lattice.cubic("fcc", ("Cu", "Au"), 7.3, (3, 3, 1)), [0.1]), 4, progress=False)


class TestFile:
    def test_resolution_comes_back(self, bcc16: Lattice, dense: RandomDense, tmp_path: Path) -> None:
        levels, path = every_level(dense, 8, progress=False), tmp_path / "e.h5"
        write_exact(path, levels, describe_system("own", bcc16), describe_oracle("dense", dense))
        record: ExactRecord = read_exact(path)
        assert record.levels.resolution == LEVEL_WIDTH == record.levels.at_composition(8).resolution
        assert_same(record.levels, levels)
        with edited(path) as file:  # as files were before
            del file["levels"].attrs["resolution"]
        assert read_exact(path).levels.resolution == LEVEL_TOLERANCE

    def test_command(self, tmp_path: Path) -> None:
        (tmp_path / "own.toml").write_text(SYSTEM)
        words = ["exact", "own.toml", "--oracle", BCC, "--composition", "8"]
        values = []
        for extra in (["--every-configuration"], [], ["--every-configuration", "--orbit-average"]):
            done = call(*words, "--json", "--out", f"{len(values)}.h5", *extra, cwd=tmp_path)
            values.append(json.loads(done.stdout) if done.returncode == 0 else done.stderr)
        assert "exclude each other" in values[2]
        for name in ("levels", "configurations", "lowest_energy_mev_per_atom", "highest_energy_mev_per_atom"):
            assert values[0][name] == values[1][name]
        assert values[0]["configurations"] == comb(16, 8)
