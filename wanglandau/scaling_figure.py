"""Figure of a transition in cells of several sizes, and of its extrapolation to the infinite crystal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from wanglandau.errors import InputError
from wanglandau.figure_style import (
    CAPACITY_LABEL,
    EXACT,
    MARK,
    TEMPERATURE_LABEL,
    new_figure,
    row_height,
    save_figure,
    with_error,
)
from wanglandau.finite_size import SizeFit
from wanglandau.thermodynamics import Peak, Thermodynamics

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#56B4E9", "#0072B2", "#009E73", "#E69F00", "#CC79A7", "0.4")
"""By size, smallest first; they come again where there are more sizes."""


class Cell(NamedTuple):
    """What is known of one cell.

    Attributes
    ----------
    n_sites : int
    curves : Thermodynamics
    peak : Peak
        Of the heat capacity.
    """

    n_sites: int
    curves: Thermodynamics
    peak: Peak


def scaling_figure(
    path: str | os.PathLike[str],
    cells: Sequence[tuple[int, Thermodynamics, Peak]],
    fit: SizeFit,
    *,
    dimension: int = 3,
    note: str = "",
) -> None:
    """Draw C(T) per atom of all cells with bands of one standard error, and peak temperatures against size.

    Parameters
    ----------
    path : path
    cells : sequence of (n_sites, Thermodynamics, Peak)
    fit : SizeFit
        Of the peak temperatures against L = n_sites^(1 / dimension).
    dimension : int
        Of the crystal.
    note : str
        Printed below the panels.

    Raises
    ------
    InputError
        If there is no cell, or matplotlib is not installed or cannot write such a file.
    """
    if not cells:
        raise InputError("a figure of scaling needs at least one cell")
    ordered = sorted((Cell(*cell) for cell in cells), key=lambda cell: cell.n_sites)
    with new_figure(8.2, row_height(note)) as figure:
        left, right = figure.subplots(1, 2)
        _draw_capacities(left, ordered)
        _draw_law(right, ordered, fit, dimension)
        save_figure(figure, path, note)


def _draw_capacities(panel: Axes, cells: Sequence[Cell]) -> None:
    for number, cell in enumerate(cells):
        colour, curves = COLOURS[number % len(COLOURS)], cell.curves
        values = curves.heat_capacity / cell.n_sites
        panel.plot(curves.temperatures, values, color=colour, label=f"{cell.n_sites} atoms")
        if curves.standard_error is not None:
            error = curves.standard_error.heat_capacity / cell.n_sites
            panel.fill_between(curves.temperatures, values - error, values + error, color=colour, alpha=0.25, lw=0)
        if cell.peak.inside:
            panel.plot([cell.peak.temperature], [cell.peak.height / cell.n_sites], "o", color=colour, ms=4, zorder=4)
    panel.set(xlabel=TEMPERATURE_LABEL, ylabel=CAPACITY_LABEL, title="heat capacity")
    panel.set_ylim(bottom=0)
    panel.legend(loc="upper right")


def _draw_law(panel: Axes, cells: Sequence[Cell], fit: SizeFit, dimension: int) -> None:
    lengths = np.array([cell.n_sites ** (1 / dimension) for cell in cells])
    scaled = lengths**-fit.exponent
    line = np.linspace(0, 1.08 * scaled.max(), 50)
    panel.plot(line, fit.temperature + fit.amplitude * line, color=EXACT, lw=0.9, label=_law(fit), zorder=1)
    for number, (cell, place) in enumerate(zip(cells, scaled, strict=True)):
        error = float(np.nan_to_num(cell.peak.temperature_error))
        panel.errorbar(
            [place], [cell.peak.temperature], error, marker="o", ms=4.5, color=COLOURS[number % len(COLOURS)], capsize=2
        )
    panel.errorbar(
        [0], [fit.temperature], float(np.nan_to_num(fit.temperature_error)), marker="D", ms=5, color=MARK, capsize=2
    )
    text = r"$T_\mathrm{c}$ = " + with_error(fit.temperature, fit.temperature_error, "K")
    rises = fit.amplitude > 0
    panel.annotate(
        text, (0, fit.temperature), (9, -6 if rises else 6), textcoords="offset points", va="center", color=MARK
    )
    panel.set_xlim(-0.06 * line[-1], line[-1])
    panel.set(ylabel="temperature of the peak (K)", title="extrapolation in size")
    panel.set_xlabel(f"$L^{{-{fit.exponent:.3g}}}$,  $L$ = (number of atoms)$^{{1/{dimension}}}$")
    panel.margins(y=0.12)
    panel.legend(loc="upper left" if rises else "lower left")


def _law(fit: SizeFit) -> str:
    exponent = f"{fit.exponent:.3g}"
    if fit.exponent_error > 0:
        exponent = with_error(fit.exponent, fit.exponent_error)
    text = rf"$T_\mathrm{{c}} + a\,L^{{-p}}$, $p$ = {exponent}"
    if np.isfinite(fit.chi_squared):
        text += rf", $\chi^2$ = {fit.chi_squared:.1f} / {fit.degrees_of_freedom}"
    return text
