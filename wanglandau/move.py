"""What a trial changes: the built-in flip and swap, and the form in which others are added.

A move is two small compiled functions and what the loops have to know of them; :mod:`wanglandau.rounds` and
:mod:`wanglandau.block_rounds` compile their loops around it, once for every move in a process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wanglandau.errors import InputError
from wanglandau.kernels import leave_places, pick_flip, pick_swap, swap_places

MAX_FLIPS = 64
"""Most sites that a move may flip."""


@dataclass(frozen=True, eq=False)
class Move:
    """A kind of trial.

    Proposals have to be symmetric: from any configuration x, y is proposed with the same probability as x is from y,
    since every move is accepted by the weights of x and y alone. Drawing a site and one of its neighbours, both
    uniformly, is symmetric; drawing one of the unlike pairs that there happen to be is not, because the move changes
    their number. :func:`wanglandau.stationarity.check_stationarity` finds out.

    Attributes
    ----------
    name : str
        For messages and results.
    n_flips : int
        Sites that it flips, always as many.
    keeps_composition : bool
        Whether it flips as many sites of one species as of the other, as one composition needs; moves for all
        compositions must not.
    pick : ``pick(parameters, occupations, sites, walker, picks, flips) -> bool``
        Numba-compiled. Write the sites to flip into ``flips`` (int32[n_flips], all different) and return True, or
        return False for a trial that changes nothing, which counts as rejected. ``occupations`` (int8[n_sites]) are to
        be read only. Random numbers come from ``walker.random_state``, by
        :func:`~wanglandau.kernels.random_below` or :func:`~wanglandau.kernels.next_random`; nothing else may be
        random, and nothing may be kept from one call to the next. ``walker.composition`` is the number of
        second-species atoms.
    make : ``make(sites, picks, flips) -> None``
        Numba-compiled; called when the move was accepted. ``sites`` (int32[n_sites]) lists all sites, those of the
        second species first, as long as this keeps it so: what ``pick`` has noted in ``picks`` (int32[n_flips]) is at
        hand. By default nothing is done, and ``pick`` must not use ``sites``.
    parameters : array, or tuple of arrays
        Read-only tables handed to ``pick``, say of neighbours.

    Raises
    ------
    InputError
        If ``n_flips`` is not from 1 to 64.
    """

    name: str
    n_flips: int
    keeps_composition: bool
    pick: Callable[..., bool]
    make: Callable[..., None] = leave_places
    parameters: Any = ()

    def __post_init__(self) -> None:
        if not 1 <= self.n_flips <= MAX_FLIPS:
            raise InputError(f"move {self.name!r} flips {self.n_flips} sites; allowed are 1 to {MAX_FLIPS}")


FLIP = Move("flip", 1, False, pick_flip)
"""Any one site changes its species."""
SWAP = Move("swap", 2, True, pick_swap, swap_places)
"""Two sites of unlike species, however far apart, change places."""
