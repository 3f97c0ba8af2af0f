"""One screen of text about a result file: what was computed, how it went, and whether to trust it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from wanglandau.cut_range import valid_above, where_it_holds
from wanglandau.density_of_states import log_total_states
from wanglandau.errors import InputError
from wanglandau.levels import MEV_PER_RY, Source
from wanglandau.run_file import ExactRecord, RunRecord
from wanglandau.semigrand_file import AnyRecord, SemigrandRecord
from wanglandau.settings import WangLandauSettings
from wanglandau.thermodynamics import Peak, default_temperatures, heat_capacity_peak

if TYPE_CHECKING:
    from wanglandau.model_error import ModelError

MOST_NAMES = 8
"""Observables named on the screen."""


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


def describe_any(record: AnyRecord) -> Description:
    """Describe a result of any kind."""
    if isinstance(record, RunRecord):
        return describe(record)
    return describe_semigrand(record) if isinstance(record, SemigrandRecord) else describe_exact(record)


def describe(record: RunRecord) -> Description:
    """Describe a run; the verdict comes last."""
    density, verdict = record.density, record.verdict
    lines = [
        ("run", f"Wang-Landau, {density.n_runs} independent runs, {record.created}, {_duration(record.duration_s)}"),
        *_origin(record, density.composition),
        ("settings", settings_line(record.settings, WangLandauSettings())),
        *_progress(record.diagnostics),
        *_precision(record),
        ("peak of C", _peak(record)),
        *_measured(record),
        *_verdict(verdict),
    ]
    return Description(table_of(lines), _run_values(record))


def describe_semigrand(record: SemigrandRecord) -> Description:
    """Describe a run over all compositions; the verdict comes last."""
    errors = np.concatenate([density.standard_error for density in record.densities.values()])
    errors = errors[np.isfinite(errors)]
    spread = f"median {np.median(errors):.4f}, largest {errors.max():.4f}" if len(errors) else "unknown: one run only"
    visited = sum(int(density.visited.sum()) for density in record.densities.values())
    first, last = min(record.densities), max(record.densities)
    lines = [
        ("run", f"Wang-Landau by flips, {record.n_runs} independent runs, {record.created}"),
        *_origin(record, None),
        ("settings", settings_line(record.settings, WangLandauSettings())),
        *_progress(record.diagnostics),
        ("compositions", f"{len(record.densities)}, from {first} to {last}, {visited} bins visited"),
        ("ln g errors", f"between runs, standard error of the mean: {spread}"),
        *_verdict(record.verdict),
    ]
    values = _origin_values(record) | {
        "compositions": sorted(record.densities),
        "settings": record.settings,
        "runs": record.n_runs,
        "bins_visited": visited,
        "ln_g_standard_error_median": float(np.median(errors)) if len(errors) else None,
        "diagnostics": _plain(record.diagnostics),
        "verdict": record.verdict,
    }
    return Description(table_of(lines), values)


def _verdict(verdict: dict[str, Any]) -> list[tuple[str, str]]:
    return [("verdict", str(verdict["summary"])), *(("", f"- {reason}") for reason in verdict["reasons"])]


def _plain(diagnostics: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in diagnostics.items() if not isinstance(value, np.ndarray)}


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
    return Description(table_of(lines), values)


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
        "measured": list(record.averages[0].names) if record.averages else [],
        "diagnostics": _plain(record.diagnostics),
        "verdict": record.verdict,
    }


def _origin_values(record: AnyRecord) -> dict[str, Any]:
    return {
        "system": record.system["name"],
        "species": list(record.system["species"]),
        "n_sites": len(record.system["positions"]),
        "oracle": record.oracle,
        "versions": record.versions,
        "created": record.created,
        "duration_s": record.duration_s,
    }


def _origin(record: AnyRecord, composition: int | None) -> list[tuple[str, str]]:
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
    if diagnostics.get("produced"):
        lines.append(("weights", "fixed in the end; ln g is that of the weights plus the logarithm of the histogram"))
    elif phase := diagnostics.get("phase"):
        lines.append(("schedule", f"{sum(p == 2 for p in phase)} of {len(phase)} runs reached its last phase"))
    if not diagnostics.get("produced") and (ln_f := diagnostics.get("ln_f")):
        lines.append(("final ln f", f"{min(ln_f):.2g} to {max(ln_f):.2g}"))
    if exchange := diagnostics.get("exchange_acceptance"):
        lines.append(("windows", f"{len(exchange) + 1}, {min(exchange):.1%} to {max(exchange):.1%} exchanges accepted"))
    if mismatch := diagnostics.get("seam_mismatch"):
        if any(mismatch):
            rms = float(np.sqrt(np.mean(np.square(mismatch))))
            lines.append(("seams", f"ln g of neighbouring windows differs by {rms:.4f} (rms)"))
    if ground := diagnostics.get("ground_state"):
        counted = f"{ground['configurations']} configurations in {ground['orbits']} orbit(s) found"
        error = f"{ground['residual']:+.3f} +- {ground['standard_error']:.3f}"
        lines.append(("ground state", f"{counted}; sampled ln of their number is off by {error}"))
    if pinned := diagnostics.get("pinned"):
        numbers = " and ".join(str(count) for count in pinned.values())
        lines.append(("pinned", f"ln g, at the end(s) of the range, to {numbers} configurations counted by symmetry"))
    if (crossed := diagnostics.get("transition_matrix_rms")) is not None and np.isfinite(crossed):
        lines.append(("cross-check", f"ln g from trials counted from bin to bin differs by {crossed:.4f} (rms, a run)"))
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


def _peak(record: RunRecord) -> str:
    density = record.density
    peak, sites = _find_peak(density), density.n_sites
    if peak is None:
        return "none"
    lowest = valid_above(density, record.settings.get("energy_range"))
    if peak.temperature < lowest:
        return f"none where energies that were left out do not matter: {where_it_holds(lowest)}"
    model = _model_error(record)
    of_temperature = "" if model is None else f" (sampling) +- {model.peak_temperature_error:.2f} K (model)"
    of_height = "" if model is None else f" (sampling) +- {model.peak_height_error / sites:.4f} (model)"
    return (
        f"{peak.temperature:.2f} +- {peak.temperature_error:.2f} K{of_temperature}, "
        f"{peak.height / sites:.4f} +- {peak.height_error / sites:.4f}{of_height} k_B/atom"
    )


def _model_error(record: RunRecord) -> ModelError | None:
    """Return the error of the model, where it was an ensemble."""
    if not record.averages or not any(name.startswith("member_") for name in record.averages[0].names):
        return None
    from wanglandau.temperature_curves import temperature_curves

    return temperature_curves(record.density, default_temperatures(record.density), record.averages).model


def _measured(record: RunRecord) -> list[tuple[str, str]]:
    lines = []
    if record.averages:
        names = [name for name in record.averages[0].names if not name.startswith("member_")]
        count = sum(int(run.count.sum()) for run in record.averages)
        some = ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" if names[MOST_NAMES:] else "")
        lines.append(("measured", f"{some or 'nothing'} on {count:.3g} configurations; see thermo --csv"))
    if record.joint:
        lines.append(("joint", f"density of energy and {record.joint[0].name}; see thermo --profile"))
    return lines


def _peak_values(peak: Peak, n_sites: int) -> dict[str, float]:
    return {
        "temperature_k": peak.temperature,
        "temperature_error_k": peak.temperature_error,
        "height_kb_per_atom": peak.height / n_sites,
        "height_error_kb_per_atom": peak.height_error / n_sites,
    }


def settings_line(settings: dict[str, Any], usual: Any) -> str:
    """Write the settings that differ from the usual ones, those of a dataclass without arguments."""
    common = vars(usual)
    unusual = [f"{key} {value}" for key, value in settings.items() if value != common.get(key)]
    return ", ".join(unusual) + ("; others as usual" if unusual else "as usual")


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def table_of(lines: Sequence[tuple[str, str]]) -> str:
    """Lay out labels and what stands behind them."""
    width = max(len(label) for label, _ in lines) + 2
    return "\n".join(f"{label:{width}}{text}" for label, text in lines)
