"""What is measured on configurations beside their energy.

An observable turns a batch of occupations into columns of numbers. All here are exactly invariant under the symmetry of
the lattice, but for :class:`SublatticeOrder`, which tells the variants of one structure apart by design, and
:class:`SiteProperties`, which inherits the invariance of its oracle.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from wanglandau.errors import InputError, OracleError
from wanglandau.lattice import Lattice
from wanglandau.observable_kernels import unlike_neighbours
from wanglandau.oracle import EnergyOracle, PropertyOracle, occupation_rows
from wanglandau.ordered_structures import ordered_structure, ordered_structures
from wanglandau.structure_variants import structure_variants

DEFAULT_SHELLS = 5
"""Shells of neighbours whose short-range order is measured by default."""

RESERVED = (
    "temperature_K",
    "internal_energy_mev_per_atom",
    "heat_capacity_kb_per_atom",
    "free_energy_mev_per_atom",
    "entropy_kb_per_atom",
    "energy",
    "heat_capacity",
    "composition_variance",
)
"""Names of columns of results that are no observables."""


@runtime_checkable
class Observable(Protocol):
    """Anything that can be measured on a batch of configurations.

    Attributes
    ----------
    names : tuple of str
        One a column, with the unit at the end where there is one.
    """

    @property
    def names(self) -> tuple[str, ...]: ...

    def measure(self, occupations: np.ndarray) -> np.ndarray:
        """Measure ``int8[n, n_sites]``; returns ``float64[n, len(names)]``, each row from its configuration alone."""
        ...


class Composition:
    """The number of second-species atoms: column ``composition``."""

    names = ("composition",)

    def measure(self, occupations: np.ndarray) -> np.ndarray:
        """Count the second-species atoms of each of ``int8[n, n_sites]``, ``float64[n, 1]``."""
        return np.asarray(occupations).sum(axis=1, dtype=np.float64)[:, None]


class ShortRangeOrder:
    """Warren-Cowley parameters: columns ``alpha_1`` and so on, nearest neighbours first.

    alpha_s = 1 - P_s / (2 x_A x_B), where P_s is the part of the bonds of shell s, images counted with their
    multiplicity, that join unlike atoms, and x the concentrations of the configuration itself (J. M. Cowley, Phys. Rev.
    77, 669 (1950)). Negative where unlike neighbours are preferred. In a pure cell, where the definition is 0 / 0, it
    is set to 0: there is nothing to order.

    With all configurations of one composition equally likely, the mean is not 0 but
    (m - (z - m) / (n_sites - 1)) / z for a site that is m times among its own z neighbours (-1 / (n_sites - 1) for m =
    0): of the other sites one atom fewer is of the same kind.

    Parameters
    ----------
    lattice : Lattice
    n_shells : int
    """

    def __init__(self, lattice: Lattice, n_shells: int = DEFAULT_SHELLS) -> None:
        shells = lattice.shells(n_shells)
        self.names = tuple(f"alpha_{number}" for number in range(1, n_shells + 1))
        self._n_sites = lattice.n_sites
        self._coordination = np.array([shell.coordination for shell in shells], dtype=np.float64)
        self._neighbours = np.concatenate([shell.neighbours for shell in shells], axis=1)
        self._offsets = np.cumsum([0, *(shell.coordination for shell in shells)])

    def measure(self, occupations: np.ndarray) -> np.ndarray:
        """Measure ``int8[n, n_sites]``; returns ``float64[n, n_shells]``."""
        rows = occupation_rows(occupations, self._n_sites)
        unlike = unlike_neighbours(rows, self._neighbours, self._offsets)
        n_second = rows.sum(axis=1, dtype=np.float64)[:, None]
        random = (
            n_second * (self._n_sites - n_second) / self._n_sites * self._coordination
        )  # unlike bonds for alpha = 0
        return np.where(random > 0, 1 - unlike / np.where(random > 0, random, 1.0), 0.0)


class LongRangeOrder:
    """Long-range order of ordered structures, whichever variant they come in: columns such as ``lro_L1_0``.

    For one variant, with the sites that are B (second species) in the perfect structure called beta and the others
    alpha, Bragg and Williams' S = r_alpha + r_beta - 1 is the part of beta sites that B holds minus the part of alpha
    sites that B holds (W. L. Bragg and E. J. Williams, Proc. R. Soc. A 145, 699 (1934); B. E. Warren, X-ray
    Diffraction, chapter 12). The column is the largest S over all variants (translated, turned and, where the structure
    is equiatomic, with the species exchanged), so it is 1 for every variant of the perfect structure and does not tell
    domains apart by name.

    It follows from the definition that

    - S reaches 1 at the composition of the structure alone; elsewhere it is at most min(x / x0, (1 - x) / (1 - x0)),
      with x0 the concentration of the structure;
    - a random alloy has the largest of several fluctuations of size 1 / sqrt(n_sites x0 (1 - x0)) or so, which goes to
      0 with the size of the cell but is far from it in cells of some tens of sites;
    - structures that share wave vectors overlap: perfect L1_0 has S = 2/3 on the L1_2 sublattices.

    Parameters
    ----------
    lattice : Lattice
    structures : sequence of str, optional
        Names as in :mod:`wanglandau.ordered_structures`. Default: all that fit.

    Raises
    ------
    InputError
        If a structure does not fit the lattice, or none does.
    """

    def __init__(self, lattice: Lattice, structures: Sequence[str] | None = None) -> None:
        fitting = ordered_structures(lattice) if structures is None else {}
        chosen = fitting or {name: ordered_structure(lattice, name) for name in structures or ()}
        if not chosen:
            raise InputError(f"no known ordered structure fits lattice {lattice.name}; leave long-range order out")
        variants = structure_variants(lattice, list(chosen.values()))
        self.names = tuple(f"lro_{name}" for name in chosen)
        self._n_sites = lattice.n_sites
        self._variants = np.concatenate(variants).T.astype(np.float32)  # counts below 2**24 are exact
        self._starts = np.cumsum([0, *(len(rows) for rows in variants)])[:-1]
        self._n_beta = np.concatenate([rows.sum(axis=1, dtype=np.float64) for rows in variants])
        self._equiatomic = 2 * self._n_beta == lattice.n_sites

    def measure(self, occupations: np.ndarray) -> np.ndarray:
        """Measure ``int8[n, n_sites]``; returns ``float64[n, n_structures]``."""
        rows = occupation_rows(occupations, self._n_sites)
        on_beta = (rows.astype(np.float32) @ self._variants).astype(np.float64)
        on_alpha = rows.sum(axis=1, dtype=np.float64)[:, None] - on_beta
        order = on_beta / self._n_beta - on_alpha / (self._n_sites - self._n_beta)
        order = np.where(self._equiatomic, np.abs(order), order)
        return np.maximum.reduceat(order, self._starts, axis=1)


class SublatticeOrder:
    """Signed long-range order of one variant of one structure: column such as ``order_B2``.

    S as in :class:`LongRangeOrder`, but of the variant that :func:`~wanglandau.ordered_structures.ordered_structure`
    gives, so that it is linear in the occupations and has the moments that finite-size scaling wants.

    Parameters
    ----------
    lattice : Lattice
    name : str

    Attributes
    ----------
    site_weights : float64[n_sites]
        S is their scalar product with the occupations; their sum is 0.

    Raises
    ------
    InputError
        If the structure does not fit the lattice.
    """

    def __init__(self, lattice: Lattice, name: str) -> None:
        beta = ordered_structure(lattice, name) == 1
        self.names = (f"order_{name}",)
        self.site_weights = np.where(beta, 1 / beta.sum(), -1 / (~beta).sum())

    def measure(self, occupations: np.ndarray) -> np.ndarray:
        """Measure ``int8[n, n_sites]``; returns ``float64[n, 1]``."""
        return occupation_rows(occupations, len(self.site_weights)) @ self.site_weights[:, None]


class SiteProperties:
    """Charges and moments of the sites, as an oracle predicts them.

    Columns, as far as the oracle predicts them (Cu and Au standing for the species of the lattice):

    - ``charge_mean_Cu_e``, ``charge_mean_Au_e``: mean surplus electrons on sites of that species;
    - ``charge_std_Cu_e``, ``charge_std_Au_e``: standard deviation over those sites, the charge disorder;
    - ``charge_mean_square_e2``: mean over all sites of the square, to which the Madelung energy of a random alloy is
      proportional (R. Magri, S.-H. Wei and A. Zunger, Phys. Rev. B 42, 11388 (1990));
    - ``moment_mean_mu_b``, ``moment_mean_abs_mu_b``: moment and absolute moment per atom.

    A species that a configuration lacks has mean and standard deviation 0.

    Parameters
    ----------
    oracle : PropertyOracle
        Asked once for one configuration, to learn what it predicts.

    Raises
    ------
    InputError
        If it predicts neither charges nor moments.
    """

    def __init__(self, oracle: PropertyOracle) -> None:
        self._oracle = oracle
        self.names = _names_of_properties(oracle)
        if not self.names:
            raise InputError("this oracle predicts neither charges nor moments; leave the site properties out")

    def measure(self, occupations: np.ndarray) -> np.ndarray:
        """Measure ``int8[n, n_sites]``; returns ``float64[n, len(names)]``."""
        rows = occupation_rows(occupations, self._oracle.lattice.n_sites)
        found = self._oracle.properties(rows)
        columns: list[np.ndarray] = []
        if found.charge is not None:
            charge = np.asarray(found.charge, dtype=np.float64)
            moments = [_mean_and_deviation(charge, rows == species) for species in (0, 1)]
            columns += [mean for mean, _ in moments] + [deviation for _, deviation in moments]
            columns.append(np.mean(charge**2, axis=1))
        if found.moment is not None:
            moment = np.asarray(found.moment, dtype=np.float64)
            columns += [moment.mean(axis=1), np.abs(moment).mean(axis=1)]
        if len(columns) != len(self.names) or not all(np.isfinite(column).all() for column in columns):
            raise OracleError("the oracle gave charges or moments that are not finite, or left them out this time")
        return np.column_stack(columns)


def standard_observables(lattice: Lattice, oracle: EnergyOracle | None = None) -> list[Observable]:
    """Return what is measured by default.

    Short-range order of five shells, long-range order of every structure that fits, and what the oracle predicts of
    the sites, if it does.
    """
    found: list[Observable] = [ShortRangeOrder(lattice)]
    if ordered_structures(lattice):
        found.append(LongRangeOrder(lattice))
    if isinstance(oracle, PropertyOracle) and _names_of_properties(oracle):  # a model may know the energy alone
        found.append(SiteProperties(oracle))
    return found


def checked_observables(observables: Sequence[Observable], lattice: Lattice) -> list[Observable]:
    """Try observables from elsewhere on two random configurations, before the work.

    Raises
    ------
    InputError
        If one lacks a part, a name would not do as the head of a column, or what is measured is not one finite number
        for each configuration and name.
    """
    occupations = np.random.default_rng(1).integers(0, 2, (2, lattice.n_sites), dtype=np.int8)
    for observable in observables:
        kind = type(observable).__name__
        if not isinstance(observable, Observable):
            raise InputError(f"observable {kind} lacks names or measure; see wanglandau.observables.Observable")
        for name in observable.names:
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.+-]*", name) or name.endswith("_error") or name in RESERVED:
                raise InputError(
                    f"observable {kind} names a column {name!r}; take letters, digits and _ . + -, beginning with a "
                    "letter, and no name that results have already"
                )
        _checked(observable, occupations)
    return list(observables)


def _names_of_properties(oracle: PropertyOracle) -> tuple[str, ...]:
    """Ask for one configuration, to learn what the oracle predicts of the sites."""
    half = (np.arange(oracle.lattice.n_sites) % 2).astype(np.int8)[None, :]
    found = oracle.properties(half)
    names: list[str] = []
    if found.charge is not None:
        names += [f"charge_mean_{symbol}_e" for symbol in oracle.lattice.species]
        names += [f"charge_std_{symbol}_e" for symbol in oracle.lattice.species]
        names.append("charge_mean_square_e2")
    if found.moment is not None:
        names += ["moment_mean_mu_b", "moment_mean_abs_mu_b"]
    return tuple(names)


def column_names(observables: Sequence[Observable]) -> tuple[str, ...]:
    """Return the names of all columns of several observables.

    Raises
    ------
    InputError
        If two columns have one name.
    """
    names = tuple(name for observable in observables for name in observable.names)
    if len(set(names)) < len(names):
        raise InputError(f"observables {', '.join(names)}: a name occurs twice; leave one out")
    return names


def measure_all(observables: Sequence[Observable], occupations: np.ndarray) -> np.ndarray:
    """Measure several observables on ``int8[n, n_sites]``, columns side by side, ``float64[n, n_columns]``."""
    parts = [_checked(observable, occupations) for observable in observables]
    return np.concatenate([np.empty((len(occupations), 0)), *parts], axis=1)


def _checked(observable: Observable, occupations: np.ndarray) -> np.ndarray:
    values = np.asarray(observable.measure(occupations), dtype=np.float64)
    wanted = (len(occupations), len(observable.names))
    if values.shape != wanted or not np.isfinite(values).all():
        found = f"shape {values.shape}" if values.shape != wanted else "numbers that are not finite"
        raise InputError(f"observable {type(observable).__name__} gave {found}; finite float64{wanted} is needed")
    return values


def _mean_and_deviation(values: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over the chosen sites of each row, ``float64[n]`` each; 0 where none is chosen."""
    number = np.maximum(chosen.sum(axis=1), 1)
    mean = np.where(chosen, values, 0.0).sum(axis=1) / number
    square = np.where(chosen, (values - mean[:, None]) ** 2, 0.0).sum(axis=1) / number
    return mean, np.sqrt(square)
