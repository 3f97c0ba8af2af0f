"""Reweighting a density of states to another oracle: which configurations the dear oracle is asked for, and the asking.

Everything is decided by the seed (and, with Neyman allocation, by the energies already had), so that the same call asks
for the same configurations: an oracle that keeps its energies answers a repeated one at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from wanglandau.asked_once import AskedOnce
from wanglandau.bin_samples import Batch, Strata, look_into_bins, make_strata
from wanglandau.density_of_states import DensityOfStates
from wanglandau.engine import Engine
from wanglandau.errors import InputError
from wanglandau.levels import BOLTZMANN
from wanglandau.oracle import EnergyOracle, checked_energies
from wanglandau.progress import stage
from wanglandau.reweighted_density import ReweightedDensity
from wanglandau.reweighted_settings import ReweightingSettings
from wanglandau.thermodynamics import default_temperatures

PER_STRATUM = 4
"""Fewest draws in a stratum: many strata of few draws leave less to chance than few of many."""
PILOT = 0.5
"""Part of the draws that is spread evenly before Neyman allocation."""
SMOOTHED_OVER = 5
"""Strata over which the scatter found in the pilot is averaged."""
LEAST_SHARE = 0.1
"""Part of the rest that is spread evenly all the same, lest a scatter that the pilot missed goes without draws."""


@dataclass(frozen=True, eq=False)
class Reweighting:
    """What reweighting gives.

    Attributes
    ----------
    density : ReweightedDensity
    diagnostics : dict
        Ready for JSON: strata, calls, difference of the two oracles.
    """

    density: ReweightedDensity
    diagnostics: dict[str, Any]


def reweight(
    cheap: EnergyOracle,
    density: DensityOfStates,
    dear: EnergyOracle,
    settings: ReweightingSettings,
    temperatures: np.ndarray | None = None,
    *,
    progress: bool = True,
) -> Reweighting:
    """Ask a dear oracle for energies spread over the bins of a cheap density of states.

    Parameters
    ----------
    cheap : EnergyOracle
        The one that ``density`` belongs to.
    density : DensityOfStates
    dear : EnergyOracle
        Of the same lattice.
    settings : ReweightingSettings
    temperatures : float64[n], optional, K
        Of interest, for Neyman allocation; default: about the peak of the cheap heat capacity.
    progress : bool
        Show a bar (only ever on a terminal).

    Raises
    ------
    InputError
        If the lattices differ, the composition leaves nothing to swap, or there are too few calls.
    OracleError
        If an energy cannot be had.
    """
    if cheap.lattice.fingerprint != dear.lattice.fingerprint:
        raise InputError(
            f"the density of states is of {cheap.lattice.n_sites} sites, the oracle for another lattice of "
            f"{dear.lattice.n_sites}; give two of one lattice"
        )
    walk_seed, draw_seed = np.random.SeedSequence(settings.seed).spawn(2)
    looks = look_into_bins(Engine.fastest(cheap), density, settings.looks, walk_seed, progress)
    rng = np.random.default_rng(draw_seed)
    invariant = bool(cheap.invariant and dear.invariant)
    strata = make_strata(density, cheap.lattice, looks, settings.calls, PER_STRATUM, invariant, rng)
    once = AskedOnce(dear)
    batches = [strata.list_orbits()]
    left = settings.calls - len(batches[0].occupations)
    pilot = left if settings.allocation == "even" else max(int(PILOT * left), 2 * int((~strata.counted).sum()))
    batches.append(strata.draw(_evenly(strata, pilot), rng))
    first = np.concatenate([batch.occupations for batch in batches])
    with stage(f"asking the oracle for {len(first)} energies", progress):
        energies = once.energies(first)
    found = _collect(cheap, density, strata, batches, energies, settings.seed)
    if left > pilot and not strata.counted.all():
        wanted = default_temperatures(density) if temperatures is None else temperatures
        batches.append(strata.draw(neyman_numbers(found, left - pilot, wanted), rng))
        energies = np.concatenate([energies, once.energies(batches[-1].occupations)])
        found = _collect(cheap, density, strata, batches, energies, settings.seed)
    return Reweighting(found, _diagnostics(found, once, density, looks.bins))


def neyman_numbers(pilot: ReweightedDensity, n_draws: int, temperatures: np.ndarray) -> np.ndarray:
    """Share out draws where they lower the error of Z most (J. Neyman, J. R. Stat. Soc. 97, 558 (1934)).

    In proportion to the number of configurations of a stratum times the standard deviation of exp(-E_d / kT) in it,
    relative to Z and squared averaged over temperatures; a tenth is spread evenly.

    Parameters
    ----------
    pilot : ReweightedDensity
    n_draws : int
    temperatures : float64[n], K

    Returns
    -------
    int64[n_strata]
        None for strata whose orbits are listed.
    """
    n_strata, open_strata = len(pilot.counted), np.flatnonzero(~pilot.counted)
    ln_weights = pilot.ln_weights - (pilot.energies - pilot.energies.min()) / (BOLTZMANN * temperatures[:, None])
    shares = np.exp(ln_weights - ln_weights.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    member = np.zeros((len(pilot.energies), n_strata))
    member[np.arange(len(member)), pilot.stratum] = 1.0
    number = np.maximum(member.sum(axis=0), 1)
    variance = (shares**2 @ member - (shares @ member) ** 2 / number) * number  # of the share of the whole stratum
    scatter = np.sqrt(np.maximum(variance, 0.0).mean(axis=0))[open_strata]
    smooth = np.convolve(scatter, np.ones(SMOOTHED_OVER) / SMOOTHED_OVER)  # "same" is longer than few strata
    smooth = smooth[SMOOTHED_OVER // 2 :][: len(scatter)]
    part = np.full(len(open_strata), 1 / len(open_strata))
    if smooth.sum() > 0:
        part = LEAST_SHARE * part + (1 - LEAST_SHARE) * smooth / smooth.sum()
    numbers = np.zeros(n_strata, dtype=np.int64)
    ends = np.floor(np.cumsum(part) * n_draws + 0.5).astype(np.int64)
    numbers[open_strata] = np.diff(ends, prepend=0)
    return numbers


def _evenly(strata: Strata, n_draws: int) -> np.ndarray:
    """Share out draws evenly, those left over to the lowest strata."""
    open_strata = np.flatnonzero(~strata.counted)
    numbers = np.zeros(len(strata.members), dtype=np.int64)
    if len(open_strata):
        numbers[open_strata] = n_draws // len(open_strata)
        numbers[open_strata[: n_draws % len(open_strata)]] += 1
    return numbers


def _collect(
    cheap: EnergyOracle,
    density: DensityOfStates,
    strata: Strata,
    batches: list[Batch],
    energies: np.ndarray,
    seed: int,
) -> ReweightedDensity:
    occupations, stratum, size = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    return ReweightedDensity(
        density.n_sites,
        density.composition,
        occupations,
        energies,
        checked_energies(cheap, occupations),
        stratum,
        size,
        strata.run_ln_g,
        strata.counted,
        seed,
    )


def _diagnostics(
    found: ReweightedDensity, once: AskedOnce, density: DensityOfStates, looked_at: np.ndarray
) -> dict[str, Any]:
    difference = found.energies - found.cheap_energies
    visited = np.flatnonzero(density.visited)
    return {
        "calls": once.calls,
        "samples": len(found.energies),
        "strata": len(found.counted),
        "strata_listed": int(found.counted.sum()),
        "cheap_bins": len(visited),
        "bins_without_looks": int(len(visited) - len(np.unique(looked_at))),
        "cheap_runs": len(found.run_ln_g),
        "mean_difference": float(difference.mean()),
        "rms_difference": float(difference.std()),
        "lowest_energy": float(found.energies.min()),
    }
