"""Settings of Metropolis sampling and of simulated annealing: frozen dataclasses with their defaults and units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from wanglandau.errors import InputError

MIN_CHAINS = 4
"""Independent chains below which R-hat says little."""
MAX_TEMPERATURES = 1000

_LIMITS: dict[str, tuple[float, float]] = {
    "delta_mu": (-1e6, 1e6),
    "chains": (MIN_CHAINS, 10_000),
    "exchange_interval": (1, 10**6),
    "tuning_sweeps": (50, 10**9),
    "sweeps": (200, 1e12),
    "burn_in": (0.0, 0.9),
    "precision": (1e-9, 1e6),
    "max_records": (100, 1e7),
    "measure_every": (1, 10**6),
    "seed": (0, 2**63),
    "threads": (1, 4096),
    "from_temperature": (1e-3, 1e9),
    "to_temperature": (1e-3, 1e9),
    "steps": (2, 10**6),
    "proposal_trials": (1, 10**9),
    "proposal_rounds": (200, 10**9),
    "keep": (1, 10**6),
}

Ensemble = Literal["canonical", "semigrand"]


@dataclass(frozen=True)
class MetropolisSettings:
    """How thermal averages are sampled.

    Attributes
    ----------
    ensemble : str
        canonical: one composition, by swaps; semigrand: all compositions, by flips, at a given difference of chemical
        potentials.
    delta_mu : float
        meV for every atom of the first species exchanged for one of the second, counted from the pure elements as
        mixing energies are; semigrand only.
    chains : int
        Independent chains at every temperature; their agreement is part of the verdict.
    tempering : bool
        Let neighbouring temperatures exchange configurations (parallel tempering).
    tune : bool
        With tempering: add temperatures between those asked for until exchanges succeed often enough.
    only_ends : bool
        With tempering: keep only the lowest and the highest temperature asked for and choose all between by exchange
        rate.
    exchange_interval : int
        Sweeps between exchanges.
    tuning_sweeps : int
        Sweeps of every attempt to tune the temperatures.
    sweeps : int
        Most sweeps a chain may make, burn-in included; a sweep is one trial for every site.
    burn_in : float or None
        Part of the sweeps left out at the start; default: what leaves the most independent records, at least a
        twentieth.
    precision : float
        meV/atom; sampling ends early when the mean energy is known to this standard error at every temperature, and the
        chains agree.
    max_records : int
        Most records kept of a chain; sets the sweeps between records.
    observables : bool
        Measure short- and long-range order and what else the oracle predicts.
    measure_every : int
        Records between these measurements.
    seed : int
        Decides everything random.
    threads : int or None
        Threads that share the chains; default: one per core. Changes nothing in the result.
    """

    ensemble: Ensemble = "canonical"
    delta_mu: float = 0.0
    chains: int = 8
    tempering: bool = False
    tune: bool = True
    only_ends: bool = False
    exchange_interval: int = 5
    tuning_sweeps: int = 1000
    sweeps: int = 100_000
    burn_in: float | None = None
    precision: float = 0.1
    max_records: int = 20_000
    observables: bool = True
    measure_every: int = 5
    seed: int = 1
    threads: int | None = None

    def __post_init__(self) -> None:
        _check_limits(self)
        if self.ensemble == "canonical" and self.delta_mu != 0.0:
            raise InputError(
                f"delta_mu is {self.delta_mu} meV, but the canonical ensemble keeps the composition; choose ensemble "
                "semigrand or leave delta_mu out"
            )

    @property
    def record_interval(self) -> int:
        """Sweeps from one record to the next; with tempering a whole number of exchange intervals."""
        step = self.exchange_interval if self.tempering else 1
        return step * max(1, -(-self.sweeps // (step * self.max_records)))


@dataclass(frozen=True)
class ProposalSettings:
    """How a proposal oracle is used; without one these have no effect.

    Attributes
    ----------
    proposal_trials : int or None
        Trials with the proposal oracle before the oracle decides; default: what moves the walkers farthest for each
        energy asked for, tried out before the records that count.
    proposal_rounds : int
        Most decisions of the oracle on each walker, in place of --sweeps; every round asks it for one batch, at most
        one energy for each chain at each temperature.
    """

    proposal_trials: int | None = None
    proposal_rounds: int = 1000

    def __post_init__(self) -> None:
        _check_limits(self)

    def in_rounds(self, settings: MetropolisSettings) -> MetropolisSettings:
        """Return settings that count in rounds what was to be counted in sweeps: every round is recorded."""
        return replace(
            settings,
            sweeps=self.proposal_rounds,
            exchange_interval=1,
            measure_every=1,
            max_records=self.proposal_rounds,
        )


@dataclass(frozen=True)
class AnnealingSettings:
    """How low energies are searched for.

    Attributes
    ----------
    from_temperature, to_temperature : float
        K; cooling is geometric between them.
    sweeps : int
        Sweeps of each walker over the whole cooling.
    steps : int
        Temperatures on the way.
    chains : int
        Walkers, each of which is cooled on its own.
    keep : int
        Most configurations to return.
    seed : int
        Decides everything random.
    """

    from_temperature: float = 2000.0
    to_temperature: float = 50.0
    sweeps: int = 10_000
    steps: int = 200
    chains: int = 32
    keep: int = 10
    seed: int = 1

    def __post_init__(self) -> None:
        _check_limits(self, chains=(1, 1_000_000))
        if not self.to_temperature < self.from_temperature:
            raise InputError(
                f"annealing goes from {self.from_temperature} to {self.to_temperature} K; it has to end below where it "
                "begins"
            )


def checked_temperatures(temperatures: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return temperatures ascending, ``float64[n]``, K.

    Raises
    ------
    InputError
        If there is none or too many, one is not above 0 K or not finite, or one comes twice.
    """
    values = np.sort(np.atleast_1d(np.asarray(temperatures, dtype=np.float64)))
    if not 1 <= len(values) <= MAX_TEMPERATURES:
        raise InputError(f"{len(values)} temperatures; give 1 to {MAX_TEMPERATURES}")
    if not np.isfinite(values).all() or values[0] <= 0:
        raise InputError(
            f"temperatures must be finite and above 0 K, but one is {values[~(values > 0)].min(initial=np.inf):g}"
        )
    if (np.diff(values) <= 0).any():
        raise InputError(f"temperature {values[:-1][np.diff(values) <= 0][0]:g} K comes twice; give each once")
    return values


def _check_limits(settings: Any, **special: tuple[float, float]) -> None:
    for name, (low, high) in (_LIMITS | special).items():
        value = getattr(settings, name, None)
        if value is not None and not low <= value <= high:
            raise InputError(f"{name} is {value}; allowed are {low:g} to {high:g}")
