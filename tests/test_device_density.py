"""The density of states of a dense network from crowds in lock step, on tensors of the processor, against exact.

On an accelerator the same loop is replayed as a graph, and the fused kernel makes the same trials to the bit
(``test_device.py``). Symmetric configurations have different energies by a dense network, so the reference is the list
of every one of them. Both ends are left out: single configurations there are too rarely met for so short a run.
"""

from __future__ import annotations

import numpy as np
import pytest
from ase import units
from tensor_crowds import crowd_of

from surrogate.device.crowds import Crowd
from surrogate.oracle import SurrogateOracle, shipped_artefact
from wanglandau.energy_grid import EnergyGrid
from wanglandau.every_configuration import every_level
from wanglandau.exact import ExactLevels
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings
from wanglandau.systems import System
from wanglandau.verdict import judge

LEFT_OUT = 200
"""Configurations at either end."""


class OnTensors(SurrogateOracle):
    """A network whose crowds are advanced as on an accelerator."""

    def on_device(self) -> Crowd:
        return crowd_of(self)


def _inner_range(levels: ExactLevels, n_sites: int) -> tuple[float, float]:
    """Return the range without the ends, meV/atom."""
    below = np.cumsum(levels.degeneracies.astype(np.int64))
    ends = levels.energies[np.searchsorted(below, [LEFT_OUT, below[-1] - LEFT_OUT])]
    low, high = ends * units.Ry * 1e3 / n_sites
    return float(low), float(high)


def _exact_ln_g(grid: EnergyGrid, levels: ExactLevels) -> np.ndarray:
    index = grid.index(levels.energies)
    inside = (index >= 0) & (index < grid.n_bins)
    counts = np.bincount(index[inside], levels.degeneracies[inside].astype(float), grid.n_bins)
    return np.log(np.maximum(counts, 1.0))


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("composition", "walkers", "bins", "wanted"),
    [(5, 256, 20, 0.03), pytest.param(8, 512, 40, 0.012, marks=pytest.mark.long)],
)
def test_density_of_states_of_the_dense_network(
    composition: int, walkers: int, bins: int, wanted: float, cuau: System
) -> None:
    oracle = OnTensors(shipped_artefact(cuau, "dense"), cuau.lattice)
    levels = every_level(oracle, composition, progress=False)
    settings = WangLandauSettings(
        runs=4,
        walkers=walkers,
        bins=bins,
        energy_range=_inner_range(levels, cuau.lattice.n_sites),
        max_trials=8_000_000,
        precision=0.02,
        observables=False,
        seed=1,
    )
    result = sample_density(oracle, composition, settings, progress=False)
    assert judge(result).trusted
    density = result.density
    exact = _exact_ln_g(density.grid, levels)
    populated = exact > np.log(10)
    assert populated.sum() >= bins - 2
    difference = (density.ln_g - exact)[populated]
    claimed = float(np.sqrt(np.mean(density.standard_error[populated] ** 2)))
    assert _rms(difference) < min(wanted, 1.5 * claimed)
    assert _rms(difference + 0.1 * (np.arange(len(difference)) % 4 == 0)) > wanted  # would be noticed
