"""What people read of a reweighted density of states: verdict, text of ``inspect``, table."""

from __future__ import annotations

from typing import Any

import numpy as np

from wanglandau.inspection import Description
from wanglandau.levels import MEV_PER_RY
from wanglandau.reweighted_density import MAX_EFFECTIVE, MIN_EFFECTIVE, DearThermodynamics
from wanglandau.reweighted_file import ReweightedRecord
from wanglandau.verdict import Verdict

_ROWS = 25


def judge_reweighting(curves: DearThermodynamics, diagnostics: dict[str, Any]) -> Verdict:
    """Judge by what the samples show of themselves: trusted if every temperature is, and what it was made from.

    Parameters
    ----------
    curves : DearThermodynamics
    diagnostics : dict
        Of :class:`wanglandau.reweighted_sampling.Reweighting`, with ``source_trusted`` (bool).
    """
    temperatures, trusted = curves.thermal.temperatures, curves.trusted
    overlap = _overlap_faults(curves, diagnostics)
    reasons = []
    if not diagnostics.get("source_trusted", True):
        reasons.append("the density of states it was made from was not to be trusted; sample that for longer")
    if diagnostics["cheap_runs"] < 2 and not diagnostics.get("source_exact", False):
        reasons.append("that density of states is of one run, whose errors are unknown; sample it with more --runs")
    if missing := diagnostics["bins_without_looks"]:
        reasons.append(f"{missing} of {diagnostics['cheap_bins']} bins were not met in the looks; raise --looks")
    if not reasons + overlap:
        return Verdict(
            True,
            [],
            f"Trust these averages from {temperatures[0]:g} to {temperatures[-1]:g} K: at least "
            f"{curves.effective.min():.0f} effective samples carry each temperature.",
        )
    where = "" if reasons else _ranges(temperatures, trusted)
    reasons += overlap
    summary = f"Trust these averages at {where} only" if where else "Do not trust these averages"
    return Verdict(False, reasons, f"{summary}: {reasons[0]}.")


def _overlap_faults(curves: DearThermodynamics, diagnostics: dict[str, Any]) -> list[str]:
    """Say which temperatures too few samples carry, and what would help."""
    temperatures, few = curves.thermal.temperatures, curves.effective < MIN_EFFECTIVE
    reasons = []
    if few.any():
        worst = int(np.argmin(curves.effective))
        needed = int(np.ceil(1.5 * diagnostics["samples"] * MIN_EFFECTIVE / curves.effective[worst]))
        reasons.append(
            f"{curves.effective[worst]:.1f} effective samples carry {temperatures[worst]:g} K (at least "
            f"{MIN_EFFECTIVE:g} are needed); give some {needed} --calls, --allocation neyman or a cheap oracle nearer "
            "to the dear one"
        )
    wide = ~curves.trusted & ~few
    if wide.any():
        worst = int(np.argmax(np.where(wide, curves.unseen, 0.0)))
        reasons.append(
            f"the two oracles differ by {curves.spread[worst]:.1f} kT (standard deviation at one cheap energy) at "
            f"{temperatures[worst]:g} K, so that {_part(curves.unseen[worst])} the weight found may be unseen; give "
            "more --calls or a cheap oracle nearer to the dear one"
        )
    return reasons


def _part(unseen: float) -> str:
    return f"{unseen:.0%} of" if unseen < 1 else "more than all"


def _ranges(temperatures: np.ndarray, trusted: np.ndarray) -> str:
    """Write the trusted temperatures as intervals."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], trusted.astype(np.int8), [0]))))
    pairs = [(temperatures[first], temperatures[last - 1]) for first, last in edges.reshape(-1, 2)]
    return ", ".join(f"{low:g} to {high:g} K" if low < high else f"{low:g} K" for low, high in pairs)


def describe_reweighted(record: ReweightedRecord) -> Description:
    """Describe a reweighted density of states; the verdict comes last."""
    lines = [
        ("reweighted", f"{record.diagnostics['samples']} samples, {record.created}, {record.duration_s:.1f} s"),
        ("system", _system(record)),
        ("oracle", _named(record.oracle)),
        *_origin(record.diagnostics),
        ("settings", ", ".join(f"{key} {value}" for key, value in record.settings.items() if value is not None)),
        *_sampling(record),
        ("peak of C", _peak(record)),
    ]
    width = max(len(label) for label, _ in lines) + 2
    head = "\n".join(f"{label:{width}}{text}" for label, text in lines)
    reasons = "\n".join(f"- {reason}" for reason in record.verdict["reasons"])
    parts = (head, format_curves(record), reasons, str(record.verdict["summary"]))
    return Description("\n\n".join(part for part in parts if part), _values(record))


def format_curves(record: ReweightedRecord) -> str:
    """Write U, C, F and S against temperature with standard errors, and how many samples carry them."""
    thermal, curves = record.curves.thermal, record.curves
    assert thermal.standard_error is not None
    values, errors = thermal.per_atom(), thermal.standard_error.per_atom()
    lines = ["     T/K      U/(meV/atom)         C/(k_B/atom)        F/(meV/atom)         S/(k_B/atom)     effective"]
    for row in range(0, len(thermal.temperatures), max(1, len(thermal.temperatures) // _ROWS)):
        parts = [f"{thermal.temperatures[row]:8.1f}"]
        parts += [f"{values[name][row]:10.4f} +- {_error(errors[name][row])}" for name in values]
        carriers = f"{curves.effective[row]:8.0f}" if curves.effective[row] < MAX_EFFECTIVE else "  listed"
        parts.append(f"{carriers}{'' if curves.trusted[row] else '  not to be trusted'}")
        lines.append(" ".join(parts))
    return "\n".join(lines)


def _error(error: float) -> str:
    return f"{error:<7.4f}" if error < 100 else f"{error:<7.1g}"


def _system(record: ReweightedRecord) -> str:
    first, second = record.system["species"]
    samples = record.samples
    what = "all compositions"
    if samples.composition is not None:
        what = f"{samples.n_sites - samples.composition} {first} + {samples.composition} {second}"
    return f"{record.system['name']}: {what} on {samples.n_sites} sites"


def _named(oracle: dict[str, Any]) -> str:
    return f"{oracle['name']} (identity {oracle['identity'][:12]})"


def _origin(diagnostics: dict[str, Any]) -> list[tuple[str, str]]:
    lines = []
    if "proposal_oracle" in diagnostics:
        lines.append(("cheap oracle", _named(diagnostics["proposal_oracle"])))
    if "source" in diagnostics:
        lines.append(("made from", f"{diagnostics['source']}, {diagnostics['cheap_bins']} bins"))
    return lines


def _sampling(record: ReweightedRecord) -> list[tuple[str, str]]:
    found, scale = record.diagnostics, MEV_PER_RY / record.samples.n_sites
    density, curves = record.density, record.curves
    errors = density.standard_error[np.isfinite(density.ln_g)]
    worst = int(np.argmin(curves.effective))
    return [
        ("calls", f"{found['calls']} energies asked of the oracle for {found['samples']} samples"),
        ("strata", f"{found['strata']}, in {found['strata_listed']} of them every orbit is listed"),
        (
            "difference",
            f"oracle less cheap oracle {found['mean_difference'] * scale:+.3f} meV/atom, standard deviation "
            f"{found['rms_difference'] * scale:.3f}",
        ),
        ("ln g", f"{len(errors)} bins with states, standard error median {np.median(errors):.3f}"),
        (
            "effective",
            f"at least {curves.effective[worst]:.0f} samples carry the weight (at "
            f"{curves.thermal.temperatures[worst]:g} K)",
        ),
    ]


def _peak(record: ReweightedRecord) -> str:
    peak, n_sites = record.curves.peak, record.samples.n_sites
    if not peak.inside:
        return "none between these temperatures; try others with --temperatures"
    return (
        f"{peak.temperature:.2f} +- {peak.temperature_error:.2f} K, {peak.height / n_sites:.4f} +- "
        f"{peak.height_error / n_sites:.4f} k_B/atom"
    )


def _values(record: ReweightedRecord) -> dict[str, Any]:
    curves, density = record.curves, record.density
    thermal = curves.thermal
    assert thermal.standard_error is not None
    return {
        "system": record.system["name"],
        "species": list(record.system["species"]),
        "n_sites": record.samples.n_sites,
        "composition": record.samples.composition,
        "oracle": record.oracle,
        "settings": record.settings,
        "versions": record.versions,
        "created": record.created,
        "duration_s": record.duration_s,
        "temperature_k": thermal.temperatures,
        **thermal.per_atom(),
        "standard_error": thermal.standard_error.per_atom(),
        "effective_samples": curves.effective,
        "trusted": curves.trusted,
        "spread_kt": curves.spread,
        "unseen": curves.unseen,
        "peak": curves.peak,
        "mixing_energy_mev_per_atom": density.grid.centres * MEV_PER_RY / record.samples.n_sites,
        "ln_g": density.ln_g,
        "ln_g_standard_error": density.standard_error,
        "diagnostics": record.diagnostics,
        "verdict": record.verdict,
    }
