"""Delayed-acceptance Metropolis: a cheap oracle proposes, a dear one decides.

A chain of ``n`` trials with the cheap energy E_c at temperature T goes from x to y. The dear oracle is then asked for
E_d(y), and y is taken with probability

    min(1, exp(-[(E_d(y) - E_d(x)) - (E_c(y) - E_c(x))] / kT)),

else the walker goes back to x. J. A. Christen and C. Fox, J. Comput. Graph. Stat. 14, 795 (2005); with chains of many
trials J. Liu, Y. Qi, Z. Y. Meng and L. Fu, Phys. Rev. B 95, 041101 (2017) ("self-learning Monte Carlo").

Why it is exact. One cheap trial has a transition matrix K that obeys detailed balance for p_c ~ exp(-E_c / kT):
p_c(x) K(x, y) = p_c(y) K(y, x). So does its n-th power, by moving the K past p_c one at a time: p_c(x) K^n(x, y) =
p_c(y) K^n(y, x). Taken as the proposal Q = K^n of a Metropolis-Hastings step for p_d ~ exp(-E_d / kT), the acceptance
is min(1, p_d(y) Q(y, x) / [p_d(x) Q(x, y)]) = min(1, [p_d(y) / p_d(x)] [p_c(x) / p_c(y)]), which is the one above; what
K^n is need not be known. A chemical-potential term is the same in both weights and drops out. The cheap oracle decides
how fast the averages converge, never what they converge to. The length n may be anything, as long as it does not depend
on the state: here it is chosen before the records that count.

The seed decides which configurations the dear oracle is asked for, and in which batches: one that keeps its energies
answers at once what a stopped calculation had already asked, when the same one is started again.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tqdm import tqdm

from wanglandau.asked_once import AskedOnce
from wanglandau.errors import InputError
from wanglandau.metropolis_settings import ProposalSettings
from wanglandau.oracle import EnergyOracle
from wanglandau.rounds import Snapshots
from wanglandau.thermal_chains import Pool, ThermalChains

WARM_UP_SWEEPS = 1000
"""Sweeps with the cheap oracle alone before the dear one is asked for the first time."""
LENGTHS = (0.25, 1.0, 4.0, 16.0, 64.0)
"""Lengths of the chains of trials that are tried, in sweeps."""
ROUNDS_A_LENGTH = 8
"""Rounds with each of them in each of two passes."""
GOOD_ENOUGH = 0.9
"""The shortest chain is taken whose score is at least this part of the best."""


@dataclass(frozen=True)
class Proposal:
    """What proposes in the place of single trials.

    Attributes
    ----------
    oracle : EnergyOracle
        The cheap one, on the lattice of the dear one.
    settings : ProposalSettings
    """

    oracle: EnergyOracle
    settings: ProposalSettings = field(default_factory=ProposalSettings)

    def check(self, dear: EnergyOracle) -> None:
        """Raise InputError unless both oracles are of one lattice."""
        if self.oracle.lattice.fingerprint != dear.lattice.fingerprint:
            raise InputError(
                f"the proposal oracle is for {self.oracle.lattice.name} with {self.oracle.lattice.n_sites} sites, the "
                f"oracle for {dear.lattice.name} with {dear.lattice.n_sites}; give two of one lattice"
            )


@dataclass
class DelayedChains(ThermalChains):
    """Chains of the dear oracle: ``records["energy"]`` of the walkers is its energy between any two steps.

    Attributes
    ----------
    dear : AskedOnce
    rng : numpy.random.Generator
        Decides on proposals.
    n_trials : int
        Trials with the cheap oracle in a proposal.
    cheap_energies : float64[n_walkers], Ry per cell
        Of the present states.
    passed, moved : int64[n_temperatures]
        Proposals that the dear oracle took, and those of them that were another configuration.
    gain : float64[n_temperatures]
        Sum over the proposals of the probability to take it times the square of the change of the dear energy, Ry^2.
    rounds : int
        Proposals of each walker.
    cheap_trials : int
        Trials with the cheap oracle, all walkers together, since the first energy that the dear one was asked for.
    lengths : list of (int, float)
        Chain lengths tried and their scores, the best of which is 1; empty where the length was given.
    """

    dear: AskedOnce = field(kw_only=True)
    rng: np.random.Generator = field(kw_only=True)
    n_trials: int = field(kw_only=True)
    cheap_energies: np.ndarray = field(init=False)
    passed: np.ndarray = field(init=False)
    moved: np.ndarray = field(init=False)
    gain: np.ndarray = field(init=False)
    rounds: int = 0
    cheap_trials: int = 0
    lengths: list[tuple[int, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        records = self.walkers.records
        self.cheap_energies = records["energy"].copy()
        records["energy"] = records["lowest"] = records["highest"] = self.dear.energies(self.walkers.occupations)
        self.forget_counts()

    def position(self) -> dict[str, Any]:
        """Copy everything that the chains go on from, but for the energies that the dear oracle gave."""
        names = ("n_trials", "cheap_energies", "passed", "moved", "gain", "rounds", "cheap_trials", "lengths")
        own = {name: copy.copy(getattr(self, name)) for name in names}
        return super().position() | own | {"random": self.rng.bit_generator.state, "requests": self.dear.requests}

    def go_to(self, position: dict[str, Any]) -> None:
        """Go to a position of chains of the same two oracles at these temperatures; it must not be used again."""
        own = dict(position)
        self.rng.bit_generator.state = own.pop("random")
        self.dear.requests = own.pop("requests")
        super().go_to(own)

    @property
    def step_trials(self) -> int:
        """Trials between two states that may be recorded."""
        return self.n_trials

    def forget_counts(self) -> None:
        """Begin to count accepted trials and proposals anew."""
        super().forget_counts()
        self.passed, self.moved = np.zeros_like(self.accepted), np.zeros_like(self.accepted)
        self.gain = np.zeros(len(self.accepted))
        self.rounds = 0

    def advance(self, pool: Pool, n_rounds: int, snapshots: Snapshots | None = None) -> None:
        """Give every walker ``n_rounds`` trials, the dear oracle deciding after every ``n_trials`` of them.

        Raises
        ------
        ValueError
            If that is no whole number of proposals, or snapshots are wanted: states within a proposal are none.
        OracleError
            If an energy cannot be had.
        """
        if n_rounds % self.n_trials or snapshots is not None:
            raise ValueError(f"{n_rounds} trials are no whole number of proposals of {self.n_trials} trials")
        for _ in range(n_rounds // self.n_trials):
            self._step(pool)

    def takes(self, log_ratio: np.ndarray) -> np.ndarray:
        """Decide on proposals, ``bool[n_walkers]``, given the logarithms of their acceptance ratios."""
        return np.log1p(-self.rng.random(len(log_ratio))) <= log_ratio

    def _step(self, pool: Pool) -> None:
        walkers, everyone = self.walkers, np.arange(self.walkers.n_walkers)
        before = walkers.part(everyone)
        try:
            walkers.records["energy"] = self.cheap_energies
            super().advance(pool, self.n_trials)
            cheap = walkers.records["energy"].copy()
            dear = self.dear.energies(walkers.occupations)
        except BaseException:  # an interrupted or failed proposal leaves the walkers as they were
            walkers.put(everyone, before)
            raise
        change = dear - before.records["energy"]
        log_ratio = -walkers.records["beta"] * (change - (cheap - self.cheap_energies))
        taken = self.takes(log_ratio)
        self._count(before.occupations, change, log_ratio, taken)
        self._settle(before.records, before.occupations, before.sites, taken, dear, cheap)

    def _settle(
        self,
        records: np.ndarray,
        occupations: np.ndarray,
        sites: np.ndarray,
        taken: np.ndarray,
        dear: np.ndarray,
        cheap: np.ndarray,
    ) -> None:
        """Put refused walkers back, but for their random streams; give all of them dear energies."""
        walkers, refused = self.walkers, ~taken
        walkers.occupations[refused], walkers.sites[refused] = occupations[refused], sites[refused]
        walkers.records["composition"][refused] = records["composition"][refused]
        energies = np.where(taken, dear, records["energy"])
        walkers.records["energy"] = energies
        walkers.records["lowest"] = np.minimum(records["lowest"], energies)
        walkers.records["highest"] = np.maximum(records["highest"], energies)
        self.cheap_energies = np.where(taken, cheap, self.cheap_energies)

    def _count(self, occupations: np.ndarray, change: np.ndarray, log_ratio: np.ndarray, taken: np.ndarray) -> None:
        other = (self.walkers.occupations != occupations).any(axis=1)
        self.passed += taken[self.holders].sum(axis=0)
        self.moved += (taken & other)[self.holders].sum(axis=0)
        self.gain += (np.exp(np.minimum(log_ratio, 0.0)) * change**2)[self.holders].sum(axis=0)
        self.rounds += 1
        self.cheap_trials += self.n_trials * len(taken)

    def diagnostics(self) -> dict[str, Any]:
        """Collect what tells how it went, ready for JSON."""
        proposals = max(1, self.rounds * self.n_chains)
        return {
            "trials": self.n_trials,
            "rounds": self.rounds,
            "acceptance": (self.passed / proposals).tolist(),
            "moved": (self.moved / proposals).tolist(),
            "calls": self.dear.calls,
            "requests": self.dear.requests,
            "cheap_trials": self.cheap_trials,
            "lengths": self.lengths,
        }


def delay(
    pool: Pool,
    chains: ThermalChains,
    dear: AskedOnce,
    settings: ProposalSettings,
    seed: np.random.SeedSequence,
    progress: bool = False,
) -> DelayedChains:
    """Turn chains of the cheap oracle into chains of the dear one, after a warm-up, and choose the chain length.

    Parameters
    ----------
    pool : Pool
        Of the cheap oracle.
    chains : ThermalChains
        Of the cheap oracle; their walkers go on.
    dear : AskedOnce
        What it knows from the same call before, it is not asked for again.
    settings : ProposalSettings
    seed : SeedSequence
        Decides on proposals.
    progress : bool
        Show a bar while lengths are tried (only ever on a terminal).

    Raises
    ------
    OracleError
        If an energy cannot be had.
    """
    n_sites = int(chains.walkers.occupations.shape[1])
    chains.advance(pool, WARM_UP_SWEEPS * n_sites)
    delayed = delayed_chains(chains, dear, settings, seed)
    if settings.proposal_trials is None:
        choose_length(pool, delayed, [max(1, round(part * n_sites)) for part in LENGTHS], progress)
    return delayed


def delayed_chains(
    chains: ThermalChains, dear: AskedOnce, settings: ProposalSettings, seed: np.random.SeedSequence
) -> DelayedChains:
    """Give the walkers of chains of the cheap oracle the energies of the dear one."""
    return DelayedChains(
        chains.walkers,
        chains.temperatures,
        chains.delta_mu,
        dear=dear,
        rng=np.random.default_rng(seed),
        n_trials=settings.proposal_trials or int(chains.walkers.occupations.shape[1]),
    )


def choose_length(pool: Pool, chains: DelayedChains, lengths: Sequence[int], progress: bool = False) -> None:
    """Set ``n_trials`` to what moves the walkers farthest for each energy that the dear oracle is asked for.

    The score is the expected squared jump of the dear energy in a round (C. Pasarica and A. Gelman, Stat. Sin. 20, 343
    (2010)), relative to the best length at each temperature and averaged over temperatures: short chains are often
    taken but lead nowhere, long ones are refused where the two oracles have drifted apart. All rounds are proper steps
    of the chains.

    Parameters
    ----------
    pool : Pool
    chains : DelayedChains
        Advanced and changed in place.
    lengths : sequence of int
        Trials.
    progress : bool
    """
    gains = np.zeros((len(lengths), len(chains.temperatures)))
    with tqdm(total=2 * len(lengths), desc="length", disable=None if progress else True) as bar:
        for _ in range(2):
            for place, length in enumerate(lengths):
                chains.n_trials = length
                chains.forget_counts()
                chains.advance(pool, ROUNDS_A_LENGTH * length)
                gains[place] += chains.gain
                bar.update()
    lively = gains.max(axis=0) > 0
    scores = (gains[:, lively] / gains[:, lively].max(axis=0)).sum(axis=1) if lively.any() else np.ones(len(lengths))
    scores = scores / scores.max()
    chains.n_trials = lengths[int(np.argmax(scores >= GOOD_ENOUGH))]
    chains.lengths = [(length, float(score)) for length, score in zip(lengths, scores, strict=True)]
    chains.forget_counts()
