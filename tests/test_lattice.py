"""The lattice, its shells with image multiplicities, its symmetry group, and the systems made of it."""

from itertools import permutations, product
from pathlib import Path

import ase.io
import h5py
import numpy as np
import pytest
from ase import units
from ase.build import bulk

from wanglandau.errors import InputError
from wanglandau.exact import exact_levels
from wanglandau.lattice import Lattice
from wanglandau.pair_model import PairOracle
from wanglandau.shells import Shell
from wanglandau.systems import System, load_system

CUAU = ("Cu", "Au")
DATA = Path(__file__).parent.parent / "surrogate" / "data"


class TestLattice:
    @pytest.mark.parametrize("name", ["cuau", "fept"])
    def test_sites_are_those_of_the_data_sets(self, name: str, request: pytest.FixtureRequest) -> None:
        lattice = request.getfixturevalue(name).lattice
        with h5py.File(DATA / f"{name}32-lsms.h5") as file:
            np.testing.assert_allclose(lattice.cell, file.attrs["cell_bohr"], atol=1e-6)
            np.testing.assert_allclose(lattice.positions, file.attrs["positions"], atol=1e-6)

    def test_sites_stand_in_the_order_of_ase(self) -> None:
        atoms = bulk("Cu", "fcc", a=3.87, cubic=True) * (2, 1, 3)
        lattice = Lattice.cubic("fcc", CUAU, 3.87 / units.Bohr, (2, 1, 3))
        np.testing.assert_allclose(lattice.positions * units.Bohr, atoms.positions, atol=1e-10)
        again = Lattice.from_atoms(lattice.to_atoms(np.zeros(24, dtype=np.int8)), CUAU)
        assert again.fingerprint == lattice.fingerprint
        symbols = lattice.to_atoms(np.arange(24) % 2).get_chemical_symbols()
        assert symbols == ["Cu", "Au"] * 12

    def test_fingerprint_tells_lattices_apart(self, cuau: System) -> None:
        lattice = cuau.lattice
        others = [
            Lattice.cubic("fcc", ("Au", "Cu"), 3.87 / units.Bohr, (2, 2, 2)),
            Lattice.cubic("fcc", CUAU, 3.88 / units.Bohr, (2, 2, 2)),
            Lattice(CUAU, lattice.cell, lattice.positions[::-1]),
        ]
        assert len({lattice.fingerprint, *(other.fingerprint for other in others)}) == 4
        assert load_system("cuau").lattice.fingerprint == lattice.fingerprint

    def test_arrays_cannot_be_changed(self, cuau: System) -> None:
        with pytest.raises(ValueError, match="read-only"):
            cuau.lattice.positions[0] = 1.0

    @pytest.mark.parametrize(
        ("species", "cell", "positions", "message"),
        [
            (("Cu", "Cu"), np.eye(3), [[0, 0, 0]], "two different"),
            (("Cu", "Xx"), np.eye(3), [[0, 0, 0]], "not a chemical symbol"),
            (CUAU, np.ones((3, 3)), [[0, 0, 0]], "linearly independent"),
            (CUAU, np.full((3, 3), np.nan), [[0, 0, 0]], "linearly independent"),
            (CUAU, np.eye(3), [[0, 0]], "expected"),
            (CUAU, np.eye(3), np.empty((0, 3)), "expected"),
        ],
    )
    def test_wrong_lattices(self, species: tuple[str, str], cell: np.ndarray, positions: list, message: str) -> None:
        with pytest.raises(InputError, match=message):
            Lattice(species, cell, np.array(positions))

    def test_wrong_supercells(self) -> None:
        with pytest.raises(InputError, match="structure 'hcp'"):
            Lattice.cubic("hcp", CUAU, 7.0, (2, 2, 2))
        with pytest.raises(InputError, match="lattice constant"):
            Lattice.cubic("fcc", CUAU, -7.0, (2, 2, 2))
        with pytest.raises(InputError, match="whole numbers"):
            Lattice.cubic("fcc", CUAU, 7.0, (2, 0, 2))
        with pytest.raises(InputError, match="limit of 1000000 sites"):
            Lattice.cubic("fcc", CUAU, 7.0, (100, 100, 100))
        with pytest.raises(InputError, match="periodic"):
            Lattice.from_atoms(bulk("Cu") * (1, 1, 1), CUAU).from_atoms(ase.Atoms("Cu", cell=np.eye(3)), CUAU)


class TestShells:
    @pytest.mark.parametrize(
        ("structure", "coordinations", "squared_distances"),
        [
            ("fcc", [12, 6, 24, 12, 24], [0.5, 1.0, 1.5, 2.0, 2.5]),
            ("bcc", [8, 6, 12, 24, 8], [0.75, 1.0, 2.0, 2.75, 3.0]),
            ("sc", [6, 12, 8, 6, 24], [1.0, 2.0, 3.0, 4.0, 5.0]),
        ],
    )
    @pytest.mark.parametrize("repeat", [(1, 1, 1), (2, 2, 2), (2, 1, 3)])
    def test_coordination_does_not_depend_on_the_cell(
        self, structure: str, coordinations: list[int], squared_distances: list[float], repeat: tuple[int, int, int]
    ) -> None:
        shells = Lattice.cubic(structure, CUAU, 7.0, repeat).shells(5)
        assert [shell.coordination for shell in shells] == coordinations
        np.testing.assert_allclose([shell.distance for shell in shells], 7.0 * np.sqrt(squared_distances), rtol=1e-9)
        for shell in shells:
            counts = shell.multiplicity()
            assert (counts.sum(axis=1) == shell.coordination).all() and (counts == counts.T).all()

    @pytest.mark.parametrize(
        ("structure", "repeat", "shell", "distinct", "images"),
        [
            ("fcc", (2, 2, 2), 0, 12, {1}),
            ("fcc", (2, 2, 2), 1, 3, {2}),
            ("bcc", (2, 2, 4), 2, 5, {2, 4}),
            ("fcc", (2, 2, 1), 0, 8, {1, 2}),
            ("bcc", (2, 2, 2), 1, 3, {2}),
            ("sc", (1, 1, 1), 0, 1, {6}),
        ],
    )
    def test_images_count(
        self, structure: str, repeat: tuple[int, int, int], shell: int, distinct: int, images: set[int]
    ) -> None:
        counts = Lattice.cubic(structure, CUAU, 7.0, repeat).shells(shell + 1)[shell].multiplicity()
        assert ((counts > 0).sum(axis=1) == distinct).all() and set(counts[counts > 0].tolist()) == images

    def test_unequal_sites_are_refused(self) -> None:
        lattice = Lattice(CUAU, np.diag([5.0, 5.0, 12.0]), np.array([[0.0, 0, 0], [0, 0, 4.0], [2.5, 2.5, 8.0]]))
        with pytest.raises(InputError, match="one sublattice"):
            lattice.shells(1)
        with pytest.raises(InputError, match="at least one shell"):
            lattice.shells(0)


class TestImagesInEnergies:
    """In sc 2x2x2 each neighbour is met twice: both bonds must be in the energy, as counted with rolled arrays."""

    @pytest.fixture()
    def lattice(self) -> Lattice:
        return Lattice.cubic("sc", CUAU, 5.0, (2, 2, 2))

    @pytest.fixture()
    def expected(self) -> dict[int, int]:
        cubes = ((np.arange(256)[:, None] >> np.arange(8)) & 1).reshape(-1, 2, 2, 2)
        unlike = sum((cubes != np.roll(cubes, 1, axis)).sum(axis=(1, 2, 3)) for axis in (1, 2, 3))
        return dict(zip(*(part.tolist() for part in np.unique(unlike, return_counts=True)), strict=True))

    def table(self, lattice: Lattice) -> dict[int, int]:
        energies, degeneracies = exact_levels(PairOracle(lattice, [1.0]), None, progress=False).over_compositions()
        return dict(zip(energies.astype(int).tolist(), degeneracies.tolist(), strict=True))

    def test_levels_with_images(self, lattice: Lattice, expected: dict[int, int]) -> None:
        assert self.table(lattice) == expected and max(expected) == 24

    def test_levels_without_images_are_wrong(
        self, lattice: Lattice, expected: dict[int, int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Negative control: a shell that lists each neighbour once must not reproduce the table."""
        (shell,) = lattice.shells(1)
        distinct = np.array([np.unique(row) for row in shell.neighbours], dtype=np.int32)
        monkeypatch.setattr(Lattice, "shells", lambda self, n_shells: [Shell(shell.distance, distinct)])
        assert self.table(lattice) != expected


class TestSymmetry:
    @pytest.mark.parametrize(
        ("structure", "repeat", "order"),
        [("fcc", (2, 2, 2), 1536), ("bcc", (2, 2, 4), 512), ("bcc", (2, 2, 2), 768), ("fcc", (1, 1, 2), 32)],
    )
    def test_group(self, structure: str, repeat: tuple[int, int, int], order: int) -> None:
        """Operations that move no site count once: in fcc 1x1x2 the mirrors x -> -x and y -> -y leave 128 / 4."""
        lattice = Lattice.cubic(structure, CUAU, 7.0, repeat)
        group = lattice.symmetry
        assert group.shape == (order, lattice.n_sites) and (group[0] == np.arange(lattice.n_sites)).all()
        known = {operation.tobytes() for operation in group}
        assert len(known) == order
        for operation in group[:: order // 8]:
            assert {row.tobytes() for row in operation[group]} == known
            for shell in lattice.shells(3):
                counts = shell.multiplicity()
                np.testing.assert_array_equal(counts[np.ix_(operation, operation)], counts)

    @pytest.mark.parametrize("repeat", [(6, 6, 1), (4, 4, 4)])
    def test_group_of_larger_cells(self, repeat: tuple[int, int, int]) -> None:
        """All that permute or mirror the axes of a simple cubic cell and shift its sites, counted on their indices."""
        lattice = Lattice.cubic("sc", CUAU, 5.0, repeat)
        sites = np.indices(repeat)
        expected = set()
        for axes in permutations(range(3)):
            if tuple(np.array(repeat)[list(axes)]) != repeat:
                continue
            for signs, shift in product(product((1, -1), repeat=3), np.ndindex(repeat)):
                moved = [signs[k] * sites[axes[k]] + shift[k] for k in range(3)]
                expected.add(np.ravel_multi_index(moved, repeat, mode="wrap").ravel().astype(np.int32).tobytes())
        assert {row.tobytes() for row in lattice.symmetry} == expected and len(lattice.symmetry) == len(expected)
        assert (np.diff(lattice.symmetry[:, :2] @ [1000, 1]) >= 0).all()

    def test_sites_without_symmetry(self) -> None:
        rng = np.random.default_rng(4)
        lattice = Lattice(CUAU, 5 * np.eye(3) + rng.random((3, 3)), 5 * rng.random((5, 3)))
        np.testing.assert_array_equal(lattice.symmetry, [np.arange(5)])


class TestSystems:
    def test_named_systems(self, cuau: System, fept: System) -> None:
        assert (cuau.lattice.species, cuau.lattice.n_sites, cuau.composition) == (CUAU, 32, 16)
        assert (fept.lattice.species, fept.lattice.n_sites, fept.composition) == (("Fe", "Pt"), 32, 16)
        assert load_system("cuau", (3, 3, 3)).composition == 54

    def test_system_file(self, tmp_path: Path) -> None:
        ase.io.write(tmp_path / "cell.vasp", bulk("Ni", "fcc", a=3.5) * (2, 2, 1))
        lines = 'species = ["Ni", "Al"]\nstructure_file = "cell.vasp"\nrepeat = [1, 1, 2]\ncomposition = 3\n'
        (tmp_path / "nial.toml").write_text(lines)
        system = load_system(str(tmp_path / "nial.toml"))
        assert (system.name, system.lattice.n_sites, system.composition) == ("nial", 8, 3)
        assert [shell.coordination for shell in system.lattice.shells(2)] == [12, 6]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('species = ["Cu", "Au"]\nstructure = "fcc"\nlattice_constant = 3.9\ncolour = 1', "unknown key 'colour'"),
            ('structure = "fcc"\nlattice_constant = 3.9', "key 'species' is missing"),
            ('species = ["Cu", "Au"]\nstructure = "fcc"', "key 'lattice_constant' is missing"),
            ('species = ["Cu"]\nstructure = "fcc"\nlattice_constant = 3.9', "two chemical symbols"),
            ('species = ["Cu", "Au"]\nstructure = "fcc"\nlattice_constant = [3.9]', "number in Angstrom"),
            ('species = ["Cu", "Au"]\nstructure_file = "no.cif"', "cannot read structure file"),
            ('species = ["Cu", "Au"]\nstructure = "fcc"\nlattice_constant = 3.9\ncomposition = 5', "composition 5"),
            ("species = [", "cannot read system file"),
        ],
    )
    def test_wrong_system_files(self, tmp_path: Path, text: str, message: str) -> None:
        (tmp_path / "wrong.toml").write_text(text)
        with pytest.raises(InputError, match=message):
            load_system(str(tmp_path / "wrong.toml"))

    def test_unknown_systems(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="choose one of cuau, fept"):
            load_system("niag")
        with pytest.raises(InputError, match="cannot read"):
            load_system(str(tmp_path / "none.toml"))


@pytest.mark.parametrize(("structure", "repeat"), [("fcc", (2, 2, 2)), ("bcc", (2, 2, 4)), ("fcc", (1, 2, 3))])
def test_shells_do_not_depend_on_what_was_asked_before(structure: str, repeat: tuple[int, int, int]) -> None:
    def lattice() -> Lattice:
        return Lattice.cubic(structure, ("Cu", "Au"), 7.0, repeat)

    asked_before = lattice()
    for n_shells in (2, 6, 3, 1, 5):
        asked_now = lattice().shells(n_shells)
        for shell, fresh in zip(asked_before.shells(n_shells), asked_now, strict=True):
            np.testing.assert_array_equal(shell.neighbours, fresh.neighbours)
    with pytest.raises(InputError):
        asked_before.shells(0)
