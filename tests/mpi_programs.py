"""What tests run under mpiexec: ``python mpi_programs.py NAME ... FOLDER``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ase import units
from known_levels import UNLIKE_BONDS

from wanglandau import replica_exchange
from wanglandau.calculation import Calculation, plan
from wanglandau.combination import gather_table
from wanglandau.engine import Engine
from wanglandau.kernels import WALKER
from wanglandau.pair_model import PairOracle
from wanglandau.ranks import Ranks, launched_ranks
from wanglandau.sampled_density import SampledDensity
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings
from wanglandau.systems import load_system

WINDOWED = WangLandauSettings(
    runs=2, windows=3, teams=2, uniform_windows=True, exchange_interval=500, max_trials=2_000_000, precision=1e-6
)
MEV_PER_ATOM = units.Ry * 1e3 / 32
FIXED_WEIGHTS = WangLandauSettings(
    runs=8,
    windows=2,
    walkers=8,
    uniform_windows=True,
    energy_range=(-120.5 * MEV_PER_ATOM, -103.5 * MEV_PER_ATOM),
    observables=False,
    pinned=False,
    seed=5,
)
BLOCK, N_BLOCKS = 2, 750
"""Rounds between exchanges, and exchanges, of the test with fixed weights."""


def pair() -> PairOracle:
    """Return the nearest-neighbour pair model on fcc 2x2x2, 1 Ry per bond."""
    return PairOracle(load_system("cuau").lattice, [-1.0])


def example_rows(rank: int) -> list[np.ndarray]:
    """Return arrays that this rank gathers: uneven numbers of rows of many types, some of them none."""
    random = np.random.default_rng(rank)
    walkers = np.zeros((rank + 1, 3), dtype=WALKER)
    walkers["energy"], walkers["composition"] = random.random((rank + 1, 3)), rank
    return [
        np.array([[rank]], dtype=np.int64),
        random.random((2 * rank, 5)),
        random.integers(0, 2, (3, 4, 7)).astype(np.int8),
        np.full(rank % 2, rank / 7.0),
        np.asfortranarray(random.random((4, 3)))[:: rank + 1],
        walkers,
        random.random((2, 3)) < 0.5,
        np.zeros((rank, 0)),
        np.array([f"rank {rank}"], dtype="U12"),
    ]


def gather(folder: Path, ranks: Ranks) -> None:
    """Let every rank save what it has gathered."""
    gathered = [ranks.gather(rows) for rows in example_rows(ranks.rank)]
    np.savez(folder / f"{ranks.rank}-of-{ranks.size}.npz", *gathered)
    try:
        ranks.gather(np.zeros((1, 2 + ranks.rank)))
    except ValueError:
        (folder / f"refused-{ranks.rank}").touch()


def result_arrays(sampled: SampledDensity) -> dict[str, np.ndarray]:
    """Return everything a calculation found as arrays."""
    assert sampled.produced and sampled.transition_ln_g is not None
    return {
        "ln_g": sampled.density.run_ln_g,
        "mean_energy": sampled.density.mean_energy,
        "visits": sampled.visits,
        "records": sampled.records,
        "transitions": sampled.transition_ln_g,
        "totals": np.array([average.total for average in sampled.averages]),
        "exchange": sampled.exchange,
        **{f"walks_{name}": values for name, values in sampled.walks.items()},
    }


def sample(folder: Path, ranks: Ranks) -> None:
    """Save the result of a calculation as every rank sees it."""
    sampled = sample_density(pair(), 16, WINDOWED, progress=False, ranks=ranks)
    np.savez(folder / f"sample-{ranks.rank}-of-{ranks.size}.npz", **result_arrays(sampled))


def with_exact_weights(ranks: Ranks) -> Calculation:
    """Prepare a calculation in windows of which all weights are exact and stay so."""
    calculation = plan(Engine.fastest(pair()), 16, FIXED_WEIGHTS, ranks)
    known = {-float(bonds): np.log(float(count)) for bonds, count in UNLIKE_BONDS.items()}
    for walk in calculation.walks:
        bins = walk.weights.bins
        for place, centre in enumerate(walk.grid.centres):
            bins["seen"][place] = round(centre) in known
            bins["ln_g"][place] = known.get(round(centre), 0.0)
        walk.begin_production(transitions=False)
    return calculation


def one_sided(true_gains: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """Let only the lower of two windows have its say in an exchange: a fault."""

    def gains(walks: list, own: range, records: np.ndarray, partners: np.ndarray) -> np.ndarray:
        result = true_gains(walks, own, records, partners)
        upper = np.array([partners[number] < number for number in own])
        result[upper[:, None] & np.isfinite(result)] = 0.0
        return result

    return gains


def exact_weights_histogram(ranks: Ranks) -> np.ndarray:
    """Return visits of every walk, ``int64[n_walks, n_bins]``, under exact weights with exchanges."""
    calculation = with_exact_weights(ranks)
    for _ in range(N_BLOCKS):
        calculation.advance(BLOCK, None)
    assert calculation.exchange.accepted.sum() > 1000
    return gather_table(calculation).visits[:, 0]


def flat(folder: Path, ranks: Ranks) -> None:
    """Save histograms under exact weights, by the right rule and by a wrong one."""
    right = exact_weights_histogram(ranks)
    true_gains = replica_exchange._gains
    replica_exchange._gains = one_sided(true_gains)
    try:
        wrong = exact_weights_histogram(ranks)
    finally:
        replica_exchange._gains = true_gains
    np.savez(folder / f"flat-{ranks.rank}-of-{ranks.size}.npz", right=right, wrong=wrong)


def main() -> int:
    """Run the programs that the command line names, one after the other."""
    *names, folder = sys.argv[1:]
    ranks = launched_ranks()
    programs = {"gather": gather, "sample": sample, "flat": flat}
    for name in names:
        programs[name](Path(folder), ranks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
