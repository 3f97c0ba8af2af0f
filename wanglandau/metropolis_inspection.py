"""What people read of Metropolis sampling: the table, the text of ``inspect``, the comma-separated file."""

from __future__ import annotations

from typing import Any

import numpy as np

from wanglandau.inspection import Description, settings_line
from wanglandau.levels import MEV_PER_RY
from wanglandau.metropolis_averages import COMPOSITION, COMPOSITION_VARIANCE, ENERGY, HEAT_CAPACITY, susceptibility
from wanglandau.metropolis_file import MetropolisRecord
from wanglandau.metropolis_settings import MetropolisSettings

Curves = dict[str, tuple[np.ndarray, np.ndarray]]
"""Values and standard errors against temperature, by name of the column with its unit."""

INTERNAL_ENERGY = "internal_energy_mev_per_atom"
CAPACITY = "heat_capacity_kb_per_atom"
CONCENTRATION = "concentration"
SUSCEPTIBILITY = "susceptibility_per_ev"


def curves_of(record: MetropolisRecord) -> Curves:
    """Return what was measured in the units that people read.

    Mixing energy (meV/atom) and heat capacity (k_B/atom); where the composition is free the concentration x of the
    second species and the susceptibility dx / d(delta_mu) (1/eV); then the observables.
    """
    averages, n_sites = record.averages, record.n_sites
    per_atom = MEV_PER_RY / n_sites
    energy, capacity = averages[ENERGY], averages[HEAT_CAPACITY]
    found = {
        INTERNAL_ENERGY: (energy.values * per_atom, energy.errors * per_atom),
        CAPACITY: (capacity.values / n_sites, capacity.errors / n_sites),
    }
    if COMPOSITION in averages:
        number = averages[COMPOSITION]
        found[CONCENTRATION] = number.values / n_sites, number.errors / n_sites
        response, error = susceptibility(averages, record.temperatures)
        scale = 1e3 / MEV_PER_RY / n_sites
        found[SUSCEPTIBILITY] = response * scale, error * scale
    known = (ENERGY, HEAT_CAPACITY, COMPOSITION, COMPOSITION_VARIANCE)
    return found | {name: (one.values, one.errors) for name, one in averages.items() if name not in known}


def describe_metropolis(record: MetropolisRecord) -> Description:
    """Describe thermal averages; the verdict comes last."""
    verdict = record.verdict
    lines = [
        ("metropolis", _what(record)),
        ("system", _system(record)),
        ("oracle", f"{record.oracle['name']} (identity {record.oracle['identity'][:12]})"),
        ("settings", settings_line(record.settings, MetropolisSettings())),
        ("sampling", _sampling(record)),
        *_tempering(record.diagnostics),
        *_proposing(record),
    ]
    width = max(len(label) for label, _ in lines) + 2
    head = "\n".join(f"{label:{width}}{text}" for label, text in lines)
    reasons = "\n".join(f"- {reason}" for reason in verdict["reasons"])
    text = "\n\n".join(part for part in (head, format_table(record), reasons, str(verdict["summary"])) if part)
    return Description(text, _values(record))


def format_table(record: MetropolisRecord) -> str:
    """Write energy, heat capacity and, where it is free, concentration against temperature, with standard errors."""
    curves = curves_of(record)
    free = CONCENTRATION in curves
    title = "     T/K      U/(meV/atom)         C/(k_B/atom)     " + ("        x             " if free else "")
    unit = "rounds" if "proposal" in record.diagnostics else "sweeps"
    lines = [title + f" accepted  tau/{unit}    R-hat"]
    energy = record.averages[ENERGY]
    for row, temperature in enumerate(record.temperatures):
        parts = [f"{temperature:8.1f}", _with_error(curves[INTERNAL_ENERGY], row), _with_error(curves[CAPACITY], row)]
        parts += [_with_error(curves[CONCENTRATION], row)] if free else []
        accepted = record.diagnostics.get("proposal", record.diagnostics)["acceptance"][row]
        parts.append(f"{accepted:8.2%}  {energy.taus[row]:10.4g} {energy.r_hats[row]:8.4f}")
        lines.append("  ".join(parts))
    return "\n".join(lines)


def format_csv(record: MetropolisRecord) -> str:
    """Write all columns with their standard errors as comma-separated text with units in the header."""
    columns = {"temperature_K": record.temperatures}
    for name, (values, errors) in curves_of(record).items():
        columns |= {name: values, f"{name}_standard_error": errors}
    rows = np.column_stack(list(columns.values()))
    lines = [",".join(f"{value:.10g}" for value in row) for row in rows]
    return "\n".join([",".join(columns), *lines]) + "\n"


def _with_error(curve: tuple[np.ndarray, np.ndarray], row: int) -> str:
    return f"{curve[0][row]:11.4f} +- {curve[1][row]:<7.4f}"


def _what(record: MetropolisRecord) -> str:
    n_temperatures, n_chains, _ = record.energies.shape
    kind = "parallel tempering" if "exchange_rates" in record.diagnostics else "no exchange"
    return (
        f"{record.settings['ensemble']}, {n_temperatures} temperatures, {n_chains} chains each, {kind}, "
        f"{record.created}, {record.duration_s:.1f} s"
    )


def _system(record: MetropolisRecord) -> str:
    first, second = record.system["species"]
    if record.composition is None:
        per_atom = record.delta_mu * MEV_PER_RY
        what = f"{first} and {second} at delta_mu {per_atom:g} meV ({second} minus {first})"
    else:
        what = f"{record.n_sites - record.composition} {first} + {record.composition} {second}"
    return f"{record.system['name']}: {what} on {record.n_sites} sites"


def _sampling(record: MetropolisRecord) -> str:
    diagnostics = record.diagnostics
    unit = "rounds" if "proposal" in diagnostics else "sweeps"
    return (
        f"{diagnostics['sweeps']} {unit} a chain, {diagnostics['discarded_sweeps']} of them left out as equilibration, "
        f"a record every {record.interval}"
    )


def _tempering(diagnostics: dict[str, Any]) -> list[tuple[str, str]]:
    if "exchange_rates" not in diagnostics:
        return []
    rates, trips = diagnostics["exchange_rates"], diagnostics["round_trips"]
    return [
        ("exchange", f"{min(rates):.1%} to {max(rates):.1%} of the attempts succeeded"),
        ("round trips", f"median {np.median(trips):g} a configuration, least {min(trips)}"),
    ]


def _proposing(record: MetropolisRecord) -> list[tuple[str, str]]:
    """Say what a proposal oracle did, where there was one."""
    if "proposal" not in record.diagnostics:
        return []
    found = record.diagnostics["proposal"]
    oracle, rates, moved = found.get("oracle", {}), found["acceptance"], found["moved"]
    named = f"{oracle['name']} (identity {oracle['identity'][:12]}), " if oracle else ""
    chosen = ", length chosen by trying out" if found["lengths"] else ""
    calls, trials = found["calls"], found["cheap_trials"]
    return [
        ("proposals", f"{named}{found['trials']} trials each{chosen}"),
        (
            "",
            f"the oracle took {min(rates):.1%} to {max(rates):.1%} of them, {min(moved):.1%} to {max(moved):.1%} moves",
        ),
        (
            "calls",
            f"{calls} energies asked of the oracle, {found['requests']} wanted, for {trials:.4g} trials of the "
            f"proposal oracle: one call for {trials / max(calls, 1):.4g}",
        ),
    ]


def _values(record: MetropolisRecord) -> dict[str, Any]:
    curves = curves_of(record)
    return {
        "system": record.system["name"],
        "species": list(record.system["species"]),
        "n_sites": record.n_sites,
        "composition": record.composition,
        "delta_mu_mev": record.delta_mu * MEV_PER_RY,
        "oracle": record.oracle,
        "settings": record.settings,
        "versions": record.versions,
        "created": record.created,
        "duration_s": record.duration_s,
        "temperature_k": record.temperatures,
        **{name: values for name, (values, _) in curves.items()},
        "standard_error": {name: errors for name, (_, errors) in curves.items()},
        "autocorrelation_time_sweeps": {name: one.taus for name, one in record.averages.items()},
        "effective_samples": {name: one.effective_samples for name, one in record.averages.items()},
        "r_hat": {name: one.r_hats for name, one in record.averages.items()},
        "diagnostics": record.diagnostics,
        "verdict": record.verdict,
    }
