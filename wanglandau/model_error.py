"""What the error of the model does to thermodynamics, apart from the error of sampling.

One model is sampled; a bin b of its energies holds configurations whose energy by another model, member k, has mean
E_k(b) and variance v_k(b). To second order in beta the canonical weight of the bin by that member is

    ln w_k(b) = ln g(b) - beta E_k(b) + beta^2 v_k(b) / 2,

so that every member has thermodynamics of its own from the one density of states. This is reweighting by a cumulant
expansion, as for committees of potentials in Imbalzano, Zhuang, Kapil, Rossi, Engel, Grasselli and Ceriotti, J. Chem.
Phys. 154, 074102 (2021), with the difference that it is made within narrow bins, where the fluctuations that are
expanded are those between configurations of nearly equal energy, and not those of whole canonical averages.

The standard deviation over members is the model error. It is what is left when sampling is perfect; the jackknife
error over independent runs is what is left when the model is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import softmax

from wanglandau.density_of_states import DensityOfStates
from wanglandau.energy_grid import EnergyGrid
from wanglandau.errors import InputError
from wanglandau.levels import BOLTZMANN, Levels
from wanglandau.thermodynamics import Peak, Thermodynamics, heat_capacity_peak, thermodynamics

_CURVES = ("internal_energy", "heat_capacity", "free_energy", "entropy")


@dataclass(frozen=True, eq=False)
class MemberMoments:
    """What the members of an ensemble say about the configurations of each bin of the sampled energy.

    Attributes
    ----------
    mean : float64[n_members, n_bins], Ry per cell
        Mean energy by each member; of no meaning where ``count`` is 0.
    variance : float64[n_members, n_bins], Ry^2
        Of that energy inside the bin.
    count : int64[n_bins]
        Configurations that were looked at.

    Raises
    ------
    InputError
        If shapes do not agree, there are fewer than two members, or bins with samples hold what no moments can be.
    """

    mean: np.ndarray
    variance: np.ndarray
    count: np.ndarray

    def __post_init__(self) -> None:
        shape = self.mean.shape
        if len(shape) != 2 or self.variance.shape != shape or self.count.shape != shape[1:]:
            raise InputError(
                f"member moments have shapes {shape}, {self.variance.shape} and {self.count.shape}; expected "
                "(n_members, n_bins) twice and (n_bins,)"
            )
        if shape[0] < 2:
            raise InputError(f"{shape[0]} members have no spread; use an ensemble of at least 2")
        seen = self.count > 0
        if self.count.min(initial=0) < 0 or not np.isfinite([self.mean[:, seen], self.variance[:, seen]]).all():
            raise InputError("member moments hold negative counts or numbers that are not finite; measure them anew")
        if self.variance[:, seen].min(initial=0.0) < 0:
            raise InputError("member moments hold a variance below 0; measure them anew")

    @property
    def n_members(self) -> int:
        """Number of models."""
        return len(self.mean)

    @classmethod
    def measured(
        cls, grid: EnergyGrid, energies: np.ndarray, members: np.ndarray, weights: np.ndarray | None = None
    ) -> MemberMoments:
        """Take the moments of a list of configurations.

        Parameters
        ----------
        grid : EnergyGrid
            Bins of the sampled energy; what lies outside is left out.
        energies : float64[n], Ry per cell
            Sampled energy of each configuration.
        members : float64[n, n_members], Ry per cell
        weights : float64[n], optional
            How often each configuration is there; once unless said otherwise.
        """
        bins = grid.index(energies)
        inside = (bins >= 0) & (bins < grid.n_bins)
        bins, values = bins[inside], members[inside].T
        weight = np.ones(len(bins)) if weights is None else np.asarray(weights, dtype=np.float64)[inside]
        total = np.maximum(np.bincount(bins, weight, grid.n_bins), np.finfo(float).tiny)
        mean = np.array([np.bincount(bins, weight * row, grid.n_bins) for row in values]) / total
        squares = weight * (values - mean[:, bins]) ** 2
        variance = np.array([np.bincount(bins, row, grid.n_bins) for row in squares]) / total
        return cls(mean, variance, np.bincount(bins, minlength=grid.n_bins))

    @classmethod
    def combined(cls, parts: Sequence[MemberMoments]) -> MemberMoments:
        """Join the moments of independent runs, each configuration counting the same (Chan, Golub and LeVeque 1983).

        Raises
        ------
        InputError
            If there is none, or they are for other numbers of members or bins.
        """
        shapes = {part.mean.shape for part in parts}
        if len(shapes) != 1:
            raise InputError(f"member moments of shapes {sorted(shapes)} cannot be joined; one shape is needed")
        counts = np.array([part.count for part in parts])
        share = counts / np.maximum(counts.sum(axis=0), 1)
        means = np.array([np.where(part.count > 0, part.mean, 0.0) for part in parts])
        inner = np.array([np.where(part.count > 0, part.variance, 0.0) for part in parts])
        mean = (share[:, None] * means).sum(axis=0)
        variance = (share[:, None] * (inner + (means - mean) ** 2)).sum(axis=0)
        return cls(mean, variance, counts.sum(axis=0))


@dataclass(frozen=True, eq=False)
class ModelError:
    """Thermodynamics of the sampled model with sampling error and model error apart.

    Attributes
    ----------
    sampled : Thermodynamics
        Of the sampled model; its ``standard_error`` is the sampling error.
    members : tuple of Thermodynamics
        Of each member, reweighted.
    mean, spread : Thermodynamics
        Mean over the members, and their standard deviation, the model error.
    peak : Peak
        Heat-capacity peak of the sampled model, with sampling errors.
    member_peaks : tuple of Peak
    unsampled_weight : float64[n_temperatures]
        Share of the canonical weight in bins that members were not measured in; there every member has the energy of
        the sampled model, so that the model error is underestimated as far as this share goes.
    cut_weight : float64[n_temperatures]
        Largest share over the members of the canonical weight in bins where the second-order expansion is cut off
        because the mean would leave the energies of the bin; errors are not to be trusted where it is large.
    """

    sampled: Thermodynamics
    members: tuple[Thermodynamics, ...]
    mean: Thermodynamics
    spread: Thermodynamics
    peak: Peak
    member_peaks: tuple[Peak, ...]
    unsampled_weight: np.ndarray
    cut_weight: np.ndarray

    @property
    def peak_temperature_error(self) -> float:
        """Model error of the temperature of the heat-capacity peak: standard deviation over members, K."""
        return float(np.std([peak.temperature for peak in self.member_peaks], ddof=1))

    @property
    def peak_height_error(self) -> float:
        """Model error of the height of that peak, k_B per cell."""
        return float(np.std([peak.height for peak in self.member_peaks], ddof=1))

    @property
    def peaks_inside(self) -> bool:
        """Whether every member has its peak inside the temperatures searched; if not, errors of it mean little."""
        return self.peak.inside and all(peak.inside for peak in self.member_peaks)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain numbers and lists in the units people read (K, meV/atom, k_B/atom).

        ``mean_minus_sampled`` tells whether the members as a whole lie to one side of the model that was sampled.
        """
        sampling = self.sampled.standard_error
        return {
            "n_members": len(self.members),
            "temperatures_k": self.sampled.temperatures.tolist(),
            "sampled": _listed(self.sampled),
            "sampling_error": None if sampling is None else _listed(sampling),
            "model_error": _listed(self.spread),
            "mean_minus_sampled": _listed(_combined([self.mean, self.sampled], lambda rows: rows[0] - rows[1])),
            "peak": self._peak_json(),
            "unsampled_weight": self.unsampled_weight.tolist(),
            "cut_weight": self.cut_weight.tolist(),
        }

    def _peak_json(self) -> dict[str, Any]:
        n_sites = self.sampled.n_sites
        temperatures = np.array([peak.temperature for peak in self.member_peaks])
        heights = np.array([peak.height for peak in self.member_peaks])
        return {
            "temperature_k": self.peak.temperature,
            "temperature_sampling_error_k": _number(self.peak.temperature_error),
            "temperature_model_error_k": self.peak_temperature_error,
            "temperature_mean_minus_sampled_k": float(temperatures.mean() - self.peak.temperature),
            "height_kb_per_atom": self.peak.height / n_sites,
            "height_sampling_error_kb_per_atom": _number(self.peak.height_error / n_sites),
            "height_model_error_kb_per_atom": self.peak_height_error / n_sites,
            "height_mean_minus_sampled_kb_per_atom": float(heights.mean() - self.peak.height) / n_sites,
            "inside": self.peaks_inside,
            "member_temperatures_k": temperatures.tolist(),
            "member_heights_kb_per_atom": (heights / n_sites).tolist(),
        }


def member_levels(density: DensityOfStates, moments: MemberMoments) -> list[Levels]:
    """Give each member the density of states of the sampled model and its own energies.

    The energy below which the expansion may not carry the mean of a bin is taken as the mean less sqrt(3 v): for an
    evenly filled bin that is the lower edge, as for the sampled energy itself, and it widens by what members disagree.
    Bins without samples keep the sampled energy.

    Parameters
    ----------
    density : DensityOfStates
    moments : MemberMoments
        On the bins of ``density``.

    Raises
    ------
    InputError
        If the numbers of bins differ.
    """
    if moments.mean.shape[1] != density.grid.n_bins:
        raise InputError(
            f"member moments are for {moments.mean.shape[1]} bins but the density of states has {density.grid.n_bins}"
        )
    own, bins = Levels.binned(density), np.flatnonzero(density.visited)
    seen = moments.count[bins] > 0
    levels = []
    for mean, variance in zip(moments.mean[:, bins], moments.variance[:, bins], strict=True):
        inner = np.where(seen, variance, own.variances)
        energies = np.where(seen, mean, own.energies)
        floors = np.where(seen, energies - np.sqrt(3 * inner), own.floors)
        levels.append(Levels(density.n_sites, own.ln_g, energies, inner, floors))
    return levels


def model_error(density: DensityOfStates, moments: MemberMoments, temperatures: np.ndarray) -> ModelError:
    """Compute C, U, F and S of the sampled model and of every member.

    Parameters
    ----------
    density : DensityOfStates
    moments : MemberMoments
        Measured in the same bins.
    temperatures : float64[n], K
        Ascending, at least three; the peak of the heat capacity is looked for between the first and the last.

    Raises
    ------
    InputError
        If bins or temperatures do not fit.
    """
    levels = member_levels(density, moments)
    sampled = thermodynamics(density, temperatures)
    members = [thermodynamics(one, temperatures) for one in levels]
    unseen = moments.count[density.visited] == 0
    return ModelError(
        sampled,
        tuple(members),
        _combined(members, lambda rows: rows.mean(axis=0)),
        _combined(members, lambda rows: rows.std(axis=0, ddof=1)),
        heat_capacity_peak(density, temperatures),
        tuple(heat_capacity_peak(one, temperatures) for one in levels),
        _weights(Levels.binned(density), sampled.temperatures)[:, unseen].sum(axis=1),
        np.max([_cut_weight(one, sampled.temperatures) for one in levels], axis=0),
    )


def _weights(levels: Levels, temperatures: np.ndarray) -> np.ndarray:
    """Canonical weight of every bin at its mean energy, ``float64[n_temperatures, n_levels]``."""
    beta = 1 / (BOLTZMANN * temperatures[:, None])
    return softmax(levels.ln_g - beta * (levels.energies - levels.energies.min()), axis=1)


def _cut_weight(levels: Levels, temperatures: np.ndarray) -> np.ndarray:
    beta = 1 / (BOLTZMANN * temperatures[:, None])
    cut = beta * levels.variances > levels.energies - levels.floors
    return np.where(cut, _weights(levels, temperatures), 0.0).sum(axis=1)


def _combined(sets: Sequence[Thermodynamics], combine: Callable[[np.ndarray], np.ndarray]) -> Thermodynamics:
    """Apply ``combine``, from ``float64[n_sets, n]`` to ``float64[n]``, to each of the four curves."""
    internal, capacity, free, entropy = (combine(np.array([getattr(one, name) for one in sets])) for name in _CURVES)
    return Thermodynamics(sets[0].n_sites, sets[0].temperatures, internal, capacity, free, entropy)


def _listed(curves: Thermodynamics) -> dict[str, list[float]]:
    return {name: values.tolist() for name, values in curves.per_atom().items()}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
