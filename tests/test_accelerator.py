"""On a real accelerator (``make test-gpu``): walks, energies and a whole density of states against the processor's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from surrogate.device.crowds import Crowd
from surrogate.device.energies import EnergyOfConfigurations, LatticeSurroundings
from surrogate.device.fused_walks import masks_of
from surrogate.device.lock_step import LockStep
from surrogate.device.oracles import ACCURATE, DenseOnDevice, oracle_on
from surrogate.oracle import SurrogateOracle, shipped_artefact
from surrogate.torch_oracle import TorchOracle
from wanglandau import kernels
from wanglandau.cli import main
from wanglandau.crowd import advance_crowd
from wanglandau.energy_grid import EnergyGrid
from wanglandau.engine import Engine
from wanglandau.oracle import DeviceCrowd, EnergyOracle
from wanglandau.systems import System
from wanglandau.turns import rounds_together
from wanglandau.walkers import Walkers, Weights, flat_weights, make_walkers

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator here"),
]
N_WALKERS, N_ROUNDS = 2048, 60
DEVICE = torch.device("cuda")
MEV = 13605.693
CALCULATION = ["--runs", "4", "--max-trials", "20000000000", "--precision", "0.005"]
INNER_RANGE = ["--energy-range", "-116.5", "-81"]
"""Of the dense network at 16 Au: outside are 2,000 configurations, some alone in their bins, into which each of
thousands of walkers would come too rarely."""


def _advance(oracle: EnergyOracle, crowd: DeviceCrowd | None, flipping: bool) -> tuple[Walkers, Weights]:
    composition = None if flipping else oracle.lattice.n_sites // 2
    walkers = make_walkers(oracle, composition, N_WALKERS, np.random.SeedSequence(3))
    energies = walkers.records["energy"]
    grid = EnergyGrid(energies.min() - 0.2 * np.ptp(energies), 1.4 * np.ptp(energies) / 60, 60)
    weights = flat_weights(grid, walkers, 1e-3, by_composition=flipping, counting=True)
    weights.control["gain"] = kernels.ONE_OVER_T
    if crowd is None:
        advance_crowd(Engine.fastest(oracle), walkers, weights, N_ROUNDS)
    else:
        crowd.advance(walkers, weights, N_ROUNDS, rounds_together(N_WALKERS))
    return walkers, weights


def _same(one: tuple[Walkers, Weights], other: tuple[Walkers, Weights]) -> None:
    np.testing.assert_array_equal(one[0].occupations, other[0].occupations)
    for name in ("energy", "composition", "bin", "accepted", "out_of_range"):
        np.testing.assert_array_equal(one[0].records[name], other[0].records[name], err_msg=name)
    for name in ("ln_g", "seen", "histogram", "visits"):
        np.testing.assert_array_equal(one[1].bins[name], other[1].bins[name], err_msg=name)
    np.testing.assert_array_equal(one[1].proposals, other[1].proposals)


@pytest.fixture(scope="module")
def dense(cuau: System) -> DenseOnDevice:
    oracle = oracle_on(shipped_artefact(cuau, "dense"), cuau.lattice, "cuda")
    assert isinstance(oracle, DenseOnDevice)
    return oracle


@pytest.mark.parametrize("flipping", [False, True])
def test_lattice_walks_are_those_of_the_processor(flipping: bool, cuau: System) -> None:
    artefact = shipped_artefact(cuau)
    here, there = SurrogateOracle(artefact, cuau.lattice), oracle_on(artefact, cuau.lattice, "cuda")
    wanted = _advance(here, None, flipping)
    graph = Crowd(LockStep(LatticeSurroundings(here.compiled().parameters, DEVICE)), DEVICE)
    for crowd in (there.on_device(), graph):  # type: ignore[attr-defined]
        _same(_advance(here, crowd, flipping), wanted)


def test_dense_walks_are_those_of_the_captured_graph(dense: DenseOnDevice) -> None:
    def energies(rows: Tensor) -> Tensor:
        return dense.energies_of_masks(masks_of(rows))

    graph = Crowd(LockStep(EnergyOfConfigurations(energies)), DEVICE)
    _same(_advance(dense, dense.on_device(), False), _advance(dense, graph, False))


@pytest.mark.parametrize("precision", ACCURATE)
def test_dense_energies_are_as_accurate_as_float32(precision: str, dense: DenseOnDevice) -> None:
    oracle = DenseOnDevice(dense.artefact, dense.lattice, DEVICE, precision)
    rows = np.random.default_rng(1).integers(0, 2, (4097, 32), dtype=np.int8)
    exact = TorchOracle(dense.artefact, dense.lattice, "cpu").energies(rows)
    found = oracle.energies(rows)
    assert np.abs(found - exact).max() * MEV / 32 < 1e-4  # meV/atom
    parts = np.concatenate([oracle.energies(part) for part in np.array_split(rows[::-1], 7)])[::-1]
    np.testing.assert_array_equal(parts, found)


def _compared(
    model: str, range_words: list[str], exact_words: list[str], capfd: pytest.CaptureFixture[str]
) -> dict[str, Any]:
    for words in (
        ["exact", "cuau", "--composition", "16", *exact_words, "--out", "exact.h5"],
        ["dos", "cuau", "--composition", "16", "--oracle", model, *range_words, *CALCULATION, "--out", "run.h5"],
        ["compare", "run.h5", "exact.h5", "--json"],
    ):
        capfd.readouterr()
        assert main(words) == 0
    found: dict[str, Any] = json.loads(capfd.readouterr().out)
    return found


def test_sampled_density_of_the_lattice_surrogate_is_the_exact_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = _compared("surrogate@cuda", [], ["--oracle", "surrogate"], capfd)
    assert found["populated"]["rms"] < 0.015  # standard errors ask for 0.005
    assert abs(found["peak_shift"]) < 4 * found["run_peak"]["temperature_error"]


def test_sampled_density_of_the_dense_network_is_the_exact_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = "surrogate:dense@cuda"
    found = _compared(model, INNER_RANGE, ["--oracle", model, "--every-configuration"], capfd)
    assert found["populated"]["bins"] > 250
    assert found["populated"]["rms"] < 0.015
