"""Figures over composition: mixing free energy with its common tangents, and phase diagrams."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from wanglandau.errors import InputError
from wanglandau.figure_style import MARK, SAMPLED, TEMPERATURE_LABEL, name_of_cell, new_figure, row_height, save_figure
from wanglandau.levels import BOLTZMANN, MEV_PER_RY
from wanglandau.mixing import Mixing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from wanglandau.coexistence import TwoPhaseRegion
    from wanglandau.comparison import LnGDifference

MAX_TIE_LINES = 60
"""Temperatures at which a phase diagram shows the ends of a two-phase region; the area is filled at all of them."""

DELTA_MU_LABEL = r"$\Delta\mu$ (meV per exchanged atom)"


def mixing_figure(path: str | os.PathLike[str], mixing: Mixing, species: Sequence[str], *, note: str = "") -> None:
    """Draw F, U and -TS of mixing with the common tangents, and beside them delta_mu, against composition.

    Parameters
    ----------
    path : path
    mixing : Mixing
    species : sequence of two str
    note : str
        Printed below the panels.

    Raises
    ------
    InputError
        If matplotlib is not installed or cannot write such a file.
    """
    with new_figure(8.2, row_height(note)) as figure:
        left, right = figure.subplots(1, 2)
        _draw_free_energy(left, mixing)
        _draw_exchange(right, mixing)
        for panel in (left, right):
            panel.set(xlim=(-0.02, 1.02), xlabel=_fraction_label(species))
        title = f"{name_of_cell(species, mixing.n_sites, None)}, {mixing.temperature:g} K"
        save_figure(figure, path, note, title)


def phase_diagram_figure(
    path: str | os.PathLike[str], diagram: Sequence[Mixing], species: Sequence[str], *, note: str = ""
) -> None:
    """Draw the two-phase regions over composition and temperature, and the chemical potential of coexistence.

    Filled marks are regions whose free energy rises by more than k_B T above the common tangent; across the others
    (open marks) this cell moves freely.

    Parameters
    ----------
    path : path
    diagram : sequence of Mixing
        Of one cell, one a temperature.
    species : sequence of two str
    note : str
        Printed below the panels.

    Raises
    ------
    InputError
        If there is no temperature, or matplotlib is not installed or cannot write such a file.
    """
    if not diagram:
        raise InputError("a phase diagram needs at least one temperature")
    with new_figure(8.2, 3.8 if not note else 4.05) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        temperatures = np.array([mixing.temperature for mixing in diagram])
        _draw_regions(left, diagram, _half_step(temperatures))
        _draw_coexistence(right, diagram)
        left.set(
            xlim=(-0.02, 1.02), xlabel=_fraction_label(species), ylabel=TEMPERATURE_LABEL, title="two-phase regions"
        )
        right.set(xlabel=DELTA_MU_LABEL, title="coexistence (equal weight)")
        margin = max(1.0, 0.03 * float(np.ptp(temperatures)))
        left.set_ylim(temperatures.min() - margin, temperatures.max() + margin)
        save_figure(figure, path, note, name_of_cell(species, diagram[0].n_sites, None))


def composition_errors_figure(
    path: str | os.PathLike[str], differences: Mapping[int, LnGDifference], species: Sequence[str]
) -> None:
    """Draw how far ln g is from the exact one, rms and largest, against composition.

    Parameters
    ----------
    path : path
    differences : mapping of int to LnGDifference
        By number of second-species atoms.
    species : sequence of two str

    Raises
    ------
    InputError
        If matplotlib is not installed or cannot write such a file.
    """
    with new_figure(5.0, 3.4) as figure:
        panel = figure.subplots()
        numbers = sorted(differences)
        for name, colour, label in (("rms", SAMPLED, "rms"), ("largest", MARK, "largest")):
            values = np.array([getattr(differences[number], name) for number in numbers])
            panel.plot(numbers, np.where(values > 0, values, np.nan), "o-", color=colour, ms=3, lw=0.8, label=label)
        title = f"{species[0]}-{species[1]}: sampled against exact, {len(numbers)} compositions"
        panel.set(yscale="log", xlabel=f"{species[1]} atoms", ylabel="|ln g − exact ln g|", title=title)
        panel.legend()
        save_figure(figure, path, "")


def _draw_free_energy(panel: Axes, mixing: Mixing) -> None:
    x, scale = mixing.fractions, MEV_PER_RY
    error = np.nan_to_num(mixing.free_energy_error) * scale
    heat = -mixing.temperature * BOLTZMANN * mixing.entropy * scale
    panel.axhline(0, color="0.8", lw=0.7)
    panel.plot(x, mixing.internal_energy * scale, color="0.45", lw=1, ls=(0, (4, 2)), label="$U$")
    panel.plot(x, heat, color="0.45", lw=1, ls=(0, (1, 1.5)), label="$-TS$")
    panel.errorbar(x, mixing.free_energy * scale, error, color=SAMPLED, marker="o", ms=3, elinewidth=1, label="$F$")
    label = "common tangent"
    for region in mixing.regions:
        ends = np.isin(mixing.compositions, (region.low, region.high))
        panel.plot(x[ends], mixing.free_energy[ends] * scale, color=MARK, marker="o", ms=4, label=label, zorder=4)
        label = "_"
    panel.set(ylabel="mixing (meV/atom)", title="mixing free energy")
    _add_legend(panel, 0.3)


def _draw_exchange(panel: Axes, mixing: Mixing) -> None:
    panel.axhline(0, color="0.8", lw=0.7)
    error = np.nan_to_num(mixing.delta_mu_error) * MEV_PER_RY
    panel.errorbar(
        mixing.midpoints,
        mixing.delta_mu * MEV_PER_RY,
        error,
        color=SAMPLED,
        marker="o",
        ms=3,
        elinewidth=1,
        label=r"$\mathrm{d}F/\mathrm{d}N_B$ of the cell",
    )
    label = "equal weight"
    for region in mixing.regions:
        value = region.delta_mu * MEV_PER_RY
        panel.plot([region.x_low, region.x_high], [value, value], color=MARK, marker="|", ms=7, label=label, zorder=4)
        label = "_"
    panel.set(ylabel=DELTA_MU_LABEL, title="chemical-potential difference")
    _add_legend(panel, 0.15)


def _add_legend(panel: Axes, room: float) -> None:
    """Put the legend above the curves, into a part of the height made for it."""
    low, high = panel.get_ylim()
    panel.set_ylim(low, high + room * (high - low))
    panel.legend(loc="upper center", ncols=2)


def _draw_regions(panel: Axes, diagram: Sequence[Mixing], half_step: float) -> None:
    """Fill the two-phase regions and mark their ends."""
    step = max(1, len(diagram) // MAX_TIE_LINES)
    for number, mixing in enumerate(diagram):
        for region in mixing.regions:
            panel.fill_between(
                [region.x_low, region.x_high],
                mixing.temperature - half_step,
                mixing.temperature + half_step,
                color=SAMPLED,
                alpha=0.18 if _holds(region, mixing) else 0.07,
                lw=0,
            )
            if number % step == 0:
                _mark_ends(panel, region, mixing)


def _mark_ends(panel: Axes, region: TwoPhaseRegion, mixing: Mixing) -> None:
    errors = region.standard_error or {}
    spread = np.nan_to_num([errors.get("x_low", 0.0), errors.get("x_high", 0.0)])
    panel.errorbar(
        [region.x_low, region.x_high],
        [mixing.temperature] * 2,
        xerr=spread,
        ls="none",
        marker="o",
        ms=3,
        mew=0.8,
        mfc=SAMPLED if _holds(region, mixing) else "white",
        color=SAMPLED,
        elinewidth=0.8,
    )


def _draw_coexistence(panel: Axes, diagram: Sequence[Mixing]) -> None:
    """Mark delta_mu of every two-phase region."""
    panel.axvline(0, color="0.8", lw=0.7)
    for mixing in diagram:
        for region in mixing.regions:
            error = float(np.nan_to_num((region.standard_error or {}).get("delta_mu", 0.0)))
            panel.errorbar(
                [region.delta_mu * MEV_PER_RY],
                [mixing.temperature],
                xerr=error * MEV_PER_RY,
                marker="o",
                ms=3,
                mew=0.8,
                mfc=MARK if _holds(region, mixing) else "white",
                color=MARK,
                elinewidth=0.8,
            )


def _holds(region: TwoPhaseRegion, mixing: Mixing) -> bool:
    """Whether the cell needs more than k_B T to cross from one phase to the other."""
    return region.height > BOLTZMANN * mixing.temperature


def _half_step(temperatures: np.ndarray) -> float:
    return float(np.diff(np.sort(temperatures)).min()) / 2 if len(temperatures) > 1 else 0.5


def _fraction_label(species: Sequence[str]) -> str:
    return f"fraction of {species[1]}"
