"""Settings of the lattice surrogate; importing them imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wanglandau.errors import InputError


@dataclass(frozen=True)
class LatticeSettings:
    """Shape of the lattice network and strength of its priors.

    Attributes
    ----------
    length_scales : tuple of float
        For each shell of neighbours that a site sees: the change of the share of second-species atoms over
        which the hidden features change. Its length is the number of shells.
    width : int
        Hidden features of a site, for each species.
    star_sites : int
        Largest star (a site and some of its nearest neighbours) with an energy of its own; 2 for none.
    head_shells : int
        Shells over which charges and moments look at the hidden features of neighbours.
    energy_ridge, site_ridge : float
        Variance of noise over variance explained by the prior, of energies and of charges and moments.
    star_prior : float
        Prior variance of all star terms together over that of the site term.
    """

    length_scales: tuple[float, ...] = (1.0, 2.0, 4.0)
    width: int = 128
    star_sites: int = 4
    head_shells: int = 4
    energy_ridge: float = 1e-10
    site_ridge: float = 1e-9
    star_prior: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "length_scales", tuple(float(scale) for scale in self.length_scales))
        if not 1 <= len(self.length_scales) <= 6 or not all(0 < scale < np.inf for scale in self.length_scales):
            raise InputError(f"length_scales is {self.length_scales}; one to six positive numbers, one a shell")
        for name, low, high in (("width", 1, 10_000), ("star_sites", 2, 6), ("head_shells", 1, 12)):
            value = getattr(self, name)
            if isinstance(value, bool) or int(value) != value or not low <= value <= high:
                raise InputError(f"{name} is {value}; expected a whole number from {low} to {high}")
        for name in ("energy_ridge", "site_ridge", "star_prior"):
            value = getattr(self, name)
            if not 0 < value < np.inf:
                raise InputError(f"{name} is {value}; expected a positive number")
