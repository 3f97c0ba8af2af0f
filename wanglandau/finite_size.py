"""From cells of several sizes to the infinite crystal: transition temperatures, exponents, Binder crossings.

A transition temperature read off a finite cell is shifted by a L^-p. For a continuous transition p = 1 / nu; for a
first-order one p is the dimension, 3, but 2 where the number of ordered states grows exponentially with L, as in the
fcc nearest-neighbour antiferromagnet (Johnston, Mueller, Janke, arXiv:1410.7928). Fisher and Barber, Phys. Rev. Lett.
28, 1516 (1972); Binder, Z. Phys. B 43, 119 (1981).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq, minimize_scalar

from wanglandau.errors import InputError
from wanglandau.jackknife import standard_error

MIN_SIZES = 2
MIN_SIZES_FREE_EXPONENT = 4
EXPONENT_RANGE = (0.05, 10.0)


@dataclass(frozen=True)
class SizeFit:
    """The law T(L) = T_c + a L^-p.

    Attributes
    ----------
    temperature, temperature_error : float, K
        T_c of the infinite crystal.
    amplitude, amplitude_error : float, K
        a.
    exponent, exponent_error : float
        p; its error is 0 where it was given.
    chi_squared : float
        Sum of squared deviations over squared errors; nan where no errors were given.
    degrees_of_freedom : int
        Number of sizes less number of parameters.
    """

    temperature: float
    temperature_error: float
    amplitude: float
    amplitude_error: float
    exponent: float
    exponent_error: float
    chi_squared: float
    degrees_of_freedom: int

    def at(self, sizes: np.ndarray) -> np.ndarray:
        """Return the law at some linear sizes, ``float64[n]``, K."""
        return self.temperature + self.amplitude * np.asarray(sizes, dtype=np.float64) ** -self.exponent


@dataclass(frozen=True)
class PowerLaw:
    """The law h(L) = c L^q, for peaks that grow with the cell.

    Attributes
    ----------
    exponent, exponent_error : float
        q: alpha / nu for the heat capacity per atom of a continuous transition, the dimension for a first-order one.
    prefactor : float
        c.
    chi_squared : float
        nan where no errors were given.
    degrees_of_freedom : int
    """

    exponent: float
    exponent_error: float
    prefactor: float
    chi_squared: float
    degrees_of_freedom: int


@dataclass(frozen=True)
class Crossing:
    """Where the Binder cumulants of two sizes are equal.

    Attributes
    ----------
    temperature, temperature_error : float, K
    cumulant, cumulant_error : float
        Errors are nan without samples.
    """

    temperature: float
    temperature_error: float
    cumulant: float
    cumulant_error: float


def extrapolate(
    sizes: np.ndarray, temperatures: np.ndarray, errors: np.ndarray | None = None, *, exponent: float | None
) -> SizeFit:
    """Fit T(L) = T_c + a L^-p by weighted least squares.

    Parameters
    ----------
    sizes : float64[n]
        Linear sizes L in any unit, for example (number of sites)^(1/3).
    temperatures : float64[n], K
    errors : float64[n], optional, K
        Standard errors. Without them, or where all are 0 (exact cells), every size counts the same and the errors of
        the result come from the scatter about the fit.
    exponent : float or None
        p; None to fit it, from at least four sizes.

    Raises
    ------
    InputError
        If there are too few sizes, values are not finite, an error is not positive or the exponent cannot be fitted.
    """
    lengths, values, weights = _checked(sizes, temperatures, errors)
    needed = MIN_SIZES if exponent is not None else MIN_SIZES_FREE_EXPONENT
    if len(np.unique(lengths)) < needed:
        what = "with a given exponent" if exponent is not None else "with a free exponent (or give one)"
        raise InputError(f"{len(np.unique(lengths))} sizes; a fit {what} needs at least {needed}")
    if exponent is not None and not 0 < exponent < np.inf:
        raise InputError(f"exponent {exponent} must be positive, as 1/nu or the dimension are")
    power = _best_exponent(lengths, values, weights) if exponent is None else float(exponent)
    solution, chi = _linear_fit(_design(lengths, power), values, weights)
    jacobian = _design(lengths, power)
    if exponent is None:
        jacobian = np.column_stack([jacobian, -solution[1] * np.log(lengths) * lengths**-power])
    freedom = len(lengths) - jacobian.shape[1]
    deviation = _parameter_errors(jacobian, weights, chi, freedom, errors_known=_errors_known(errors))
    return SizeFit(
        float(solution[0]),
        float(deviation[0]),
        float(solution[1]),
        float(deviation[1]),
        power,
        float(deviation[2]) if exponent is None else 0.0,
        chi if _errors_known(errors) else np.nan,
        freedom,
    )


def scaling_exponent(sizes: np.ndarray, heights: np.ndarray, errors: np.ndarray | None = None) -> PowerLaw:
    """Fit h(L) = c L^q by a straight line through ln h against ln L.

    Parameters
    ----------
    sizes, heights : float64[n]
        Positive; at least two sizes.
    errors : float64[n], optional
        Standard errors of the heights; without them as in :func:`extrapolate`.

    Raises
    ------
    InputError
        As :func:`extrapolate`, and if a height is not positive.
    """
    lengths, values, weights = _checked(sizes, heights, errors)
    if values.min() <= 0:
        raise InputError(f"height {values.min():g} must be positive to have a power law")
    if len(np.unique(lengths)) < MIN_SIZES:
        raise InputError(f"{len(np.unique(lengths))} sizes; an exponent needs at least {MIN_SIZES}")
    design = np.column_stack([np.ones(len(lengths)), np.log(lengths)])
    relative = weights * values if _errors_known(errors) else weights  # the error of ln h is that of h over h
    solution, chi = _linear_fit(design, np.log(values), relative)
    freedom = len(lengths) - 2
    deviation = _parameter_errors(design, relative, chi, freedom, errors_known=_errors_known(errors))
    known = chi if _errors_known(errors) else np.nan
    return PowerLaw(float(solution[1]), float(deviation[1]), float(np.exp(solution[0])), known, freedom)


def binder_cumulant(second_moment: np.ndarray, fourth_moment: np.ndarray) -> np.ndarray:
    """Return U4 = 1 - <m^4> / (3 <m^2>^2): 2/3 deep in an ordered phase, 0 for Gaussian disorder.

    Parameters
    ----------
    second_moment, fourth_moment : float64[...]
        <m^2> and <m^4>.
    """
    return 1 - np.asarray(fourth_moment) / (3 * np.asarray(second_moment) ** 2)


def cumulant_crossing(
    temperatures: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    first_samples: np.ndarray | None = None,
    second_samples: np.ndarray | None = None,
    *,
    bootstrap: bool = False,
) -> Crossing | None:
    """Find where the cumulant curves of two sizes cross, by cubic interpolation.

    Parameters
    ----------
    temperatures : float64[n], K
        Ascending, at least four.
    first, second : float64[n]
        Cumulants of the two sizes.
    first_samples, second_samples : float64[n_samples, n], optional
        The same with each run left out, or bootstrap samples. The two sizes were sampled independently.
    bootstrap : bool
        Whether samples are of a bootstrap.

    Returns
    -------
    Crossing or None
        Where several crossings are found, that at which the curves cross most steeply; None without any.

    Raises
    ------
    InputError
        If shapes do not match, temperatures do not ascend or samples are given of one size only.
    """
    grid = np.asarray(temperatures, dtype=np.float64)
    curves = [np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)]
    if len(grid) < 4 or not (np.diff(grid) > 0).all() or any(curve.shape != grid.shape for curve in curves):
        raise InputError("a crossing needs two curves over the same ascending temperatures, at least four")
    if (first_samples is None) != (second_samples is None):
        raise InputError("samples of one size only; give those of both or of neither")
    place = _crossing(grid, curves[0], curves[1], None)
    if place is None:
        return None
    errors = np.full(2, np.nan)
    if first_samples is not None and second_samples is not None:
        moved_first = [_crossing(grid, sample, curves[1], place[0]) or (np.nan, np.nan) for sample in first_samples]
        moved_second = [_crossing(grid, curves[0], sample, place[0]) or (np.nan, np.nan) for sample in second_samples]
        parts = [np.array(moved_first), np.array(moved_second)]
        errors = np.hypot(*[part.std(axis=0, ddof=1) if bootstrap else standard_error(part) for part in parts])
    return Crossing(place[0], float(errors[0]), place[1], float(errors[1]))


def _crossing(
    grid: np.ndarray, first: np.ndarray, second: np.ndarray, near: float | None
) -> tuple[float, float] | None:
    """Return temperature and cumulant of a crossing: the steepest, or the one nearest to ``near``."""
    curve, difference = CubicSpline(grid, first), CubicSpline(grid, second - first)
    gap = second - first
    changes = np.flatnonzero((gap[:-1] * gap[1:] < 0) | (gap[:-1] == 0))
    roots = [
        float(grid[i]) if gap[i] == 0 else float(brentq(difference, grid[i], grid[i + 1], xtol=1e-12 * grid[-1]))
        for i in changes
    ]
    if not roots:
        return None
    slopes = np.abs(difference(np.array(roots), 1))
    chosen = int(np.argmax(slopes)) if near is None else int(np.argmin(np.abs(np.array(roots) - near)))
    return roots[chosen], float(curve(roots[chosen]))


def _errors_known(errors: np.ndarray | None) -> bool:
    return errors is not None and bool(np.any(np.asarray(errors) != 0))


def _checked(
    sizes: np.ndarray, values: np.ndarray, errors: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return sizes, values and weights (1 / standard error, or 1) as ``float64[n]``."""
    lengths, data = np.asarray(sizes, dtype=np.float64), np.asarray(values, dtype=np.float64)
    spread = np.asarray(errors, dtype=np.float64) if _errors_known(errors) else np.ones(len(data))
    if not lengths.shape == data.shape == spread.shape or lengths.ndim != 1:
        raise InputError(
            f"{lengths.size} sizes, {data.size} values and {spread.size} errors; give one of each per cell"
        )
    if not (np.isfinite(lengths).all() and np.isfinite(data).all() and np.isfinite(spread).all()):
        raise InputError("sizes, values and errors must be finite; leave out cells without a peak or with one run only")
    if lengths.min(initial=np.inf) <= 0:
        raise InputError(f"size {lengths.min(initial=np.inf):g} must be positive")
    if spread.min() <= 0:
        raise InputError("some errors are 0 and others are not; leave out the exact cells or give errors to all")
    return lengths, data, 1 / spread


def _design(lengths: np.ndarray, power: float) -> np.ndarray:
    return np.column_stack([np.ones(len(lengths)), lengths**-power])


def _linear_fit(design: np.ndarray, values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the parameters and the weighted sum of squared deviations."""
    solution = np.linalg.lstsq(design * weights[:, None], values * weights, rcond=None)[0]
    return solution, float((((values - design @ solution) * weights) ** 2).sum())


def _parameter_errors(
    jacobian: np.ndarray, weights: np.ndarray, chi: float, freedom: int, *, errors_known: bool
) -> np.ndarray:
    """Standard errors from the curvature of chi^2; without known errors its scale is that of the scatter."""
    weighted = jacobian * weights[:, None]
    covariance = np.linalg.inv(weighted.T @ weighted)
    scale = 1.0 if errors_known else (chi / freedom if freedom else np.nan)
    return np.sqrt(np.diag(covariance) * scale)


def _best_exponent(lengths: np.ndarray, values: np.ndarray, weights: np.ndarray) -> float:
    """Minimise over p what the linear fit of the other two parameters leaves (variable projection)."""

    def left(log_power: float) -> float:
        return _linear_fit(_design(lengths, float(np.exp(log_power))), values, weights)[1]

    scan = np.linspace(np.log(EXPONENT_RANGE[0]), np.log(EXPONENT_RANGE[1]), 80)
    best = int(np.argmin([left(value) for value in scan]))
    if best in (0, len(scan) - 1):
        raise InputError(
            f"no exponent between {EXPONENT_RANGE[0]} and {EXPONENT_RANGE[1]} fits these sizes best; give the exponent"
        )
    found = minimize_scalar(left, bounds=(scan[best - 1], scan[best + 1]), method="bounded", options={"xatol": 1e-10})
    return float(np.exp(found.x))
