"""One alloy in cells of several sizes: what each of them shows, and what follows for the infinite crystal.

Every cell is a result file of its own, of a run or of exact levels. Temperatures at which C peaks are extrapolated by
the laws of :mod:`wanglandau.finite_size`, which hold for cells of one shape: of several, that of the largest cell is
fitted. Exact values carry no statistical error but the largest finite-size effect, as they belong to the smallest
cells; they are left out of a fit as soon as two sampled cells remain.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wanglandau.errors import InputError
from wanglandau.finite_size import MIN_SIZES, MIN_SIZES_FREE_EXPONENT, SizeFit, extrapolate
from wanglandau.first_order import TwoPeaks, two_peaks
from wanglandau.lattice import Lattice
from wanglandau.levels import MEV_PER_RY, Levels, Source
from wanglandau.run_file import ExactRecord, RunRecord
from wanglandau.settings import WangLandauSettings
from wanglandau.thermodynamics import Peak, default_temperatures, heat_capacity_peak

ISING_EXPONENT = 1 / 0.629912
"""1 / nu of the three-dimensional Ising model: Ferrenberg, Xu and Landau, Phys. Rev. E 97, 043301 (2018)."""
LAWS = {"continuous, 1/nu of Ising": ISING_EXPONENT, "first order, 2": 2.0, "first order, 3": 3.0}
"""Exponents p of T(L) = T_c + a L^-p that are expected; see :mod:`wanglandau.finite_size`."""
FITTED_LAW, GIVEN_LAW = "fitted", "given"
WORKING_SETTINGS = ("threads",)
"""Settings that change nothing in the result."""
NEAR_PEAK = 0.1
"""How far the temperature of two phases may lie from that of the peak of C, relatively."""
COLUMNS = (
    "repeat", "n_sites", "n_second", "exact", "trusted", "peak_temperature_K", "peak_temperature_error_K",
    "peak_height_kb_per_atom", "peak_height_error_kb_per_atom", "equal_weight_temperature_K",
    "equal_weight_temperature_error_K", "latent_heat_mev_per_atom", "latent_heat_error_mev_per_atom", "ln_depth",
    "file",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class SizedCell:
    """What one cell shows.

    Attributes
    ----------
    repeat : tuple of three int
        Conventional cells along each axis.
    n_second : int
        Number of second-species atoms.
    file : Path
    source : DensityOfStates or Levels
    peak : Peak
        Of the heat capacity.
    coexistence : TwoPeaks or None
        Two peaks of P(E), the sign of a first-order transition. Only of sampled cells and near the peak of C: gaps
        between the lowest levels of a cell make dips that are none.
    exact, trusted : bool
    summary : str
        The verdict in a sentence.
    """

    repeat: tuple[int, int, int]
    n_second: int
    file: Path
    source: Source
    peak: Peak
    coexistence: TwoPeaks | None
    exact: bool
    trusted: bool
    summary: str

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return self.source.n_sites

    @property
    def shape(self) -> tuple[float, ...]:
        """Lengths of its edges in conventional cells over that of the longest, ascending."""
        return tuple(sorted(edge / max(self.repeat) for edge in self.repeat))

    def row(self) -> dict[str, Any]:
        """Return the cell as a row of the table, by ``COLUMNS``; None where there is no such value."""
        both, per_atom = self.coexistence, MEV_PER_RY / self.n_sites
        error: Mapping[str, float | None] = {} if both is None or both.standard_error is None else both.standard_error
        latent = error.get("latent_heat")
        values = (
            "x".join(map(str, self.repeat)), self.n_sites, self.n_second, self.exact, self.trusted,
            self.peak.temperature if self.peak.inside else None,
            self.peak.temperature_error if self.peak.inside else None,
            self.peak.height / self.n_sites, self.peak.height_error / self.n_sites,
            None if both is None else both.equal_weight_temperature, error.get("equal_weight_temperature"),
            None if both is None else both.latent_heat * per_atom, None if latent is None else latent * per_atom,
            None if both is None else both.depth, str(self.file),
        )  # fmt: skip
        return dict(zip(COLUMNS, values, strict=True))


@dataclass(frozen=True, eq=False)
class Scaling:
    """Cells of all sizes and the laws through their peaks.

    Attributes
    ----------
    cells : list of SizedCell
        Smallest first.
    fitted : list of SizedCell
        Those that the laws were fitted to.
    laws : dict of str to SizeFit
        By name; empty where fewer than two cells have a peak.
    chosen : str
        The law to quote: the exponent given; otherwise 3 where the largest cell shows two phases, 1/nu of the Ising
        model where it does not.
    """

    cells: list[SizedCell]
    fitted: list[SizedCell]
    laws: dict[str, SizeFit]
    chosen: str

    @property
    def law(self) -> SizeFit | None:
        """The law to quote."""
        return self.laws.get(self.chosen)

    @property
    def untrusted(self) -> list[SizedCell]:
        """Cells whose verdict is not to trust them."""
        return [cell for cell in self.cells if not cell.trusted]


def parse_size(text: str) -> tuple[int, int, int]:
    """Read ``AxBxC``, the conventional cells along each axis.

    >>> parse_size("2x2x4")
    (2, 2, 4)

    Raises
    ------
    InputError
        If it is something else.
    """
    if not re.fullmatch(r"[1-9]\d*x[1-9]\d*x[1-9]\d*", text):
        raise InputError(f"size {text!r} is not AxBxC with whole numbers of cells; write for example 4x4x4")
    first, second, third = (int(part) for part in text.split("x"))
    return first, second, third


def composition_at(fraction: float, n_sites: int) -> int:
    """Return the number of second-species atoms that is this part of all sites.

    Raises
    ------
    InputError
        If it is not a whole number or a species is missing.
    """
    number = round(fraction * n_sites) if np.isfinite(fraction) else 0
    if abs(number - fraction * n_sites) > 1e-6 * n_sites or not 0 < number < n_sites:
        raise InputError(
            f"fraction {fraction:g} of {n_sites} sites is no whole number of atoms between 1 and {n_sites - 1}; choose "
            "sizes and a fraction that fit together"
        )
    return number


def is_same_work(
    record: RunRecord | ExactRecord, lattice: Lattice, identity: str, n_second: int, settings: WangLandauSettings
) -> bool:
    """Tell whether a result file holds just what would be computed anew, finished.

    Parameters
    ----------
    record : RunRecord or ExactRecord
    lattice : Lattice
    identity : str
        Of the oracle.
    n_second : int
    settings : WangLandauSettings
        Compared but for the number of threads; of no matter for exact levels.
    """
    positions = np.asarray(record.system["positions"])
    if positions.shape != lattice.positions.shape or not np.allclose(positions, lattice.positions):
        return False
    if record.oracle["identity"] != identity or not np.allclose(record.system["cell"], lattice.cell):
        return False
    if isinstance(record, ExactRecord):
        return record.levels.composition == n_second
    kept, asked = (_in_effect(values) for values in (record.settings, asdict(settings)))
    return record.density.composition == n_second and kept == asked and not record.diagnostics.get("interrupted", False)


def _in_effect(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as a file gives them back, without those that change nothing and those left to their defaults."""
    kept = {name: value for name, value in settings.items() if name not in WORKING_SETTINGS and value is not None}
    restored: dict[str, Any] = json.loads(json.dumps(kept))
    return restored


def sized_cell(repeat: tuple[int, int, int], n_second: int, file: Path, record: RunRecord | ExactRecord) -> SizedCell:
    """Evaluate the result of one cell."""
    if isinstance(record, ExactRecord):
        source: Source = Levels.exact(record.levels.n_sites, *record.levels.over_compositions())
        exact, trusted, summary = True, True, "exact enumeration"
    else:
        source = record.density
        exact, trusted, summary = False, bool(record.verdict["trusted"]), str(record.verdict["summary"])
    peak = heat_capacity_peak(source, default_temperatures(source))
    both = None if exact else two_peaks(source)
    if both is not None and abs(both.equal_weight_temperature / peak.temperature - 1) > NEAR_PEAK:
        both = None
    return SizedCell(repeat, n_second, file, source, peak, both, exact, trusted, summary)


def scale(cells: Iterable[SizedCell], exponent: float | None = None) -> Scaling:
    """Extrapolate the temperatures at which C peaks.

    Parameters
    ----------
    cells : iterable of SizedCell
    exponent : float, optional
        p of T(L) = T_c + a L^-p, with L = n_sites^(1/3), to quote instead of the expected ones.

    Raises
    ------
    InputError
        If the exponent is not positive.
    """
    ordered = sorted(cells, key=lambda cell: cell.n_sites)
    fitted = _cells_to_fit(ordered)
    laws: dict[str, SizeFit] = {}
    wanted = LAWS if exponent is None else LAWS | {GIVEN_LAW: exponent}
    if len({cell.n_sites for cell in fitted}) >= MIN_SIZES:
        laws = {name: _fit(fitted, power) for name, power in wanted.items()}
    if len({cell.n_sites for cell in fitted}) >= MIN_SIZES_FREE_EXPONENT:
        try:
            laws[FITTED_LAW] = _fit(fitted, None)
        except InputError:  # no exponent fits best: the peaks do not tell it
            pass
    two_phases = bool(ordered) and ordered[-1].coexistence is not None
    expected = "first order, 3" if two_phases else "continuous, 1/nu of Ising"
    return Scaling(ordered, fitted, laws, expected if exponent is None else GIVEN_LAW)


def _cells_to_fit(cells: Sequence[SizedCell]) -> list[SizedCell]:
    """Choose cells with a peak, of the shape of the largest where there are two sizes of it, sampled ones likewise."""
    with_peak = [cell for cell in cells if cell.peak.inside]
    alike = [cell for cell in with_peak if cell.shape == with_peak[-1].shape]
    with_peak = alike if len({cell.n_sites for cell in alike}) >= MIN_SIZES else with_peak
    sampled = [cell for cell in with_peak if cell.peak.temperature_error > 0]
    return sampled if len({cell.n_sites for cell in sampled}) >= MIN_SIZES else with_peak


def _fit(cells: Sequence[SizedCell], exponent: float | None) -> SizeFit:
    sizes = np.array([cell.n_sites for cell in cells]) ** (1 / 3)
    errors = np.array([cell.peak.temperature_error for cell in cells])
    known = errors if (errors > 0).all() else None
    return extrapolate(sizes, np.array([cell.peak.temperature for cell in cells]), known, exponent=exponent)


def describe(scaling: Scaling) -> str:
    """Write the table of cells and the laws for people."""
    from wanglandau.figure_style import with_error

    lines = [f"{'cell':>9} {'atoms':>6} {'peak of C (K)':>18} {'height (k_B/atom)':>20} {'two phases at (K)':>20} "
             f"{'latent (meV/atom)':>18}  verdict"]  # fmt: skip
    for cell in scaling.cells:
        row, atoms = cell.row(), cell.n_sites
        peak = with_error(cell.peak.temperature, cell.peak.temperature_error) if cell.peak.inside else "none"
        height = with_error(cell.peak.height / atoms, cell.peak.height_error / atoms)
        where, latent = (
            "-" if row[value] is None else with_error(row[value], row[error] or 0.0)
            for value, error in (
                ("equal_weight_temperature_K", "equal_weight_temperature_error_K"),
                ("latent_heat_mev_per_atom", "latent_heat_error_mev_per_atom"),
            )
        )
        verdict = "exact" if cell.exact else ("trusted" if cell.trusted else "NOT TRUSTED")
        lines.append(f"{row['repeat']:>9} {atoms:6d} {peak:>18} {height:>20} {where:>20} {latent:>18}  {verdict}")
    lines += [f"{cell.file}: {cell.summary}" for cell in scaling.untrusted]
    if not scaling.laws:
        return "\n".join([*lines, f"no extrapolation: at least {MIN_SIZES} cells with a peak of C are needed"])
    used = ", ".join("x".join(map(str, cell.repeat)) for cell in scaling.fitted)
    lines.append(f"T(L) = T_c + a L^-p, L = (number of atoms)^(1/3), through {used}:")
    for name, fit in scaling.laws.items():
        quality = f"chi^2 {fit.chi_squared:.2f} / {fit.degrees_of_freedom}" if np.isfinite(fit.chi_squared) else ""
        mark = "*" if name == scaling.chosen else " "
        power = with_error(fit.exponent, fit.exponent_error)
        lines.append(f"{mark} p = {power:12} T_c = {with_error(fit.temperature, fit.temperature_error, 'K'):18} "
                     f"{quality:18} ({name})")  # fmt: skip
    return "\n".join(lines)


def csv_table(scaling: Scaling) -> str:
    """Return the cells as CSV, ``COLUMNS`` in the first line; empty where there is no such value."""
    rows = [[_field(value) for value in cell.row().values()] for cell in scaling.cells]
    return "\n".join(",".join(row) for row in [list(COLUMNS), *rows]) + "\n"


def _field(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)
