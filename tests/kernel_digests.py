"""Digests of what every kernel leaves behind after a short run; as a program it prints them.

With ``NUMBA_DISABLE_JIT=1`` the kernels are plain Python, and have to leave the same behind, bit for bit.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator

import numpy as np

from wanglandau import kernels
from wanglandau.bin_averages import add_to_bins
from wanglandau.engine import Engine
from wanglandau.every_configuration import every_level
from wanglandau.lattice import Lattice
from wanglandau.observables import ShortRangeOrder
from wanglandau.oracle_registry import load_oracle
from wanglandau.orbits import canonical_keys, list_orbits
from wanglandau.pair_model import PairOracle
from wanglandau.range_search import make_grid, search_range
from wanglandau.state_tree import pack, unpack
from wanglandau.systems import load_system
from wanglandau.walkers import Walkers, Weights, Window, flat_weights, make_snapshots, make_walkers

SMALL = Lattice.cubic("bcc", ("Fe", "Pt"), 5.7, (2, 2, 2))
N_ROUNDS = 60


def digest(*arrays: np.ndarray) -> str:
    """Return a digest of the bytes of arrays."""
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()[:16]


def walk_digest(engine: Engine, composition: int | None, n_walkers: int) -> str:
    """Walk from random states, kept and read again, with counted proposals and snapshots."""
    found = search_range(engine, composition, 40, np.random.SeedSequence(1))
    walkers = make_walkers(engine.oracle, composition, n_walkers, np.random.SeedSequence(2))
    grid = make_grid(found, 40, None, Window(), 1.0)
    weights = flat_weights(grid, walkers, 0.01, by_composition=composition is None, counting=True)
    weights.control["gain"] = kernels.ONE_OVER_T
    walkers, weights = unpack(pack([walkers, weights]), (Walkers, Weights))
    kept = make_snapshots(walkers, 3, N_ROUNDS // 3)
    engine.advance(walkers, weights, N_ROUNDS, kept)
    assert walkers.records["accepted"].sum() > 0
    return digest(
        *(walkers.occupations, walkers.sites, walkers.records),
        *(weights.bins, weights.control, weights.proposals, kept.occupations, kept.records),
    )


def walks() -> Iterator[tuple[str, Engine, int | None, int]]:
    """Give a walk through every set of kernels: name, engine, composition (None: flips), walkers."""
    cuau = load_system("cuau")
    small = PairOracle(SMALL, [-0.7, 0.2])
    yield "pair model of one word", Engine.fastest(small), 8, 1
    yield "batched energies", Engine(small), 8, 2
    large = PairOracle(Lattice.cubic("fcc", ("Cu", "Au"), 7.3, (3, 3, 3)), [-0.7, 0.2])
    yield "pair model", Engine.fastest(large), None, 2
    for name, composition, n_walkers in (("lattice", 16, 1), ("dense", None, 3), ("ensemble", 16, 1)):
        yield name, Engine.fastest(load_oracle(f"surrogate:{name}", cuau)), composition, n_walkers


def digests() -> dict[str, str]:
    """Return the digest of every case."""
    found = {}
    for name, engine, composition, n_walkers in walks():
        assert engine.compiled is not None or name == "batched energies"
        found[name] = walk_digest(engine, composition, n_walkers)
    rng = np.random.default_rng(3)
    levels = every_level(PairOracle(SMALL, [-0.7, 0.2]), 3, n_threads=1, progress=False)
    found["every configuration"] = digest(levels.energies, np.array(levels.degeneracies, dtype=float))
    found["orbits"] = digest(*list_orbits(SMALL.symmetry, 3, n_threads=1))
    rows = rng.integers(0, 2, (6, SMALL.n_sites)).astype(np.int8)
    found["canonical keys"] = digest(canonical_keys(SMALL.symmetry, rows))
    found["short-range order"] = digest(ShortRangeOrder(SMALL).measure(rows))
    sums = np.zeros(4, np.int64), np.zeros((4, 2)), np.zeros((4, 2))
    add_to_bins(rng.integers(0, 4, 20), rng.normal(size=(20, 2)), *sums)
    found["averages in bins"] = digest(*sums)
    return found


if __name__ == "__main__":
    json.dump(digests(), sys.stdout)
