"""The tables of a study, in the paper's terms and in those that matter, as Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from surrogate.markdown_table import markdown_table
from surrogate.ordering import Ordering
from surrogate.study import ModelResult
from surrogate.study_models import INITIALS, letters_of
from surrogate.study_settings import StudySettings

PAPER_R2: Mapping[str, Mapping[str, Mapping[str, tuple[float, float]]]] = {
    "cuau": {
        "E": {"energy": (0.999999, 1.147116e-7)},
        "C": {"charge": (0.993889, 0.002019)},
        "E+C": {"energy": (0.999990, 6.2e-6), "charge": (0.990106, 0.0089)},
    },
    "fept": {
        "E": {"energy": (0.999999, 1.147116e-7)},
        "C": {"charge": (0.993889, 0.002019)},
        "M": {"moment": (0.996505, 0.0009)},
        "E+C": {"energy": (0.999989, 5.3e-6), "charge": (0.959282, 0.0219)},
        "E+M": {"energy": (0.999985, 3.3e-5), "moment": (0.974768, 0.0335)},
        "C+M": {"charge": (0.978824, 0.0046), "moment": (0.996109, 0.0008)},
        "E+C+M": {"energy": (0.999976, 4.6e-6), "charge": (0.976299, 0.0090), "moment": (0.990846, 0.0037)},
    },
}
"""R^2 of the test part, mean and deviation over 60 splits, quoted from Tables 3 and 4 of the paper. Its rows of single
tasks are the same for both alloys, so at least one of them is a copy."""

R2 = {"energy": "total_energy_r2", "charge": "charge_r2", "moment": "moment_r2"}
ENERGY_COLUMNS: Mapping[str, Callable[[dict[str, Any]], float | None]] = {
    "RMSE": lambda report: report.get("mixing_energy_rmse_within_composition_mev_per_atom"),
    "RMSE, means removed": lambda r: r.get("mixing_energy_rmse_within_composition_mean_removed_mev_per_atom"),
    "MAE": lambda report: report.get("mixing_energy_mae_mev_per_atom"),
    "largest": lambda report: report.get("mixing_energy_max_error_mev_per_atom"),
    "R^2 within composition": lambda report: report.get("mixing_energy_r2_within_composition"),
    "lowest decile RMSE": lambda report: (report.get("lowest_decile") or {}).get("rmse"),
    "rank correlation there": lambda report: (report.get("lowest_decile") or {}).get("spearman"),
    "symmetry spread": lambda report: report.get("symmetry_spread_mev_per_atom"),
}
"""Errors of the mixing energy on the test part, meV/atom where they have a unit."""


def _of_ordering(key: str) -> Callable[[dict[str, Any]], float | None]:
    def read(report: dict[str, Any]) -> float | None:
        value = report.get("ordering", {}).get(key)
        return None if value is None else float(value)

    return read


ORDERING_COLUMNS: Mapping[str, Callable[[dict[str, Any]], float | None]] = {
    "peak of C, K": _of_ordering("peak_kelvin"),
    "shift, K": _of_ordering("peak_shift_kelvin"),
    "height, k_B/atom": _of_ordering("peak_height_kb_per_atom"),
    "ground state found": _of_ordering("ground_state_found"),
    "it lies above by": _of_ordering("ground_state_above_mev_per_atom"),
    "ordered structures RMSE": _of_ordering("structures_rmse_mev_per_atom"),
}
"""What the errors do to ordering, K and meV/atom; how often the ground state is found, as a share of the splits."""


def over_splits(result: ModelResult, value: Callable[[dict[str, Any]], float | None]) -> tuple[float, float] | None:
    """Return mean and standard deviation of a figure over the splits; None where there is none."""
    found = [number for report in result.reports if (number := value(report)) is not None]
    if not found:
        return None
    return float(np.mean(found)), float(np.std(found, ddof=1)) if len(found) > 1 else float("nan")


def markdown(
    results: list[ModelResult],
    system: str,
    settings: StudySettings,
    source: str,
    command: str,
    figures: list[str],
    ordering: Ordering | None = None,
) -> str:
    """Write the whole report.

    Parameters
    ----------
    results : list of ModelResult
    system : str
    settings : StudySettings
    source : str
        What the data are, in a sentence.
    command : str
        That made it.
    figures : list of str
        Files to show, relative to the report.
    ordering : Ordering, optional
        What models were asked about ordering.
    """
    how = "symmetry-equivalent configurations on one side" if settings.by_orbit else "as the paper split"
    lines = [
        f"# Accuracy study, {system}",
        "",
        f"{source} {settings.splits} shuffled splits (70 / 15 / 15 per cent, {how}), seed {settings.seed}."
        f"{_epochs(results, settings)} Made by `{command}`.",
        "",
        "## R^2 of the test part, as in the paper",
        "",
        "1 - R^2 of total energies, charges and moments: mean ± deviation over the splits; the paper's are quoted.",
        "",
        *markdown_table(_r2_rows(results, system)),
        "",
        "## Mixing energy of the test part, meV/atom",
        "",
        "R^2 of total energies cannot tell a usable model from a useless one: composition moves them by 10^4 Ry.",
        "",
        *markdown_table(_energy_rows(results)),
        "",
        *_ordering_section(results, settings, ordering),
        "## How it was trained",
        "",
        *markdown_table(_training_rows(results)),
    ]
    for figure in figures:
        lines += ["", f"![{figure.removesuffix('.png').replace('-', ' ')}]({figure})"]
    return "\n".join(lines) + "\n"


def figures_of_splits(results: list[ModelResult]) -> dict[str, dict[str, np.ndarray]]:
    """Return every figure of the tables, ``float64[n_splits]`` with nan where there is none, by model and by name."""
    columns = {f"{task}_r2": _reader(key) for task, key in R2.items()}
    every = ENERGY_COLUMNS | ORDERING_COLUMNS  # type: ignore[operator]
    columns |= {name.replace(",", "").replace("/", "_per_").replace(" ", "_"): value for name, value in every.items()}
    return {
        result.model.slug: {
            name: np.array([value(report) for report in result.reports], dtype=np.float64)
            for name, value in columns.items()
        }
        for result in results
    }


def _epochs(results: list[ModelResult], settings: StudySettings) -> str:
    """Say how long dense networks and on what lattice networks were trained, as far as there are any."""
    models, text = [result.model for result in results], ""
    if any(model.as_paper for model in models):
        text += (
            f" Networks marked *as the paper* were trained for {settings.paper_epochs} epochs, the paper's for 30,000."
        )
    if any(model.kind == "dense" and not model.as_paper for model in models):
        text += f" Dense networks of our recipe were trained for {settings.epochs} epochs."
    if any(model.kind == "lattice" for model in models):
        text += f" Lattice networks saw {settings.lattice_configurations} configurations of the training part at most."
    return text


def csv_table(results: list[ModelResult]) -> str:
    """Write every split of every model as a row."""
    figures = figures_of_splits(results)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["model", "split", *next(iter(figures.values()))])
    for slug, columns in figures.items():
        for number, values in enumerate(zip(*columns.values(), strict=True)):
            writer.writerow([slug, number, *("" if np.isnan(value) else value for value in values)])
    return text.getvalue()


def _ordering_section(results: list[ModelResult], settings: StudySettings, ordering: Ordering | None) -> list[str]:
    asked = [r for r in results if any("ordering" in report for report in r.reports)]
    if ordering is None or not asked:
        return []
    rows = [["model", *ORDERING_COLUMNS]]
    for result in asked:
        found = [over_splits(result, value) for value in ORDERING_COLUMNS.values()]
        rows.append([result.model.name, *(_mean(values) for values in found)])
    return [
        "## Ordering",
        "",
        f"All configurations with {ordering.composition} of {ordering.n_sites} second-species atoms by every model, of "
        f"the first {min(settings.splits, settings.ordering_splits)} split(s), against the reference's own: its peak "
        f"of C lies at {ordering.peak.temperature:.2f} K and is {ordering.peak.height / ordering.n_sites:.4f} k_B/atom "
        f"high. {len(ordering.structures)} ordered structures fit the cell. Models that break the symmetry are asked "
        "for one image of every configuration.",
        "",
        *markdown_table(rows),
        "",
    ]


def _reader(key: str) -> Callable[[dict[str, Any]], float | None]:
    return lambda report: report.get(key)


def _r2_rows(results: list[ModelResult], system: str) -> list[list[str]]:
    rows = [["model", *(INITIALS[task] for task in R2), *(f"{INITIALS[task]}, paper" for task in R2)]]
    for result in results:
        own = [_r2(over_splits(result, _reader(key))) for key in R2.values()]
        quoted = (
            PAPER_R2.get(system, {}).get(letters_of(result.model.tasks), {}) if result.model.kind == "dense" else {}
        )
        rows.append([result.model.name, *own, *(_r2(quoted.get(task)) for task in R2)])
    return _without_empty_columns(rows)


def _energy_rows(results: list[ModelResult]) -> list[list[str]]:
    rows = [["model", *ENERGY_COLUMNS]]
    for result in results:
        if "energy" in result.model.tasks:
            found = [over_splits(result, value) for value in ENERGY_COLUMNS.values()]
            rows.append([result.model.name, *(_mean(values) for values in found)])
    return rows


def _training_rows(results: list[ModelResult]) -> list[list[str]]:
    rows = [["model", "epochs", "best epoch, mean", "seconds, all splits", "on"]]
    for result in results:
        details = result.details
        best = details.get("best_epoch_mean")
        rows.append(
            [
                result.model.name,
                str(details.get("epochs", "")),
                "" if best is None else f"{best:.0f}",
                f"{details.get('seconds', float('nan')):.0f}",
                str(details.get("machine", "")),
            ]
        )
    return rows


def _r2(values: tuple[float, float] | None) -> str:
    return "" if values is None else _with_deviation(f"{1 - values[0]:.2g}", values[1])


def _mean(values: tuple[float, float] | None) -> str:
    return "" if values is None else _with_deviation(f"{values[0]:.4g}", values[1])


def _with_deviation(value: str, deviation: float) -> str:
    return value if np.isnan(deviation) else f"{value} ± {deviation:.1g}"


def _without_empty_columns(rows: list[list[str]]) -> list[list[str]]:
    kept = [place for place in range(len(rows[0])) if place == 0 or any(row[place] for row in rows[1:])]
    return [[row[place] for place in kept] for row in rows]
