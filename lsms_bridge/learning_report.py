"""What a loop has come to, for people: a table, a figure and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lsms_bridge.generation import Finding, Generation
from lsms_bridge.learning import LearningResult
from lsms_bridge.learning_record import COMMITTEE, DATASET
from surrogate.markdown_table import markdown_table
from wanglandau.atomic_file import write_atomically
from wanglandau.figure_style import can_draw, with_error
from wanglandau.levels import MEV_PER_RY

REPORT, FIGURE = "report.md", "learning.png"
_HEAD = ["generation", "learnt from", "new", "Tc (K)", "peak of C (k_B/atom)", "lowest energy (meV/atom)"]
_HEAD += ["error on new ones (meV/atom)", "bias", "error over spread", "error on fresh ones", "seconds", "quiet"]


def write_report(result: LearningResult, note: str = "") -> list[Path]:
    """Write ``report.md`` and, where matplotlib is installed, ``learning.png`` into the folder of the loop.

    Parameters
    ----------
    result : LearningResult
        Of at least one generation.
    note : str
        Caution on the data, printed with both.

    Returns
    -------
    list of Path
        The files.
    """
    folder = result.folder.path
    lines = ["# Active learning", "", result.verdict.summary, ""]
    for place, finding in enumerate(result.generations[-1].findings):
        lines += [f"## Composition {finding.composition}", ""]
        lines += markdown_table([_HEAD, *(_row(result, number, place) for number in range(len(result.generations)))])
        lines += ["", *_why(result), ""] if not place else [""]
    lines += [_fraction(result.generations[-1]), ""]
    lines += [f"Result: `{COMMITTEE}` of the last generation, `{DATASET}` with all that was computed."]
    lines += ["", note] if note else []
    write_atomically(folder / REPORT, ("\n".join(lines) + "\n").encode())
    if not can_draw():
        return [folder / REPORT]
    from lsms_bridge.learning_figure import learning_figure

    learning_figure(result.generations, folder / FIGURE, note)
    return [folder / REPORT, folder / FIGURE]


def describe(result: LearningResult) -> str:
    """Say in a few lines what a loop has come to."""
    last = result.generations[-1]
    lines = []
    for finding in last.findings:
        errors, unit = last.errors_of(finding), MEV_PER_RY / last.n_sites
        peak = with_error(float(finding.thermal.peak_temperature.value), errors.peak_temperature, "K")
        height = with_error(float(finding.thermal.peak_height.value), errors.peak_height, "k_B/atom")
        lines.append(
            f"composition {finding.composition}: peak of C at {peak}, {height}; lowest energy "
            f"{finding.ground_after * unit:.4g} meV/atom"
        )
    errors_new = last.new.errors(last.n_sites)
    if errors_new["n"]:
        lines.append(
            f"on {errors_new['n']} new configurations the last committee was wrong by {errors_new['rmse']:.3g} "
            f"meV/atom rms, {errors_new['z_rms']:.2g} times its spread"
        )
    return "\n".join([*lines, _fraction(last), result.verdict.summary])


def values_of(result: LearningResult) -> dict[str, Any]:
    """Return the same for programs."""
    generations = []
    for made, reasons in zip(result.generations, result.verdict.reasons, strict=True):
        generations.append(
            {
                "number": made.number,
                "n_training": made.n_training,
                "n_new": len(made.new),
                "errors_mev_per_atom": made.new.errors(made.n_sites),
                "not_quiet_because": list(reasons),
                "seconds": dict(made.seconds),
                "findings": [_finding_values(made, finding) for finding in made.findings],
            }
        )
    return {"settled": result.verdict.settled, "verdict": result.verdict.summary, "generations": generations}


def _finding_values(made: Generation, finding: Finding) -> dict[str, Any]:
    errors, unit = made.errors_of(finding), MEV_PER_RY / made.n_sites
    return {
        "composition": finding.composition,
        "peak_temperature_k": float(finding.thermal.peak_temperature.value),
        "peak_temperature_error_k": errors.peak_temperature,
        "peak_height_kb_per_atom": float(finding.thermal.peak_height.value),
        "peak_height_error_kb_per_atom": errors.peak_height,
        "lowest_energy_mev_per_atom": finding.ground_after * unit,
        "ground_state_key": finding.ground_key,
        "n_candidates": finding.n_candidates,
        "complete": finding.complete,
    }


def _row(result: LearningResult, number: int, place: int) -> list[str]:
    made = result.generations[number]
    finding = made.findings[place]
    errors, all_new, fresh = (
        made.errors_of(finding),
        made.new.errors(made.n_sites),
        made.new.errors(made.n_sites, "fresh"),
    )
    return [
        str(number),
        str(made.n_training),
        str(int((made.new.compositions == finding.composition).sum())),
        with_error(float(finding.thermal.peak_temperature.value), errors.peak_temperature),
        with_error(float(finding.thermal.peak_height.value), errors.peak_height),
        f"{finding.ground_after * MEV_PER_RY / made.n_sites:.4f}",
        *(f"{all_new[name]:.3g}" for name in ("rmse", "bias", "z_rms")),
        f"{fresh['rmse']:.3g}",
        f"{sum(made.seconds.values()):.0f}",
        "no" if result.verdict.reasons[number] else "yes",
    ]


def _why(result: LearningResult) -> list[str]:
    return [f"- {number}: {'; '.join(why)}" for number, why in enumerate(result.verdict.reasons) if why]


def _fraction(last: Generation) -> str:
    complete: Sequence[Finding] = [finding for finding in last.findings if finding.complete]
    known = f"{last.n_orbits} orbits are known"
    if len(complete) < len(last.findings):
        return f"{known}."
    return f"{known} of all compositions; those learnt have {sum(finding.n_candidates for finding in complete)}."
