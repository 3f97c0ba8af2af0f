"""What the commands of the bridge do before their work: load system and configuration, open the campaign."""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path

from lsms_bridge.campaign import Campaign
from lsms_bridge.configuration import BridgeConfiguration, load_configuration
from wanglandau.systems import System, load_system


def load(system: str, lsms: Path, repeat: tuple[int, int, int] | None) -> tuple[System, BridgeConfiguration]:
    """Load a system, and the configuration file for it.

    Parameters
    ----------
    system : str
        As given for SYSTEM.
    lsms : Path
    repeat : tuple of three int, or None

    Raises
    ------
    InputError
        If either does not exist or is wrong.
    """
    chosen = load_system(system, repeat)
    return chosen, load_configuration(lsms, chosen.name)


def open_campaign(system: System, settings: BridgeConfiguration, workers: Executor | None = None) -> Campaign:
    """Open the campaign that a configuration names, with the results that need no computing.

    Raises
    ------
    InputError
        If its folder is in use or holds other results, or the known results cannot be read.
    """
    return Campaign(system.lattice, settings, workers, settings.known_results())
