"""The oracle ``lsms``: energies computed by LSMS itself.

This version of the bridge does not run LSMS; asking for the oracle says what to use instead.
"""

from __future__ import annotations

from typing import NoReturn

from wanglandau.errors import InputError
from wanglandau.systems import System

NOT_AVAILABLE = (
    "running LSMS needs an LSMS executable and a CONFIG.toml that names it, and this version of the bridge does not "
    "run LSMS yet; use --oracle surrogate, which was trained on LSMS energies"
)
"""What a user is told, here and by the console command."""


def from_argument(argument: str, system: System) -> NoReturn:
    """Refuse, saying what the LSMS oracle needs and what to use instead.

    Parameters
    ----------
    argument : str
        Path of a configuration file, or empty.
    system : System
        What the oracle would evaluate.

    Raises
    ------
    InputError
        Always.
    """
    asked = f"lsms:{argument}" if argument else "lsms"
    raise InputError(f"oracle {asked!r} cannot evaluate system {system.name}: {NOT_AVAILABLE}")
