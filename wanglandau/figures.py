"""Figures of a density of states and its thermodynamics; they need matplotlib (extra ``figures``).

The sampled curve is blue with a band of one standard error, the exact one black. File types are those of matplotlib:
.png, .pdf, .svg.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from wanglandau.comparison import levels_of, on_common_grid
from wanglandau.density_of_states import DensityOfStates
from wanglandau.figure_style import (
    CAPACITY_LABEL,
    ENERGY_LABEL,
    EXACT,
    SAMPLED,
    TEMPERATURE_LABEL,
    mark_peak,
    name_of_cell,
    name_of_oracle,
    new_figure,
    row_height,
    save_figure,
)
from wanglandau.levels import MEV_PER_RY, Levels, Source
from wanglandau.run_file import ExactRecord, RunRecord
from wanglandau.thermodynamics import Thermodynamics, default_temperatures, heat_capacity_peak, thermodynamics

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_THERMODYNAMICS_LABELS = {
    "internal_energy_mev_per_atom": "internal energy (meV/atom)",
    "heat_capacity_kb_per_atom": CAPACITY_LABEL,
    "free_energy_mev_per_atom": "free energy (meV/atom)",
    "entropy_kb_per_atom": r"entropy ($k_\mathrm{B}$/atom)",
}


def density_figure(
    path: str | os.PathLike[str],
    record: RunRecord,
    exact: ExactRecord | RunRecord | None = None,
    *,
    temperatures: np.ndarray | None = None,
    note: str = "",
) -> None:
    """Draw ln g, its error and the heat capacity side by side.

    Parameters
    ----------
    path : path
    record : RunRecord
    exact : ExactRecord or RunRecord, optional
        Exact levels of the same system and composition, or another run, for comparison. Without them the middle panel
        shows each run against the mean.
    temperatures : float64[n], optional, K
        Of the heat capacity; by default about the natural temperature of the system.
    note : str
        Printed below the panels.

    Raises
    ------
    InputError
        If matplotlib is not installed or cannot write such a file.
    """
    density, reference = (record.density, None) if exact is None else on_common_grid(record.density, exact)
    source = _source(reference, exact)
    grid = default_temperatures(source or density) if temperatures is None else temperatures
    with new_figure(10.5, row_height(note)) as figure:
        left, middle, right = figure.subplots(1, 3)
        _draw_ln_g(left, density, reference)
        _draw_error(middle, density, reference)
        _draw_capacity(right, density, source, grid)
        save_figure(figure, path, note, _title(record))


def thermodynamics_figure(
    path: str | os.PathLike[str], result: Thermodynamics, exact: Thermodynamics | None = None, *, note: str = ""
) -> None:
    """Draw U, C, F and S against temperature, with a band of one standard error.

    Parameters
    ----------
    path : path
    result : Thermodynamics
    exact : Thermodynamics, optional
        Exact curves.
    note : str
        Printed below the panels.

    Raises
    ------
    InputError
        If matplotlib is not installed or cannot write such a file.
    """
    curves, truth = result.per_atom(), None if exact is None else exact.per_atom()
    errors = None if result.standard_error is None else result.standard_error.per_atom()
    with new_figure(7.5, 5.5) as figure:
        panels = figure.subplots(2, 2, sharex=True)
        for panel, (name, label) in zip(panels.flat, _THERMODYNAMICS_LABELS.items(), strict=True):
            _draw_band(panel, result.temperatures, curves[name], None if errors is None else errors[name])
            if exact is not None and truth is not None:
                panel.plot(exact.temperatures, truth[name], color=EXACT, lw=0.9, ls=(0, (4, 2)), label="exact")
            panel.set_ylabel(label)
        for panel in panels[1]:
            panel.set_xlabel(TEMPERATURE_LABEL)
        panels[0, 0].legend()
        save_figure(figure, path, note)


def _source(reference: DensityOfStates | None, record: ExactRecord | RunRecord | None) -> Source | None:
    """Return what the curves of the reference come from: levels as they are, not their bins."""
    return levels_of(record, reference.composition) if reference and isinstance(record, ExactRecord) else reference


def _name(reference: Source) -> str:
    return "exact" if isinstance(reference, Levels) or reference.exact else "other run"


def _draw_ln_g(panel: Axes, density: DensityOfStates, reference: DensityOfStates | None) -> None:
    energy, seen = _energy(density), density.visited
    if reference is not None:
        known = reference.visited
        curve = _energy(reference)[known], reference.ln_g[known]
        panel.plot(*curve, color=EXACT, lw=0.9, label=_name(reference), zorder=1)
    panel.plot(energy[seen], density.ln_g[seen], **_dots(int(seen.sum())), label="sampled", zorder=2)
    panel.set(xlabel=ENERGY_LABEL, ylabel="ln g", title=f"density of states, {int(seen.sum())} bins")
    panel.legend()


def _draw_error(panel: Axes, density: DensityOfStates, reference: DensityOfStates | None) -> None:
    """Draw sampled minus exact (or the other run), or without reference every run minus the mean."""
    energy, error = _energy(density), np.nan_to_num(density.standard_error)
    if reference is not None:
        error = np.hypot(error, np.nan_to_num(reference.standard_error))
    seen = density.visited if reference is None else density.visited & reference.visited
    panel.axhline(0, color=EXACT, lw=0.7)
    panel.fill_between(
        energy[seen], -error[seen], error[seen], color=SAMPLED, alpha=0.25, lw=0, zorder=3, label="± 1 standard error"
    )
    if reference is None:
        for run in density.run_ln_g:
            shown = seen & np.isfinite(run)
            panel.plot(energy[shown], run[shown] - density.ln_g[shown], color="0.6", lw=0.4)
        panel.set(title=f"{density.n_runs} independent runs", ylabel="ln g of a run − mean")
    else:
        difference = density.ln_g[seen] - reference.ln_g[seen]
        panel.plot(energy[seen], difference, **_dots(int(seen.sum())))
        what = "error" if reference.exact else "difference"
        panel.set(title=f"{what} of ln g: rms {np.sqrt(np.mean(difference**2)):.4f}")
        panel.set_ylabel(f"ln g − {'exact ln g' if reference.exact else 'ln g of the other run'}")
    panel.set_xlabel(ENERGY_LABEL)
    reach = max(abs(limit) for limit in panel.get_ylim())
    panel.set_ylim(-reach, 1.3 * reach)  # room for the legend
    panel.legend(loc="upper left")


def _draw_capacity(panel: Axes, density: DensityOfStates, reference: Source | None, grid: np.ndarray) -> None:
    sites, result = density.n_sites, thermodynamics(density, grid)
    error = None if result.standard_error is None else result.standard_error.heat_capacity / sites
    _draw_band(panel, grid, result.heat_capacity / sites, error)
    if reference is not None:
        known = thermodynamics(reference, grid).heat_capacity / sites
        panel.plot(grid, known, color=EXACT, lw=0.9, ls=(0, (4, 2)), label=_name(reference))
    peak = heat_capacity_peak(density, grid)
    if peak.inside:
        mark_peak(panel, peak, sites)
    panel.set(xlabel=TEMPERATURE_LABEL, ylabel=CAPACITY_LABEL, title="heat capacity")
    panel.set_ylim(bottom=0, top=1.18 * panel.get_ylim()[1])
    panel.legend(loc="center right")


def _draw_band(panel: Axes, x: np.ndarray, values: np.ndarray, error: np.ndarray | None) -> None:
    panel.plot(x, values, color=SAMPLED, label="sampled")
    if error is not None:
        panel.fill_between(x, values - error, values + error, color=SAMPLED, alpha=0.25, lw=0)


def _dots(n_points: int) -> dict[str, Any]:
    return {"ls": "none", "marker": "o", "ms": 3.5 if n_points < 80 else 2.0, "mew": 0, "color": SAMPLED}


def _energy(density: DensityOfStates) -> np.ndarray:
    return density.mean_energy * MEV_PER_RY / density.n_sites


def _title(record: RunRecord) -> str:
    cell = name_of_cell(record.system["species"], record.density.n_sites, record.density.composition)
    runs, oracle = record.density.n_runs, name_of_oracle(record.oracle["name"])
    return f"{cell}: Wang–Landau, {runs} independent runs, energies from {oracle}"
