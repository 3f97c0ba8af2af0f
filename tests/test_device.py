"""Walks on an accelerator, run here on tensors of the processor and on Triton's interpreter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch

import surrogate.device.enumeration as enumeration
import surrogate.device.oracles as oracles
from surrogate.dense_kernels import DenseTables
from surrogate.device.crowds import Crowd
from surrogate.device.energies import EnergyOfConfigurations, LatticeSurroundings
from surrogate.device.fused_walks import FusedTurns, Tiling, dense_energies_of, masks_of, occupations_of
from surrogate.device.lock_step import LockStep
from surrogate.device.models import PRECISIONS, _pieces, pack_dense, pack_lattice, scaled
from surrogate.device.oracles import DenseOnDevice, LatticeOnDevice, LockStepOracle, oracle_on
from surrogate.oracle import SurrogateOracle, shipped_artefact
from surrogate.torch_oracle import TorchOracle
from wanglandau import kernels
from wanglandau.crowd import advance_crowd
from wanglandau.energy_grid import EnergyGrid
from wanglandau.engine import Engine
from wanglandau.errors import InputError
from wanglandau.every_configuration import every_level
from wanglandau.exact import exact_levels
from wanglandau.lattice import Lattice
from wanglandau.oracle import ENERGY_QUANTUM, CountingOracle, DeviceOracle, EnergyOracle, LevelCounts
from wanglandau.pair_model import PairOracle
from wanglandau.sad import bounded_weights
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings
from wanglandau.systems import System
from wanglandau.turns import rounds_together
from wanglandau.walkers import Walkers, Weights, flat_weights, make_snapshots, make_walkers

CPU = torch.device("cpu")
N_WALKERS = 33  # more than a block
MEV = 13605.693


@pytest.fixture(scope="module")
def lattice_oracle(cuau: System) -> SurrogateOracle:
    return SurrogateOracle(shipped_artefact(cuau), cuau.lattice)


@pytest.fixture(scope="module")
def dense_oracle(cuau: System) -> SurrogateOracle:
    return SurrogateOracle(shipped_artefact(cuau, "dense"), cuau.lattice)


def _begin(oracle: EnergyOracle, flipping: bool, counting: bool = False, **control: float) -> tuple[Walkers, Weights]:
    n_sites = oracle.lattice.n_sites
    walkers = make_walkers(oracle, None if flipping else n_sites // 2, N_WALKERS, np.random.SeedSequence(3))
    energies = walkers.records["energy"]
    spread = np.ptp(energies)
    grid = EnergyGrid(energies.min() - 0.01 * spread, 1.02 * spread / 40, 40)
    weights = flat_weights(grid, walkers, 1e-3, by_composition=flipping, counting=counting)
    weights.control["gain"] = kernels.ONE_OVER_T
    for name, value in control.items():
        weights.control[name] = value
    return walkers, weights


def _bound(weights: Weights) -> None:
    """Give the weights the shape of SAD, with a range of interest in their middle."""
    n_bins = len(weights.bins)
    weights.bins["ln_g"] = np.linspace(0.0, 5.0, n_bins)
    weights.bins["seen"] = 1
    weights.control["bins_seen"], weights.control["bounded"] = n_bins, 1
    weights.control["lowest_seen"], weights.control["highest_seen"] = 0, n_bins - 1
    weights.control["low_end"], weights.control["high_end"], weights.control["slope"] = 10, 30, 0.2
    weights.control["gain"] = kernels.SAD
    weights.control["sad_width"], weights.control["sad_bins"], weights.control["sad_trials"] = 30.0, 20.0, 1000.0
    weights.control["trials"] = 2000
    assert not np.array_equal(bounded_weights(weights), weights.bins["ln_g"])


def _same(one: tuple[Walkers, Weights], other: tuple[Walkers, Weights], *, trips: bool) -> None:
    """Insist on equal states; sums of energies may differ by rounding."""
    (walkers, weights), (walkers2, weights2) = one, other
    np.testing.assert_array_equal(walkers.occupations, walkers2.occupations)
    np.testing.assert_array_equal(walkers.sites, walkers2.sites)
    for name in kernels.WALKER.names or ():
        if trips or name not in ("heading", "half_trips"):
            np.testing.assert_array_equal(walkers.records[name], walkers2.records[name], err_msg=name)
    for name in ("ln_g", "seen", "expected", "histogram", "visits"):
        np.testing.assert_array_equal(weights.bins[name], weights2.bins[name], err_msg=name)
    for name in ("energy_sum", "energy_square_sum"):
        scale = weights.width if name == "energy_sum" else weights.width**2
        np.testing.assert_allclose(weights.bins[name] / scale, weights2.bins[name] / scale, atol=1e-6, err_msg=name)
    for name in kernels.CONTROL.names or ():
        assert weights.control[name] == weights2.control[name], name
    np.testing.assert_array_equal(weights.proposals, weights2.proposals)


WAYS: dict[str, Callable[[SurrogateOracle], object]] = {
    "surroundings": lambda oracle: LockStep(LatticeSurroundings(oracle.compiled().parameters, CPU)),
    "configurations": lambda oracle: LockStep(
        EnergyOfConfigurations(lambda rows: torch.from_numpy(oracle.energies(rows.numpy())))
    ),
    "fused": lambda oracle: FusedTurns(pack_lattice(oracle.compiled().parameters, CPU), 32, Tiling(32, 4, 2)),
}


@pytest.mark.parametrize("case", ["swaps", "flips", "counting", "bounded", "boltzmann"])
@pytest.mark.parametrize("way", WAYS)
def test_same_states_as_the_crowd_of_the_processor(way: str, case: str, lattice_oracle: SurrogateOracle) -> None:
    states = []
    n_rounds = 55  # a turn and a rest
    for on_device in (False, True):
        walkers, weights = _begin(lattice_oracle, case == "flips", counting=case == "counting")
        if case == "bounded":
            _bound(weights)
        if case == "boltzmann":
            weights.control["ln_f"], weights.control["gain"] = 0.0, kernels.FIXED
            walkers.records["beta"] = np.linspace(0.0, 2e3, N_WALKERS)
        if on_device:
            turns = WAYS[way](lattice_oracle)
            Crowd(turns, CPU).advance(walkers, weights, n_rounds, rounds_together(N_WALKERS))  # type: ignore[arg-type]
        else:
            advance_crowd(Engine.fastest(lattice_oracle), walkers, weights, n_rounds)
        states.append((walkers, weights))
    # while the range is being discovered, the processor's groups count trips between ends of their own
    _same(*states, trips=case == "bounded")
    assert states[0][0].records["accepted"].min() > 0
    assert states[0][0].records["out_of_range"].sum() > 0


def test_snapshots_are_states_on_the_way(lattice_oracle: SurrogateOracle) -> None:
    turns = LockStep(LatticeSurroundings(lattice_oracle.compiled().parameters, CPU))
    walkers, weights = _begin(lattice_oracle, False)
    snapshots = make_snapshots(walkers, 3, 20)
    Crowd(turns, CPU).advance(walkers, weights, 60, 20, snapshots)
    again, weights_again = _begin(lattice_oracle, False)
    for place in range(3):
        Crowd(turns, CPU).advance(again, weights_again, 20, 20)
        np.testing.assert_array_equal(snapshots.records[place], again.records)
        np.testing.assert_array_equal(snapshots.occupations[place], again.occupations)


@pytest.mark.parametrize("precision", ["fp16x3", "ieee"])
def test_dense_energies_are_as_accurate_as_float32(precision: str, cuau: System, dense_oracle: SurrogateOracle) -> None:
    rows = np.random.default_rng(1).integers(0, 2, (70, 32), dtype=np.int8)
    exact = TorchOracle(dense_oracle.artefact, cuau.lattice, "cpu").energies(rows)
    oracle = DenseOnDevice(dense_oracle.artefact, cuau.lattice, CPU, precision)
    error = np.abs(oracle.energies(rows) - exact).max() * MEV / 32
    assert error < 5e-5  # meV/atom; the compiled energies are off by some 1e-5
    assert oracle.identity != dense_oracle.identity
    parts = np.concatenate([oracle.energies(part) for part in np.array_split(rows[::-1], 3)])[::-1]
    np.testing.assert_array_equal(parts, oracle.energies(rows))


def test_fewer_digits_are_measured_and_told(
    cuau: System, dense_oracle: SurrogateOracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("surrogate.device.oracles.SAMPLE", 64)
    oracle = DenseOnDevice(dense_oracle.artefact, cuau.lattice, CPU, "fp16")
    told = float(oracle.caution.split("up to ")[-1].split()[0])
    assert "Arithmetic fp16" in oracle.caution
    assert 1e-3 < told < 1.0


def test_dense_walks_agree_with_energies(cuau: System, dense_oracle: SurrogateOracle) -> None:
    """Fused and in lock step on the same energies, walkers go the same way; their energies are those of the oracle."""
    oracle = DenseOnDevice(dense_oracle.artefact, cuau.lattice, CPU, "fp16x3")
    lock_step = LockStep(EnergyOfConfigurations(lambda rows: oracle.energies_of_masks(masks_of(rows))))
    states = []
    for crowd in (oracle.on_device(), Crowd(lock_step, CPU)):
        walkers, weights = _begin(oracle, False)
        crowd.advance(walkers, weights, 12, 5)
        np.testing.assert_array_equal(oracle.energies(walkers.occupations), walkers.records["energy"])
        states.append((walkers, weights))
    _same(*states, trips=True)


def _small_network(own: int, rng: np.random.Generator) -> DenseTables:
    def weights(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    third = (weights(48, own), weights(own)) if own else (np.zeros((0, 0), np.float32), np.zeros(0, np.float32))
    return DenseTables(
        weights(12, 48).astype(np.float64),
        weights(48).astype(np.float64),
        weights(48, 48) / 7,
        weights(48),
        *third,
        weights(own or 48),
        -0.3,
        0.02,
    )


@pytest.mark.parametrize("own", [0, 24])
@pytest.mark.parametrize("precision", ["fp16x3", "tf32x3", "ieee"])
def test_any_shape_of_network(own: int, precision: str) -> None:
    tables = _small_network(own, np.random.default_rng(own))
    masks = torch.arange(0, 4096, 41)
    hidden = occupations_of(masks, 12).numpy() @ tables.first + tables.first_bias
    hidden = np.maximum(hidden, 0) @ tables.second.astype(np.float64) + tables.second_bias
    if own:
        hidden = np.maximum(hidden, 0) @ tables.third.astype(np.float64) + tables.third_bias
    wanted = tables.shift + tables.scale * (np.maximum(hidden, 0) @ tables.output.astype(np.float64))
    got = dense_energies_of(pack_dense(tables, precision, CPU), Tiling(16, 4, 2), masks).numpy()
    np.testing.assert_allclose(got, wanted, atol=2e-6 * np.abs(wanted).max())


def test_scaling_leaves_the_function_alone_and_refuses_what_overflows() -> None:
    tables = _small_network(24, np.random.default_rng(2))
    factor = scaled(tables)
    ratio = factor.first / tables.first
    assert np.ptp(ratio) == 0
    assert np.log2(ratio[0, 0]) % 1 == 0
    with pytest.raises(InputError, match=r"float16.*ieee"):
        scaled(tables._replace(first_bias=tables.first_bias + 1e6))


@pytest.mark.parametrize("width", [16, 200, 208, 300, 1000])
def test_a_width_is_cut_into_powers_of_two(width: int) -> None:
    pieces = _pieces(width)
    assert len(pieces) <= 3
    assert all(piece.bit_count() == 1 and piece >= 16 for piece in pieces)
    assert width <= sum(pieces) < 1.15 * width + 16


def test_masks_there_and_back() -> None:
    rows = torch.from_numpy(np.random.default_rng(0).integers(0, 2, (50, 64), dtype=np.int8))
    assert torch.equal(occupations_of(masks_of(rows), 64), rows)


@dataclass
class CountedOnDevice:
    """A pair model that lets the device's code go through all configurations."""

    pair: PairOracle

    def __post_init__(self) -> None:
        self.lattice, self.identity = self.pair.lattice, self.pair.identity
        self.reference_energies, self.invariant = self.pair.reference_energies, self.pair.invariant

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        return self.pair.energies(occupations)

    def count_levels(self, level_bits: int, max_kept: int, progress: Callable[[int], object]) -> list[LevelCounts]:
        def energies(keys: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(self.energies(occupations_of(keys, self.lattice.n_sites).numpy()))

        return enumeration.count_levels(energies, self.lattice.n_sites, level_bits, max_kept, CPU, progress)


def test_every_configuration_counted_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enumeration, "KEYS_TOGETHER", 1000)  # several pieces, of which later ones widen the tally
    monkeypatch.setattr(enumeration, "ROOM", 0.0)
    oracle = CountedOnDevice(PairOracle(Lattice.cubic("bcc", ("Cu", "Zn"), 2.95, (2, 2, 2)), [-3e-3, 1e-3]))
    assert isinstance(oracle, CountingOracle)
    counted, wanted = every_level(oracle, None), exact_levels(oracle.pair, None)
    np.testing.assert_array_equal(counted.energies, wanted.energies)
    np.testing.assert_array_equal(counted.degeneracies, wanted.degeneracies)
    for composition, keys in counted.ground_state_keys.items():
        lowest = counted.at_composition(composition)
        n_kept = min(int(lowest.degeneracies[0]), 4096)
        assert len(keys) == n_kept
        rows = occupations_of(torch.from_numpy(keys.astype(np.int64)), oracle.lattice.n_sites).numpy()
        np.testing.assert_array_equal(oracle.energies(rows), lowest.energies[0])


def test_whole_calculation_on_the_device(
    cuau: System, lattice_oracle: SurrogateOracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("surrogate.device.oracles.has_triton", lambda: False)  # the interpreter would take minutes
    monkeypatch.setattr("wanglandau.calculation.CHECK_ROUNDS_ON_DEVICE", 100)
    monkeypatch.setattr("wanglandau.engine.WORTH_THE_DEVICE", 9)
    oracle = LatticeOnDevice(lattice_oracle.artefact, cuau.lattice, CPU)
    assert isinstance(oracle, DeviceOracle)
    assert oracle.identity == lattice_oracle.identity  # the same energies, so that files fit each other
    settings = WangLandauSettings(runs=1, walkers=24, max_trials=12_000, bins=20)
    found = sample_density(oracle, 16, settings, progress=False)
    assert int(np.sum(found.trials)) >= 10_000


def test_processes_of_a_node_take_accelerators_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in oracles.LOCAL_RANKS:
        monkeypatch.delenv(name, raising=False)
    assert oracles.local_rank() == 0
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    monkeypatch.setattr("torch.zeros", lambda *shape, device: None)
    taken = []
    for rank in range(6):
        monkeypatch.setenv("SLURM_LOCALID", str(rank))
        taken.append(oracles._device("cuda").index)
    assert taken == [0, 1, 2, 3, 0, 1]
    assert oracles._device("cuda:3").index == 3


def test_what_may_follow_the_at_sign(cuau: System, dense_oracle: SurrogateOracle) -> None:
    artefact = dense_oracle.artefact
    with pytest.raises(InputError, match="'ieee' is a choice of dense networks on cuda"):
        oracle_on(artefact, cuau.lattice, "cpu/ieee")
    with pytest.raises(InputError, match="device 'nowhere'"):
        oracle_on(artefact, cuau.lattice, "nowhere")
    with pytest.raises(InputError, match="'fp8' is not known; choose one of " + ", ".join(PRECISIONS)):
        DenseOnDevice(artefact, cuau.lattice, CPU, "fp8")
    rows = np.random.default_rng(0).integers(0, 2, (5, 32), dtype=np.int8)
    oracle = LockStepOracle(artefact, cuau.lattice, "cpu")
    np.testing.assert_array_equal(oracle.tensor_energies(torch.from_numpy(rows)).numpy(), oracle.energies(rows))
    assert np.all(oracle.energies(rows) / ENERGY_QUANTUM % 1 == 0)
