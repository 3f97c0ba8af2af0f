"""Whether averages of Metropolis sampling are to be trusted, and why not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from wanglandau.levels import MEV_PER_RY
from wanglandau.metropolis_averages import COMPOSITION, ENERGY, HEAT_CAPACITY, Averages, ThermalAverage
from wanglandau.tempering import TemperatureExchange
from wanglandau.thermal_series import ThermalSeries
from wanglandau.time_series import RELIABLE_LENGTH
from wanglandau.verdict import Verdict

MAX_R_HAT = 1.01
"""Chains whose R-hat is above this disagree (A. Vehtari et al., Bayesian Analysis 16, 667 (2021))."""
MIN_ROUND_TRIPS = 10
"""Median passages of a walker up and down a ladder of temperatures and back."""
MIN_PROPOSAL_RATE = 0.01
"""Part of the rounds in which a walker has to come to another configuration: chains that the proposals hold in one
place agree with each other, whatever the oracle says of that place."""
MIN_EXCHANGE_RATE = 0.05
"""Part of the exchanges between two neighbours below which a ladder is as good as broken."""


def judge_metropolis(
    series: ThermalSeries,
    averages: Averages,
    exchange: TemperatureExchange | None,
    precision: float,
    interrupted: bool = False,
    proposal: Mapping[str, Any] | None = None,
) -> Verdict:
    """Judge a calculation by what it shows of itself, without an exact reference.

    Parameters
    ----------
    series : ThermalSeries
        Without its equilibration.
    averages : Averages
        Of that series.
    exchange : TemperatureExchange or None
    precision : float
        Standard error of the energy that was asked for, meV/atom.
    interrupted : bool
    proposal : mapping, optional
        See :meth:`wanglandau.delayed_acceptance.DelayedChains.diagnostics`; None without a proposal oracle.
    """
    reasons = ["it was interrupted; run it to the end"] if interrupted else []
    reasons += chain_faults(series, averages) + exchange_faults(exchange) + _imprecision(series, averages, precision)
    if proposal is not None:  # rounds are counted then, not sweeps
        reasons = [reason.replace("--sweeps", "--proposal-rounds") for reason in reasons]
        reasons = _proposal_faults(series, proposal) + reasons
    if reasons:
        return Verdict(False, reasons, f"Do not trust these averages: {reasons[0]}.")
    worst = float(averages[ENERGY].errors.max()) * MEV_PER_RY / series.n_sites
    disagreement = max(float(averages[name].r_hats.max()) for name in _judged(averages))
    summary = (
        f"Trust these averages: at each of {len(series.temperatures)} temperatures {series.energies.shape[1]} "
        f"independent chains agree (R-hat at most {disagreement:.4f}); standard error of the energy at most "
        f"{worst:.2g} meV/atom."
    )
    return Verdict(True, [], summary)


def chain_faults(series: ThermalSeries, averages: Averages) -> list[str]:
    """Return what speaks against the chains: disagreement, or too few independent records."""
    names = _judged(averages)
    apart = {name: averages[name] for name in names if (averages[name].r_hats > MAX_R_HAT).any()}
    short = {name: averages[name] for name in names if not averages[name].reliable.all()}
    reasons = []
    if apart:
        name, worst, average = _worst(apart, "r_hats")
        reasons.append(
            f"the chains disagree in {name} at {series.temperatures[worst]:g} K (R-hat {average.r_hats[worst]:.3g}, "
            f"at most {MAX_R_HAT}){_others(apart)}; raise --sweeps or use --tempering"
        )
    if short:
        reasons.append(_too_short(short, series))
    capacity = averages[HEAT_CAPACITY]
    if not capacity.reliable.all():
        worst = series.temperatures[~capacity.reliable][0]
        reasons.append(f"too few independent blocks for the heat capacity at {worst:g} K; raise --sweeps")
    return reasons


def exchange_faults(exchange: TemperatureExchange | None) -> list[str]:
    """Return what speaks against the exchange of temperatures."""
    if exchange is None:
        return []
    reasons = []
    trips = float(np.median(exchange.round_trips))
    if trips < MIN_ROUND_TRIPS:
        reasons.append(
            f"configurations made {trips:g} round trips between the lowest and highest temperature (median; at least "
            f"{MIN_ROUND_TRIPS} are needed); raise --sweeps"
        )
    if exchange.rates.min() < MIN_EXCHANGE_RATE:
        pair = int(np.argmin(exchange.rates))
        reasons.append(
            f"temperatures {pair + 1} and {pair + 2} of the ladder exchanged in {exchange.rates[pair]:.1%} of the "
            f"attempts (at least {MIN_EXCHANGE_RATE:.0%} are needed); raise --tuning-sweeps or add temperatures"
        )
    return reasons


def _proposal_faults(series: ThermalSeries, proposal: Mapping[str, Any]) -> list[str]:
    worst = int(np.argmin(proposal["moved"]))
    rate = proposal["moved"][worst]
    if rate >= MIN_PROPOSAL_RATE:
        return []
    return [
        f"a walker at {series.temperatures[worst]:g} K came to another configuration in {rate:.2%} of the rounds (at "
        f"least {MIN_PROPOSAL_RATE:.0%} are needed): refused, or held in a low state of the proposal oracle; give one "
        "nearer to the oracle, other --proposal-trials or higher temperatures"
    ]


def _judged(averages: Averages) -> list[str]:
    """Name the quantities that chains have to agree in: energy, composition where it is free, long-range order."""
    return [name for name in averages if name in (ENERGY, COMPOSITION) or name.startswith("lro_")]


def _too_short(short: Averages, series: ThermalSeries) -> str:
    name, worst, average = _worst(short, "taus")
    length = series.n_records * series.interval
    return (
        f"each chain is {length / average.taus[worst]:.0f} autocorrelation times of {name} long at "
        f"{series.temperatures[worst]:g} K (at least {RELIABLE_LENGTH:g} are needed){_others(short)}; raise --sweeps"
    )


def _worst(averages: Averages, column: str) -> tuple[str, int, ThermalAverage]:
    """Return the energy if it is among them, else the quantity with the largest value, and where that is."""
    name = max(averages, key=lambda key: (key == ENERGY, float(np.nanmax(getattr(averages[key], column)))))
    return name, int(np.nanargmax(getattr(averages[name], column))), averages[name]


def _others(averages: Averages) -> str:
    count = len(averages) - 1
    return f", likewise {count} other quantit{'y' if count == 1 else 'ies'}" if count else ""


def _imprecision(series: ThermalSeries, averages: Averages, precision: float) -> list[str]:
    errors = averages[ENERGY].errors * MEV_PER_RY / series.n_sites
    worst = int(np.argmax(errors))
    if errors[worst] <= precision:
        return []
    return [
        f"the energy at {series.temperatures[worst]:g} K is known to {errors[worst]:.2g} meV/atom, {precision:g} were "
        "asked for; raise --sweeps or --precision"
    ]
