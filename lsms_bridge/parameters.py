"""What LSMS computes and how: the numbers that go into a deck.

Two groups are told apart. *Physics* decides which energy a converged run has (cutoffs, zone, contour, functional,
spins); its digest names a campaign, and results of different physics are never mixed. *Convergence* decides how a run
gets there (mixing, iterations, starting moments) and may be changed at any time.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ase.data import atomic_numbers

from wanglandau.errors import InputError

Program = Literal["asa", "mt"]


@dataclass(frozen=True)
class Electrons:
    """How the electrons of an element are divided.

    Attributes
    ----------
    core, semicore, valence : int
        Their sum is the nuclear charge.
    """

    core: int
    semicore: int
    valence: int


ELECTRONS: Mapping[str, Electrons] = {
    "Fe": Electrons(10, 8, 8),
    "Cu": Electrons(10, 8, 11),
    "Pt": Electrons(46, 22, 10),
    "Au": Electrons(46, 22, 11),
}
"""Divisions with which the shipped data sets were made; others are given in the configuration file."""


@dataclass(frozen=True)
class LsmsParameters:
    """Parameters of self-consistent LSMS runs.

    Attributes
    ----------
    program : {"asa", "mt"}
        Atomic spheres (``lsms_asa``) or muffin tins (``lsms``); their decks and outputs differ.
    lmax : int
        Largest angular momentum of the scattering matrices.
    liz_radius : float, Bohr
        Radius of the local interaction zone; 8 Bohr are 19 atoms of CuAu and 15 of FePt.
    liz_steps : tuple of four float, Bohr
        Beyond each of them lmax falls by one; the defaults lie outside any zone.
    functional : tuple of int
        ``xcFunctional`` of LSMS: (0, 1) von Barth-Hedin, (0, 2) Vosko-Wilk-Nusair, (1, ...) numbers of libxc.
    relativity : {"scalar", "none", "full"}
        Of the valence electrons.
    core_relativity : {"full", "scalar", "none"}
    n_spin : {1, 2}
        1 without spins, 2 collinear.
    contour_points : int
        Gaussian points on the semicircle from ``contour_bottom`` to the Fermi energy.
    contour_bottom : float, Ry
    contour_top_imaginary, contour_bottom_imaginary : float, Ry
    mesh_step : float
        Step of the logarithmic mesh of generated potentials.
    mesh_points : int
        Limit on mesh points; below the mesh length LSMS stops, with exit status 0.
    linear_solver : int
        ``linearSolver`` of LSMS: which routines invert the matrices. Does not change energies beyond rounding.
    charge_tolerance : float, electrons
        Convergence of the charge (``lsms_asa``) or the potential (``lsms``), root mean square.
    energy_tolerance : float
        Convergence of the total energy: largest relative change in the last iteration.
    potential_tolerance : float
        Convergence of the potential, root mean square, which ``lsms_asa`` prints but does not look at.
    stopping_margin : float
        Decks ask for tolerances of charge and energy that are tighter by this factor: LSMS stops at the first iteration
        that happens to change little, when the potential may still be on its way. Results count by the full tolerances.
    start_fermi_energy : float, Ry
        Guess for runs from generated potentials.
    mixing_start, mixing_restart : float
        Share of the new potential (Broyden) from generated potentials, and from converged ones.
    max_iterations : int
        Of the first attempt.
    moments : mapping of str to float, Bohr magnetons
        Starting moment of each species, with two spins.
    electrons : mapping of str to Electrons
        For elements that :data:`ELECTRONS` lacks, or instead of it.

    Raises
    ------
    InputError
        Naming the parameter, its value and the limit.
    """

    program: Program = "asa"
    lmax: int = 3
    liz_radius: float = 8.0
    liz_steps: tuple[float, float, float, float] = (89.5, 91.5, 93.2, 99.9)
    functional: tuple[int, ...] = (0, 1)
    relativity: Literal["scalar", "none", "full"] = "scalar"
    core_relativity: Literal["scalar", "none", "full"] = "full"
    n_spin: int = 1
    contour_points: int = 12
    contour_bottom: float = -0.4
    contour_top_imaginary: float = 0.825
    contour_bottom_imaginary: float = 0.0025
    mesh_step: float = 0.02
    mesh_points: int = 640
    linear_solver: int = 0x2005
    charge_tolerance: float = 4e-6
    energy_tolerance: float = 2e-10
    potential_tolerance: float = 1e-5
    stopping_margin: float = 0.1
    start_fermi_energy: float = 0.6
    mixing_start: float = 0.05
    mixing_restart: float = 0.2
    max_iterations: int = 60
    moments: Mapping[str, float] = field(default_factory=dict)
    electrons: Mapping[str, Electrons] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_choices(self)
        for name, (low, high) in _RANGES.items():
            _check_range(name, getattr(self, name), low, high)
        if not self.functional or not all(isinstance(number, int) and number >= 0 for number in self.functional):
            raise InputError(f"functional is {self.functional!r}; give whole numbers as in xcFunctional, say [0, 1]")
        if len(self.liz_steps) != 4 or not all(_is_number(step) and step > 0 for step in self.liz_steps):
            raise InputError(f"liz_steps are {self.liz_steps!r}; give four lengths in Bohr")
        for symbol, moment in self.moments.items():
            _check_symbol("moments", symbol)
            _check_range(f"moments.{symbol}", moment, -20.0, 20.0)
        for symbol, division in self.electrons.items():
            _check_electrons(symbol, division)

    def electrons_of(self, symbol: str) -> Electrons:
        """Return the division of an element's electrons.

        Raises
        ------
        InputError
            If it is not known.
        """
        known = {**ELECTRONS, **self.electrons}
        if symbol not in known:
            raise InputError(
                f"the division of the electrons of {symbol} is not known; add a table [parameters.electrons.{symbol}] "
                "with core, semicore and valence to the configuration (core: deep levels, semicore: shallow ones)"
            )
        return known[symbol]

    def physics(self) -> dict[str, Any]:
        """Return what energies depend on, as JSON holds it."""
        values = {name: getattr(self, name) for name in _PHYSICS}
        return json.loads(json.dumps(values | {"electrons": self.electrons}, default=dataclasses.asdict))

    @property
    def physics_digest(self) -> str:
        """Digest of :meth:`physics`."""
        return hashlib.sha256(json.dumps(self.physics(), sort_keys=True).encode()).hexdigest()


_PHYSICS = (
    "program",
    "lmax",
    "liz_radius",
    "liz_steps",
    "functional",
    "relativity",
    "core_relativity",
    "n_spin",
    "contour_points",
    "contour_bottom",
    "contour_top_imaginary",
    "contour_bottom_imaginary",
    "mesh_step",
    "mesh_points",
    "charge_tolerance",
    "energy_tolerance",
    "potential_tolerance",
)

_CHOICES: Mapping[str, tuple[Any, ...]] = {
    "program": ("asa", "mt"),
    "relativity": ("scalar", "none", "full"),
    "core_relativity": ("scalar", "none", "full"),
    "n_spin": (1, 2),
}

_RANGES: Mapping[str, tuple[float, float]] = {
    "lmax": (0, 8),
    "liz_radius": (1.0, 100.0),
    "contour_points": (4, 200),
    "contour_bottom": (-5.0, -0.01),
    "contour_top_imaginary": (1e-3, 10.0),
    "contour_bottom_imaginary": (1e-6, 1.0),
    "mesh_step": (0.001, 0.1),
    "mesh_points": (100, 5000),
    "linear_solver": (0, 0xFFFF),
    "charge_tolerance": (1e-12, 1e-2),
    "energy_tolerance": (1e-15, 1e-5),
    "potential_tolerance": (1e-12, 1.0),
    "stopping_margin": (1e-6, 1.0),
    "start_fermi_energy": (-1.0, 3.0),
    "mixing_start": (1e-4, 1.0),
    "mixing_restart": (1e-4, 1.0),
    "max_iterations": (2, 2000),
}
_WHOLE = ("lmax", "contour_points", "mesh_points", "linear_solver", "max_iterations")


def _check_choices(parameters: LsmsParameters) -> None:
    for name, choices in _CHOICES.items():
        value = getattr(parameters, name)
        if isinstance(value, bool) or value not in choices:
            raise InputError(f"{name} is {value!r}; choose {' or '.join(str(choice) for choice in choices)}")
    for name in _WHOLE:
        if isinstance(getattr(parameters, name), bool) or not isinstance(getattr(parameters, name), int):
            raise InputError(f"{name} is {getattr(parameters, name)!r}; give a whole number")


def _check_range(name: str, value: Any, low: float, high: float) -> None:
    if not _is_number(value) or not low <= value <= high:
        raise InputError(f"{name} is {value!r}; give a number from {low:g} to {high:g}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_symbol(where: str, symbol: str) -> None:
    if atomic_numbers.get(symbol, 0) == 0:
        raise InputError(f"{where} names {symbol!r}, which is no chemical symbol; write one such as Cu")


def _check_electrons(symbol: str, division: Electrons) -> None:
    _check_symbol("electrons", symbol)
    counts = (division.core, division.semicore, division.valence)
    if not all(isinstance(count, int) and not isinstance(count, bool) and count >= 0 for count in counts):
        raise InputError(f"electrons of {symbol} are {counts}; give whole numbers of at least 0")
    if sum(counts) != atomic_numbers[symbol]:
        raise InputError(
            f"electrons of {symbol} add up to {sum(counts)}; its nuclear charge is {atomic_numbers[symbol]}"
        )
