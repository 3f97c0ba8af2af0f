"""Mixing thermodynamics and phase boundaries as tables, in the units people read: meV/atom, k_B/atom, k_B T."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wanglandau.coexistence import TwoPhaseRegion
from wanglandau.levels import BOLTZMANN, MEV_PER_RY
from wanglandau.mixing import Mixing

Row = dict[str, float]

BOUNDARY_COLUMNS: tuple[str, ...] = (
    "temperature_K",
    "x_low",
    "x_low_standard_error",
    "x_high",
    "x_high_standard_error",
    "delta_mu_mev",
    "delta_mu_mev_standard_error",
    "tangent_mev",
    "tangent_mev_standard_error",
    "height_kT",
    "height_kT_standard_error",
    "tangent_from",
    "tangent_to",
)
"""Of :func:`boundary_rows`; delta_mu and tangent in meV per exchanged atom, the last two in second-species atoms."""

CAUTION = (
    "These are phases of this cell: between two of them its F holds the free energy of their interfaces, and only\n"
    "structures that fit into the cell exist in it. Where F rises less than k_B T above the tangent, read one phase."
)


def composition_rows(mixing: Mixing) -> list[Row]:
    """Return one row a composition: F, U and S of mixing, and how far F lies above the convex hull."""
    energy = MEV_PER_RY
    columns = {
        "composition": mixing.compositions,
        "fraction": mixing.fractions,
        "free_energy_mev_per_atom": mixing.free_energy * energy,
        "free_energy_mev_per_atom_standard_error": mixing.free_energy_error * energy,
        "internal_energy_mev_per_atom": mixing.internal_energy * energy,
        "internal_energy_mev_per_atom_standard_error": mixing.internal_energy_error * energy,
        "entropy_kb_per_atom": mixing.entropy,
        "entropy_kb_per_atom_standard_error": mixing.entropy_error,
        "above_hull_mev_per_atom": np.maximum(mixing.free_energy - mixing.hull, 0.0) * energy,
        "delta_mu_to_next_mev": np.append(mixing.delta_mu, np.nan) * energy,
        "delta_mu_to_next_mev_standard_error": np.append(mixing.delta_mu_error, np.nan) * energy,
    }
    return [dict(zip(columns, map(float, values), strict=True)) for values in zip(*columns.values(), strict=True)]


def boundary_rows(diagram: Sequence[Mixing]) -> list[Row]:
    """Return one row a two-phase region and temperature; see ``BOUNDARY_COLUMNS``."""
    return [_boundary_row(mixing, region) for mixing in diagram for region in mixing.regions]


def format_rows(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Write rows as comma-separated text with a header; an unknown number is an empty cell."""
    lines = [",".join("" if np.isnan(row[name]) else f"{row[name]:.10g}" for name in columns) for row in rows]
    return "\n".join([",".join(columns), *lines]) + "\n"


def describe_mixing(mixing: Mixing) -> str:
    """Write the table of one temperature and its two-phase regions, for people."""
    lines = [
        f"{mixing.n_sites} atoms at {mixing.temperature:g} K; * lies on the lower convex hull of F",
        "   N_B       x   F/(meV/atom)     error   U/(meV/atom)   S/(k_B/atom)   above hull/(meV/atom)",
    ]
    for row in composition_rows(mixing):
        mark = "*" if int(row["composition"]) in mixing.vertices else " "
        lines.append(
            f"{row['composition']:5.0f}{mark} {row['fraction']:7.4f}   {row['free_energy_mev_per_atom']:12.4f}  "
            f"{row['free_energy_mev_per_atom_standard_error']:8.4f}   {row['internal_energy_mev_per_atom']:12.4f}   "
            f"{row['entropy_kb_per_atom']:12.5f}   {row['above_hull_mev_per_atom']:21.4f}"
        )
    if mixing.ordered_points:
        lines.append(f"stable alone, between two-phase regions: N_B = {', '.join(map(str, mixing.ordered_points))}")
    return "\n".join([*lines, *_boundary_lines([mixing])])


def describe_diagram(diagram: Sequence[Mixing]) -> str:
    """Write all two-phase regions of a phase diagram, for people."""
    low, high = diagram[0].temperature, diagram[-1].temperature
    title = f"{diagram[0].n_sites} atoms, {low:g} to {high:g} K in {len(diagram)} steps"
    return "\n".join([title, *_boundary_lines(diagram)])


def _boundary_lines(diagram: Sequence[Mixing]) -> list[str]:
    rows = boundary_rows(diagram)
    if not rows:
        return ["no two-phase region here"]
    lines = ["     T/K         x of one phase       x of the other   delta_mu/(meV per atom)   rise of F/(k_B T)"]
    lines += [
        f"{row['temperature_K']:8.1f}   {_pair(row, 'x_low'):>20} {_pair(row, 'x_high'):>20}   "
        f"{_pair(row, 'delta_mu_mev', 3):>23}   {_pair(row, 'height_kT', 2):>17}"
        for row in rows
    ]
    return [*lines, CAUTION]


def _pair(row: Row, name: str, digits: int = 4) -> str:
    error = row[f"{name}_standard_error"]
    tail = f" +- {error:.{digits}f}" if error > 0 else ""
    return f"{row[name] + 0.0:.{digits}f}{tail}"


def _boundary_row(mixing: Mixing, region: TwoPhaseRegion) -> Row:
    thermal_energy = BOLTZMANN * mixing.temperature
    scales = {
        "x_low": ("x_low", 1.0),
        "x_high": ("x_high", 1.0),
        "delta_mu": ("delta_mu_mev", MEV_PER_RY),
        "tangent": ("tangent_mev", MEV_PER_RY),
        "height": ("height_kT", 1 / thermal_energy),
    }
    errors = region.standard_error or {}
    row = {"temperature_K": mixing.temperature}
    for name, (column, scale) in scales.items():
        row[column] = getattr(region, name) * scale
        row[f"{column}_standard_error"] = errors.get(name, np.nan) * scale
    return row | {"tangent_from": float(region.low), "tangent_to": float(region.high)}
