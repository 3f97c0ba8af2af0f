"""Parallel tempering: exchange of configurations between neighbouring temperatures.

K. Hukushima and K. Nemoto, J. Phys. Soc. Jpn. 65, 1604 (1996). With inverse temperatures b and fields f (b times the
chemical-potential difference) two neighbours i, j that hold states of energy E and composition N exchange with
probability

    min(1, exp[(b_i - b_j) (E_i - E_j) - (f_i - f_j) (N_i - N_j)])

The pairs (0, 1), (2, 3) ... and (1, 2), (3, 4) ... take turns. It is the temperatures that move; each configuration
stays with its walker, whose way between the lowest and the highest temperature is followed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from wanglandau.thermal_chains import ThermalChains


@dataclass
class TemperatureExchange:
    """Exchanges of all chains, and what came of them.

    Attributes
    ----------
    n_chains, n_temperatures : int
    seed : int
        Decides acceptance; every step has a random stream of its own.
    step : int
        Exchanges attempted so far.
    tried, accepted : int64[n_temperatures - 1]
        By pair of neighbours, all chains together.
    heading : int8[n_walkers]
        +1 for walkers last at the lowest temperature, -1 at the highest, 0 before either.
    half_trips : int64[n_walkers]
        Passages of each walker from one end to the other.
    """

    n_chains: int
    n_temperatures: int
    seed: int
    step: int = 0
    tried: np.ndarray = field(init=False)
    accepted: np.ndarray = field(init=False)
    heading: np.ndarray = field(init=False)
    half_trips: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        n_walkers = self.n_chains * self.n_temperatures
        self.tried = np.zeros(max(self.n_temperatures - 1, 0), dtype=np.int64)
        self.accepted = np.zeros_like(self.tried)
        self.heading = np.zeros(n_walkers, dtype=np.int8)
        self.half_trips = np.zeros(n_walkers, dtype=np.int64)

    @property
    def rates(self) -> np.ndarray:
        """Part of the exchanges that succeeded, by pair of neighbours, ``float64[n_temperatures - 1]``."""
        return self.accepted / np.maximum(self.tried, 1)

    @property
    def round_trips(self) -> np.ndarray:
        """Passages of each walker from one end of the ladder to the other and back, ``int64[n_walkers]``."""
        return self.half_trips // 2

    def perform(self, chains: ThermalChains) -> None:
        """Let the neighbours of this step exchange their temperatures, in every chain."""
        rng = np.random.default_rng([self.seed, self.step])
        lower = np.arange(self.step % 2, self.n_temperatures - 1, 2)
        ln_uniform = np.log1p(-rng.random((self.n_chains, len(lower))))
        self.step += 1
        gain = log_exchange_ratio(chains, lower)
        swaps = ln_uniform < gain
        holders = chains.holders
        cold, hot = holders[:, lower], holders[:, lower + 1]
        holders[:, lower], holders[:, lower + 1] = np.where(swaps, hot, cold), np.where(swaps, cold, hot)
        chains.assign_temperatures()
        self.tried[lower] += self.n_chains
        self.accepted[lower] += swaps.sum(axis=0)
        self._follow(holders)

    def _follow(self, holders: np.ndarray) -> None:
        """Count passages between the two ends."""
        for walkers, direction in ((holders[:, 0], 1), (holders[:, -1], -1)):
            self.half_trips[walkers] += self.heading[walkers] == -direction
            self.heading[walkers] = direction


def log_exchange_ratio(chains: ThermalChains, lower: np.ndarray) -> np.ndarray:
    """Return the logarithm of the ratio of weights after and before an exchange.

    Parameters
    ----------
    chains : ThermalChains
    lower : int64[n_pairs]
        The colder temperature of each pair of neighbours.

    Returns
    -------
    float64[n_chains, n_pairs]
    """
    records = chains.walkers.records
    cold, hot = records[chains.holders[:, lower]], records[chains.holders[:, lower + 1]]
    beta, field_ = chains.betas, chains.fields
    energy_part = (beta[lower] - beta[lower + 1]) * (cold["energy"] - hot["energy"])
    return energy_part - (field_[lower] - field_[lower + 1]) * (cold["composition"] - hot["composition"])
