"""The console command ``lsms-bridge``, which so far only says what is missing."""

from __future__ import annotations

from wanglandau.command_line import Command, Report, run_program
from wanglandau.errors import InputError


def main() -> int:
    """Run ``lsms-bridge`` and return the exit code of the process."""
    description = "Run LSMS on configurations (not available in this version)."
    return run_program("lsms-bridge", description, {name: _refuse(name) for name in _COMMANDS})


_COMMANDS = ("deck", "run", "campaign", "collect")


def _refuse(name: str) -> Command:
    def command() -> Report:
        from lsms_bridge.oracle import NOT_AVAILABLE

        raise InputError(f"{name} is not available: {NOT_AVAILABLE}")

    command.__doc__ = "Not available in this version."
    return command
