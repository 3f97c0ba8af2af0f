"""The pair model against bond counts done by hand, and its compiled moves against its energies."""

from itertools import combinations
from math import comb
from pathlib import Path

import numpy as np
import pytest
from ase import units

from wanglandau import mask_kernels, pair_kernels
from wanglandau.energy_grid import EnergyGrid
from wanglandau.engine import Engine
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.oracle import CompiledOracle, EnergyOracle
from wanglandau.pair_model import PairOracle, from_argument
from wanglandau.systems import load_system
from wanglandau.walkers import flat_weights, make_walkers

CUAU = ("Cu", "Au")
EXAMPLES = Path(__file__).parent.parent / "examples" / "pair_models"


def random_rows(oracle: PairOracle, n: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, (n, oracle.lattice.n_sites), dtype=np.int8)


def counted_by_image(oracle: PairOracle, row: np.ndarray) -> float:
    """Sum over every (site, image) entry of the shells, halved: slow and obvious."""
    shells = oracle.lattice.shells(len(oracle.unlike_bond_energies))
    unlike = [(row[:, None] != row[shell.neighbours]).sum() / 2 for shell in shells]
    return float(np.dot(unlike, oracle.unlike_bond_energies))


@pytest.mark.parametrize(
    ("structure", "repeat", "n_shells"),
    [
        ("fcc", (2, 2, 2), 2),
        ("fcc", (2, 2, 1), 3),
        ("bcc", (2, 2, 4), 3),
        ("sc", (1, 1, 2), 4),
        ("sc", (4, 4, 4), 2),
        ("fcc", (3, 3, 2), 1),
    ],
)
class TestEveryCell:
    """Cells with double bonds (fcc 2x2x2, shell 2), self-images (sc 1x1x2) and none of either (fcc 3x3x2, shell 1).

    One has as many sites as a word has bits (sc 4x4x4), one has more (fcc 3x3x2).
    """

    @pytest.fixture()
    def oracle(self, structure: str, repeat: tuple[int, int, int], n_shells: int) -> PairOracle:
        energies = (0.003 * np.random.default_rng(7).normal(size=n_shells)).tolist()
        return PairOracle(Lattice.cubic(structure, CUAU, 7.3, repeat), energies)

    def test_energy_is_the_sum_over_images(self, oracle: PairOracle) -> None:
        rows = random_rows(oracle, 40)
        np.testing.assert_array_equal(oracle.energies(rows), [counted_by_image(oracle, row) for row in rows])

    @pytest.mark.parametrize("max_sites", [0, mask_kernels.MAX_SITES])
    def test_compiled_walk_stays_exact(
        self, oracle: PairOracle, max_sites: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Both with fields of sites and with masks of bits where the cell is small enough."""
        monkeypatch.setattr(mask_kernels, "MAX_SITES", max_sites)
        compiled, rng = oracle.compiled(), np.random.default_rng(3)
        masked = oracle.lattice.n_sites <= max_sites
        assert compiled.trial is (mask_kernels if masked else pair_kernels).trial
        row = random_rows(oracle, 1)[0]
        cache = np.empty(compiled.cache_size)
        assert compiled.prepare(compiled.parameters, row, cache) == oracle.energies(row[None])[0]
        for step in range(400):
            size = rng.integers(1, min(4, len(row)) + 1)
            flips = rng.choice(len(row), size, replace=False).astype(np.int32)
            after = row.copy()
            after[flips] ^= 1
            before = row.copy()
            energy = compiled.trial(compiled.parameters, row, cache, flips)
            assert energy == oracle.energies(after[None])[0]
            np.testing.assert_array_equal(row, before)
            if step % 3:
                compiled.commit(compiled.parameters, row, cache, flips)
                np.testing.assert_array_equal(row, after)
        fresh = np.empty_like(cache)
        compiled.prepare(compiled.parameters, row, fresh)
        np.testing.assert_array_equal(cache[:-1], fresh[:-1])

    def test_invariant_under_the_space_group(self, oracle: PairOracle) -> None:
        row = random_rows(oracle, 1)[0]
        assert np.unique(oracle.energies(row[oracle.lattice.symmetry])).size == 1


@pytest.mark.compiled
@pytest.mark.parametrize("flipping", [False, True])
def test_long_walks_with_masks_and_with_fields_are_the_same(flipping: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    oracle = PairOracle(Lattice.cubic("sc", CUAU, 7.3, (4, 4, 2)), [-0.003, 0.0011, 0.00037])
    states = []
    for max_sites in (0, mask_kernels.MAX_SITES):
        monkeypatch.setattr(mask_kernels, "MAX_SITES", max_sites)
        walkers = make_walkers(oracle, None if flipping else 13, 2, np.random.SeedSequence(5))
        weights = flat_weights(EnergyGrid(-0.5, 0.003, 300), walkers, 0.1)
        Engine.fastest(oracle).advance(walkers, weights, 300_000)
        states.append((walkers, weights))
    (fields, field_weights), (masks, mask_weights) = states
    assert np.array_equal(masks.records["energy"], oracle.energies(masks.occupations))
    assert np.array_equal(masks.records, fields.records)
    assert np.array_equal(masks.occupations, fields.occupations)
    assert np.array_equal(mask_weights.bins, field_weights.bins)
    assert mask_weights.control["bins_seen"] > 20
    assert 60_000 < masks.records["accepted"].sum() < 600_000


def test_bonds_of_no_energy() -> None:
    """Not one distinct bond energy is left for the masks."""
    oracle = PairOracle(Lattice.cubic("sc", CUAU, 7.3, (1, 1, 2)), [0.0])
    compiled, row = oracle.compiled(), np.array([0, 1], dtype=np.int8)
    cache = np.empty(compiled.cache_size)
    assert compiled.prepare(compiled.parameters, row, cache) == 0.0
    assert compiled.trial(compiled.parameters, row, cache, np.array([0], dtype=np.int32)) == 0.0


def test_bcc_16_atoms_is_the_complete_bipartite_graph() -> None:
    lattice = Lattice.cubic("bcc", CUAU, 5.7, (2, 2, 2))
    oracle = PairOracle(lattice, [-1.0])
    chosen = np.array(list(combinations(range(16), 8)))
    rows = np.zeros((len(chosen), 16), dtype=np.int8)
    rows[np.arange(len(chosen))[:, None], chosen] = 1
    levels, counts = np.unique(-oracle.energies(rows).astype(int), return_counts=True)
    expected: dict[int, int] = {}
    for a in range(9):
        unlike = a * a + (8 - a) * (8 - a)
        expected[unlike] = expected.get(unlike, 0) + comb(8, a) ** 2
    assert dict(zip(levels.tolist(), counts.tolist(), strict=True)) == expected


def test_distinct_sites_instead_of_images_would_be_noticed() -> None:
    """Negative control: on fcc 2x2x2 the second shell meets each of three sites twice."""
    oracle = PairOracle(Lattice.cubic("fcc", CUAU, 7.3, (2, 2, 2)), [0.0, 1.0])
    row = random_rows(oracle, 1)[0]
    shell = oracle.lattice.shells(2)[1]
    without = sum((row[site] != row[np.unique(near)]).sum() / 2 for site, near in enumerate(shell.neighbours))
    assert oracle.energies(row[None])[0] == 2 * without > 0


def test_protocols_purity_and_identity() -> None:
    lattice = Lattice.cubic("fcc", CUAU, 7.3, (2, 2, 2))
    oracle = PairOracle(lattice, [-0.003])
    assert isinstance(oracle, EnergyOracle)
    assert isinstance(oracle, CompiledOracle)
    rows = random_rows(oracle, 10)
    kept = rows.copy()
    together = oracle.energies(rows)
    np.testing.assert_array_equal(together, np.concatenate([oracle.energies(row[None]) for row in rows]))
    np.testing.assert_array_equal(rows, kept)
    assert oracle.identity == PairOracle(lattice, [-0.003]).identity
    others = [
        PairOracle(lattice, [-0.0031]),
        PairOracle(lattice, [-0.003, 0.001]),
        PairOracle(Lattice.cubic("fcc", CUAU, 7.4, (2, 2, 2)), [-0.003]),
    ]
    assert oracle.identity not in {other.identity for other in others}


def test_file_in_mev(tmp_path: Path) -> None:
    oracle = from_argument(str(EXAMPLES / "nearest_neighbour_fcc.toml"), load_system("cuau"))
    assert oracle.unlike_bond_energies[0] == pytest.approx(-0.050 / units.Ry, abs=1e-11)
    # Layers of one kind each (L1_0): 128 of the 192 nearest-neighbour bonds are unlike
    z = np.round(oracle.lattice.positions[:, 2] / oracle.lattice.positions[:, 2].max() * 3).astype(np.int8)
    assert oracle.energies((z % 2)[None])[0] == 128 * oracle.unlike_bond_energies[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("unlike_bond_energies = [-50.0]\nunit = 'meV'", "unknown key 'unit'"),
        ("units = 'meV'", "one per shell"),
        ("unlike_bond_energies = []", "one per shell"),
        ("unlike_bond_energies = ['a']", "one per shell"),
        ("unlike_bond_energies = [nan]", "finite"),
        ("unlike_bond_energies = [1.0]\nunits = 'eV'", "units 'eV'"),
        ("unlike_bond_energies = [1.0]\nspecies = ['Fe', 'Pt']", "cuau has Cu, Au"),
        ("unlike_bond_energies = [1.0]\nreference_energies = [1.0]", "two finite"),
        ("unlike_bond_energies = [-50.0]", "exact sums"),
        ("unlike_bond_energies = [", "cannot read"),
    ],
)
def test_wrong_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "model.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        from_argument(str(path), load_system("cuau"))
    assert "\n" not in str(caught.value).replace(str(path), "")


def test_missing_file_and_missing_argument() -> None:
    with pytest.raises(InputError, match="cannot read"):
        from_argument("nowhere.toml", load_system("cuau"))
    with pytest.raises(InputError, match="pair:FILE"):
        from_argument("", load_system("cuau"))


def test_wrong_shape_is_refused() -> None:
    with pytest.raises(InputError, match="needs"):
        PairOracle(Lattice.cubic("fcc", CUAU, 7.3, (2, 2, 2)), [1.0]).energies(np.zeros((1, 31), dtype=np.int8))
