"""One screen of text about a result file: what was computed, how it went, and whether to trust it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from wanglandau.density_of_states import log_total_states
from wanglandau.errors import InputError
from wanglandau.run_file import ExactRecord, RunRecord
from wanglandau.thermodynamics import MEV_PER_RY, Peak, Source, default_temperatures, heat_capacity_peak


class Description(NamedTuple):
    """What there is to say of a result file.

    Attributes
    ----------
    text : str
        For people: lines of ``label  value``.
    values : dict
        For programs: plain values and lists.
    """

    text: str
    values: dict[str, Any]


def describe(record: RunRecord) -> Description:
    """Describe a run; the verdict comes last."""
    density, verdict = record.density, record.verdict
    lines = [
        ("run", f"Wang-Landau, {density.n_runs} independent runs, {record.created}, {_duration(record.duration_s)}"),
        *_origin(record, density.composition),
        ("settings", _pairs(record.settings)),
        *_progress(record.diagnostics),
        *_precision(record),
        ("peak of C", _peak(density)),
        ("verdict", str(verdict["summary"])),
        *(("", f"- {reason}") for reason in verdict["reasons"]),
    ]
    return Description(_table(lines), _run_values(record))


def describe_exact(record: ExactRecord) -> Description:
    """Describe exact levels."""
    levels = record.levels
    energy = levels.energies * MEV_PER_RY / levels.n_sites
    states = sum(levels.degeneracies.tolist())
    lines = [
        ("exact", f"{len(levels.energies)} levels of {states} configurations, {record.created}"),
        *_origin(record, levels.composition),
        ("energies", f"{energy.min():.3f} to {energy.max():.3f} meV/atom"),
    ]
    values = _origin_values(record) | {
        "composition": levels.composition,
        "levels": len(levels.energies),
        "configurations": states,
        "lowest_energy_mev_per_atom": float(energy.min()),
        "highest_energy_mev_per_atom": float(energy.max()),
    }
    return Description(_table(lines), values)


def _run_values(record: RunRecord) -> dict[str, Any]:
    density = record.density
    peak = _find_peak(density)
    errors = density.standard_error[np.isfinite(density.standard_error)]
    return _origin_values(record) | {
        "composition": density.composition,
        "settings": record.settings,
        "runs": density.n_runs,
        "bins": density.grid.n_bins,
        "bins_visited": int(density.visited.sum()),
        "ln_g_standard_error_median": float(np.median(errors)) if len(errors) else None,
        "ln_g_standard_error_largest": float(errors.max()) if len(errors) else None,
        "heat_capacity_peak": None if peak is None else _peak_values(peak, density.n_sites),
        "diagnostics": {key: value for key, value in record.diagnostics.items() if not isinstance(value, np.ndarray)},
        "verdict": record.verdict,
    }


def _origin_values(record: RunRecord | ExactRecord) -> dict[str, Any]:
    return {
        "system": record.system["name"],
        "species": list(record.system["species"]),
        "n_sites": len(record.system["positions"]),
        "oracle": record.oracle,
        "versions": record.versions,
        "created": record.created,
        "duration_s": record.duration_s,
    }


def _origin(record: RunRecord | ExactRecord, composition: int | None) -> list[tuple[str, str]]:
    first, second = record.system["species"]
    n_sites = len(record.system["positions"])
    what = "all compositions" if composition is None else f"{n_sites - composition} {first} + {composition} {second}"
    count = np.exp(log_total_states(n_sites, composition))
    invariant = "" if record.oracle["invariant"] else ", not invariant under symmetry"
    references = ", ".join(f"{value:.6f}" for value in record.oracle["reference_energies"])
    return [
        ("system", f"{record.system['name']}: {what} on {n_sites} sites, {count:.4g} configurations"),
        ("oracle", f"{record.oracle['name']} (identity {record.oracle['identity'][:12]}{invariant})"),
        ("references", f"{references} Ry/atom for pure {first}, {second}"),
    ]


def _progress(diagnostics: dict[str, Any]) -> list[tuple[str, str]]:
    """Say how the runs went, as far as the sampler recorded it; lists have one entry a run."""
    lines = []
    if trials := diagnostics.get("trials"):
        lines.append(("trials", f"{sum(trials):.4g} in all, {min(trials):.4g} to {max(trials):.4g} a run"))
    if acceptance := diagnostics.get("acceptance"):
        lines.append(("acceptance", f"{100 * float(np.mean(acceptance)):.1f} %"))
    if trips := [count for run in diagnostics.get("round_trips", []) for count in np.atleast_1d(run).tolist()]:
        lines.append(("round trips", f"median {np.median(trips):g} a walker, least {min(trips):g}"))
    if ln_f := diagnostics.get("ln_f"):
        lines.append(("final ln f", f"{min(ln_f):.2g} to {max(ln_f):.2g}"))
    if phase := diagnostics.get("phase"):
        lines.append(("schedule", f"{sum(p == 2 for p in phase)} of {len(phase)} runs reached the 1/t phase"))
    return lines


def _precision(record: RunRecord) -> list[tuple[str, str]]:
    density = record.density
    energy = density.mean_energy[density.visited] * MEV_PER_RY / density.n_sites
    width = density.grid.width * MEV_PER_RY
    span = f"{energy.min():.3f} to {energy.max():.3f} meV/atom" if len(energy) else "none"
    lines = [("energies", f"{span}, {len(energy)} of {density.grid.n_bins} bins visited, {width:.4g} meV/cell each")]
    errors = density.standard_error[np.isfinite(density.standard_error)]
    spread = f"median {np.median(errors):.4f}, largest {errors.max():.4f}" if len(errors) else "unknown: one run only"
    return [*lines, ("ln g errors", f"between runs, standard error of the mean: {spread}")]


def _find_peak(source: Source) -> Peak | None:
    try:
        peak = heat_capacity_peak(source, default_temperatures(source))
    except InputError:  # one energy only
        return None
    return peak if peak.inside else None


def _peak(source: Source) -> str:
    peak = _find_peak(source)
    if peak is None:
        return "none"
    return (
        f"{peak.temperature:.2f} +- {peak.temperature_error:.2f} K, "
        f"{peak.height / source.n_sites:.4f} +- {peak.height_error / source.n_sites:.4f} k_B/atom"
    )


def _peak_values(peak: Peak, n_sites: int) -> dict[str, float]:
    return {
        "temperature_k": peak.temperature,
        "temperature_error_k": peak.temperature_error,
        "height_kb_per_atom": peak.height / n_sites,
        "height_error_kb_per_atom": peak.height_error / n_sites,
    }


def _pairs(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items() if value is not None) or "none"


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _table(lines: list[tuple[str, str]]) -> str:
    width = max(len(label) for label, _ in lines) + 2
    return "\n".join(f"{label:{width}}{text}" for label, text in lines)
