"""Walks on an accelerator, run here on tensors of the processor and on Triton's interpreter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from tensor_crowds import lock_step_of

import surrogate.device.enumeration as enumeration
import surrogate.device.oracles as oracles
from surrogate.device.crowds import Crowd
from surrogate.device.energies import EnergyOfConfigurations, LatticeSurroundings
from surrogate.device.fused_walks import FusedTurns, Tiling, masks_of, occupations_of
from surrogate.device.lock_step import LockStep
from surrogate.device.models import PRECISIONS, pack_dense, pack_lattice
from surrogate.device.oracles import DenseOnDevice, LatticeOnDevice, LockStepOracle, oracle_on
from surrogate.device.state import DeviceWalkers, DeviceWeights
from surrogate.oracle import SurrogateOracle, shipped_artefact
from surrogate.torch_oracle import TorchOracle
from wanglandau import kernels
from wanglandau.crowd import advance_crowd
from wanglandau.energy_grid import EnergyGrid
from wanglandau.engine import Engine
from wanglandau.errors import InputError, OracleError
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
    "configurations": lock_step_of,
    "fused": lambda oracle: FusedTurns(pack_lattice(oracle.compiled().parameters, CPU), 32, Tiling(32, 4, 2)),
}


CASES = [(way, case) for way in WAYS for case in ("swaps", "flips", "counting", "bounded", "boltzmann")]
INTERPRETED = [("fused", case) for case in ("swaps", "boltzmann")]
"""Left out, since the interpreter takes seconds for them and the other cases run the same lines."""


@pytest.mark.parametrize(("way", "case"), [one for one in CASES if one not in INTERPRETED])
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


class Broken:
    """Turns that fail, or that give energies that are no numbers."""

    def __init__(self, fails: bool) -> None:
        self.fails = fails

    def make_turns(self, walkers: DeviceWalkers, weights: DeviceWeights, n_turns: int, n_rounds: int) -> None:
        if self.fails:
            raise RuntimeError("CUDA error: out of memory\nmore about it")
        nan = EnergyOfConfigurations(lambda rows: torch.full((len(rows),), torch.nan, dtype=torch.float64))
        LockStep(nan).make_turns(walkers, weights, n_turns, n_rounds)


@pytest.mark.parametrize(("n_walkers", "ln_f", "turn"), [(64, 1.0, 1), (65, 0.01, 50), (64, 0.0, 200)])
def test_few_walkers_renew_their_weights_every_round(
    n_walkers: int, ln_f: float, turn: int, lattice_oracle: SurrogateOracle
) -> None:
    turns: list[int] = []

    class Recorder:
        def advance(self, *arguments: object) -> None:
            turns.append(arguments[3])  # type: ignore[arg-type]

    walkers = make_walkers(lattice_oracle, 16, n_walkers, np.random.SeedSequence(3))
    weights = flat_weights(EnergyGrid(-9.0, 1.0, 10), walkers, ln_f)
    Engine(lattice_oracle, device=Recorder()).advance(walkers, weights, 3)
    assert turns == [turn]


@pytest.mark.parametrize(
    ("fails", "message"), [(True, r"out of memory; fewer walkers \(here 33\)"), (False, "not a number")]
)
def test_failures_are_no_rejected_trials(fails: bool, message: str, lattice_oracle: SurrogateOracle) -> None:
    walkers, weights = _begin(lattice_oracle, False)
    with pytest.raises(OracleError, match=message):
        Crowd(Broken(fails), CPU).advance(walkers, weights, 3, 2)


def test_numbers_that_are_none_stay_in_the_fused_kernel(dense_oracle: SurrogateOracle) -> None:
    tables = dense_oracle.compiled().parameters
    model = pack_dense(tables._replace(shift=float("nan")), "ieee", CPU)
    walkers, weights = _begin(dense_oracle, False)
    with pytest.raises(OracleError, match="not a number"):
        Crowd(FusedTurns(model, 32, Tiling(64, 4, 2)), CPU).advance(walkers, weights, 2, 2)


def test_a_crowd_reports_only_bins_that_nobody_expected(lattice_oracle: SurrogateOracle) -> None:
    for on_device in (False, True):
        walkers, weights = _begin(lattice_oracle, False)
        weights.bins["expected"] = 1
        if on_device:
            Crowd(LockStep(LatticeSurroundings(lattice_oracle.compiled().parameters, CPU)), CPU).advance(
                walkers, weights, 20, 10
            )
        else:
            advance_crowd(Engine.fastest(lattice_oracle), walkers, weights, 20)
        assert weights.control["bins_seen"] > 0
        assert weights.control["bins_found"] == 0


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
