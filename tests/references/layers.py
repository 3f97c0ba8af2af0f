"""Exact joint tables g(N_B, unlike bonds) of stacks of small layers, by transfer matrix over polynomials.

A layer of k sites has 2**k states; adding a layer multiplies by the bonds inside it and to the layer below. From each
state of layer 0 (one of each symmetry class) the polynomials are carried half around the periodic cell in either
direction and multiplied where they meet. All numbers are int64: up to 64 sites none exceeds C(64, 32) < 2**63.

With an even number of neighbours in the layer the number of unlike bonds of a whole cell is even, and polynomials are
in half that number.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numba import njit

from wanglandau.lattice import Lattice

JointCounts = dict[int, dict[int, int]]
"""Number of configurations by number of second-species atoms and by number of unlike bonds, both ascending."""

MAX_SITES = 64
MAX_LAYER_SITES = 8


class LayerStack:
    """Layers of a periodic lattice along one axis, and the bonds in and between them.

    Attributes
    ----------
    sites : int64[n_layers, k]
        Sites of each layer.
    states : int64[2**k, k]
        Occupations of a layer in each of its states; equal numbers mean the same state in all arrays below.
    atoms : int64[2**k]
        Second-species atoms in each state.
    inside : int64[n_layers, 2**k]
        Unlike bonds in each layer.
    between : int64[n_layers, 2**k, 2**k]
        Unlike bonds from layer l (first index) to the next one, periodically.
    up : int
        Bonds from a site to the next layer.
    """

    def __init__(self, lattice: Lattice, axis: int) -> None:
        heights = np.linalg.solve(lattice.cell.T, lattice.positions.T)[axis] % 1.0
        values = np.unique(np.round(heights, 6) % 1.0)
        self.sites = np.array([np.flatnonzero(np.abs((heights - v + 0.5) % 1.0 - 0.5) < 1e-5) for v in values])
        n_layers, k = self.sites.shape
        assert n_layers >= 3 and k <= MAX_LAYER_SITES and lattice.n_sites == n_layers * k <= MAX_SITES
        self.states = np.arange(2**k)[:, None] >> np.arange(k) & 1
        self.atoms = self.states.sum(axis=1)
        bonds = lattice.shells(1)[0].multiplicity().astype(np.int64)
        self.n_bonds = int(bonds.sum()) // 2
        blocks = [(bonds[np.ix_(a, a)], bonds[np.ix_(a, b)]) for a, b in zip(self.sites, self._next(), strict=True)]
        assert sum(same.sum() // 2 + above.sum() for same, above in blocks) == self.n_bonds, "bonds that skip a layer"
        self.inside = np.array([np.diag(self._unlike(same)) // 2 for same, _ in blocks])
        self.between = np.array([self._unlike(above) for _, above in blocks])
        self.up = int(blocks[0][1][0].sum())
        assert all((above.sum(axis=axis) == self.up).all() for _, above in blocks for axis in (0, 1))
        assert not (self.inside % 2).any()

    def _next(self) -> np.ndarray:
        return np.roll(self.sites, -1, axis=0)

    def _unlike(self, bonds: np.ndarray) -> np.ndarray:
        """Count the unlike bonds between each state (of the rows) and each other (of the columns)."""
        ones = self.states @ bonds @ (1 - self.states).T
        return ones + (1 - self.states) @ bonds @ self.states.T

    def shifts(self, layer: int) -> np.ndarray:
        """Half the unlike bonds from a layer to the next, with a term in each state's parity that cancels in a cell."""
        parity = self.atoms * self.up % 2
        doubled = parity[:, None] + self.between[layer] - parity[None, :]
        assert not (doubled % 2).any()
        return doubled // 2

    def start_classes(self, symmetry: np.ndarray) -> dict[int, int]:
        """Return one state of layer 0 of each class under the operations that keep this layer, and the class sizes."""
        layer = self.sites[0]
        place = {site: i for i, site in enumerate(layer.tolist())}
        kept = {tuple(row) for row in symmetry[:, layer].tolist() if set(row) == set(place)}
        images = np.array([[place[site] for site in row] for row in sorted(kept)])
        powers = 2 ** np.arange(len(layer))
        lowest = np.min([self.states[:, image] @ powers for image in images], axis=0)
        return dict(Counter(lowest.tolist()))


def joint_counts(lattice: Lattice, axis: int = 2) -> JointCounts:
    """Count the configurations of every composition and number of unlike nearest-neighbour bonds.

    Parameters
    ----------
    lattice : Lattice
        At most 64 sites in at least three equal layers of at most 8 sites, bonds only within and between neighbouring
        layers. Species exchange has to leave the number of unlike bonds alone (it always does in a pair model).
    axis : int
        Cell vector along which the layers are stacked.
    """
    stack = LayerStack(lattice, axis)
    n_layers, k = stack.sites.shape
    total = np.zeros((lattice.n_sites + 1, stack.n_bonds // 2 + 1), dtype=np.int64)
    for start, size in stack.start_classes(lattice.symmetry).items():
        if 2 * stack.atoms[start] > k:
            continue  # the exchange of species gives these
        meeting = n_layers // 2
        up = _carry(stack, start, [(layer, stack.shifts(layer)) for layer in range(meeting)])
        down = _carry(
            stack, start, [(layer + 1, stack.shifts(layer).T) for layer in range(n_layers - 1, meeting - 1, -1)]
        )
        found = np.zeros_like(total)
        _meet(stack, start, meeting, up, down, found)
        total += size * found
        if 2 * stack.atoms[start] < k:
            total += size * found[::-1]
    return {n: {2 * int(half): int(row[half]) for half in np.flatnonzero(row)} for n, row in enumerate(total)}


def _carry(stack: LayerStack, start: int, steps: list[tuple[int, np.ndarray]]) -> np.ndarray:
    """Return the polynomials of the ways from one state of layer 0 to each state of the last layer.

    Parameters
    ----------
    steps : list of (int, int64[2**k, 2**k])
        Layer that is left (its atoms and bonds are counted then; layer 0 and the last one are left out) and shifts.

    Returns
    -------
    int64[2**k, n, m]
        By atoms and by half the number of unlike bonds.
    """
    first = steps[0][1][start]
    ways = np.zeros((len(first), 1, int(first.max()) + 1), dtype=np.int64)
    ways[np.arange(len(first)), 0, first] = 1
    for layer, shift in steps[1:]:
        shifts = shift + stack.inside[layer][:, None] // 2
        after = np.zeros((len(first), ways.shape[1] + stack.sites.shape[1], ways.shape[2] + shifts.max()), np.int64)
        _advance(ways, shifts, stack.atoms, after)
        ways = after
    return ways


def _meet(stack: LayerStack, start: int, meeting: int, up: np.ndarray, down: np.ndarray, found: np.ndarray) -> None:
    """Add to ``found`` the products of the ways that meet in each state of a layer; equal products only once."""
    equal = Counter(
        (up[state].tobytes(), down[state].tobytes(), int(stack.atoms[state]), int(stack.inside[meeting][state]))
        for state in range(len(stack.states))
    )
    for (above, below, atoms, inside), number in equal.items():
        factors = (np.frombuffer(part, np.int64).reshape(ways.shape[1:]) for part, ways in ((above, up), (below, down)))
        n_0 = atoms + int(stack.atoms[start])
        half_0 = (inside + int(stack.inside[0][start])) // 2
        _multiply(*factors, number, n_0, half_0, found)


@njit(cache=True, nogil=True)
def _advance(ways: np.ndarray, shifts: np.ndarray, atoms: np.ndarray, after: np.ndarray) -> None:
    """Add a layer: multiply by atoms and bonds of the state that is left and by the bonds to the next one."""
    n_states, n_atoms, n_halves = ways.shape
    for following in range(n_states):
        for state in range(n_states):
            shift = shifts[state, following]
            for n in range(n_atoms):
                for half in range(n_halves):
                    after[following, n + atoms[state], half + shift] += ways[state, n, half]


@njit(cache=True, nogil=True)
def _multiply(a: np.ndarray, b: np.ndarray, number: int, n_0: int, half_0: int, found: np.ndarray) -> None:
    """Add ``number`` times the product of two polynomials, shifted by ``n_0`` atoms and ``half_0`` pairs of bonds."""
    for n_a in range(a.shape[0]):
        for half_a in range(a.shape[1]):
            factor = number * a[n_a, half_a]
            if factor:
                for n_b in range(b.shape[0]):
                    for half_b in range(b.shape[1]):
                        if b[n_b, half_b]:
                            found[n_0 + n_a + n_b, half_0 + half_a + half_b] += factor * b[n_b, half_b]
